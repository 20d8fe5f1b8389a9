import type { Bytes } from "../../src/protocol/bytes.ts";
import { inviteCredential } from "../../src/protocol/keys.ts";
import { formatLink, parseLink, type InviteLink } from "../../src/protocol/link.ts";
import type { MemberEffect } from "../../src/protocol/member-io.ts";
import { Member } from "../../src/protocol/member.ts";
import type { Primitives } from "../../src/protocol/primitives.ts";
import type { RoomEffect, RoomOptions } from "../../src/protocol/room-io.ts";
import { Room } from "../../src/protocol/room.ts";
import type { Entry } from "../../src/protocol/transcript.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";

/** Sits on the path of one connection: gets each message and says what arrives instead. */
export type Tamper = (message: Bytes, index: number) => readonly Bytes[];
const honest: Tamper = (message) => [message];

export interface Guest {
  readonly member: Member;
  readonly entries: Entry[];
  readonly effects: MemberEffect[];
  tamperToHost: Tamper;
  tamperToGuest: Tamper;
  /** Refuse to connect while set. */
  offline: boolean;
  /** The address the host sees. */
  source: string;
  /** Every message that crossed, as the party in the middle saw it. */
  readonly wire: { toHost: Bytes[]; toGuest: Bytes[] };
  connection: number | undefined;
}

interface Crossing {
  readonly guest: Guest;
  readonly connection: number;
  readonly memberConnection: number;
  /** Messages that passed so far, each way; the tamperer's index. */
  toHost: number;
  toGuest: number;
}

/** A room and its guests over an in-memory wire with a clock of its own: nothing here waits or sleeps. */
export class World {
  now = 1_700_000_000_000;
  readonly room: Room;
  readonly hostEntries: Entry[] = [];
  readonly hostEffects: RoomEffect[] = [];
  readonly #crossings = new Map<number, Crossing>();
  readonly #queue: (() => void)[] = [];
  readonly #guests: Guest[] = [];
  readonly #primitives: Primitives;
  #connections = 0;

  constructor(options: Partial<RoomOptions> = {}, primitives: Primitives = nodePrimitives) {
    const defaults = { goal: "align the API", hostName: "ana", idleMs: 30 * 60_000, inviteMs: 10 * 60_000 };
    this.#primitives = primitives;
    this.room = new Room(primitives, { ...defaults, ...options }, this.now);
  }

  link(): InviteLink {
    const { key } = this.room.mint(this.now);
    return { origin: "ws://127.0.0.1:1", room: this.room.id, key, hostKey: this.room.hostKey };
  }

  /** A guest that dials with this link; a copy, since a guest erases the key of its own. */
  join(link: InviteLink, name = "ben"): Guest {
    const member = new Member(this.#primitives, { link: parseLink(formatLink(link)), name }, this.now);
    const guest: Guest = {
      member,
      entries: [],
      effects: [],
      tamperToHost: honest,
      tamperToGuest: honest,
      offline: false,
      source: "198.51.100.7",
      wire: { toHost: [], toGuest: [] },
      connection: undefined,
    };
    this.#guests.push(guest);
    return guest;
  }

  /** Delivers until nothing moves. */
  settle(): void {
    for (let rounds = 0; rounds < 100_000; rounds += 1) {
      this.#performRoom();
      for (const guest of this.#guests) this.#performGuest(guest);
      const next = this.#queue.shift();
      if (next === undefined) return;
      next();
    }
    throw new Error("the world does not come to rest");
  }

  /** Lets time pass in steps of the machines' own deadlines. */
  advance(ms: number): void {
    const end = this.now + ms;
    this.settle();
    for (;;) {
      const deadlines = [
        this.room.nextDeadline(),
        ...this.#guests.map((guest) => guest.member.nextDeadline()),
      ];
      const next = Math.min(...deadlines.map((deadline) => deadline ?? Number.POSITIVE_INFINITY));
      if (next > end) break;
      this.now = Math.max(this.now, next);
      this.room.handle({ type: "tick" }, this.now);
      for (const guest of this.#guests) guest.member.handle({ type: "tick" }, this.now);
      this.settle();
    }
    this.now = end;
  }

  /** Joins and waits until the guest is in. */
  pair(name = "ben"): Guest {
    const guest = this.join(this.link(), name);
    this.settle();
    if (guest.member.link.name !== "connected") throw new Error(`no pairing: ${guest.member.link.name}`);
    return guest;
  }

  /** Forgets a guest whose stay is over, so that thousands can come and go. */
  forget(guest: Guest): void {
    this.cut(guest);
    this.#guests.splice(this.#guests.indexOf(guest), 1);
  }

  /** What the room asked its driver to do, of one kind. */
  did<Type extends RoomEffect["type"]>(type: Type): Extract<RoomEffect, { type: Type }>[] {
    return this.hostEffects.filter(
      (effect): effect is Extract<RoomEffect, { type: Type }> => effect.type === type,
    );
  }

  /** The wire between a guest and the host breaks; both ends notice. */
  cut(guest: Guest): void {
    for (const crossing of this.#crossings.values()) {
      if (crossing.guest !== guest) continue;
      this.#crossings.delete(crossing.connection);
      this.room.handle({ type: "closed", connection: crossing.connection }, this.now);
      guest.member.handle({ type: "closed", connection: crossing.memberConnection }, this.now);
    }
    this.settle();
  }

  /** Only the guest notices that its connection is gone; the host still holds the old socket. */
  loseGuestSide(guest: Guest): void {
    for (const crossing of this.#crossings.values()) {
      if (crossing.guest !== guest) continue;
      this.#crossings.delete(crossing.connection);
      guest.member.handle({ type: "closed", connection: crossing.memberConnection }, this.now);
    }
    this.settle();
  }

  /** A socket of somebody who is no machine of ours. */
  stranger(source = "203.0.113.9"): { connection: number; send: (message: Bytes) => void } {
    const connection = this.#nextConnection();
    this.room.handle({ type: "opened", connection, source }, this.now);
    return {
      connection,
      send: (message) => {
        this.room.handle({ type: "message", connection, message }, this.now);
      },
    };
  }

  /** Messages the room sent to a stranger's connection so far. */
  sentTo(connection: number): Bytes[] {
    this.settle();
    return this.hostEffects.flatMap((effect) =>
      effect.type === "send" && effect.connection === connection ? [effect.message] : [],
    );
  }

  #nextConnection(): number {
    this.#connections += 1;
    return this.#connections;
  }

  #performRoom(): void {
    for (const effect of this.room.takeEffects()) {
      this.hostEffects.push(effect);
      if (effect.type === "entry") this.hostEntries.push(effect.entry);
      if (effect.type === "send") {
        const crossing = this.#crossings.get(effect.connection);
        if (crossing !== undefined) this.#queue.push(() => this.#toGuest(crossing, effect.message));
      }
      if (effect.type === "hangup") {
        const crossing = this.#crossings.get(effect.connection);
        if (crossing !== undefined) this.#queue.push(() => this.#hangup(crossing));
      }
    }
  }

  #performGuest(guest: Guest): void {
    for (const effect of guest.member.takeEffects()) {
      guest.effects.push(effect);
      if (effect.type === "entry") guest.entries.push(effect.entry);
      if (effect.type === "dial") this.#queue.push(() => this.#dial(guest, effect.connection));
      if (effect.type === "send") {
        const crossing = this.#crossingOf(guest, effect.connection);
        if (crossing !== undefined) this.#queue.push(() => this.#toHost(crossing, effect.message));
      }
      if (effect.type === "hangup") {
        const crossing = this.#crossingOf(guest, effect.connection);
        if (crossing !== undefined) this.#queue.push(() => this.#hangup(crossing));
      }
    }
  }

