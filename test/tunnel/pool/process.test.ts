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

/** Active and standby are processes. Time runs faster: for the pool, which waits for a minute, more so. */
async function paired() {
  const environment = binaryEnvironment(process.env, { ...hostFacts(), tempDirectory: join(root, "tmp") });
  const clock = fastClock(10);
  const open = createCloudflaredOpener({
    environment,
    explicitPath: standIn(root, { FAKE_CF_STATE: join(root, "state") }),
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
    standby: true,
    random: Math.random,
    onEvent: (event) => void events.push(event),
  });
  pool = made;
  made.keepStandby();
  await until("two addresses", () => made.urls.length === 2);
  events.length = 0;
  const [first, second] = starts();
  if (first === undefined || second === undefined) throw new Error("not started");
  return { pool: made, events, first, second };
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
