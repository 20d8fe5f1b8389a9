import { execFile } from "node:child_process";
import path from "node:path";
import { environmentWithout, plainEnvironment } from "../../children/environment.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Environment } from "../io/environment.ts";

/** How a program went. `output` is what it wrote to stdout; what it wrote to stderr is never shown. */
type ProgramResult =
  | { readonly kind: "done"; readonly output: string }
  | { readonly kind: "failed"; readonly code: string }
  | { readonly kind: "missing" };

/** Starts a program of the `PATH`, without a shell, and waits for its end. */
export type RunProgram = (file: string, args: readonly string[], cwd: string) => Promise<ProgramResult>;

const LIMIT_MS = 15_000;

/** openssl gets nothing of the user's settings, and docker all but ours: among them may be the token. */
export function programRunner(env: Environment, platform: string): RunProgram {
  return (file, args, cwd) => {
    const own = file === "openssl" ? plainEnvironment(env, platform) : environmentWithout(env, /^TUNNEL_/i);
    const options = {
      cwd,
      env: withAbsolutePath(own),
      timeout: LIMIT_MS,
      windowsHide: true,
      shell: false,
      encoding: "utf8",
    } as const;
    return new Promise((resolve) => {
      const child = execFile(file, [...args], options, (error, stdout) => {
        if (error === null) return resolve({ kind: "done", output: stdout });
        const { code } = error;
        // A folder of the PATH may be no folder, and a file in it no program.
        const isMissing =
          typeof code === "string" && ["ENOENT", "EACCES", "ENOTDIR", "EINVAL"].includes(code);
        resolve(isMissing ? { kind: "missing" } : { kind: "failed", code: String(code ?? "timeout") });
      });
      child.stdin?.on("error", () => undefined).end();
    });
  };
}

/** A relative folder would mean another program in each folder. */
function withAbsolutePath(env: Readonly<Record<string, string>>): Record<string, string> {
  const isPath = (name: string): boolean => name.toUpperCase() === "PATH";
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [
      name,
      isPath(name)
        ? value
            .split(path.delimiter)
            .filter((folder) => path.isAbsolute(folder))
            .join(path.delimiter)
        : value,
    ]),
  );
}

/** The version of openssl where it will do. LibreSSL, as on macOS, takes the same commands. */
export async function usableOpenssl(run: RunProgram, cwd: string): Promise<string> {
  const result = await run("openssl", ["version"], cwd);
  if (result.kind === "missing") throw new TunnelError("anthropic-openssl-missing");
  const [, name = "", major = "0", minor = "0", patch = "0"] =
    /^(OpenSSL|LibreSSL) (\d+)\.(\d+)\.(\d+)/.exec(result.kind === "done" ? result.output : "") ?? [];
  const version = [major, minor, patch].map(Number);
  if (name === "")
    throw new TunnelError("anthropic-openssl-missing", { detail: "openssl does not tell its version" });
  if (isOlder(version, name === "OpenSSL" ? [1, 1, 1] : [3, 0, 0]))
    throw new TunnelError("anthropic-openssl-missing", { detail: `${name} ${version.join(".")} is too old` });
  return `${name} ${version.join(".")}`;
}

function isOlder(version: readonly number[], least: readonly number[]): boolean {
  const at = least.findIndex((part, index) => part !== (version[index] ?? 0));
  return at !== -1 && (version[at] ?? 0) < (least[at] ?? 0);
}
