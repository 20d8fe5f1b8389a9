import assert from "node:assert/strict";
import { TunnelError } from "../../../src/errors/tunnel-error.ts";
import { LINK } from "../../../src/protocol/base/limits.ts";
import { TunnelPool, type PoolEvent } from "../../../src/tunnel/pool/pool.ts";
import { Chance } from "../../support/random.ts";
import { ORIGIN, World, type Guest } from "../../support/wire.ts";
import { Checks } from "../checks.ts";
import type { Participant } from "../participant.ts";
import { DAY, MINUTE, SECOND } from "../plan.ts";
import { cheapPrimitives } from "../primitives.ts";
import { WorldClock } from "./clock.ts";
import { Edge, OUTAGES, type Outage, type OutageKind } from "./edge.ts";

/** Of an outage, up to the moment in which everybody is back. */
export interface Recovery {
  readonly kind: OutageKind;
  readonly ms: number;
  /** After its end. */
  readonly backMs: number;
  /** After a tunnel led to the host again that everybody knew. */
  readonly memberMs: number;
  /** Members that could only come back with a new link. */
  readonly links: number;
}

/** What a member itself may take: an address a second, of four, and the longest wait between two rounds. */
const MEMBER_MS = 4 * LINK.staggerMs + LINK.backoffMaxMs + SECOND;
/** … and the goal for all of it, where the tunnel itself is back within two seconds. */
const GOAL_MS = 10 * SECOND;
/** After so long without a word both ends know that a connection is dead (D7). */
const SILENCE_MS = LINK.pingEveryMs + LINK.answerMs;
/** How long a host may take to have another address, where none of before comes back. */
const NEW_ADDRESS_MS = 50 * SECOND;

/** A room behind a pool of tunnels, and what each of its members can know. */
class Behind {
  readonly world: World;
  readonly chance: Chance;
  readonly clock: WorldClock;
  readonly edge: Edge;
  readonly checks: Checks;
  readonly pool: TunnelPool;
  /** Addresses that each member knows: that of its newest link, and the last ones it was told. */
  readonly #known = new Map<Guest, { link: string; told: readonly string[] }>();
  /** Links that nobody has used. */
  readonly #links = new Set<string>();

  constructor(seed: number) {
    this.chance = new Chance(seed);
    this.world = new World({ idleMs: DAY }, cheapPrimitives(seed));
    this.world.isRecording = false;
    this.clock = new WorldClock(this.world);
    this.edge = new Edge(this.world, this.clock, this.chance);
    const never = { isHostile: false, hasHistory: false, hasReaders: false, saidGone: false };
    this.checks = new Checks(this.world, never);
    this.checks.add(undefined);
    this.edge.isMissed = (url) => this.#absent().some((urls) => urls.includes(url));
    const options = {
      active: this.edge.first,
      provider: this.edge.provider,
      relay: { port: 1, proof: { path: "/none", answer: "none" } },
      clock: this.clock,
      standby: true,
      limit: LINK.maxAddresses,
      absent: () => this.#absent(),
      random: () => this.chance.next(),
      onEvent: (event: PoolEvent) => this.#moved(event),
    };
    this.pool = new TunnelPool(options);
  }

  get members(): { readonly participant: Participant; readonly guest: Guest }[] {
    return this.checks.all.flatMap((participant) =>
      participant.guest === undefined ? [] : [{ participant, guest: participant.guest }],
    );
  }

  get away(): Guest[] {
    return this.members.flatMap(({ guest }) => (this.world.isWhole(guest) ? [] : [guest]));
  }

  /** @param origin of a link that was handed out at some time */
  join(origin = this.pool.urls[0] ?? ORIGIN): void {
    const guest = this.world.join(this.world.link(origin), "ben");
    guest.source = `198.51.100.${this.checks.all.length}`;
    this.checks.add(guest);
    this.#known.set(guest, { link: origin, told: [] });
    this.#links.delete(origin);
    this.pool.keepStandby();
  }

  handOut(): string {
    const origin = this.pool.urls[0] ?? ORIGIN;
    this.#links.add(origin);
    return origin;
  }

  isLost(guest: Guest): boolean {
    const known = this.#addressesOf(guest);
    return this.edge.tunnels.every(({ url, isDead }) => isDead || !known.includes(url));
  }

  /** Somebody passes a fresh link on. */
  guide(guest: Guest, origin: string): void {
    this.#known.set(guest, { told: [], ...this.#known.get(guest), link: origin });
    guest.member.prefer(origin, this.world.nowOf(guest));
    this.world.settle();
  }

