import type { Bytes } from "../../src/protocol/base/bytes.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import type { GuestInput } from "../../src/protocol/guest/guest-io.ts";
import type { RoomInput } from "../../src/protocol/host/room-io.ts";
import { crossingBetween, type Crossing, type Guest, type Way } from "./crossing.ts";
import { Timeline } from "./timeline.ts";

/** Who is at the ends of the wire, and what holds for it. */
export interface Ends {
  now: () => number;
  /** How long the next message to this guest, or from it, takes. */
  latency: (guest: Guest) => number;
  /** Whether every message is kept for whoever asks later. */
  isRecording: () => boolean;
  /** Whether the host's door serves this one at all (A3). */
  admits: (guest: Guest) => boolean;
  tellRoom: (input: RoomInput) => void;
  tellGuest: (guest: Guest, input: GuestInput) => void;
}

/** Every connection of a world and what is under way on it. Each direction keeps its order, as TCP does. */
export class Wire {
  readonly #ends: Ends;
  readonly #timeline = new Timeline();
  readonly #crossings = new Map<number, Crossing>();
  readonly #crossingsOf = new Map<Guest, readonly Crossing[]>();
  #connections = 0;

  constructor(ends: Ends) {
    this.#ends = ends;
  }

  nextConnection(): number {
    this.#connections += 1;
    return this.#connections;
  }

  /** Connections of this guest that either end believes in. */
  of(guest: Guest): readonly Crossing[] {
    return this.#crossingsOf.get(guest) ?? [];
  }

  at(connection: number): Crossing | undefined {
    return this.#crossings.get(connection);
  }

  over(origin: string): Crossing[] {
    return [...this.#crossings.values()].filter((crossing) => crossing.origin === origin);
  }

  forget(guest: Guest): void {
    this.#crossingsOf.delete(guest);
  }

  // --- time ---

  /** When something that is under way arrives. */
  get next(): number {
    return this.#timeline.next;
  }

  take(): (() => void) | undefined {
    return this.#timeline.take(this.#ends.now());
  }

  soon(happen: () => void): void {
    this.#timeline.at(this.#ends.now(), this.#ends.now(), happen);
  }

  // --- what the ends do ---

  open(guest: Guest, memberConnection: number, origin: string): void {
    const connection = this.nextConnection();
    const crossing = crossingBetween({ guest, connection, memberConnection, origin });
    this.#crossings.set(connection, crossing);
    this.#crossingsOf.set(guest, [...this.of(guest), crossing]);
    guest.connection = connection;
    this.#carry(crossing, "toHost", () => {
      if (!crossing.hostUp) return;
      if (!this.#ends.admits(guest)) return this.#turnAway(crossing);
      this.#carry(crossing, "toGuest", () => {
        if (crossing.guestUp) this.#ends.tellGuest(guest, { type: "opened", connection: memberConnection });
      });
      this.#ends.tellRoom({ type: "opened", connection, source: guest.source });
    });
  }

  /** The relay's answer is status 429; the room never hears of it. */
  #turnAway(crossing: Crossing): void {
    const { guest, memberConnection: connection } = crossing;
    crossing.hostUp = false;
    this.#carry(crossing, "toGuest", () => {
      if (!crossing.guestUp || crossing.toGuest.isHole) return;
      crossing.guestUp = false;
      this.#drop(crossing);
      const error = new TunnelError("host-unreachable", { detail: "HTTP 429" });
      this.#ends.tellGuest(guest, { type: "failed", connection, error, isBusy: true });
    });
  }

  send(crossing: Crossing, way: Way, message: Bytes): void {
    this.#carry(crossing, way, () =>
      way === "toHost" ? this.#arriveAtHost(crossing, message) : this.#arriveAtGuest(crossing, message),
    );
  }

  /** One end closes: what it said before arrives first, then the other end is told, unless a hole swallows both. */
  close(crossing: Crossing, way: Way): void {
    this.soon(() => (way === "toGuest" ? this.loseHost(crossing) : this.loseGuest(crossing)));
    this.#carry(crossing, way, () => {
      if (way === "toHost") this.#arriveAtHost(crossing, "end");
      else if (!crossing.toGuest.isHole) this.loseGuest(crossing);
    });
  }

  lose(crossing: Crossing): void {
    this.loseHost(crossing);
    this.loseGuest(crossing);
  }

  loseHost(crossing: Crossing): void {
    if (!crossing.hostUp) return;
    crossing.hostUp = false;
    this.#ends.tellRoom({ type: "closed", connection: crossing.connection });
    if (!crossing.guestUp) this.#drop(crossing);
  }

  loseGuest(crossing: Crossing): void {
    if (!crossing.guestUp) return;
    crossing.guestUp = false;
    this.#ends.tellGuest(crossing.guest, { type: "closed", connection: crossing.memberConnection });
    if (!crossing.hostUp) this.#drop(crossing);
  }

  #drop(crossing: Crossing): void {
    this.#crossings.delete(crossing.connection);
    const others = this.of(crossing.guest).filter((other) => other !== crossing);
    this.#crossingsOf.set(crossing.guest, others);
  }

  // --- under way ---

  #carry(crossing: Crossing, way: Way, arrive: () => void): void {
    const direction = crossing[way];
    const now = this.#ends.now();
    direction.dueAt = Math.max(direction.dueAt, now + this.#ends.latency(crossing.guest));
    this.#timeline.at(direction.dueAt, now, arrive);
  }

  #arriveAtGuest(crossing: Crossing, message: Bytes): void {
    const { guest, toGuest, memberConnection: connection } = crossing;
    if (!crossing.guestUp || toGuest.isHole) return;
    if (this.#ends.isRecording()) guest.wire.toGuest.push(message);
    const arriving = guest.tamperToGuest(message, toGuest.passed);
    toGuest.passed += 1;
    for (const arrived of arriving)
      this.#ends.tellGuest(guest, { type: "message", connection, message: arrived });
  }

  #arriveAtHost(crossing: Crossing, message: Bytes | "end"): void {
    if (!crossing.hostUp || crossing.toHost.isHole) return;
    crossing.unread.push(message);
    if (crossing.unread.length === 1) this.#read(crossing);
  }

  /** One message after the other: each may make the host pause. */
  #read(crossing: Crossing): void {
    const { guest, toHost, connection, readsAt, unread } = crossing;
    const now = this.#ends.now();
    if (readsAt > now) return this.#timeline.at(readsAt, now, () => this.#read(crossing));
    const message = unread.shift();
    if (message === undefined || !crossing.hostUp) return;
    if (message === "end") return this.loseHost(crossing);
    if (this.#ends.isRecording()) guest.wire.toHost.push(message);
    const arriving = guest.tamperToHost(message, toHost.passed);
    toHost.passed += 1;
    for (const arrived of arriving) this.#ends.tellRoom({ type: "message", connection, message: arrived });
    if (unread.length > 0) this.soon(() => this.#read(crossing));
  }
}
