import assert from "node:assert/strict";
import type { Bytes } from "../../../src/protocol/base/bytes.ts";
import type { Bounds } from "../../../src/protocol/compaction/bounds.ts";
import { compactGuest } from "../../../src/protocol/compaction/guest.ts";
import { compactRoom } from "../../../src/protocol/compaction/room.ts";
import { finished, type Keeper } from "../../../src/protocol/keeping/keeper.ts";
import type { GuestEffect } from "../../../src/protocol/guest/guest-io.ts";
import { Guest } from "../../../src/protocol/guest/guest.ts";
import type { RoomEffect } from "../../../src/protocol/host/room-io.ts";
import { Room } from "../../../src/protocol/host/room.ts";
import type { Entry } from "../../../src/protocol/room/log.ts";
import type { Chance } from "../../support/random.ts";
import type { Primitives } from "../../../src/protocol/base/primitives.ts";
import { nodePrimitives } from "../../../src/runtime/primitives.ts";

/** A process died, at a moment that chance has chosen. */
export class Died {
  readonly name = "Died";
}

/** What a process has kept; what is not written dies with it. */
export class Log implements Keeper {
  changes: Bytes[] = [];
  /** So many are written … */
  written = 0;
  /** … and so many survive a power cut. */
  synced = 0;
  reserved = { said: 0, placed: 0 };

  keep(change: Bytes, how: "written" | "synced"): void {
    this.changes.push(change);
    if (how === "synced") this.sync();
  }

  reserve(counter: "said" | "placed", number: number): void {
    if (number <= this.reserved[counter]) return;
    this.reserved = { ...this.reserved, [counter]: number + 8 };
    this.sync();
  }

  flush(): void {
    this.written = this.changes.length;
  }

  sync(): void {
    this.flush();
    this.synced = this.written;
  }

  /** A kill: of what was not written yet a part may be there. A power cut that takes all that was not synced. */
  die(how: "killed" | "lost", chance: Chance): { changes: readonly Bytes[]; floors: Log["reserved"] } {
    const unwritten = this.changes.length - this.written;
    const length = how === "lost" ? this.synced : this.written + chance.below(unwritten + 1);
    this.changes = this.changes.slice(0, length);
    this.sync();
    return { changes: this.changes, floors: how === "killed" ? { said: 0, placed: 0 } : this.reserved };
  }
}

type Effect = RoomEffect | GuestEffect;
type Machine = Room | Guest;

/** A program that runs a machine: it writes what is to be kept before it carries out what follows. */
export class Life {
  readonly name: string;
  readonly log: Log;
  machine: Machine | undefined;
  /** What it has shown to its agent. */
  shown: Entry[] = [];
  /** Moments until it dies. */
  fuse = Number.POSITIVE_INFINITY;
  readonly #perform: (life: Life, effect: Effect) => void;

  constructor(name: string, log: Log, perform: (life: Life, effect: Effect) => void) {
    this.name = name;
    this.log = log;
    this.#perform = perform;
  }

  /** @throws {Died} */
  run<Result>(call: () => Result): Result {
    try {
      return call();
    } finally {
      this.#moment();
      this.log.flush();
      for (;;) {
        const effects = this.machine?.takeEffects() ?? [];
        if (effects.length === 0) break;
        for (const effect of effects) {
          this.#moment();
          if (effect.type === "entry") this.shown.push(effect.entry);
          else this.#perform(this, effect);
        }
      }
      this.#moment();
    }
  }

  #moment(): void {
    this.fuse -= 1;
    if (this.fuse < 0) throw new Died();
  }
}

interface Link {
  readonly guest: Life;
  /** 0 when the process that dialled is gone: the next one counts anew. */
  guestConnection: number;
  readonly hostConnection: number;
  readonly toHost: (Bytes | "opened" | "closed")[];
  readonly toGuest: (Bytes | "opened" | "closed")[];
}

const ORIGIN = "ws://127.0.0.1:1";

/** A host and its guests, each a process that may die and come back, and the wire between them. */
export class Lives {
  now = 1_700_000_000_000;
  readonly chance: Chance;
  readonly host: Life;
  readonly guests: Life[] = [];
  deaths = 0;
  compactions = 0;
  readonly alarms: string[] = [];
  readonly ends: string[] = [];
  #links: Link[] = [];
  #connections = 0;

  readonly #primitives: Primitives;

