import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { httpsClient } from "../../src/net/https.ts";
import { NO_PROXIES } from "../../src/net/proxy.ts";
import { trustOf } from "../../src/net/trust.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import { PRE_AUTH } from "../../src/protocol/base/limits.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { createDirectOpener } from "../../src/tunnel/direct.ts";
import { declareProvider, type Provider, type ProviderTraits } from "../../src/tunnel/provider.ts";
import {
  PROVIDER_CHOICE,
  PROVIDER_NAMES,
  PROVIDERS,
  providersFor,
} from "../../src/tunnel/registry/registry.ts";
import { hostRequest, sessionsOn } from "../session/support.ts";
import { accepts, until } from "../support/processes.ts";
import { NO_PROOF } from "../support/tunnels/scripted-provider.ts";

/** A provider that nobody has thought about: it declares what it must, or more. */
function third(traits: Partial<ProviderTraits> = {}): Provider {
  const { load: _, ...declared } = declareProvider<object>({
    title: "a third way",
    advice: "when the others fail",
    load: () => Promise.reject(new Error("not loaded")),
    ...traits,
  });
  return { ...declared, open: createDirectOpener({ bind: "127.0.0.1" }) };
}

const open: { sessions: Sessions[]; sockets: WebSocket[] } = { sessions: [], sockets: [] };
afterEach(async () => {
  for (const socket of open.sockets.splice(0)) socket.terminate();
  await Promise.all(open.sessions.splice(0).map((sessions) => sessions.shutDown()));
});

async function hosted(provider: Provider, config: Parameters<typeof sessionsOn>[1] = {}): Promise<URL> {
  const sessions = sessionsOn(systemClock, { transport: "exec", ...config }, { exec: provider });
  open.sessions.push(sessions);
  const { invites } = await sessions.host(hostRequest());
  const link = new URL(invites[0]?.joinLink ?? "");
  link.hash = "";
  return link;
}

/** As many visitors as one source may have and one more, each with another address in every header that names one. */
async function crowd(url: URL): Promise<WebSocket[]> {
  const visitors: WebSocket[] = [];
  for (let at = 0; at <= PRE_AUTH.maxSocketsPerSource; at += 1) {
    const address = `198.51.100.${at + 1}`;
    const headers = { "cf-connecting-ip": address, "x-forwarded-for": address, "x-source": address };
    const visitor = new WebSocket(url, { headers });
    open.sockets.push(visitor);
    visitor.on("error", () => undefined);
    await new Promise((resolve) => visitor.once("open", resolve));
    visitors.push(visitor);
  }
  return visitors;
}
const isOpen = ({ readyState }: WebSocket): boolean => readyState === WebSocket.OPEN;

/** An address of this machine that others could dial. */
const ownAddress = Object.values(networkInterfaces())
  .flatMap((one) => one ?? [])
  .find(({ family, internal }) => family === "IPv4" && !internal)?.address;

describe("a third provider that declares no more than it must", () => {
  it("has its relay listen on the loopback address, whatever the user has set for others", async () => {
    // An address of nobody here: listening on it would fail.
    const url = await hosted(third(), { bind: "192.0.2.1" });
    expect(await accepts(Number(url.port))).toBe(true);
    await expect(hosted(third({ dialsLoopbackOnly: false }), { bind: "192.0.2.1" })).rejects.toMatchObject({
      code: "bind-failed",
    });
  });

  it("has no header believed: visitors from one place are one source", async () => {
    const [oldest, ...others] = await crowd(await hosted(third()));
    await until("the oldest was hung up on", () => oldest !== undefined && !isOpen(oldest));
    expect(others.every(isOpen)).toBe(true);
  });

  it("has one believed when it declares it, and no other", async () => {
    const visitors = await crowd(await hosted(third({ sourceHeader: "x-source" })));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(visitors.every(isOpen)).toBe(true);
    const [oldest] = await crowd(await hosted(third({ sourceHeader: "x-other" })));
    await until("the oldest was hung up on", () => oldest !== undefined && !isOpen(oldest));
  });

  it.skipIf(ownAddress === undefined)(
    "has none believed of a visitor who does not come over the loopback address (needs another one)",
    async () => {
      const traits = { dialsLoopbackOnly: false, sourceHeader: "x-source" };
      const url = await hosted(third(traits), { bind: ownAddress ?? "" });
      url.hostname = ownAddress ?? "";
      const [oldest] = await crowd(url);
      await until("the oldest was hung up on", () => oldest !== undefined && !isOpen(oldest));
    },
  );

  it("has no spare, and its failures weigh as their codes say", () => {
    const { canHaveSpare, keepsAddress, weigh, staleCode } = third();
    expect([canHaveSpare, keepsAddress, staleCode]).toEqual([false, false, "address-lost"]);
    expect(weigh(new TunnelError("exec-exited"))).toBe("passing");
    expect(weigh(new TunnelError("exec-missing"))).toBe("lasting");
    expect(weigh(new TunnelError("cloudflared-rate-limited"))).toBe("passing");
  });
});

