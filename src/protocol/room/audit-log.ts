import { must } from "../../errors/must.ts";
import { concat, type Bytes } from "../base/bytes.ts";
import type { Digests, MemberRecord, SayFrame, SystemRoomEvent, View } from "./frames.ts";
import type { MemberId, RoomId } from "../base/ids.ts";
import { ROOM } from "../base/limits.ts";
import type { SignedFields, Beginning } from "./order.ts";
import { Transcript } from "./log.ts";
import type { Statement } from "../sign-off/statement.ts";

/** A message as it can be proved without its content: what its sender signed, and the signature (O3). */
export type Signed = SignedFields & {
  readonly from: MemberId;
  readonly sig: Bytes;
  readonly digests: Digests;
};

/** One entry of the room's order, with everything that its value in the chain is made of (O4). */
export type AuditEntry = { readonly seq: number; readonly ts: number; readonly chain: Bytes } & (
  | { readonly kind: "message"; readonly signed: Signed }
  | { readonly kind: "event"; readonly event: SystemRoomEvent }
);

/** The public key of a person, and where it was made. */
export type HumanKey = Pick<Statement, "made" | "key">;

/** A participant's proof to others of the room it is in, or was. */
export interface Attestation {
  readonly room: RoomId;
  readonly host: MemberId;
  readonly self: MemberId;
  readonly log: AuditLog;
  /** This participant's own signature under the hash of a transcript. */
  attest(transcript: Bytes): Bytes;
  /** This participant's word that a key is its person's, for the proposal of this digest (Z4). */
  certify(digest: Bytes, key: HumanKey): Bytes;
}

/** The message of an event or a `say`, without what is only needed to open it. */
export function signedOf(
  { from, ...said }: Omit<SayFrame, "t"> & { readonly from: MemberId; readonly kind?: "chat" },
  digests: Digests,
): Signed {
  const { seal: _, kind: __, ...fields } = said;
  return { ...fields, from, digests };
}

const HASH = 32;
const SIGNATURE = 64;

/** The signed fields that are neither hash nor signature; a new signed field lands here by itself. */
type Marks = Omit<Signed, "prev" | "view" | "sig" | "digests">;

/**
 * One entry as it is kept. All its hashes are one text of a byte a character: an array of each, or an object that was spread
 * together, takes three times as much.
 */
type Kept = { readonly seq: number; readonly ts: number; readonly bytes: string } & (
  | { readonly marks: Marks; readonly seen: number; readonly event?: never }
  | { readonly event: SystemRoomEvent; readonly marks?: never }
);

const textOf = (...parts: readonly Bytes[]): string =>
  String(Reflect.apply(String.fromCharCode, undefined, concat(...parts)));
const bytesOf = (text: string): Bytes => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const chainOf = ({ bytes }: Kept): Bytes => bytesOf(bytes.slice(0, HASH));

function rosterAfter(members: readonly MemberRecord[], { event }: Kept): readonly MemberRecord[] {
  if (event?.kind === "joined") return [...members, event.member];
  return event?.kind === "left" ? members.filter(({ id }) => id !== event.id) : members;
}

/** Names in `to` are the one part of an entry that its sender makes longer or shorter. */
const ENTRY_BYTES = 350;
const RECIPIENT_BYTES = 40;

function sizeOf(kept: Kept): number {
  return ENTRY_BYTES + RECIPIENT_BYTES * (kept.marks?.to?.length ?? 0);
}

/**
 * The proof of the recent part of a room's order, without the texts: as many entries as a transcript keeps, each with its
 * value of the chain, and the roster from which they start.
 */
