import type { MemberId } from "../protocol/base/ids.ts";
import { TunnelError } from "../errors/tunnel-error.ts";
import { Transcript, type Entry, type SpokenEntry } from "../protocol/room/log.ts";
import type { Clock } from "../runtime/clock.ts";
import { either, Emitter, when, type Observable, type Subscribe } from "../runtime/emitter.ts";
import { wait } from "../runtime/wait.ts";
import { Ages } from "./saying/ages.ts";
import type { CallId } from "./saying/sent.ts";
import type { Notice, NoticeEntry } from "./notice.ts";

export interface Batch {
  readonly entries: readonly Delivered[];
  /** Entries of others that exist and are not in this batch. */
  readonly unread: number;
  readonly more: boolean;
  /** Entries that are gone for good because the log is bounded: an explicit hole, inclusive. */
  readonly gap: { readonly fromSeq: number; readonly toSeq: number } | undefined;
}

export interface Delivered {
  readonly entry: Entry | NoticeEntry;
  /** Returned before, in a call whose result may never have reached the model. */
  readonly redelivered: boolean;
  /** When it was said, by this side's own clock, in ms since the epoch: never after it arrived. */
  readonly saidAt: number;
  /** Set where the entry is too long for one answer. */
  readonly part?: Part;
}

/** One part of a long entry. */
export interface Part {
  /** From 1. */
  readonly n: number;
  readonly of: number;
  /** The place in the entry, in the units of {@link Packing.ends}. */
  readonly start: number;
  readonly end: number;
}

/** How much one answer holds, by the measure of whoever shows it. */
export interface Packing {
  /** For all entries of one answer, as {@link sizeOf} counts. */
  readonly room: number;
  sizeOf(entry: Entry | NoticeEntry, part?: Part): number;
  /**
   * The ends of the parts of an entry that is too long for one answer, in units of its own, ascending; the last is its
   * whole length. One alone where it cannot be divided. The same for the same entry and room, whoever asks.
   */
  ends(entry: Entry | NoticeEntry): readonly number[];
}

/** For readers that can take whatever there is. */
const UNBOUNDED: Packing = { room: Number.POSITIVE_INFINITY, sizeOf: () => 0, ends: () => [] };

/** News of an inbox. It carries nothing: the listener looks for itself. */
export type InboxEvent =
  /** An entry of the room was written down, also one that is no news to this side's agent. */
  | { readonly type: "entry" }
  /** Something has come that concerns the agent, or has become unread again, or the room is over. */
  | { readonly type: "news" };

/** A place in the log, and the room's number there: what was read is told to others by the number. */
interface Place {
  readonly position: number;
  readonly seq: number;
  /** So much of the entry after it has been had in parts; it counts as read with its last part only. */
  readonly begun: number;
}

function isAfter(one: Pick<Place, "position" | "begun">, other: Pick<Place, "position" | "begun">): boolean {
  return one.position > other.position || (one.position === other.position && one.begun > other.begun);
}

interface Offer {
  readonly call: CallId;
  /** Reading position before and after this batch. */
  readonly from: Place;
  readonly to: Place;
}

/** Batches that may still be cancelled; a client cancels within its own timeout, not hours later. */
const MAX_OFFERS = 16;

/**
 * The reading position of this side's agent, kept here and not by the model. A batch is read when the next
 * call arrives and the one that returned it was not cancelled; until then it is offered again. Own words and own
 * arrival are never offered.
 */
export class Inbox implements Observable<InboxEvent> {
  readonly #log = new Transcript<Entry | NoticeEntry>(sizeOf);
  readonly #self: MemberId;
  readonly #clock: Clock;
  readonly #events = new Emitter<InboxEvent>();
  readonly #onNews = when(this.#events, ({ type }) => type === "news");
  /** Up to here the agent has read, or had no need to. */
  #read: Place;
  /** Up to here everything was returned at some time; what is returned again below it is marked. */
  #returned: Pick<Place, "position" | "begun"> = { position: 0, begun: 0 };
  #offers: Offer[] = [];
  #closed = false;
  #arrived = 0;
  /** Places of the entries that concern the agent, oldest first: every answer of a tool tells how many are unread. */
  readonly #concerning = new Places();
  readonly #ages: Ages;
  readonly #onReturned: (seq: number) => void;

