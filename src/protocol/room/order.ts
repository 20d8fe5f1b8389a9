import { ascii, concat, equalBytes, lengthPrefixed, u64be, type Bytes } from "../base/bytes.ts";
import { workContextBytes } from "./work-context.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { digestsOf } from "./sealed-message.ts";
import type {
  ChatEvent,
  Digests,
  MemberRecord,
  SayFrame,
  SystemRoomEvent,
  View,
  WithheldEvent,
} from "./frames.ts";
import { MEMBER_ID_BYTES, memberIdFrom, type MemberId, type RoomId } from "../base/ids.ts";
import { ROOM } from "../base/limits.ts";
import type { Primitives, SigningKeyPair } from "../base/primitives.ts";
import type { ObserverRole } from "../handshake/role.ts";
import { plainName, RESERVED_NAME } from "../base/names.ts";
import { encodeUtf8 } from "../base/utf8.ts";

/** Everything of a message that its sender signs, apart from its content. */
export type SignedFields = Omit<SayFrame, "t" | "sig" | "seal">;

/** The beginning of a member's part of a room: the order and the roster just before it. */
export interface Beginning {
  readonly view: View;
  readonly members: readonly MemberRecord[];
}

/** The last message of a member, and where it came in; `since` is 0 for those who were there before. */
interface SenderStanding extends LastMessage {
  readonly id: MemberId;
  readonly since: number;
}

/** An order as it stands, for one who goes on from there. */
export interface OrderStanding extends Beginning {
  readonly ts: number;
  /** Everybody who has ever been in the roster. */
  readonly had: readonly MemberId[];
  readonly senders: readonly SenderStanding[];
}

/** The hash before a member's first message, and that of the handshake of a host, which has none. */
export const NO_HASH: Bytes = new Uint8Array(32);

/** The hash of a message, which its sender's next one names (O3). */
export function messageHash(
  primitives: Primitives,
  room: RoomId,
  from: MemberId,
  { fields, digests }: { readonly fields: SignedFields; readonly digests: Digests },
): Bytes {
  return primitives.sha256(signedBytes(room, from, fields, digests));
}

export function memberIdOf(primitives: Primitives, key: Bytes): MemberId {
  return memberIdFrom(primitives.sha256(key).slice(0, MEMBER_ID_BYTES));
}

/** The bytes under a signature (O3): the room, the sender, its count and history, the order it saw, the content and the recipients. */
export function signedBytes(room: RoomId, from: MemberId, fields: SignedFields, digests: Digests): Bytes {
  return lengthPrefixed(
    ascii("tunnel-mcp/1 room-msg"),
    ascii(room),
    ascii(from),
    u64be(fields.n),
    fields.prev,
    u64be(fields.view.seq),
    fields.view.chain,
    ascii(fields.what ?? ""),
    ascii(fields.intent ?? ""),
    ascii(fields.author ?? ""),
    u64be(fields.replyTo ?? 0),
    ascii((fields.to ?? []).join(",")),
    digests.seal,
    digests.body,
  );
}

/** Keys as they came in a handshake, for a member or for an observer. */
type Keys = Pick<MemberRecord, "hash" | "key" | "box"> & { readonly role?: ObserverRole | undefined };

/**
 * The bytes under the proof of a member's keys (H13): what they are for (Q1), the room, the handshake in which they came, and both keys.
 */
function memberBytes(room: RoomId, { hash, key, box, role }: Keys): Bytes {
  return lengthPrefixed(ascii(`tunnel-mcp/1 ${role ?? "member"}`), ascii(room), hash, key, box);
}

/** Whether the owner of `key` has signed that it uses `box` beside it, in this room and this handshake (H13). */
export function isProved(
  primitives: Primitives,
  room: RoomId,
  member: Keys & Pick<MemberRecord, "proof">,
): boolean {
  return primitives.verifySignature(member.key, memberBytes(room, member), member.proof);
}

/** A member's last message: its number, and its hash. */
export interface LastMessage {
  readonly n: number;
  readonly hash: Bytes;
}

/** One member's own messages: counted, linked by hash, signed (O3). */
export class SigningChain {
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

  /** The last message of an earlier process. */
  continueAfter({ n, hash }: LastMessage): void {
    this.#count = n;
    this.#last = hash;
  }

