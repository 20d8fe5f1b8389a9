import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer as createSecure } from "node:https";
import { createServer } from "node:http";
import { connect, type Server } from "node:net";
import path from "node:path";
import { expect, test } from "vitest";
import { realProbes } from "../../src/cli/doctor/probes.ts";
import { doctor } from "../../src/cli/doctor/doctor.ts";
import { relayToCheck } from "../../src/cli/doctor/relay-probes.ts";
import { relayChecks, type RelayProbes } from "../../src/cli/doctor/relay.ts";
import { readConfig } from "../../src/cli/env.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import { StaticAuthority } from "../../src/relay/auth/static.ts";
import { newToken, type TokenEntry } from "../../src/relay/auth/tokens.ts";
import type { RelayEvent } from "../../src/relay/events.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { recorder } from "../cli/support.ts";
import { aRelay, atEnd, folder, tcpServer } from "./support.ts";

/** The findings on the relay, by their titles. */
async function found(env: Readonly<Record<string, string>>): Promise<Record<string, string>> {
  const { config } = readConfig({ TUNNEL_TRANSPORT: "relay", ...env });
  const probes = relayToCheck(config, env, systemClock);
  if (probes === undefined) return {};
  if (probes instanceof TunnelError) return { Relay: probes.code };
  return byTitle(probes);
}

async function byTitle(probes: RelayProbes): Promise<Record<string, string>> {
  const { signal } = new AbortController();
  const findings = relayChecks(probes).map(async ({ title, run }) => {
    const finding = await run(signal);
    const fix = finding.level === "ok" ? "" : ` | ${finding.fix}`;
    return [title, `${finding.level} ${finding.text}${fix}`];
  });
  return Object.fromEntries(await Promise.all(findings));
}

function tokens(...about: Partial<TokenEntry>[]): { authority: StaticAuthority; secrets: string[] } {
  const made = about.map((one, index) => newToken({ label: `token ${index}`, ...one }, Date.now()));
  const authority = new StaticAuthority(
    made.map(({ entry }) => entry),
    systemClock,
  );
  return { authority, secrets: made.map(({ token }) => token) };
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(() => server.close());
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}

test("a good relay is good in every line, and nothing is claimed at it", async () => {
  const { authority, secrets } = tokens({});
  const relay = await aRelay({ authority });
  const events: RelayEvent[] = [];
  relay.events.subscribe((event) => events.push(event));
  const env = { TUNNEL_RELAY: `http://127.0.0.1:${relay.port}`, TUNNEL_RELAY_TOKEN: secrets[0] ?? "" };
  expect(await found(env)).toEqual({
    Relay: `ok http://127.0.0.1:${relay.port} answers`,
    "Relay certificate": "ok none: http, on this machine or network alone",
    "Relay clock": "ok as on this machine, within a minute",
    "Relay WebSocket": "ok passes",
    "Relay version": "ok 1, as here",
    "Relay token": "ok is taken, for room, http",
  });
  expect(events).toEqual([]);
  expect(relay.hosts.size).toBe(0);
});

test("the command reports them under the others, and fails where a check of the chosen relay does", async () => {
  const relay = await aRelay();
  const run = async (env: Readonly<Record<string, string>>) => {
    const { config } = readConfig(env);
    const output = recorder();
    const code = await doctor({
      probes: {
        ...realProbes({ ...config, doh: false }, env),
        cloudflared: async () => ({ state: "verified", text: "there" }),
        systemLookup: async () => ["198.51.100.1"],
        tcpConnect: async () => undefined,
        quicProbe: async () => undefined,
      },
      relay: relayToCheck(config, env, systemClock),
      transport: config.transport,
      clock: systemClock,
      output,
    });
    return { code, text: output.stdout() };
  };
  const good = await run({ TUNNEL_TRANSPORT: "relay", TUNNEL_RELAY: `http://127.0.0.1:${relay.port}` });
  expect(good.text).toContain("ok    Relay token        none is needed, for room\n");
  expect(good.text).toContain("\nReady.\n");
  expect(good.code).toBe(0);
  const bad = await run({ TUNNEL_TRANSPORT: "relay", TUNNEL_RELAY: "http://127.0.0.1:9" });
  expect(bad.text).toMatch(
    /FAIL {2}Relay +http:\/\/127\.0\.0\.1:9 does not answer \(ECONNREFUSED\)\n +fix: start/,
  );
  expect(bad.code).toBe(1);
  const unset = await run({ TUNNEL_TRANSPORT: "relay" });
  expect(unset.text).toMatch(/FAIL {2}Relay +no relay is set\n +fix: Set TUNNEL_RELAY/);
  const others = await run({ TUNNEL_TRANSPORT: "direct" });
  expect(others.text).not.toContain("Relay");
}, 30_000);

