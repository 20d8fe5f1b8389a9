import { TunnelError } from "../../errors/tunnel-error.ts";
import type { HeldAddress } from "../../children/holding/care-record.ts";
import type { Caretaker } from "../../children/holding/caretaker.ts";
import type { Relief, TakenAddress } from "../../children/holding/relieve.ts";
import type { ProcessTable } from "../../children/identity.ts";
import { concat, type Bytes } from "../../protocol/base/bytes.ts";
import type { Keeper, Steps } from "../../protocol/keeping/keeper.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import type { Clock } from "../../runtime/clock.ts";
import { every } from "../../runtime/wait.ts";
import { bootOf } from "./boot.ts";
import type { Disk } from "./disk.ts";
import type { JournalOptions } from "./journal.ts";
import { isLocked, takeLock, type Holder, type Lock, type LookOptions } from "./lock.ts";
import {
  BEAT_MS,
  beat,
  expire,
  keptMs,
  lastThere,
  makePlace,
  placesIn,
  removePlace,
  sweepStays,
  type StayPlace,
} from "./places.ts";
import { contentOf, forgetContent, keepContent } from "./contents.ts";
import { forgetPart, notePart, removeLeftParts, removeParts } from "./parts.ts";
import { StayLog } from "./stay-log.ts";

export interface StaysOptions {
  readonly disk: Disk;
  /** See stateFolders. */
  readonly folders: readonly string[];
  readonly platform: string;
  readonly clock: Clock;
  readonly table: ProcessTable;
  readonly primitives: Primitives;
  /** How long a stay is kept after its process ended; 0 keeps none. */
  readonly keepMs: number;
  /** Somebody who takes care of a stay after the end of this process; the next sweep does where left out. */
  readonly holding?: Holding | undefined;
  /** The same in fewer changes, for a journal that has become long. @throws {TunnelError} */
  readonly compact: (changes: KeptChanges, now: number) => Steps<KeptChanges>;
  /** A stay is not kept any more, while its tunnel goes on. */
  readonly onFailure: (tunnelId: string, error: Error) => void;
}

/** The care of stays to which no process belongs (children/holding). */
interface Holding {
  /** See startCaretaker. */
  care(request: {
    readonly stay: string;
    readonly keptMs: number;
    readonly listening?: () => number | undefined;
  }): Caretaker | undefined;
  /** See there: the stay is locked. */
  relieve(stay: string): Promise<Relief>;
  /** Whether somebody counts the time of a stay that no process has. */
  isCaredFor?(stay: string): Promise<boolean>;
}

/** An address that can outlive its process. */
export interface CareFor {
  readonly listening?: (() => number | undefined) | undefined;
  readonly address?: HeldAddress | undefined;
}

/** A stay that this process has taken up. */
export interface TakenUp {
  readonly kept: KeptStay;
  readonly changes: KeptChanges;
  readonly floors: { readonly said: number; readonly placed: number };
  /** The public address that was held for it, which waits to be adopted or let go. */
  readonly address: TakenAddress | undefined;
}

/** A stay that no process has. */
export interface LeftStay extends StayPlace {
  /** For so long from now on. */
  readonly keptForMs: number;
  /** Undefined where it cannot be read. */
  readonly read: () => KeptChanges | undefined;
}

/** What was kept of a stay: by its machine in the protocol, and by its session. */
export interface KeptChanges {
  readonly machine: readonly Bytes[];
  readonly session: readonly Bytes[];
}

const MACHINE = Uint8Array.of(0);
const SESSION = Uint8Array.of(1);

/** The stays of this user on this machine: those of this process, and those that others have left. */
export class Stays {
  readonly #options: StaysOptions;
  #self: Promise<Holder> | undefined;

  constructor(options: StaysOptions) {
    this.#options = options;
  }