  /** Numbers up to this one may have been used by a process that left no trace of it. */
  skipTo(n: number): void {
    this.#count = Math.max(this.#count, n);
  }

  /** Proves this key, and `box` beside it, in the handshake that has this hash (H13). */
  prove(hash: Bytes, box: Bytes, role?: ObserverRole): Bytes {
    return this.#keys.sign(memberBytes(this.#room, { hash, key: this.publicKey, box, role }));
  }

  /** Number of the message that is signed next. */
  get next(): number {
    return this.#count + 1;
  }

  sign(
    message: { view: View; body: Bytes } & Pick<
      SayFrame,
      "what" | "intent" | "author" | "replyTo" | "to" | "seal"
    >,
  ): {
    fields: Omit<SayFrame, "t">;
    hash: Bytes;
  } {
    const { body, ...rest } = message;
    const fields = { ...rest, n: this.#count + 1, prev: this.#last };
    const digests = digestsOf(this.#primitives, fields.seal, body);
    const bytes = signedBytes(this.#room, this.id, fields, digests);
    const hash = this.#primitives.sha256(bytes);
    const sig = this.#keys.sign(bytes);
    this.#count = fields.n;
    this.#last = hash;
    return { fields: { ...fields, sig }, hash };
  }
}

/** Whether somebody in the roster only reads along (Q2). */
export function isObserver(member: Pick<MemberRecord, "role"> | undefined): boolean {
  return member?.role !== undefined;
}

/** An observer tells of no work context, and has a short name: so it fits beside everybody else into a WELCOME (Q2). */
export function isObserverRecord({ name, workContext }: Pick<MemberRecord, "name" | "workContext">): boolean {
  return workContext === undefined && Array.from(name).length <= ROOM.maxObserverNameChars;
}

function broken(detail: string): TunnelError {
  return new TunnelError("order-broken", { detail });
}

/** Hash of who is in the room, independent of the order of arrival (O5). */
function rosterHash(primitives: Primitives, members: Iterable<MemberRecord>): Bytes {
  const sorted = [...members].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const fields = sorted.flatMap((member) => [
    ascii(member.id),
    member.key,
    member.box,
    member.hash,
    member.proof,
    encodeUtf8(member.name),
    workContextBytes(member.workContext),
  ]);
  return primitives.sha256(lengthPrefixed(ascii("tunnel-mcp/1 roster"), ...fields));
}

function firstChain(primitives: Primitives, room: RoomId, host: MemberRecord): Bytes {
  return primitives.sha256(lengthPrefixed(ascii("tunnel-mcp/1 room-chain"), ascii(room), host.key));
}

/**
 * One participant's replica of the room's order (PROTOCOL §8): the roster, and a hash chain over every event. Two
 * replicas that were told the same have the same chain; a message carries its sender's, so a host that tells two
 * members different things is found out by the first message that crosses.
 */
export class RoomOrder {
  readonly #primitives: Primitives;
  readonly #room: RoomId;
  readonly #host: MemberId;
  readonly #roster = new Map<MemberId, MemberRecord>();
  /** Everybody that this replica has ever had in the roster: nobody comes back by another way than a resume (O11). */
  readonly #had = new Set<MemberId>();
  #members: readonly MemberRecord[];
  /** The last message of each, and the sequence number at which this replica saw it join, 0 for those who were there before. */
  readonly #senders = new Map<MemberId, { n: number; hash: Bytes; since: number }>();
  /** Chain values by sequence number, the recent ones, in their order. */
  readonly #chains = new Map<number, Bytes>();
  #view: View;
  /** The time of the last place, by the host's clock. */
  #ts = 0;

  constructor(primitives: Primitives, room: RoomId, host: MemberId, { members, view }: Beginning) {
    this.#primitives = primitives;
    this.#room = room;
    this.#host = host;
    this.#view = view;
    this.#chains.set(view.seq, view.chain);
    for (const member of members) this.#admit(member);
    this.#members = members;
  }

  /**
   * Every member of a roster has the id of its key, has proved its keys, and has a name of its own (O2, O11, G1).
   * @throws {TunnelError} order-broken
   */
  #admit(member: MemberRecord): void {
    const { role } = member;
    const peers = [...this.#roster.values()].filter((other) => isObserver(other) === isObserver(member));
    if (peers.length >= (role === undefined ? ROOM.maxMembers : ROOM.maxObservers))
      throw broken("more members than a room has");
    if (role !== undefined && (member.id === this.#host || !isObserverRecord(member)))
      throw broken("an observer of another form");
    if (member.id !== memberIdOf(this.#primitives, member.key))
      throw broken("a member whose id is not its own");
    if (this.#had.has(member.id)) throw broken("a member that the room has had before");
    if (this.#had.size >= ROOM.maxMembersEver) throw broken("more members than a room ever has");
    // The host has no handshake of its own, and nobody else may pass for it.
    if (equalBytes(member.hash, NO_HASH) !== (member.id === this.#host))
      throw broken("a member of another handshake than its own");
    if (!isProved(this.#primitives, this.#room, member))
      throw broken("a member that has not proved its keys");
    const name = plainName(member.name);
    if (name === RESERVED_NAME) throw broken("a member with the name of this program");
    for (const other of this.#roster.values())
      if (plainName(other.name) === name) throw broken("two members of one name");
    this.#roster.set(member.id, member);
    this.#had.add(member.id);
  }

  /** Where a room begins: the chain starts from its id and its host (O4). */
  static genesis(primitives: Primitives, room: RoomId, host: MemberRecord): RoomOrder {
    const view = { seq: 0, chain: firstChain(primitives, room, host) };
    return new RoomOrder(primitives, room, host.id, { members: [host], view });
  }

  /** Whether a part of a room that begins at place 0 begins as the room itself, which there is one way to do (O4). */
  static isGenesis(primitives: Primitives, room: RoomId, host: MemberId, start: Beginning): boolean {
    const [first, ...others] = start.members;
    if (first?.id !== host || others.length > 0) return false;
    return equalBytes(firstChain(primitives, room, first), start.view.chain);
  }

  get room(): RoomId {
    return this.#room;
  }

  get host(): MemberId {
    return this.#host;
  }

  get view(): View {
    return this.#view;
  }

  /** The time of the last place, by the host's clock. */
  get ts(): number {
    return this.#ts;
  }

  get members(): readonly MemberRecord[] {
    return this.#members;
  }

  member(id: MemberId): MemberRecord | undefined {
    return this.#roster.get(id);
  }

  /** Whether this id is or was in the roster (O11). */
  hasHad(id: MemberId): boolean {
    return this.#had.has(id);
  }

  /** How many have been in the roster so far, this replica's first one included (O11). */
  get everybodySoFar(): number {
    return this.#had.size;
  }

  /** Goes on from another place with the same members, as one who knows no last message of anybody. */
  moveTo(view: View): void {
    this.#view = view;
    this.#chains.clear();
    this.#chains.set(view.seq, view.chain);
    this.#senders.clear();
    this.#ts = 0;
  }

  get standing(): OrderStanding {
    const senders = Array.from(this.#senders, ([id, last]) => ({ id, ...last }));
    return { view: this.#view, members: this.#members, ts: this.#ts, had: [...this.#had], senders };
  }

  /** Goes on from where an earlier replica of this room stood, which had checked everything until then. */
  standAt({ view, members, ts, had, senders }: OrderStanding): void {
    this.moveTo(view);
    this.#ts = ts;
    this.#members = members;
    this.#roster.clear();
    for (const member of members) this.#roster.set(member.id, member);
    this.#had.clear();
    for (const id of had) this.#had.add(id);
    for (const { id, n, hash, since } of senders) this.#senders.set(id, { n, hash, since });
  }

  /**
   * Checks a message as every receiver must (O3, O6) and gives its hash.
   * @throws {TunnelError} order-broken (unknown sender, wrong signature, a message missing or repeated),
   * host-equivocation (its sender was told another order than this replica)
   */
  verify(event: ChatEvent, body: Bytes): Bytes {
    return this.#verify(event, digestsOf(this.#primitives, event.seal, body));
  }

  /** The same for a message to others, of which this replica is not told what it says (O10). */
  verifyWithheld(event: Omit<WithheldEvent, "kind" | "to"> & SignedFields): Bytes {
    return this.#verify(event, event.digests);
  }

  #verify(event: SignedFields & { from: MemberId; sig: Bytes }, digests: Digests): Bytes {
    const sender = this.#roster.get(event.from);
    if (sender === undefined) throw broken("a message from nobody");
    this.#assertAmongMembers(event);
    const bytes = signedBytes(this.#room, event.from, event, digests);
    if (!this.#primitives.verifySignature(sender.key, bytes, event.sig))
      throw broken("a message its sender did not sign");
    const last = this.#senders.get(event.from);
    // The hash shows that none is missing. Numbers may be skipped, where their sender cannot know whether it has used them.
    if (last !== undefined && (event.n <= last.n || !equalBytes(event.prev, last.hash)))
      throw broken("a message of this sender is missing or repeated");
    // Nobody has seen the room before it came: else its words of an earlier stay could be said again (O6).
    if (event.view.seq < (last?.since ?? 0) - 1) throw broken("a message from before its sender came");
    if (event.view.seq > this.#view.seq) throw new TunnelError("host-equivocation");
    if ((event.replyTo ?? 0) > this.#view.seq) throw broken("an answer to what has not been said");
    this.#assertSeen(event.view);
    return this.#primitives.sha256(bytes);
  }

  /**
   * What a sender has seen is what this replica has, as far back as it remembers (O6). A place that was skipped nobody can have seen.
   * @throws {TunnelError} host-equivocation
   */
  #assertSeen({ seq, chain }: View): void {
    const known = this.#chains.get(seq);
    const [oldest = seq] = this.#chains.keys();
    const isSame = known === undefined ? seq < oldest : equalBytes(known, chain);
    if (!isSame) throw new TunnelError("host-equivocation");
  }

  /** Observers neither speak nor are spoken to (Q4). @throws {TunnelError} order-broken */
  #assertAmongMembers({ from, to = [] }: Pick<ChatEvent, "from" | "to">): void {
    if ([from, ...to].some((id) => isObserver(this.#roster.get(id))))
      throw broken("a message of or for somebody who only reads along");
  }

  /** Takes a verified message, or this participant's own, into the order. */
  appendChat(seq: number, ts: number, event: { from: MemberId; n: number }, hash: Bytes): void {
    this.#advance(seq, ts, hash);
    this.#senders.set(event.from, { n: event.n, hash, since: this.#senders.get(event.from)?.since ?? 0 });
  }

  /** Takes a change of the roster or a notice of the host into the order. @throws {TunnelError} order-broken */
  appendSystem(seq: number, ts: number, event: SystemRoomEvent): void {
    if (event.kind === "joined") {
      this.#admit(event.member);
      // From here on this replica sees every message of it, so the first one must be the first.
      this.#senders.set(event.member.id, { n: 0, hash: NO_HASH, since: seq });
    }
    if (event.kind === "left") {
      if (event.id === this.#host) throw broken("the host left");
      if (!this.#roster.has(event.id)) throw broken("somebody left who was not there");
      this.#roster.delete(event.id);
      this.#senders.delete(event.id);
    }
    this.#members = [...this.#roster.values()];
    this.#advance(seq, ts, this.#systemHash(event), event.kind === "returned");
  }

  #systemHash(event: SystemRoomEvent): Bytes {
    const subject = event.kind === "joined" ? event.member.id : event.kind === "left" ? event.id : "";
    const cause = event.kind === "left" || event.kind === "ended" ? event.cause : "";
    const roster = rosterHash(this.#primitives, this.#roster.values());
    const label = ascii("tunnel-mcp/1 room-event");
    return this.#primitives.sha256(
      lengthPrefixed(label, ascii(event.kind), ascii(subject), ascii(cause), roster),
    );
  }

  #advance(seq: number, ts: number, eventHash: Bytes, maySkip = false): void {
    const next = this.#view.seq + 1;
    if (seq !== next && !(maySkip && seq > next)) throw broken("the room's order has a gap");
    if (ts < this.#ts) throw broken("a time before the last one");
    this.#ts = ts;
    const chain = this.#primitives.sha256(concat(this.#view.chain, u64be(seq), u64be(ts), eventHash));
    this.#view = { seq, chain };
    this.#chains.set(seq, chain);
    const [oldest] = this.#chains.keys();
    if (oldest !== undefined && this.#chains.size > ROOM.maxTranscriptEntries) this.#chains.delete(oldest);
  }
}
