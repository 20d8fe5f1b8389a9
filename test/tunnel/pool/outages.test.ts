import { afterEach, describe, expect, it } from "vitest";
import { TunnelPool, type PoolEvent } from "../../../src/tunnel/pool/pool.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";
import { Chance } from "../../support/random.ts";
import { NO_PROOF } from "../../support/tunnels/scripted-provider.ts";
import { Weather, type Outage, type WeatherTunnel } from "../../support/tunnels/weather.ts";

const LIMIT = 4;
const STEP_MS = 500;

/** A member, or whoever holds a link: comes by an address that it knows and that leads here, and then hears of the others. */
interface Party {
  readonly name: string;
  known: readonly string[];
  isAway: boolean;
}

let worlds: World[] = [];
afterEach(async () => {
  await Promise.all(worlds.map(({ pool }) => pool.stop()));
  worlds = [];
});

/** A pool in the weather, with the members of its room and the links that were handed out. */
class World {
  readonly clock = new FakeClock();
  readonly chance: Chance;
  readonly weather: Weather;
  readonly pool: TunnelPool;
  readonly members: Party[] = [];
  /** Nobody uses them until the test says so. */
  readonly links: Party[] = [];
  readonly events: PoolEvent[] = [];
  /** Ended by the pool, though somebody who was absent might have dialled them. */
  readonly wronged: string[] = [];
  #heldBefore: WeatherTunnel[] = [];
  #neededBefore: readonly string[] = [];

  constructor(seed: number, options: { members?: number; retries?: number } = {}) {
    this.chance = new Chance(seed);
    this.weather = new Weather(this.clock, () => this.chance.next(), options.retries);
    const active = this.weather.tunnel();
    this.pool = new TunnelPool({
      active,
      provider: this.weather.provider,
      relay: { port: 1, proof: NO_PROOF },
      clock: this.clock,
      standby: true,
      limit: LIMIT,
      absent: () => this.absent(),
      random: () => this.chance.next(),
      onEvent: (event) => this.#heard(event),
    });
    for (let made = 0; made < (options.members ?? 2); made += 1)
      this.members.push({ name: `m${made}`, known: [active.url], isAway: false });
    this.pool.keepStandby();
    worlds.push(this);
  }

  absent(): (readonly string[])[] {
    return [...this.members.filter(({ isAway }) => isAway), ...this.links].map(({ known }) => known);
  }

  link(): void {
    const [best] = this.pool.urls;
    if (best !== undefined) this.links.push({ name: `l${this.links.length}`, known: [best], isAway: true });
  }

  /** Members are cut off when the way is: at once, or when the silence is noticed. */
  cutOff(): void {
    for (const member of this.members) member.isAway = true;
  }

  leads(party: Party): boolean {
    return party.known.some((url) => this.weather.at(url)?.leadsHere === true);
  }

  /** Whether it can never come back by itself. */
  isStranded(party: Party): boolean {
    return !party.known.some((url) => this.weather.at(url)?.isAlive === true);
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      await this.clock.advance(STEP_MS);
      this.#judge();
      for (const member of this.members) {
        if (!member.isAway || !this.leads(member)) continue;
        member.isAway = false;
        member.known = this.pool.urls;
      }
    }
  }

  /** Whether a tunnel that was needed has been ended, with room for it. */
  #judge(): void {
    const running = this.weather.tunnels.filter(({ isStopped }) => !isStopped);
    expect(running.length).toBeLessThanOrEqual(LIMIT);
    for (const tunnel of this.#heldBefore)
      if (tunnel.isStopped && tunnel.health().state !== "down" && this.#heldBefore.length < LIMIT)
        if (this.#neededBefore.includes(tunnel.url) && this.absent().flat().includes(tunnel.url))
          this.wronged.push(tunnel.url);
    this.#heldBefore = running;
    this.#neededBefore = this.absent().flat();
  }

  /** How long it takes until everybody who is away has been back, and each link leads here; in ms. */
  async untilAllCame(limitMs: number): Promise<number> {
    const links = new Set(this.links);
    for (let passed = 0; ; passed += STEP_MS) {
      for (const link of links) if (this.leads(link)) links.delete(link);
      if (links.size === 0 && this.members.every(({ isAway }) => !isAway)) return passed;
      if (passed >= limitMs) return Number.POSITIVE_INFINITY;
      await this.pass(STEP_MS);
    }
  }

  #heard(event: PoolEvent): void {
    this.events.push(event);
    if (event.type === "addresses")
      for (const member of this.members)
        if (!member.isAway && event.urls.length > 0) member.known = event.urls;
  }
}

