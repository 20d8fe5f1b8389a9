import { rmdirSync, rmSync } from "node:fs";
import { readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as z from "zod/mini";
import { recordName, recordNames } from "./record-names.ts";
import { ensurePrivateDirectory, isPrivate } from "../runtime/private-directory.ts";

export const processSchema = z.object({
  pid: z.int().check(z.positive(), z.maximum(2 ** 31 - 1)),
  start: z.string().check(z.minLength(1), z.maxLength(64)),
});

/** Other versions read it as well: fields may be added, and none may change. */
const recordSchema = z.object({
  /** See ProcessTable.world. */
  world: z.string().check(z.maxLength(128)),
  server: processSchema,
  /** Absent on Windows, where the guard is no parent and ends by itself. */
  guard: z.optional(processSchema),
  child: processSchema,
  /** The folder of the stay whose caretaker may hold the child (holding/care-record.ts). */
  stay: z.optional(z.string().check(z.minLength(1), z.maxLength(1_024))),
});

/**
 * The processes that a later start has to end if nobody else could: no names, no arguments, no secrets. A server leaves it
 * while its child runs.
 */
export type ChildRecord = z.infer<typeof recordSchema>;

const MAX_RECORD_BYTES = 4 * 1024;
/** Another server may remove the empty folder at the very moment at which this one uses it. */
const TRIES = 3;

/**
 * Writes a record into the first of the folders that can be made this user's own; a reader finds a whole one or none.
 * Undefined where no folder would do: a child runs without a record then.
 */
export async function writeRecord(
  folders: readonly string[],
  record: ChildRecord,
  platform: string,
): Promise<string | undefined> {
  for (const folder of folders) {
    const file = join(folder, recordName(record.server.pid, record.child.pid));
    for (let tries = 0; tries < TRIES; tries += 1) {
      try {
        await ensurePrivateDirectory(folder, platform);
        const draft = `${file}.part`;
        await rm(draft, { force: true });
        await writeFile(draft, JSON.stringify(record), { mode: 0o600, flag: "wx" });
        await rename(draft, file);
        return file;
      } catch (error) {
        if (!(error instanceof Error)) throw error;
      }
    }
  }
  return undefined;
}

/** Removes a record, and its folder with the last file in it. At the end of a process only synchronous work is possible. */
export function removeRecord(file: string): void {
  try {
    rmSync(file, { force: true });
    rmdirSync(dirname(file));
  } catch (error) {
    // Others have their files in it, or it belongs to somebody else by now.
    if (!(error instanceof Error)) throw error;
  }
}

/** A record with its file; undefined in place of one that says nothing that could be believed. */
export interface FoundRecord {
  readonly file: string;
  readonly record: ChildRecord | undefined;
}

/** All records in the folders. Folders and files that are not this user's own and private are no records. */
export async function readRecords(folders: readonly string[], platform: string): Promise<FoundRecord[]> {
  const found: FoundRecord[] = [];
  for (const folder of folders) {
    for (const name of await recordNames(folder)) {
      const file = join(folder, name);
      if (!(await isPrivate(folder, "directory", platform)) || !(await isPrivate(file, "file", platform)))
        continue;
      found.push({ file, record: await readRecord(file) });
    }
  }
  return found;
}

async function readRecord(file: string): Promise<ChildRecord | undefined> {
  try {
    if ((await stat(file)).size > MAX_RECORD_BYTES) return undefined;
    const parsed = recordSchema.safeParse(JSON.parse(await readFile(file, "utf8")));
    return parsed.success ? parsed.data : undefined;
  } catch (error) {
    // It is no JSON, or somebody has just removed it.
    if (error instanceof Error) return undefined;
    throw error;
  }
}
