import { describe, expect, it } from "vitest";
import { PRE_AUTH } from "../../../src/protocol/base/limits.ts";
import { DENIED } from "../../../src/protocol/handshake/handshake.ts";
import { CLOSE_CODE } from "../../../src/protocol/link/wire.ts";
import { guestDid, World } from "../../support/wire.ts";

const WRONG = new Uint8Array(146).fill(2);

/** Connections that the room hung up on with this code. */
function hungUp(world: World, code: number): number[] {
  world.settle();
  return world.did("close").flatMap((effect) => (effect.code === code ? [effect.connection] : []));
}

describe("door", () => {
  it("[A1] a message over 1 KiB is denied unread, before and after ACCEPT", () => {
    const world = new World();
    const stranger = world.stranger();
    stranger.send(new Uint8Array(PRE_AUTH.maxFrameBytes + 1));
    expect(world.sentTo(stranger.connection).slice(1)).toEqual([DENIED]);
    const guest = world.join(world.link());
    guest.tamperToHost = (message, at) => [at === 1 ? new Uint8Array(4096).fill(0x10) : message];
    world.settle();
    expect(guest.wire.toGuest.at(-1)).toEqual(DENIED);
  });

  it("[A2] serves 8 sockets of one source: a ninth takes the place of its oldest", () => {
    const world = new World();
    const mine = Array.from({ length: 8 }, () => world.stranger("busy").connection);
    const other = world.stranger("other").connection;
    expect(hungUp(world, CLOSE_CODE.late)).toEqual([]);
    const ninth = world.stranger("busy").connection;
    expect(hungUp(world, CLOSE_CODE.late)).toEqual([mine[0]]);
    expect(world.sentTo(ninth)).toHaveLength(1);
    expect(world.sentTo(other)).toHaveLength(1);
  });

  it("[A2] serves 32 sockets in all: one more takes the place of the oldest of whoever holds most", () => {
    const world = new World();
    const crowd = Array.from({ length: 8 }, () => world.stranger("crowd").connection);
    for (let index = 0; index < 24; index += 1) world.stranger(`single ${index}`);
    expect(hungUp(world, CLOSE_CODE.late)).toEqual([]);
    const late = world.stranger("late").connection;
    expect(hungUp(world, CLOSE_CODE.late)).toEqual([crowd[0]]);
    expect(world.sentTo(late)).toHaveLength(1);
  });

  it("[A2] nobody who has proved a key makes room for somebody who has not", () => {
    const world = new World();
    const guests = Array.from({ length: 32 }, (_, index) => {
      const guest = world.join(world.link(), `g${index}`);
      guest.source = `s${index}`;
      // M4 never arrives, so each of them stays at the admission with its proof.
      guest.tamperToHost = (message, at) => (at === 0 ? [message] : []);
      return guest;
    });
    world.settle();
    const late = world.stranger("late").connection;
    expect(hungUp(world, CLOSE_CODE.denied)).toEqual([late]);
    expect(world.sentTo(late)).toEqual([]);
    expect(hungUp(world, CLOSE_CODE.late)).toEqual([]);
    expect(guests.every((guest) => guest.wire.toHost.length === 2)).toBe(true);
  });

  it("[A3] after 10 failures a source is turned away, and earns one attempt every 6 seconds", () => {
    const world = new World();
    for (let failure = 0; failure < 10; failure += 1) {
      expect(world.room.admits("guesser", world.now)).toBe(true);
      world.stranger("guesser").send(WRONG);
    }
    expect(world.room.admits("guesser", world.now)).toBe(false);
    expect(world.room.admits("another", world.now)).toBe(true);
    const refused = world.stranger("guesser").connection;
    expect(world.sentTo(refused)).toEqual([]);
    expect(hungUp(world, CLOSE_CODE.denied)).toContain(refused);
    world.advance(5_999);
    expect(world.room.admits("guesser", world.now)).toBe(false);
    world.advance(1);
    expect(world.room.admits("guesser", world.now)).toBe(true);
    world.stranger("guesser").send(WRONG);
    expect(world.room.admits("guesser", world.now)).toBe(false);
    world.advance(60_000);
    for (let failure = 0; failure < 9; failure += 1) world.stranger("guesser").send(WRONG);
    expect(world.room.admits("guesser", world.now)).toBe(true);
  });

  it("[A3] remembers at most 1,024 sources, the longest unused forgotten first", () => {
    const world = new World();
    const fail = (source: string): void => world.stranger(source).send(WRONG);
    for (let count = 0; count < 10; count += 1) fail("first");
    for (let index = 0; index < PRE_AUTH.maxSources - 1; index += 1) fail(`s${index}`);
    expect(world.room.admits("first", world.now)).toBe(false);
    fail("one more");
    expect(world.room.admits("first", world.now)).toBe(true);
  });

  it("[A4] closes a socket that is no member 10 seconds after it opened, however far it came", () => {
    const world = new World();
    const idle = world.stranger();
    const guest = world.join(world.link());
    guest.tamperToHost = (message, at) => (at === 0 ? [message] : []);
    world.settle();
    const half = guest.connection;
    expect(world.room.pendingInvites(world.now)).toMatchObject([{ claimed: true }]);
    world.advance(9_999);
    expect(hungUp(world, CLOSE_CODE.late)).toEqual([]);
    world.advance(1);
    expect(hungUp(world, CLOSE_CODE.late)).toEqual([idle.connection, half]);
    expect(world.room.pendingInvites(world.now)).toMatchObject([{ claimed: false }]);
  });

  it("[A4] a member is not held to that deadline", () => {
    const world = new World();
    const guest = world.pair();
    world.advance(60_000);
    expect(guestDid(guest, "close")).toEqual([]);
    expect(guest.member.connection.name).toBe("connected");
  });
});