export class AuditLog {
  #start: Beginning;
  #end: View;
  /** The same hash in every message to all, where a sealed one has the hash of its seal. */
  #noSeal: Bytes = new Uint8Array(HASH);
  readonly #items = new Transcript<Kept>(sizeOf, (trimmed) => {
    this.#start = this.#after(this.#start, trimmed);
  });

  /** Frames of the newest entries, oldest first, for those who join later (O9). */
  #past: { readonly seq: number; readonly payload: Bytes }[] = [];
  #pastBytes = 0;

  constructor(start: Beginning) {
    this.#start = start;
    this.#end = start.view;
  }

  /** A message has its sequence number; `view` is the order with it. */
  message(view: View, ts: number, signed: Signed): void {
    const { prev, view: own, sig, digests, ...marks } = signed;
    const isSealed = marks.to !== undefined;
    if (!isSealed) this.#noSeal = digests.seal;
    const hashes = [view.chain, prev, own.chain, sig, digests.body, ...(isSealed ? [digests.seal] : [])];
    this.#append({ seq: view.seq, ts, bytes: textOf(...hashes), marks, seen: own.seq }, view);
  }

  /** Something has happened in the room; `view` is the order with it. */
  event(view: View, ts: number, event: SystemRoomEvent): void {
    this.#append({ seq: view.seq, ts, bytes: textOf(view.chain), event }, view);
  }

  /** Keeps the frame of the newest entry, as any member may see it, for those who join later: the newest frames that fit (O9). */
  remember(payload: Bytes): void {
    this.#past.push({ seq: this.#end.seq, payload });
    this.#pastBytes += payload.length;
    while (this.#past.length > ROOM.maxHistoryEntries || this.#pastBytes > ROOM.maxHistoryBytes)
      this.#pastBytes -= must(this.#past.shift(), "the oldest frame that is kept").payload.length;
  }

  /** The frames that are kept for those who join later, and the beginning of that part of the room. */
  get past(): { readonly beginning: Beginning; readonly payloads: readonly Bytes[] } {
    const [oldest] = this.#past;
    const { start } = this.after(oldest === undefined ? this.#end.seq : oldest.seq - 1);
    return { beginning: start, payloads: this.#past.map(({ payload }) => payload) };
  }

  /** The frames of {@link past}, each with its place. */
  get pastFrames(): readonly { readonly seq: number; readonly payload: Bytes }[] {
    return this.#past;
  }

  /** Goes on from here: what was proved before is kept no longer. */
  standAt(start: Beginning, past: readonly { readonly seq: number; readonly payload: Bytes }[]): void {
    this.#start = start;
    this.#end = start.view;
    this.#past = [...past];
    this.#pastBytes = past.reduce((sum, { payload }) => sum + payload.length, 0);
  }

  #append(kept: Kept, view: View): void {
    this.#items.append(kept);
    this.#end = view;
  }

  #auditEntry(kept: Kept): AuditEntry {
    const { seq, ts, bytes } = kept;
    const position = { seq, ts, chain: chainOf(kept) };
    if (kept.event !== undefined) return { ...position, kind: "event", event: kept.event };
    let at = HASH;
    const take = (length: number): Bytes => bytesOf(bytes.slice(at, (at += length)));
    const [prev, chain, sig, body, seal] = [take(HASH), take(HASH), take(SIGNATURE), take(HASH), take(HASH)];
    const digests = { seal: kept.marks.to === undefined ? this.#noSeal : seal, body };
    return {
      ...position,
      kind: "message",
      signed: { ...kept.marks, prev, view: { seq: kept.seen, chain }, sig, digests },
    };
  }

  #after({ members }: Beginning, kept: Kept): Beginning {
    return {
      view: { seq: kept.seq, chain: chainOf(kept) },
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

  /** Those of the kept entries, oldest first. */
  get places(): number[] {
    return Array.from(this.#items.after(0), ([, { seq }]) => seq);
  }

  /** The kept entries after a sequence number, and where that part begins. */
  after(seq: number): { readonly start: Beginning; readonly entries: readonly AuditEntry[] } {
    let start = this.#start;
    const entries: AuditEntry[] = [];
    for (const [, kept] of this.#items.after(0)) {
      if (kept.seq <= seq) start = this.#after(start, kept);
      else entries.push(this.#auditEntry(kept));
    }
    return { start, entries };
  }
}
