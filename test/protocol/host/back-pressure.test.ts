import { describe, expect, it } from "vitest";
import { LINK, RATE, STREAM } from "../../../src/protocol/base/limits.ts";
import { Congestion } from "../../../src/protocol/pressure/congestion.ts";
import { Backlog } from "../../../src/protocol/pressure/backlog.ts";
import { memberIdFrom } from "../../../src/protocol/base/ids.ts";
import { cheapPrimitives } from "../../simulation/primitives.ts";
import { askFor, frameOf } from "../../support/file-words.ts";
import { Impostor } from "../../support/impostor.ts";
import { inShort, streamsOf } from "../../support/streaming.ts";
import { texts, World, type Guest } from "../../support/wire.ts";

const file = new Uint8Array(16).fill(8);
const KIB = 1_024;
const [ANA, BEN, CID, DAN] = [1, 2, 3, 4].map((byte) => memberIdFrom(new Uint8Array(8).fill(byte)));

function room(...names: string[]): { world: World; guests: Guest[] } {
  const world = new World({ idleMs: 24 * 3_600_000 }, cheapPrimitives(5));
  return { world, guests: names.map((name) => world.pair(name)) };
}

describe("what causes work at another member", () => {
  it("[E1] a burst of 5,000 messages of one guest in a small room is read at 830 a second and more", () => {
    const { world, guests } = room("ben", "cid");
    const [ben, cid] = guests;
    world.isRecording = false;
    for (let turn = 0; turn < 5_000; turn += 1) ben?.member.say({ text: "x".repeat(200) }, world.now);
    const began = world.now;
    world.advance(Math.floor((5_000 / 830) * 1_000));
    expect(world.now - began).toBeLessThan(6_025);
    expect(texts(cid?.entries ?? [])).toHaveLength(5_000);
  }, 60_000);

  it("[E1] a member that comes back without end is not let in for as long as it owes for that, and then again", () => {
    const world = new World({}, cheapPrimitives(6));
    const ben = world.pair("ben");
    const mallory = new Impostor(world, world.link(), cheapPrimitives(6));
    let entered = 0;
    const tries = (count: number): void => {
      for (let turn = 0; turn < count; turn += 1) {
        try {
          mallory.enter();
          entered += 1;
        } catch {
          return;
        }
      }
    };
    tries(100);
    const most =
      (RATE.framesBurst + (RATE.maxPauseMs / 1_000) * RATE.framesPerSecond) / RATE.connectPrice + 1;
    expect(entered).toBeGreaterThan(5);
    expect(entered).toBeLessThanOrEqual(most);
    world.advance(10_000);
    const before = entered;
    tries(1);
    expect(entered).toBe(before + 1);
    world.room.say({ text: "still here" }, world.now);
    world.settle();
    expect(texts(ben.entries)).toEqual(["still here"]);
  });

  it("[S6] a member that opens and resets has four streams under way at another one, until that one has read the resets", () => {
    const { world, guests } = room("ben", "cid", "dan");
    const [ben, cid, dan] = guests;
    if (ben === undefined || cid === undefined || dan === undefined) throw new Error("nobody came");
    // Ben reads nothing for now.
    world.latency = (guest) => (guest === ben ? 1_000 : 0);
    const ask = (who: Guest): number | undefined =>
      askFor(who.member, { file, owner: ben.member.self, offset: 0, credit: 1_000 }, world.now);
    for (let turn = 0; turn < 10; turn += 1) {
      const stream = ask(cid) ?? 0;
      cid.member.stream(frameOf({ t: "stop", stream, reason: "cancelled" }), world.now);
      world.settle();
    }
    ask(dan);
    world.settle();
    expect(streamsOf(dan)).toEqual([]);
    world.advance(3_000);
    expect(inShort(streamsOf(ben)).filter((one) => one === "open")).toHaveLength(5);
    ask(cid);
    world.advance(1_500);
    expect(inShort(streamsOf(ben)).filter((one) => one === "open")).toHaveLength(6);
  });

  it("[S6] four who take all the places they may leave some for those who have none", () => {
    const { world, guests } = room("ben", "cid", "dan", "eve", "fay", "gus");
    const [ben, ...others] = guests;
    const owner = ben?.member.self;
    if (owner === undefined) throw new Error("nobody came");
    for (const one of others.slice(0, 4))
      for (let turn = 0; turn < STREAM.maxOpened; turn += 1)
        askFor(one.member, { file, owner, offset: 0, credit: 1 }, world.now);
    world.settle();
    const last = others.at(-1);
    askFor(last?.member ?? world.room, { file, owner, offset: 0, credit: 1 }, world.now);
    world.settle();
    expect(last === undefined ? [] : streamsOf(last)).toEqual([]);
  });

  it("[S5] credit byte by byte reaches an end that sends nothing a few times a second, and all of it", () => {
    const { world, guests } = room("ben", "cid");
    const [ben, cid] = guests;
    if (ben === undefined || cid === undefined) throw new Error("nobody came");
    const stream = askFor(cid.member, { file, owner: ben.member.self, offset: 0, credit: 1 }, world.now) ?? 0;
    for (let turn = 0; turn < 1_000; turn += 1)
      cid.member.stream({ t: "credit", stream, bytes: 1 }, world.now);
    world.advance(1_000);
    const credits = streamsOf(ben).flatMap((event) => (event.t === "credit" ? [event.bytes] : []));
    expect(credits.length).toBeLessThanOrEqual(3);
    expect(credits.reduce((sum, bytes) => sum + bytes, 0)).toBe(1_000);
  });

  it("[S5] credit without end is told two megabytes ahead of what was sent, and all that was granted may be sent", () => {
    const { world, guests } = room("ben", "cid");
    const [ben, cid] = guests;
    if (ben === undefined || cid === undefined) throw new Error("nobody came");
    askFor(
      cid.member,
      { file, owner: ben.member.self, offset: 0, credit: 8 * STREAM.maxCreditBytes },
      world.now,
    );
    world.settle();
    const bytes = new Uint8Array(128 * KIB - 21);
    const send = (): boolean => ben.member.sendChunk({ stream: 2, bytes, isSealed: true }, world.now);
    let atOnce = 0;
    while (send()) atOnce += 1;
    expect(atOnce).toBe(STREAM.maxCreditBytes / (128 * KIB));
    let sent = atOnce;
    for (let turn = 0; turn < 100; turn += 1) {
      world.settle();
      while (send()) sent += 1;
    }
    expect(sent).toBe(8 * atOnce);
    expect(world.did("alarm")).toEqual([]);
  });
});

