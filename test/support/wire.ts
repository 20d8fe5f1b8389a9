import type { Bytes } from "../../src/protocol/base/bytes.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import { inviteCredential } from "../../src/protocol/handshake/keys.ts";
import { formatLink, parseLink, type InviteLink } from "../../src/protocol/handshake/invite-link.ts";
import type { GuestEffect, GuestInput } from "../../src/protocol/guest/guest-io.ts";
import { Guest as GuestMachine } from "../../src/protocol/guest/guest.ts";
import type { Primitives } from "../../src/protocol/base/primitives.ts";
import type { RoomEffect, RoomInput, RoomOptions } from "../../src/protocol/host/room-io.ts";
import type { ObserverSeat } from "../../src/protocol/host/invites.ts";
import { Room } from "../../src/protocol/host/room.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { fallInto, honest, type Guest, type Way } from "../simulation/crossing.ts";
import { Wire } from "../simulation/wire.ts";

export type { Guest, Tamper } from "../simulation/crossing.ts";
export { endOf, flipBit, guestDid, texts } from "../simulation/crossing.ts";

/** The outcome of dialling an address: the host, an error at once, the word that nobody is there, or silence. */
export type OriginState = "up" | "dead" | "gone" | "hole";

/** The host's first address. */
export const ORIGIN = "ws://127.0.0.1:1";

/** What the host of a test chooses unless the test does: how long its invites live, and when an idle room ends. */
export const INVITE_MS = 10 * 60_000;
const IDLE_MS = 30 * 60_000;

/** Hears every effect when it is carried out; `guest` is missing for those of the room. */
export type Observer = (guest: Guest | undefined, effect: RoomEffect | GuestEffect) => void;

/**
 * A room and its guests over an in-memory wire with a clock of its own: nothing here waits or sleeps. Each direction of a
 * connection keeps its order, as TCP does, and takes `latency`; who should be worse off has a tamperer.
 */
export class World {
  now = 1_700_000_000_000;
  readonly room: Room;
  readonly hostEntries: Guest["entries"] = [];
  readonly hostEffects: RoomEffect[] = [];
  readonly origins = new Map<string, OriginState>([[ORIGIN, "up"]]);
  /** How long the next message to this guest, or from it, takes. */
  latency: (guest: Guest) => number = () => 0;
  observe: Observer = () => {};
  /** Keeps every message and effect for whoever asks later. */
  isRecording = true;
  /** How far the host's clock is ahead. */
  hostSkew = 0;
  readonly #wire: Wire;
  readonly #guests: Guest[] = [];
  /** When connections get new keys, at either end. */
  readonly #rekey: RoomOptions["rekey"];
  readonly #primitives: Primitives;
  /** Whose effects have to be carried out. */
  readonly #dirty = new Set<Guest>();
  #isRoomDirty = true;
  #roomWakesAt = Number.POSITIVE_INFINITY;
  /** Inputs that arrive at a host that sleeps. */
  #hostHeld: (() => void)[] | undefined;

