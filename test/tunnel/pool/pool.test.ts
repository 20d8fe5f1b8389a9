import { afterEach, describe, expect, it } from "vitest";
import { cloudflared } from "../../../src/tunnel/cloudflared/declaration.ts";
import { TunnelPool, type PoolEvent, type PoolOptions } from "../../../src/tunnel/pool/pool.ts";
import { FakeClock, settle } from "../../support/fake-tunnel-clock.ts";
import { NO_PROOF, ScriptedProvider, ScriptedTunnel } from "../../support/tunnels/scripted-provider.ts";

const A = "wss://a.example";
const T1 = "wss://t1.example";
const T2 = "wss://t2.example";

let pools: TunnelPool[] = [];
afterEach(async () => {
  await Promise.all(pools.map((pool) => pool.stop()));
  pools = [];
});

/** Events as words: `lost a`, `addresses t1 a`, `failed CODE MS`. */
function inWords(event: PoolEvent): string {
  const short = (url: string): string => url.slice("wss://".length, -".example".length);
  switch (event.type) {
    case "addresses":
      return ["addresses", ...event.urls.map(short)].join(" ");
    case "lost":
      return `lost ${short(event.url)}`;
    case "failed":
      return `failed ${event.error.code} ${event.retryInMs}`;
    case "reach":
      return event.isUp ? "reached" : "silent";
  }
}

function world(changed: Partial<PoolOptions> = {}) {
  const clock = new FakeClock();
  const scripted = new ScriptedProvider();
  const a = new ScriptedTunnel("a");
  const events: string[] = [];
  const pool = new TunnelPool({
    active: a,
    provider: scripted.provider,
    relay: { port: 4321, proof: NO_PROOF },
    clock,
    standby: true,
    limit: 4,
    absent: () => [],
    random: () => 0,
    onEvent: (event) => void events.push(inWords(event)),
    ...changed,
  });
  pools.push(pool);
  /** What was told since the last call. */
  const told = (): string[] => events.splice(0);
  const open = async (): Promise<ScriptedTunnel> => {
    const tunnel = scripted.request.succeed();
    await settle();
    return tunnel;
  };
  const fail = async (code: Parameters<ScriptedProvider["fail"]>[0]): Promise<void> => {
    scripted.fail(code);
    await settle();
  };
  return { clock, scripted, a, pool, told, open, fail };
}

/** Active and standby, both up, and old enough that their end is no early one. */
async function paired(changed: Partial<PoolOptions> = {}) {
  const made = world(changed);
  made.pool.keepStandby();
  const b = await made.open();
  await made.clock.advance(60_000);
  made.told();
  return { ...made, b };
}

describe("a spare tunnel", () => {
  it("is opened once it is asked for, for the same port, and told of as the second address", async () => {
    const { clock, pool, scripted, told, open } = world();
    await clock.advance(60_000);
    expect(scripted.requests).toBe(0);
    expect(pool.health()).toEqual({ active: { state: "up" }, standby: { state: "off" } });
    pool.keepStandby();
    pool.keepStandby();
    expect(scripted.requests).toBe(1);
    expect(scripted.request.port).toBe(4321);
    expect(pool.health().standby).toEqual({ state: "opening", attempts: 0 });
    await open();
    expect(told()).toEqual(["addresses a t1"]);
    expect(pool.urls).toEqual([A, T1]);
    expect(pool.health().standby).toEqual({ state: "ready", url: T1, health: { state: "up" } });
    await clock.advance(3_600_000);
    expect(scripted.requests).toBe(1);
    expect(told()).toEqual([]);
  });

  it("is replaced when it ends, and the active one notices nothing", async () => {
    const { pool, a, b, told, open, scripted } = await paired();
    b.down();
    expect(told()).toEqual(["lost t1", "addresses a"]);
    expect(b.stops).toBe(1);
    expect(scripted.requests).toBe(2);
    await open();
    expect(told()).toEqual(["addresses a t2"]);
    expect([pool.active, a.stops]).toEqual([a, 0]);
  });

  it("is replaced when it has been without the edge for a minute, not before", async () => {
    const { pool, a, b, clock, told, scripted } = await paired();
    b.degrade();
    await clock.advance(58_000);
    b.up();
    await clock.advance(4_000);
    b.degrade();
    await clock.advance(58_000);
    expect([scripted.requests, b.stops, told()]).toEqual([1, 0, []]);
    expect(pool.health().standby).toMatchObject({ state: "ready", health: { state: "degraded" } });
    await clock.advance(6_000);
    expect(told()).toEqual(["lost t1", "addresses a"]);
    expect([scripted.requests, b.stops, a.stops]).toEqual([2, 1, 0]);
  });

  it("is never opened ahead when it is not wanted", async () => {
    const { pool, a, scripted, clock, told, open } = world({ standby: false });
    pool.keepStandby();
    await clock.advance(60_000);
    expect(scripted.requests).toBe(0);
    a.down();
    expect(told()).toEqual(["lost a", "addresses"]);
    expect(pool.health()).toEqual({
      active: { state: "opening", attempts: 0 },
      standby: { state: "off" },
    });
    await open();
    expect(told()).toEqual(["addresses t1"]);
    await clock.advance(600_000);
    expect(scripted.requests).toBe(1);
  });
});