async function settled(seed: number, options: { members?: number; retries?: number } = {}): Promise<World> {
  const world = new World(seed, options);
  await world.pass(90_000);
  expect(world.pool.urls).toHaveLength(2);
  return world;
}

const KINDS: readonly Outage[] = ["refused", "hanging", "stalled"];
const SECONDS = [1, 5, 20, 40, 55, 59, 60, 61, 64, 70, 90, 120, 300, 600];

describe.each(KINDS)("an outage in which the edge is %s", (kind) => {
  it.each(SECONDS)("for %i s: members and links find their way back by what they knew", async (seconds) => {
    const times: number[] = [];
    for (let seed = 0; seed < 3; seed += 1) {
      const world = await settled(seed * 1_000 + seconds);
      world.link();
      world.weather.begin(kind);
      world.cutOff();
      // One more link is handed out in the middle of it.
      await world.pass((seconds * 1_000) / 2);
      world.link();
      await world.pass((seconds * 1_000) / 2);
      world.weather.end();
      times.push(await world.untilAllCame(60_000));
      expect(world.wronged).toEqual([]);
      world.links.length = 0;
      await world.pass(120_000);
      // All are here: what was kept for them is gone.
      expect(world.pool.urls).toHaveLength(2);
      expect(world.pool.health()).toMatchObject({ active: { state: "up" }, standby: { state: "ready" } });
      await world.pool.stop();
    }
    // A wait of cloudflared is 11 s at most; a link leads to one tunnel only.
    expect(Math.max(...times)).toBeLessThanOrEqual(11_500);
  });

  it("of any length up to ten minutes: members, who know two addresses, are back within ten seconds", async () => {
    const times: number[] = [];
    for (let seed = 0; seed < 20; seed += 1) {
      const world = await settled(seed);
      world.weather.begin(kind);
      world.cutOff();
      await world.pass(Math.round(world.chance.next() * 600_000));
      world.weather.end();
      times.push(await world.untilAllCame(60_000));
      await world.pool.stop();
    }
    times.sort((one, other) => one - other);
    expect(times.at(-1)).toBeLessThanOrEqual(10_000);
  });
});

