import { setImmediate as turn } from "node:timers/promises";
import { ClusterClaims } from "../../../src/relay/cluster/cluster-claims.ts";
import { claimId, type Claim, type ClaimName } from "../../../src/relay/claims/claims.ts";
import type { Clock } from "../../../src/runtime/clock.ts";
import type { PeerAnswer, PeerTalk } from "../../../src/relay/cluster/witnesses.ts";
import { ENGINE, FakeEngine, FakeServer, type Network, type Sent } from "./fake-engine.ts";

/** Numbers that a seed decides (mulberry32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Below one. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  between(least: number, most: number): number {
    return least + this.next() * (most - least);
  }

  is(chance: number): boolean {
    return this.next() < chance;
  }

  of<T>(things: readonly T[]): T {
    const thing = things[Math.floor(this.next() * things.length)];
    if (thing === undefined) throw new Error("nothing to choose from");
    return thing;
  }
}

interface Happening {
  readonly at: number;
  readonly order: number;
  readonly node: string | undefined;
  readonly run: () => void;
}

/** How badly the world treats its nodes. */
export interface Troubles {
  readonly lost: number;
  /** Of events, and of questions from node to node. */
  readonly lostWords: number;
  /** Of what arrives: comes late, or later than anybody waits. */
  readonly late: number;
  /** Clocks run faster or slower by so much. */
  readonly skew: number;
}

export const QUIET: Troubles = { lost: 0, lostWords: 0, late: 0, skew: 0 };

/** A node of the simulation: its register, its clock, and the hosts that it serves. */
export class SimNode {
  readonly name: string;
  readonly clock: Clock;
  readonly engine: FakeEngine;
  claims: ClusterClaims | undefined;
  /** Epoch of each name whose host is here. */
  readonly hosts = new Map<string, { name: ClaimName; epoch: number }>();
  isDead = false;
  /** Neither its timers nor what is sent to it move before this. */
  pausedUntil = 0;
  /** Cut from the engine. */
  cutUntil = 0;
  /** Cut from the other nodes. */
  islandUntil = 0;
  /** What it sends is lost, and what is sent to it arrives. */
  muteUntil = 0;
  /** What is said to it by others is lost; answers of the buckets arrive. */
  deafUntil = 0;
  /** What comes to it comes almost too late: of one kind, or all. */
  held: { readonly until: number; readonly what: Sent | "all" } | undefined;
  /** Its machine is dead, too: nobody says that nothing listens there. */
  isSilent = false;

  constructor(name: string, clock: Clock, engine: FakeEngine) {
    this.name = name;
    this.clock = clock;
    this.engine = engine;
  }

  /** Whether it would lead a visitor to the host. */
  serves(name: ClaimName, now: number): boolean {
    if (this.isDead || this.pausedUntil > now) return false;
    return this.hosts.has(claimId(name)) && this.claims?.isProven === true;
  }
}

/** Virtual time, and a network that delays, loses and cuts. One seed is one course of events. */
export class World implements Network {
  readonly dice: Dice;
  readonly server: FakeServer;
  readonly nodes = new Map<string, SimNode>();
  now = 1_800_000_000_000;
  troubles: Troubles;
  engineAwayUntil = 0;
  /** Pairs of nodes that do not reach each other, until then. */
  readonly #apart = new Map<string, number>();
  #queue: Happening[] = [];
  #order = 0;
  #made = 0;

  constructor(seed: number, troubles: Troubles) {
    this.dice = new Dice(seed);
    this.troubles = troubles;
    this.server = new FakeServer(() => this.now);
  }