describe("a member that others wait for", () => {
  const load = (fill: number, drained: number) => ({
    fill,
    drained,
    bytes: fill * LINK.maxOutboxBytes,
    frames: 1,
  });

  it("[E3] is named after 16 seconds, and falls behind after 30 in which it took in too little for one or two", () => {
    for (const [took, end] of [
      [RATE.catchUpBytes, undefined],
      [RATE.catchUpBytes - 1, "fell-behind"],
    ] as const) {
      const congestion = new Congestion(load(0.4, 0), 0);
      for (let at = 0; at < 30_000; at += 1_000)
        for (const who of [ANA, BEN]) if (who !== undefined) congestion.holdsBack(who, load(0.4, at), at);
      expect([congestion.tick(load(0.4, 0), 15_999), congestion.tick(load(0.4, 0), 16_000)]).toEqual([
        undefined,
        "slow",
      ]);
      expect(congestion.dueAt).toBe(30_000);
      expect(congestion.tick(load(0.4, took), 30_000)).toBe(end);
    }
  });

  it("[E3] must let each of more than two through at 280 kbit/s", () => {
    const congestion = new Congestion(load(0.6, 0), 0);
    for (const who of [ANA, BEN, CID]) if (who !== undefined) congestion.holdsBack(who, load(0.6, 0), 0);
    congestion.tick(load(0.6, 0), 16_000);
    // 46 KB a second.
    expect(congestion.tick(load(0.6, 1_380_000), 30_000)).toBe("fell-behind");
  });

  it("[E3] has no time running while it is away, and cannot end it by going away, either", () => {
    const congestion = new Congestion(load(0.6, 0), 0);
    if (DAN !== undefined) congestion.holdsBack(DAN, load(0.6, 0), 14_000);
    congestion.away(true, 15_000);
    congestion.away(false, 71_000);
    expect(congestion.tick(load(0.6, 0), 71_999)).toBeUndefined();
    expect(congestion.tick(load(0.6, 0), 72_000)).toBe("slow");
    expect(congestion.tick(load(0.6, 0), 85_999)).toBeUndefined();
    expect(congestion.tick(load(0.6, 0), 86_000)).toBe("fell-behind");
  });

  it("[E3] is waited for by nobody once it has caught up", () => {
    const congestion = new Congestion(load(0.4, 0), 0);
    if (ANA !== undefined) congestion.holdsBack(ANA, load(0.4, 0), 0);
    expect(congestion.tick(load(RATE.caughtUpFill - 0.01, 0), 5_000)).toBe("caught-up");
  });

  it("[E3] holds those back whose words wait for it, by bytes and by number, since it came", () => {
    const backlog = new Backlog();
    if (ANA === undefined || BEN === undefined) throw new Error("nobody");
    for (let seq = 1; seq <= 10; seq += 1)
      backlog.said(seq % 5 === 0 ? ANA : BEN, seq, seq % 5 === 0 ? 400 : 100);
    expect(backlog.partOf(ANA, { upTo: 10, frames: 10, after: 0 })).toEqual({ bytes: 0.5, frames: 0.2 });
    expect(backlog.partOf(ANA, { upTo: 10, frames: 1, after: 0 })).toEqual({ bytes: 1, frames: 1 });
    expect(backlog.partOf(ANA, { upTo: 10, frames: 10, after: 5 })).toEqual({ bytes: 0.25, frames: 0.1 });
    expect(backlog.partOf(BEN, { upTo: 10, frames: 0, after: 0 })).toEqual({ bytes: 0, frames: 0 });
  });
});

