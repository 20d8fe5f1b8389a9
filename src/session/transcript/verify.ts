import { equalBytes } from "../../protocol/base/bytes.ts";
import { must } from "../../errors/must.ts";
import { asTunnelError } from "../../errors/tunnel-error.ts";
import type { MemberRecord, View } from "../../protocol/room/frames.ts";
import type { MemberId } from "../../protocol/base/ids.ts";
import { RoomOrder } from "../../protocol/room/order.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import { attestedBytes } from "../../protocol/room/signer.ts";
import { problemsOf } from "./decisions.ts";
import { SigningReplay, type SignedOff } from "./signed-off.ts";
import {
  transcriptHash,
  type MessageEntry,
  type TranscriptDocument,
  type TranscriptEntry,
} from "./document.ts";
import { encodeUtf8 } from "../../protocol/base/utf8.ts";

/**
 * The verdict on one entry.
 * - `verified`: signed by the member it names, as it is shown, at this place; or an event that the chain holds
 * - `redacted`: the same, but that links, or the key of a file, were taken out, so that the shown text proves nothing
 * - `sealed`: the same for a message to some; the signature is over the sealed form, not over the text that is shown
 * - `hidden`: the same without a text: it was not for the exporter, or is no longer kept
 * - `broken`: something in it is not as it was
 */
export type EntryStatus = "verified" | "redacted" | "sealed" | "hidden" | "broken";

interface EntryVerdict {
  readonly seq: number;
  readonly status: EntryStatus;
  /** The fault, in words of this program. */
  readonly reason?: string;
}

export interface Verdict {
  /** Nothing is broken and nothing missing between start and end, and it is as its exporter signed it. */
  readonly ok: boolean;
  /** The whole document is as a member of the room has signed it. */
  readonly isAsExported: boolean;
  /** It begins with the room itself; otherwise there was something before. */
  readonly isFromBeginning: boolean;
  /** Why the start or the end cannot be right. */
  readonly problems: readonly string[];
  readonly entries: readonly EntryVerdict[];
  /** Places that are left out, inclusive. */
  readonly gaps: readonly { readonly from: number; readonly to: number }[];
  /** Up to which place each member has signed that the order was this, in messages of its own. */
  readonly confirmedBy: readonly {
    readonly member: MemberId;
    readonly name: string;
    readonly upTo: number;
  }[];
  /** The proposals and their signatures, and what holds of them. */
  readonly signedOff: SignedOff;
  /** Everybody who was in the room in the time of this document. */
  readonly members: readonly MemberRecord[];
}

/** Checks a transcript by itself (J3): pure, and total for everything that `parseTranscript` lets through. */
export function verifyTranscript(primitives: Primitives, document: TranscriptDocument): Verdict {
  return new Verification(primitives, document).verdict();
}

class Verification {
  readonly #primitives: Primitives;
  readonly #document: TranscriptDocument;
  readonly #problems: string[] = [];
  readonly #gaps: { from: number; to: number }[] = [];
  readonly #confirmed = new Map<MemberId, number>();
  readonly #members = new Map<MemberId, MemberRecord>();
  /** The replica of the room that the document makes, entry by entry. */
  readonly #order: RoomOrder;
  readonly #signing: SigningReplay;

