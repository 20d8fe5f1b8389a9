import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { firstLine, greet, Greetings } from "../../../src/relay/cluster/peers/greeting.ts";
import { parseServers } from "../../../src/relay/cluster/nats/servers.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";

const KEY = Buffer.alloc(32, 1);
const WANTED = { kind: "room", name: "x", epoch: 7 } as const;

describe("a greeting between nodes", () => {
  test("says what is wanted, and its answer proves who has heard it", () => {
    const clock = new FakeClock();
    const { line, isAccepted } = greet(KEY, "n2", clock, WANTED);
    const read = new Greetings(KEY, "n2", clock).read(line.trimEnd());
    expect(read?.wanted).toEqual(WANTED);
    expect(isAccepted(read?.answer ?? "")).toBe(true);
    expect(isAccepted("")).toBe(false);
    expect(isAccepted(greet(KEY, "n2", clock, WANTED).line)).toBe(false);
  });

  test("is for one node, once, soon, and of one that has the key", async () => {
    const clock = new FakeClock();
    const line = (): string => greet(KEY, "n2", clock, WANTED).line.trimEnd();
    const greetings = new Greetings(KEY, "n2", clock);
    const twice = line();
    expect(greetings.read(twice)).toBeDefined();
    expect(greetings.read(twice)).toBeUndefined();
    expect(new Greetings(KEY, "n3", clock).read(line())).toBeUndefined();
    expect(new Greetings(Buffer.alloc(32, 2), "n2", clock).read(line())).toBeUndefined();
    expect(greetings.read(line().replace('"epoch":7', '"epoch":8'))).toBeUndefined();
    const old = line();
    await clock.advance(61_000);
    expect(greetings.read(old)).toBeUndefined();
    expect(greetings.read(line())).toBeDefined();
    for (const text of ["", " ", "x", "x {}", `${"A".repeat(43)} not json`])
      expect(greetings.read(text)).toBeUndefined();
  });

  test("leaves what follows it in the connection, however it comes in pieces", async () => {
    for (const pieces of [["hello\nrest"], ["hel", "lo\n", "rest"], ["hello", "\nrest"]]) {
      const socket = new PassThrough();
      const read = firstLine(socket, systemClock, 1_000);
      for (const piece of pieces) {
        socket.write(piece);
        await new Promise(setImmediate);
      }
      expect(await read).toBe("hello");
      socket.end();
      let rest = "";
      for await (const chunk of socket) rest += String(chunk);
      expect(rest).toBe("rest");
    }
    const long = new PassThrough();
    const tooLong = firstLine(long, systemClock, 1_000);
    long.write("x".repeat(5_000));
    expect(await tooLong).toBeUndefined();
    expect(await firstLine(new PassThrough(), systemClock, 20)).toBeUndefined();
  });
});

test("servers of a cluster are read with one login and one scheme", () => {
  expect(parseServers("nats://relay:p%40ss@10.0.0.1, nats://10.0.0.2:4333")).toEqual({
    addresses: ["10.0.0.1:4222", "10.0.0.2:4333"],
    login: { user: "relay", pass: "p@ss" },
    tls: false,
  });
  expect(parseServers("tls://token@h")).toEqual({
    addresses: ["h:4222"],
    login: { token: "token" },
    tls: true,
  });
  for (const wrong of [
    "",
    "h:4222",
    "http://h",
    "nats://",
    "nats://a,tls://b",
    "nats://a/b",
    "nats://a?b",
    "nats://%zz@a",
  ])
    expect(parseServers(wrong)).toBeUndefined();
});
