import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { completeLines } from "../../support/lines.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import {
  createCloudflaredOpener,
  type CloudflaredOptions,
} from "../../../src/tunnel/cloudflared/cloudflared.ts";
import { binaryEnvironment, hostFacts } from "../../../src/tunnel/cloudflared/environment.ts";
import { probeReady } from "../../../src/tunnel/cloudflared/ready.ts";
import type { Tunnel } from "../../../src/tunnel/provider.ts";
import { FakeClock, fastClock } from "../../support/fake-tunnel-clock.ts";

import { NO_PROOF } from "../../support/tunnels/scripted-provider.ts";
import { standIn } from "../../support/tunnels/stand-in.ts";

const startSchema = z.object({
  pid: z.number(),
  args: z.array(z.string()),
  host: z.string(),
  metricsPort: z.number(),
  proxyPort: z.number(),
  env: z.array(z.string()),
});

let root = "";
let opened: Tunnel[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tunnel-test-"));
  mkdirSync(join(root, "tmp"));
  opened = [];
});
afterEach(async () => {
  await Promise.all(opened.map((tunnel) => tunnel.stop()));
  rmSync(root, { recursive: true, force: true });
});

function starts(): z.infer<typeof startSchema>[] {
  return completeLines(join(root, "state")).map((line) => startSchema.parse(JSON.parse(line)));
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function expectNothingLeft(): void {
  expect(readdirSync(join(root, "tmp"))).toEqual([]);
  expect(starts().filter(({ pid }) => isRunning(pid))).toEqual([]);
}

async function open(
  fake: Record<string, string> = {},
  changed: Partial<CloudflaredOptions> = {},
  { port = 1, signal = new AbortController().signal, messages = [] as string[], env = {} } = {},
): Promise<Tunnel> {
  const environment = binaryEnvironment(
    { ...process.env, ...env },
    { ...hostFacts(), tempDirectory: join(root, "tmp") },
  );
  const clock = fastClock(10);
  const options = {
    environment,
    explicitPath: standIn(root, { FAKE_CF_STATE: join(root, "state"), ...fake }),
    clock,
    doh: false,
    skipReachabilityCheck: false,
    ...changed,
  };
  const onProgress = ({ message }: { message: string }): void => void messages.push(message);
  const tunnel = await createCloudflaredOpener(options)({ port, proof: NO_PROOF, signal, onProgress });
  opened.push(tunnel);
  return tunnel;
}

const change = async (what: string): Promise<void> => {
  const [{ metricsPort } = { metricsPort: 0 }] = starts();
  await fetch(`http://127.0.0.1:${metricsPort}/fake/${what}`, { method: "POST" });
};

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Lets the time for becoming ready pass once a process has been asked often enough to have said all it will say. */
function impatience(): Pick<CloudflaredOptions, "clock" | "probe"> {
  const clock = fastClock(10);
  const asked = new Map<number, number>();
  return {
    clock,
    async probe(port) {
      const times = (asked.get(port) ?? 0) + 1;
      asked.set(port, times);
      const answer = await probeReady(port);
      if (times === 4 && answer !== "ready") clock.jump(60_000);
      return answer;
    },
  };
}

describe("opening a quick tunnel", () => {
  it("isolates the program, waits for the edge, and leaves nothing after stop", async () => {
    const messages: string[] = [];
    const env = {
      TUNNEL_NAME: "x",
      TUNNEL_URL: "http://127.0.0.1:9",
      NO_AUTOUPDATE: "0",
      STDIN_CONTROL: "1",
      NO_TLS_VERIFY: "1",
      QUIC_GO_LOG_LEVEL: "debug",
    };
    const tunnel = await open(
      { FAKE_CF_SPLIT: "1", FAKE_CF_READY_MS: "50" },
      {},
      { port: 4321, messages, env },
    );
    const [start] = starts();
    expect(tunnel).toMatchObject({ url: `wss://${start?.host}` });
    expect(tunnel.description).toBe("cloudflared 2026.9.3 (from TUNNEL_CLOUDFLARED, not verified)");
    expect(tunnel.health()).toEqual({ state: "up" });
    expect(Object.keys(env).filter((name) => start?.env.includes(name))).toEqual([]);
    const [directory = ""] = readdirSync(join(root, "tmp"));
    const config = join(root, "tmp", directory, "config.yml");
    expect(readFileSync(config, "utf8")).toBe("");
    expect(start?.args.join(" ")).toBe(
      `tunnel --config ${config} --output json --metrics 127.0.0.1:0 --protocol auto --grace-period 1s --retries 0 --url http://127.0.0.1:4321 --no-autoupdate --management-diagnostics=false`,
    );
    expect(messages).toEqual(["starting cloudflared", "got a public name, connecting to Cloudflare's edge"]);
    await Promise.all([tunnel.stop(), tunnel.stop()]);
    expectNothingLeft();
  });

  it("tries once more over TCP where QUIC is blocked", async () => {
    await open({ FAKE_CF_MODE: "quic-blocked" }, impatience());
    expect(starts().map(({ args }) => args[args.indexOf("--protocol") + 1])).toEqual(["auto", "http2"]);
    expect(starts().filter(({ pid }) => isRunning(pid))).toHaveLength(1);
  });

  it.each([
    ["rate-limited", "cloudflared-rate-limited"],
    ["api-down", "cloudflared-api-down"],
    ["bad-json", "cloudflared-api-down"],
    ["bad-uuid", "cloudflared-api-down"],
    ["srv", "cloudflared-edge-unknown"],
    ["blocked", "cloudflared-blocked"],
    ["never-ready", "cloudflared-not-ready"],
  ])("%s ends in %s", async (mode, code) => {
    await expect(open({ FAKE_CF_MODE: mode }, impatience())).rejects.toMatchObject({ code });
    expectNothingLeft();
  });

  it.each(["api-down", "srv", "blocked"])(
    "%s behind a proxy says that cloudflared passes none, and what does",
    async (mode) => {
      const behind = { ...impatience(), proxyVariable: "HTTPS_PROXY" };
      const detail = /^HTTPS_PROXY is set, and cloudflared cannot pass a proxy; .*exec.*direct/;
      await expect(open({ FAKE_CF_MODE: mode }, behind)).rejects.toMatchObject({
        detail: expect.stringMatching(detail),
      });
      const limited = open({ FAKE_CF_MODE: "rate-limited" }, behind);
      await expect(limited).rejects.not.toMatchObject({ detail: expect.stringMatching(detail) });
    },
  );

  it("gives up a program that says nothing after 42 s, with both attempts, and leaves nothing", async () => {
    const clock = new FakeClock();
    const messages: string[] = [];
    const probe = (): Promise<"not-ready"> => Promise.resolve("not-ready");
    const opening = open({ FAKE_CF_MODE: "never-ready" }, { clock, probe }, { messages });
    const failed = expect(opening).rejects.toMatchObject({ code: "cloudflared-not-ready" });
    const started = clock.now();
    for (const [attempt, ms] of [26_000, 16_000].entries()) {
      await until(() => starts().length === attempt + 1);
      await clock.advance(ms - 1);
      expect(messages.filter((message) => message.startsWith("starting"))).toHaveLength(attempt + 1);
      await clock.advance(1);
    }
    await failed;
    expect(clock.now() - started).toBe(42_000);
    expectNothingLeft();
  });

  it("an early end is told apart from a program that does not know our flags", async () => {
    const early = { FAKE_CF_MODE: "exit", FAKE_CF_EXIT_CODE: "7", FAKE_CF_READY_MS: "5000" };
    await expect(open(early)).rejects.toMatchObject({ code: "cloudflared-exited", detail: "exit code 7" });
    const old = join(root, "old.mjs");
    writeFileSync(
      old,
      `if (process.argv[2] === "--version") console.log("cloudflared version 2019.1.0 (built)");`,
    );
    await expect(open({}, { explicitPath: old })).rejects.toMatchObject({
      code: "cloudflared-config",
      detail: "exit code 0",
    });
    expectNothingLeft();
  });

  it("leaves nothing when cancelled while it waits", async () => {
    const abort = new AbortController();
    const failed = expect(
      open({ FAKE_CF_MODE: "never-ready" }, { clock: fastClock(1) }, { signal: abort.signal }),
    ).rejects.toMatchObject({ code: "cancelled" });
    await until(() => starts().length === 1);
    abort.abort();
    await failed;
    expectNothingLeft();
  });

  it("checks the public name by DNS-over-HTTPS only, and notices an end meanwhile", async () => {
    const asked: string[] = [];
    const resolver = (name: string): Promise<string[]> =>
      Promise.resolve(asked.push(name) > 1 ? ["192.0.2.1"] : []);
    const client = (): Promise<never> => Promise.reject(new Error("no way out"));
    const tunnel = await open({}, { doh: true, resolver, client });
    expect(asked.map((name) => `wss://${name}`)).toEqual([tunnel.url, tunnel.url]);
    const none = (): Promise<string[]> => Promise.resolve([]);
    const ending = open(
      { FAKE_CF_MODE: "exit", FAKE_CF_EXIT_MS: "150" },
      { doh: true, resolver: none, clock: fastClock(10) },
    );
    await expect(ending).rejects.toMatchObject({ code: "cloudflared-exited" });
  });
});

describe("a running quick tunnel", () => {
  it("tells when the edge is lost and found", async () => {
    const tunnel = await open();
    await change("lose");
    await until(() => tunnel.health().state === "degraded");
    expect(tunnel.health()).toMatchObject({ reason: expect.stringContaining("lost its connection") });
    await change("restore");
    await until(() => tunnel.health().state === "up");
  });

  it("is down when its process ends, and says so once", async () => {
    const tunnel = await open();
    const seen: string[] = [];
    tunnel.onDown(({ code }) => seen.push(code));
    tunnel.onDown(() => seen.push("unsubscribed"))();
    await change("exit");
    await until(() => tunnel.health().state === "down");
    expect(seen).toEqual(["cloudflared-exited"]);
    await tunnel.stop();
    expectNothingLeft();
  });

  it.skipIf(process.platform === "win32")(
    "is killed when it ignores SIGTERM, without a report of being down",
    async () => {
      const tunnel = await open({ FAKE_CF_STUBBORN: "1" });
      const seen: string[] = [];
      tunnel.onDown(({ code }) => seen.push(code));
      await tunnel.stop();
      expectNothingLeft();
      expect(seen).toEqual([]);
    },
  );

  it("carries requests to the local port, with the edge's headers", async () => {
    const origin = http.createServer((request, response) =>
      response.end(`${request.headers.host} ${String(request.headers["cf-connecting-ip"])}`),
    );
    await new Promise<void>((resolve) => origin.listen(0, "127.0.0.1", resolve));
    const { port } = origin.address() as AddressInfo;
    await open({ FAKE_CF_HOST: "a-b" }, {}, { port });
    const answer = await fetch(`http://127.0.0.1:${starts()[0]?.proxyPort}/`);
    expect(await answer.text()).toBe("a-b.trycloudflare.com 203.0.113.7");
    origin.close();
  });
});