  constructor(chance: Chance, primitives = nodePrimitives, history = false) {
    this.chance = chance;
    this.#primitives = primitives;
    const log = new Log();
    this.host = new Life("ana", log, (life, effect) => this.#did(life, effect));
    this.host.machine = new Room(
      this.#primitives,
      {
        goal: "go on",
        hostName: "ana",
        idleMs: 86_400_000,
        inviteMs: 86_400_000,
        history,
        keeper: log,
      },
      this.now,
    );
    this.host.run(() => undefined);
  }

  get room(): Room {
    const { machine } = this.host;
    assert.ok(machine instanceof Room);
    return machine;
  }

  guestOf(life: Life): Guest {
    assert.ok(life.machine instanceof Guest);
    return life.machine;
  }

  join(name: string): Life {
    const life = this.dial(name);
    this.settle();
    return life;
  }

  /** On its way in. */
  dial(name: string): Life {
    const { key } = this.host.run(() => this.room.mint(this.now));
    const link = { origin: ORIGIN, room: this.room.id, key, hostKey: this.room.hostKey };
    const log = new Log();
    const life = new Life(name, log, (one, effect) => this.#did(one, effect));
    this.guests.push(life);
    life.machine = new Guest(this.#primitives, { link, name, keeper: log }, this.now);
    life.run(() => undefined);
    return life;
  }

  // --- time and the wire ---

  /** Delivers one message, or lets a moment pass; the process that it reaches may die of it. */
  step(): void {
    const ways = this.#links.flatMap((link) => [
      ...(link.toHost.length > 0 ? [{ link, way: "toHost" as const }] : []),
      ...(link.toGuest.length > 0 ? [{ link, way: "toGuest" as const }] : []),
    ]);
    if (ways.length === 0) return this.pass(100);
    const { link, way } = this.chance.pick(ways);
    const what = link[way].shift();
    if (what !== undefined) this.#arrive(link, way, what);
  }

  /** Until nothing is under way. */
  settle(): void {
    for (
      let turns = 0;
      this.#links.some(({ toHost, toGuest }) => toHost.length + toGuest.length > 0);
      turns += 1
    ) {
      assert.ok(turns < 100_000, "it does not come to rest");
      this.step();
    }
  }

  /** Until all that is on its way to the host has come. */
  reachHost(): void {
    this.#deliver("toHost", () => true);
  }

  /** Until all that is on its way to this guest has come. */
  reachGuest(life: Life): void {
    this.#deliver("toGuest", ({ guest }) => guest === life);
  }

  #deliver(way: "toHost" | "toGuest", isMeant: (link: Link) => boolean): void {
    for (;;) {
      const link = this.#links.find((one) => one[way].length > 0 && isMeant(one));
      const what = link?.[way].shift();
      if (link === undefined || what === undefined) return;
      this.#arrive(link, way, what);
    }
  }

  pass(ms: number): void {
    this.now += ms;
    for (const life of [this.host, ...this.guests]) {
      const due = life.machine?.nextDeadline();
      if (due !== undefined && due <= this.now) this.#handle(life, { type: "tick" });
    }
  }

