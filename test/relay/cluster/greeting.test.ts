import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { firstLine, greet, Greetings, type Greeted } from "../../../src/relay/cluster/peers/greeting.ts";
import { parseServers } from "../../../src/relay/cluster/nats/servers.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";

const KEY = Buffer.alloc(32, 1);
const WANTED = { kind: "room", name: "x", epoch: 7 } as const;
const ASKED = { from: "n1", to: "n2", version: 1, wanted: WANTED };

function greetings(clock: FakeClock, node = "n2", { key = KEY, versions = [1] } = {}): Greetings {
  return new Greetings({ key, node, clock, versions });
}

function greeted(of: Greetings, line: string): Greeted {
  const read = of.read(line.trimEnd());
  if (read === undefined || typeof read === "string") throw new Error("not read");
  return read;
}

describe("a greeting between nodes", () => {
  test("says what is wanted, and its answer proves who has heard it", () => {
    const clock = new FakeClock();
    const { line, read, said } = greet(KEY, clock, ASKED);
    const { wanted, answer, say } = greeted(greetings(clock), line);
    expect(wanted).toEqual(WANTED);
    expect(read(answer)).toBe("accepted");
    const other = greet(KEY, clock, ASKED);
    for (const wrong of ["", line.trimEnd(), `${answer}x`, greeted(greetings(clock), other.line).answer])
      expect(read(wrong)).toBeUndefined();
    expect(said(say("hello there"))).toBe("hello there");
    for (const wrong of ["", "hello there", say("hello there").replace("hello", "hallo")])
      expect(said(wrong)).toBeUndefined();
    expect(other.said(say("hello there"))).toBeUndefined();
  });

  test("is for one node, once, soon, and of one that has the key", async () => {
    const clock = new FakeClock();
    const line = (): string => greet(KEY, clock, ASKED).line.trimEnd();
    const node = greetings(clock);
    const twice = line();
    expect(node.read(twice)).toBeTypeOf("object");
    expect(node.read(twice)).toBeUndefined();
    expect(greetings(clock, "n2", { key: Buffer.alloc(32, 2) }).read(line())).toBeUndefined();
    expect(node.read(line().replace('"epoch":7', '"epoch":8'))).toBeUndefined();
    const old = line();
    await clock.advance(61_000);
    expect(node.read(old)).toBeUndefined();
    expect(node.read(line())).toBeTypeOf("object");
    for (const text of ["", " ", "x", "x {}", `${"A".repeat(43)} not json`])
      expect(node.read(text)).toBeUndefined();
  });

  test("to another node is answered with a proof that this one is another", () => {
    const clock = new FakeClock();
    const { line, read } = greet(KEY, clock, ASKED);
    const answer = greetings(clock, "n3").read(line.trimEnd());
    if (typeof answer !== "string") throw new Error("no answer");
    expect(read(answer)).toBe("gone");
    expect(greet(KEY, clock, ASKED).read(answer)).toBeUndefined();
  });

  test("in a version that is not spoken is not read", () => {
    const clock = new FakeClock();
    const line = (version: number): string => greet(KEY, clock, { ...ASKED, version }).line.trimEnd();
    expect(greetings(clock).read(line(2))).toBeUndefined();
    const newer = greetings(clock, "n2", { versions: [1, 2] });
    for (const version of [1, 2]) expect(newer.read(line(version))).toBeTypeOf("object");
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
