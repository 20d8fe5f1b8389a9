import { readdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import * as z from "zod/mini";
import { isPrivate } from "../runtime/private-directory.ts";
import { processIsRunning } from "../runtime/processes.ts";
import { descriptorIn, pidOfDescriptor } from "./places.ts";

/** Whose a server is, as far as its environment tells: the client's session, and the folder that it works in. */
export interface Identity {
  readonly session: string | undefined;
  readonly place: string;
}

/** The same with the folder as the system knows it: two programs may have come to it by different links. */
export async function resolved({ session, place }: Identity): Promise<Identity> {
  return { session, place: await realpath(place).catch(() => place) };
}

/** What a running server leaves for other commands of the same user. Only who can read it knows the token. */
export interface Descriptor {
  readonly pid: number;
  readonly endpoint: string;
  readonly token: string;
  readonly session?: string | undefined;
  readonly place: string;
}

/** Read back by other versions, too: fields may come, none may change. */
const descriptorSchema = z.object({
  pid: z.int().check(z.positive()),
  endpoint: z.string().check(z.minLength(1), z.maxLength(256)),
  token: z.string().check(z.regex(/^[\w-]{43}$/)),
  session: z.optional(z.string()),
  place: z.string(),
});

const MAX_DESCRIPTOR_BYTES = 64 * 1024;

/** In one step, and never readable by others: whoever looks finds a whole descriptor or none. */
export async function writeDescriptor(
  folder: string,
  descriptor: Descriptor,
  platform: string,
): Promise<string> {
  const file = descriptorIn(folder, descriptor.pid, platform);
  const draft = `${file}.part`;
  await rm(draft, { force: true });
  await writeFile(draft, JSON.stringify(descriptor), { mode: 0o600, flag: "wx" });
  await rename(draft, file);
  return file;
}

/** Every running server that has left a descriptor in one of the folders. What is not this user's own is ignored. */
export async function readDescriptors(
  folders: readonly string[],
  platform: string,
  isRunning: (pid: number) => boolean = processIsRunning,
): Promise<Descriptor[]> {
  const found: Descriptor[] = [];
  for (const folder of folders) {
    for (const pid of await pidsIn(folder, platform)) {
      const descriptor = await readDescriptor(descriptorIn(folder, pid, platform), platform);
      if (descriptor?.pid !== pid) continue;
      // In another container the number means nothing, but the socket answers.
      if (isRunning(pid) || (await isListening(descriptor.endpoint))) found.push(descriptor);
    }
  }
  return found;
}

/** What a server leaves in its folder: the number of its process comes first. */
const LEFT = /^([1-9]\d{0,9})(?:\.json(?:\.part)?|-[\w-]+\.sock)$/;
const ANSWER_MS = 500;

/** Whether a server listens there: a process of another container, whose number says nothing here, does. */
function isListening(endpoint: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(endpoint);
    const end = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    // Whoever is too busy to answer is there.
    socket.setTimeout(ANSWER_MS, () => end(true));
    socket.once("connect", () => end(true)).once("error", () => end(false));
  });
}

/** Removes what servers that were killed have left in a folder of our own. */
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

async function pidsIn(folder: string, platform: string): Promise<number[]> {
  // A folder that others can write to may hold anything, a socket of theirs included.
  if (!(await isPrivate(folder, "directory", platform))) return [];
  const pids = (await namesIn(folder)).map(pidOfDescriptor);
  return pids.filter((pid) => pid !== undefined).toSorted((a, b) => a - b);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error) return []; // gone since it was looked at
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
    // Not JSON, or removed by its server in between: either way there is no server to be found by it.
    if (error instanceof Error) return undefined;
    throw error;
  }
}
