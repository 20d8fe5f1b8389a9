import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { NO_PROXIES } from "../../src/net/proxy.ts";
import { trustOf } from "../../src/net/trust.ts";
import { ProviderAuthority } from "../../src/relay/auth/provider.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { parseReason, reasonText } from "../../src/uplink/close-codes.ts";
import { aRelay, atEnd, echoRoom, guest, hostOf, roomId } from "./support.ts";

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly secret: string | string[] | undefined;
  readonly body: unknown;
}

type Answering = (response: ServerResponse, request: IncomingMessage) => void;

/** A service that decides on tokens, and remembers what it was asked. */
async function provider(answer: Answering): Promise<{
  url: URL;
  asked: Asked[];
  readonly answers: (next: Answering) => void;
}> {
  const asked: Asked[] = [];
  let current = answer;
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      const { method, url, headers } = request;
      asked.push({ method, url, secret: headers["x-relay-secret"], body: JSON.parse(text) });
      current(response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(() => server.closeAllConnections());
  atEnd(() => server.close());
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return {
    url: new URL(`http://127.0.0.1:${address.port}`),
    asked,
    answers: (next) => (current = next),
  };
}

const json =
  (status: number, body: unknown): Answering =>
  (response) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };

const network = { proxies: NO_PROXIES, trust: trustOf({}) };
const SECRET = "a-secret-of-the-relay";

function authorityAt(url: URL, clock: Clock = systemClock, secret: () => string | undefined = () => SECRET) {
  return new ProviderAuthority({ url, secret, network, clock });
}

const aRoom = { kind: "room", name: undefined } as const;
const aService = { kind: "http", name: "shop" } as const;

test("asks with the token, the name and the secret, and takes patterns, kinds and limits from the answer", async () => {
  const { url, asked } = await provider(
    json(200, {
      subdomains: ["shop-*", "a*b*c", "NOT A NAME", "shop"],
      kinds: ["http", "tcp"],
      limits: { tunnels: 3 },
      more: "is left alone",
    }),
  );
  const verdict = await authorityAt(url).check("my-token", aService);
  expect(asked).toEqual([
    { method: "POST", url: "/api/verify", secret: SECRET, body: { token: "my-token", subdomain: "shop" } },
  ]);
  expect(verdict).toMatchObject({
    kind: "granted",
    grant: { names: ["shop-*", "shop"], kinds: new Set(["http", "tcp"]), limits: { tunnels: 3 } },
  });
  expect(JSON.stringify(verdict)).not.toContain("my-token");
});

test("asks for no name with an empty text, and puts its path behind that of the service", async () => {
  const { url, asked } = await provider(json(200, { subdomains: [] }));
  const verdict = await authorityAt(new URL("/teams/one///", url)).check("my-token", aRoom);
  expect(asked[0]).toMatchObject({
    url: "/teams/one/api/verify",
    body: { token: "my-token", subdomain: "" },
  });
  expect(verdict).toMatchObject({ kind: "granted", grant: { names: [], kinds: new Set(["room", "http"]) } });
});

test("asks nobody about a token that is not there", async () => {
  const { url, asked } = await provider(json(200, { subdomains: ["*"] }));
  expect(await authorityAt(url).check(undefined, aRoom)).toEqual({
    kind: "refused",
    reason: "token-missing",
  });
  expect(asked).toEqual([]);
});

