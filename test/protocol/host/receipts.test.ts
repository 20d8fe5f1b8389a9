import { describe, expect, it } from "vitest";
import { LINK } from "../../../src/protocol/base/limits.ts";
import type { MemberSession } from "../../../src/protocol/host/member-sessions.ts";
import { Receipts } from "../../../src/protocol/host/receipts.ts";
import { cheapPrimitives } from "../../simulation/primitives.ts";
import { texts, World } from "../../support/wire.ts";

const MINUTE = 60_000;
/** More than one agent's program writes at once. */
const BURST = 5_000;

const reached = (world: World): number[] => world.did("reached").map(({ seq }) => seq);
const unreached = (world: World): number[] => world.did("unreached").map(({ seq }) => seq);

/** What is said at once; gives the numbers in the room. */
function burst(world: World, count = BURST): number[] {
  return Array.from({ length: count }, (_, at) => world.room.say({ text: `${at}` }, world.now));
}

describe("a burst of the host", () => {
  it("[D8] is told of message by message, each once, in order, and without any time passing", () => {
    const world = new World({}, cheapPrimitives(1));
    const ben = world.pair("ben");
    const said = burst(world);
    expect(reached(world)).toEqual([]);
    world.settle();
    // What goes beyond the prompt acknowledgements is acknowledged 32 at a time, the rest when it is due.
    world.advance(LINK.ackDelayMs);
    expect(reached(world)).toEqual(said);
    expect(texts(ben.entries)).toEqual(said.map((_, at) => `${at}`));
  });

  it("is confirmed by the first of several who has it, however slow the others are", () => {
    const world = new World({}, cheapPrimitives(2));
    const [ben, cid] = [world.pair("ben"), world.pair("cid")];
    // Nothing of what ben says arrives, his acknowledgements neither.
    ben.tamperToHost = () => [];
    const said = burst(world, 1_000);
    world.advance(1_000);
    expect(reached(world)).toEqual(said);
    expect(texts(cid.entries)).toHaveLength(1_000);
  });

  it("for some is confirmed by them alone", () => {
    const world = new World({}, cheapPrimitives(3));
    const [ben] = [world.pair("ben"), world.pair("cid")];
    ben.tamperToHost = () => [];
    world.room.say({ text: "for ben", to: [ben.member.self] }, world.now);
    const forAll = world.room.say({ text: "for all" }, world.now);
    world.advance(1_000);
    expect(reached(world)).toEqual([forAll]);
  });
});

describe("a message that was not confirmed when it was said", () => {
  it("while its only receiver was away is told of when that has come back", () => {
    const world = new World({}, cheapPrimitives(4));
    const ben = world.pair("ben");
    ben.offline = true;
    world.cut(ben);
    const said = burst(world, 300);
    world.advance(1_000);
    expect(reached(world)).toEqual([]);
    ben.offline = false;
    world.advance(MINUTE);
    expect(reached(world)).toEqual(said);
  });

  it("[D5] is confirmed by the resume point where the acknowledgement was lost in a cut", () => {
    const world = new World({}, cheapPrimitives(5));
    const ben = world.pair("ben");
    world.advance(1_000);
    ben.tamperToHost = () => [];
    const seq = world.room.say({ text: "arrives" }, world.now);
    world.settle();
    expect(texts(ben.entries)).toEqual(["arrives"]);
    expect(reached(world)).toEqual([]);
    world.cut(ben);
    // From the next connection on the host hears of nothing but the handshake.
    ben.tamperToHost = (message) => (message[0] === 0x10 && reached(world).length > 0 ? [] : [message]);
    world.advance(LINK.backoffFirstMs);
    expect(reached(world)).toEqual([seq]);
    expect(world.now - 1_700_000_001_000).toBeLessThanOrEqual(LINK.backoffFirstMs);
  });

  it("is given up as soon as the last one who could confirm it has left", () => {
    const world = new World({}, cheapPrimitives(6));
    const [ben, cid] = [world.pair("ben"), world.pair("cid")];
    for (const guest of [ben, cid]) guest.tamperToHost = () => [];
    const forBen = world.room.say({ text: "for ben", to: [ben.member.self] }, world.now);
    const forAll = world.room.say({ text: "for all" }, world.now);
    world.settle();
    world.room.remove(ben.member.self, world.now);
    expect(unreached(settled(world))).toEqual([forBen]);
    world.room.remove(cid.member.self, world.now);
    expect(unreached(settled(world))).toEqual([forBen, forAll]);
    expect(reached(world)).toEqual([]);
  });

  it("is not given up where one of those who have left had confirmed it", () => {
    const world = new World({}, cheapPrimitives(7));
    const [ben, cid] = [world.pair("ben"), world.pair("cid")];
    cid.tamperToHost = () => [];
    const seq = world.room.say({ text: "for all" }, world.now);
    world.advance(1_000);
    for (const guest of [ben, cid]) world.room.remove(guest.member.self, world.now);
    expect(reached(settled(world))).toEqual([seq]);
    expect(unreached(world)).toEqual([]);
  });
});

function settled(world: World): World {
  world.settle();
  return world;
}

describe("what is kept for confirmations", () => {
  /** As much of a member's session as counts here: how many frames it was sent, and how many it has confirmed. */
  function session(): { link: { sent: number; confirmed: number }; fellBehind: boolean } {
    return { link: { sent: 0, confirmed: 0 }, fellBehind: false };
  }
  const as = (fake: ReturnType<typeof session>): MemberSession => fake as unknown as MemberSession;

  it("is what waits in the outboxes, and nothing when all of it is confirmed", () => {
    const receipts = new Receipts();
    const [ben, cid] = [session(), session()];
    for (let seq = 1; seq <= BURST; seq += 1) {
      for (const { link } of [ben, cid]) link.sent += 1;
      receipts.expect(seq, [as(ben), as(cid)]);
      // One of them keeps up, but for a few.
      ben.link.confirmed = Math.max(0, seq - 10);
      receipts.confirmed(as(ben));
    }
    expect(receipts.waiting).toBe(10 + BURST);
    ben.link.confirmed = BURST;
    expect(receipts.confirmed(as(ben))).toHaveLength(10);
    cid.link.confirmed = BURST;
    expect(receipts.confirmed(as(cid))).toEqual([]);
    expect(receipts.waiting).toBe(0);
  });

  it("goes with the session of a member that leaves", () => {
    const receipts = new Receipts();
    const ben = session();
    ben.link.sent = 1;
    receipts.expect(7, [as(ben)]);
    expect(receipts.forget(as(ben))).toEqual([7]);
    expect(receipts.waiting).toBe(0);
    expect(receipts.confirmed(as(ben))).toEqual([]);
  });

  it("is nothing for a member whose outbox did not take the message: the frame before it is another one", () => {
    const receipts = new Receipts();
    const [ben, cid] = [{ ...session(), fellBehind: true }, session()];
    ben.link.sent = ben.link.confirmed = 5;
    cid.link.sent = 6;
    receipts.expect(7, [as(ben), as(cid)]);
    expect(receipts.confirmed(as(ben))).toEqual([]);
    expect(receipts.waiting).toBe(1);
  });
});