  constructor(primitives: Primitives, document: TranscriptDocument) {
    this.#primitives = primitives;
    this.#document = document;
    const { members, ...view } = document.start;
    this.#signing = new SigningReplay(primitives, document.room);
    for (const member of members) this.#members.set(member.id, member);
    this.#order = this.#replica(members, view);
    if (!this.#members.has(document.host)) this.#problems.push("its host is not among its members");
  }

  verdict(): Verdict {
    const { start, end } = this.#document;
    const isFromBeginning = this.#checkBeginning();
    const entries = this.#document.entries.map((entry) => this.#entry(entry));
    const last = this.#document.entries.at(-1) ?? start;
    if (end.seq !== last.seq || !equalBytes(end.chain, last.chain))
      this.#problems.push("its end is not its last entry");
    const { audit } = this.#document;
    if (audit !== undefined) this.#problems.push(...problemsOf(audit));
    const isAsExported = this.#isAsExported();
    const isWhole = this.#problems.length === 0 && this.#gaps.length === 0;
    return {
      ok: isWhole && isAsExported && entries.every(({ status }) => status !== "broken"),
      isAsExported,
      isFromBeginning,
      problems: this.#problems,
      entries,
      gaps: this.#gaps,
      confirmedBy: [...this.#confirmed].map(([member, upTo]) => {
        return { member, name: must(this.#members.get(member), "a member that has signed").name, upTo };
      }),
      signedOff: this.#signing.found,
      members: [...this.#members.values()],
    };
  }

  /** A room has one beginning, which its id and its host's key make (O4). */
  #checkBeginning(): boolean {
    const { room, host, start } = this.#document;
    if (start.seq > 0 || this.#problems.length > 0) return false;
    const { members, ...view } = start;
    const begins = RoomOrder.isGenesis(this.#primitives, room, host, { members, view });
    if (!begins) this.#problems.push("it does not begin as this room did");
    return begins;
  }

  #isAsExported(): boolean {
    const { exportedBy, signature } = this.#document;
    const exporter = this.#members.get(exportedBy);
    const signed = attestedBytes(transcriptHash(this.#primitives, this.#document));
    return exporter !== undefined && this.#primitives.verifySignature(exporter.key, signed, signature);
  }

  /** The replica of the start; with a roster that cannot be, one of nobody. */
  #replica(members: readonly MemberRecord[], view: View): RoomOrder {
    try {
      return new RoomOrder(this.#primitives, this.#document.room, this.#document.host, { members, view });
    } catch (thrown) {
      this.#problems.push(`its members cannot be: ${reasonOf(thrown)}`);
      return new RoomOrder(this.#primitives, this.#document.room, this.#document.host, { members: [], view });
    }
  }

  #entry(entry: TranscriptEntry): EntryVerdict {
    const { seq } = entry;
    const expected = this.#order.view.seq + 1;
    let isMissing = seq > expected && !isReturn(entry);
    if (isMissing) this.#order.moveTo({ seq: seq - 1, chain: this.#order.view.chain });
    let reason: string | undefined;
    let status: EntryStatus = "verified";
    try {
      if (entry.kind === "event") this.#event(entry);
      else status = this.#message(entry);
      if (!equalBytes(this.#order.view.chain, entry.chain))
        reason = "its place, its time or what was hashed with it is not as it was";
    } catch (thrown) {
      reason = reasonOf(thrown);
    }
    // A return may skip places (O12). Where its chain does not follow, there was something in them.
    isMissing ||= seq > expected && reason !== undefined;
    // All other faults follow from that one.
    if (isMissing) {
      this.#gaps.push({ from: expected, to: seq - 1 });
      reason = "what came before it is missing";
    }
    if (reason === undefined) return { seq, status };
    // The replica goes on from what the document claims: the rest is still worth a look.
    this.#order.moveTo({ seq, chain: entry.chain });
    return { seq, status: "broken", reason };
  }

  #event({ seq, ts, event }: Extract<TranscriptEntry, { kind: "event" }>): void {
    if (event.kind === "chat" || event.kind === "withheld") return;
    if (event.kind === "joined") this.#members.set(event.member.id, event.member);
    this.#order.appendSystem(seq, ts, event);
  }

  #message(entry: MessageEntry): EntryStatus {
    const { seq, ts, signed } = entry;
    const hash = this.#order.verifyWithheld(signed);
    this.#order.appendChat(seq, ts, signed, hash);
    const seen = signed.view.seq;
    if (seen >= this.#document.start.seq)
      this.#confirmed.set(signed.from, Math.max(seen, this.#confirmed.get(signed.from) ?? 0));
    let status: EntryStatus = "broken";
    try {
      status = this.#textOf(entry);
    } finally {
      this.#signing.message(entry, status === "verified", this.#order);
    }
    return status;
  }

  #textOf({ signed, text, redacted }: MessageEntry): EntryStatus {
    if (text === undefined) return "hidden";
    if (redacted === true) return "redacted";
    if (signed.to !== undefined) return "sealed";
    const digest = this.#primitives.sha256(encodeUtf8(text));
    if (!equalBytes(digest, signed.digests.body)) throw new NotSaid();
    return "verified";
  }
}

function isReturn(entry: TranscriptEntry): boolean {
  return entry.kind === "event" && entry.event.kind === "returned";
}

/** The entries that a gap has taken, as a sentence without its end. */
export function missing({ from, to }: Verdict["gaps"][number]): string {
  return from === to ? `entry ${from} is missing` : `entries ${from} to ${to} are missing`;
}

class NotSaid extends Error {}

/** Words of this program only: nothing of the document may speak here. */
function reasonOf(thrown: unknown): string {
  if (thrown instanceof NotSaid) return "its text is not what its sender signed";
  const { code, detail } = asTunnelError(thrown);
  if (code === "host-equivocation") return "its sender had seen another order than this one";
  if (code === "order-broken" && detail !== undefined) return detail;
  throw thrown;
}
