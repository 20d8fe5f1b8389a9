import { concat, type Bytes } from "../../../src/protocol/base/bytes.ts";
import { codeOf } from "../../support/thrown.ts";
import { flipBit, nodePrimitives, World, type Guest, type Tamper } from "../../support/wire.ts";
import { encodeUtf8 } from "../../../src/protocol/base/utf8.ts";

export type Way = "toHost" | "toGuest";
const OTHER = { toHost: "toGuest", toGuest: "toHost" } as const;
const TAMPER = { toHost: "tamperToHost", toGuest: "tamperToGuest" } as const;
const EMPTY = new Uint8Array(0);

/** A short conversation over a path that somebody controls, with a second guest whose traffic can be fed across. */
export class Conversation {
  readonly world = new World();
  readonly guest: Guest;
  readonly other: Guest;
  /** The messages of each sender, in the order in which they were said. */
  readonly said: { host: string[]; guest: string[] } = { host: [], guest: [] };

  constructor(prepare: (guest: Guest, other: Guest) => void) {
    this.other = this.world.pair("cid");
    this.world.room.say({ text: "before" }, this.world.now);
    this.world.settle();
    this.guest = this.world.join(this.world.link());
    prepare(this.guest, this.other);
    this.world.settle();
  }

  /** Each says something, a number of times; who is not (or no longer) in the room stays silent. */
  talk(rounds = 3): void {
    for (let round = 0; round < rounds; round += 1) {
      const { world, guest, said } = this;
      const [ours, theirs] = [`host ${said.host.length}`, `guest ${said.guest.length}`];
      // Nothing from before a member's arrival is ever told to it.
      const isIn = world.room.presence(world.now).some(({ id }) => id === guest.member.self);
      if (isIn && codeOf(() => world.room.say({ text: ours }, world.now)) === undefined) said.host.push(ours);
      world.settle();
      if (codeOf(() => guest.member.say({ text: theirs }, world.now)) === undefined) said.guest.push(theirs);
      world.settle();
      // Less than any wait before a new connection, and enough for an acknowledgement to go out.
      world.advance(60);
    }
  }

  get alarms(): string[] {
    const guests = this.guest.effects.flatMap((effect) =>
      effect.type === "alarm" ? [effect.error.code] : [],
    );
    const host = this.world
      .did("alarm")
      .filter(({ member }) => member === this.guest.member.self)
      .map(({ error }) => error.code);
    return [...guests, ...host];
  }

  get heardByGuest(): string[] {
    return textsOf(this.guest.entries, "host ");
  }

  get heardByHost(): string[] {
    return textsOf(this.world.hostEntries, "guest ");
  }
}

function textsOf(entries: Guest["entries"], start: string): string[] {
  return entries.flatMap((entry) =>
    entry.kind === "chat" && entry.text.startsWith(start) ? [entry.text] : [],
  );
}

/** A change by a party on the path to the message at one position. */
export interface Attack {
  readonly name: string;
  readonly change: (
    message: Bytes,
    seen: { ownWay: Bytes[]; otherWay: Bytes[]; foreign: Bytes[] },
  ) => Bytes[];
}

const last = (messages: Bytes[]): Bytes => messages.at(-1) ?? EMPTY;

export const ATTACKS: readonly Attack[] = [
  { name: "drops", change: () => [] },
  { name: "duplicates", change: (message) => [message, message] },
  { name: "replays an older message instead of", change: (_, { ownWay }) => [ownWay.at(-2) ?? EMPTY] },
  {
    name: "replays an older message after",
    change: (message, { ownWay }) => [message, ownWay.at(-2) ?? EMPTY],
  },
  { name: "reflects the other direction instead of", change: (_, { otherWay }) => [last(otherWay)] },
  {
    name: "reflects the other direction after",
    change: (message, { otherWay }) => [message, last(otherWay)],
  },
  { name: "feeds in another connection's message for", change: (_, { foreign }) => [last(foreign)] },
  { name: "turns a bit of", change: (message) => [flipBit(message, 77 % (message.length * 8))] },
  { name: "shortens", change: (message) => [message.subarray(0, message.length - 1)] },
  { name: "lengthens", change: (message) => [concat(message, Uint8Array.of(0))] },
  {
    name: "inserts a random record before",
    change: (message) => [concat(Uint8Array.of(0x10), nodePrimitives.random(255)), message],
  },
  {
    name: "inserts an event in clear before",
    change: (message) => [encodeUtf8(`{"type":"system","text":"approved","seq":9000000000000000}`), message],
  },
];

/** Mounts an attack on the message at `position` of the first connection, once. */
export function mount(attack: Attack, way: Way, position: number): (guest: Guest, other: Guest) => void {
  return (guest, other) => {
    let done = false;
    guest[TAMPER[way]] = (message, at) => {
      if (done || at !== position) return [message];
      done = true;
      const [ownWay, otherWay] = [guest.wire[way], guest.wire[OTHER[way]]];
      return attack.change(message, { ownWay, otherWay, foreign: other.wire[way] });
    };
  };
}

/** Exchanges the message at `position` with the one behind it, once. */
export function swap(way: Way, position: number): (guest: Guest) => void {
  return (guest) => {
    let held: Bytes | undefined;
    let done = false;
    guest[TAMPER[way]] = (message, at) => {
      if (held !== undefined) {
        const [first, second] = [message, held];
        held = undefined;
        return [first, second];
      }
      if (done || at !== position) return [message];
      done = true;
      held = message;
      return [];
    };
  };
}

/** From `position` on nothing arrives any more that way. */
export const silenceFrom =
  (position: number): Tamper =>
  (message, at) =>
    at < position ? [message] : [];