  /** A place in which a new tunnel is kept; undefined where none is, or nothing is to be kept. */
  async begin(tunnelId: string): Promise<KeptStay | undefined> {
    const { folders, platform, keepMs } = this.#options;
    const place = keepMs === 0 ? undefined : await makePlace(folders, tunnelId, platform);
    if (place === undefined) return undefined;
    try {
      const lock = await takeLock(await this.#lockOptions(place));
      const log = StayLog.begin({ ...this.#journalOptions(place), ...(await this.#life(lock)) }, []);
      if (!log.isKept) throw new TunnelError("stay-not-kept");
      return await this.#kept(place, log, lock);
    } catch (error) {
      if (!(error instanceof TunnelError)) throw error;
      await removePlace(place);
      return undefined;
    }
  }

  /**
   * Takes a stay up that another process has left.
   * @throws {TunnelError} tunnel-unknown, stay-in-use, stay-copied, stay-outdated, stay-unreadable, stay-version
   */
  async resume(tunnelId: string): Promise<TakenUp> {
    const place = (await this.#places()).find((one) => one.tunnelId === tunnelId);
    if (place === undefined || (await this.#keptForMs(place)) <= 0) throw new TunnelError("tunnel-unknown");
    const lock = await takeLock(await this.#lockOptions(place));
    let address: TakenAddress | undefined;
    try {
      // Before anything is read: afterwards nobody removes the folder any more.
      address = await this.#relieved(place);
      const { log, restored } = StayLog.open({ ...this.#journalOptions(place), ...(await this.#life(lock)) });
      const kept = await this.#kept(place, log, lock);
      return { kept, changes: split(restored.changes), floors: restored.floors, address };
    } catch (error) {
      await address?.letGo();
      await this.#leftAgain(place);
      lock.release();
      throw error;
    }
  }

  /** @throws {TunnelError} stay-in-use, tunnel-unknown */
  async #relieved({ folder }: StayPlace): Promise<TakenAddress | undefined> {
    const relief = await this.#options.holding?.relieve(folder);
    if (relief?.state === "busy") throw new TunnelError("stay-in-use");
    if (relief?.state === "over") throw new TunnelError("tunnel-unknown");
    return relief?.address;
  }

  /** A stay that cannot be read has its time, too: another program may be able to. */
  async #leftAgain(place: StayPlace): Promise<void> {
    const keptForMs = await this.#keptForMs(place);
    const caretaker =
      keptForMs <= 0 ? undefined : this.#options.holding?.care({ stay: place.folder, keptMs: keptForMs });
    await caretaker?.hold(undefined);
    caretaker?.leave();
  }

  /**
   * The stays that no process has, and whose time is not over, without a look into them.
   * @param except ids of those that a process is known to have: to find out costs a process on some systems
   */
  async left(except?: ReadonlySet<string>): Promise<LeftStay[]> {
    const found: LeftStay[] = [];
    for (const place of await this.#places()) {
      if (except?.has(place.tunnelId) === true) continue;
      const keptForMs = await this.#keptForMs(place);
      if (keptForMs <= 0 || (await isLocked(await this.#lockOptions(place)))) continue;
      found.push({ ...place, keptForMs, read: () => this.#peek(place) });
    }
    return found;
  }

  /**
   * Leaves nothing of the stays that no process has, whether their time is over or not.
   * @param only the one with this id, or all
   * @returns how many were removed, and how many a process has
   */
  async forget(only?: string): Promise<{ forgotten: number; inUse: number }> {
    let [forgotten, inUse] = [0, 0];
    for (const place of await this.#places()) {
      if (only !== undefined && place.tunnelId !== only) continue;
      try {
        await takeLock(await this.#lockOptions(place));
        const address = await this.#relieved(place);
        await address?.letGo();
        await removePlace(place);
        await removeParts(this.#options.disk, place);
        forgotten += 1;
      } catch (error) {
        const code = error instanceof TunnelError ? error.code : undefined;
        if (code === "stay-in-use") inUse += 1;
        // Its time was over just now.
        else if (code !== "tunnel-unknown") throw error;
      }
    }
    return { forgotten, inUse };
  }

  /** Leaves nothing of the stays whose time is over. */
  async sweep(): Promise<void> {
    const { folders, platform, clock, keepMs, disk, holding } = this.#options;
    await sweepStays({
      folders,
      platform,
      now: clock.now(),
      keepMs,
      isHeld: async (place) => isLocked(await this.#lockOptions(place)),
      isCaredFor: async ({ folder }) => (await holding?.isCaredFor?.(folder)) === true,
    });
    await removeLeftParts(disk, folders, platform);
  }

  async #kept(place: StayPlace, log: StayLog, lock: Lock): Promise<KeptStay> {
    const { clock, keepMs } = this.#options;
    await beat(place, clock.now(), keepMs);
    const compacted = (): Steps<Bytes[]> => this.#compacted(place);
    return new KeptStay(place, log, lock, { ...this.#options, compacted });
  }

  #places(): Promise<StayPlace[]> {
    const { folders, platform } = this.#options;
    return placesIn(folders, platform);
  }

  async #keptForMs(place: StayPlace): Promise<number> {
    const { clock } = this.#options;
    const keepMs = await keptMs(place, this.#options.keepMs);
    const at = await lastThere(place);
    // It may have been there until just before it would have said so again.
    return at === undefined ? 0 : Math.min(keepMs, at + keepMs + BEAT_MS - clock.now());
  }

  /** What a stay of this process has written so far, in fewer changes. @throws {TunnelError} stay-unreadable */
  *#compacted(place: StayPlace): Steps<Bytes[]> {
    const { clock, compact } = this.#options;
    const changes = this.#peek(place);
    if (changes === undefined) throw new TunnelError("stay-unreadable");
    const { machine, session } = yield* compact(changes, clock.now());
    return [
      ...machine.map((change) => concat(MACHINE, change)),
      ...session.map((change) => concat(SESSION, change)),
    ];
  }

  #peek({ folder }: StayPlace): KeptChanges | undefined {
    const { disk, primitives } = this.#options;
    try {
      return split(StayLog.peek({ disk, folder, hash: (data) => primitives.sha256(data) }));
    } catch (error) {
      if (error instanceof TunnelError) return undefined;
      throw error;
    }
  }

  async #lockOptions({ folder }: StayPlace): Promise<LookOptions & { self: Holder }> {
    const { disk, clock, table } = this.#options;
    this.#self ??= this.#describeSelf();
    return { disk, folder, clock, table, self: await this.#self };
  }

  async #life({ epoch }: Lock): Promise<{ epoch: number; boot: string }> {
    this.#self ??= this.#describeSelf();
    return { epoch, boot: (await this.#self).boot };
  }

  async #describeSelf(): Promise<Holder> {
    const { table, platform, clock } = this.#options;
    const world = await table.world();
    // To ask Windows takes a second, and this process knows it nearly as well.
    const own = Math.round(Date.now() - process.uptime() * 1_000);
    const start = platform === "win32" ? String(own) : ((await table.startOf(process.pid)) ?? String(own));
    return { pid: process.pid, start, world, boot: bootOf(world, clock.now()) };
  }

  #journalOptions(place: StayPlace): JournalOptions {
    const { tunnelId, folder } = place;
    const { disk, primitives, clock, onFailure } = this.#options;
    return {
      disk,
      folder,
      clock,
      hash: (data) => primitives.sha256(data),
      random: (length) => primitives.random(length),
      onFailure: (error) => {
        void expire(place);
        onFailure(tunnelId, error);
      },
    };
  }
}

interface KeptOptions extends Pick<StaysOptions, "clock" | "keepMs" | "holding" | "disk"> {
  readonly compacted: () => Steps<Bytes[]>;
}

/** The stay of a tunnel of this process, as it is kept. */
export class KeptStay implements Keeper {
  readonly #place: StayPlace;
  readonly #log: StayLog;
  readonly #lock: Lock;
  readonly #options: KeptOptions;
  readonly #stopBeating: () => void;
  #caretaker: Caretaker | undefined;
  #isOver = false;

  readonly #compacted: () => Steps<Bytes[]>;
  /** The journal is being written anew: how far that is, and what has been kept since it began. */
  #rewriting: { readonly steps: Steps<Bytes[]>; readonly since: Bytes[] } | undefined;
  #cancelStep: (() => void) | undefined;
  /** Not where it could not be said in fewer changes once. */
  #mayRewrite = true;

  constructor(place: StayPlace, log: StayLog, lock: Lock, options: KeptOptions) {
    const { clock, keepMs, compacted } = options;
    this.#options = options;
    this.#compacted = compacted;
    this.#place = place;
    this.#log = log;
    this.#lock = lock;
    this.#stopBeating = every(clock, BEAT_MS, () => {
      if (this.isKept) void beat(place, clock.now(), keepMs);
      // Nothing is held for a stay that nobody can come back to.
      else void this.#caretaker?.end();
    });
  }

  /** Its folder, this user's alone. */
  get folder(): string {
    return this.#place.folder;
  }

  /** Whether a later process could come back to it. */
  get isKept(): boolean {
    return this.#log.isKept;
  }

  /** For so long after the end of this process another one can come back to it; 0 where none can. */
  get keptForSec(): number {
    return this.isKept ? Math.floor(this.#options.keepMs / 1_000) : 0;
  }

  keep(change: Bytes, how: "written" | "synced"): void {
    this.#keep(concat(MACHINE, change));
    if (how === "synced") this.#log.sync();
  }

  reserve(counter: "said" | "placed", number: number): void {
    this.#log.reserve(counter, number);
  }

  /** A change of what the session knows, beside its machine. */
  keepBeside(change: Bytes): void {
    this.#keep(concat(SESSION, change));
  }

  #keep(change: Bytes): void {
    this.#log.keep(change);
    this.#rewriting?.since.push(change);
  }

  /** Before anything that follows from it is told. */
  write(): void {
    this.#log.flush();
    if (this.#mayRewrite && this.#log.isLong) this.#stepSoon();
  }

  /** Between two calls, a little at a time: nobody waits for the whole. */
  #stepSoon(): void {
    this.#cancelStep ??= this.#options.clock.after(0, () => this.#step());
  }

  /** Every beginning of the journal is a state to which a process can come back, so that any moment is right to begin. */
  #step(): void {
    this.#cancelStep = undefined;
    if (this.#isOver) return;
    // The first step reads what is written by now; the rest is remembered from here on.
    if (this.#rewriting === undefined) this.#log.flush();
    this.#rewriting ??= { steps: this.#compacted(), since: [] };
    const { steps, since } = this.#rewriting;
    try {
      const step = steps.next();
      if (step.done !== true) return this.#stepSoon();
      this.#log.rewrite([...step.value, ...since]);
    } catch (error) {
      if (!(error instanceof TunnelError)) throw error;
      this.#mayRewrite = false;
    }
    this.#rewriting = undefined;
  }

  /**
   * From now on somebody is there who leaves nothing of it when its time is over after the end of this process. Resolves when that is so.
   * @param held the address that outlives the process, and the socket to which it leads (see startCaretaker)
   */
  async care(held: CareFor = {}): Promise<void> {
    const { keepMs, holding } = this.#options;
    if (this.#caretaker !== undefined || this.#isOver || !this.isKept) return;
    const { folder } = this;
    const { listening, address } = held;
    this.#caretaker = holding?.care({ stay: folder, keptMs: keepMs, ...(listening && { listening }) });
    await this.#caretaker?.hold(address);
  }

  /** This address outlives the process, and none before it. */
  hold(address: HeldAddress | undefined): void {
    void this.#caretaker?.hold(address);
  }

  /** Nobody takes care of it any more: it is about to be removed by this process. Resolves when its port is not held any more. */
  async uncared(): Promise<void> {
    await this.#caretaker?.end();
  }

  /**
   * Keeps the bytes of something beside the journal.
   * @param name of hex digits @returns whether they are there
   */
  keepContent(name: string, bytes: Bytes): boolean {
    return this.isKept && keepContent(this.#options.disk, this.#place, { name, bytes });
  }

  /** Undefined where they are not there, or are more than `maxBytes`. */
  content(name: string, maxBytes: number): Bytes | undefined {
    return contentOf(this.#options.disk, this.#place, { name, maxBytes });
  }

  forgetContent(name: string): void {
    forgetContent(this.#options.disk, this.#place, name);
  }

  /** An unfinished file or folder, by its path, is about to lie somewhere else than here. */
  partBegins(part: string): void {
    notePart(this.#options.disk, this.#place, part);
  }

  partOver(part: string): void {
    forgetPart(this.#options.disk, this.#place, part);
  }

  /** The process ends, and a later one may come back. */
  leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopBeating();
    this.#cancelStep?.();
    this.#caretaker?.leave();
    this.#log.close();
    this.#lock.release();
  }

  /** The stay is over. */
  async remove(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopBeating();
    this.#cancelStep?.();
    await this.uncared();
    this.#log.remove();
    await removePlace(this.#place);
    await removeParts(this.#options.disk, this.#place);
  }
}

function split(changes: readonly Bytes[]): KeptChanges {
  const of = (kind: Bytes): Bytes[] =>
    changes.filter((change) => change[0] === kind[0]).map((change) => change.subarray(1));
  return { machine: of(MACHINE), session: of(SESSION) };
}
