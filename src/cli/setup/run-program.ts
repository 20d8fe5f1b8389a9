import spawn from "cross-spawn";
import { stripVTControlCharacters } from "node:util";
import type { Clock } from "../../runtime/clock.ts";

/** Long: some clients are slow to start, and none waits for anything here. */
const TIMEOUT_MS = 60_000;
/** Time for its output to stay open after its end: it may have left something running. */
const LAST_WORDS_MS = 500;
const KEPT_CHARACTERS = 8_192;
const SHOWN_LINES = 5;

export type RunResult = { readonly ok: true } | { readonly ok: false; readonly why: string };

export interface RunOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Runs a client's own command to its end, without a shell. On Windows most of them are batch files, which Node refuses to
 * start. cross-spawn starts the command interpreter for them and quotes each argument for it.
 */
export function runProgram(
  program: string,
  args: readonly string[],
  { env, cwd, clock, signal }: RunOptions,
): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = spawn(program, [...args], {
      env: { ...env },
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
      windowsHide: true,
    });
    const said = { out: "", err: "" };
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (said.out = kept(said.out + text)));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (said.err = kept(said.err + text)));
    const kill = (): void => void child.kill("SIGKILL");
    let isLate = false;
    let cancel = clock.after(TIMEOUT_MS, () => {
      isLate = true;
      kill();
    });
    signal.addEventListener("abort", kill, { once: true });
    const finish = (result: RunResult): void => {
      cancel();
      signal.removeEventListener("abort", kill);
      resolve(result);
    };
    const ended = (code: number | null): void => {
      if (code === 0) return finish({ ok: true });
      if (isLate) return finish({ ok: false, why: `it did not end within ${TIMEOUT_MS / 1_000} s` });
      const words = lastLines(said.err) || lastLines(said.out);
      finish({ ok: false, why: `it ended with ${code ?? "a signal"}${words === "" ? "" : `:\n${words}`}` });
    };
    child.once("error", (error) => {
      finish({
        ok: false,
        why: `it could not be started (${"code" in error ? String(error.code) : error.name})`,
      });
    });
    child.once("exit", (code) => {
      cancel();
      cancel = clock.after(LAST_WORDS_MS, () => ended(code));
      child.once("close", () => ended(code));
    });
  });
}

function kept(text: string): string {
  return text.slice(-KEPT_CHARACTERS);
}

function lastLines(text: string): string {
  const lines = stripVTControlCharacters(text)
    .split(/\r?\n/)
    .map((line) => line.replaceAll(/\p{Cc}/gu, " ").trimEnd())
    .filter((line) => line !== "");
  return lines
    .slice(-SHOWN_LINES)
    .map((line) => `    ${line}`)
    .join("\n");
}
