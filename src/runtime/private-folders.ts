import { posix, win32 } from "node:path";
import { tempDirectory } from "./places.ts";

/** The facts about this machine that decide where its private files lie. */
interface MachineFacts {
  readonly platform: string;
  readonly tempDirectory: string;
  /** The numeric user id; undefined on Windows. */
  readonly user: number | undefined;
}

type Variables = Readonly<Record<string, string | undefined>>;

export const NAME = "tunnel-mcp";

export function machineFacts(): MachineFacts {
  return { platform: process.platform, tempDirectory: tempDirectory(), user: process.getuid?.() };
}

/**
 * Folders for the files of running servers, the preferred one first. A server takes the first that it can make its own. A
 * search looks in all of them: a client may start its server without the variables of a shell.
 */
export function privateFolders(env: Variables, { platform, tempDirectory, user }: MachineFacts): string[] {
  if (platform === "win32") {
    // Windows inherits permissions: other users cannot reach this user's data, but can reach some temporary folders.
    const local = env["LOCALAPPDATA"];
    const base = local !== undefined && win32.isAbsolute(local) ? local : tempDirectory;
    return [win32.join(base, `${NAME}-control`)];
  }
  const own = `${NAME}-${user ?? "user"}`;
  const runtime = env["XDG_RUNTIME_DIR"];
  const folders = [
    ...(runtime !== undefined && posix.isAbsolute(runtime) ? [posix.join(runtime, NAME)] : []),
    posix.join(tempDirectory, own),
    posix.join("/tmp", own),
  ];
  return [...new Set(folders)];
}

/** Folders for what outlives a start of the machine, and where nothing can be kept there those that last until the next one. */
export function stateFolders(env: Variables, home: string, facts: MachineFacts): string[] {
  const { platform } = facts;
  const at = platform === "win32" ? win32 : posix;
  const named = platform === "win32" ? env["LOCALAPPDATA"] : env["XDG_STATE_HOME"];
  const usual =
    platform === "darwin"
      ? at.join(home, "Library", "Application Support")
      : platform === "win32"
        ? at.join(home, "AppData", "Local")
        : at.join(home, ".local", "state");
  const base = named !== undefined && at.isAbsolute(named) ? named : usual;
  return [at.join(base, NAME), ...privateFolders(env, facts)];
}