test("tokens: wrong, missing, not for rooms, in a file that is not there", async () => {
  const { authority, secrets } = tokens({ kinds: ["http"] });
  const relay = await aRelay({ authority });
  const at = { TUNNEL_RELAY: `http://127.0.0.1:${relay.port}` };
  const token = async (more: Readonly<Record<string, string>>) =>
    (await found({ ...at, ...more }))["Relay token"];
  expect(await token({})).toMatch(/^fail .*token-missing \| Set TUNNEL_RELAY_TOKEN/);
  const wrong = await token({ TUNNEL_RELAY_TOKEN: "tmr_wrong-one" });
  expect(wrong).toMatch(/^fail .*token-invalid \| Set TUNNEL_RELAY_TOKEN/);
  expect(wrong).not.toContain("tmr_wrong-one");
  expect(await token({ TUNNEL_RELAY_TOKEN: secrets[0] ?? "" })).toMatch(
    /^warn is taken, but not for rooms \| get/,
  );
  expect(await token({ TUNNEL_RELAY_TOKEN_FILE: path.join(folder(), "none") })).toMatch(
    /^fail .*TUNNEL_RELAY_TOKEN_FILE cannot be read \| /,
  );
});

test("something else at the address, and a proxy that takes the upgrade away", async () => {
  const port = await listening(createServer((_request, response) => response.writeHead(404).end("another")));
  const from = performance.now();
  const findings = await found({ TUNNEL_RELAY: `http://127.0.0.1:${port}` });
  // An answer is an answer: nothing waits for the deadline of a registration.
  expect(performance.now() - from).toBeLessThan(2_500);
  expect(findings["Relay"]).toMatch(/^ok /);
  expect(findings["Relay WebSocket"]).toMatch(
    /^fail does not pass \(HTTP 404\) \| let the proxy in front pass Upgrade/,
  );
  expect(findings["Relay version"]).toMatch(/^warn not tested: the relay has not said a word/);
  expect(findings["Relay token"]).toMatch(/^warn not tested/);
});

test("a proxy that answers for a relay that is down, and one that cuts the WebSocket", async () => {
  const down = await listening(createServer((_request, response) => response.writeHead(502).end()));
  expect((await found({ TUNNEL_RELAY: `http://127.0.0.1:${down}` }))["Relay WebSocket"]).toMatch(
    /^fail does not pass \(HTTP 502\)/,
  );
  const cutting = createServer((_request, response) => response.end());
  cutting.on("upgrade", (_request, socket) => socket.destroy());
  const cut = await listening(cutting);
  expect((await found({ TUNNEL_RELAY: `http://127.0.0.1:${cut}` }))["Relay WebSocket"]).toMatch(
    /^(?:fail|warn) /,
  );
});

test("a proxy that changes Host is told by the token's line", async () => {
  const relay = await aRelay();
  const proxy = await tcpServer((socket) => {
    const there = connect(relay.port, "127.0.0.1");
    atEnd(() => there.destroy());
    there.on("error", () => socket.destroy());
    there.pipe(socket);
    socket.on("data", (chunk: Buffer) => {
      const text = chunk.toString("latin1");
      there.write(
        text.startsWith("GET ")
          ? Buffer.from(text.replace(/^Host: .*$/m, "Host: relay.internal"), "latin1")
          : chunk,
      );
    });
    socket.once("close", () => there.destroy());
  });
  const findings = await found({ TUNNEL_RELAY: `http://127.0.0.1:${proxy}` });
  expect(findings["Relay WebSocket"]).toBe("ok passes");
  expect(findings["Relay token"]).toMatch(
    /^fail .*sees another name.* \| let the proxy in front pass the field Host/,
  );
});

