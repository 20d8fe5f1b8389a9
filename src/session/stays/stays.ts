import { TunnelError } from "../../errors/tunnel-error.ts";
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
  keptMs,
  lastThere,
  makePlace,
  placesIn,
  removePlace,
  sweepStays,
  type StayPlace,
} from "./places.ts";
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
  /** The same in fewer changes, for a journal that has become long. @throws {TunnelError} */
  readonly compact: (changes: KeptChanges, now: number) => Steps<KeptChanges>;
  /** A stay is not kept any more, while its tunnel goes on. */
  readonly onFailure: (tunnelId: string, error: Error) => void;
}

/** A stay to which somebody can come back. */
export interface Resumable {
  readonly tunnelId: string;
  readonly changes: KeptChanges;
  /** For so long from now on. */
  readonly keptForMs: number;
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
  async resume(
    tunnelId: string,
  ): Promise<{ kept: KeptStay; changes: KeptChanges; floors: { said: number; placed: number } }> {
    const place = (await this.#places()).find((one) => one.tunnelId === tunnelId);
    if (place === undefined || (await this.#keptForMs(place)) <= 0) throw new TunnelError("tunnel-unknown");
    const lock = await takeLock(await this.#lockOptions(place));
    try {
      const { log, restored } = StayLog.open({ ...this.#journalOptions(place), ...(await this.#life(lock)) });
      const kept = await this.#kept(place, log, lock);
      return { kept, changes: split(restored.changes), floors: restored.floors };
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** The stays that can be taken up now. One that cannot be read is none. */
  async resumable(): Promise<Resumable[]> {
    const found: Resumable[] = [];
    for (const place of await this.#places()) {
      const keptForMs = await this.#keptForMs(place);
      if (keptForMs <= 0 || (await isLocked(await this.#lockOptions(place)))) continue;
      const changes = this.#peek(place);
      if (changes !== undefined) found.push({ tunnelId: place.tunnelId, changes, keptForMs });
    }
    return found;
  }

  /** Leaves nothing of the stays whose time is over. */
  async sweep(): Promise<void> {
    const { folders, platform, clock, keepMs } = this.#options;
    await sweepStays({
      folders,
      platform,
      now: clock.now(),
      keepMs,
      isHeld: async (place) => isLocked(await this.#lockOptions(place)),
    });
  }

  async #kept(place: StayPlace, log: StayLog, lock: Lock): Promise<KeptStay> {
    const { clock, keepMs } = this.#options;
    await beat(place, clock.now(), keepMs);
    const compacted = (): Steps<Bytes[]> => this.#compacted(place);
    return new KeptStay(place, log, lock, { clock, keepMs, compacted });
  }

  #places(): Promise<StayPlace[]> {
    const { folders, platform } = this.#options;
    return placesIn(folders, platform);
  }

  async #keptForMs(place: StayPlace): Promise<number> {
    const { clock } = this.#options;
    const keepMs = await keptMs(place, this.#options.keepMs);
    const at = await lastThere(place);
    return at === undefined ? 0 : Math.min(keepMs, at + keepMs - clock.now());
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

  #journalOptions({ tunnelId, folder }: StayPlace): JournalOptions {
    const { disk, primitives, clock, onFailure } = this.#options;
    return {
      disk,
      folder,
      clock,
      hash: (data) => primitives.sha256(data),
      random: (length) => primitives.random(length),
      onFailure: (error) => onFailure(tunnelId, error),
    };
  }
}

/** The stay of a tunnel of this process, as it is kept. */
export class KeptStay implements Keeper {
  readonly #place: StayPlace;
  readonly #log: StayLog;
  readonly #lock: Lock;
  readonly #stopBeating: () => void;
  #isOver = false;

  readonly #keepMs: number;
  readonly #clock: Clock;
  readonly #compacted: () => Steps<Bytes[]>;
  /** The journal is being written anew: how far that is, and what has been kept since it began. */
  #rewriting: { readonly steps: Steps<Bytes[]>; readonly since: Bytes[] } | undefined;
  #cancelStep: (() => void) | undefined;
  /** Not where it could not be said in fewer changes once. */
  #mayRewrite = true;

  constructor(
    place: StayPlace,
    log: StayLog,
    lock: Lock,
    options: { clock: Clock; keepMs: number; compacted: () => Steps<Bytes[]> },
  ) {
    const { clock, keepMs, compacted } = options;
    this.#keepMs = keepMs;
    this.#clock = clock;
    this.#compacted = compacted;
    this.#place = place;
    this.#log = log;
    this.#lock = lock;
    this.#stopBeating = every(clock, BEAT_MS, () => void beat(place, clock.now(), keepMs));
  }

  /** Whether a later process could come back to it. */
  get isKept(): boolean {
    return this.#log.isKept;
  }

  /** For so long after the end of this process another one can come back to it; 0 where none can. */
  get keptForSec(): number {
    return this.isKept ? Math.floor(this.#keepMs / 1_000) : 0;
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
    this.#cancelStep ??= this.#clock.after(0, () => this.#step());
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

  /** The process ends, and a later one may come back. */
  leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopBeating();
    this.#cancelStep?.();
    this.#log.close();
    this.#lock.release();
  }

  /** The stay is over. */
  async remove(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopBeating();
    this.#cancelStep?.();
    this.#log.remove();
    await removePlace(this.#place);
  }
}

function split(changes: readonly Bytes[]): KeptChanges {
  const of = (kind: Bytes): Bytes[] =>
    changes.filter((change) => change[0] === kind[0]).map((change) => change.subarray(1));
  return { machine: of(MACHINE), session: of(SESSION) };
}
