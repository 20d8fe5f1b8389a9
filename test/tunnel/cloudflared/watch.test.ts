import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { z } from "zod";
import type { Exit } from "../../../src/children/child.ts";
import { createCloudflaredOpener } from "../../../src/tunnel/cloudflared/cloudflared.ts";
import { binaryEnvironment, hostFacts } from "../../../src/tunnel/cloudflared/environment.ts";
import { probeReady, type ReadyProbe } from "../../../src/tunnel/cloudflared/ready.ts";
import type { Run } from "../../../src/tunnel/cloudflared/run.ts";
import { heldFacts, watchRun } from "../../../src/tunnel/cloudflared/watch.ts";
import { FakeClock, fastClock, settle } from "../../support/fake-tunnel-clock.ts";
import { standIn } from "../../support/tunnels/stand-in.ts";
import { completeLines } from "../../support/lines.ts";
import { until } from "../../support/processes.ts";
import { NO_PROOF } from "../../support/tunnels/scripted-provider.ts";

type Answer = Awaited<ReturnType<ReadyProbe>>;

const PUBLIC = "https://a-b.trycloudflare.com";

function watched() {
  const clock = new FakeClock();
  const listeners = new Set<() => void>();
  const done: string[] = [];
  const one = { pid: 1, start: "1" };
  const handover = { port: 4_000, child: { folder: "/stay/child", guard: one, child: one } };
  let end: (exit: Exit) => void = () => undefined;
  const exited = new Promise<Exit>((resolve) => (end = resolve));
  const run: Run = {
    facts: () => ({ url: PUBLIC, metricsPort: 1, dialFailed: false, fault: undefined }),
    exited,
    exit: () => undefined,
    onEdgeChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop: () => Promise.resolve(void done.push("stopped")),
    handover: () => handover,
    leave: () => void done.push("left"),
  };
  const probes: ((answer: Answer) => void)[] = [];
  const probe: ReadyProbe = () => new Promise((resolve) => void probes.push(resolve));
  const tunnel = watchRun(run, { url: "wss://a.example", description: "", clock, probe });
  return {
    clock,
    tunnel,
    probes,
    listeners,
    end,
    done,
    handover,
    /** The log tells of the edge. */
    stir: () => listeners.forEach((listener) => listener()),
    answer: async (answer: Answer) => {
      probes.at(-1)?.(answer);
      await settle();
    },
  };
}

it("asks every five seconds while the log is silent", async () => {
  const { clock, probes, answer, tunnel } = watched();
  for (let times = 1; times <= 3; times += 1) {
    await clock.advance(4_999);
    expect(probes).toHaveLength(times - 1);
    await clock.advance(1);
    expect(probes).toHaveLength(times);
    await answer("ready");
  }
  expect(tunnel.health()).toEqual({ state: "up" });
});

it("asks at once when the log tells of the edge, once more shortly after, and then as before", async () => {
  const { clock, probes, answer, stir, tunnel } = watched();
  stir();
  expect(probes).toHaveLength(1);
  // The log is ahead of what /ready answers.
  await answer("ready");
  expect(tunnel.health()).toEqual({ state: "up" });
  await clock.advance(500);
  expect(probes).toHaveLength(2);
  await answer("not-ready");
  expect(tunnel.health()).toMatchObject({ state: "degraded", sinceMs: clock.now() });
  await clock.advance(4_999);
  expect(probes).toHaveLength(2);
  await clock.advance(1);
  expect(probes).toHaveLength(3);
});

it("asks one question at a time, however much the log tells, and none is forgotten", async () => {
  const { clock, probes, answer, stir, tunnel } = watched();
  await clock.advance(5_000);
  stir();
  stir();
  expect(probes).toHaveLength(1);
  await answer("ready");
  await clock.advance(500);
  expect(probes).toHaveLength(2);
  await answer("not-ready");
  expect(tunnel.health()).toMatchObject({ state: "degraded" });
  expect(clock.waiting).toBe(1);
});

it("asks nothing more when it is stopped or its process has ended", async () => {
  const stopped = watched();
  await stopped.tunnel.stop();
  stopped.stir();
  const ended = watched();
  const seen: string[] = [];
  ended.tunnel.onDown(({ code }) => seen.push(code));
  ended.end({ signal: "SIGKILL" });
  await settle();
  ended.stir();
  for (const { clock, probes, listeners } of [stopped, ended]) {
    expect([probes.length, clock.waiting, listeners.size]).toEqual([0, 0, 0]);
  }
  expect(seen).toEqual(["cloudflared-exited"]);
});