describe("when the active tunnel ends", () => {
  it("the spare one takes its place at once, and another spare one is opened", async () => {
    const { pool, a, b, told, open, scripted } = await paired();
    a.down();
    expect(told()).toEqual(["lost a", "addresses t1"]);
    expect(pool.active).toBe(b);
    expect([a.stops, a.listeners]).toEqual([1, 0]);
    expect(scripted.requests).toBe(2);
    await open();
    expect(told()).toEqual(["addresses t1 t2"]);
  });

  it("a spare one that is being opened becomes the active one", async () => {
    const { pool, a, told, open, scripted } = world();
    pool.keepStandby();
    a.down();
    expect(told()).toEqual(["lost a", "addresses"]);
    expect([scripted.requests, pool.active]).toEqual([1, undefined]);
    const b = await open();
    expect(told()).toEqual(["addresses t1"]);
    expect(pool.active).toBe(b);
    expect(scripted.requests).toBe(2);
  });

  it("a wait for the next attempt at a spare one is cut short", async () => {
    const { pool, a, fail, scripted, clock } = world();
    pool.keepStandby();
    for (let failures = 0; failures < 5; failures += 1) {
      await fail("cloudflared-api-down");
      if (failures < 4) await clock.advance(5_000 * 2 ** failures);
    }
    expect(pool.health().standby).toMatchObject({ state: "waiting", attempts: 5, retryInMs: 80_000 });
    a.down();
    expect(scripted.requests).toBe(6);
    expect(pool.health().active).toEqual({ state: "opening", attempts: 0 });
    await clock.advance(100_000);
    expect(scripted.requests).toBe(6);
  });

  it("and nobody was told, the next look finds it; until then it is no address any more", async () => {
    const { pool, a, b, told, clock } = await paired();
    a.isTold = false;
    a.down();
    expect([pool.urls, pool.active]).toEqual([[T1], b]);
    await clock.advance(2_000);
    expect(told()).toEqual(["lost a", "addresses t1"]);
  });

  it("before the pool was made, that is told after it was made", async () => {
    const dead = new ScriptedTunnel("a");
    dead.down();
    const { pool, told, clock, scripted } = world({ active: dead });
    expect([pool.urls, told(), pool.health().active]).toEqual([[], [], { state: "opening", attempts: 0 }]);
    await clock.advance(0);
    expect(told()).toEqual(["lost a", "addresses"]);
    expect([dead.stops, scripted.requests]).toEqual([1, 1]);
  });

  it("and the spare one with it, both are replaced one after the other", async () => {
    const { pool, a, b, told, open, scripted } = await paired();
    a.down();
    b.down();
    expect(told()).toEqual(["lost a", "addresses t1", "lost t1", "addresses"]);
    expect(scripted.requests).toBe(2);
    const c = await open();
    expect(told()).toEqual(["addresses t2"]);
    const d = await open();
    expect(pool.urls).toEqual([c.url, d.url]);
    expect([a.stops, b.stops]).toEqual([1, 1]);
  });

  it("and the spare one ends while it is being promoted, there is no address, and no dead one is told", async () => {
    const spare: ScriptedTunnel[] = [];
    const seen: string[] = [];
    const { a, pool, open } = await paired({
      onEvent(event) {
        if (event.type === "lost") spare[0]?.down();
        seen.push(inWords(event));
      },
    }).then((made) => {
      spare.push(made.b);
      seen.length = 0;
      return made;
    });
    a.down();
    expect(seen).toEqual(["lost a", "addresses t1", "lost t1", "addresses"]);
    expect(pool.urls).toEqual([]);
    await open();
    expect(pool.urls).toEqual([T2]);
  });

  it("twice, it is lost once", async () => {
    const unruly = new ScriptedTunnel("a");
    const subscribe = unruly.onDown.bind(unruly);
    unruly.onDown = (listener) => {
      subscribe(listener);
      return () => undefined;
    };
    const { told, scripted } = await paired({ active: unruly });
    unruly.down();
    unruly.down();
    expect(told()).toEqual(["lost a", "addresses t1"]);
    expect([unruly.stops, scripted.requests]).toEqual([1, 2]);
  });
});

