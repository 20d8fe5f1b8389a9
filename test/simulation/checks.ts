import assert from "node:assert/strict";
import { LINK } from "../../src/protocol/base/limits.ts";
import type { GuestEffect, GuestEnd } from "../../src/protocol/guest/guest-io.ts";
import type { RoomEffect } from "../../src/protocol/host/room-io.ts";
import type { Entry } from "../../src/protocol/room/log.ts";
import { Order } from "./order.ts";
import { Participant } from "./participant.ts";
import { Reader } from "./reader.ts";
import { ORIGIN, type Guest, type World } from "../support/wire.ts";

export interface Circumstances {
  /** Somebody sits on the wire and changes what passes. */
  readonly isHostile: boolean;
  readonly hasHistory: boolean;
  readonly hasReaders: boolean;
  /** An address has said that no tunnel is there. */
  saidGone: boolean;
}

/** Records begin with this byte; what a guest seals before it is in is CONFIRM. */
const RECORD_KIND = 0x10;
const MAX_SECRETS = 8;
/** Waits for somebody who reads on: less than what goes out ahead of a last word, whatever is under way (D10, G5). */
const SMALL_CHARS = 900_000;
/** Less than that even if nothing of it has been confirmed. */
const SMALL_ROOM_CHARS = 1_900_000;
/** What a place holds at most of which nothing is known. */
const UNKNOWN_CHARS = 60_000;

/** Looks at every effect as it happens: what must hold at every moment is checked when it could first be broken. */
export class Checks {
  readonly order: Order;
  readonly #world: World;
  readonly #circumstances: Circumstances;
  readonly #participants: Participant[] = [];
  readonly #byGuest = new Map<Guest | undefined, Participant>();
  readonly #lostSeat = new Map<string, string>();
  readonly #reached = new Set<number>();
  alarms = 0;
  /** Times somebody dialled who was in already. */
  redials = 0;
  /** Times somebody dialled another address than the first one. */
  moves = 0;
  /** Why stays ended. */
  readonly ends: string[] = [];

  constructor(world: World, circumstances: Circumstances) {
    this.#world = world;
    this.#circumstances = circumstances;
    this.order = new Order(circumstances.hasHistory, world.room.self, "ana");
    world.observe = (guest, effect) =>
      guest === undefined ? this.#roomDid(effect) : this.#guestDid(guest, effect);
  }

  add(guest: Guest | undefined, hasRival = false): Participant {
    const { room, hostNow } = this.#world;
    const id = guest?.member.self ?? room.self;
    const reader = this.#circumstances.hasReaders ? new Reader(id) : undefined;
    const index = this.#participants.length;
    const participant = new Participant({ index, guest, id, now: hostNow, hasRival, reader });
    this.#participants.push(participant);
    this.#byGuest.set(guest, participant);
    return participant;
  }

  get all(): readonly Participant[] {
    return this.#participants;
  }

  /** Whether the host has taken the seat of this one away, and why. */
  lostSeat(participant: Participant): string | undefined {
    return this.#lostSeat.get(participant.id);
  }

  // --- effects ---

