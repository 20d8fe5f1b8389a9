import path from "node:path";
import { decodeUtf8, encodeUtf8 } from "../../protocol/base/utf8.ts";
import { isPrivate } from "../../runtime/private-directory.ts";
import { isPartOf, partTag, removePart } from "../paths/unfinished.ts";
import type { Disk } from "./disk.ts";
import { STAYS, type StayPlace } from "./places.ts";

/**
 * Notes on unfinished files and folders that lie where their user has them saved. Each is a file beside the folders of stays, so that it
 * outlives the folder: whoever removes that knows nothing of them. The next server that starts reads the notes of stays that are gone.
 */

const NOTE = /^([0-9a-f]{12})-([0-9a-f]{24})\.part$/;
/** Longer than any path. */
const MAX_NOTE_BYTES = 64 * 1024;

function noteOf({ tunnelId, folder }: StayPlace, part: string): string | undefined {
  const tag = partTag(part);
  return tag === undefined ? undefined : path.join(path.dirname(folder), `${tunnelId}-${tag}.part`);
}

/** Before it lies there. A disk that takes no note has one unfinished file more to lose, and no less of the transfer. */
export function notePart(disk: Disk, place: StayPlace, part: string): void {
  const note = noteOf(place, part);
  if (note === undefined) return;
  quietly(() => {
    const file = disk.create(note);
    try {
      file?.write(encodeUtf8(part));
    } finally {
      file?.close();
    }
  });
}

/** It lies there no longer. */
export function forgetPart(disk: Disk, place: StayPlace, part: string): void {
  const note = noteOf(place, part);
  if (note !== undefined) quietly(() => disk.remove(note));
}

/** Removes all unfinished files and folders of one stay. */
export async function removeParts(disk: Disk, { tunnelId, folder }: StayPlace): Promise<void> {
  await removeNoted(disk, path.dirname(folder), (of) => of === tunnelId);
}

/** The same for all stays that are gone. */
export async function removeLeftParts(
  disk: Disk,
  folders: readonly string[],
  platform: string,
): Promise<void> {
  for (const base of folders) {
    const stays = path.join(base, STAYS);
    if (!(await isPrivate(base, "directory", platform)) || !(await isPrivate(stays, "directory", platform)))
      continue;
    const there = new Set(disk.list(stays));
    await removeNoted(disk, stays, (tunnelId) => !there.has(tunnelId));
  }
}

async function removeNoted(disk: Disk, stays: string, isOf: (tunnelId: string) => boolean): Promise<void> {
  for (const name of disk.list(stays)) {
    const [, tunnelId, tag] = NOTE.exec(name) ?? [];
    if (tunnelId === undefined || tag === undefined || !isOf(tunnelId)) continue;
    const note = path.join(stays, name);
    const part = partIn(disk, note);
    if (part !== undefined && partTag(part) === tag) await removePart(part);
    quietly(() => disk.remove(note));
  }
}

/** The path in a note; undefined where it holds none. */
function partIn(disk: Disk, note: string): string | undefined {
  try {
    const part = decodeUtf8(disk.read(note, MAX_NOTE_BYTES).bytes);
    return part !== undefined && path.isAbsolute(part) && isPartOf(part, path.dirname(part))
      ? part
      : undefined;
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** A note is a help, and no failure of what it is about. */
function quietly(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}