describe("when the active tunnel loses the edge", () => {
  it("a healthy spare one takes the first place after ten seconds; the old address stays", async () => {
    const { pool, a, b, clock, told } = await paired();
    a.degrade();
    await clock.advance(10_000);
    expect(told()).toEqual([]);
    await clock.advance(2_000);
    expect(told()).toEqual(["addresses t1 a"]);
    expect([pool.active, pool.urls, a.stops]).toEqual([b, [T1, A], 0]);
    a.up();
    await clock.advance(600_000);
    expect([told(), pool.urls]).toEqual([[], [T1, A]]);
  });

  it("for ten seconds in pieces, nothing moves", async () => {
    const { a, clock, told } = await paired();
    for (let piece = 0; piece < 20; piece += 1) {
      a.degrade();
      await clock.advance(8_000);
      a.up();
      await clock.advance(2_000);
    }
    expect(told()).toEqual([]);
  });

  it("and the spare one is no better, nothing moves until one is", async () => {
    const { a, b, clock, told } = await paired();
    a.degrade();
    b.degrade();
    await clock.advance(40_000);
    expect(told()).toEqual(["silent"]);
    b.up();
    await clock.advance(2_000);
    expect(told()).toEqual(["reached", "addresses t1 a"]);
  });

  it("for a minute, it is stopped and replaced, as it is not the only one", async () => {
    const { a, clock, told, open, scripted } = await paired();
    a.degrade();
    await clock.advance(58_000);
    expect([scripted.requests, a.stops]).toEqual([1, 0]);
    told();
    await clock.advance(6_000);
    expect(told()).toEqual(["lost a", "addresses t1"]);
    expect([scripted.requests, a.stops]).toEqual([2, 1]);
    await open();
    expect(told()).toEqual(["addresses t1 t2"]);
  });

  it("as the only one, another is opened beside it, and only then it is stopped", async () => {
    const { a, pool, clock, told, open, fail, scripted } = world({ standby: false });
    a.degrade();
    await clock.advance(58_000);
    expect(scripted.requests).toBe(0);
    await clock.advance(6_000);
    expect(scripted.requests).toBe(1);
    expect(pool.health()).toMatchObject({ active: { state: "degraded" }, standby: { state: "opening" } });
    await fail("cloudflared-api-down");
    expect([told(), a.stops, pool.urls]).toEqual([["silent"], 0, [A]]);
    await clock.advance(5_000);
    await open();
    expect(told()).toEqual(["lost a", "reached", "addresses t2"]);
    expect([a.stops, pool.urls]).toEqual([1, [T2]]);
  });

  it("as the only one, and comes back in time, the other is not opened after all", async () => {
    const { a, pool, clock, told, scripted } = world({ standby: false });
    a.degrade();
    await clock.advance(64_000);
    const { signal } = scripted.request;
    a.up();
    await clock.advance(2_000);
    expect(signal.aborted).toBe(true);
    expect([told(), a.stops, pool.urls]).toEqual([["silent", "reached"], 0, [A]]);
    expect(pool.health().standby).toEqual({ state: "off" });
  });

  it("with every other one, only the spare one is given up, and a new one is opened beside the first", async () => {
    const { a, b, pool, clock, told, open, scripted } = await paired();
    a.degrade();
    b.degrade();
    await clock.advance(600_000);
    expect(told()).toEqual(["silent", "lost t1", "addresses a"]);
    expect([a.stops, b.stops, scripted.requests]).toEqual([0, 1, 2]);
    await open();
    expect(told()).toEqual(["lost a", "reached", "addresses t2"]);
    await open();
    expect(pool.urls).toEqual([T2, "wss://t3.example"]);
  });

  it("and a new one that was asked for comes when it is back, one too many is let go once the old one has held", async () => {
    const { a, pool, clock, told, open } = world({ standby: false });
    a.degrade();
    await clock.advance(64_000);
    a.up();
    const surplus = await open();
    expect([told(), pool.urls]).toEqual([
      ["silent", "reached", "addresses a t1"],
      [A, T1],
    ]);
    await clock.advance(8_000);
    expect([surplus.stops, a.stops, told()]).toEqual([0, 0, []]);
    await clock.advance(4_000);
    expect([surplus.stops, a.stops, told(), pool.urls]).toEqual([1, 0, ["addresses a"], [A]]);
  });

  it("and comes back for seconds only, the new one is kept", async () => {
    const { a, pool, clock, open, told } = world({ standby: false, absent: () => [[A]] });
    a.degrade();
    await clock.advance(64_000);
    await open();
    told();
    for (let blip = 0; blip < 5; blip += 1) {
      a.up();
      await clock.advance(6_000);
      a.degrade();
      await clock.advance(70_000);
    }
    expect(pool.urls).toEqual([T1, A]);
    expect(told()).toEqual([]);
  });

  it("and the new one loses it as well, both are kept, as either may come back", async () => {
    const { a, pool, clock, told, scripted } = world({ standby: false });
    a.degrade();
    await clock.advance(64_000);
    scripted.request.succeed().degrade();
    await settle();
    await clock.advance(30_000);
    expect([told(), pool.urls, a.stops]).toEqual([["silent", "addresses a t1"], [A, T1], 0]);
    a.up();
    await clock.advance(12_000);
    expect([told(), pool.urls]).toEqual([["reached", "addresses a"], [A]]);
    expect([scripted.tunnels[0]?.stops, scripted.requests]).toEqual([1, 1]);
  });

  it("as the only one, attempts at another go on even after errors that do not pass by themselves", async () => {
    const { a, pool, clock, fail, scripted } = world();
    pool.keepStandby();
    await fail("cloudflared-missing");
    await clock.advance(600_000);
    a.degrade();
    await clock.advance(64_000);
    expect(scripted.requests).toBe(2);
    await fail("cloudflared-missing");
    expect(pool.health().standby).toMatchObject({ state: "waiting", attempts: 1, retryInMs: 300_000 });
  });

  it("because the machine slept, the hours of sleep do not count", async () => {
    const { a, clock, told } = await paired();
    const awake = clock.now.bind(clock);
    a.degrade();
    await clock.advance(2_000);
    clock.now = () => awake() + 8 * 3_600_000;
    await clock.advance(4_000);
    a.up();
    await clock.advance(2_000);
    expect([told(), a.stops]).toEqual([[], 0]);
  });
});