  #roomDid(effect: RoomEffect | GuestEffect): void {
    if (effect.type === "entry") this.#toldHost(effect.entry);
    else if (effect.type === "ended") this.#roomEnded();
    else if (effect.type === "alarm") this.#alarmed(effect.error.code);
    else if (effect.type === "reached") this.#hasReached(effect.seq);
  }

  #guestDid(guest: Guest, effect: RoomEffect | GuestEffect): void {
    const participant = this.#byGuest.get(guest);
    assert.ok(participant !== undefined);
    if (effect.type === "entry") this.#told(participant, effect.entry);
    else if (effect.type === "ended" && "end" in effect) this.#guestEnded(participant, guest, effect.end);
    else if (effect.type === "alarm") this.#alarmed(effect.error.code);
    else if (effect.type === "dial" && "origin" in effect) {
      participant.dials += 1;
      if (guest.member.membership !== undefined) this.redials += 1;
      if (effect.origin !== ORIGIN) this.moves += 1;
    } else if (effect.type === "placed") {
      const message = participant.said[effect.n - 1];
      assert.equal(message?.place, effect.seq, `the place of message ${effect.n}`);
    } else if (effect.type === "send" && effect.message[0] === RECORD_KIND) {
      // Until WELCOME comes, the host may have taken up the secret that this CONFIRM is about (K7).
      const isIn = guest.member.connection.name === "connected";
      participant.dials = 0;
      participant.secrets = isIn ? 1 : Math.min(MAX_SECRETS, participant.secrets + 1);
    }
  }

  /** Somebody in the middle can spoil a record; what no record holds cannot come out of one. */
  #alarmed(code: string): void {
    // A member of whom nothing arrives for a while is named as slow (E3), which is no damage.
    if (code === "member-slow") return;
    this.alarms += 1;
    assert.equal(code, this.#circumstances.isHostile ? "integrity-failed" : "no alarm at all");
  }

  #told(participant: Participant, entry: Entry): void {
    this.order.tell(participant, entry, this.#participants);
    participant.reader?.append(entry);
  }

  #toldHost(entry: Entry): void {
    const host = this.#byGuest.get(undefined);
    assert.ok(host !== undefined);
    this.#told(host, entry);
    if (entry.kind === "system" && entry.event === "left") this.#lostSeat.set(entry.member, entry.cause);
  }

  /** The host's own message is where it was meant to go, and said to be so once. */
  #hasReached(seq: number): void {
    const said = this.order.saidAt(seq);
    assert.ok(said !== undefined && said.signer.guest === undefined, `nothing of the host at ${seq}`);
    assert.ok(!this.#reached.has(seq), `place ${seq} reached twice`);
    this.#reached.add(seq);
    const isThere = this.#participants.some(
      (one) => one.guest !== undefined && one.isMeant(said.signer, said.message) && one.last >= seq,
    );
    assert.ok(isThere, `nobody has place ${seq}`);
  }

  // --- what is certain, and of whom ---

  /** Whether nothing keeps what this one says from the host, or what the host says from it. */
  isInTouch({ guest, id }: Participant): boolean {
    // A host that wakes from a long sleep counts everybody as silent before it does anything else.
    const presence = this.#world.room.presence(this.#world.hostNow);
    if (presence.find((one) => one.id === id)?.connected !== true) return false;
    if (guest === undefined || this.#circumstances.isHostile || !this.#world.isWhole(guest)) return false;
    // So does a guest that has slept: it drops the connection before it reads what came meanwhile.
    return this.#world.nowOf(guest) - guest.member.lastHeard < LINK.pingEveryMs + LINK.answerMs;
  }

  excuseAll(): void {
    for (const participant of this.#participants) participant.excuse();
  }

  /** It is about to leave. */
  leaves(participant: Participant, guest: Guest): void {
    if (guest.member.connection.name === "ended") return;
    // Whoever goes does not wait for what is still on its way.
    participant.excuse();
    participant.hasLeft = true;
    participant.mustBeSeenLeaving = this.isInTouch(participant);
    const waiting = participant.said.slice(participant.said.length - guest.member.unplaced);
    const chars = waiting.reduce((sum, { text }) => sum + text.length, 0);
    participant.mustBeHeard = participant.mustBeSeenLeaving && chars < SMALL_ROOM_CHARS;
  }

  /** It is about to be removed. */
  isRemoved(participant: Participant, guest: Guest): void {
    // Goodbyes on their way come to nobody.
    participant.excuse();
    participant.mustHearRemoval = !participant.hasLeft && this.isInTouch(participant);
    if (participant.mustHearRemoval && this.#isSmall(guest))
      participant.mustHearUpTo = this.#world.room.lastSeq;
  }

  #roomEnded(): void {
    for (const participant of this.#participants) {
      const { guest } = participant;
      if (guest === undefined || participant.mustHearRemoval) continue;
      participant.excuse();
      participant.mustHearTheEnd = this.isInTouch(participant);
      if (participant.mustHearTheEnd && this.#isSmall(guest))
        participant.mustHearUpTo = this.#world.room.lastSeq;
    }
  }

  /** Whether everything that it has not heard goes out before a last word (G5). */
  #isSmall(guest: Guest): boolean {
    let unheard = 0;
    for (let seq = guest.member.lastSeq + 1; seq <= this.#world.room.lastSeq; seq += 1)
      unheard += this.order.saidAt(seq)?.message.text.length ?? UNKNOWN_CHARS;
    return unheard < SMALL_CHARS;
  }

  // --- ends ---

  /** Nobody's stay ends without a reason that is true. */
  #guestEnded(participant: Participant, guest: Guest, end: GuestEnd): void {
    this.ends.push(end.by === "failure" ? end.error.code : end.by);
    switch (end.by) {
      case "self":
        return assert.ok(participant.hasLeft, "left without leaving");
      case "host":
        return assert.equal(end.cause, this.#world.room.ended, "why the room ended");
      case "removal":
        return assert.match(this.lostSeat(participant) ?? "still seated", /^(fell-behind|removed)$/);
      case "failure":
        return this.#failed(participant, guest, end.error.code);
    }
  }

  #failed(participant: Participant, guest: Guest, code: string): void {
    const { isHostile, saidGone } = this.#circumstances;
    const isSeatless = this.lostSeat(participant) !== undefined;
    if (code === "host-unreachable") {
      const silence = this.#world.nowOf(guest) - guest.member.lastHeard;
      return assert.ok(silence >= LINK.giveUpMs, `gave up after ${silence} ms`);
    }
    if (code === "tunnel-gone") {
      assert.ok(saidGone || participant.dials >= LINK.deniedRounds, "believed one denial");
      return assert.ok(isHostile || saidGone || isSeatless, "a seat that is there");
    }
    const isOver = participant.hasRival || isSeatless || this.#world.hostNow >= participant.inviteEndsAt;
    const isRefused = code === "invite-refused" && isOver;
    const mayHappen = guest.member.membership === undefined && (isHostile || isRefused);
    assert.ok(mayHappen, `${code} ended the stay of ${participant.index}`);
  }
}
