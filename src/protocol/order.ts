import { ascii, concat, equalBytes, lengthPrefixed, u64be, type Bytes } from "./bytes.ts";
import { TunnelError } from "./errors.ts";
import type { ChatEvent, MemberRecord, RoomEvent, SayFrame, View } from "./frames.ts";
import { MEMBER_ID_BYTES, memberIdFrom, type MemberId, type RoomId } from "./ids.ts";
import { ROOM } from "./limits.ts";
import type { Primitives, SigningKeyPair } from "./primitives.ts";

/** Everything of a message that its sender signs, apart from the text. */
export type SignedFields = Omit<SayFrame, "t" | "sig">;

const NO_HASH = new Uint8Array(32);

export function memberIdOf(primitives: Primitives, key: Bytes): MemberId {
  return memberIdFrom(primitives.sha256(key).slice(0, MEMBER_ID_BYTES));
}

/** What a signature covers (O3): the room, the sender, its count and history, the order it saw, and the text. */
export function signedBytes(
  primitives: Primitives,
  room: RoomId,
  from: MemberId,
  fields: SignedFields,
  text: string,
): Bytes {
  return lengthPrefixed(
    ascii("tunnel-mcp/1 room-msg"),
    ascii(room),
    ascii(from),
    u64be(fields.n),
    fields.prev,
    u64be(fields.view.seq),
    fields.view.chain,
    ascii(fields.intent ?? ""),
    u64be(fields.replyTo ?? 0),
    ascii((fields.to ?? []).join(",")),
    primitives.sha256(primitives.encodeUtf8(text)),
  );
}

/** One member's own messages: counted, linked by hash, signed (O3). */
export class Signer {
  readonly #primitives: Primitives;
  readonly #keys: SigningKeyPair;
  readonly #room: RoomId;
  readonly id: MemberId;
  #count = 0;
  #last: Bytes = NO_HASH;

  constructor(primitives: Primitives, keys: SigningKeyPair, room: RoomId) {
    this.#primitives = primitives;
    this.#keys = keys;
    this.#room = room;
    this.id = memberIdOf(primitives, keys.publicKey);
  }

  get publicKey(): Bytes {
    return this.#keys.publicKey;
  }

