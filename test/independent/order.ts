/** Section 8.1 of docs/PROTOCOL.md: the order of a room, as one who hears all of it checks it. */
import { base64url, concat, EMPTY, isEqual, lp, u64, type Bytes } from "./bytes.ts";
import type { Chat, Member, RoomEvent, Withheld } from "./frames.ts";
import { isSignedBy } from "./ed25519.ts";
import { sha256 } from "./primitives.ts";
import { demand } from "./refusal.ts";
import { plainName } from "./text.ts";

/** How many places back a receiver remembers its chain (O6). */
const REMEMBERED = 5000;
const MAX_MEMBERS = 64;
const MAX_OBSERVERS = 4;
const MAX_OBSERVER_NAME = 16;
const ID_BYTES = 8;

export const idOf = (key: Bytes): string => base64url(sha256(key).subarray(0, ID_BYTES));

// --- what is hashed and signed ---

interface Digests {
  seal: Bytes;
  body: Bytes;
}

export function digestsOf(message: Pick<Chat, "seal">, body: Bytes): Digests {
  const { seal } = message;
  const sealed = seal === undefined ? EMPTY : concat(seal.key, seal.commitment, ...seal.wraps);
  return { seal: sha256(sealed), body: sha256(body) };
}

/** O3: the bytes that a sender signs, and whose hash is that of the message. */
export function signedBytes(room: string, message: Chat | Withheld, digests: Digests): Bytes {
  return lp(
    "tunnel-mcp/1 room-msg",
    room,
    message.from,
    u64(message.n),
    message.prev,
    u64(message.view.seq),
    message.view.chain,
    message.what ?? "",
    message.intent ?? "",
    message.author ?? "",
    u64(message.replyTo ?? 0),
    (message.to ?? []).join(","),
    digests.seal,
    digests.body,
  );
}

function workContextBytes(workContext: Member["workContext"]): Bytes {
  if (workContext === undefined) return EMPTY;
  const { repository, client } = workContext;
  return lp(
    repository?.name ?? "",
    repository?.branch ?? "",
    repository?.head ?? "",
    repository === undefined ? "" : String(repository.dirty),
    client?.name ?? "",
    client?.version ?? "",
  );
}

/** H13, Q1: what a member, or an observer, signs of its keys, in this room and that handshake. */
export const memberBytes = (room: string, one: Pick<Member, "key" | "box" | "hash" | "role">): Bytes =>
  lp(`tunnel-mcp/1 ${one.role ?? "member"}`, room, one.hash, one.key, one.box);

/** Whether whoever has the key says that the box goes with it. */
export const isProved = (
  room: string,
  one: Pick<Member, "key" | "box" | "hash" | "proof" | "role">,
): boolean => isSignedBy(one.key, memberBytes(room, one), one.proof);

/** O5 */
export function rosterHash(members: readonly Member[]): Bytes {
  const sorted = members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const fields = sorted.flatMap((one) => [
    one.id,
    one.key,
    one.box,
    one.hash,
    one.proof,
    one.name,
    workContextBytes(one.workContext),
  ]);
  return sha256(lp("tunnel-mcp/1 roster", ...fields));
}

/** O4, for events other than messages. */
function eventHash(event: Exclude<RoomEvent, Chat | Withheld>, roster: Bytes): Bytes {
  const subject = event.kind === "joined" ? event.member.id : event.kind === "left" ? event.id : "";
  const cause = event.kind === "left" || event.kind === "ended" ? event.cause : "";
  return sha256(lp("tunnel-mcp/1 room-event", event.kind, subject, cause, roster));
}

const firstChain = (room: string, hostKey: Bytes): Bytes =>
  sha256(lp("tunnel-mcp/1 room-chain", room, hostKey));
const nextChain = (chain: Bytes, seq: number, ts: number, hash: Bytes): Bytes =>
  sha256(chain, u64(seq), u64(ts), hash);

// --- the replica ---

interface Seat {
  member: Member;
  /** Place of its `joined`; 0 for whoever was there before. */
  joinedAt: number;
  /** Count and hash of its last message, where one is known here. */
  last: { n: number; hash: Bytes } | undefined;
}

const NO_HASH = new Uint8Array(32);
const FIRST = { n: 0, hash: NO_HASH };

export class Replica {
  readonly #room: string;
  readonly #host: string;
  readonly #seats = new Map<string, Seat>();
  /** Everybody who has ever had a seat (O11). */
  readonly #had = new Set<string>();
  /** Chains of the last places, by place. */
  readonly #chains = new Map<number, Bytes>();
  #seq: number;
  #ts = 0;
  #chain: Bytes;

