import { describe, expect, it } from "vitest";
import { RateLimiter } from "../../../src/protocol/pressure/rate-limiter.ts";
import { LINK, RATE, RECORD } from "../../../src/protocol/base/limits.ts";
import { FRAME } from "../../../src/protocol/record/record.ts";
import { cheapPrimitives } from "../../simulation/primitives.ts";
import { Impostor } from "../../support/impostor.ts";
import { codeOf } from "../../support/thrown.ts";
import { texts, World } from "../../support/wire.ts";

const KIB = 1_024;

describe("what a member may send", () => {
  it("[E1] a burst costs nothing, and every frame after it waits for its turn", () => {
    const rateLimiter = new RateLimiter(0);
    for (let count = 0; count < RATE.framesBurst; count += 1)
      expect(rateLimiter.spend({ frames: 1 }, 0)).toBe(0);
    expect(rateLimiter.spend({ frames: 1 }, 0)).toBe(2);
    for (let count = 0; count < 499; count += 1) rateLimiter.spend({ frames: 1 }, 0);
    expect(rateLimiter.spend({ frames: 1 }, 1_000)).toBe(2);
  });

  it("[E1] bytes count as well, whatever they are cut into", () => {
    const rateLimiter = new RateLimiter(0);
    let waits = 0;
    for (let count = 0; count < RATE.bytesBurst / RECORD.maxFrameBytes; count += 1)
      waits += rateLimiter.spend({ frames: 1, bytes: RECORD.maxFrameBytes }, 0);
    expect(waits).toBe(0);
    expect(rateLimiter.spend({ frames: 1, bytes: KIB }, 0)).toBe(1);
    expect(rateLimiter.spend({ frames: 1, bytes: RATE.bytesPerSecond }, 1)).toBe(1_000);
  });

  it("[E1] what is not used is kept up to the burst and no further", () => {
    const rateLimiter = new RateLimiter(0);
    expect(rateLimiter.spend({ frames: 1 }, 3_600_000)).toBe(0);
    for (let count = 1; count < RATE.framesBurst; count += 1) rateLimiter.spend({ frames: 1 }, 3_600_000);
    expect(rateLimiter.spend({ frames: 1 }, 3_600_000)).toBeGreaterThan(0);
  });

  it("a clock that goes back gives nothing and takes nothing", () => {
    const rateLimiter = new RateLimiter(10_000);
    expect(rateLimiter.spend({ frames: 1 }, 0)).toBe(0);
    expect(rateLimiter.spend({ frames: 1 }, 10_000)).toBe(0);
  });

  it("[E1] a member that floods the host is not read from for a while; the others are, and a new connection earns it nothing", () => {
    const world = new World();
    const guest = world.pair();
    const flooder = new Impostor(world, world.link());
    flooder.enter();
    const pauses = (): number => world.did("pause").length;
    for (let count = 0; count <= RATE.framesBurst; count += 1) flooder.put(FRAME.ping, new Uint8Array(0));
    world.settle();
    expect(world.did("pause").at(-1)).toMatchObject({ connection: flooder.connection });
    const before = pauses();
    guest.member.say({ text: "still here" }, world.now);
    world.settle();
    expect(texts(world.hostEntries)).toEqual(["still here"]);
    expect(pauses()).toBe(before);
    flooder.enter();
    flooder.put(FRAME.ping, new Uint8Array(0));
    world.settle();
    expect(pauses()).toBeGreaterThan(before);
  });

  it("[E1] 5,000 messages of a member at once are all read without a pause, and each gets its place", () => {
    const world = new World({}, cheapPrimitives(1));
    const ben = world.pair("ben");
    for (let at = 0; at < 5_000; at += 1) ben.member.say({ text: `${at}` }, world.now);
    world.settle();
    world.advance(LINK.ackDelayMs);
    expect(world.did("pause")).toEqual([]);
    const placed = ben.effects.filter(({ type }) => type === "placed");
    // After the arrival of ben, which has the first place.
    expect(placed).toEqual(
      Array.from({ length: 5_000 }, (_, at) => ({ type: "placed", n: at + 1, seq: at + 2 })),
    );
    expect(texts(world.hostEntries)).toEqual(placed.map((_, at) => `${at}`));
    expect(ben.member.unplaced).toBe(0);
  });

  it("[E1] WebSocket pings and pongs have the price of a frame", () => {
    const world = new World();
    const guest = world.pair();
    const connection = guest.connection ?? 0;
    for (let count = 0; count <= RATE.framesBurst; count += 1)
      world.room.handle({ type: "control", connection }, world.now);
    world.settle();
    expect(world.did("pause").at(-1)).toMatchObject({ connection });
    // A stranger has no budget: its bytes are counted before anything is read from them (A1).
    world.room.handle({ type: "control", connection: 999 }, world.now);
  });

  it("[E3] a member that talks faster than another one hears is slowed down, and nobody loses a seat", () => {
    const world = new World();
    const [ben, cid] = [world.pair("ben"), world.pair("cid")];
    world.settle();
    // Ben hears nothing for the moment, and has not gone either: his acknowledgements are under way.
    ben.tamperToHost = () => [];
    const text = "x".repeat(60_000);
    for (let count = 0; count < 80; count += 1) {
      cid.member.say({ text }, world.now);
      world.advance(40);
    }
    const waits = world.did("pause").filter(({ connection }) => connection === cid.connection);
    // At first as long as is usual, then as long as it takes at his pace.
    expect(waits.some(({ ms }) => ms === RATE.heldFirstMs)).toBe(true);
    expect(waits.some(({ ms }) => ms === RATE.maxPauseMs)).toBe(true);
    expect(world.did("pause").some(({ connection }) => connection === ben.connection)).toBe(false);
    // The host itself is told, while somebody who is there cannot take it.
    const refusals = Array.from({ length: 120 }, () => codeOf(() => world.room.say({ text }, world.now)));
    expect(refusals.at(0)).toBeUndefined();
    expect(refusals.at(-1)).toBe("outbox-full");
    expect(world.room.presence(world.now).map(({ name }) => name)).toEqual(["ana", "ben", "cid"]);
  });
});