  sign(message: { view: View; text: string } & Pick<SayFrame, "intent" | "replyTo" | "to">): {
    fields: SignedFields & { sig: Bytes };
    hash: Bytes;
  } {
    const { text, ...rest } = message;
    const fields = { ...rest, n: this.#count + 1, prev: this.#last };
    const bytes = signedBytes(this.#primitives, this.#room, this.id, fields, text);
    const hash = this.#primitives.sha256(bytes);
    const sig = this.#keys.sign(bytes);
    this.#count = fields.n;
    this.#last = hash;
    return { fields: { ...fields, sig }, hash };
  }
}

/** Hash of who is in the room, independent of the order of arrival (O5). */
function rosterHash(primitives: Primitives, members: Iterable<MemberRecord>): Bytes {
  const sorted = [...members].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const fields = sorted.flatMap((member) => [
    ascii(member.id),
    member.key,
    primitives.encodeUtf8(member.name),
  ]);
  return primitives.sha256(lengthPrefixed(ascii("tunnel-mcp/1 roster"), ...fields));
}

/**
 * One participant's replica of the room's order (PROTOCOL §8): the roster, and a hash chain over every event. Two
 * replicas that were told the same have the same chain; a message carries its sender's, so a host that tells two
 * members different things is found out by the first message that crosses.
 */
export class RoomOrder {
  readonly #primitives: Primitives;
  readonly #room: RoomId;
  readonly #roster = new Map<MemberId, MemberRecord>();
  readonly #senders = new Map<MemberId, { n: number; hash: Bytes }>();
  /** Chain values by sequence number, the recent ones. */
  readonly #chains = new Map<number, Bytes>();
  #view: View;

  constructor(primitives: Primitives, room: RoomId, members: readonly MemberRecord[], start: View) {
    this.#primitives = primitives;
    this.#room = room;
    this.#view = start;
    this.#chains.set(start.seq, start.chain);
    for (const member of members) this.#roster.set(member.id, member);
  }

  /** Where a room begins: the chain starts from its id and its host (O4). */
  static genesis(primitives: Primitives, room: RoomId, host: MemberRecord): RoomOrder {
    const chain = primitives.sha256(lengthPrefixed(ascii("tunnel-mcp/1 room-chain"), ascii(room), host.key));
    return new RoomOrder(primitives, room, [host], { seq: 0, chain });
  }

  get view(): View {
    return this.#view;
  }

  get members(): readonly MemberRecord[] {
    return [...this.#roster.values()];
  }

  member(id: MemberId): MemberRecord | undefined {
    return this.#roster.get(id);
  }

  /**
   * Checks a message as every receiver must (O3, O6) and gives its hash.
   * @throws {TunnelError} protocol-violation (unknown sender, wrong signature, a message missing or repeated),
   * host-equivocation (its sender was told another order than this replica)
   */
  verify(event: ChatEvent, text: string): Bytes {
    const sender = this.#roster.get(event.from);
    if (sender === undefined)
      throw new TunnelError("protocol-violation", { detail: "a message from nobody" });
    const bytes = signedBytes(this.#primitives, this.#room, event.from, event, text);
    if (!this.#primitives.verifySignature(sender.key, bytes, event.sig)) {
      throw new TunnelError("protocol-violation", { detail: "a message its sender did not sign" });
    }
    const last = this.#senders.get(event.from);
    if (last !== undefined && (event.n !== last.n + 1 || !equalBytes(event.prev, last.hash))) {
      throw new TunnelError("protocol-violation", {
        detail: "a message of this sender is missing or repeated",
      });
    }
    if (event.view.seq > this.#view.seq) throw new TunnelError("host-equivocation");
    const known = this.#chains.get(event.view.seq);
    if (known !== undefined && !equalBytes(known, event.view.chain))
      throw new TunnelError("host-equivocation");
    return this.#primitives.sha256(bytes);
  }

  /** Takes a verified message, or this participant's own, into the order. */
  appendChat(seq: number, ts: number, event: { from: MemberId; n: number }, hash: Bytes): void {
    this.#advance(seq, ts, hash);
    this.#senders.set(event.from, { n: event.n, hash });
  }

  /** Takes a change of the roster or a notice of the host into the order. @throws {TunnelError} protocol-violation */
  appendSystem(seq: number, ts: number, event: Exclude<RoomEvent, ChatEvent>): void {
    if (event.kind === "joined") {
      const { id, key } = event.member;
      if (this.#roster.size >= ROOM.maxMembers) {
        throw new TunnelError("protocol-violation", { detail: "more members than a room has" });
      }
      if (this.#roster.has(id) || id !== memberIdOf(this.#primitives, key)) {
        throw new TunnelError("protocol-violation", { detail: "a member whose id is not its own" });
      }
      this.#roster.set(id, event.member);
      // From here on this replica sees every message of it, so the first one must be the first.
      this.#senders.set(id, { n: 0, hash: NO_HASH });
    }
    if (event.kind === "left") {
      this.#roster.delete(event.id);
      this.#senders.delete(event.id);
    }
    this.#advance(seq, ts, this.#systemHash(event));
  }

  #systemHash(event: Exclude<RoomEvent, ChatEvent>): Bytes {
    const subject = event.kind === "joined" ? event.member.id : event.kind === "left" ? event.id : "";
    const cause = event.kind === "left" || event.kind === "ended" ? event.cause : "";
    const roster = rosterHash(this.#primitives, this.#roster.values());
    const label = ascii("tunnel-mcp/1 room-event");
    return this.#primitives.sha256(
      lengthPrefixed(label, ascii(event.kind), ascii(subject), ascii(cause), roster),
    );
  }

  #advance(seq: number, ts: number, eventHash: Bytes): void {
    if (seq !== this.#view.seq + 1) {
      throw new TunnelError("protocol-violation", { detail: "the room's order has a gap" });
    }
    const chain = this.#primitives.sha256(concat(this.#view.chain, u64be(seq), u64be(ts), eventHash));
    this.#view = { seq, chain };
    this.#chains.set(seq, chain);
    this.#chains.delete(seq - ROOM.maxTranscriptEntries);
  }
}
