import type { MemberId } from "../protocol/base/ids.ts";
import { SESSION } from "../protocol/base/limits.ts";
import { Transcript, type Entry, type SpokenEntry } from "../protocol/room/log.ts";
import type { Clock } from "../runtime/clock.ts";
import { Emitter, when, type Observable } from "../runtime/emitter.ts";
import { wait } from "../runtime/wait.ts";
import type { Notice, NoticeEntry } from "./notice.ts";
import { utf8Length } from "../protocol/base/utf8.ts";

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
  readonly entry: Entry | NoticeEntry;
  /** Returned before, in a call whose result may never have reached the model. */
  readonly redelivered: boolean;
}

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
  #returned = 0;
  #offers: Offer[] = [];
  #closed = false;
  #arrived = 0;
  /** Places of the entries that concern the agent, oldest first: every answer of a tool tells how many are unread. */
  readonly #concerning = new Places();

  constructor(options: { self: MemberId; clock: Clock; start: number }) {
    this.#self = options.self;
    this.#clock = options.clock;
    this.#read = { position: 0, seq: options.start };
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
      if (entry.kind === "chat" || entry.kind === "file") yield entry;
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
    if (this.#read.position === 0)
      this.#read = { position: 0, seq: Math.max(this.read, this.#log.lastSeq === 0 ? entry.seq - 1 : 0) };
    const before = this.#log.end;
    this.#append(entry);
    this.#events.emit({ type: "entry" });
    if (this.#concerns(entry)) return this.#came();
    // Own words are no news: an agent that has everything before them has them, too.
    const here = { position: this.#log.end, seq: entry.seq };
    const last = this.#offers.at(-1);
    if (last?.to.position === before) this.#offers = [...this.#offers.slice(0, -1), { ...last, to: here }];
    if (this.#read.position === before) this.#read = here;
  }

  /** A word of this server to its agent; dropped while one of the same kind about the same thing is unread. */
  notify(notice: Notice): void {
    const { about, news } = subjectOf(notice);
    let known: string | undefined;
    for (const [, entry] of this.#log.after(this.#place().position)) {
      if (entry.kind === "notice" && subjectOf(entry).about === about) known = subjectOf(entry).news;
    }
    // Some things change to and fro: only the last notice of them counts.
    if (about !== undefined && known === news) return;
    this.#append({ kind: "notice", seq: this.lastSeq, ts: this.#clock.now(), ...notice });
    this.#came();
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
    if (last !== undefined && last.to.position > this.#read.position) this.#read = last.to;
  }

  /** A call was cancelled, or its client gave up on it: its batch counts as never returned. */
  cancelled(call: CallId): void {
    const at = this.#offers.findIndex((offer) => offer.call === call);
    const offer = this.#offers[at];
    if (offer === undefined) return;
    this.#offers = this.#offers.slice(0, at);
    if (offer.from.position < this.#read.position) this.#read = offer.from;
    // Another call may be waiting at this moment for these very entries.
    this.#events.emit({ type: "news" });
  }

  /** The entries after the reading position; it moves with {@link settle} only. */
  take(call: CallId, limit: number): Batch {
    const from = this.#place();
    const { to, ...batch } = this.#collect(from, limit);
    if (to.position > from.position) {
      this.#offers = [...this.#offers.slice(1 - MAX_OFFERS), { call, from, to }];
      this.#returned = Math.max(this.#returned, to.position);
    }
    return { ...batch, unread: this.#countAfter(to.position) };
  }

  /** The entries after `sinceSeq`, read or not; the reading position stays. */
  reread(sinceSeq: number, limit: number): Batch {
    const from = { position: this.#log.positionOf(sinceSeq), seq: sinceSeq };
    const { to: _, ...batch } = this.#collect(from, limit);
    return { ...batch, unread: this.unread };
  }

  /**
   * Resolves when something unread is there, the room is over, the time is up or the call is cancelled.
   * @param isThere whether there is already what is waited for
   */
  async wait(timeoutMs: number, signal: AbortSignal, isThere = () => this.unread > 0): Promise<void> {
    if (isThere() || this.#closed) return;
    await wait(this.#clock, timeoutMs, { signal, until: this.#onNews });
  }

  /** The next batch begins here: after everything read, and after the batches of unsettled calls. */
  #place(): Place {
    const last = this.#offers.at(-1);
    return last !== undefined && last.to.position > this.#read.position ? last.to : this.#read;
  }

  #collect(from: Place, limit: number): Omit<Batch, "unread"> & { to: Place } {
    const entries: Delivered[] = [];
    let to = from;
    let size = 0;
    let more = false;
    for (const [position, entry] of this.#log.after(from.position)) {
      if (!this.#concerns(entry)) {
        to = { position, seq: entry.seq };
        continue;
      }
      size += shownBytes(entry);
      // At least one, however long: otherwise it could never be read.
      if (entries.length >= limit || (size > SESSION.listenMaxBytes && entries.length > 0)) {
        more = true;
        break;
      }
      entries.push({ entry, redelivered: position <= this.#returned });
      to = { position, seq: entry.seq };
    }
    const { trimmedTo } = this.#log;
    const gap = from.seq < trimmedTo ? { fromSeq: from.seq + 1, toSeq: trimmedTo } : undefined;
    return { entries, to, more, gap };
  }

  #append(entry: Entry | NoticeEntry): void {
    this.#log.append(entry);
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
    if (entry.kind !== "system") return !entry.own;
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

/** Every entry adds this much where it is shown: ids, times, names of fields, the marks around a text. */
const ENTRY_BYTES = 400;
/** A file adds this much more: id, hash, sizes, the facts of a patch. */
const FILE_BYTES = 350;

/** The size of an entry in a result, roughly: a batch of many short ones, or in other scripts, must not outgrow it either. */
function shownBytes(entry: Entry | NoticeEntry): number {
  return (
    ENTRY_BYTES + sizeInJson(wordsOf(entry)) + (entry.kind === "file" ? FILE_BYTES : sizeOfInvites(entry))
  );
}

/** Everything in it that others have chosen. */
function wordsOf(entry: Entry | NoticeEntry): unknown[] {
  switch (entry.kind) {
    case "chat":
      return [entry.fromName, entry.to, entry.text];
    case "file":
      return [entry.fromName, entry.to, entry.offer.name, entry.offer.note ?? entry.offer.name];
    case "system":
      return "name" in entry ? [entry.name, entry.event === "joined" ? entry.workContext : undefined] : [];
    case "notice":
      return [
        "file" in entry ? entry.file : undefined,
        "error" in entry ? [entry.error.message, entry.error.next] : undefined,
        "messages" in entry ? entry.messages : undefined,
        "seqs" in entry ? entry.seqs : undefined,
      ];
  }
}

function sizeInJson(words: unknown): number {
  return utf8Length(JSON.stringify(words));
}

function sizeOfInvites(entry: Entry | NoticeEntry): number {
  if (entry.kind !== "notice") return 0;
  if (entry.notice === "invites-reissued") return entry.invites.length * INVITE_CHARS;
  return entry.notice === "address-restored" ? entry.members.length * INVITE_CHARS : 0;
}

/** Characters of an invite as it is shown, set-up and warning included. */
const INVITE_CHARS = 1_000;

function sizeOf(entry: Entry | NoticeEntry): number {
  return entry.kind === "chat" ? entry.text.length : sizeOfInvites(entry);
}

/**
 * The subject of a notice and its news: the same news again is not worth another notice, so that a peer cannot fill the
 * log with them. Invites, and what has not arrived, are always news.
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
    case "invites-reissued":
    case "undelivered":
    case "member-missed":
      return { about: undefined, news };
  }
}
