import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import * as z from "zod/mini";
import { isPrivate } from "../../runtime/private-directory.ts";
import { runs, type ProcessIdentity, type ProcessTable } from "../identity.ts";
import { processSchema } from "../records.ts";

const MAX_BYTES = 16 * 1_024;
const pathSchema = z.string().check(z.minLength(1), z.maxLength(1_024));

const addressSchema = z.object({
  /** TCP port on the loopback address, to which the child connects. */
  port: z.int().check(z.positive(), z.maximum(65_535)),
  child: z.object({ folder: pathSchema, guard: processSchema, child: processSchema }),
  /** Further facts, in a form that its provider alone knows. */
  facts: z.string().check(z.maxLength(8 * 1_024)),
});

/** A public address that can be held: the child that carries it, and the port to which it leads. */
export type HeldAddress = z.infer<typeof addressSchema>;

const careSchema = z.object({
  format: z.literal(1),
  /** The number of this very file on its disk: in a copy of the folder it is another one. */
  inode: z.string().check(z.maxLength(32)),
  /** See ProcessTable.world. */
  world: z.string().check(z.maxLength(128)),
  server: processSchema,
  caretaker: processSchema,
  address: z.optional(addressSchema),
});

/** Who takes care of a stay, and what is held of it. */
export type Care = z.infer<typeof careSchema>;

/** `care-PID-TAG.json`: the server that the stay belongs to stands in the name, so that taking it over is one renaming. */
const NAME = /^care-([1-9]\d{0,9})-([0-9a-f]{16})\.json$/;

/** The file in which a server says who takes care of its stay. */
export function careFile(stay: string, { pid, start }: ProcessIdentity): string {
  return join(stay, `care-${pid}-${tagOf(start)}.json`);
}

/** A start as it may stand in the name of a file. */
function tagOf(start: string): string {
  return createHash("sha256").update(start).digest("hex").slice(0, 16);
}

/** Writes it for the server that it names; a reader finds a whole one or none. @throws {Error} where the disk does not take it */
export async function writeCare(stay: string, care: Omit<Care, "format" | "inode">): Promise<void> {
  const file = careFile(stay, care.server);
  const draft = `${file}.part`;
  await rm(draft, { force: true });
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const handle = await open(draft, flags, 0o600);
  try {
    const { ino } = await handle.stat({ bigint: true });
    await handle.writeFile(JSON.stringify({ format: 1, inode: String(ino), ...care } satisfies Care));
  } finally {
    await handle.close();
  }
  await rename(draft, file);
}

/** A record with its file. `care` is undefined where it says nothing that could be believed, or is a copy. */
export interface FoundCare {
  readonly file: string;
  readonly care: Care | undefined;
}

/** Records in the folder of a stay; more than one only where a process ended in between. */
export async function findCare(stay: string, platform: string): Promise<FoundCare[]> {
  if (!(await isPrivate(stay, "directory", platform))) return [];
  const names = await readdir(stay).catch(() => []);
  const files = names.filter((name) => NAME.test(name)).map((name) => join(stay, name));
  return Promise.all(files.map(async (file) => ({ file, care: await readCare(file, platform) })));
}

async function readCare(file: string, platform: string): Promise<Care | undefined> {
  try {
    if (!(await isPrivate(file, "file", platform))) return undefined;
    const { size, ino } = await stat(file, { bigint: true });
    if (size > MAX_BYTES) return undefined;
    const parsed = careSchema.safeParse(JSON.parse(await readFile(file, "utf8")));
    return parsed.success && parsed.data.inode === String(ino) ? parsed.data : undefined;
  } catch (error) {
    // It is no JSON, or somebody has just taken it.
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** Whether the server in the name of a record runs. */
export async function isOwned({ file }: FoundCare, table: ProcessTable): Promise<boolean> {
  const [, pid = "", tag] = NAME.exec(basename(file)) ?? [];
  const start = await table.startOf(Number(pid));
  return start !== undefined && tagOf(start) === tag;
}

/** Takes a record over from a server that has gone. False where somebody else was faster. @throws {Error} */
export async function claimCare({ file }: FoundCare, stay: string, self: ProcessIdentity): Promise<boolean> {
  try {
    await rename(file, careFile(stay, self));
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}

/** Whether a caretaker runs that leaves nothing of this stay when its time is over. */
export async function hasCaretaker(stay: string, table: ProcessTable, platform: string): Promise<boolean> {
  for (const { care } of await findCare(stay, platform))
    if (care !== undefined && (await runs(care.caretaker, table))) return true;
  return false;
}

/** Whether a caretaker holds this child now, so that it has not been left behind. */
export async function isCaredFor(
  stay: string,
  child: ProcessIdentity,
  table: ProcessTable,
  platform: string,
): Promise<boolean> {
  for (const { care } of await findCare(stay, platform))
    if (care?.address?.child.child.pid === child.pid && (await runs(care.caretaker, table))) return true;
  return false;
}
