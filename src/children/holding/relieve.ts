import { closeSync, constants, openSync } from "node:fs";
import { lstat, rm } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import { must } from "../../errors/must.ts";
import type { Clock } from "../../runtime/clock.ts";
import { isPrivate } from "../../runtime/private-directory.ts";
import { wait } from "../../runtime/wait.ts";
import type { Child, ChildOptions } from "../child.ts";
import { isStopped, runs, type ProcessIdentity, type ProcessTable } from "../identity.ts";
import { recordName } from "../record-names.ts";
import { removeRecord, writeRecord } from "../records.ts";
import { isOtherBoot } from "../sweep.ts";
import { sendSignal } from "../signals.ts";
import { AdoptedChild } from "./adopted-child.ts";
import { claimCare, findCare, isOwned, type Care, type HeldAddress } from "./care-record.ts";

export interface RelieveOptions {
  /** The folder of the stay. */
  readonly stay: string;
  /** Private folders for the records of children, the preferred one first. */
  readonly recordFolders: readonly string[];
  /** Whether this process has the lock of the stay: a server that runs, be it this one, has left it again then. */
  readonly isLocked?: boolean;
  readonly clock: Clock;
  readonly platform: string;
  readonly table: ProcessTable;
}

/**
 * `relieved`: the caretaker is gone, the stay is this process's, and what was held waits to be taken.
 * `busy`: a process that runs has the stay. `over`: nothing is left of it.
 */
export type Relief =
  | { readonly state: "relieved"; readonly address: TakenAddress | undefined }
  | { readonly state: "busy" }
  | { readonly state: "over" };

const LOOK_MS = 5;
/** A machine that is busy with other things takes its time to stop all threads of a program. */
const STOP_MS = 2_000;
const END_MS = 2_000;

/**
 * Takes a stay over from the caretaker that an earlier process has left, before anything in its folder is read: afterwards nobody
 * removes the folder any more. Where several try, one has it. A caretaker that has begun to end what it held has ended it.
 */
export async function relieve(options: RelieveOptions): Promise<Relief> {
  const { stay, isLocked = false, platform, table } = options;
  if (!(await isPrivate(stay, "directory", platform))) return { state: "over" };
  const found = await findCare(stay, platform);
  // Without a record nobody took care: the stay is as it was left.
  if (found.length === 0) return { state: "relieved", address: undefined };
  const start = must(
    await table.startOf(process.pid),
    "the start of this process, where others have told theirs",
  );
  const self = { pid: process.pid, start };
  const world = await table.world();
  for (const each of found) {
    // The processes of another container cannot be seen from here: they may well run.
    const isElsewhere = each.care !== undefined && each.care.world !== world;
    if (isElsewhere ? !isOtherBoot(each.care.world, world) : !isLocked && (await isOwned(each, table)))
      return { state: "busy" };
  }
  let address: TakenAddress | undefined;
  for (const each of found) {
    if (!(await claimCare(each, stay, self))) return { state: "busy" };
    if (each.care?.world === world) address = await takeFrom(each.care, self, options);
  }
  if (await isPrivate(stay, "directory", platform)) return { state: "relieved", address };
  await address?.letGo();
  return { state: "over" };
}

/**
 * Each step leaves somebody who ends the child if this process is killed after it: its guard as long as nobody leads, and a
 * sweep where there is no guard. The child is stopped before the port is free, and nothing reaches the port through it until it goes on.
 */
async function takeFrom(
  { server, caretaker, address }: Care,
  self: ProcessIdentity,
  options: RelieveOptions,
): Promise<TakenAddress | undefined> {
  const { table } = options;
  const taken = address === undefined ? undefined : await LedChild.take(address, server, self, options);
  const isHeld = await runs(caretaker, table);
  // Without a caretaker nobody led, and the guard is ending it.
  const isTaken = taken !== undefined && (await taken.stop()) && isHeld;
  if (!isTaken) await taken?.letGo();
  if (isHeld) {
    sendSignal(-caretaker.pid, "SIGKILL");
    await until(options.clock, END_MS, async () => !(await runs(caretaker, table)));
  }
  return isTaken ? taken : undefined;
}