  /**
   * @param options `skew`: how far the host's clock is ahead of this side's, in ms; left out, or undefined, while nothing is known;
   *   `onReturned`: entries up to this one are about to be given to the agent
   */
  constructor(options: {
    self: MemberId;
    clock: Clock;
    start: number;
    skew?: () => number | undefined;
    onReturned?: (seq: number) => void;
  }) {
    this.#onReturned = options.onReturned ?? (() => undefined);
    this.#ages = new Ages({ skew: () => undefined, ...options });
    this.#self = options.self;
    this.#clock = options.clock;
    this.#read = { position: 0, seq: options.start, begun: 0 };
  }

  /** Number of the last entry of the room that the agent has read. */
  get read(): number {
    return this.#read.seq;
  }

  get lastSeq(): number {
    return Math.max(this.#log.lastSeq, this.read);
  }

  get unread(): number {
    return this.#countAfter(this.#place().position);
  }

  /** Everything said that is still kept, own words included. The reading position stays. */
  *said(): Generator<SpokenEntry> {
    for (const [, entry] of this.#log.after(0))
      if (entry.kind !== "system" && entry.kind !== "notice") yield entry;
  }

  /** How often something came that concerns the agent, the end included: two counts tell whether anything did. */
  get arrived(): number {
    return this.#arrived;
  }

  /** The place in the log where the next batch begins: it moves when something is taken, and back when that fails. */
  get position(): number {
    return this.#place().position;
  }

  subscribe(listener: (event: InboxEvent) => void): () => void {
    return this.#events.subscribe(listener);
  }

  append(entry: Entry): void {
    // Entries from before this side came were never its to read.
    if (this.#read.position === 0) {
      const seq = Math.max(this.read, this.#log.lastSeq === 0 ? entry.seq - 1 : 0);
      this.#read = { ...this.#read, seq };
    }
    const before = this.#log.end;
    this.#append(entry);
    this.#events.emit({ type: "entry" });
    if (this.#concerns(entry)) return this.#came();
    // Own words are no news: an agent that has everything before them has them, too.
    const here = { position: this.#log.end, seq: entry.seq, begun: 0 };
    const last = this.#offers.at(-1);
    if (last?.to.position === before) this.#offers = [...this.#offers.slice(0, -1), { ...last, to: here }];
    if (this.#read.position === before) this.#read = here;
  }

  /**
   * A word of this server to its agent; dropped while one of the same kind about the same thing is unread.
   * @returns its place in the log, for {@link hasRead}; undefined where it was dropped
   */
  notify(notice: Notice): number | undefined {
    const { about, news } = subjectOf(notice);
    let known: string | undefined;
    for (const [, entry] of this.#log.after(this.#place().position)) {
      if (entry.kind === "notice" && subjectOf(entry).about === about) known = subjectOf(entry).news;
    }
    // Some things change to and fro: only the last notice of them counts.
    if (about !== undefined && known === news) return undefined;
    this.#append({ kind: "notice", seq: this.lastSeq, ts: this.#clock.now(), ...notice });
    const place = this.#log.end;
    this.#came();
    return place;
  }

  /** Whether the agent has read what lies there. */
  hasRead(place: number): boolean {
    return this.#read.position >= place;
  }

  /** The room is over: nobody waits any longer. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#came();
  }

  /** A new call has arrived: the batches of earlier calls have reached the agent. */
  settle(): void {
    const last = this.#offers.at(-1);
    if (last !== undefined && isAfter(last.to, this.#read)) this.#read = last.to;
  }

  /** Of an earlier process, whose entries stand here by now: its agent has read so far, and was given more. */
  restore({ read, returned }: { readonly read: number; readonly returned: number }): void {
    const place = { position: this.#log.positionOf(read), seq: read, begun: 0 };
    if (isAfter(place, this.#read)) this.#read = place;
    this.#returned = { position: this.#log.positionOf(returned), begun: 0 };
  }

  /** A call was cancelled, or its client gave up on it: its batch counts as never returned. */
  cancelled(call: CallId): void {
    const at = this.#offers.findIndex((offer) => offer.call === call);
    const offer = this.#offers[at];
    if (offer === undefined) return;
    this.#offers = this.#offers.slice(0, at);
    if (isAfter(this.#read, offer.from)) this.#read = offer.from;
    // Another call may be waiting at this moment for these very entries.
    this.#events.emit({ type: "news" });
  }

  /** The entries after the reading position; it moves with {@link settle} only. */
  take(call: CallId, limit: number, packing: Packing = UNBOUNDED): Batch {
    const from = this.#place();
    const { to, ...batch } = this.#collect(from, limit, packing);
    if (isAfter(to, from)) {
      this.#offers = [...this.#offers.slice(1 - MAX_OFFERS), { call, from, to }];
      if (isAfter(to, this.#returned)) this.#returned = to;
      this.#onReturned(to.seq);
    }
    return { ...batch, unread: this.#countAfter(to.position) };
  }

  /**
   * The entries after `sinceSeq`, read or not; the reading position stays.
   * @param part where to begin in the first of them, from 1
   * @throws {TunnelError} input-invalid: it has no such part
   */
  reread(sinceSeq: number, limit: number, packing: Packing = UNBOUNDED, part = 1): Batch {
    const from = this.#partOf(sinceSeq, packing, part);
    const { to: _, ...batch } = this.#collect(from, limit, packing);
    return { ...batch, unread: this.unread };
  }

  #partOf(sinceSeq: number, packing: Packing, part: number): Place {
    const place = { position: this.#log.positionOf(sinceSeq), seq: sinceSeq, begun: 0 };
    if (part === 1) return place;
    for (const [position, entry] of this.#log.after(place.position)) {
      if (!this.#concerns(entry)) continue;
      const isLong = packing.sizeOf(entry) > packing.room;
      const ends = isLong ? packing.ends(entry) : [];
      const begun = ends[part - 2];
      if (begun === undefined || part > ends.length)
        throw new TunnelError("input-invalid", {
          detail: `part: the first message after ${sinceSeq} has ${Math.max(1, ends.length)}`,
        });
      return { position: position - 1, seq: sinceSeq, begun };
    }
    throw new TunnelError("input-invalid", { detail: `part: nothing was said after ${sinceSeq}` });
  }

  /**
   * Resolves when something unread is there, the room is over, the time is up or the call is cancelled.
   * @param isThere whether there is already what is waited for
   * @param also wakes besides, for what comes from elsewhere
   */
  async wait(
    timeoutMs: number,
    signal: AbortSignal,
    isThere = () => this.unread > 0,
    also?: Subscribe,
  ): Promise<void> {
    if (isThere() || this.#closed) return;
    const until = also === undefined ? this.#onNews : either(this.#onNews, also);
    await wait(this.#clock, timeoutMs, { signal, until });
  }

  /** The next batch begins here: after everything read, and after the batches of unsettled calls. */
  #place(): Place {
    const last = this.#offers.at(-1);
    return last !== undefined && isAfter(last.to, this.#read) ? last.to : this.#read;
  }

  #collect(from: Place, limit: number, packing: Packing): Omit<Batch, "unread"> & { to: Place } {
    const { trimmedTo } = this.#log;
    const entries: Delivered[] = [];
    let to = from;
    let left = packing.room;
    let more = false;
    const push = (entry: Delivered["entry"], place: Place, part?: Part): void => {
      const redelivered = !isAfter(place, this.#returned);
      const saidAt = this.#ages.saidAt(entry);
      entries.push({ entry, redelivered, saidAt, ...(part === undefined ? {} : { part }) });
      left -= packing.sizeOf(entry, part);
      to = place;
    };
    for (const [position, entry] of this.#log.after(from.position)) {
      const behind = { position, seq: entry.seq, begun: 0 };
      if (!this.#concerns(entry)) {
        to = behind;
        continue;
      }
      // What was begun and is gone from the log is not the entry that comes first now.
      const begun = position === from.position + 1 ? from.begun : 0;
      const fits = begun === 0 && packing.sizeOf(entry) <= left;
      if (entries.length >= limit || (!fits && entries.length > 0)) {
        more = true;
        break;
      }
      const part = fits ? undefined : partAfter(begun, packing.ends(entry));
      // One that cannot be divided comes however long it is: otherwise it could never be read.
      if (part === undefined || part.n === part.of) {
        push(entry, behind, part);
        continue;
      }
      push(entry, { position: position - 1, seq: Math.max(to.seq, trimmedTo), begun: part.end }, part);
      more = true;
      break;
    }
    const gap = from.seq < trimmedTo ? { fromSeq: from.seq + 1, toSeq: trimmedTo } : undefined;
    return { entries, to, more, gap };
  }

  #append(entry: Entry | NoticeEntry): void {
    this.#log.append(entry);
    this.#ages.arrived(entry);
    this.#concerning.forget(this.#log.start);
    if (this.#concerns(entry)) this.#concerning.add(this.#log.end);
  }

  #came(): void {
    this.#arrived += 1;
    this.#events.emit({ type: "news" });
  }

  #countAfter(position: number): number {
    return this.#concerning.countAfter(Math.max(position, this.#log.start));
  }

  #concerns(entry: Entry | NoticeEntry): boolean {
    if (entry.kind === "notice") return true;
    // What this side's person has said in this agent's tunnel, or put in place of its words, is news to the agent.
    if (entry.kind !== "system") return !entry.own || entry.author === "human";
    return entry.event !== "joined" || entry.member !== this.#self;
  }
}

/** Ascending places in a log, counted without a look at the log. */
class Places {
  #places: number[] = [];

  add(place: number): void {
    this.#places.push(place);
  }

  /** The log no longer has what lies up to here. In blocks, so that an entry costs the same whatever is kept. */
  forget(upTo: number): void {
    const half = this.#places[this.#places.length >> 1];
    if (half !== undefined && half <= upTo) this.#places = this.#places.filter((place) => place > upTo);
  }

  countAfter(place: number): number {
    let low = 0;
    let high = this.#places.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#places[middle] ?? Number.POSITIVE_INFINITY) <= place) low = middle + 1;
      else high = middle;
    }
    return this.#places.length - low;
  }
}

/**
 * The part that comes after `begun`. Where the parts were cut elsewhere meanwhile, since the room is another one, it is the
 * one that holds this place: some of it comes twice, and nothing is lost.
 * @returns undefined for what cannot be divided
 */
function partAfter(begun: number, ends: readonly number[]): Part | undefined {
  const at = ends.findIndex((end) => end > begun);
  const end = ends[at];
  if (ends.length < 2 || end === undefined) return undefined;
  return { n: at + 1, of: ends.length, start: ends[at - 1] ?? 0, end };
}

function sizeOfInvites(entry: Entry | NoticeEntry): number {
  if (entry.kind !== "notice") return 0;
  if (entry.notice === "invites-reissued") return entry.invites.length * INVITE_CHARS;
  return entry.notice === "address-restored" ? entry.members.length * INVITE_CHARS : 0;
}

/** Characters of an invite as it is shown, set-up and warning included. */
const INVITE_CHARS = 1_000;

function sizeOf(entry: Entry | NoticeEntry): number {
  if (entry.kind === "proposal") return 2 * entry.source.length;
  return entry.kind === "chat" ? entry.text.length : sizeOfInvites(entry);
}

/**
 * The subject of a notice and its news: the same news again is not worth another notice, so that a peer cannot fill the
 * log with them. Invites, what has not arrived and own files are always news.
 */
function subjectOf(notice: Notice): { about: string | undefined; news: string } {
  const news = notice.notice;
  switch (notice.notice) {
    case "alarm":
      return { about: `alarm ${notice.error.code} ${notice.member ?? ""}`, news };
    case "address-lost":
      return { about: "address", news };
    case "address-restored":
      return { about: "address", news: [news, ...notice.members.map(({ joinLink }) => joinLink)].join(" ") };
    case "file-received":
    case "file-failed":
      return { about: `file ${notice.file.fileId} ${notice.file.target}`, news };
    case "budget-warning":
      return { about: "budgets", news: `${news} ${notice.budgets.join(" ")}` };
    case "resumed":
      return { about: "pause", news };
    case "withheld":
      return { about: floodOf(notice), news };
    default:
      // Each of these is news of its own.
      return { about: undefined, news };
  }
}

/** Of a flood that nobody decided about, one notice for each member says it. */
function floodOf({ why, fromName }: Extract<Notice, { notice: "withheld" }>): string | undefined {
  return why === "too-many" ? `too many ${fromName}` : undefined;
}
