import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { createCloudflaredOpener } from "../../../src/tunnel/cloudflared/cloudflared.ts";
import { cloudflared } from "../../../src/tunnel/cloudflared/declaration.ts";
import { binaryEnvironment, hostFacts } from "../../../src/tunnel/cloudflared/environment.ts";
import { TunnelPool, type PoolEvent } from "../../../src/tunnel/pool/pool.ts";
import { fastClock } from "../../support/fake-tunnel-clock.ts";
import { standIn } from "../../support/tunnels/stand-in.ts";
import { FakeEdge } from "../../support/tunnels/fake-edge.ts";
import { completeLines } from "../../support/lines.ts";
import { NO_PROOF } from "../../support/tunnels/scripted-provider.ts";
import { gone, isRunning, until } from "../../support/processes.ts";

const startSchema = z.object({ pid: z.number(), host: z.string(), metricsPort: z.number() });
type Start = z.infer<typeof startSchema>;

let root = "";
let pool: TunnelPool | undefined;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tunnel-pool-test-"));
  mkdirSync(join(root, "tmp"));
});
afterEach(async () => {
  await pool?.stop();
  rmSync(root, { recursive: true, force: true });
});

const starts = (): Start[] =>
  completeLines(join(root, "state")).map((line) => startSchema.parse(JSON.parse(line)));

interface Setting {
  readonly variables?: Readonly<Record<string, string>>;
  readonly absent?: () => readonly (readonly string[])[];
  readonly standby?: boolean;
}

/** A pool whose tunnels are processes. Time runs faster: for the pool, which waits for a minute, more so. */
async function pooled({ variables = {}, absent = () => [], standby = true }: Setting = {}) {
  const environment = binaryEnvironment(process.env, { ...hostFacts(), tempDirectory: join(root, "tmp") });
  const clock = fastClock(10);
  const open = createCloudflaredOpener({
    environment,
    explicitPath: standIn(root, { FAKE_CF_STATE: join(root, "state"), ...variables }),
    clock,
    doh: false,
    skipReachabilityCheck: true,
  });
  const relay = { port: 1, proof: NO_PROOF };
  const active = await open({ ...relay, signal: new AbortController().signal });
  const events: PoolEvent[] = [];
  const made = new TunnelPool({
    active,
    provider: { ...cloudflared, open },
    relay,
    clock: fastClock(60),
    standby,
    limit: 4,
    absent,
    random: Math.random,
    onEvent: (event) => void events.push(event),
  });
  pool = made;
  return { pool: made, events };
}

/** Active and standby. */
async function paired(setting?: Setting) {
  const made = await pooled(setting);
  made.pool.keepStandby();
  await until("two addresses", () => made.pool.urls.length === 2);
  made.events.length = 0;
  const [first, second] = starts();
  if (first === undefined || second === undefined) throw new Error("not started");
  return { ...made, first, second };
}

const url = ({ host }: Start): string => `wss://${host}`;

describe("a pool of real processes", () => {
  it("survives kill -9 of the active one: the other takes over, a new one is started, nothing is left in the end", async () => {
    const { pool, events, first, second } = await paired();
    process.kill(first.pid, "SIGKILL");
    await until("taken over", () => pool.urls[0] === url(second));
    expect(events.slice(0, 2)).toMatchObject([
      { type: "lost", url: url(first), error: { code: "cloudflared-exited" } },
      { type: "addresses", urls: [url(second)] },
    ]);
    await until("two addresses again", () => pool.urls.length === 2);
    const third = starts()[2];
    expect(third === undefined ? undefined : pool.urls[1]).toBe(third && url(third));
    expect(events.at(-1)).toEqual({ type: "addresses", urls: pool.urls });
    await gone(first.pid);
    await pool.stop();
    expect(starts().filter(({ pid }) => isRunning(pid))).toEqual([]);
    expect(readdirSync(join(root, "tmp"))).toEqual([]);
  });

  it("moves to the other when the active one has lost the edge, and stops it when that lasts", async () => {
    const { pool, events, first, second } = await paired();
    await fetch(`http://127.0.0.1:${first.metricsPort}/fake/lose`, { method: "POST" });
    await until("moved", () => pool.urls[0] === url(second));
    expect(pool.urls).toEqual([url(second), url(first)]);
    expect(isRunning(first.pid)).toBe(true);
    await until("replaced", () => pool.urls.length === 2 && !pool.urls.includes(url(first)));
    await gone(first.pid);
    expect(events.filter(({ type }) => type === "lost")).toMatchObject([
      { url: url(first), error: { code: "cloudflared-edge-lost" } },
    ]);
    await pool.stop();
    expect(starts().filter(({ pid }) => isRunning(pid))).toEqual([]);
  });
});