  /** A room as a WELCOME tells it. `room` is the text of its id. @throws {Refused} `order-broken` */
  constructor(room: string, host: string, members: readonly Member[], view: { seq: number; chain: Bytes }) {
    this.#room = room;
    this.#host = host;
    this.#seq = view.seq;
    this.#chain = view.chain;
    this.#chains.set(view.seq, view.chain);
    for (const member of members) this.#seat(member, { joinedAt: 0, last: undefined });
    demand(this.#seats.has(host), "order-broken", "a room without its host");
  }

  /** A room at place 0: nobody but the host. */
  static begin(room: string, host: Omit<Member, "id" | "hash">): Replica {
    const id = idOf(host.key);
    const view = { seq: 0, chain: firstChain(room, host.key) };
    return new Replica(room, id, [{ ...host, id, hash: NO_HASH }], view);
  }

  get view(): { seq: number; chain: Bytes } {
    return { seq: this.#seq, chain: this.#chain };
  }

  member(id: string): Member | undefined {
    return this.#seats.get(id)?.member;
  }

  get members(): Member[] {
    return Array.from(this.#seats.values(), ({ member }) => member);
  }

  /** @throws {Refused} `order-broken`, `host-equivocation` (O6); the replica is of no more use. */
  append(seq: number, ts: number, event: RoomEvent, body: Bytes): void {
    const isPlace = event.kind === "returned" ? seq > this.#seq : seq === this.#seq + 1;
    demand(isPlace, "order-broken", "another number than the next"); // O1, O12
    demand(ts >= this.#ts, "order-broken", "a time before the last one"); // O1
    const isMessage = event.kind === "chat" || event.kind === "withheld";
    const hash = isMessage ? this.#hear(event, body) : this.#change(seq, event);
    this.#seq = seq;
    this.#ts = ts;
    this.#chain = nextChain(this.#chain, seq, ts, hash);
    this.#chains.set(seq, this.#chain);
    const [oldest] = this.#chains.keys();
    if (oldest !== undefined && this.#chains.size > REMEMBERED) this.#chains.delete(oldest);
  }

  /** A message; its hash. */
  #hear(message: Chat | Withheld, body: Bytes): Bytes {
    const seat = this.#seats.get(message.from);
    demand(seat !== undefined, "order-broken", "a sender nobody knows");
    const observes = (id: string): boolean => this.member(id)?.role !== undefined;
    demand(!observes(message.from), "order-broken", "a sender who only reads along"); // Q4
    demand(!(message.to ?? []).some(observes), "order-broken", "for one who only reads along"); // Q4
    const digests = message.kind === "chat" ? digestsOf(message, body) : message.digests;
    const signed = signedBytes(this.#room, message, digests);
    demand(isSignedBy(seat.member.key, signed, message.sig), "order-broken", "a wrong signature");
    const { last } = seat;
    const isNext = last === undefined || (message.n > last.n && isEqual(message.prev, last.hash));
    demand(isNext, "order-broken", "not the sender's next message");
    demand(message.view.seq >= seat.joinedAt - 1, "order-broken", "a view from before the sender came");
    demand(message.view.seq <= this.#seq, "host-equivocation", "a view of what has not happened");
    demand((message.replyTo ?? 0) <= this.#seq, "order-broken", "an answer to nothing"); // O7
    const chain = this.#chains.get(message.view.seq);
    const [oldest = 0] = this.#chains.keys();
    const isSame = chain === undefined ? message.view.seq < oldest : isEqual(chain, message.view.chain);
    demand(isSame, "host-equivocation", "a view of another room");
    const hash = sha256(signed);
    seat.last = { n: message.n, hash };
    return hash;
  }

  /** Anything but a message; its hash. */
  #change(seq: number, event: Exclude<RoomEvent, Chat | Withheld>): Bytes {
    if (event.kind === "joined") this.#seat(event.member, { joinedAt: seq, last: FIRST });
    if (event.kind === "left") {
      demand(event.id !== this.#host, "order-broken", "the host cannot leave");
      demand(this.#seats.delete(event.id), "order-broken", "nobody by that id is here");
    }
    return eventHash(event, rosterHash(this.members));
  }

  /** O2, O11 */
  #seat(member: Member, seat: Omit<Seat, "member">): void {
    demand(member.id === idOf(member.key), "order-broken", "an id that is not its key's");
    demand(!this.#had.has(member.id), "order-broken", "a member twice");
    const isHost = member.id === this.#host;
    demand(isEqual(member.hash, NO_HASH) === isHost, "order-broken", "a handshake of the host alone");
    demand(isProved(this.#room, member), "order-broken", "keys that are not proved");
    const name = plainName(member.name);
    const isTaken =
      name === "tunnel" || [...this.#seats.values()].some((seat) => plainName(seat.member.name) === name);
    demand(!isTaken, "order-broken", "a name twice");
    const isObserver = member.role !== undefined;
    const alike = this.members.filter((one) => (one.role !== undefined) === isObserver).length;
    demand(alike < (isObserver ? MAX_OBSERVERS : MAX_MEMBERS), "order-broken", "more than a room has");
    // Q2
    const isShort = Array.from(member.name).length <= MAX_OBSERVER_NAME && member.workContext === undefined;
    demand(!isObserver || (isShort && !isHost), "order-broken", "an observer of another form");
    this.#seats.set(member.id, { member, ...seat });
    this.#had.add(member.id);
  }
}
