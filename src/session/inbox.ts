import type { MemberId } from "../protocol/base/ids.ts";
import { SESSION } from "../protocol/base/limits.ts";

import { Transcript, type Entry, type SpokenEntry } from "../protocol/room/log.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Notice, NoticeEntry } from "./notice.ts";
import { Waiters } from "./waiters.ts";
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

/** Offers whose cancellation may still arrive; a client cancels within its own timeout, not hours later. */
const MAX_OFFERS = 16;

/**
 * The reading position of this side's agent, kept here and not by the model. A batch is read when the next
 * call arrives and the one that returned it was not cancelled; until then it is offered again. Own words and own
 * arrival are never offered.
 */
export class Inbox {
  readonly #log = new Transcript<Entry | NoticeEntry>(sizeOf);
  readonly #self: MemberId;
  readonly #clock: Clock;
  readonly #waiters: Waiters;
  /** Told of every entry of the room, also of those that are no news to this side's agent. */
  onEntry: () => void = () => undefined;
  /** Up to here the agent has read, or had no need to. */
  #read: Place;
  /** Up to here everything was returned at some time; what is returned again below it is marked. */
  #returned = 0;
  #offers: Offer[] = [];
  #closed = false;
  readonly #watchers = new Set<() => void>();
  #arrived = 0;

  constructor(options: { self: MemberId; clock: Clock; start: number }) {
    this.#self = options.self;
    this.#clock = options.clock;
    this.#waiters = new Waiters(options.clock);
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

  /** Everything said that is still kept, own words included; for whoever looks back, and moves nothing. */
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

  /** Calls `watcher` whenever something has come, has become unread again, or the room is over. It must not throw. */
  watch(watcher: () => void): void {
    this.#watchers.add(watcher);
  }

  append(entry: Entry): void {
    // What came before this side's first entry was never its to read.
    if (this.#read.position === 0)
      this.#read = { position: 0, seq: Math.max(this.read, this.#log.lastSeq === 0 ? entry.seq - 1 : 0) };
    const before = this.#log.end;
    this.#log.append(entry);
    this.onEntry();
    if (this.#concerns(entry)) return this.#came();
    // Own words are no news: whoever has everything before them has them, too.
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
    // Of what changes to and fro only the last word counts.
    if (about !== undefined && known === news) return;
    this.#log.append({ kind: "notice", seq: this.lastSeq, ts: this.#clock.now(), ...notice });
    this.#came();
  }

  /** The room is over: nobody waits any longer. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#came();
  }

  /** A new call has arrived: what earlier calls returned has reached the agent. */
  settle(): void {
    const last = this.#offers.at(-1);
    if (last !== undefined && last.to.position > this.#read.position) this.#read = last.to;
  }

  /** A call was cancelled, or its client gave up on it: what it returned counts as never returned. */
  cancelled(call: CallId): void {
    const at = this.#offers.findIndex((offer) => offer.call === call);
    const offer = this.#offers[at];
    if (offer === undefined) return;
    this.#offers = this.#offers.slice(0, at);
    if (offer.from.position < this.#read.position) this.#read = offer.from;
    // Another call may be waiting at this moment, and what it waits for is there again.
    this.#tell();
  }

  /** What the agent has not read, from the reading position; moves nothing until {@link settle}. */
  take(call: CallId, limit: number): Batch {
    const from = this.#place();
    const { to, ...batch } = this.#collect(from, limit);
    if (to.position > from.position) {
      this.#offers = [...this.#offers.slice(1 - MAX_OFFERS), { call, from, to }];
      this.#returned = Math.max(this.#returned, to.position);
    }
    return { ...batch, unread: this.#countAfter(to.position) };
  }

  /** What came after `sinceSeq`, read or not; the reading position stays. */
  reread(sinceSeq: number, limit: number): Batch {
    const from = { position: this.#log.positionOf(sinceSeq), seq: sinceSeq };
    const { to: _, ...batch } = this.#collect(from, limit);
    return { ...batch, unread: this.unread };
  }

  /** Resolves when something unread is there, the room is over, the time is up or the call is cancelled. */
  wait(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.unread > 0 || this.#closed) return Promise.resolve();
    return this.#waiters.wait(timeoutMs, signal);
  }

  /** Where the next batch begins: after what was read, and after what an unsettled call has already been given. */
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

  #came(): void {
    this.#arrived += 1;
    this.#tell();
  }

  #tell(): void {
    this.#waiters.wake();
    for (const watcher of this.#watchers) watcher();
  }

  #countAfter(position: number): number {
    let count = 0;
    for (const [, entry] of this.#log.after(position)) if (this.#concerns(entry)) count += 1;
    return count;
  }

  #concerns(entry: Entry | NoticeEntry): boolean {
    if (entry.kind === "notice") return true;
    if (entry.kind !== "system") return !entry.own;
    return entry.event !== "joined" || entry.member !== this.#self;
  }
}

/** What every entry adds where it is shown: ids, times, names of fields, the marks around a text. */
const ENTRY_BYTES = 400;
/** The same of a file: id, hash, sizes, what its patch holds. */
const FILE_BYTES = 350;

/** About what an entry takes of a result: a batch of many short ones, or in other scripts, must not outgrow it either. */
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
      ];
  }
}

function sizeInJson(words: unknown): number {
  return utf8Length(JSON.stringify(words));
}

function sizeOfInvites(entry: Entry | NoticeEntry): number {
  return entry.kind === "notice" && entry.notice === "invites-reissued"
    ? entry.invites.length * INVITE_CHARS
    : 0;
}

/** Characters of an invite as it is shown, set-up and warning included. */
const INVITE_CHARS = 1_000;

function sizeOf(entry: Entry | NoticeEntry): number {
  return entry.kind === "chat" ? entry.text.length : sizeOfInvites(entry);
}

/**
 * What a notice is about, and its news: the same news again is not worth another notice, so that a peer cannot fill the
 * log with them. Invites are always news.
 */
function subjectOf(notice: Notice): { about: string | undefined; news: string } {
  const news = notice.notice;
  switch (notice.notice) {
    case "alarm":
      return { about: `alarm ${notice.error.code} ${notice.member ?? ""}`, news };
    case "address-lost":
    case "address-restored":
      return { about: "address", news };
    case "file-received":
    case "file-failed":
      return { about: `file ${notice.file.fileId} ${notice.file.target}`, news };
    case "invites-reissued":
      return { about: undefined, news };
  }
}
