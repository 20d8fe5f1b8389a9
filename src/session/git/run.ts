import { Buffer } from "node:buffer";
import { execFile } from "node:child_process";
import path from "node:path";
import { must } from "../../errors/must.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface GitCall {
  readonly cwd: string;
  /** The environment of this process. Every `GIT_*` of it is dropped, since it can inject settings and programs. */
  readonly env: Environment;
  readonly timeoutMs: number;
  readonly maxBytes?: number;
  readonly input?: Buffer;
  readonly signal?: AbortSignal;
  /** `GIT_*` of this call. */
  readonly extra?: Readonly<Record<string, string>>;
  /** `-c` settings of this call. */
  readonly settings?: readonly string[];
}

export type GitResult =
  | { readonly kind: "done"; readonly exitCode: number; readonly stdout: Buffer; readonly stderr: Buffer }
  | { readonly kind: "missing" | "timeout" | "too-large" | "cancelled" | "failed" };

/**
 * A repository's own settings may come from anybody: an unpacked archive, a shared folder. None of them may start a program,
 * and none may change the form of a patch. Filters, whose names are free, are in `quietFilters`.
 */
const SETTINGS = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.untrackedCache=false",
  "core.pager=cat",
  "diff.external=",
  "diff.ignoreSubmodules=dirty",
  "diff.noprefix=false",
  "diff.mnemonicPrefix=false",
  "diff.orderFile=/dev/null",
  "diff.suppressBlankEmpty=false",
  "diff.wsErrorHighlight=none",
  "color.ui=false",
  "core.quotePath=true",
  "log.showSignature=false",
  "apply.whitespace=nowarn",
  "apply.ignoreWhitespace=no",
  "safe.bareRepository=explicit",
  "submodule.recurse=false",
  "protocol.allow=never",
];

const VARIABLES = {
  GIT_OPTIONAL_LOCKS: "0",
  GIT_TERMINAL_PROMPT: "0",
  // A repository that lacks objects would fetch them, by a program of its own choice.
  GIT_NO_LAZY_FETCH: "1",
  GIT_ALLOW_PROTOCOL: "none",
  GIT_NO_REPLACE_OBJECTS: "1",
  LC_ALL: "C",
  LANGUAGE: "",
} as const;

/** Runs git without a shell. Never throws; `missing` means that there is no git, or no such folder. */
export function runGit(args: readonly string[], call: GitCall): Promise<GitResult> {
  const settings = [...SETTINGS, ...(call.settings ?? [])].flatMap((setting) => ["-c", setting]);
  const argv = ["--no-pager", "--literal-pathspecs", ...settings, ...args];
  const options = {
    cwd: call.cwd,
    env: gitEnvironment(call.env, call.extra),
    timeout: call.timeoutMs,
    killSignal: "SIGKILL",
    maxBuffer: call.maxBytes ?? 1024 * 1024,
    encoding: "buffer",
    windowsHide: true,
    shell: false,
    ...(call.signal === undefined ? {} : { signal: call.signal }),
  } as const;
  return new Promise((resolve) => {
    const child = execFile("git", argv, options, (error, stdout, stderr) => {
      resolve(resultOf(error, stdout, stderr, call.signal));
    });
    // git may end before it has read everything, which its exit code tells.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(call.input ?? Buffer.alloc(0));
  });
}

function resultOf(
  error: unknown,
  stdout: Buffer,
  stderr: Buffer,
  signal: AbortSignal | undefined,
): GitResult {
  if (error === null) return { kind: "done", exitCode: 0, stdout, stderr };
  if (signal?.aborted === true) return { kind: "cancelled" };
  if (!(error instanceof Error) || !("code" in error)) return { kind: "failed" };
  if (typeof error.code === "number") return { kind: "done", exitCode: error.code, stdout, stderr };
  if (error.code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") return { kind: "too-large" };
  if (error.code === "ENOENT" || error.code === "EACCES" || error.code === "ENOTDIR")
    return { kind: "missing" };
  return { kind: "killed" in error && error.killed === true ? "timeout" : "failed" };
}

/** Keeps the absolute folders of `PATH` alone: Windows also looks into the working directory, which is the peer's to fill. */
export function gitEnvironment(
  env: Environment,
  extra: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const clean: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || /^(?:GIT_|LC_|LANGUAGE$|LANG$)/i.test(name)) continue;
    clean[name] = name.toUpperCase() === "PATH" ? absoluteOnly(value) : value;
  }
  return { ...clean, ...VARIABLES, NoDefaultCurrentDirectoryInExePath: "1", ...extra };
}

function absoluteOnly(value: string): string {
  return value
    .split(path.delimiter)
    .filter((folder) => path.isAbsolute(folder))
    .join(path.delimiter);
}

/** The text of a call that went well, without the line end; undefined otherwise. */
export async function gitText(args: readonly string[], call: GitCall): Promise<string | undefined> {
  const result = await runGit(args, call);
  if (result.kind !== "done" || result.exitCode !== 0) return undefined;
  return result.stdout.toString("utf8").replace(/\r?\n$/, "");
}

/**
 * The filters which the repository itself defines: programs that git would start to read a file. Those in the user's own
 * settings are the user's and stay. Undefined where they cannot be told.
 */
export async function ownFilters(call: GitCall): Promise<ReadonlySet<string> | undefined> {
  const listed = await gitText(["config", "--list", "--show-scope", "--name-only", "-z"], call);
  if (listed === undefined) return undefined;
  const parts = listed.split("\0");
  const drivers = new Set<string>();
  for (let index = 0; index + 1 < parts.length; index += 2) {
    const scope = parts[index];
    const name = must(parts[index + 1], "the name of a setting");
    const driver = /^filter\.(.+)\.(?:clean|smudge|process|required)$/s.exec(name)?.[1];
    if ((scope === "local" || scope === "worktree") && driver !== undefined) drivers.add(driver);
  }
  // `-c` cannot override a name with `=`, and only somebody hostile makes one up.
  if ([...drivers].some((driver) => driver.includes("="))) return undefined;
  return drivers;
}

/** Settings with which none of these filters is started. */
export function withoutFilters(drivers: Iterable<string>): string[] {
  return [...drivers].flatMap((driver) => [
    `filter.${driver}.clean=`,
    `filter.${driver}.smudge=`,
    `filter.${driver}.process=`,
    `filter.${driver}.required=false`,
  ]);
}
