/** Section 8.1 of docs/PROTOCOL.md: the order of a room, as one who hears all of it checks it. */
import { base64url, concat, EMPTY, isEqual, lp, u64, type Bytes } from "./bytes.ts";
import type { Chat, Member, RoomEvent, Withheld } from "./frames.ts";
import { isSignedBy, sha256 } from "./primitives.ts";
import { demand } from "./refusal.ts";
import { plainName } from "./text.ts";

/** How many places back a receiver remembers its chain (O6). */
const REMEMBERED = 5000;
const MAX_MEMBERS = 64;
const ID_BYTES = 8;

export const idOf = (key: Bytes): string => base64url(sha256(key).subarray(0, ID_BYTES));

// --- what is hashed and signed ---

interface Digests {
  seal: Bytes;
  body: Bytes;
}

function digestsOf(message: Chat, body: Bytes): Digests {
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

/** O5 */
export function rosterHash(members: readonly Member[]): Bytes {
  const sorted = members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const fields = sorted.flatMap((one) => [
    one.id,
    one.key,
    one.box,
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

const FIRST = { n: 0, hash: new Uint8Array(32) };

export class Replica {
  readonly #room: string;
  readonly #host: string;
  readonly #seats = new Map<string, Seat>();
  /** Chains of the last places, by place. */
  readonly #chains = new Map<number, Bytes>();
  #seq = 0;
  #ts = 0;
  #chain: Bytes;

  /** A room at place 0: nobody but the host. `room` is the text of its id. */
  constructor(room: string, host: Omit<Member, "id">) {
    this.#room = room;
    this.#chain = firstChain(room, host.key);
    this.#chains.set(0, this.#chain);
    this.#host = idOf(host.key);
    this.#seats.set(this.#host, { member: { ...host, id: this.#host }, joinedAt: 0, last: undefined });
  }

  get view(): { seq: number; chain: Bytes } {
    return { seq: this.#seq, chain: this.#chain };
  }

  /** @throws {Refused} `order-broken`, `host-equivocation` (O6); the replica is of no more use. */
  append(seq: number, ts: number, event: RoomEvent, body: Bytes): void {
    demand(seq === this.#seq + 1, "order-broken", "another number than the next"); // O1
    demand(ts >= this.#ts, "order-broken", "a time before the last one"); // O1
    const isMessage = event.kind === "chat" || event.kind === "withheld";
    const hash = isMessage ? this.#hear(event, body) : this.#change(seq, event);
    this.#seq = seq;
    this.#ts = ts;
    this.#chain = nextChain(this.#chain, seq, ts, hash);
    this.#chains.set(seq, this.#chain);
    this.#chains.delete(seq - REMEMBERED);
  }

  /** A message; its hash. */
  #hear(message: Chat | Withheld, body: Bytes): Bytes {
    const seat = this.#seats.get(message.from);
    demand(seat !== undefined, "order-broken", "a sender nobody knows");
    const digests = message.kind === "chat" ? digestsOf(message, body) : message.digests;
    const signed = signedBytes(this.#room, message, digests);
    demand(isSignedBy(seat.member.key, signed, message.sig), "order-broken", "a wrong signature");
    const { last } = seat;
    const isNext = last === undefined || (message.n === last.n + 1 && isEqual(message.prev, last.hash));
    demand(isNext, "order-broken", "not the sender's next message");
    demand(message.view.seq >= seat.joinedAt - 1, "order-broken", "a view from before the sender came");
    demand(message.view.seq <= this.#seq, "host-equivocation", "a view of what has not happened");
    demand((message.replyTo ?? 0) <= this.#seq, "order-broken", "an answer to nothing"); // O7
    const chain = this.#chains.get(message.view.seq);
    const isSame = chain === undefined || isEqual(chain, message.view.chain);
    demand(isSame, "host-equivocation", "a view of another room");
    const hash = sha256(signed);
    seat.last = { n: message.n, hash };
    return hash;
  }

  /** Anything but a message; its hash. */
  #change(seq: number, event: Exclude<RoomEvent, Chat | Withheld>): Bytes {
    if (event.kind === "joined") this.#seat(event.member, seq);
    if (event.kind === "left") {
      demand(event.id !== this.#host, "order-broken", "the host cannot leave");
      demand(this.#seats.delete(event.id), "order-broken", "nobody by that id is here");
    }
    return eventHash(event, rosterHash(Array.from(this.#seats.values(), ({ member }) => member)));
  }

  /** O2 */
  #seat(member: Member, joinedAt: number): void {
    demand(member.id === idOf(member.key), "order-broken", "an id that is not its key's");
    demand(!this.#seats.has(member.id), "order-broken", "a member twice");
    const name = plainName(member.name);
    const isTaken =
      name === "tunnel" || [...this.#seats.values()].some((seat) => plainName(seat.member.name) === name);
    demand(!isTaken, "order-broken", "a name twice");
    demand(this.#seats.size < MAX_MEMBERS, "order-broken", "more members than a room has");
    this.#seats.set(member.id, { member, joinedAt, last: FIRST });
  }
}
