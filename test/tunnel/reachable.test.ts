import { expect, it } from "vitest";
import { untilReachable } from "../../src/tunnel/reachable.ts";
import { fakeHttps, type FakeAnswer } from "../support/tunnels/fake-https.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";

const URL_ = new URL("https://a.trycloudflare.com");

/** Records appear at the given question; the edge answers with the given statuses, one a visit. */
function check(
  appearsAt: number,
  statuses: readonly (number | Error)[] = [404],
  abort = new AbortController(),
) {
  const clock = new FakeClock();
  let asked = 0;
  const left = [...statuses];
  const { client, gets } = fakeHttps((): FakeAnswer => {
    const next = left.shift() ?? 404;
    if (next instanceof Error) throw next;
    return { status: next };
  });
  const resolver = (): Promise<string[]> => {
    asked += 1;
    if (Number.isNaN(appearsAt)) return Promise.reject(new Error("blocked"));
    return Promise.resolve(asked >= appearsAt ? ["192.0.2.1"] : []);
  };
  const done = untilReachable(URL_, { resolver, client, clock, signal: abort.signal });
  done.catch(() => undefined);
  return { clock, gets, done, abort, asked: () => asked };
}

it("waits before it asks, asks until the record exists, then visits its address under its name", async () => {
  const { clock, gets, done, asked } = check(3);
  await clock.advance(1_999);
  expect(asked()).toBe(0);
  await clock.advance(4_001);
  await done;
  expect(asked()).toBe(3);
  expect(gets.map(({ url, address }) => [url.host, address])).toEqual([["a.trycloudflare.com", "192.0.2.1"]]);
});

it("waits while the edge does not know the tunnel, but not for a way out that is closed", async () => {
  const unknown = check(1, [530, 530, 404]);
  await unknown.clock.advance(6_000);
  await unknown.done;
  expect(unknown.gets).toHaveLength(3);
  const closed = check(1, [new Error("refused")]);
  await closed.clock.advance(2_000);
  await closed.done;
});

it.each([
  ["its DNS record has not appeared", Number.POSITIVE_INFINITY, []],
  ["no DNS-over-HTTPS server answers", Number.NaN, []],
  ["the edge does not serve it", 1, Array.from({ length: 99 }, () => 530)],
])("gives up: %s", async (detail, appearsAt, statuses) => {
  const { clock, done } = check(appearsAt, statuses);
  await clock.advance(80_000);
  await expect(done).rejects.toMatchObject({ code: "address-not-live", detail });
  expect(clock.waiting).toBe(0);
});

it("stops when cancelled", async () => {
  const { clock, done, abort } = check(99);
  await clock.advance(3_000);
  abort.abort();
  await expect(done).rejects.toMatchObject({ code: "cancelled" });
  expect(clock.waiting).toBe(0);
});