function certificate(days: number, name = "IP:127.0.0.1"): { cert: string; key: string } {
  const where = folder();
  const [cert, key] = [path.join(where, "cert.pem"), path.join(where, "key.pem")];
  const args = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days ${days} -subj /CN=x`;
  const named = ["-addext", `subjectAltName=${name}`, "-keyout", key, "-out", cert];
  execFileSync("openssl", [...args.split(" "), ...named], { stdio: "ignore" });
  return { cert, key };
}

test("certificates: good, ending soon, unknown, of another name, and a file that is none", async () => {
  const lasting = certificate(90);
  const relay = await aRelay({ certificates: lasting });
  const at = { TUNNEL_RELAY: `https://127.0.0.1:${relay.port}` };
  const good = await found({ ...at, TUNNEL_RELAY_CA: lasting.cert });
  expect(good["Relay certificate"]).toMatch(/^ok good until \d{4}-\d\d-\d\d$/);
  expect(good["Relay token"]).toMatch(/^ok /);
  const unknown = await found(at);
  expect(unknown["Relay"]).toMatch(/ok .* is there/);
  expect(unknown["Relay certificate"]).toMatch(/^fail does not vouch .*\(\w+\) \| set TUNNEL_RELAY_CA/);
  expect(unknown["Relay token"]).toMatch(/^warn not tested/);
  const none = path.join(folder(), "none.pem");
  writeFileSync(none, "no certificate");
  expect((await found({ ...at, TUNNEL_RELAY_CA: none }))["Relay certificate"]).toMatch(
    /^fail TUNNEL_RELAY_CA names a file without a certificate/,
  );
  const ending = certificate(2);
  const old = await aRelay({ certificates: ending });
  expect(
    (await found({ TUNNEL_RELAY: `https://127.0.0.1:${old.port}`, TUNNEL_RELAY_CA: ending.cert }))[
      "Relay certificate"
    ],
  ).toMatch(/^warn ends on .* \| renew/);
  const other = certificate(90, "DNS:other.example");
  const misnamed = await listening(
    createSecure({ cert: readFileSync(other.cert), key: readFileSync(other.key) }, (_request, response) =>
      response.end(),
    ),
  );
  expect(
    (await found({ TUNNEL_RELAY: `https://127.0.0.1:${misnamed}`, TUNNEL_RELAY_CA: other.cert }))[
      "Relay certificate"
    ],
  ).toMatch(/^fail .*ERR_TLS_CERT_ALTNAME_INVALID.* \| get a certificate for 127\.0\.0\.1/);
  const plain = await listening(createServer((_request, response) => response.end()));
  expect((await found({ TUNNEL_RELAY: `https://127.0.0.1:${plain}` }))["Relay certificate"]).toMatch(
    /^fail .* \| check the port in TUNNEL_RELAY/,
  );
}, 30_000);

test("a clock that is off, and a version that is not spoken here, have a next step", async () => {
  const probes: RelayProbes = {
    origin: new URL("https://relay.example"),
    hasToken: true,
    caProblem: undefined,
    now: () => 1_000_000,
    visit: async () => ({ time: 1_300_000, certificateEnds: undefined }),
    trial: async () => ({
      versions: [7, 8],
      outcome: {
        kind: "failed",
        failure: { error: new TunnelError("relay-version"), comesBack: "changed", waitMs: 0 },
      },
    }),
  };
  const findings = await byTitle(probes);
  expect(findings["Relay clock"]).toMatch(/^warn 300 s ahead of this machine \| set the clock/);
  expect(findings["Relay version"]).toMatch(/^fail 7, 8 there, 1 here \| bring tunnel-mcp/);
  expect(findings["Relay token"]).toMatch(/^warn not tested: the relay speaks another version/);
});