describe("a flood beside others who talk", () => {
  /** Says so many messages at once as ben, and gives the pauses that this was worth; nobody acknowledges meanwhile. */
  function flooded(
    names: string[],
    beforehand: (world: World, guests: Guest[]) => void,
    count = 40,
  ): number[] {
    const { world, guests } = room(...names);
    world.advance(1_000);
    beforehand(world, guests);
    const before = world.did("pause").length;
    for (let turn = 0; turn < count; turn += 1) guests[0]?.member.say({ text: "x" }, world.now);
    world.settle();
    return world
      .did("pause")
      .slice(before)
      .map(({ ms }) => ms);
  }

  const cidTalks = (world: World, guests: Guest[]): void => {
    guests[1]?.member.say({ text: "I talk, too" }, world.now);
    world.settle();
  };

  it("[E5] is read 20 ms at a time once 12 of its messages are on their way to somebody", () => {
    const pauses = flooded(["ben", "cid"], cidTalks);
    expect(pauses.length).toBeGreaterThan(0);
    expect(new Set(pauses)).toEqual(new Set([RATE.runMs]));
  });

  it("[E5] also where only the host talks", () => {
    const pauses = flooded(["ben", "cid"], (world) => {
      world.room.say({ text: "the host talks" }, world.now);
      world.settle();
    });
    expect(pauses.length).toBeGreaterThan(0);
  });

  it("[E5] is read at once by whoever talks alone, after others have been silent for 30 seconds, and in a room of two", () => {
    expect(flooded(["ben", "cid"], () => undefined)).toEqual([]);
    const afterSilence = flooded(["ben", "cid"], (world, guests) => {
      cidTalks(world, guests);
      world.advance(RATE.talksMs);
    });
    expect(afterSilence).toEqual([]);
    const ofTwo = flooded(["ben"], (world) => {
      world.room.say({ text: "the host talks" }, world.now);
      world.settle();
    });
    expect(ofTwo).toEqual([]);
  });

  it("[E5] and so are 128 KiB of long ones", () => {
    const { world, guests } = room("ben", "cid");
    cidTalks(world, guests);
    for (let turn = 0; turn < 6; turn += 1) guests[0]?.member.say({ text: "x".repeat(30 * KIB) }, world.now);
    world.settle();
    expect(world.did("pause").map(({ ms }) => ms)).toContain(RATE.runMs);
  });

  it("[E5] a few words in a row are no flood", () => {
    expect(flooded(["ben", "cid"], cidTalks, RATE.runMessages - 1)).toEqual([]);
  });
});