describe("somebody who is absent", () => {
  const T3 = "wss://t3.example";
  const T4 = "wss://t4.example";

  /** Four tunnels that have been stale for long, all of which somebody may dial; a fifth is being opened. */
  async function full(absent: () => readonly (readonly string[])[]) {
    const made = await paired({ absent });
    const all = [made.a, made.b];
    for (const tunnel of all) tunnel.degrade();
    await made.clock.advance(64_000);
    for (let more = 0; more < 2; more += 1) {
      const tunnel = await made.open();
      all.push(tunnel);
      tunnel.degrade();
      await made.clock.advance(64_000);
    }
    made.told();
    expect(made.pool.urls.toSorted()).toEqual(all.map(({ url }) => url).toSorted());
    return { ...made, all };
  }

  it("keeps a stale tunnel from its end, and so does nobody else", async () => {
    let absent: string[][] = [];
    const { a, b, clock, told, open } = await paired({ absent: () => absent });
    a.degrade();
    b.degrade();
    absent = [["wss://elsewhere.example", T1]];
    await clock.advance(120_000);
    await open();
    // The first was not needed once there was another one, the second is.
    expect([a.stops, b.stops]).toEqual([1, 0]);
    expect(told().at(-1)).toBe("addresses t2 t1");
    absent = [];
    await clock.advance(2_000);
    expect([b.stops, told()]).toEqual([1, ["lost t1", "addresses t2"]]);
  });

  it("keeps one that works and is too many", async () => {
    let absent: string[][] = [];
    const { a, b, pool, clock, open } = await paired({ absent: () => absent });
    a.degrade();
    absent = [[A]];
    await clock.advance(64_000);
    const c = await open();
    absent = [[c.url]];
    a.up();
    await clock.advance(60_000);
    expect(pool.urls.toSorted()).toEqual([A, T1, c.url].toSorted());
    absent = [];
    await clock.advance(2_000);
    expect([a.stops, b.stops, c.stops]).toEqual([0, 0, 1]);
  });

  it("of five needed ones loses that whose end leaves the fewest without any", async () => {
    const absent = [[A, T1], [T1], [T2, A], [T2], [T3]];
    const { all, open, told, pool } = await full(() => absent);
    await open();
    expect(all.map(({ stops }) => stops)).toEqual([1, 0, 0, 0]);
    expect(told()).toContain("lost a");
    expect(pool.urls).toHaveLength(4);
    expect(pool.urls[0]).toBe(T4);
  });

  it("is worth more than a spare: none is opened where that would end a needed one", async () => {
    const absent = [[A], [T1], [T2]];
    const { pool, clock, open, scripted, b, a } = await paired({ absent: () => absent });
    for (const tunnel of [a, b]) tunnel.degrade();
    await clock.advance(64_000);
    const c = await open();
    c.degrade();
    await clock.advance(64_000);
    await open();
    await clock.advance(600_000);
    expect([pool.urls.length, scripted.pending.length, scripted.requests]).toEqual([4, 0, 3]);
    expect(pool.health()).toMatchObject({
      active: { state: "up" },
      standby: { health: { state: "degraded" } },
    });
  });

  it("shortens a long wait that began before, but not one after a rate limit", async () => {
    for (const code of ["cloudflared-api-down", "cloudflared-rate-limited"] as const) {
      let absent: string[][] = [];
      const { pool, fail, clock } = world({ absent: () => absent });
      const waits = (): number => {
        const { standby } = pool.health();
        return standby.state === "waiting" ? standby.retryInMs : 0;
      };
      pool.keepStandby();
      for (let failures = 0; failures < 7; failures += 1) {
        await clock.advance(waits());
        await fail(code);
      }
      expect(waits()).toBeGreaterThanOrEqual(300_000);
      absent = [[A]];
      await clock.advance(2_000);
      if (code === "cloudflared-api-down") expect(waits()).toBeLessThanOrEqual(30_000);
      else expect(waits()).toBeGreaterThan(800_000);
    }
  });

  it("need not wait where one tunnel gets through again: the next one is opened soon", async () => {
    const { a, b, fail, clock, scripted, pool } = await paired({ absent: () => [[A]] });
    b.down();
    await fail("cloudflared-api-down");
    await clock.advance(5_000);
    await fail("cloudflared-api-down");
    await clock.advance(10_000);
    await fail("cloudflared-api-down");
    a.degrade();
    await clock.advance(8_000);
    expect(pool.health().standby).toMatchObject({ state: "waiting", retryInMs: 12_000 });
    a.up();
    await clock.advance(2_000);
    expect(scripted.requests).toBe(5);
  });
});

