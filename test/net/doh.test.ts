import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createDohResolver, decodeAnswer, type DohServer } from "../../src/net/doh.ts";
import { fakeHttps, silence, type FakeAnswer } from "../support/tunnels/fake-https.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";

const SERVERS: readonly DohServer[] = [
  { address: "1.1.1.1", url: "https://one.example/dns-query" },
  { address: "8.8.8.8", url: "https://two.example/resolve" },
];
const NEVER = new AbortController().signal;

const yes = (...addresses: string[]): FakeAnswer => ({
  body: JSON.stringify({
    Status: 0,
    Answer: addresses.map((data) => ({ name: "x", type: 1, TTL: 1, data })),
  }),
});
const NO: FakeAnswer = { body: JSON.stringify({ Status: 3 }) };

function resolverOf(answers: Record<string, () => FakeAnswer | Promise<FakeAnswer>>, negativeIsFinal = true) {
  const clock = new FakeClock();
  const { client, gets } = fakeHttps((get) => answers[get.address ?? ""]?.() ?? silence());
  return { clock, gets, resolve: createDohResolver({ servers: SERVERS, negativeIsFinal, client, clock }) };
}

describe("a DNS-over-HTTPS resolver", () => {
  it("asks the first server by its address, with the name in the URL", async () => {
    const { resolve, gets } = resolverOf({ "1.1.1.1": () => yes("192.0.2.1") });
    expect(await resolve("a.example", 4, NEVER)).toEqual(["192.0.2.1"]);
    expect(gets.map(({ address, url, accept }) => [address, url.href, accept])).toEqual([
      ["1.1.1.1", "https://one.example/dns-query?name=a.example&type=A", "application/dns-json"],
    ]);
  });

  it("goes on at once when a server fails, and after a moment when it is silent", async () => {
    const failing = resolverOf({ "1.1.1.1": () => ({ status: 500 }), "8.8.8.8": () => yes("192.0.2.2") });
    expect(await failing.resolve("a.example", 4, NEVER)).toEqual(["192.0.2.2"]);

    const silent = resolverOf({ "8.8.8.8": () => yes("192.0.2.2") });
    const answer = silent.resolve("a.example", 4, NEVER);
    await silent.clock.advance(699);
    expect(silent.gets).toHaveLength(1);
    await silent.clock.advance(1);
    expect(await answer).toEqual(["192.0.2.2"]);
  });

  it("takes a negative answer as final, or asks the next operator, as told", async () => {
    const answers = { "1.1.1.1": () => NO, "8.8.8.8": () => yes("192.0.2.2") };
    expect(await resolverOf(answers, true).resolve("a.example", 4, NEVER)).toEqual([]);
    expect(await resolverOf(answers, false).resolve("a.example", 4, NEVER)).toEqual(["192.0.2.2"]);
    expect(
      await resolverOf({ ...answers, "8.8.8.8": () => NO }, false).resolve("a.example", 4, NEVER),
    ).toEqual([]);
  });

  it("fails when nobody answers in time, and when aborted", async () => {
    const { resolve, clock } = resolverOf({});
    const failed = expect(resolve("a.example", 4, NEVER)).rejects.toThrow(
      "no DNS-over-HTTPS server answered",
    );
    await clock.advance(10_000);
    await failed;

    const abort = new AbortController();
    const aborted = expect(resolverOf({}).resolve("a.example", 4, abort.signal)).rejects.toThrow("stop it");
    abort.abort(new Error("stop it"));
    await aborted;
    expect(clock.waiting).toBe(0);
  });

  it("does not read an endless answer", async () => {
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) yield new Uint8Array(1024);
    }
    const { resolve } = resolverOf({
      "1.1.1.1": () => ({ body: endless() }),
      "8.8.8.8": () => yes("192.0.2.2"),
    });
    expect(await resolve("a.example", 4, NEVER)).toEqual(["192.0.2.2"]);
  });
});

describe("decodeAnswer", () => {
  const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

  it("takes the addresses at the end of a CNAME chain and nothing of another family", () => {
    const Answer = [
      { type: 5, data: "edge.example." },
      { type: 1, data: "192.0.2.1" },
      { type: 28, data: "2001:db8::1" },
      { type: 1, data: "not an address" },
    ];
    expect(decodeAnswer(encode({ Status: 0, Answer }), 4)).toEqual(["192.0.2.1"]);
    expect(decodeAnswer(encode({ Status: 0, Answer }), 6)).toEqual(["2001:db8::1"]);
  });

  it("tells no record from no answer", () => {
    expect(decodeAnswer(encode({ Status: 0 }), 4)).toEqual([]);
    expect(decodeAnswer(encode({ Status: 3 }), 4)).toEqual([]);
    expect(() => decodeAnswer(encode({ Status: 2 }), 4)).toThrow("DNS status 2");
  });

  it("gives addresses or throws an Error, whatever comes", () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.jsonValue().map(encode)), (body) => {
        try {
          return decodeAnswer(body, 4).every((address) => typeof address === "string");
        } catch (error) {
          return error instanceof Error;
        }
      }),
    );
  });
});