/** The address of an earlier process: its child is stopped, and its port is free and led to by nobody. */
export interface TakenAddress {
  /** The port on which this process has to listen, on the loopback address, before it adopts the child. */
  readonly port: number;
  /** As its provider has written them. */
  readonly facts: string;
  /**
   * This process listens on the port: the child goes on, as its own. Call it once, and not after `letGo`.
   * @throws {Error} where the named pipes are gone; the address is as before, then
   */
  adopt(options: Pick<ChildOptions, "clock" | "stdout" | "stderr">): Child;
  /**
   * Ends the child without letting it go on, so that nobody is led to whoever has the port now. Nothing happens after `adopt`, so
   * it may be called wherever a taking over has failed. Idempotent.
   */
  letGo(): Promise<void>;
}

/** A child that this process leads and has not adopted yet. */
class LedChild implements TakenAddress {
  readonly #address: HeldAddress;
  readonly #lead: number;
  readonly #record: string | undefined;
  readonly #options: RelieveOptions;
  #isDone = false;

  private constructor(
    address: HeldAddress,
    lead: number,
    record: string | undefined,
    options: RelieveOptions,
  ) {
    this.#address = address;
    this.#lead = lead;
    this.#record = record;
    this.#options = options;
  }

  /** Leads the child from now on. Undefined where it has ended. */
  static async take(
    address: HeldAddress,
    earlier: ProcessIdentity,
    self: ProcessIdentity,
    options: RelieveOptions,
  ): Promise<LedChild | undefined> {
    const { stay, recordFolders, platform, table } = options;
    const { folder, guard, child } = address.child;
    const lead = isWithin(folder, stay) ? await openLead(folder) : undefined;
    if (lead === undefined) return undefined;
    if (!(await runs(guard, table)) || !(await runs(child, table))) {
      closeSync(lead);
      return undefined;
    }
    const world = await table.world();
    const record = await writeRecord(recordFolders, { world, server: self, guard, child, stay }, platform);
    // A process of the same number has the record of the same name, and has just written it anew.
    if (earlier.pid !== self.pid) forgetEarlier(earlier, child, recordFolders);
    return new LedChild(address, lead, record, options);
  }

  get port(): number {
    return this.#address.port;
  }

  get facts(): string {
    return this.#address.facts;
  }

  /** Whether the child has stopped, so that it connects to nobody. */
  async stop(): Promise<boolean> {
    const { clock, platform } = this.#options;
    const { pid } = this.#address.child.child;
    sendSignal(pid, "SIGSTOP");
    return until(clock, STOP_MS, () => isStopped(pid, platform));
  }

  adopt(options: Pick<ChildOptions, "clock" | "stdout" | "stderr">): Child {
    const child = new AdoptedChild({
      handover: this.#address.child,
      lead: this.#lead,
      record: this.#record,
      table: this.#options.table,
      options,
    });
    this.#isDone = true;
    return child;
  }

  async letGo(): Promise<void> {
    if (this.#isDone) return;
    this.#isDone = true;
    const { table, clock } = this.#options;
    const { guard, child, folder } = this.#address.child;
    if (await runs(child, table)) sendSignal(child.pid, "SIGKILL");
    await until(clock, END_MS, async () => !(await runs(child, table)) && !(await runs(guard, table)));
    closeSync(this.#lead);
    if (this.#record !== undefined) removeRecord(this.#record);
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** What is removed in the end lies in the stay, whatever a record says. */
function isWithin(folder: string, stay: string): boolean {
  return resolve(folder) === folder && folder.startsWith(`${stay}${sep}`);
}

/** Undefined where there is no such pipe any more. */
async function openLead(folder: string): Promise<number | undefined> {
  const lead = join(folder, "lead");
  try {
    if (!(await lstat(lead)).isFIFO()) return undefined;
    // For both: for writing alone it could not be opened before its guard reads it.
    return openSync(lead, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** A sweep must not take the child for one that the earlier server has left behind. */
function forgetEarlier(server: ProcessIdentity, child: ProcessIdentity, folders: readonly string[]): void {
  for (const folder of folders) removeRecord(join(folder, recordName(server.pid, child.pid)));
}

/** Looks in short steps until it is so; false where it is not so in time. */
async function until(clock: Clock, limitMs: number, condition: () => Promise<boolean>): Promise<boolean> {
  const end = clock.now() + limitMs;
  while (!(await condition())) {
    if (clock.now() >= end) return false;
    await wait(clock, LOOK_MS);
  }
  return true;
}
