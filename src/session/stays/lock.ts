import path from "node:path";
import * as z from "zod/mini";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { runs, type ProcessTable } from "../../children/identity.ts";
import { decodeJson, jsonText } from "../../protocol/base/header.ts";
import { decodeUtf8, encodeUtf8 } from "../../protocol/base/utf8.ts";
import type { Clock } from "../../runtime/clock.ts";
import { wait } from "../../runtime/wait.ts";
import { isSameBoot } from "./boot.ts";
import type { Disk } from "./disk.ts";

const holderSchema = z.strictObject({
  pid: z.int().check(z.positive(), z.maximum(2 ** 31 - 1)),
  start: z.string().check(z.minLength(1), z.maxLength(64)),
  /** See ProcessTable.world and {@link bootOf}. */
  world: z.string().check(z.maxLength(128)),
  boot: z.string().check(z.maxLength(64)),
});
export type Holder = z.infer<typeof holderSchema>;

const NAME = /^(lock|free)-([1-9]\d{0,9})$/;
const MAX_BYTES = 1_024;
/** A lock that nobody has written into: its taker has this long, and is dead otherwise. */
const WRITE_MS = 200;
/** Another process may take or give back a lock at the very moment at which this one looks. */
const TRIES = 5;

export interface LookOptions {
  readonly disk: Disk;
  readonly folder: string;
  readonly clock: Clock;
  readonly table: ProcessTable;
  readonly self: Pick<Holder, "world" | "boot">;
}

export interface LockOptions extends LookOptions {
  /** This process, as others can find out whether it still runs. */
  readonly self: Holder;
}

/** The right to a stay: one process has it at a time, and loses it with its end, however that comes. */
export interface Lock {
  /** Higher than that of everybody who has had it before. */
  readonly epoch: number;
  /** Lets another process have it while this one still runs. */
  release(): void;
}

/**
 * Takes the stay in a folder. A lock has a number, and each taker makes the next one: so a lock is never removed to be taken, and
 * nobody can remove one that was taken meanwhile.
 * @throws {TunnelError} stay-in-use, stay-unreadable
 */
export async function takeLock(options: LockOptions): Promise<Lock> {
  const { disk, folder, self } = options;
  try {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const newest = newestIn(disk, folder);
      if (newest?.kind === "lock" && (await isHeld(newest.name, options))) break;
      const epoch = (newest?.number ?? 0) + 1;
      const file = path.join(folder, `lock-${epoch}`);
      const made = disk.create(file);
      if (made === undefined) continue;
      made.write(encodeUtf8(jsonText(self)));
      made.sync();
      made.close();
      disk.syncFolder(folder);
      // Somebody may have taken the next one, since this process was stopped between its look and its lock.
      if (newestIn(disk, folder)?.number !== epoch) {
        disk.remove(file);
        break;
      }
      sweep(disk, folder, epoch);
      return { epoch, release: () => giveBack(disk, file, path.join(folder, `free-${epoch}`)) };
    }
  } catch (error) {
    if (error instanceof TunnelError || !(error instanceof Error)) throw error;
    throw new TunnelError("stay-unreadable", { cause: error });
  }
  throw new TunnelError("stay-in-use");
}

/** Where its folder is gone there is nothing to be had any more, and a lock that cannot be given back ends with its process. */
function giveBack(disk: Disk, file: string, free: string): void {
  try {
    disk.rename(file, free);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}

/** Whether a process has the stay in a folder now. */
export async function isLocked(options: LookOptions): Promise<boolean> {
  const newest = newestIn(options.disk, options.folder);
  return newest?.kind === "lock" && (await isHeld(newest.name, options));
}

interface Found {
  readonly kind: "lock" | "free";
  readonly number: number;
  readonly name: string;
}

function locksIn(disk: Disk, folder: string): Found[] {
  return disk.list(folder).flatMap((name) => {
    const [, kind, number] = NAME.exec(name) ?? [];
    return kind === "lock" || kind === "free" ? [{ kind, number: Number(number), name }] : [];
  });
}

function newestIn(disk: Disk, folder: string): Found | undefined {
  // A lock that is being given back may be seen under both names.
  return locksIn(disk, folder)
    .toSorted((a, b) => b.number - a.number || (a.kind === "free" ? -1 : 1))
    .at(0);
}

function sweep(disk: Disk, folder: string, epoch: number): void {
  for (const { name, number } of locksIn(disk, folder))
    if (number < epoch) disk.remove(path.join(folder, name));
}

async function isHeld(name: string, { disk, folder, clock, table, self }: LookOptions): Promise<boolean> {
  const file = path.join(folder, name);
  let holder = holderIn(disk, file);
  if (holder === undefined) {
    await wait(clock, WRITE_MS);
    holder = holderIn(disk, file);
  }
  if (holder === undefined) return false;
  if (!isSameBoot(holder.boot, self.boot)) return false;
  // The numbers of processes in another container say nothing here: it may well run.
  if (holder.world !== self.world) return true;
  return runs(holder, table);
}

function holderIn(disk: Disk, file: string): Holder | undefined {
  try {
    return decodeJson(holderSchema, decodeUtf8(disk.read(file, MAX_BYTES).bytes) ?? "");
  } catch (error) {
    // It was given back or removed just now, or is nobody's of this user.
    if (error instanceof Error) return undefined;
    throw error;
  }
}
