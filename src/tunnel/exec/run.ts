import { TunnelError } from "../../errors/tunnel-error.ts";
import { exitDetail, type Child, type Exit } from "../../children/child.ts";
import { environmentWithout } from "../../children/environment.ts";
import { startChild } from "../../children/start.ts";
import { homeDirectory, isFolder } from "../../runtime/places.ts";
import { machineFacts, privateFolders } from "../../runtime/private-folders.ts";
import type { ExecSettings } from "./settings.ts";
import { PrintedUrls } from "./printed.ts";

/** One process of the command. */
export interface CommandRun {
  readonly child: Child;
  readonly urls: PrintedUrls;
}

/** This program's own settings, and those of cloudflared, which share the prefix and would be misread by it. */
const OWN_SETTINGS = /^TUNNEL_/i;

/** @throws {TunnelError} exec-no-command, exec-missing */
export function startCommand(port: number, settings: ExecSettings): CommandRun {
  const { command = [], commandUrl, env, cwd, clock } = settings;
  const [file = "", ...args] = command.map((part) => part.replaceAll("{port}", String(port)));
  if (file === "") throw new TunnelError("exec-no-command");
  const urls = new PrintedUrls(commandUrl, clock);
  const [stdout, stderr] = [urls.reader(), urls.reader()];
  // It is the human's own command, so it gets the human's environment: its login, its proxy, its PATH.
  const childEnv = environmentWithout(env, OWN_SETTINGS);
  try {
    const recordFolders = privateFolders(env, machineFacts());
    // No program starts in a folder that was deleted.
    const place = isFolder(cwd) ? cwd : homeDirectory();
    const options = { file, args, env: childEnv, cwd: place, clock, stdout, stderr, recordFolders };
    return { child: startChild({ ...options, withDescendants: true }), urls };
  } catch (error) {
    // Thrown at once for a batch file on Windows, or an argument with a zero byte.
    throw new TunnelError("exec-missing", { cause: error });
  }
}

/** The last words of a command stay out of this: tunnel programs print tokens in their error messages. */
export function commandExitError(exit: Exit): TunnelError {
  if (exit.failure !== undefined) return new TunnelError("exec-missing", { cause: exit.failure });
  return new TunnelError("exec-exited", { detail: exitDetail(exit) });
}