  at(ms: number, run: () => void, node?: string): () => void {
    const happening = { at: this.now + Math.max(0, ms), order: (this.#order += 1), node, run };
    this.#queue.push(happening);
    return () => void (this.#queue = this.#queue.filter((other) => other !== happening));
  }

  send(from: string, to: string, deliver: () => void, what: Sent = "word"): void {
    const ends = [from, to].filter((end) => end !== ENGINE);
    const isCutOff = (name: string): boolean => {
      const node = this.nodes.get(name);
      return this.now < ((ends.length === 2 ? node?.islandUntil : node?.cutUntil) ?? 0);
    };
    const isCut = (): boolean =>
      (ends.length < 2 && this.now < this.engineAwayUntil) ||
      this.now < (this.#apart.get(pairOf(from, to)) ?? 0) ||
      ends.some(isCutOff);
    const { late } = this.troubles;
    const lost = what === "word" ? this.troubles.lostWords : this.troubles.lost;
    if (what === "word" && this.now < (this.nodes.get(to)?.deafUntil ?? 0)) return;
    const isMute = this.now < (this.nodes.get(from)?.muteUntil ?? 0);
    if (isCut() || isMute || this.dice.is(lost)) return;
    // Most late answers come while they are waited for still, which is worse than too late.
    const slow = (): number =>
      this.dice.is(0.7) ? this.dice.between(20, 950) : this.dice.between(950, 8_000);
    const held = this.nodes.get(to)?.held;
    const isHeld = held !== undefined && this.now < held.until && (held.what === "all" || held.what === what);
    const usual = (): number => (this.dice.is(late) ? slow() : this.dice.between(0.2, 5));
    // Not all of it: what needs a read and a write in a row would never come about.
    const ms = isHeld && this.dice.is(0.6) ? this.dice.between(700, 995) : usual();
    this.at(ms, () => (isCut() ? undefined : deliver()), to === ENGINE ? undefined : to);
  }

  /** From node to node, without the engine. */
  #talkOf(node: string, clock: Clock): PeerTalk {
    return {
      meet: () => Promise.resolve(),
      ask: (other, text, withinMs) =>
        new Promise((resolve) => {
          const cancel = clock.after(withinMs, () => resolve({ kind: "silent" }));
          const end = (answer: PeerAnswer): void => {
            cancel();
            resolve(answer);
          };
          const target = this.nodes.get(other);
          if (target?.isDead === true) {
            if (!target.isSilent) this.send(other, node, () => end({ kind: "gone" }));
            return;
          }
          this.send(node, other, () => {
            const said = target?.claims?.answer(text);
            if (said !== undefined) this.send(other, node, () => end({ kind: "said", text: said }));
          });
        }),
    };
  }

  async start(): Promise<SimNode> {
    this.#made += 1;
    const name = `n${this.#made}`;
    const rate = 1 + this.dice.between(-1, 1) * this.troubles.skew;
    const offset = this.dice.between(-60_000, 60_000) * (this.troubles.skew > 0 ? 1 : 0);
    const born = this.now;
    const clock: Clock = {
      now: () => Math.round(born + offset + (this.now - born) * rate),
      after: (ms, callback) => this.at(ms / rate, callback, name),
    };
    const node = new SimNode(name, clock, new FakeEngine(name, this.server, this, clock));
    this.nodes.set(name, node);
    const opened = ClusterClaims.open({
      node: name,
      clock,
      engine: node.engine,
      peers: this.#talkOf(name, clock),
      facts: () => ({ versions: [1], isLeaving: false, hosts: node.hosts.size, connections: 0 }),
      random: () => `${name}-${(this.#order += 1)}`,
      limits: { roomAwayMs: 3_600_000 },
    });
    void this.#watch(node, opened);
    return node;
  }

  async #watch(node: SimNode, opened: Promise<ClusterClaims>): Promise<void> {
    const claims = await opened;
    node.claims = claims;
    claims.watch((event) => {
      if (event.type !== "claimed" && event.type !== "lost") return;
      const host = node.hosts.get(claimId(event.claim));
      const isOver =
        event.type === "lost" ? host?.epoch === event.epoch : (host?.epoch ?? 0) < event.claim.epoch;
      if (isOver) node.hosts.delete(claimId(event.claim));
    });
  }

  /** A host comes to a node. @returns its epoch where it has got its name */
  async register(node: SimNode, name: ClaimName): Promise<number | undefined> {
    const outcome = await node.claims?.claim({ ...name, key: "key", node: node.name });
    if (outcome?.kind !== "claimed" || node.isDead) return undefined;
    node.hosts.set(claimId(name), { name, epoch: outcome.epoch });
    return outcome.epoch;
  }

  leave(node: SimNode, name: ClaimName): void {
    const host = node.hosts.get(claimId(name));
    if (host === undefined) return;
    node.hosts.delete(claimId(name));
    void node.claims?.release(name, host.epoch, "away").catch(() => false);
  }

  kill(node: SimNode): void {
    node.isDead = true;
    node.isSilent = this.dice.is(0.3);
    void node.engine.close();
    this.#queue = this.#queue.filter((happening) => happening.node !== node.name);
  }

  cut(node: SimNode, forMs: number): void {
    node.cutUntil = this.now + forMs;
    if (this.dice.is(0.5)) return;
    node.engine.connected(false);
    this.at(forMs, () => node.engine.connected(true), node.name);
  }

  apart(one: SimNode, other: SimNode, forMs: number): void {
    this.#apart.set(pairOf(one.name, other.name), this.now + forMs);
  }

  /** No trouble any more. */
  heal(): void {
    this.#apart.clear();
    this.troubles = QUIET;
    this.engineAwayUntil = this.now;
    for (const node of this.alive) {
      node.cutUntil = node.islandUntil = node.muteUntil = node.deafUntil = node.pausedUntil = this.now;
      node.held = undefined;
      node.engine.connected(true);
    }
  }

  /** Lets time pass, and calls `look` after everything that happens. */
  async run(ms: number, look: () => void): Promise<void> {
    const until = this.now + ms;
    for (;;) {
      await turn();
      look();
      const next = this.#next(until);
      if (next === undefined) break;
      this.now = next.at;
      if (next.node !== undefined) {
        const node = this.nodes.get(next.node);
        if (node?.isDead === true) continue;
        // A process that stands still finds everything that came meanwhile when it goes on, in its order.
        if (node !== undefined && node.pausedUntil > this.now) {
          this.#queue.push({ ...next, at: node.pausedUntil });
          continue;
        }
      }
      next.run();
    }
    this.now = until;
  }

  #next(until: number): Happening | undefined {
    let first: Happening | undefined;
    for (const happening of this.#queue) {
      if (happening.at > until) continue;
      const isEarlier =
        first === undefined ||
        happening.at < first.at ||
        (happening.at === first.at && happening.order < first.order);
      if (isEarlier) first = happening;
    }
    if (first !== undefined) this.#queue = this.#queue.filter((other) => other !== first);
    return first;
  }

  get alive(): readonly SimNode[] {
    return [...this.nodes.values()].filter(({ isDead }) => !isDead);
  }

  /** Nodes that lead visitors to a host of this name, with its epoch. */
  serving(name: ClaimName): readonly string[] {
    return this.alive
      .filter((node) => node.serves(name, this.now))
      .map((node) => `${node.name}@${node.hosts.get(claimId(name))?.epoch ?? 0}`);
  }
}

const pairOf = (one: string, other: string): string => [one, other].toSorted().join("|");

const NAMES: readonly ClaimName[] = ["x", "y"].map((name) => ({ kind: "room", name }));

/** One course of events, and what must hold at each moment of it. */
class Course {
  readonly world: World;
  readonly #seed: number;
  readonly #newest = new Map<string, number>();

