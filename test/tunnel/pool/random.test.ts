import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { ErrorCode } from "../../../src/errors/tunnel-error.ts";
import { TunnelPool, type PoolEvent } from "../../../src/tunnel/pool/pool.ts";
import { FakeClock, settle } from "../../support/fake-tunnel-clock.ts";
import { Chance } from "../../support/random.ts";
import { NO_PROOF, ScriptedProvider, ScriptedTunnel } from "../../support/tunnels/scripted-provider.ts";

const CODES = [
  "cloudflared-api-down",
  "cloudflared-rate-limited",
  "cloudflared-exited",
  "cloudflared-missing",
  "internal",
] as const satisfies readonly ErrorCode[];

/** `which` chooses among the tunnels that run, the youngest first. */
type Action =
  | { readonly do: "down" | "degrade" | "up"; readonly which: number }
  | { readonly do: "open" }
  | { readonly do: "fail"; readonly code: (typeof CODES)[number] }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "keep" };

const which = fc.nat(2);
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ do: fc.constantFrom("down", "degrade", "degrade", "up"), which }),
  fc.record({ do: fc.constant("open") }),
  fc.record({ do: fc.constant("open") }),
  fc.record({ do: fc.constant("fail"), code: fc.constantFrom(...CODES) }),
  fc.record({ do: fc.constant("pass"), ms: fc.constantFrom(0, 500, 2_000, 12_000, 62_000, 400_000) }),
  fc.record({ do: fc.constant("keep") }),
);

interface World {
  readonly pool: TunnelPool;
  readonly clock: FakeClock;
  readonly scripted: ScriptedProvider;
  readonly first: ScriptedTunnel;
  readonly events: PoolEvent[];
}

function world(standby: boolean, seed: number): World {
  const clock = new FakeClock();
  const scripted = new ScriptedProvider();
  const chance = new Chance(seed);
  // Some providers notice late that they are not wanted any more.
  scripted.isDeaf = seed % 2 === 0;
  const first = new ScriptedTunnel("first");
  const events: PoolEvent[] = [];
  const { provider } = scripted;
  const pool = new TunnelPool({
    active: first,
    provider,
    relay: { port: 1, proof: NO_PROOF },
    clock,
    standby,
    limit: 4,
    absent: () => [],
    random: () => chance.next(),
    onEvent: (event) => void events.push(event),
  });
  return { pool, clock, scripted, first, events };
}

const all = ({ first, scripted }: World): ScriptedTunnel[] => [first, ...scripted.tunnels];
const running = (made: World): ScriptedTunnel[] => all(made).filter(({ isStopped }) => !isStopped);

async function act(made: World, step: Action): Promise<void> {
  const { pool, clock, scripted } = made;
  switch (step.do) {
    case "down":
    case "degrade":
    case "up":
      running(made)
        .at(-1 - step.which)
        ?.[step.do]();
      break;
    case "open":
      scripted.pending[0]?.succeed();
      break;
    case "fail":
      if (scripted.pending.length === 1) scripted.fail(step.code);
      break;
    case "pass":
      await clock.advance(step.ms);
      break;
    case "keep":
      pool.keepStandby();
  }
  await settle();
}

/** What holds after every step. */
function check(made: World): void {
  const { pool, scripted, events } = made;
  const urls = running(made).map(({ url }) => url);
  // None leaked: what runs is in the pool, and what is in the pool runs and is not down.
  expect(pool.urls.toSorted()).toEqual(urls.toSorted());
  for (const tunnel of running(made)) expect(tunnel.health().state).not.toBe("down");
  expect(urls.length).toBeLessThanOrEqual(3);
  expect(pool.active?.url).toBe(pool.urls[0]);
  expect(scripted.pending.filter(({ signal }) => !signal.aborted).length).toBeLessThanOrEqual(1);
  for (const { stops } of all(made)) expect(stops).toBeLessThanOrEqual(1);
  const { state } = pool.health().active;
  expect(["up", "degraded"].includes(state)).toBe(urls.length > 0);
  if (urls.length === 0) expect(state).toMatch(/^(?:opening|waiting)$/);
  checkStory(events, pool.urls);
}

/** Whoever only listens knows the addresses and what was lost. */
function checkStory(events: readonly PoolEvent[], urls: readonly string[]): void {
  let known: readonly string[] = ["wss://first.example"];
  const lost = new Set<string>();
  for (const event of events) {
    if (event.type === "lost") {
      expect(known).toContain(event.url);
      expect(lost).not.toContain(event.url);
      lost.add(event.url);
    } else if (event.type === "addresses") {
      expect(event.urls).not.toEqual(known);
      expect(event.urls.filter((url) => lost.has(url))).toEqual([]);
      known = event.urls;
    } else if (event.type === "failed") {
      expect(event.retryInMs).toBeGreaterThan(0);
    }
  }
  expect(known).toEqual(urls);
}

/** From now on all goes well. */
async function heal(made: World): Promise<void> {
  for (let minute = 0; minute < 40; minute += 1) {
    for (const tunnel of running(made)) tunnel.up();
    while (made.scripted.pending.length > 0) await act(made, { do: "open" });
    await act(made, { do: "pass", ms: 60_000 });
  }
}

it("whatever happens, no tunnel leaks, no dead address is told, and in the end all is well again", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.nat(),
      fc.array(action, { maxLength: 40 }),
      async (standby, seed, steps) => {
        const made = world(standby, seed);
        for (const step of steps) {
          const before = made.pool.urls.length;
          await act(made, step);
          check(made);
          // Only an end takes the last address away: never a decision of the pool.
          if (before > 0 && step.do !== "down") expect(made.pool.urls).not.toEqual([]);
        }
        await heal(made);
        check(made);
        made.pool.keepStandby();
        await heal(made);
        const { active, standby: spare } = made.pool.health();
        expect(active).toEqual({ state: "up" });
        if (!standby) expect(spare).toEqual({ state: "off" });
        else if (spare.state !== "failed")
          expect(spare).toMatchObject({ state: "ready", health: { state: "up" } });
        expect(made.scripted.pending).toEqual([]);
        const told = made.events.length;
        await made.pool.stop();
        expect(running(made)).toEqual([]);
        expect(made.clock.waiting).toBe(0);
        expect(made.events).toHaveLength(told);
      },
    ),
    { numRuns: 120 },
  );
});

it("stopped at any moment, it leaves nothing behind", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.array(action, { maxLength: 25 }), async (seed, steps) => {
      const made = world(true, seed);
      made.pool.keepStandby();
      for (const step of steps) await act(made, step);
      const told = made.events.length;
      const stopped = made.pool.stop();
      while (made.scripted.pending.length > 0) made.scripted.pending[0]?.succeed();
      await stopped;
      await made.clock.advance(3_600_000);
      expect(running(made)).toEqual([]);
      expect([made.scripted.pending, made.clock.waiting, made.events.length]).toEqual([[], 0, told]);
    }),
    { numRuns: 120 },
  );
});