it("a tunnel that has the address of an old one takes its place", async () => {
  const old = new ScriptedTunnel("a");
  const { pool, scripted, clock, told } = world({ active: old, standby: false, absent: () => [[A]] });
  old.degrade();
  await clock.advance(64_000);
  const again = scripted.request.succeed("a");
  await settle();
  expect([old.stops, again.stops, pool.urls]).toEqual([1, 0, [A]]);
  expect(told()).toEqual(["silent", "reached"]);
});

describe("when none can be opened", () => {
  const waits = async (
    code: "cloudflared-blocked" | "cloudflared-rate-limited",
    random: number,
    times: number,
  ) => {
    const { pool, a, told, fail, clock } = world({ random: () => random, standby: false });
    await clock.advance(60_000);
    a.down();
    told();
    const found: number[] = [];
    for (let failures = 0; failures < times; failures += 1) {
      await fail(code);
      const { active } = pool.health();
      if (active.state !== "waiting") throw new Error(active.state);
      expect(told()).toEqual([`failed ${code} ${active.retryInMs}`]);
      expect(active).toMatchObject({ error: { code }, attempts: failures + 1 });
      found.push(active.retryInMs / 1_000);
      await clock.advance(active.retryInMs - 1);
      expect(pool.health().active).toMatchObject({ state: "waiting", retryInMs: 1 });
      await clock.advance(1);
    }
    return found;
  };

  it("the waits double from 5 s to 5 min, and chance makes them longer", async () => {
    expect(await waits("cloudflared-blocked", 0, 8)).toEqual([5, 10, 20, 40, 80, 160, 300, 300]);
    expect(await waits("cloudflared-blocked", 0.5, 3)).toEqual([5.625, 11.25, 22.5]);
  });

  it("a rate limit is waited for at least 2 min, at most 15", async () => {
    expect(await waits("cloudflared-rate-limited", 0, 5)).toEqual([120, 240, 480, 900, 900]);
  });

  it("not even a lost active one is replaced within two minutes of a refusal, but then", async () => {
    const { pool, a, told, fail, clock, scripted } = world();
    pool.keepStandby();
    await fail("cloudflared-rate-limited");
    await clock.advance(120_000);
    await fail("cloudflared-rate-limited");
    await clock.advance(20_000);
    expect(pool.health().standby).toMatchObject({ state: "waiting", retryInMs: 220_000 });
    a.down();
    expect(told()).toEqual(["lost a", "addresses", "failed cloudflared-rate-limited 100000"]);
    await clock.advance(99_999);
    expect(scripted.requests).toBe(2);
    await clock.advance(1);
    expect(scripted.requests).toBe(3);
  });

  it("for a spare one, each success makes the waits short again", async () => {
    const { pool, fail, open, clock } = world();
    pool.keepStandby();
    await fail("cloudflared-not-ready");
    await clock.advance(5_000);
    await fail("cloudflared-not-ready");
    await clock.advance(10_000);
    const b = await open();
    await clock.advance(60_000);
    b.down();
    await fail("cloudflared-not-ready");
    expect(pool.health().standby).toMatchObject({ state: "waiting", attempts: 1, retryInMs: 5_000 });
  });

  it.each([
    "cloudflared-missing",
    "cloudflared-hash-mismatch",
    "cloudflared-config",
    "cloudflared-unsupported",
  ] as const)("%s ends the attempts at a spare one, but not those at an address", async (code) => {
    const { pool, a, told, fail, open, clock, scripted } = world();
    pool.keepStandby();
    await fail(code);
    await clock.advance(3_600_000);
    expect(scripted.requests).toBe(1);
    expect(pool.health().standby).toMatchObject({ state: "failed", error: { code }, attempts: 1 });
    expect(told()).toEqual([]);
    a.down();
    expect(scripted.requests).toBe(2);
    await fail(code);
    expect(told()).toEqual(["lost a", "addresses", `failed ${code} 300000`]);
    await clock.advance(300_000);
    await open();
    expect(pool.urls).toEqual(["wss://t3.example"]);
    await open();
    expect(pool.urls).toHaveLength(2);
  });

  it("what is thrown is no TunnelError, it is one in the health", async () => {
    const { pool, scripted } = world();
    pool.keepStandby();
    scripted.request.fail("nonsense");
    await settle();
    expect(pool.health().standby).toMatchObject({ state: "waiting", error: { code: "internal" } });
  });

  it("a tunnel that has ended before it was handed over is stopped and never told of", async () => {
    const { pool, scripted, told } = world();
    pool.keepStandby();
    const dead = scripted.request.succeed();
    dead.down();
    await settle();
    expect([told(), dead.stops, pool.urls]).toEqual([[], 1, [A]]);
    expect(scripted.requests).toBe(2);
  });

  it("a refusal of long ago holds nothing up, and does not make the next wait longer", async () => {
    const { pool, a, told, fail, open, clock, scripted } = world({ standby: false });
    await clock.advance(60_000);
    a.down();
    await fail("cloudflared-rate-limited");
    await clock.advance(120_000);
    const b = await open();
    await clock.advance(60_000);
    told();
    b.down();
    expect([told(), scripted.requests]).toEqual([["lost t2", "addresses"], 3]);
    await fail("cloudflared-rate-limited");
    expect(pool.health().active).toMatchObject({ attempts: 1, retryInMs: 120_000 });
  });

  it("a provider that throws instead of rejecting is a failure like any other", async () => {
    const open = (): never => {
      throw new Error("at once");
    };
    const { pool } = world({ provider: { ...cloudflared, open } });
    pool.keepStandby();
    await settle();
    expect(pool.health().standby).toMatchObject({ state: "waiting", error: { code: "internal" } });
  });

  it.each([true, false])(
    "tunnels that end as soon as they are open are not opened in a loop (%s)",
    async (standby) => {
      const { a, pool, clock, scripted, told } = world({ standby });
      pool.keepStandby();
      await clock.advance(60_000);
      a.down();
      for (let second = 0; second < 600; second += 1) {
        scripted.pending[0]?.succeed();
        await clock.advance(500);
        for (const tunnel of scripted.tunnels) if (!tunnel.isStopped) tunnel.down();
        await clock.advance(500);
      }
      expect(scripted.requests).toBeGreaterThan(5);
      expect(scripted.requests).toBeLessThan(14);
      expect(told().some((event) => event.startsWith("failed cloudflared-exited"))).toBe(true);
    },
  );

  it("one early end is no reason to wait, nor is another after one that lasted", async () => {
    const { a, clock, scripted, open } = world({ standby: false });
    a.down();
    const b = await open();
    await clock.advance(60_000);
    b.down();
    const c = await open();
    c.down();
    expect(scripted.requests).toBe(3);
    const d = await open();
    d.down();
    expect(scripted.requests).toBe(3);
    await clock.advance(5_000);
    expect(scripted.requests).toBe(4);
  });
});

