import type { EndCause, Intent, LeaveCause } from "./frames.ts";
import type { MemberId } from "./ids.ts";
import { ROOM } from "./limits.ts";

interface EntryBase {
  readonly seq: number;
  /** Milliseconds since the Unix epoch, by the host's clock. */
  readonly ts: number;
}

export interface ChatEntry extends EntryBase {
  readonly kind: "chat";
  readonly from: MemberId;
  readonly fromName: string;
  /** Said by this participant itself. */
  readonly own: boolean;
  readonly text: string;
  readonly intent: Intent | undefined;
  readonly replyTo: number | undefined;
}

/** Structured, never text: what a peer says can therefore never look like one (T3). */
export type SystemEvent =
  | { readonly event: "joined"; readonly member: MemberId; readonly name: string }
  | { readonly event: "left"; readonly member: MemberId; readonly name: string; readonly cause: LeaveCause }
  | { readonly event: "idle-warning"; readonly endsInMs: number }
  | { readonly event: "ended"; readonly cause: EndCause };

export type SystemEntry = EntryBase & { readonly kind: "system" } & SystemEvent;

/** One thing that happened in a room, as a participant keeps it. */
export type Entry = ChatEntry | SystemEntry;

function sizeOf(entry: Entry): number {
  return entry.kind === "chat" ? entry.text.length : 0;
}

const COMPACT_AFTER = 512;

/** The bounded log of a room. What is trimmed leaves an explicit gap, never a silent one (D6). */
export class Transcript {
  #entries: Entry[] = [];
  /** Index of the oldest entry still kept; those before it are trimmed and await compaction. */
  #start = 0;
  #size = 0;
  /** Sequence number of the newest entry that was trimmed away; 0 when none was. */
  #trimmedTo = 0;

  get trimmedTo(): number {
    return this.#trimmedTo;
  }

  get lastSeq(): number {
    return this.#entries.at(-1)?.seq ?? this.#trimmedTo;
  }

  append(entry: Entry): void {
    this.#entries.push(entry);
    this.#size += sizeOf(entry);
    while (this.#isOver()) {
      const oldest = this.#entries[this.#start];
      if (oldest === undefined) break;
      this.#size -= sizeOf(oldest);
      this.#trimmedTo = oldest.seq;
      this.#start += 1;
    }
    // Giving the memory back in blocks keeps an append at constant cost.
    if (this.#start >= COMPACT_AFTER) {
      this.#entries = this.#entries.slice(this.#start);
      this.#start = 0;
    }
  }

  #isOver(): boolean {
    const count = this.#entries.length - this.#start;
    return count > ROOM.maxTranscriptEntries || (this.#size > ROOM.maxTranscriptBytes && count > 1);
  }

  /** Entries after `seq`, oldest first. */
  *after(seq: number): Generator<Entry> {
    for (let at = this.#firstAfter(seq); at < this.#entries.length; at += 1) {
      const entry = this.#entries[at];
      if (entry !== undefined) yield entry;
    }
  }

  /** Binary search: sequence numbers only grow. */
  #firstAfter(seq: number): number {
    let low = this.#start;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle]?.seq ?? 0) <= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
