import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { isScript } from "./files.ts";

/** A program and the arguments that come before ours. */
export interface Command {
  readonly file: string;
  readonly prefix: readonly string[];
}

const VERSION_TIMEOUT_MS = 5_000;
const VERSION_LINE = /^cloudflared version (\d{4}\.\d{1,2}\.\d{1,3})\b/;
const execute = promisify(execFile);

/** How to start `path` without a shell. A wrapper in JavaScript is run by this Node: Windows starts no other scripts. */
export function commandFor(path: string): Command {
  return isScript(path) ? { file: process.execPath, prefix: [path] } : { file: path, prefix: [] };
}

/** The version a program reports as cloudflared does; undefined when it does not, or not in time. */
export async function reportedVersion(
  path: string,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { file, prefix } = commandFor(path);
  try {
    const { stdout } = await execute(file, [...prefix, "--version"], {
      env,
      signal,
      timeout: VERSION_TIMEOUT_MS,
      killSignal: "SIGKILL",
      maxBuffer: 16 * 1024,
      windowsHide: true,
    });
    return VERSION_LINE.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}
