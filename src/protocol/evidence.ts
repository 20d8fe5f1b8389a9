import type { Bytes } from "./bytes.ts";
import type { Digests, MemberRecord, SayFrame, SystemRoomEvent, View } from "./frames.ts";
import type { Beginning } from "./history.ts";
import type { MemberId, RoomId } from "./ids.ts";
import type { SignedFields } from "./order.ts";
import { Transcript } from "./transcript.ts";

/** A message as it can be proved without its content: what its sender signed, and the signature (O3). */
export type Signed = SignedFields & {
  readonly from: MemberId;
  readonly sig: Bytes;
  readonly digests: Digests;
};

/** One place of the room's order with everything that its place in the chain is made of (O4). */
export type Evidence = { readonly seq: number; readonly ts: number; readonly chain: Bytes } & (
  | { readonly kind: "message"; readonly signed: Signed }
  | { readonly kind: "event"; readonly event: SystemRoomEvent }
);

/** What one participant can prove to others of the room it is in, or was. */
export interface Witness {
  readonly room: RoomId;
  readonly host: MemberId;
  readonly self: MemberId;
  readonly log: EvidenceLog;
  /** This participant's own signature under the hash of a transcript. */
  attest(transcript: Bytes): Bytes;
}

/** The message of an event or a `say`, without what is only needed to open it. */
export function signedOf(
  { from, ...said }: Omit<SayFrame, "t"> & { readonly from: MemberId; readonly kind?: "chat" },
  digests: Digests,
): Signed {
  const { seal: _, kind: __, ...fields } = said;
  return { ...fields, from, digests };
}

/** Byte lengths of what is packed, in this order; the last one is only there in messages to some. */
const HASH = 32;
const SIGNATURE = 64;

/** A message whose hashes and signature are one text of a byte a character: an array of each would cost four times as much. */
type Packed = Omit<Signed, "prev" | "view" | "sig" | "digests"> & {
  readonly viewSeq: number;
  readonly bytes: string;
};

type Kept = { readonly seq: number; readonly ts: number; readonly chain: string } & (
  | { readonly kind: "message"; readonly packed: Packed }
  | { readonly kind: "event"; readonly event: SystemRoomEvent }
);

const textOf = (...parts: readonly Bytes[]): string =>
  parts.map((part) => String.fromCharCode(...part)).join("");
const bytesOf = (text: string): Bytes => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

function packed({ prev, view, sig, digests, ...rest }: Signed): Packed {
  return { ...rest, viewSeq: view.seq, bytes: textOf(prev, view.chain, sig, digests.body, digests.seal) };
}

function unpacked({ viewSeq, bytes, ...rest }: Packed): Signed {
  let at = 0;
  const take = (length: number): Bytes => bytesOf(bytes.slice(at, (at += length)));
  const [prev, chain, sig, body, seal] = [take(HASH), take(HASH), take(SIGNATURE), take(HASH), take(HASH)];
  return { ...rest, prev, view: { seq: viewSeq, chain }, sig, digests: { seal, body } };
}

function evidenceOf(kept: Kept): Evidence {
  const { seq, ts } = kept;
  const place = { seq, ts, chain: bytesOf(kept.chain) };
  return kept.kind === "event"
    ? { ...place, kind: kept.kind, event: kept.event }
    : { ...place, kind: kept.kind, signed: unpacked(kept.packed) };
}

function rosterAfter(members: readonly MemberRecord[], kept: Kept): readonly MemberRecord[] {
  if (kept.kind === "message") return members;
  const { event } = kept;
  if (event.kind === "joined") return [...members, event.member];
  return event.kind === "left" ? members.filter(({ id }) => id !== event.id) : members;
}

/** Names in `to` are the one part of an entry that its sender makes longer or shorter. */
const ENTRY_BYTES = 350;
const RECIPIENT_BYTES = 40;

function sizeOf(kept: Kept): number {
  const recipients = kept.kind === "message" ? (kept.packed.to?.length ?? 0) : 0;
  return ENTRY_BYTES + RECIPIENT_BYTES * recipients;
}

/**
 * What proves the recent part of a room's order, without the texts: as many places as a transcript keeps, each with its
 * value of the chain, and the roster from which they start.
 */
export class EvidenceLog {
  #start: Beginning;
  #end: View;
  readonly #items = new Transcript<Kept>(sizeOf, (trimmed) => {
    this.#start = this.#after(this.#start, trimmed);
  });

  constructor(start: Beginning) {
    this.#start = start;
    this.#end = start.view;
  }

  /** A message has got its place; `view` is the order with it. */
  message(view: View, ts: number, signed: Signed): void {
    this.#append({ ...view, ts, chain: textOf(view.chain), kind: "message", packed: packed(signed) }, view);
  }

  /** Something has happened in the room; `view` is the order with it. */
  event(view: View, ts: number, event: SystemRoomEvent): void {
    this.#append({ ...view, ts, chain: textOf(view.chain), kind: "event", event }, view);
  }

  #append(kept: Kept, view: View): void {
    this.#items.append(kept);
    this.#end = view;
  }

  #after({ members }: Beginning, kept: Kept): Beginning {
    return {
      view: { seq: kept.seq, chain: bytesOf(kept.chain) },
      members: rosterAfter(members, kept),
    };
  }

  /** Where what is kept begins. */
  get start(): View {
    return this.#start.view;
  }

  get end(): View {
    return this.#end;
  }

  /** What is kept of the time after a place, and where that part begins. */
  after(seq: number): { readonly start: Beginning; readonly entries: readonly Evidence[] } {
    let start = this.#start;
    const entries: Evidence[] = [];
    for (const [, kept] of this.#items.after(0)) {
      if (kept.seq <= seq) start = this.#after(start, kept);
      else entries.push(evidenceOf(kept));
    }
    return { start, entries };
  }
}
