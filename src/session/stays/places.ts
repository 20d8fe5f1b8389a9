import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { ensurePrivateDirectory, isPrivate } from "../../runtime/private-directory.ts";

/** The folder of stays in each folder that could have one. */
export const STAYS = "stays";
/** The id of a tunnel: a name that leads nowhere else. */
const ID = /^[0-9a-f]{12}$/;
/** A process that has a stay says so this often, in ms: when it ended is known to this. */
export const BEAT_MS = 15_000;
const BEAT = "alive";
/** Behind the name of a stay that is being removed (caretaker-script.ts). */
const OVER = ".over";

/** The folder of one stay. */
export interface StayPlace {
  readonly tunnelId: string;
  readonly folder: string;
}

/**
 * A new folder for a stay, this user's alone, in the first of these folders that takes one; undefined where none does.
 * @param folders see stateFolders
 */
export async function makePlace(
  folders: readonly string[],
  tunnelId: string,
  platform: string,
): Promise<StayPlace | undefined> {
  for (const base of folders) {
    try {
      await mkdir(path.dirname(base), { recursive: true });
      const folder = path.join(base, STAYS, tunnelId);
      for (const one of [base, path.dirname(folder)]) await ensurePrivateDirectory(one, platform);
      // Nobody's earlier stay: an id is never given twice.
      await mkdir(folder, { mode: 0o700 });
      return { tunnelId, folder };
    } catch (error) {
      // Read only, full, or somebody else's: the next one may do.
      if (!(error instanceof Error)) throw error;
    }
  }
  return undefined;
}

/** The folders of all stays of this user. What others could have put there is none. */
export async function placesIn(folders: readonly string[], platform: string): Promise<StayPlace[]> {
  const found: StayPlace[] = [];
  for (const base of folders) {
    const stays = path.join(base, STAYS);
    if (!(await isPrivate(base, "directory", platform)) || !(await isPrivate(stays, "directory", platform)))
      continue;
    for (const tunnelId of await namesIn(stays)) {
      const folder = path.join(stays, tunnelId);
      if (ID.test(tunnelId) && (await isPrivate(folder, "directory", platform)))
        found.push({ tunnelId, folder });
    }
  }
  return found;
}

/** Leaves nothing of a stay. Never rejects: what cannot be removed now is tried again by the next sweep. */
export async function removePlace({ folder }: Pick<StayPlace, "folder">): Promise<void> {
  await rm(folder, { recursive: true, force: true }).catch(() => undefined);
}

/** The process that has this stay is there, and keeps it for so long after its end. */
export async function beat({ folder }: StayPlace, now: number, keepMs: number): Promise<void> {
  const file = path.join(folder, BEAT);
  const time = new Date(now);
  try {
    await utimes(file, time, time);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // The first time; or there is no folder any more, or no room.
    await writeFile(file, String(keepMs), { mode: 0o600 })
      // The disk of another machine may have another clock.
      .then(() => utimes(file, time, time))
      .catch(() => undefined);
  }
}

/** Nothing of this stay can be kept any more: it is over with its process. Never rejects. */
export async function expire({ folder }: StayPlace): Promise<void> {
  await writeFile(path.join(folder, BEAT), "1", { mode: 0o600 }).catch(() => undefined);
}

/** For how long a stay is kept, as the process said that had it: another one may have other settings. */
export async function keptMs({ folder }: StayPlace, otherwise: number): Promise<number> {
  const text = await readFile(path.join(folder, BEAT), "utf8").catch(() => "");
  return /^[1-9]\d{0,7}$/.test(text) ? Number(text) : otherwise;
}

/** For how long a stay is kept yet, in ms, whether a process has it or not; undefined where there is none, or its time is over. */
export async function keptForMs(
  folders: readonly string[],
  platform: string,
  { tunnelId, now }: { readonly tunnelId: string; readonly now: number },
): Promise<number | undefined> {
  const place = (await placesIn(folders, platform)).find((one) => one.tunnelId === tunnelId);
  const at = place && (await lastThere(place));
  if (place === undefined || at === undefined) return undefined;
  const keepMs = await keptMs(place, 0);
  const left = Math.min(keepMs, at + keepMs - now);
  return left > 0 ? left : undefined;
}

/** Whether there is any stay, without a look into it. */
export async function hasStays(folders: readonly string[]): Promise<boolean> {
  const found = await Promise.all(folders.map((base) => namesIn(path.join(base, STAYS))));
  return found.some(({ length }) => length > 0);
}

/** A folder without a lock may be a stay that begins, for so long, in ms. */
const BEGINNING_MS = 10_000;

function modified(file: string): Promise<number | undefined> {
  return stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
}

/** When the process that had a stay was last there, in ms since the epoch; undefined where nothing says so. */
export async function lastThere({ folder }: StayPlace): Promise<number | undefined> {
  const times = await Promise.all((await namesIn(folder)).map((name) => modified(path.join(folder, name))));
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

interface SweepOptions {
  readonly folders: readonly string[];
  readonly platform: string;
  readonly now: number;
  readonly keepMs: number;
  /** Whether a process has it. */
  readonly isHeld: (place: StayPlace) => Promise<boolean>;
  /** Whether somebody counts its time who does not go by the clock. */
  readonly isCaredFor?: (place: StayPlace) => Promise<boolean>;
}

/** Removes the stays to which nobody can come back any more. A clock that was set back keeps none for longer than its time. */
export async function sweepStays({
  folders,
  platform,
  now,
  isHeld,
  isCaredFor,
  ...options
}: SweepOptions): Promise<void> {
  for (const base of folders) await sweepOver(path.join(base, STAYS), platform);
  for (const place of await placesIn(folders, platform)) {
    // A process may be about to begin one in it.
    const keepMs = Math.max((await keptMs(place, options.keepMs)) + BEAT_MS, BEGINNING_MS);
    const at = (await lastThere(place)) ?? (await modified(place.folder)) ?? now;
    const isOver = now - at >= keepMs || (at - now >= keepMs && (await isCaredFor?.(place)) !== true);
    if (isOver && !(await isHeld(place))) await removePlace(place);
  }
}

/** A caretaker that was killed while it removed a stay had given it this name before. */
async function sweepOver(stays: string, platform: string): Promise<void> {
  for (const name of await namesIn(stays)) {
    const folder = path.join(stays, name);
    if (
      name.endsWith(OVER) &&
      ID.test(name.slice(0, -OVER.length)) &&
      (await isPrivate(folder, "directory", platform))
    )
      await removePlace({ folder });
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error) return [];
    throw error;
  }
}
