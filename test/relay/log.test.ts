import { describe, expect, it } from "vitest";
import * as z from "zod";
import type { RelayEvent } from "../../src/relay/events.ts";
import { Log } from "../../src/relay/log/log.ts";
import { Tags } from "../../src/relay/log/tags.ts";

/** A clock that stands still until it is told to go on. */
function standing(): {
  now: () => number;
  after: (ms: number, callback: () => void) => () => void;
  go: (ms: number) => void;
} {
  let now = Date.UTC(2026, 0, 1);
  const timers = new Map<() => void, number>();
  return {
    now: () => now,
    after(ms, callback) {
      timers.set(callback, now + ms);
      return () => void timers.delete(callback);
    },
    go(ms) {
      now += ms;
      for (const [callback, at] of timers) {
        if (at > now) continue;
        timers.delete(callback);
        callback();
      }
    },
  };
}

const line = z.looseObject({ time: z.iso.datetime(), level: z.enum(["info", "warn"]), event: z.string() });

function logging(options: { hasAccess?: boolean; hasNames?: boolean; unread?: () => number } = {}) {
  const clock = standing();
  const writes: string[] = [];
  const tags = new Tags(Buffer.alloc(32, 1));
  const { hasAccess = true, hasNames = false, unread = () => 0 } = options;
  const log = new Log({ clock, write: (text) => writes.push(text), unread, tags, hasAccess, hasNames });
  const lines = () =>
    writes
      .join("")
      .split("\n")
      .filter((text) => text !== "")
      .map((text) => line.parse(JSON.parse(text)));
  return { log, clock, writes, lines, tags };
}

const NAME = "nameofshop";
const SOURCE = "203.0.113.7";
const common = { bytesIn: 1, bytesOut: 2, lastedMs: 3, source: SOURCE } as const;
const REGISTERED: RelayEvent = {
  type: "registered",
  kind: "http",
  name: NAME,
  epoch: 1,
  tokenId: "abcd1234",
  source: SOURCE,
};
const EVENTS: readonly RelayEvent[] = [
  REGISTERED,
  { type: "refused", kind: undefined, reason: "token-invalid", source: SOURCE },
  { type: "connection", kind: "room", name: "r".repeat(22), end: "done", ...common },
  { type: "request", name: NAME, method: "GET", path: "/secretpath", status: 200, end: "done", ...common },
  { type: "unregistered", kind: "http", name: NAME, epoch: 1, tokenId: "abcd1234", why: "cut", lastedMs: 5 },
  { type: "trouble", what: "something" },
  { type: "draining" },
];

describe("the log", () => {
  it("has one line of JSON for each event, without names, addresses and paths", () => {
    const { log, clock, writes, lines, tags } = logging();
    for (const event of EVENTS) log.take(event);
    clock.go(1_000);
    expect(lines().map(({ event }) => event)).toEqual(EVENTS.map(({ type }) => type));
    const text = writes.join("");
    for (const secret of [NAME, SOURCE, "secretpath", "rrrr"]) expect(text).not.toContain(secret);
    const [registered, , , request, unregistered] = lines();
    const tunnel = tags.tunnel({ kind: "http", name: NAME });
    expect(registered).toMatchObject({ tunnel, kind: "http", token: "abcd1234" });
    // The same word in every line on the same tunnel and the same address.
    expect([request?.["tunnel"], unregistered?.["tunnel"]]).toEqual([tunnel, tunnel]);
    expect(request?.["source"]).toBe(registered?.["source"]);
    expect(request).toMatchObject({ method: "GET", status: 200, bytesIn: 1, bytesOut: 2, lastedMs: 3 });
  });

  it("has names, addresses and paths where the operator has asked for that, and never a secret prefix", () => {
    const { log, clock, writes } = logging({ hasNames: true });
    for (const event of EVENTS) log.take(event);
    log.take({
      type: "request",
      name: NAME,
      method: "GET",
      path: "/.tunnel/p/topsecret/feed",
      status: 200,
      end: "done",
      ...common,
    });
    clock.go(1_000);
    const text = writes.join("");
    for (const word of [NAME, SOURCE, "/secretpath"]) expect(text).toContain(word);
    expect(text).not.toContain("topsecret");
  });

  it("leaves visits out without the access log", () => {
    const { log, clock, lines } = logging({ hasAccess: false });
    for (const event of EVENTS) log.take(event);
    clock.go(1_000);
    expect(lines().map(({ event }) => event)).toEqual([
      "registered",
      "refused",
      "unregistered",
      "trouble",
      "draining",
    ]);
  });

  it("writes many lines together, counts what is too much, and goes on in the next second", () => {
    const { log, clock, writes, lines } = logging();
    for (let index = 0; index < 5_000; index += 1) log.take(REGISTERED);
    clock.go(20);
    expect(writes).toHaveLength(1);
    expect(lines()).toHaveLength(500);
    clock.go(1_000);
    log.take(REGISTERED);
    clock.go(20);
    expect(lines().slice(500)).toMatchObject([
      { event: "left-out", lines: 4_500, level: "warn" },
      { event: "registered" },
    ]);
  });

  it("leaves lines out while nobody reads, and says how many", () => {
    let unread = 0;
    const { log, clock, lines } = logging({ unread: () => unread });
    log.take(REGISTERED);
    clock.go(20);
    unread = 2 * 1024 * 1024;
    for (let index = 0; index < 7; index += 1) log.take(REGISTERED);
    clock.go(3_000);
    log.take(REGISTERED);
    clock.go(20);
    expect(lines()).toHaveLength(1);
    unread = 0;
    clock.go(1_000);
    log.take(REGISTERED);
    clock.go(20);
    expect(lines().slice(1)).toMatchObject([{ event: "left-out", lines: 8 }, { event: "registered" }]);
  });

  it("loses nothing at its end", () => {
    const { log, lines } = logging();
    for (let index = 0; index < 501; index += 1) log.take(REGISTERED);
    log.close();
    expect(lines().slice(499)).toMatchObject([{ event: "registered" }, { event: "left-out", lines: 1 }]);
  });

  it("keeps a line a line, whatever a visitor has sent", () => {
    const { log, clock, lines } = logging({ hasNames: true });
    log.take({
      type: "request",
      name: NAME,
      method: 'G"\n{',
      path: "/\u2028\n\u0000",
      status: 200,
      end: "done",
      ...common,
    });
    clock.go(20);
    expect(lines()).toHaveLength(1);
  });
});

describe("the words that stand for names and addresses", () => {
  it("differ by key, kind and day, and an IPv6 network is one", () => {
    const tags = new Tags(Buffer.alloc(32, 1));
    const other = new Tags(Buffer.alloc(32, 2));
    const room = { kind: "room", name: "x" } as const;
    expect(tags.tunnel(room)).toMatch(/^[0-9a-f]{16}$/);
    expect(tags.tunnel(room)).toBe(tags.tunnel({ ...room }));
    expect(tags.tunnel(room)).not.toBe(tags.tunnel({ kind: "http", name: "x" }));
    expect(tags.tunnel(room)).not.toBe(other.tunnel(room));
    const [today, tomorrow] = [0, 24 * 60 * 60 * 1_000];
    expect(tags.source(SOURCE, today)).not.toBe(tags.source(SOURCE, tomorrow));
    expect(tags.source("::ffff:203.0.113.7", today)).toBe(tags.source(SOURCE, today));
    expect(tags.source("2001:db8::1", today)).toBe(tags.source("2001:db8::2", today));
    expect(tags.source("2001:db8::1", today)).not.toBe(tags.source("2001:db8:1::1", today));
  });
});
