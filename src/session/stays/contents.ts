import path from "node:path";
import type { Bytes } from "../../protocol/base/bytes.ts";
import type { Disk, DiskFile } from "./disk.ts";
import type { StayPlace } from "./places.ts";

/** Bytes that lie beside the journal of a stay, one file for each name: they go with its folder. */

const NAME = /^[0-9a-f]{2,64}$/;

function fileOf({ folder }: StayPlace, name: string): string | undefined {
  return NAME.test(name) ? path.join(folder, `${name}.content`) : undefined;
}

/** @returns whether they are there now, or were already */
export function keepContent(
  disk: Disk,
  place: StayPlace,
  { name, bytes }: { readonly name: string; readonly bytes: Bytes },
): boolean {
  const file = fileOf(place, name);
  if (file === undefined) return false;
  let made: DiskFile | undefined;
  try {
    made = disk.create(file);
    if (made === undefined) return contentOf(disk, place, { name, maxBytes: bytes.length }) !== undefined;
    made.write(bytes);
    // What a power cut leaves of it is found out by its hash.
    const written = made;
    void written
      .syncLater()
      .catch(() => undefined)
      .finally(() => written.close());
    return true;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // A half of it must not stand for the whole.
    made?.close();
    forgetContent(disk, place, name);
    return false;
  }
}

/** Undefined where they are not there, are not this user's alone, or are more than `maxBytes`. */
export function contentOf(
  disk: Disk,
  place: StayPlace,
  { name, maxBytes }: { readonly name: string; readonly maxBytes: number },
): Bytes | undefined {
  const file = fileOf(place, name);
  if (file === undefined) return undefined;
  try {
    return disk.read(file, maxBytes).bytes;
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

export function forgetContent(disk: Disk, place: StayPlace, name: string): void {
  const file = fileOf(place, name);
  if (file !== undefined) removeIfThere(disk, file);
}

/** Never throws: what cannot be removed now goes with its folder. */
function removeIfThere(disk: Disk, file: string): void {
  try {
    disk.remove(file);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}
