import { describe, expect, it } from "vitest";
import { concat, type Bytes } from "../../../src/protocol/base/bytes.ts";
import type { MemberId } from "../../../src/protocol/base/ids.ts";
import { STREAM } from "../../../src/protocol/base/limits.ts";
import { decodeUtf8, encodeUtf8 } from "../../../src/protocol/base/utf8.ts";
import {
  Services,
  type StreamEnd,
  type StreamListener,
  type StreamNews,
  type StreamService,
} from "../../../src/protocol/link/service.ts";
import type { StreamFrame } from "../../../src/protocol/link/stream-frames.ts";
import { Rogue } from "../../support/streaming.ts";
import { guestDid, World, type Guest } from "../../support/wire.ts";

/** A service that is here alone: it sends back whatever it is sent, behind what it was asked with, and ends when the other end does. */
class Echo implements StreamService {
  readonly name = "echo";
  readonly ends: StreamEnd[] = [];
  readonly #credit: number;

  /** `credit` is how much it lets come ahead of what it has sent back. */
  constructor(credit: number) {
    this.#credit = credit;
  }

  opened(end: StreamEnd, request: Bytes): StreamListener {
    this.ends.push(end);
    if (decodeUtf8(request) === "none today") {
      end.reset("closed-today");
      return () => undefined;
    }
    end.accept(request, this.#credit);
    const waiting: Bytes[] = [];
    let isEnded = false;
    return (news) => {
      if (news.t === "chunk") {
        waiting.push(news.bytes);
        end.grant(news.price);
      }
      if (news.t === "end") isEnded = true;
      for (let next = waiting[0]; next !== undefined && end.send(next); next = waiting[0]) waiting.shift();
      if (isEnded && waiting.length === 0) end.end();
    };
  }
}

const MUCH = 1_000_000;
const utf8 = encodeUtf8;

/** A side of the room with its services. */
interface Side {
  readonly id: MemberId;
  readonly services: Services;
}

function scene(credit = MUCH) {
  const world = new World();
  const guests = { ben: world.pair("ben"), cid: world.pair("cid") };
  const echo = { host: new Echo(credit), ben: new Echo(credit), cid: new Echo(credit) };
  const happened: (() => void)[] = [];
  const machineOf = (machine: Guest["member"] | World["room"]): Services =>
    new Services({
      openStream: (request) => machine.openStream(request, world.now),
      stream: (frame) => machine.stream(frame, world.now),
      sendable: (stream) => machine.sendable(stream),
      sendChunk: (chunk) => machine.sendChunk(chunk, world.now),
    });
  const sides = {
    host: { id: world.room.self, services: machineOf(world.room) },
    ben: { id: guests.ben.member.self, services: machineOf(guests.ben.member) },
    cid: { id: guests.cid.member.self, services: machineOf(guests.cid.member) },
  };
  // The one line by which a service comes to a side.
  for (const name of ["host", "ben", "cid"] as const) sides[name].services.add(echo[name]);
  world.observe = (guest, effect) => {
    if (effect.type !== "stream") return;
    const name = guest === undefined ? "host" : guest === guests.ben ? "ben" : "cid";
    if (guest === undefined || guest === guests.ben || guest === guests.cid)
      happened.push(() => sides[name].services.happened(effect.event));
  };
  /** Until nothing moves any more, services included. */
  const settle = (): void => {
    world.settle();
    for (let turn = 0; turn < 1_000 && happened.length > 0; turn += 1) {
      for (const happen of happened.splice(0)) happen();
      world.settle();
    }
  };
  const asks = (
    from: Side,
    to: { readonly id: MemberId },
    options: { request?: string; credit?: number; service?: string } = {},
  ) => {
    const { request = "hello", credit = MUCH, service = "echo" } = options;
    const news: StreamNews[] = [];
    const end = from.services.open({ who: to.id, service, request: utf8(request), credit }, (one) =>
      news.push(one),
    );
    settle();
    if (end === undefined) throw new Error("it could not be asked");
    return { end, news };
  };
  const alarms = (): string[] =>
    [...world.did("alarm"), ...guestDid(guests.ben, "alarm"), ...guestDid(guests.cid, "alarm")].map(
      ({ error }) => error.code,
    );
  return { world, guests, ...sides, echo, settle, asks, alarms };
}

const WAYS = [
  ["host", "ben"],
  ["ben", "host"],
  ["ben", "cid"],
] as const;

function inShort(news: readonly StreamNews[]): string[] {
  return news.map((one) => {
    if (one.t === "accept") return `accept ${decodeUtf8(one.response)}`;
    if (one.t === "chunk") return `chunk ${decodeUtf8(one.bytes)}`;
    return one.t === "reset" ? `reset ${one.code}` : one.t;
  });
}

const bytesOf = (news: readonly StreamNews[]): Bytes =>
  concat(...news.flatMap((one) => (one.t === "chunk" ? [one.bytes] : [])));

describe.each(WAYS)("[S1] a service of one file, from %s to %s,", (from, to) => {
  it("[S2] [S5] answers a request, and speaks its own bytes both ways", () => {
    const room = scene();
    const { end, news } = room.asks(room[from], room[to]);
    expect(room.echo[to].ends.map(({ who }) => who)).toEqual([room[from].id]);
    for (const text of ["one", "two", ""]) expect(end.send(utf8(text))).toBe(true);
    room.settle();
    const shown = inShort(news).filter((one) => one !== "credit");
    expect(shown).toEqual(["accept hello", "chunk one", "chunk two", "chunk "]);
    expect([end.isOver, room.alarms()]).toEqual([false, []]);
  });

  it("[S7] half-closes: the other end goes on until it has said everything", () => {
    const room = scene();
    // One message of the answers may come at a time.
    const { end, news } = room.asks(room[from], room[to], { credit: 256 });
    for (const text of ["one", "two", "three"]) end.send(utf8(text));
    end.end();
    expect(end.send(utf8("more"))).toBe(false);
    room.settle();
    expect(inShort(news).filter((one) => one.startsWith("chunk"))).toEqual(["chunk one"]);
    expect(end.isOver).toBe(false);
    for (let turn = 0; turn < 2; turn += 1) {
      end.grant(256);
      room.settle();
    }
    expect(
      inShort(news)
        .filter((one) => one !== "credit")
        .slice(-3),
    ).toEqual(["chunk two", "chunk three", "end"]);
    expect([end.isOver, room.echo[to].ends[0]?.isOver, room.alarms()]).toEqual([true, true, []]);
  });

  it("[S3] sends within credit only, and on with more of it, whatever the sizes", () => {
    const room = scene(2_048);
    const { end, news } = room.asks(room[from], room[to]);
    const large = new Uint8Array(900).fill(7);
    // A message of 1,024 bytes each.
    expect([end.send(large), end.send(large), end.send(large)]).toEqual([true, true, false]);
    room.settle();
    expect(bytesOf(news)).toHaveLength(1_800);
    // The service grants what it has taken in.
    expect([end.send(large), end.send(large), end.send(large)]).toEqual([true, true, false]);
    room.settle();
    expect(bytesOf(news)).toEqual(new Uint8Array(3_600).fill(7));
    expect(room.alarms()).toEqual([]);
  });

  it("[S7] is reset from either end, which the other hears and answers with nothing", () => {
    for (const who of ["asking", "asked"] as const) {
      const room = scene();
      const { end, news } = room.asks(room[from], room[to]);
      const [served] = room.echo[to].ends;
      if (who === "asking") end.reset("cancelled");
      else served?.reset("too-loud");
      room.settle();
      expect([end.isOver, served?.isOver]).toEqual([true, true]);
      expect(inShort(news)).toEqual(who === "asking" ? ["accept hello"] : ["accept hello", "reset too-loud"]);
      expect([end.send(utf8("x")), served?.send(utf8("x"))]).toEqual([false, false]);
      room.settle();
      // Another stream has another number, and works.
      const again = room.asks(room[from], room[to]);
      again.end.send(utf8("again"));
      room.settle();
      expect(inShort(again.news)).toContain("chunk again");
      expect(room.alarms()).toEqual([]);
    }
  });

  it("[S1] [S7] refuses with a code of its own; a service that is not there has another one, and neither is a violation", () => {
    const room = scene();
    const refused = room.asks(room[from], room[to], { request: "none today" });
    expect([inShort(refused.news), refused.end.isOver]).toEqual([["reset closed-today"], true]);
    const unknown = room.asks(room[from], room[to], { service: "telepathy" });
    expect([inShort(unknown.news), unknown.end.isOver]).toEqual([["reset no-service"], true]);
    expect(room.alarms()).toEqual([]);
  });

  it("[S2] ends with a cut for both, and works again on the next connection", () => {
    for (const lost of [from, to].filter((name) => name !== "host")) {
      const room = scene();
      const { end, news } = room.asks(room[from], room[to]);
      const [served] = room.echo[to].ends;
      end.send(utf8("one"));
      const guest = room.guests[lost === "ben" ? "ben" : "cid"];
      room.world.cut(guest);
      room.settle();
      expect([end.isOver, served?.isOver, inShort(news).at(-1)]).toEqual([true, true, "reset away"]);
      room.world.advance(20_000);
      room.settle();
      // Old ends say nothing on the new connection, whose numbers begin anew.
      end.reset("cancelled");
      served?.send(utf8("late"));
      const again = room.asks(room[from], room[to]);
      again.end.send(utf8("two"));
      room.settle();
      expect(inShort(again.news).filter((one) => one !== "credit")).toEqual(["accept hello", "chunk two"]);
      expect(room.alarms()).toEqual([]);
    }
  });

  it("[S1] takes the longest request and the longest bytes of one message", () => {
    const room = scene();
    const { end, news } = room.asks(room[from], room[to], { request: "r".repeat(STREAM.maxRequestBytes) });
    const bytes = Uint8Array.from({ length: 131_072 - 25 }, (_, at) => at & 0xff);
    expect(end.send(bytes)).toBe(true);
    expect(() => end.send(new Uint8Array(bytes.length + 1))).toThrow(RangeError);
    room.settle();
    expect(bytesOf(news)).toEqual(bytes);
    expect(room.alarms()).toEqual([]);
  });
});

describe("[R8] bytes that hops seal", () => {
  it("show on no wire, and to nobody else in the room", () => {
    const room = scene();
    const { end } = room.asks(room.ben, room.cid);
    const secret = "correct horse battery staple";
    end.send(utf8(secret));
    room.settle();
    const { ben, cid } = room.guests;
    const wire = Buffer.concat([ben, cid].flatMap(({ wire: one }) => [...one.toHost, ...one.toGuest]));
    expect(wire.includes(secret)).toBe(false);
    expect(room.world.did("stream")).toEqual([]);
  });
});

describe("[G8] a member that keeps to no rule with a service", () => {
  const open = (who: MemberId, change: Partial<Extract<StreamFrame, { t: "open" }>> = {}): StreamFrame => ({
    t: "open",
    stream: 1,
    service: "echo",
    who,
    credit: MUCH,
    request: utf8("hello"),
    ...change,
  });
  type Scene = ReturnType<typeof scene> & { readonly rogue: Rogue };
  const bytes = utf8("x");

  it.each<[string, (room: Scene, who: MemberId) => void]>([
    [
      "sends more than it was let",
      ({ rogue }) => {
        for (let turn = 0; turn < 5; turn += 1) rogue.open({ stream: 1, bytes: new Uint8Array(900) });
      },
    ],
    [
      "sends one message more than all",
      ({ rogue }) => rogue.open({ stream: 1, bytes: new Uint8Array(5_000) }),
    ],
    [
      "sends on after its end",
      ({ rogue }) => {
        rogue.frame({ t: "end", stream: 1 });
        rogue.open({ stream: 1, bytes });
      },
    ],
    [
      "ends twice",
      ({ rogue }) => {
        rogue.frame({ t: "end", stream: 1 });
        rogue.frame({ t: "end", stream: 1 });
      },
    ],
    ["sends on a stream that nobody opened", ({ rogue }) => rogue.open({ stream: 3, bytes })],
    [
      "resets a stream that nobody opened",
      ({ rogue }) => rogue.frame({ t: "reset", stream: 3, code: "away" }),
    ],
    ["opens the stream again", ({ rogue }, who) => rogue.frame(open(who))],
    [
      "opens it again after its end",
      ({ rogue }, who) => {
        rogue.frame({ t: "reset", stream: 1, code: "cancelled" });
        rogue.frame(open(who));
      },
    ],
    ["leaves a number out", ({ rogue }, who) => rogue.frame(open(who, { stream: 5 }))],
    [
      "answers its own question",
      ({ rogue }) => rogue.frame({ t: "accept", stream: 1, credit: MUCH, response: bytes }),
    ],
  ])("[S2] [S3] [S7] that %s loses its connection, and the service goes on for others", (_what, attack) => {
    for (const to of ["host", "cid"] as const) {
      const room = scene(2_048);
      const rogue = new Rogue(room.world);
      room.settle();
      rogue.frame(open(room[to].id));
      room.settle();
      const before = room.echo[to].ends.length;
      attack({ ...room, rogue }, room[to].id);
      room.settle();
      expect([before, room.alarms()]).toEqual([1, ["protocol-violation"]]);
      expect(room.echo[to].ends[0]?.isOver).toBe(true);
      const { end, news } = room.asks(room.ben, room[to]);
      end.send(utf8("still here"));
      room.settle();
      expect(inShort(news)).toContain("chunk still here");
    }
  });

  it("[S1] asks with a giant request, or for a service whose name is none, is cut off", () => {
    for (const change of [{ request: new Uint8Array(STREAM.maxRequestBytes + 1) }, { service: "No Such" }]) {
      const room = scene();
      const rogue = new Rogue(room.world);
      const { request, ...header } = { ...open(room.cid.id), ...change } as Extract<
        StreamFrame,
        { t: "open" }
      >;
      const json = utf8(JSON.stringify(header));
      rogue.impostor.put(0x15, concat(Uint8Array.of(json.length >> 8, json.length & 0xff), json, request));
      room.settle();
      expect(room.alarms()).toEqual(["protocol-violation"]);
      expect(room.echo.cid.ends).toEqual([]);
    }
  });

  it("[S5] hears nothing of a stream between two others, whose numbers it may use itself", () => {
    const room = scene();
    const rogue = new Rogue(room.world);
    const { end, news } = room.asks(room.ben, room.cid);
    rogue.frame(open(room.cid.id));
    rogue.frame({ t: "reset", stream: 1, code: "cancelled" });
    room.settle();
    end.send(utf8("mine"));
    room.settle();
    expect(inShort(news)).toContain("chunk mine");
    expect(room.alarms()).toEqual([]);
  });
});