describe("an outage of the edge, for real processes", () => {
  let edge: FakeEdge | undefined;
  afterEach(() => edge?.stop());

  /** The processes live some twenty times as fast. */
  const edgeVariables = async (): Promise<{ edge: FakeEdge; variables: Record<string, string> }> => {
    edge = await FakeEdge.start();
    return { edge, variables: { FAKE_CF_EDGE: String(edge.port), FAKE_CF_SPEED: "20" } };
  };

  it.each(["refused", "hanging", "garbage"] as const)(
    "longer than a tunnel is worth waiting for, in which the edge is %s: those who are needed come back under their names",
    async (mode) => {
      const { edge: made, variables } = await edgeVariables();
      let absent: string[][] = [];
      const { pool, events, first, second } = await paired({ variables, absent: () => absent });
      absent = [[url(first)], [url(second)]];
      await made.turn(mode);
      await until("it is noticed", () => events.some((event) => event.type === "reach" && !event.isUp));
      // Two and a half minutes for the pool.
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      expect([first, second].map(({ pid }) => isRunning(pid))).toEqual([true, true]);
      expect(pool.urls).toEqual(expect.arrayContaining(absent.flat()));
      const before = made.registrations.length;
      await made.turn("up");
      await until("both lead here again", () =>
        absent.flat().every((address) => pool.addresses.working.includes(address)),
      );
      expect(made.registrations.slice(before)).toEqual(expect.arrayContaining([first.host, second.host]));
      absent = [];
      await until("there are two", () => starts().filter(({ pid }) => isRunning(pid)).length === 2);
      await pool.stop();
      expect(starts().filter(({ pid }) => isRunning(pid))).toEqual([]);
    },
    20_000,
  );

  it("a process that dies and is started again under its old name brings the old address back", async () => {
    const { edge: made, variables } = await edgeVariables();
    const kept = { ...variables, FAKE_CF_KEEP: join(root, "kept") };
    const { pool, events } = await pooled({ variables: kept, standby: false });
    const [address] = pool.urls;
    const [start] = starts();
    process.kill(start?.pid ?? 0, "SIGKILL");
    await until("it is lost, and back", () => events.length >= 3 && pool.urls.length === 1);
    expect(events.map((event) => (event.type === "addresses" ? event.urls : event.type))).toEqual([
      "lost",
      [],
      [address],
    ]);
    expect(made.registrations).toEqual([start?.host, start?.host]);
    expect(made.keys.size).toBe(1);
  });

  it("a name belongs to its key: a process with another one is turned away", async () => {
    const { edge: made, variables } = await edgeVariables();
    made.keys.set("taken.trycloudflare.com", "another key");
    await expect(pooled({ variables: { ...variables, FAKE_CF_HOST: "taken" } })).rejects.toMatchObject({
      code: "cloudflared-exited",
    });
    expect(made.registrations).toEqual([]);
    await expect(pooled({ variables: { ...variables, FAKE_CF_HOST: "free" } })).resolves.toBeDefined();
    expect(made.registrations).toEqual(["free.trycloudflare.com"]);
  });
});