test.each([401, 403])(
  "%i is a refusal, and its text goes on in one plain line without the token",
  async (status) => {
    const error = `\u001b[31mmy-token is\nover\u0000 ${"x".repeat(400)}`;
    const { url } = await provider(json(status, { error }));
    const verdict = await authorityAt(url).check("my-token", aRoom);
    expect(verdict).toMatchObject({ kind: "refused", reason: "token-invalid" });
    const text = "text" in verdict ? (verdict.text ?? "") : "";
    expect(text).toMatch(/^\[31m is over x+$/);
    expect(text.length).toBeLessThanOrEqual(80);
    const sent = reasonText("token-invalid", undefined, text);
    expect(Buffer.byteLength(sent)).toBeLessThanOrEqual(123);
    expect(parseReason(sent)).toEqual({ reason: "token-invalid", waitMs: undefined, said: text });
  },
);

test("a refusal needs no body", async () => {
  const { url } = await provider((response) => response.writeHead(401).end("no JSON"));
  expect(await authorityAt(url).check("my-token", aRoom)).toEqual({
    kind: "refused",
    reason: "token-invalid",
  });
});

const yes = { subdomains: ["*"] };
const HOSTILE: readonly (readonly [what: string, answer: Answering])[] = [
  ["another status", json(500, yes)],
  ["a status of success that is not 200", json(201, yes)],
  ["a redirect", (response) => response.writeHead(307, { location: "/elsewhere" }).end()],
  ["no JSON", (response) => response.writeHead(200).end("subdomains: *")],
  ["bytes that are no text", (response) => response.writeHead(200).end(Buffer.from([0x22, 0xff, 0x22]))],
  ["another shape", json(200, { subdomains: "*" })],
  ["a list as a whole", json(200, ["*"])],
  ["a limit below nothing", json(200, { ...yes, limits: { tunnels: -1 } })],
  ["a limit that nobody knows", json(200, { ...yes, limits: { everything: 1 } })],
  ["an unknown kind", json(200, { ...yes, kinds: ["shell"] })],
  ["an end that has been", json(200, { ...yes, expiresInSec: 0 })],
  ["an end that is text", json(200, { ...yes, expiresInSec: "never" })],
  ["more than its bound", json(200, { ...yes, more: "x".repeat(100_000) })],
  [
    "a body without an end",
    (response) => {
      response.writeHead(200);
      const write = (): void => {
        while (!response.destroyed && response.write("x".repeat(16_384)));
      };
      response.on("drain", write).on("error", () => undefined);
      write();
    },
  ],
  [
    "a body that is cut",
    (response) => {
      response.writeHead(200, { "content-length": "1000" });
      response.write(JSON.stringify(yes));
      setTimeout(() => response.destroy(), 20);
    },
  ],
  ["nothing but a closed connection", (response) => response.destroy()],
  ["bytes that are no HTTP", (response) => response.socket?.end("SSH-2.0-x\r\n")],
];

test.each(HOSTILE)("%s lets nobody in", async (_what, answer) => {
  const { url, asked } = await provider(answer);
  expect(await authorityAt(url).check("my-token", aRoom)).toEqual({ kind: "unavailable" });
  expect(asked).toHaveLength(1);
});

test("a service that is not there, and a secret that is not there, let nobody in", async () => {
  const { url } = await provider(json(200, yes));
  const nowhere = new URL("http://127.0.0.1:9");
  expect(await authorityAt(nowhere).check("my-token", aRoom)).toEqual({ kind: "unavailable" });
  expect(await authorityAt(url, systemClock, () => undefined).check("my-token", aRoom)).toEqual({
    kind: "unavailable",
  });
});

test("does not wait for ever: a service that drips has as long as one that is silent", async () => {
  const delays: number[] = [];
  const clock: Clock = {
    now: () => systemClock.now(),
    after(ms, callback) {
      delays.push(ms);
      return systemClock.after(ms / 20, callback);
    },
  };
  const { url } = await provider((response) => {
    response.writeHead(200);
    const drip = setInterval(() => response.write(" "), 10);
    response.on("close", () => clearInterval(drip));
  });
  expect(await authorityAt(url, clock).check("my-token", aRoom)).toEqual({ kind: "unavailable" });
  expect(delays).toEqual([5_000]);
});

test("asks again before a yes lapses, and at least once a day", async () => {
  const { url, answers } = await provider(json(200, { ...yes, expiresInSec: 100 }));
  const clock: Clock = { ...systemClock, now: () => 1_000_000 };
  const authority = authorityAt(url, clock);
  expect(await authority.check("my-token", aRoom)).toMatchObject({
    grant: { recheckAt: 1_080_000, lapsesAt: 1_100_000 },
  });
  answers(json(200, { ...yes, expiresInSec: 1e9 }));
  expect(await authority.check("my-token", aRoom)).toMatchObject({
    grant: { recheckAt: 87_400_000, lapsesAt: 1e12 + 1_000_000 },
  });
});

test("a token that is refused later loses its tunnel, with the words of the service", async () => {
  const { url, answers } = await provider(json(200, { ...yes, expiresInSec: 1 }));
  const relay = await aRelay({ authority: authorityAt(url) });
  const { port } = await echoRoom();
  const tunnel = await hostOf(relay, { token: "my-token" })(port, { kind: "room", room: roomId() });
  const down = new Promise<{ code: string; message: string }>((resolve) => tunnel.onDown(resolve));
  answers(json(403, { error: "the trial is over" }));
  const error = await down;
  expect(error.code).toBe("relay-token");
  expect(error.message).toContain('"the trial is over"');
});

test("a short outage of the service cuts nobody, and a yes that has lapsed is none", async () => {
  const { url, answers, asked } = await provider(json(200, { ...yes, expiresInSec: 2 }));
  const relay = await aRelay({ authority: authorityAt(url) });
  const { port } = await echoRoom();
  const room = roomId();
  const tunnel = await hostOf(relay, { token: "my-token" })(port, { kind: "room", room });
  await guest(relay.port, room);
  answers(json(500, {}));
  await expect.poll(() => asked.length, { timeout: 5_000 }).toBeGreaterThan(1);
  expect(tunnel.health().state).toBe("up");
  await expect.poll(() => relay.hosts.size, { timeout: 8_000 }).toBe(0);
  answers(json(200, yes));
  await expect.poll(() => relay.hosts.size, { timeout: 15_000 }).toBe(1);
}, 30_000);

test("a name that a token may not have any more is closed at the next question", async () => {
  const { url, answers } = await provider(json(200, { subdomains: ["shop"], expiresInSec: 1 }));
  const relay = await aRelay({ authority: authorityAt(url), domain: "localhost" });
  const { port } = await echoRoom();
  const tunnel = await hostOf(relay, { token: "my-token" })(port, {
    kind: "http",
    label: "shop",
    subdomain: "shop",
  });
  const down = new Promise<{ code: string }>((resolve) => tunnel.onDown(resolve));
  answers(json(200, { subdomains: ["blog"], expiresInSec: 1 }));
  expect((await down).code).toBe("relay-name");
});