describe("the registry", () => {
  it("names what can be chosen", () => {
    expect(PROVIDER_NAMES).toEqual(["cloudflared", "direct", "exec", "relay"]);
    expect(PROVIDER_CHOICE).toBe("cloudflared, direct, exec or relay");
  });

  it("holds what each provider declares of itself", () => {
    const traits = Object.values(PROVIDERS).map(
      ({ dialsLoopbackOnly, sourceHeader, canHaveSpare, keepsAddress, staleCode }) => [
        dialsLoopbackOnly,
        sourceHeader,
        canHaveSpare,
        keepsAddress,
        staleCode,
      ],
    );
    expect(traits).toEqual([
      [true, "cf-connecting-ip", true, false, "cloudflared-edge-lost"],
      [false, undefined, false, true, "address-lost"],
      [true, undefined, true, false, "exec-silent"],
      [true, "tunnel-source", false, true, "address-lost"],
    ]);
    const limited = new TunnelError("cloudflared-rate-limited");
    expect(Object.values(PROVIDERS).map(({ weigh }) => weigh(limited))).toEqual([
      "refused",
      "passing",
      "passing",
      "passing",
    ]);
  });

  it("loads a provider when its first tunnel is opened, with the options of all", async () => {
    const providers = providersFor({
      bind: "127.0.0.1",
      publicUrl: undefined,
      cloudflaredPath: "/nonexistent/cloudflared",
      doh: false,
      skipReachabilityCheck: true,
      command: [],
      commandUrl: undefined,
      client: httpsClient,
      env: {},
      cwd: process.cwd(),
      home: process.cwd(),
      network: { proxies: NO_PROXIES, trust: trustOf({}) },
      clock: systemClock,
    });
    const request = { port: 4000, proof: NO_PROOF, signal: new AbortController().signal };
    expect(await providers("direct").open(request)).toMatchObject({ url: "ws://127.0.0.1:4000" });
    await expect(providers("exec").open(request)).rejects.toMatchObject({ code: "exec-no-command" });
    await expect(providers("relay").open(request)).rejects.toMatchObject({ code: "relay-not-set" });
    await expect(providers("cloudflared").open(request)).rejects.toMatchObject({
      code: "cloudflared-missing",
    });
  });

  it("is told of in docs/PROVIDERS.md as it is", () => {
    const page = readFileSync(fileURLToPath(new URL("../../docs/PROVIDERS.md", import.meta.url)), "utf8");
    const rows = [...page.matchAll(/^\| `(\w+)` +\|(.+)\|$/gm)].map(([, name, cells = ""]) => [
      name,
      ...cells.split("|").map((cell) => cell.trim()),
    ]);
    const yes = (is: boolean): string => (is ? "yes" : "no");
    expect(rows).toEqual(
      PROVIDER_NAMES.map((name) => {
        const { title, dialsLoopbackOnly, sourceHeader, canHaveSpare, keepsAddress } = PROVIDERS[name];
        const listens = dialsLoopbackOnly ? "127.0.0.1" : "`TUNNEL_BIND`";
        const header = sourceHeader === undefined ? "none" : `\`${sourceHeader}\``;
        return [name, title, listens, header, yes(canHaveSpare), yes(keepsAddress)];
      }),
    );
  });
});
