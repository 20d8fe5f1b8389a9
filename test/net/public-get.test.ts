import type { LookupAddress } from "node:dns";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { createHttpsClient, httpsClient, type HttpsClient, type HttpsGet } from "../../src/net/https.ts";
import { NO_PROXIES } from "../../src/net/proxy.ts";
import { createPublicGet, isPublicAddress } from "../../src/net/public-get.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";

const { signal } = new AbortController();

const options = (over: Partial<Parameters<typeof createPublicGet>[0]> = {}) => ({
  client: httpsClient,
  clock: systemClock,
  maxBytes: 100,
  timeoutMs: 5_000,
  accept: "application/json",
  ...over,
});

const at =
  (...addresses: string[]): (() => Promise<LookupAddress[]>) =>
  async () =>
    addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));

/** Answers without a network, after the name was looked up as a connection would. */
function answering(body: string, seen: HttpsGet[] = []): HttpsClient {
  return async (get) => {
    seen.push(get);
    await new Promise<void>((resolve, reject) => {
      get.lookup?.(get.url.hostname, { all: true }, (error) => (error === null ? resolve() : reject(error)));
    });
    async function* chunks(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(body);
    }
    return {
      status: 200,
      location: undefined,
      type: "application/json",
      length: undefined,
      body: chunks(),
      discard: () => undefined,
    };
  };
}

describe("an address", () => {
  it.each(["93.184.215.14", "1.1.1.1", "160.79.104.10", "2606:4700::1111", "64:ff9b::101:101"])(
    "of the internet is public: %s",
    (address) => expect(isPublicAddress(address)).toBe(true),
  );

  it.each([
    "127.0.0.1",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "198.18.0.1",
    "203.0.113.1",
    "240.0.0.1",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:a00:1",
    "::7f00:1",
    "2002:7f00:1::",
    "2001:0:1::",
    "2001:db8::1",
    "fec0::1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b::1",
    "64:ff9b::",
    "64:ff9b:1::1",
    "example.com",
    "",
  ])("of another network is not: %s", (address) => expect(isPublicAddress(address)).toBe(false));
});

describe("a document that a stranger names", () => {
  it("is fetched from a public address, with its type", async () => {
    const get = createPublicGet(
      options({ client: answering("{}"), resolve: at("93.184.215.14", "2606:4700::1") }),
    );
    const { status, type, body } = await get(new URL("https://app.example/c"), signal);
    expect([status, type, Buffer.from(body).toString()]).toEqual([200, "application/json", "{}"]);
  });

  it.each([
    ["one that is private", at("10.0.0.5")],
    ["a private one among public ones", at("93.184.215.14", "127.0.0.1")],
    ["none", at()],
  ])("is not fetched where its name has %s", async (_, resolve) => {
    const get = createPublicGet(options({ client: answering("{}"), resolve }));
    await expect(get(new URL("https://app.example/c"), signal)).rejects.toThrow("not a public address");
  });

  it.each([
    "https://127.0.0.1/c",
    "https://[::1]/c",
    "https://2130706433/c",
    "https://0x7f.1/c",
    "https://93.184.215.14/c",
  ])("is not fetched by an address: %s", async (url) => {
    const seen: HttpsGet[] = [];
    const get = createPublicGet(options({ client: answering("{}", seen), resolve: at("93.184.215.14") }));
    await expect(get(new URL(url), signal)).rejects.toThrow();
    expect(seen).toEqual([]);
  });

  it("never reaches a server of this machine by a name, with the real client and resolver", async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const get = createPublicGet(options({ client: createHttpsClient({ proxies: NO_PROXIES }) }));
    await expect(get(new URL(`https://localhost:${port}/c`), signal)).rejects.toThrow("not a public address");
    expect(connections).toBe(0);
    await new Promise((resolve) => server.close(resolve));
  });

  it("is bounded in size and time", async () => {
    const long = createPublicGet(options({ client: answering("x".repeat(101)), resolve: at("1.1.1.1") }));
    await expect(long(new URL("https://app.example/c"), signal)).rejects.toThrow("over 100 bytes");
    const clock = new FakeClock();
    const slow = createPublicGet(
      options({ clock, client: () => new Promise(() => undefined), resolve: at("1.1.1.1") }),
    );
    const waiting = expect(slow(new URL("https://app.example/c"), signal)).rejects.toThrow("5000 ms");
    await clock.advance(5_000);
    await waiting;
    expect(clock.waiting).toBe(0);
  });
});
