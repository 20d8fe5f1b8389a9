import { posix, win32 } from "node:path";
import { NAME } from "../runtime/private-folders.ts";

/** The longest path of a Unix socket that every system takes, without its terminating zero (104 bytes on macOS). */
const MAX_SOCKET_BYTES = 103;

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

/** `ask`: questions of other commands. `watch`: the faces of a person, and what they decide. */
export type EndpointKind = "ask" | "watch";

const SUFFIX: Readonly<Record<EndpointKind, string>> = { ask: ".json", watch: ".watch.json" };

/** The descriptor of a process: `<pid>.json`, or `<pid>.watch.json`. */
export function descriptorIn(
  folder: string,
  pid: number,
  { platform, kind }: { readonly platform: string; readonly kind: EndpointKind },
): string {
  return (platform === "win32" ? win32 : posix).join(folder, `${pid}${SUFFIX[kind]}`);
}

/** The pid in the name of a descriptor; undefined for any other file. */
export function pidOfDescriptor(name: string, kind: EndpointKind): number | undefined {
  const [, digits, suffix] = /^([1-9]\d{0,9})(\.json|\.watch\.json)$/.exec(name) ?? [];
  return digits === undefined || suffix !== SUFFIX[kind] ? undefined : Number(digits);
}
