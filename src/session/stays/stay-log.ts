import * as z from "zod/mini";
import { concat, type Bytes } from "../../protocol/base/bytes.ts";
import { counter, decodeJson, jsonText, ordinal } from "../../protocol/base/header.ts";
import { decodeUtf8, encodeUtf8 } from "../../protocol/base/utf8.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { isSameBoot } from "./boot.ts";
import { Journal, type JournalOptions } from "./journal.ts";

/** Numbers that must never stand for two contents: those of own messages, and the places in the order of an own room. */
const COUNTERS = ["said", "placed"] as const;
export type Counter = (typeof COUNTERS)[number];

/** So many numbers are reserved at once, since each time waits for the disk. */
const RESERVED = 64;

const numbers = z.strictObject({ said: counter, placed: counter });
type Numbers = z.infer<typeof numbers>;

/** Records of the log itself; all others are changes of the state that it keeps. */
const ownRecord = z.discriminatedUnion("t", [
  /** A process has taken the stay up. Numbers begin above `floors`: lower ones may have been used without a trace. */
  z.strictObject({
    t: z.literal("life"),
    epoch: ordinal,
    boot: z.string().check(z.maxLength(64)),
    floors: numbers,
  }),
  /** Numbers up to these may be used. */
  z.strictObject({ t: z.literal("reserved"), upTo: numbers }),
  /** The end of a life that had time to end. */
  z.strictObject({ t: z.literal("rest") }),
]);
type OwnRecord = z.infer<typeof ownRecord>;

const CHANGE = Uint8Array.of(0);
const OWN = Uint8Array.of(1);

/** How a stay was left. */
interface Restored {
  readonly changes: readonly Bytes[];
  /** Numbers begin above these. */
  readonly floors: Numbers;
}

export interface StayLogOptions extends JournalOptions {
  /** One more at each return; the others know the last one (R8). */
  readonly epoch: number;
  /** The start of this machine ({@link bootOf}). */
  readonly boot: string;
}

/** The journal of one stay: the changes of its state, and what keeps a number from being used for two contents after a power cut. */
export class StayLog {
  readonly #journal: Journal;
  readonly #life: Extract<OwnRecord, { t: "life" }>;
  #reserved: Numbers;

  private constructor(journal: Journal, life: Extract<OwnRecord, { t: "life" }>, reserved: Numbers) {
    this.#journal = journal;
    this.#life = life;
    this.#reserved = reserved;
  }

  static begin(options: StayLogOptions, base: Iterable<Bytes>): StayLog {
    const none = { said: 0, placed: 0 };
    const { epoch, boot } = options;
    const life = { t: "life", epoch, boot, floors: none } as const;
    const journal = Journal.begin(options, baseOf(life, none, base));
    return new StayLog(journal, life, none);
  }

  /**
   * Takes up a stay: the epoch is on the disk before anything else happens.
   * @throws {TunnelError} stay-unreadable, stay-copied, stay-version; stay-outdated for an epoch that it had before
   */
  static open(options: StayLogOptions): { log: StayLog; restored: Restored } {
    const { journal, payloads } = Journal.open(options);
    try {
      const { epoch, boot } = options;
      const left = read(payloads);
      if (epoch <= left.life.epoch) throw new TunnelError("stay-outdated");
      const isWhole = left.isAtRest || isSameBoot(left.life.boot, boot);
      // The tail of a journal may be lost with the power, and with it the numbers that were used last.
      const floors = isWhole ? left.life.floors : left.reserved;
      const life = { t: "life", epoch, boot, floors } as const;
      const log = new StayLog(journal, life, left.reserved);
      journal.append(encodeOwn(life));
      journal.sync();
      return { log, restored: { changes: left.changes, floors } };
    } catch (error) {
      journal.close();
      throw error;
    }
  }

  /** The changes of a stay that nobody takes up. @throws {TunnelError} stay-unreadable, stay-copied, stay-version */
  static peek(options: Pick<JournalOptions, "disk" | "folder" | "hash">): readonly Bytes[] {
    return read(Journal.peek(options)).changes;
  }

  /** The number of this return. */
  get epoch(): number {
    return this.#life.epoch;
  }

  get isKept(): boolean {
    return this.#journal.isKept;
  }

  /** Whether {@link rewrite} is due. */
  get isLong(): boolean {
    return this.#journal.isLong;
  }

  /** A change, to be written before anything that follows from it is told ({@link flush}). */
  keep(change: Bytes): void {
    this.#journal.append(concat(CHANGE, change));
  }

  /** A number is about to be used: where it was not reserved, it is now, before anybody can see it. */
  reserve(name: Counter, used: number): void {
    if (used <= this.#reserved[name] || !this.#journal.isKept) return;
    this.#reserved = { ...this.#reserved, [name]: used + RESERVED };
    this.#journal.append(encodeOwn({ t: "reserved", upTo: this.#reserved }));
    this.#journal.sync();
  }

  /** A kill takes nothing of what was kept any more. */
  flush(): void {
    this.#journal.flush();
  }

  /** Nor does a power cut. */
  sync(): void {
    this.#journal.sync();
  }

  /** Says with fewer changes what was kept so far. */
  rewrite(base: Iterable<Bytes>): void {
    this.#journal.rewrite(baseOf(this.#life, this.#reserved, base));
  }

  /** The process ends; a later one can take the stay up. */
  close(): void {
    this.#journal.append(encodeOwn({ t: "rest" }));
    this.#journal.close();
  }

  /** The stay is over: nothing is left of it. */
  remove(): void {
    this.#journal.remove();
  }
}

function* baseOf(life: OwnRecord, upTo: Numbers, base: Iterable<Bytes>): Iterable<Bytes> {
  yield encodeOwn(life);
  yield encodeOwn({ t: "reserved", upTo });
  for (const change of base) yield concat(CHANGE, change);
}

function encodeOwn(record: OwnRecord): Bytes {
  return concat(OWN, encodeUtf8(jsonText(record)));
}

/** @throws {TunnelError} stay-unreadable */
function read(payloads: readonly Bytes[]) {
  const changes: Bytes[] = [];
  let life: Extract<OwnRecord, { t: "life" }> | undefined;
  let reserved: Numbers = { said: 0, placed: 0 };
  let isAtRest = false;
  for (const payload of payloads) {
    const rest = payload.subarray(1);
    isAtRest = false;
    if (payload[0] === CHANGE[0]) changes.push(rest);
    else {
      const own = decodeJson(ownRecord, decodeUtf8(rest) ?? "");
      if (payload[0] !== OWN[0] || own === undefined) throw new TunnelError("stay-unreadable");
      if (own.t === "life") life = own;
      if (own.t === "reserved") reserved = own.upTo;
      isAtRest = own.t === "rest";
    }
  }
  if (life === undefined) throw new TunnelError("stay-unreadable");
  return { changes, life, reserved, isAtRest };
}