  constructor(options: Partial<RoomOptions> = {}, primitives: Primitives = nodePrimitives) {
    const defaults = {
      goal: "align the API",
      hostName: "ana",
      history: false,
      idleMs: IDLE_MS,
      inviteMs: INVITE_MS,
    };
    this.#primitives = primitives;
    this.#rekey = options.rekey;
    this.#wire = new Wire({
      now: () => this.now,
      latency: (guest) => this.latency(guest),
      isRecording: () => this.isRecording,
      admits: (guest) => this.room.admits(guest.source, this.hostNow),
      tellRoom: (input) => this.#tellRoom(input),
      tellGuest: (guest, input) => this.#tellGuest(guest, input),
    });
    this.room = new Room(primitives, { ...defaults, ...options }, this.now);
  }

  link(origin = ORIGIN, seat?: ObserverSeat): InviteLink {
    const { key } = this.room.mint(this.hostNow, seat);
    return { origin, room: this.room.id, key, hostKey: this.room.hostKey, role: seat?.role };
  }

  /** An observer that is in. */
  observer(name = "cat", seat: Partial<ObserverSeat> = {}): Guest {
    const guest = this.join(this.link(ORIGIN, { role: "observer", lifeMs: 60 * 60_000, ...seat }), name);
    this.settle();
    if (guest.member.connection.name !== "connected")
      throw new Error(`no observer: ${guest.member.connection.name}`);
    return guest;
  }

  get hostNow(): number {
    return this.now + this.hostSkew;
  }

  get isHostAsleep(): boolean {
    return this.#hostHeld !== undefined;
  }

  /** The time by this guest's clock. */
  nowOf(guest: Guest): number {
    return this.now + guest.skew;
  }

  /** A guest that dials with this link; a copy, since a guest erases the key of its own. */
  join(link: InviteLink, name = "ben"): Guest {
    const member = new GuestMachine(
      this.#primitives,
      { link: parseLink(formatLink(link)), name, rekey: this.#rekey },
      this.now,
    );
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
      skew: 0,
      held: undefined,
      wakesAt: Number.POSITIVE_INFINITY,
    };
    this.#guests.push(guest);
    return guest;
  }

  /** Delivers until nothing moves at this moment; what is under way stays under way. */
  settle(): void {
    // Tests call the machines directly, so anybody may have something to do.
    this.#isRoomDirty = true;
    for (const guest of this.#guests) this.#dirty.add(guest);
    this.#deliver();
  }

  /** Lets time pass in steps of the machines' own deadlines and of what arrives. */
  advance(ms: number): void {
    const end = this.now + ms;
    this.settle();
    for (let turns = 0; turns < 10_000; turns += 1) {
      let next = Math.min(this.#roomWakesAt, this.#wire.next);
      for (const guest of this.#guests) next = Math.min(next, guest.wakesAt);
      if (next > end) {
        this.now = end;
        return;
      }
      // A machine that is woken in vain wants to be woken again at once.
      if (next > this.now) turns = 0;
      this.now = Math.max(this.now, next);
      if (this.#roomWakesAt <= this.now) this.#tellRoom({ type: "tick" });
      for (const guest of this.#guests)
        if (guest.wakesAt <= this.now) this.#tellGuest(guest, { type: "tick" });
      this.#deliver();
    }
    throw new Error("time does not pass");
  }

  /** Joins and waits until the guest is in. */
  pair(name = "ben"): Guest {
    const guest = this.join(this.link(), name);
    this.settle();
    if (guest.member.connection.name !== "connected")
      throw new Error(`no pairing: ${guest.member.connection.name}`);
    return guest;
  }

  /** Forgets a guest whose stay is over, so that thousands can come and go. */
  forget(guest: Guest): void {
    this.cut(guest);
    this.#guests.splice(this.#guests.indexOf(guest), 1);
    this.#wire.forget(guest);
  }

  /** The effects of one kind so far. */
  did<Type extends RoomEffect["type"]>(type: Type): Extract<RoomEffect, { type: Type }>[] {
    return this.hostEffects.filter(
      (effect): effect is Extract<RoomEffect, { type: Type }> => effect.type === type,
    );
  }

  // --- what goes wrong ---

  /** The wire between a guest and the host breaks; both ends notice. */
  cut(guest: Guest): void {
    for (const crossing of this.#wire.of(guest)) this.#wire.lose(crossing);
    this.settle();
  }

  /** Only the guest notices that its connection is gone; the host still holds the old socket. */
  loseGuestSide(guest: Guest): void {
    for (const crossing of this.#wire.of(guest)) this.#wire.loseGuest(crossing);
    this.settle();
  }

  /** Only the host notices; the guest waits for somebody who is not there any more. */
  loseHostSide(guest: Guest): void {
    for (const crossing of this.#wire.of(guest)) this.#wire.loseHost(crossing);
    this.settle();
  }

  /** Nothing arrives any more that way, and nobody is told: only silence says so. For the connections of now. */
  blackHole(guest: Guest, ways: readonly Way[] = ["toHost", "toGuest"]): void {
    for (const crossing of this.#wire.of(guest)) fallInto(crossing, ways);
  }

  /** An address of the host changes, and with it every connection over it that cannot go on. */
  setOrigin(origin: string, state: OriginState): void {
    this.origins.set(origin, state);
    for (const crossing of state === "up" ? [] : this.#wire.over(origin)) {
      if (state === "hole") fallInto(crossing);
      else this.#wire.lose(crossing);
    }
    this.settle();
  }

  /** Whether what each says to the other would arrive now. */
  isWhole(guest: Guest): boolean {
    const isAwake = guest.held === undefined && !this.isHostAsleep;
    const isUp = this.#wire
      .of(guest)
      .some(({ hostUp, guestUp, toHost, toGuest }) => hostUp && guestUp && !toHost.isHole && !toGuest.isHole);
    return isAwake && isUp && guest.member.connection.name === "connected";
  }

  /** Whether the host, which reads a heavy talker slowly (E1), has read all that has come of this guest. */
  isRead(guest: Guest): boolean {
    return this.#wire.of(guest).every(({ unread }) => unread.length === 0);
  }

  /** Connections of this guest that either end believes in. */
  connectionsOf(guest: Guest): number {
    return this.#wire.of(guest).length;
  }

  /** A lid is closed: no timer runs and nothing is read, while the other end goes on. */
  sleep(who: Guest | "host"): void {
    this.settle();
    if (who === "host") this.#hostHeld ??= [];
    else who.held ??= [];
    this.settle();
  }

  /** The lid is opened: what has piled up arrives, before or after the first timer. */
  wake(who: Guest | "host", timersFirst = true): void {
    const held = who === "host" ? this.#hostHeld : who.held;
    if (held === undefined) return;
    if (who === "host") this.#hostHeld = undefined;
    else who.held = undefined;
    const tick = (): void =>
      who === "host" ? this.#tellRoom({ type: "tick" }) : this.#tellGuest(who, { type: "tick" });
    if (timersFirst) tick();
    for (const arrive of held) arrive();
    if (!timersFirst) tick();
    this.settle();
  }

  // --- strangers ---

  /** A socket of somebody who is no machine of ours. */
  stranger(source = "203.0.113.9"): { connection: number; send: (message: Bytes) => void } {
    const connection = this.#wire.nextConnection();
    this.#tellRoom({ type: "opened", connection, source });
    return { connection, send: (message) => this.#tellRoom({ type: "message", connection, message }) };
  }

  /** Messages the room sent to a stranger's connection so far. */
  sentTo(connection: number): Bytes[] {
    this.settle();
    return this.hostEffects.flatMap((effect) =>
      effect.type === "send" && effect.connection === connection ? [effect.message] : [],
    );
  }

  // --- the machines ---

  #tellRoom(input: RoomInput): void {
    if (this.#hostHeld !== undefined) {
      this.#hostHeld.push(() => this.#tellRoom(input));
      return;
    }
    this.room.handle(input, this.hostNow);
    this.#isRoomDirty = true;
  }

  #tellGuest(guest: Guest, input: GuestInput): void {
    if (guest.held !== undefined) {
      guest.held.push(() => this.#tellGuest(guest, input));
      return;
    }
    guest.member.handle(input, this.nowOf(guest));
    this.#dirty.add(guest);
  }

  #deliver(): void {
    for (let rounds = 0; rounds < 1_000_000; rounds += 1) {
      if (this.#isRoomDirty) this.#performRoom();
      if (this.#dirty.size > 0) this.#performGuests();
      const next = this.#wire.take();
      if (next !== undefined) next();
      else if (!this.#isRoomDirty && this.#dirty.size === 0) return;
    }
    throw new Error("the world does not come to rest");
  }

  #performRoom(): void {
    this.#isRoomDirty = false;
    for (const effect of this.room.takeEffects()) {
      if (this.isRecording) this.hostEffects.push(effect);
      if (effect.type === "entry") this.hostEntries.push(effect.entry);
      this.observe(undefined, effect);
      const crossing = "connection" in effect ? this.#wire.at(effect.connection) : undefined;
      if (crossing === undefined) continue;
      if (effect.type === "send") this.#wire.send(crossing, "toGuest", effect.message);
      if (effect.type === "close") this.#wire.close(crossing, "toGuest");
      if (effect.type === "pause") crossing.readsAt = Math.max(crossing.readsAt, this.now + effect.ms);
    }
    const wakesAt = this.#hostHeld === undefined ? this.room.nextDeadline() : undefined;
    this.#roomWakesAt = wakesAt === undefined ? Number.POSITIVE_INFINITY : wakesAt - this.hostSkew;
  }

  #performGuests(): void {
    for (const guest of this.#dirty) {
      this.#dirty.delete(guest);
      for (const effect of guest.member.takeEffects()) {
        if (this.isRecording) guest.effects.push(effect);
        if (effect.type === "entry") guest.entries.push(effect.entry);
        this.observe(guest, effect);
        if (effect.type === "dial") this.#wire.soon(() => this.#dial(guest, effect));
        if (effect.type !== "send" && effect.type !== "close") continue;
        const crossing = this.#wire.of(guest).find((one) => one.memberConnection === effect.connection);
        if (crossing === undefined) continue;
        if (effect.type === "send") this.#wire.send(crossing, "toHost", effect.message);
        else this.#wire.close(crossing, "toHost");
      }
      const wakesAt = guest.held === undefined ? guest.member.nextDeadline() : undefined;
      guest.wakesAt = wakesAt === undefined ? Number.POSITIVE_INFINITY : wakesAt - guest.skew;
    }
  }

  #dial(guest: Guest, { connection, origin }: Extract<GuestEffect, { type: "dial" }>): void {
    const state = this.origins.get(origin) ?? "dead";
    if (guest.offline || state === "dead" || this.room.ended !== undefined)
      return this.#tellGuest(guest, { type: "closed", connection });
    if (state === "gone") {
      const error = new TunnelError("tunnel-gone");
      return this.#tellGuest(guest, { type: "failed", connection, error, isGone: true });
    }
    if (state === "up" && !this.isHostAsleep) this.#wire.open(guest, connection, origin);
  }
}

export { inviteCredential, nodePrimitives };
