import { readdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import * as z from "zod/mini";
import { isPrivate } from "../runtime/private-directory.ts";
import { processIsRunning } from "../runtime/processes.ts";
import { descriptorIn, pidOfDescriptor, type EndpointKind } from "./paths.ts";

/** The owner of a server by its environment: the client's session, and the working directory. */
export interface Identity {
  readonly session: string | undefined;
  readonly folder: string;
}

/** The same with the real path of the folder: two programs may have reached it through different links. */
export async function resolved({ session, folder }: Identity): Promise<Identity> {
  return { session, folder: await realpath(folder).catch(() => folder) };
}

/** The file that a running server leaves for other commands of the same user. Its token is for readers of the file only. */
export interface Descriptor {
  readonly pid: number;
  readonly endpoint: string;
  readonly token: string;
  readonly session?: string | undefined;
  readonly folder: string;
}

/** Other versions read it as well: fields may be added, and none may change. */
const descriptorSchema = z.object({
  pid: z.int().check(z.positive()),
  endpoint: z.string().check(z.minLength(1), z.maxLength(256)),
  token: z.string().check(z.regex(/^[\w-]{43}$/)),
  session: z.optional(z.string()),
  folder: z.string(),
});

const MAX_DESCRIPTOR_BYTES = 64 * 1024;

/** Writes it in one step and for this user only, so that a reader finds a whole descriptor or none. */
export async function writeDescriptor(
  folder: string,
  descriptor: Descriptor,
  place: { readonly platform: string; readonly kind: EndpointKind },
): Promise<string> {
  const file = descriptorIn(folder, descriptor.pid, place);
  const draft = `${file}.part`;
  await rm(draft, { force: true });
  await writeFile(draft, JSON.stringify(descriptor), { mode: 0o600, flag: "wx" });
  await rename(draft, file);
  return file;
}

/** Every running server with a descriptor in one of the folders. Files of other users are ignored. */
export async function readDescriptors(
  folders: readonly string[],
  platform: string,
  isRunning: (pid: number) => boolean = processIsRunning,
  kind: EndpointKind = "ask",
): Promise<Descriptor[]> {
  const found: Descriptor[] = [];
  for (const folder of folders) {
    for (const pid of await pidsIn(folder, platform, kind)) {
      const file = descriptorIn(folder, pid, { platform, kind });
      const descriptor = await readDescriptor(file, platform);
      if (descriptor?.pid !== pid) continue;
      // In another container the pid means nothing, but the socket answers.
      if (isRunning(pid) || (await isListening(descriptor.endpoint))) found.push(descriptor);
    }
  }
  return found;
}

/** The files of a server in its folder begin with its pid. */
const LEFT = /^([1-9]\d{0,9})(?:(?:\.watch)?\.json(?:\.part)?|-[\w-]+\.sock)$/;
const ANSWER_MS = 500;

/** Whether a server listens there. The pid tells nothing about a process in another container, but its socket does. */
function isListening(endpoint: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(endpoint);
    const end = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    // A server that is too busy to answer still exists.
    socket.setTimeout(ANSWER_MS, () => end(true));
    socket.once("connect", () => end(true)).once("error", () => end(false));
  });
}

/** Removes the files of killed servers from a folder of this user. */
export async function removeStale(
  folder: string,
  isRunning: (pid: number) => boolean = processIsRunning,
): Promise<void> {
  const names = await namesIn(folder);
  for (const name of names) {
    const pid = LEFT.exec(name)?.[1];
    if (pid === undefined || isRunning(Number(pid))) continue;
    const sockets = names.filter((one) => one.startsWith(`${pid}-`) && one.endsWith(".sock"));
    const answers = await Promise.all(sockets.map((socket) => isListening(join(folder, socket))));
    if (!answers.includes(true)) await rm(join(folder, name), { force: true });
  }
}

async function pidsIn(folder: string, platform: string, kind: EndpointKind): Promise<number[]> {
  // A folder that others can write to may hold anything, also a socket of theirs.
  if (!(await isPrivate(folder, "directory", platform))) return [];
  const pids = (await namesIn(folder)).map((name) => pidOfDescriptor(name, kind));
  return pids.filter((pid) => pid !== undefined).toSorted((a, b) => a - b);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error) return []; // It is gone since the listing.
    throw error;
  }
}

async function readDescriptor(file: string, platform: string): Promise<Descriptor | undefined> {
  if (!(await isPrivate(file, "file", platform))) return undefined;
  try {
    if ((await stat(file)).size > MAX_DESCRIPTOR_BYTES) return undefined;
    const parsed = descriptorSchema.safeParse(JSON.parse(await readFile(file, "utf8")));
    return parsed.success ? parsed.data : undefined;
  } catch (error) {
    // It is no JSON, or its server has just removed it. Either way it leads to no server.
    if (error instanceof Error) return undefined;
    throw error;
  }
}