describe("in and after an outage", () => {
  it("both old tunnels stay, though another has been opened in a gap, until everybody is back and has been told", async () => {
    const world = await settled(1);
    const [first, second] = world.pool.urls;
    const old = [first, second].map((url) => world.weather.at(url ?? ""));
    world.weather.begin("refused");
    world.cutOff();
    await world.pass(80_000);
    // The two cannot get through yet, while new ones can.
    for (const tunnel of old) if (tunnel !== undefined) tunnel.leadsHereAgainAt(world.clock.now() + 300_000);
    world.weather.end();
    await world.pass(120_000);
    expect(world.pool.urls).toHaveLength(LIMIT);
    expect(world.pool.health()).toMatchObject({ active: { state: "up" }, standby: { state: "ready" } });
    expect(old.map((tunnel) => tunnel?.isStopped)).toEqual([false, false]);
    expect(world.members.every(({ isAway }) => isAway)).toBe(true);
    await world.pass(240_000);
    expect(world.members.some(({ isAway }) => isAway)).toBe(false);
    await world.pass(30_000);
    expect(world.pool.urls).toHaveLength(2);
  });

  it("a member that left before it, and knows only what has been replaced since, keeps its tunnel", async () => {
    const world = await settled(2, { members: 3 });
    const [away] = world.members;
    if (away === undefined) throw new Error("no member");
    away.isAway = true;
    away.known = ["wss://nowhere.example", world.pool.urls[1] ?? ""];
    const tunnel = world.weather.at(away.known[1] ?? "");
    tunnel?.leadsHereAgainAt(world.clock.now() + 200_000);
    await world.pass(190_000);
    expect(tunnel?.isStopped).toBe(false);
    await world.pass(60_000);
    expect(away.isAway).toBe(false);
  });

  it("a tunnel whose process dies is gone: who knew no other is stranded, and nobody else", async () => {
    const world = await settled(3);
    const [alone] = world.members;
    if (alone === undefined) throw new Error("no member");
    world.weather.begin("hanging");
    world.cutOff();
    alone.known = alone.known.slice(0, 1);
    await world.pass(100_000);
    world.weather.at(alone.known[0] ?? "")?.die();
    world.weather.end();
    await world.pass(60_000);
    expect(world.members.map((member) => world.isStranded(member))).toEqual([true, false]);
    expect(world.members.map(({ isAway }) => isAway)).toEqual([true, false]);
  });

  it("the waits for another tunnel are half a minute at most, and minutes when nobody is away", async () => {
    const longest = async (isAnybodyAway: boolean): Promise<number> => {
      const world = await settled(4);
      world.weather.begin("refused");
      if (isAnybodyAway) world.cutOff();
      let longestMs = 0;
      for (let passed = 0; passed < 900; passed += 1) {
        await world.pass(1_000);
        const { standby } = world.pool.health();
        if (standby.state === "waiting") longestMs = Math.max(longestMs, standby.retryInMs);
      }
      return longestMs;
    };
    expect(await longest(true)).toBeLessThanOrEqual(30_000);
    expect(await longest(false)).toBeGreaterThan(200_000);
  });

  it("is told when no address has led here for ten seconds, and when one does again", async () => {
    const world = await settled(5);
    world.events.length = 0;
    world.weather.begin("refused");
    await world.pass(9_000);
    expect(world.events).toEqual([]);
    await world.pass(6_000);
    expect(world.events).toEqual([{ type: "reach", isUp: false }]);
    world.weather.end();
    await world.pass(20_000);
    expect(world.events.filter(({ type }) => type === "reach")).toEqual([
      { type: "reach", isUp: false },
      { type: "reach", isUp: true },
    ]);
  });

  it("after a single cut of every connection at once members are back in eleven seconds at most, half of them in five", async () => {
    const times: number[] = [];
    for (let seed = 0; seed < 30; seed += 1) {
      const world = await settled(seed);
      world.weather.begin("refused");
      world.cutOff();
      world.weather.end();
      times.push(await world.untilAllCame(60_000));
      await world.pool.stop();
    }
    times.sort((one, other) => one - other);
    expect(times[Math.floor(times.length * 0.5)]).toBeLessThanOrEqual(5_000);
    expect(times.at(-1)).toBeLessThanOrEqual(11_500);
  });
});

it("whatever comes one after the other, no needed tunnel is ended while there is room, and all who can come do", async () => {
  for (let seed = 0; seed < 30; seed += 1) {
    const world = new World(seed + 10_000, { members: 3 });
    const { chance, weather, members, links } = world;
    const pick = <Item>(items: readonly Item[]): Item | undefined =>
      items[Math.floor(chance.next() * items.length)];
    for (let event = 0; event < 12; event += 1) {
      const roll = chance.next();
      const someone = pick(members);
      if (roll < 0.35) {
        weather.begin(pick(KINDS) ?? "refused");
        world.cutOff();
      } else if (roll < 0.6) weather.end();
      else if (roll < 0.7 && someone !== undefined) someone.isAway = true;
      else if (roll < 0.8) world.link();
      else if (roll < 0.88) links.shift();
      else if (roll < 0.93) pick(weather.tunnels)?.die();
      else pick(weather.tunnels)?.leadsHereAgainAt(world.clock.now() + chance.next() * 200_000);
      await world.pass(1_000 + Math.round(chance.next() * 150_000));
    }
    weather.end();
    await world.pass(250_000);
    expect(world.wronged, `seed ${seed}`).toEqual([]);
    for (const member of members)
      expect([seed, member.isAway], member.name).toEqual([seed, world.isStranded(member)]);
    links.length = 0;
    for (const member of members) member.isAway = false;
    await world.pass(400_000);
    expect(world.pool.urls, `seed ${seed}`).toHaveLength(2);
    await world.pool.stop();
    expect(weather.tunnels.filter(({ isStopped }) => !isStopped)).toEqual([]);
  }
});
