import { must } from "../../errors/must.ts";
import type { Intent } from "./intent.ts";
import type { WorkContext } from "./work-context.ts";
import type { EndCause, LeaveCause } from "./frames.ts";
import type { ObserverRole } from "../handshake/role.ts";
import type { MemberId } from "../base/ids.ts";
import type { Bytes } from "../base/bytes.ts";
import type { FileOffer } from "../files/offer.ts";
import type { ServiceOffer } from "../services/offer.ts";
import { ROOM } from "../base/limits.ts";
import type { SignOff } from "../sign-off/sign-offs.ts";
import type { Statement } from "../sign-off/statement.ts";

interface EntryBase {
  readonly seq: number;
  /** Milliseconds since the Unix epoch, by the host's clock. */
  readonly ts: number;
  /** From before this participant's own arrival. */
  readonly past?: true;
}

interface Spoken extends EntryBase {
  readonly from: MemberId;
  readonly fromName: string;
  /** Its sender's name looks like another one of this room. */
  readonly lookAlike?: true;
  /** Said by this participant itself. */
  readonly own: boolean;
  readonly intent: Intent | undefined;
  /** A person's own words, as that side's program says; an agent's where undefined. */
  readonly author?: "human" | undefined;
  readonly replyTo: number | undefined;
  /** Names of those it was for; everybody when undefined. */
  readonly to: readonly string[] | undefined;
}

export interface ChatEntry extends Spoken {
  readonly kind: "chat";
  readonly text: string;
}

/** A file that its sender offers: the bytes are fetched from it (PROTOCOL §9). */
export interface FileEntry extends Spoken {
  readonly kind: "file";
  readonly offer: FileOffer;
}

/** A service of its sender's machine that others may connect to (PROTOCOL §9.1). */
export interface ServiceEntry extends Spoken {
  readonly kind: "service";
  readonly offer: ServiceOffer;
}

/** The end of such an offer. */
export interface WithdrawalEntry extends Spoken {
  readonly kind: "withdrawal";
  /** The id of the offer. */
  readonly service: Bytes;
}

/** An outcome that the persons of all members are asked to sign (PROTOCOL §9.2). */
export interface ProposalEntry extends Spoken {
  readonly kind: "proposal";
  readonly outcome: string;
  /** The content as it was signed: its one text. */
  readonly source: string;
  /** Undefined while it has no place in the room. */
  readonly signOff: SignOff | undefined;
}

/** A member's person on a proposal. */
export interface StatementEntry extends Spoken {
  readonly kind: "statement";
  readonly statement: Statement;
  readonly source: string;
  /** `late`: about another proposal than the one that stands, or not the first of its sender. `unsound`: it does not hold (Z5). */
  readonly standing: "counts" | "late" | "unsound";
  /** Names of those whose persons had not signed by then; none where all have. */
  readonly missing: readonly string[];
}

/** A message of a member: words, an offer, or a step of signing off. */
export type SpokenEntry =
  ChatEntry | FileEntry | ServiceEntry | WithdrawalEntry | ProposalEntry | StatementEntry;

/** Structured, never text: what a peer says can therefore never look like one (T3). */
export type SystemEvent =
  | {
      readonly event: "joined";
      readonly member: MemberId;
      readonly name: string;
      readonly lookAlike?: true;
      readonly workContext?: WorkContext | undefined;
      /** It only reads along. */
      readonly role?: ObserverRole | undefined;
    }
  | {
      readonly event: "left";
      readonly member: MemberId;
      readonly name: string;
      readonly lookAlike?: true;
      readonly role?: ObserverRole | undefined;
      readonly cause: LeaveCause;
    }
  | { readonly event: "idle-warning"; readonly endsInMs: number }
  | { readonly event: "ended"; readonly cause: EndCause }
  /** The host is back after a restart. */
  | {
      readonly event: "returned";
      readonly member: MemberId;
      readonly name: string;
      readonly lookAlike?: true;
    };

export type SystemEntry = EntryBase & { readonly kind: "system" } & SystemEvent;

/** One thing that happened in a room, as a participant keeps it. */
export type Entry = SpokenEntry | SystemEntry;

const COMPACT_AFTER = 512;

/** An item of a log has a sequence number of the room, which later local items may share. */
export interface Logged {
  readonly seq: number;
}

/**
 * A bounded log, oldest first. A position is the number of items that had been appended at some moment: it grows with
 * every item, whereas a sequence number is the room's. Trimmed items leave an explicit gap, never a silent one (D6).
 */
export class Transcript<Item extends Logged> {
  readonly #sizeOf: (item: Item) => number;
  readonly #onTrim: (item: Item) => void;
  #items: Item[] = [];
  /** Index of the oldest item still kept; those before it are trimmed and await compaction. */
  #start = 0;
  /** Items that compaction has taken away. */
  #compacted = 0;
  #size = 0;
  /** Sequence number of the newest item that was trimmed away; 0 when none was. */
  #trimmedTo = 0;

  constructor(sizeOf: (item: Item) => number, onTrim: (item: Item) => void = () => undefined) {
    this.#sizeOf = sizeOf;
    this.#onTrim = onTrim;
  }

  get trimmedTo(): number {
    return this.#trimmedTo;
  }

  get lastSeq(): number {
    return this.#items.at(-1)?.seq ?? this.#trimmedTo;
  }

  /** The position before the oldest item that is still kept. */
  get start(): number {
    return this.#compacted + this.#start;
  }

  /** The position after the newest item. */
  get end(): number {
    return this.#compacted + this.#items.length;
  }

  /** Items up to this sequence number are kept no longer: an earlier process had them. */
  lacks(seq: number): void {
    this.#trimmedTo = Math.max(this.#trimmedTo, seq);
  }

  append(item: Item): void {
    this.#items.push(item);
    this.#size += this.#sizeOf(item);
    while (this.#isOver()) {
      const oldest = this.#items[this.#start];
      if (oldest === undefined) break;
      this.#size -= this.#sizeOf(oldest);
      this.#trimmedTo = oldest.seq;
      this.#onTrim(oldest);
      this.#start += 1;
    }
    // Giving the memory back in blocks keeps an append at constant cost.
    if (this.#start >= COMPACT_AFTER) {
      this.#items = this.#items.slice(this.#start);
      this.#compacted += this.#start;
      this.#start = 0;
    }
  }

  #isOver(): boolean {
    const count = this.#items.length - this.#start;
    return count > ROOM.maxTranscriptEntries || (this.#size > ROOM.maxTranscriptBytes && count > 1);
  }

  /** Items after `position` that are still kept, oldest first, each with the position after it. */
  *after(position: number): Generator<readonly [position: number, item: Item]> {
    for (let at = Math.max(this.#start, position - this.#compacted); at < this.#items.length; at += 1) {
      const item = this.#items[at];
      if (item !== undefined) yield [this.#compacted + at + 1, item];
    }
  }

  /** The position after everything up to `seq`; by binary search, since sequence numbers never fall. */
  positionOf(seq: number): number {
    let low = this.#start;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (must(this.#items[middle], "an item of the log").seq <= seq) low = middle + 1;
      else high = middle;
    }
    return this.#compacted + low;
  }
}