it("a real process tells by its log when the edge is lost and found, without being polled", async () => {
  const root = mkdtempSync(join(tmpdir(), "tunnel-watch-test-"));
  const fast = fastClock(10);
  /** The time of the regular poll never comes. */
  const clock = {
    now: () => fast.now(),
    after: (ms: number, callback: () => void) => (ms === 5_000 ? () => undefined : fast.after(ms, callback)),
  };
  let probes = 0;
  const provider = createCloudflaredOpener({
    environment: binaryEnvironment(process.env, { ...hostFacts(), tempDirectory: root }),
    explicitPath: standIn(root, { FAKE_CF_STATE: join(root, "state") }),
    clock,
    probe: (port) => {
      probes += 1;
      return probeReady(port);
    },
    doh: false,
    skipReachabilityCheck: true,
  });
  const tunnel = await provider({ port: 1, proof: NO_PROOF, signal: new AbortController().signal });
  const before = probes;
  try {
    const [line = ""] = completeLines(join(root, "state"));
    const { metricsPort } = z.object({ metricsPort: z.number() }).parse(JSON.parse(line));
    await fetch(`http://127.0.0.1:${metricsPort}/fake/lose`, { method: "POST" });
    await until("degraded", () => tunnel.health().state === "degraded");
    await until("asked twice", () => probes === before + 2);
    await fetch(`http://127.0.0.1:${metricsPort}/fake/restore`, { method: "POST" });
    await until("up", () => tunnel.health().state === "up");
  } finally {
    await tunnel.stop();
    rmSync(root, { recursive: true, force: true });
  }
});

it("tells also those who ask when it is over already, once", async () => {
  const { tunnel, end } = watched();
  end({ signal: "SIGKILL" });
  await settle();
  const seen: string[] = [];
  tunnel.onDown(({ code }) => seen.push(code));
  const forget = tunnel.onDown(() => seen.push("forgotten"));
  forget();
  await settle();
  expect(seen).toEqual(["cloudflared-exited"]);
});

it("is left without being ended, and asked no more", async () => {
  const { clock, tunnel, probes, listeners, done } = watched();
  tunnel.leave?.();
  expect(done).toEqual(["left"]);
  await tunnel.stop();
  await clock.advance(60_000);
  expect([done, probes.length, listeners.size]).toEqual([["left"], 0, 0]);
  const stopped = watched();
  await stopped.tunnel.stop();
  expect(stopped.done).toEqual(["stopped"]);
});

it("hands over what another process needs, and believes nothing else", () => {
  const { tunnel, handover } = watched();
  const held = tunnel.handover?.();
  expect(held).toMatchObject(handover);
  const facts = { url: PUBLIC, metricsPort: 1, description: "" };
  expect(heldFacts(held?.facts ?? "")).toEqual(facts);
  for (const wrong of [
    "",
    "null",
    "{}",
    { ...facts, url: "https://example.com" },
    { ...facts, url: "https://a.trycloudflare.com.example" },
    { ...facts, url: `${PUBLIC}/path` },
    { ...facts, metricsPort: 0 },
    { ...facts, metricsPort: "1" },
    { ...facts, description: "a\nb" },
    { ...facts, description: "x".repeat(201) },
  ])
    expect(heldFacts(typeof wrong === "string" ? wrong : JSON.stringify(wrong))).toBeUndefined();
});

it.each([
  ["says nothing that is known", "{}"],
  ["cannot be adopted", JSON.stringify({ url: PUBLIC, metricsPort: 1, description: "" })],
])("opens another tunnel where the one that was held %s", async (_what, facts) => {
  const root = mkdtempSync(join(tmpdir(), "tunnel-watch-test-"));
  let lettings = 0;
  const opener = createCloudflaredOpener({
    environment: binaryEnvironment(process.env, { ...hostFacts(), tempDirectory: root }),
    explicitPath: standIn(root, { FAKE_CF_STATE: join(root, "state") }),
    clock: fastClock(10),
    doh: false,
    skipReachabilityCheck: true,
  });
  const taken = {
    port: 1,
    facts,
    adopt() {
      throw new Error("its pipes are gone");
    },
    letGo: () => Promise.resolve(void (lettings += 1)),
  };
  const signal = new AbortController().signal;
  const tunnel = await opener({ port: 1, proof: NO_PROOF, signal, taken });
  await tunnel.stop();
  expect([lettings, tunnel.url === PUBLIC]).toEqual([1, false]);
  rmSync(root, { recursive: true, force: true });
});