describe("stopping", () => {
  it("stops every tunnel and tells nothing more, however often it is called", async () => {
    const { pool, a, b, clock, told, scripted } = await paired();
    await Promise.all([pool.stop(), pool.stop()]);
    await pool.stop();
    expect([a.stops, b.stops, a.listeners, b.listeners]).toEqual([1, 1, 0, 0]);
    a.down();
    pool.keepStandby();
    await clock.advance(600_000);
    expect([told(), scripted.requests, clock.waiting]).toEqual([[], 1, 0]);
    expect([pool.urls, pool.active]).toEqual([[], undefined]);
    expect(pool.health()).toEqual({ active: { state: "stopped" }, standby: { state: "off" } });
  });

  it("before a spare one was ever asked for is the end of that, too", async () => {
    const { pool, scripted } = world();
    await pool.stop();
    pool.keepStandby();
    expect(scripted.requests).toBe(0);
  });

  it("aborts an opening and waits for its end; what it brings nevertheless is stopped", async () => {
    const { pool, scripted } = world();
    scripted.isDeaf = true;
    pool.keepStandby();
    const { signal, succeed } = scripted.request;
    let isOver = false;
    const stopped = pool.stop().then(() => (isOver = true));
    expect(signal.aborted).toBe(true);
    await settle();
    expect(isOver).toBe(false);
    const late = succeed();
    await stopped;
    expect(late.stops).toBe(1);
  });

  it("ends a wait for the next attempt", async () => {
    const { pool, fail, clock, scripted } = world();
    pool.keepStandby();
    await fail("cloudflared-api-down");
    await pool.stop();
    await clock.advance(600_000);
    expect([scripted.requests, clock.waiting]).toEqual([1, 0]);
  });

  it("waits for a tunnel that is being stopped already", async () => {
    const { pool, a } = await paired();
    let finish = (): void => undefined;
    a.stop = () => new Promise((resolve) => (finish = resolve));
    a.down();
    let isOver = false;
    const stopped = pool.stop().then(() => (isOver = true));
    await settle();
    expect(isOver).toBe(false);
    finish();
    await stopped;
  });

  it("is not held up by a tunnel that cannot be stopped", async () => {
    const { pool, a, b } = await paired();
    a.stop = () => Promise.reject(new Error("no"));
    b.stop = () => {
      throw new Error("no");
    };
    await expect(pool.stop()).resolves.toBeUndefined();
  });

  it("by the listener in the middle of events is the end of them", async () => {
    const seen: string[] = [];
    const made = await paired({
      onEvent(event) {
        seen.push(inWords(event));
        if (event.type === "lost") void made.pool.stop();
      },
    });
    seen.length = 0;
    made.a.down();
    await settle();
    expect(seen).toEqual(["lost a"]);
    expect([made.b.stops, made.scripted.pending.length, made.clock.waiting]).toEqual([1, 0, 0]);
  });
});