  /** Until everybody is connected and has everything, or their stay is over. */
  heal(): void {
    for (let turns = 0; turns < 3_000; turns += 1) {
      this.settle();
      if (this.guests.every((life) => this.#isWhole(life))) return;
      this.pass(50);
    }
    const states = this.guests.map((life) => JSON.stringify(this.guestOf(life).connection));
    assert.fail(`not whole: ${states.join(", ")}`);
  }

  #isWhole(life: Life): boolean {
    const guest = this.guestOf(life);
    if (guest.connection.name === "ended") return true;
    return (
      guest.connection.name === "connected" && guest.unplaced === 0 && guest.lastSeq === this.room.lastSeq
    );
  }

  // --- death ---

  /** Runs something that a process may die of; undefined when it did. */
  mortal<Result>(work: () => Result): Result | undefined {
    try {
      return work();
    } catch (thrown) {
      if (!(thrown instanceof Died)) throw thrown;
      return undefined;
    }
  }

  /**
   * What a process has kept is written anew with fewer changes, as far as these bounds let it, from which comes what came from the others.
   * A process that dies meanwhile has either of them.
   */
  compact(life: Life, bounds: Bounds): void {
    life.log.flush();
    const { changes } = life.log;
    const compact = life === this.host ? compactRoom : compactGuest;
    const fewer = finished<readonly Bytes[]>(compact(this.#primitives, changes, this.now, bounds));
    assert.deepEqual(this.#standingOf(life, fewer), this.#standingOf(life, changes));
    this.compactions += fewer.length < changes.length ? 1 : 0;
    life.log.changes = [...fewer];
    life.log.sync();
  }

  /** Everything that a room or a stay is, with nothing of how it came to be that. */
  #standingOf(life: Life, changes: readonly Bytes[]): unknown {
    if (life === this.host) {
      const room = Room.restore(this.#primitives, { changes }, this.now);
      const { lastSeq, lastNeeded, signOff } = room;
      const base = room.base(new Set(), this.now);
      const invites = room.pendingInvites(this.now);
      return { base, lastSeq, lastNeeded, invites, signOff: signOff?.state, who: room.presence(this.now) };
    }
    const guest = Guest.restore(this.#primitives, { changes, floor: 0 }, this.now);
    const { base, lastSeq, unplaced, waiting, signOff } = guest;
    return { base, lastSeq, unplaced, waiting, signOff: signOff?.state, who: guest.presence(this.now) };
  }

  /** The process that has died is started again with what it has kept; whether it had a stay to come back to. */
  revive(life: Life, how: "killed" | "lost" = "killed"): void {
    this.deaths += 1;
    life.fuse = Number.POSITIVE_INFINITY;
    for (const link of this.#links) {
      if (life !== this.host && life !== link.guest) continue;
      const [out, back] = life === this.host ? [link.toGuest, link.toHost] : [link.toHost, link.toGuest];
      // The system may still send what the process wrote last.
      out.splice(how === "lost" ? 0 : this.chance.below(out.length + 1));
      out.push("closed");
      back.splice(0);
      if (life !== this.host) link.guestConnection = 0;
    }
    const { changes, floors } = life.log.die(how, this.chance);
    const before = life.shown;
    life.shown = [];
    if (life === this.host) {
      life.machine = Room.restore(this.#primitives, { changes, floors, keeper: life.log }, this.now);
    } else {
      life.machine = Guest.restore(
        this.#primitives,
        { changes, floor: floors.said, keeper: life.log },
        this.now,
      );
    }
    life.run(() => undefined);
    // What it has shown before is what it shows again, as far as it is kept, and the power has not taken it.
    const [first] = life.shown;
    const gone = before.filter(({ seq }) => first !== undefined && seq < first.seq);
    const again = before.slice(gone.length);
    if (how === "killed")
      assert.deepEqual(life.shown.slice(0, again.length), again, `${life.name} shows another past`);
    life.shown = [...gone, ...life.shown];
  }

  // --- effects ---

  #did(life: Life, effect: Effect): void {
    if (effect.type === "alarm")
      this.alarms.push(`${life.name}: ${effect.error.code} ${effect.error.message}`);
    if (effect.type === "ended") this.ends.push(`${life.name}: ${endOf(effect)}`);
    if (effect.type === "dial") this.#dial(life, effect.connection);
    if (effect.type !== "send" && effect.type !== "close") return;
    const link = this.#links.find((one) =>
      life === this.host
        ? one.hostConnection === effect.connection
        : one.guest === life && one.guestConnection === effect.connection,
    );
    const out = life === this.host ? link?.toGuest : link?.toHost;
    if (out === undefined || out.at(-1) === "closed") return;
    out.push(effect.type === "send" ? effect.message : "closed");
  }

  #dial(guest: Life, guestConnection: number): void {
    this.#connections += 1;
    const link: Link = {
      guest,
      guestConnection,
      hostConnection: this.#connections,
      toHost: ["opened"],
      toGuest: ["opened"],
    };
    this.#links.push(link);
  }

  #arrive(link: Link, way: "toHost" | "toGuest", what: Bytes | "opened" | "closed"): void {
    const life = way === "toHost" ? this.host : link.guest;
    const connection = way === "toHost" ? link.hostConnection : link.guestConnection;
    if (connection === 0) return;
    if (what === "closed") {
      this.#links = this.#links.filter((one) => one !== link);
      return this.#handle(life, { type: "closed", connection });
    }
    if (what === "opened") return this.#handle(life, { type: "opened", connection, source: link.guest.name });
    this.#handle(life, { type: "message", connection, message: what });
  }

  #handle(life: Life, input: Parameters<Room["handle"]>[0]): void {
    const { machine } = life;
    life.run(() => {
      if (machine instanceof Room) machine.handle(input, this.now);
      else if (machine !== undefined && input.type !== "control") machine.handle(input, this.now);
    });
  }
}

function endOf(effect: Extract<Effect, { type: "ended" }>): string {
  if ("cause" in effect) return effect.cause;
  return effect.end.by === "failure" ? effect.end.error.code : effect.end.by;
}
