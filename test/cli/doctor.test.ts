import { expect, test } from "vitest";
import type { Probes } from "../../src/cli/doctor/checks.ts";
import { cloudflaredFact, realProbes, versionNegotiationRequest } from "../../src/cli/doctor/probes.ts";
import { doctor } from "../../src/cli/doctor/doctor.ts";
import { readConfig } from "../../src/cli/env.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import { handClock, recorder } from "./support.ts";

const HEALTHY: Probes = {
  nodeVersion: "v20.19.0",
  dohEnabled: true,
  cacheDirectory: "/cache",
  cloudflared: async () => ({ state: "verified", text: "2026.9.3" }),
  systemLookup: async () => ["198.51.100.1"],
  dohLookup: async () => ["198.51.100.1"],
  tcpConnect: async () => undefined,
  quicProbe: async () => undefined,
  loopback: async () => "127.0.0.1:4000",
  writable: async () => undefined,
};

const broken = (): Promise<never> => Promise.reject(new Error("broken"));
const silent = (): Promise<never> => new Promise(() => undefined);

async function report(changes: Partial<Probes>, transport: "cloudflared" | "direct" = "cloudflared") {
  const output = recorder();
  const code = await doctor({ probes: { ...HEALTHY, ...changes }, transport, clock: handClock(), output });
  return { code, text: output.stdout() };
}

test("a healthy machine: one line for each check, no fixes, exit code 0", async () => {
  expect(await report({})).toEqual({
    code: 0,
    text: `ok    Node            v20.19.0
ok    cloudflared     2026.9.3
ok    System DNS      resolves region1.v2.argotunnel.com
ok    DNS over HTTPS  answers
ok    TCP 7844        reaches Cloudflare's edge
ok    UDP 7844        reaches Cloudflare's edge
ok    Local listener  accepts a WebSocket on 127.0.0.1:4000
ok    Cache folder    writable: /cache

Ready.
`,
  });
});

const FAILURES: readonly [title: string, changes: Partial<Probes>, finding: RegExp][] = [
  ["old Node", { nodeVersion: "v20.18.1" }, /FAIL {2}Node .*too old\n.*fix: install Node 20\.19/],
  [
    "unusable cloudflared",
    { cloudflared: async () => ({ state: "unusable", text: "no", fix: "do" }) },
    /FAIL {2}cloudflared .*no\n.*fix: do/,
  ],
  ["no system DNS", { systemLookup: broken }, /FAIL {2}System DNS .*\n.*fix: check/],
  [
    "both ports blocked",
    { tcpConnect: broken, quicProbe: broken },
    /FAIL {2}TCP 7844 .*no tunnel can come up\n.*fix: allow/,
  ],
  ["no loopback", { loopback: broken }, /FAIL {2}Local listener .*\(broken\)\n.*fix: check TUNNEL_BIND/],
  ["read-only cache", { writable: broken }, /FAIL {2}Cache folder .*\(broken\)\n.*fix: make it writable/],
  ["no cache", { cacheDirectory: undefined }, /FAIL {2}Cache folder .*no home folder/],
];

test.each(FAILURES)("%s fails with a fix", async (_, changes, finding) => {
  const { code, text } = await report(changes);
  expect(text).toMatch(finding);
  expect(text).toMatch(/\n\d of 8 checks failed\.\n$/);
  expect(code).toBe(1);
});

const WARNINGS: readonly [title: string, changes: Partial<Probes>, finding: RegExp][] = [
  [
    "foreign cloudflared",
    { cloudflared: async () => ({ state: "unverified", text: "other" }) },
    /warn {2}cloudflared .*other/,
  ],
  ["DoH blocked", { dohLookup: broken }, /warn {2}DNS over HTTPS .*no server answers/],
  ["DoH off", { dohEnabled: false, dohLookup: broken }, /warn {2}DNS over HTTPS .*switched off/],
  ["UDP blocked", { quicProbe: broken }, /warn {2}UDP 7844 .*use TCP instead/],
  ["TCP blocked", { tcpConnect: broken }, /warn {2}TCP 7844 .*no way to fall back/],
];

test.each(WARNINGS)("%s is a warning with a fix, and no failure", async (_, changes, finding) => {
  const { code, text } = await report(changes);
  expect(text).toMatch(finding);
  expect(text).toContain("fix:");
  expect(code).toBe(0);
});

test("ports are not blamed when the edge has no address", async () => {
  const { text } = await report({ systemLookup: broken, dohLookup: broken });
  expect(text).toMatch(/warn {2}TCP 7844 .*not tested/);
  expect(text).toMatch(/warn {2}UDP 7844 .*not tested/);
});

test("what only Cloudflare needs does not fail a machine that is set to direct tunnels", async () => {
  const { code, text } = await report(
    { systemLookup: broken, dohLookup: broken, writable: broken },
    "direct",
  );
  expect(text).toContain("fix: not needed for direct tunnels; otherwise: check");
  expect(text).not.toContain("FAIL");
  expect(code).toBe(0);
  expect((await report({ loopback: broken }, "direct")).code).toBe(1);
});

test("whatever hangs is given up at the deadline, and the rest is reported", async () => {
  const clock = handClock();
  const output = recorder();
  const probes = { ...HEALTHY, tcpConnect: silent, quicProbe: silent, loopback: silent };
  const running = doctor({ probes, transport: "cloudflared", clock, output });
  await new Promise(setImmediate);
  clock.advance(8_000);
  expect(await running).toBe(1);
  expect(output.stdout().match(/no answer in time/g)).toHaveLength(3);
  expect(output.stdout()).toMatch(/ok {4}Cache folder/);
});

test("the loopback probe completes a WebSocket upgrade on a real socket", async () => {
  const probes = realProbes(readConfig({ TUNNEL_TRANSPORT: "direct" }).config, {});
  expect(await probes.loopback(new AbortController().signal)).toMatch(/^127\.0\.0\.1:\d+$/);
});

test("the QUIC probe is a long header of an unknown version in a full-size packet", () => {
  const packet = versionNegotiationRequest();
  expect(packet).toHaveLength(1_200);
  expect([...packet.subarray(0, 6)]).toEqual([0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8]);
  expect(packet[14]).toBe(8);
});

test("the report on cloudflared is told in the doctor's words", () => {
  const file = "/cache/cloudflared";
  const found = { origin: "cache", path: file, version: "1.2.3", sha256: "ab".repeat(32) } as const;
  expect(cloudflaredFact({ ...found, verified: true })).toEqual({
    state: "verified",
    text: "1.2.3 (our copy) /cache/cloudflared, SHA-256 as pinned",
  });
  expect(cloudflaredFact({ ...found, origin: "path", verified: false }).text).toContain(
    "abababababababab... is not",
  );
  expect(cloudflaredFact({ origin: "none", verified: false }).state).toBe("absent");
  const altered = new TunnelError("cloudflared-hash-mismatch");
  expect(cloudflaredFact({ origin: "cache", path: file, verified: false, problem: altered }).state).toBe(
    "absent",
  );
  const missing = new TunnelError("cloudflared-missing");
  expect(cloudflaredFact({ origin: "explicit", verified: false, problem: missing })).toEqual({
    state: "unusable",
    text: missing.message,
    fix: missing.nextForPerson,
  });
});