  say(): void {
    const signer = this.chance.pick(this.checks.all);
    const { guest, said, index } = signer;
    const text = `${index}:${said.length}`;
    try {
      if (guest === undefined) this.world.room.say({ text }, this.world.hostNow);
      else guest.member.say({ text }, this.world.nowOf(guest));
      said.push({ text, to: undefined, place: undefined });
    } catch (error) {
      // A member says nothing before it is in.
      assert.ok(error instanceof TunnelError && ["tunnel-closed", "nobody-joined"].includes(error.code));
    }
  }

  /** Those who are here have heard of every address by now. */
  note(): void {
    for (const [guest, { link }] of this.#known)
      if (this.world.isWhole(guest)) this.#known.set(guest, { link, told: this.pool.urls });
  }

  async end(): Promise<void> {
    this.edge.isOver = true;
    await this.pool.stop();
  }

  #absent(): (readonly string[])[] {
    const links = [...this.#links].map((url) => [url]);
    return [...links, ...this.away.map((guest) => this.#addressesOf(guest))];
  }

  #addressesOf(guest: Guest): readonly string[] {
    const { link, told } = this.#known.get(guest) ?? { link: ORIGIN, told: [] };
    return [link, ...told];
  }

  #moved(event: PoolEvent): void {
    if (event.type === "addresses") this.world.room.setAddresses(event.urls, this.world.hostNow);
  }
}

function outageOf(chance: Chance): Outage {
  const longest = chance.pick([3 * SECOND, 20 * SECOND, 70 * SECOND, 3 * MINUTE, 10 * MINUTE]);
  return {
    kind: chance.pick(OUTAGES),
    ms: SECOND + chance.below(longest - SECOND + 1),
    returnMs: chance.happens(0.75) ? chance.below(2 * SECOND) : chance.below(20 * SECOND),
  };
}

/** A room that goes through some outages, one after the other. @throws {AssertionError} where somebody is not back in time, or anything is lost */
export async function simulateOutages(seed: number, outages: number): Promise<Recovery[]> {
  const room = new Behind(seed);
  const { chance, clock, world, checks } = room;
  for (let guests = chance.pick([1, 1, 2, 3, 5]); guests > 0; guests -= 1) room.join();
  await clock.advance(30 * SECOND);
  const recoveries: Recovery[] = [];
  for (let count = 0; count < outages; count += 1) {
    assert.deepEqual(room.away, [], "everybody is here");
    room.note();
    recoveries.push(await suffer(room, outageOf(chance)));
    // The next one comes at any moment, and now and then before everything is as it was.
    await clock.advance(chance.pick([SECOND, 10 * SECOND, 40 * SECOND, 3 * MINUTE]));
  }
  await clock.advance(MINUTE);
  const { lastSeq } = world.room;
  for (const participant of checks.all) {
    const { guest, index, said } = participant;
    assert.ok(
      said.every(({ place }) => place !== undefined),
      `all that ${index} said has a place`,
    );
    assert.equal(guest?.member.lastSeq ?? lastSeq, lastSeq, `all that ${index} hears`);
    assert.equal(guest?.member.unplaced ?? 0, 0);
    checks.order.checkHeard(participant, guest?.entries ?? world.hostEntries, lastSeq);
  }
  checks.order.checkUntold(lastSeq, checks.all);
  assert.equal(checks.ends.length, 0, "a stay has ended");
  await room.end();
  return recoveries;
}

async function suffer(room: Behind, outage: Outage): Promise<Recovery> {
  const { chance, clock, world, edge } = room;
  const { kind, ms, returnMs } = outage;
  const link = chance.happens(0.3) ? room.handOut() : undefined;
  await edge.suffer(outage, async () => {
    for (let times = chance.below(4); times > 0; times -= 1) room.say();
    await clock.advance(1);
  });
  const end = world.now;
  if (link !== undefined) room.join(link);
  const isForGood = kind === "gone" || kind === "half-gone";
  const tunnelMs = kind === "stalled" ? 0 : returnMs;
  // A connection that dies without a word is found dead by its silence, which may be after the end of a short outage.
  const unnoticedMs = kind === "swallowed" ? Math.max(0, SILENCE_MS - ms) : 0;
  const limit = unnoticedMs + (isForGood ? NEW_ADDRESS_MS : Math.max(GOAL_MS, tunnelMs + MEMBER_MS));
  let links = 0;
  while (room.away.length > 0) {
    await clock.advance(100);
    const passed = world.now - end;
    const names = room.away.map(({ member }) => member.connection.name).join();
    assert.ok(
      passed <= limit + tunnelMs,
      `${kind} for ${ms} ms: not back ${passed} ms after its end: ${names}`,
    );
    const [best] = edge.leading();
    if (!isForGood || best === undefined) continue;
    for (const guest of room.away.filter((one) => room.isLost(one))) {
      links += 1;
      room.guide(guest, best);
    }
  }
  const backMs = world.now - end;
  return { kind, ms, backMs, memberMs: Math.max(0, backMs - tunnelMs), links };
}