  constructor(seed: number) {
    this.#seed = seed;
    this.world = new World(seed, QUIET);
  }

  /** No name has two owners at once. */
  readonly look = (): void => {
    for (const name of NAMES) {
      const serving = this.world.serving(name);
      if (serving.length > 1) this.fail(`${claimId(name)} is served by ${serving.join(" and ")}`);
    }
  };

  fail(what: string): never {
    throw new Error(`seed ${this.#seed}: ${what}`);
  }

  run(ms: number): Promise<void> {
    return this.world.run(ms, this.look);
  }

  async register(node: SimNode, name: ClaimName): Promise<void> {
    const epoch = await this.world.register(node, name);
    const newest = this.#newest.get(claimId(name)) ?? 0;
    if (epoch !== undefined) this.#newest.set(claimId(name), Math.max(newest, epoch));
  }

  /** Hosts move, leave and come back; nodes stand still, are cut, die and begin; the engine goes and comes. */
  async mixed(steps: number, isDuel: boolean): Promise<void> {
    const { world } = this;
    const { dice } = world;
    const longest = isDuel ? [300, 1_500, 6_000] : [2_000, 9_000, 45_000];
    const long = (): number => dice.of(longest) * dice.next();
    for (let step = 0; step < steps; step += 1) {
      const node = dice.of(world.alive);
      const name = dice.of(isDuel ? NAMES.slice(0, 1) : NAMES);
      const what = isDuel ? 0.8 * dice.next() : dice.next();
      if (what < 0.45) void this.register(node, name);
      else if (what < 0.55) world.leave(node, name);
      else if (what < 0.67) node.pausedUntil = world.now + Math.min(9_000, long());
      else if (what < 0.73) node.muteUntil = world.now + Math.min(9_000, long());
      else if (what < 0.83) {
        const forMs = long();
        // From the engine alone, from the other nodes alone, or from everybody.
        const how = dice.next();
        if (how < 0.75) world.cut(node, forMs);
        if (how > 0.4) node.islandUntil = world.now + forMs;
      } else if (what < 0.9) world.engineAwayUntil = world.now + long();
      else if (world.alive.length > 2) {
        world.kill(node);
        await world.start();
      } else if (world.alive.length < 5) await world.start();
      await this.run(dice.of(isDuel ? [1, 20, 300, 900] : [1, 20, 300, 2_500]) * dice.next());
    }
  }

