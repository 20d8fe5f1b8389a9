import type { MemberId } from "../protocol/ids.ts";
import { SESSION } from "../protocol/limits.ts";
import { Transcript, type Entry } from "../protocol/transcript.ts";
import type { Clock } from "../runtime/clock.ts";

/** Names a tool call, as the MCP client does. */
export type CallId = string | number;

export interface Batch {
  readonly entries: readonly Delivered[];
  /** Entries of others that exist and are not in this batch. */
  readonly unread: number;
  readonly more: boolean;
  /** Entries that are gone for good because the log is bounded: an explicit hole, inclusive. */
  readonly gap: { readonly fromSeq: number; readonly toSeq: number } | undefined;
}

export interface Delivered {
  readonly entry: Entry;
  /** Returned before, in a call whose result may never have reached the model. */
  readonly redelivered: boolean;
}

interface Offer {
  readonly call: CallId;
  /** Reading position before and after this batch. */
  readonly from: number;
  readonly to: number;
}

/** Offers whose cancellation may still arrive; a client cancels within its own timeout, not hours later. */
const MAX_OFFERS = 16;

/**
 * The reading position of this side's agent, kept here and not by the model. A batch is read when the next
 * call arrives and the one that returned it was not cancelled; until then it is offered again. Own words and own
 * arrival are never offered.
 */
export class Inbox {
  readonly #log = new Transcript();
  readonly #self: MemberId;
  readonly #clock: Clock;
  readonly #waiters = new Set<() => void>();
  /** Up to here the agent has read, or had no need to. */
  #read: number;
  /** The newest entry that was ever returned; what is returned again below it is marked. */
  #returned = 0;
  #offers: Offer[] = [];
  #closed = false;

  constructor(options: { self: MemberId; clock: Clock; start: number }) {
    this.#self = options.self;
    this.#clock = options.clock;
    this.#read = options.start;
  }

  get read(): number {
    return this.#read;
  }

  get lastSeq(): number {
    return Math.max(this.#log.lastSeq, this.#read);
  }

  get unread(): number {
    return this.#countAfter(this.#position());
  }

  append(entry: Entry): void {
    this.#log.append(entry);
    if (this.#concerns(entry)) this.#wake();
  }

  /** The room is over: nobody waits any longer. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** A new call has arrived: what earlier calls returned has reached the agent. */
  settle(): void {
    const last = this.#offers.at(-1);
    if (last !== undefined) this.#read = Math.max(this.#read, last.to);
  }

  /** A call was cancelled, or its client gave up on it: what it returned counts as never returned. */
  cancelled(call: CallId): void {
    const at = this.#offers.findIndex((offer) => offer.call === call);
    const offer = this.#offers[at];
    if (offer === undefined) return;
    this.#offers = this.#offers.slice(0, at);
    this.#read = Math.min(this.#read, offer.from);
  }

  /** What the agent has not read, from the reading position; moves nothing until {@link settle}. */
  take(call: CallId, limit: number): Batch {
    const from = this.#position();
    const batch = this.#collect(from, limit);
    const to = batch.entries.at(-1)?.entry.seq ?? from;
    if (to > from) {
      this.#offers = [...this.#offers.slice(1 - MAX_OFFERS), { call, from, to }];
      this.#returned = Math.max(this.#returned, to);
    }
    return { ...batch, unread: this.#countAfter(to) };
  }

  /** What came after `sinceSeq`, read or not; the reading position stays. */
  reread(sinceSeq: number, limit: number): Batch {
    return { ...this.#collect(sinceSeq, limit), unread: this.unread };
  }

  /** Resolves when something unread is there, the room is over, the time is up or the call is cancelled. */
  wait(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.unread > 0 || this.#closed || signal.aborted || timeoutMs <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        cancelTimer();
        signal.removeEventListener("abort", done);
        this.#waiters.delete(done);
        resolve();
      };
      const cancelTimer = this.#clock.after(timeoutMs, done);
      signal.addEventListener("abort", done);
      this.#waiters.add(done);
    });
  }

  /** Where the next batch begins: after what was read, and after what an unsettled call has already been given. */
  #position(): number {
    return Math.max(this.#read, this.#offers.at(-1)?.to ?? 0);
  }

  #collect(from: number, limit: number): Omit<Batch, "unread"> {
    const entries: Delivered[] = [];
    let size = 0;
    let more = false;
    for (const entry of this.#log.after(from)) {
      if (!this.#concerns(entry)) continue;
      size += entry.kind === "chat" ? entry.text.length : 0;
      // At least one, however long: otherwise it could never be read.
      if (entries.length >= limit || (size > SESSION.listenMaxBytes && entries.length > 0)) {
        more = true;
        break;
      }
      entries.push({ entry, redelivered: entry.seq <= this.#returned });
    }
    const { trimmedTo } = this.#log;
    const gap = from < trimmedTo ? { fromSeq: from + 1, toSeq: trimmedTo } : undefined;
    return { entries, more, gap };
  }

  #countAfter(seq: number): number {
    let count = 0;
    for (const entry of this.#log.after(seq)) if (this.#concerns(entry)) count += 1;
    return count;
  }

  #concerns(entry: Entry): boolean {
    if (entry.kind === "chat") return !entry.own;
    return entry.event !== "joined" || entry.member !== this.#self;
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter();
  }
}