describe("a listener", () => {
  it("that throws harms nothing and hears the rest", async () => {
    const seen: string[] = [];
    const { a, pool } = await paired({
      onEvent(event) {
        seen.push(inWords(event));
        throw new Error("listener");
      },
    });
    seen.length = 0;
    a.down();
    expect(seen).toEqual(["lost a", "addresses t1"]);
    expect(pool.urls).toEqual([T1]);
  });
});

it("asks for no spare one any more when the provider gives the address that leads here already", async () => {
  const { clock, scripted, a, pool, told } = world();
  pool.keepStandby();
  scripted.request.succeed("a");
  await settle();
  expect([pool.urls, a.isStopped, scripted.pending.length]).toEqual([[A], true, 0]);
  await clock.advance(600_000);
  expect([scripted.requests, pool.urls, told()]).toEqual([1, [A], []]);
});

describe("a pool whose process ends while its address is held", () => {
  it("lets go of that one at once, and ends all others", async () => {
    const { pool, a, open, told } = world();
    let lefts = 0;
    const held = Object.assign(a, { leave: () => void (lefts += 1) });
    pool.keepStandby();
    const spare = await open();
    told();
    const left = pool.leave(held.url);
    expect([lefts, held.isStopped]).toEqual([1, false]);
    await left;
    expect([lefts, held.isStopped, spare.isStopped]).toEqual([1, false, true]);
    await pool.stop();
    held.down();
    expect([held.isStopped, held.listeners, told()]).toEqual([false, 0, []]);
  });

  it("ends one that cannot be left, or that is not the one", async () => {
    for (const url of [A, "wss://b.example"]) {
      const { pool, a } = world();
      if (url !== A) Object.assign(a, { leave: () => expect.unreachable() });
      await pool.leave(url);
      expect(a.isStopped).toBe(true);
    }
  });
});