  /** A node lives by the words of its witnesses, while others take its name. */
  async absent(): Promise<void> {
    const { world } = this;
    const { dice } = world;
    const [name] = NAMES;
    if (name === undefined) return;
    for (let round = 0; round < 3; round += 1) {
      const node = dice.of(world.alive);
      if (dice.is(0.3)) await world.start();
      void this.register(node, name);
      await this.run(3_000 * dice.next());
      const forMs = dice.of([6_000, 60_000]) * dice.next();
      // Sometimes all that are there lose the engine, and who comes later does not.
      const lose = dice.is(0.4) ? world.alive : [node];
      for (const one of lose) world.cut(one, forMs);
      for (const other of world.alive) if (dice.is(0.4)) world.apart(node, other, dice.next() * forMs);
      // All are without the engine for longer than words count, but one that has just begun.
      if (lose.length > 1 && dice.is(0.5)) {
        for (const one of lose) world.cut(one, 60_000);
        const fresh = await world.start();
        world.apart(node, fresh, 60_000);
        await this.run(2_000);
        void this.register(fresh, name);
        await this.run(50_000);
      }
      for (let step = 0; step < 8; step += 1) {
        const what = dice.next();
        const other = dice.of(world.alive);
        if (what < 0.15 && world.alive.length < 6) {
          const fresh = await world.start();
          world.apart(node, fresh, forMs);
        } else if (what < 0.25 && other !== node && world.alive.length > 3) world.kill(other);
        else if (what < 0.35) world.cut(other, 8_000 * dice.next());
        else if (other !== node) void this.register(other, name);
        await this.run(dice.of([300, 1_500, 12_000]) * dice.next());
      }
    }
    for (const node of world.alive.slice(4)) world.kill(node);
  }

