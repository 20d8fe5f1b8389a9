import type { Clock } from "../runtime/clock.ts";
import { wait } from "../runtime/wait.ts";
import { isPrivate } from "../runtime/private-directory.ts";
import { runs, type ProcessTable } from "./identity.ts";
import { readRecords, removeRecord, type ChildRecord } from "./records.ts";
import { GRACE_MS } from "./child.ts";

interface SweepOptions {
  readonly folders: readonly string[];
  readonly platform: string;
  readonly clock: Clock;
  readonly table: ProcessTable;
  /** Sends a signal to a process; a test puts its own in its place. */
  readonly send: (pid: number, signal: NodeJS.Signals) => void;
  /** Whether somebody takes care of a child whose server has gone; nobody where left out. */
  readonly isCaredFor?: (record: ChildRecord) => Promise<boolean>;
}

const LOOK_MS = 100;

/**
 * Ends the children that a server and their guard have left behind when both were killed at once, and removes their records.
 * Only a process of the recorded number **and** start is ended, never one by its name. Children of a server that runs are
 * its own, one that is held is its caretaker's, and those of another container are out of reach: their records stay. Never rejects.
 */
export async function sweep(options: SweepOptions): Promise<void> {
  const { folders, platform, table } = options;
  const world = await table.world();
  const found = await readRecords(folders, platform);
  await Promise.all(
    found.map(async ({ file, record }) => {
      if (record === undefined) return removeRecord(file);
      // Another boot of this machine, or another container.
      if (record.world !== world) return isOtherBoot(record.world, world) ? removeRecord(file) : undefined;
      if ((await runs(record.server, table)) || (await options.isCaredFor?.(record)) === true)
        return undefined;
      // Another server may have taken the child over meanwhile, and left a record of its own.
      if (!(await isPrivate(file, "file", platform))) return undefined;
      await end(record, options);
      return removeRecord(file);
    }),
  );
}

/** The first word of a world is the boot. */
export function isOtherBoot(one: string, other: string): boolean {
  return one.split(" ")[0] !== other.split(" ")[0];
}

/** With their whole group, where the child is still in that of its guard: a wrapper may have started others. */
async function end({ guard, child }: ChildRecord, { clock, table, send }: SweepOptions): Promise<void> {
  const isGuardThere = guard !== undefined && (await runs(guard, table));
  if (await runs(child, table)) {
    const isInGroup = guard !== undefined && (await table.groupOf(child.pid)) === guard.pid;
    const target = isInGroup ? -guard.pid : child.pid;
    send(target, "SIGTERM");
    const end = clock.now() + GRACE_MS;
    while (clock.now() < end && (await runs(child, table))) await wait(clock, LOOK_MS);
    if (isInGroup || (await runs(child, table))) send(target, "SIGKILL");
  }
  // One that was stopped, or that has nobody to watch any more.
  if (isGuardThere && (await runs(guard, table))) send(guard.pid, "SIGKILL");
}
