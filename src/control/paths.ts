import { tmpdir } from "node:os";
import { posix, win32 } from "node:path";

/** The facts about this machine that decide where the local endpoint lies. */
interface MachineFacts {
  readonly platform: string;
  readonly tempDirectory: string;
  /** The numeric user id; undefined on Windows. */
  readonly user: number | undefined;
}

type Variables = Readonly<Record<string, string | undefined>>;

const NAME = "tunnel-mcp";

/** The longest path of a Unix socket that every system takes, without its terminating zero (104 bytes on macOS). */
const MAX_SOCKET_BYTES = 103;

export function machineFacts(): MachineFacts {
  return { platform: process.platform, tempDirectory: tmpdir(), user: process.getuid?.() };
}

/**
 * Folders for descriptors, the preferred one first. A server takes the first that it can make its own. A search looks in
 * all of them: a client may start its server without the variables of a shell.
 */
export function controlFolders(env: Variables, { platform, tempDirectory, user }: MachineFacts): string[] {
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

/**
 * The address of a server: a socket in the private folder, or a named pipe on Windows. `unique` is random, so that nobody
 * can take the name first. Undefined where the folder's path is too long for a socket.
 */
export function endpointIn(
  folder: string,
  { pid, unique, platform }: { pid: number; unique: string; platform: string },
): string | undefined {
  if (platform === "win32") return `\\\\.\\pipe\\${NAME}-${pid}-${unique}`;
  const socket = posix.join(folder, `${pid}-${unique}.sock`);
  return new TextEncoder().encode(socket).length > MAX_SOCKET_BYTES ? undefined : socket;
}

/** The descriptor of a process: `<pid>.json`. */
export function descriptorIn(folder: string, pid: number, platform: string): string {
  return (platform === "win32" ? win32 : posix).join(folder, `${pid}.json`);
}

/** The pid in the name of a descriptor; undefined for any other file. */
export function pidOfDescriptor(name: string): number | undefined {
  const digits = /^([1-9]\d{0,9})\.json$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