  #dial(guest: Guest, memberConnection: number): void {
    if (guest.offline) return guest.member.handle({ type: "closed", connection: memberConnection }, this.now);
    const connection = this.#nextConnection();
    this.#crossings.set(connection, { guest, connection, memberConnection, toHost: 0, toGuest: 0 });
    guest.connection = connection;
    guest.member.handle({ type: "opened", connection: memberConnection }, this.now);
    this.room.handle({ type: "opened", connection, source: guest.source }, this.now);
  }

  #toGuest(crossing: Crossing, message: Bytes): void {
    if (!this.#crossings.has(crossing.connection)) return;
    crossing.guest.wire.toGuest.push(message);
    const arriving = crossing.guest.tamperToGuest(message, crossing.toGuest);
    crossing.toGuest += 1;
    for (const arrived of arriving) {
      const { memberConnection: connection } = crossing;
      crossing.guest.member.handle({ type: "message", connection, message: arrived }, this.now);
    }
  }

  #toHost(crossing: Crossing, message: Bytes): void {
    if (!this.#crossings.has(crossing.connection)) return;
    crossing.guest.wire.toHost.push(message);
    const arriving = crossing.guest.tamperToHost(message, crossing.toHost);
    crossing.toHost += 1;
    for (const arrived of arriving) {
      this.room.handle({ type: "message", connection: crossing.connection, message: arrived }, this.now);
    }
  }

  #hangup(crossing: Crossing): void {
    if (!this.#crossings.delete(crossing.connection)) return;
    this.room.handle({ type: "closed", connection: crossing.connection }, this.now);
    crossing.guest.member.handle({ type: "closed", connection: crossing.memberConnection }, this.now);
  }

  #crossingOf(guest: Guest, memberConnection: number): Crossing | undefined {
    return [...this.#crossings.values()].find(
      (crossing) => crossing.guest === guest && crossing.memberConnection === memberConnection,
    );
  }
}

/** The texts of a participant's log, in order. */
export function texts(entries: readonly Entry[]): string[] {
  return entries.flatMap((entry) => (entry.kind === "chat" ? [entry.text] : []));
}

/** What an effect list of a guest holds of one kind. */
export function guestDid<Type extends MemberEffect["type"]>(
  guest: Guest,
  type: Type,
): Extract<MemberEffect, { type: Type }>[] {
  return guest.effects.filter(
    (effect): effect is Extract<MemberEffect, { type: Type }> => effect.type === type,
  );
}

/** Why a guest's stay is over: the code of its failure, or who ended it. */
export function endOf(guest: Guest): string | undefined {
  const { link } = guest.member;
  if (link.name !== "ended") return undefined;
  return link.end.by === "failure" ? link.end.error.code : link.end.by;
}

/** The same bytes with one bit turned over; bit 0 is the highest of the first byte. */
export function flipBit(message: Bytes, bit: number): Bytes {
  const copy = message.slice();
  const at = bit >> 3;
  copy[at] = (copy[at] ?? 0) ^ (0x80 >> (bit & 7));
  return copy;
}

export { inviteCredential, nodePrimitives };