  /** Answers come almost too late, while a name is taken from a node that does not hear of it. */
  async late(): Promise<void> {
    const { world } = this;
    const { dice } = world;
    const [x, y] = NAMES;
    if (x === undefined || y === undefined) return;
    await world.start();
    await this.run(3_000);
    for (let round = 0; round < 4; round += 1) {
      const holder = dice.of(world.alive);
      const taker = dice.of(world.alive.filter((node) => node !== holder));
      const isFresh = dice.is(0.5);
      void this.register(holder, x);
      if (!isFresh) void this.register(holder, y);
      await this.run(2_500);
      const until = world.now + 4_000;
      // Two names of one node, whose mark is on its way for long: the second one must not go by the mark of the first.
      const isShared = !isFresh && dice.is(0.5);
      const what = isShared ? "nodes" : dice.of(["claims", "nodes", "word", "all"] as const);
      const held = isShared ? taker : dice.of([holder, taker]);
      held.held = { until, what };
      await this.run(isShared ? 0 : 1_000 * dice.next());
      const how = isShared ? 0.5 : dice.next();
      if (how < 0.6) holder.deafUntil = until;
      if (how < 0.2) holder.muteUntil = until;
      if (how > 0.6) world.cut(holder, 4_000);
      if (how > 0.6) world.apart(holder, taker, 4_000);
      if (isFresh) void this.register(holder, y);
      // A claim is a read and a write: sometimes both are over by then.
      await this.run(dice.of([300, 1_900]) * dice.next());
      const first = dice.of([x, y]);
      void this.register(taker, first);
      await this.run(dice.of([600, 2_200]) * dice.next());
      void this.register(taker, first === x ? y : x);
      await this.run(5_000);
      if (dice.is(0.5)) await this.run(4_000);
      for (const name of [x, y]) world.leave(dice.of([holder, taker]), name);
    }
  }

  /** All is well again: a host finds its way, and every node finds the host. */
  async end(): Promise<void> {
    const { world } = this;
    world.heal();
    await this.run(12_000);
    for (const name of NAMES) {
      const node = world.dice.of(world.alive);
      const got: { epoch?: number | undefined } = {};
      void world.register(node, name).then((claimed) => (got.epoch = claimed));
      // Where all witnesses of a dead node are dead, too, their words have to be over first.
      for (let waits = 0; waits < 8 && got.epoch === undefined; waits += 1) await this.run(5_000);
      const { epoch } = got;
      if (epoch === undefined) this.fail(`no host can come to ${node.name}`);
      if (epoch <= (this.#newest.get(claimId(name)) ?? 0)) this.fail("an epoch went back");
      if (world.serving(name).length !== 1) this.fail(`${claimId(name)} is not served`);
      for (const other of world.alive) {
        let found: Claim | undefined;
        void other.claims?.find(name).then((claim) => (found = claim));
        await this.run(100);
        if (found?.node !== node.name || found.epoch !== epoch)
          this.fail(`${other.name} finds ${found?.node ?? "nobody"} and not ${node.name}`);
      }
    }
  }
}

/** The course that a seed decides: of mixed troubles; a duel, in which nodes take one name from each other; an absence; or late answers. */
export async function course(seed: number): Promise<void> {
  const course = new Course(seed);
  const { dice } = course.world;
  const kind = dice.of(["mixed", "duel", "absent", "late"] as const);
  course.world.troubles = {
    lost: dice.of([0, 0.02, 0.15, 0.4]),
    lostWords: dice.of([0, 0.02, 0.3, 0.8]),
    late: dice.of([0, 0.03, 0.15, 0.5]),
    skew: dice.of([0, 0.02, 0.04]),
  };
  if (kind === "absent")
    course.world.troubles = { ...course.world.troubles, lostWords: dice.of([0, 0.1, 0.3]) };
  if (kind === "late") course.world.troubles = { ...QUIET, skew: 0.04 };
  for (let index = 0; index < 3; index += 1) await course.world.start();
  await course.run(3_000);
  if (kind === "absent") await course.absent();
  else if (kind === "late") await course.late();
  else await course.mixed(Math.round(dice.between(8, kind === "duel" ? 60 : 25)), kind === "duel");
  await course.end();
}
