import { describe, expect, it } from "vitest";
import { LINK, ROOM } from "../../../src/protocol/base/limits.ts";
import type { Entry } from "../../../src/protocol/room/log.ts";
import { cheapPrimitives } from "../../simulation/primitives.ts";
import { codeOf } from "../../support/thrown.ts";
import { endOf, texts, World, type Guest } from "../../support/wire.ts";

const kinds = (entries: readonly Entry[]): string[] =>
  entries.map((entry) =>
    entry.kind === "system"
      ? `${entry.event} ${"name" in entry ? entry.name : ""}`
      : entry.kind === "chat"
        ? entry.text
        : "offer" in entry
          ? entry.offer.name
          : entry.kind,
  );

describe("history", () => {
  it("[O9] is given to whoever comes later, whole, in order and marked, and everybody is told of it", () => {
    const world = new World({ history: true });
    const ben = world.pair("ben");
    expect(ben.member.membership?.history).toBe(true);
    world.room.say({ text: "one" }, world.now);
    ben.member.say({ text: "two" }, world.now);
    world.settle();
    ben.member.leave(world.now);
    world.settle();
    const cid = world.pair("cid");
    expect(kinds(cid.entries)).toEqual(["joined ben", "one", "two", "left ben", "joined cid"]);
    expect(cid.entries.map(({ past }) => past === true)).toEqual([true, true, true, true, false]);
    expect(cid.entries.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
    expect(cid.entries).toMatchObject([{}, { fromName: "ana" }, { fromName: "ben" }, {}, {}]);
    cid.member.say({ text: "three", replyTo: 2 }, world.now);
    world.room.say({ text: "four" }, world.now);
    world.settle();
    expect(texts(cid.entries).slice(-2).toSorted()).toEqual(["four", "three"]);
  });

  it("[O8] is not kept unless the host wants it", () => {
    const world = new World();
    const ben = world.pair("ben");
    ben.member.say({ text: "before" }, world.now);
    world.settle();
    const cid = world.pair("cid");
    expect(kinds(cid.entries)).toEqual(["joined cid"]);
    expect(cid.member.membership?.history).toBe(false);
  });

  it("[O9] [O10] holds no word of what was for others", () => {
    const world = new World({ history: true });
    const [ben, eve] = [world.pair("ben"), world.pair("eve")];
    ben.member.say({ text: "for eve", to: [eve.member.self] }, world.now);
    ben.member.say({ text: "for all" }, world.now);
    world.settle();
    const cid = world.pair("cid");
    expect(texts(cid.entries)).toEqual(["for all"]);
    ben.member.say({ text: "later" }, world.now);
    world.settle();
    expect(texts(cid.entries)).toEqual(["for all", "later"]);
    expect(endOf(cid)).toBeUndefined();
  });

  it("[O9] is bounded: the newest that fit, with a roster that belongs to where they begin", () => {
    const world = new World({ history: true }, cheapPrimitives(9));
    const ben = world.pair("ben");
    const count = ROOM.maxHistoryEntries + 50;
    for (let said = 1; said <= count; said += 1) {
      world.room.say({ text: String(said) }, world.now);
      if (said % 500 === 0) world.advance(1_000);
    }
    world.advance(1_000);
    ben.member.leave(world.now);
    world.settle();
    const cid = world.pair("cid");
    const heard = texts(cid.entries);
    expect(heard).toHaveLength(ROOM.maxHistoryEntries - 1);
    expect([heard[0], heard.at(-1)]).toEqual([String(count - heard.length + 1), String(count)]);
    expect(kinds(cid.entries).slice(-2)).toEqual(["left ben", "joined cid"]);
    expect(cid.member.presence(world.now).map(({ name }) => name)).toEqual(["ana", "cid"]);

    const loud = new World({ history: true }, cheapPrimitives(10));
    const guest = loud.pair("ben");
    for (let said = 0; said < 100; said += 1) {
      loud.room.say({ text: `${said} ${"x".repeat(60_000)}` }, loud.now);
      loud.settle();
      loud.advance(100);
    }
    expect(texts(guest.entries)).toHaveLength(100);
    const late = loud.pair("cid");
    loud.advance(1_000);
    const bytes = texts(late.entries).reduce((sum, text) => sum + text.length, 0);
    expect(bytes).toBeGreaterThan(ROOM.maxHistoryBytes * 0.9);
    expect(bytes).toBeLessThanOrEqual(ROOM.maxHistoryBytes);
    expect(texts(late.entries).at(-1)).toMatch(/^99 /);
  });

  it("[O9] arrives once, also when the first connection is cut in the middle of it", () => {
    const world = new World({ history: true });
    const ben = world.pair("ben");
    for (let said = 1; said <= 200; said += 1) ben.member.say({ text: String(said) }, world.now);
    world.settle();
    const cid = world.join(world.link(), "cid");
    cid.tamperToGuest = (message, index) => (index < 40 ? [message] : []);
    world.settle();
    cid.tamperToGuest = (message) => [message];
    world.cut(cid);
    world.advance(60_000);
    expect(texts(cid.entries)).toEqual(Array.from({ length: 200 }, (_, index) => String(index + 1)));
  });

  it("a member has no voice before its own arrival", () => {
    const world = new World({ history: true });
    const ben = world.join(world.link(), "ben");
    ben.tamperToGuest = (message, index) => (index < 3 ? [message] : []);
    world.settle();
    expect(ben.member.membership).toBeDefined();
    expect(codeOf(() => ben.member.say({ text: "too early" }, world.now))).toBe("tunnel-closed");
  });
});

it("whoever comes is shown as there before anybody has been told of presence", () => {
  const world = new World();
  const ben = world.pair("ben");
  world.advance(60_000);
  world.pair("cid");
  const cid = ben.member.presence(world.now).find(({ name }) => name === "cid");
  expect(cid).toMatchObject({ connected: true, lastSeenMs: 0 });
});

it("whoever comes knows at once who is there", () => {
  const world = new World();
  const [ben, cid] = [world.pair("ben"), world.pair("cid")];
  cid.offline = true;
  world.cut(cid);
  world.advance(60_000);
  const eve = world.pair("eve");
  expect(eve.member.presence(world.now).map(({ name, connected }) => [name, connected])).toEqual([
    ["ana", true],
    ["ben", true],
    ["cid", false],
    ["eve", true],
  ]);
  world.advance(10_000);
  world.cut(ben);
  world.advance(5_000);
  expect(ben.member.presence(world.now).filter(({ connected }) => !connected)).toMatchObject([
    { name: "cid" },
  ]);
});

describe("removing a member", () => {
  it("[G9] tells it, voids its secret, frees its seat, and the others see it", () => {
    const world = new World();
    const [ben, cid] = [world.pair("ben"), world.pair("cid")];
    world.room.remove(ben.member.self, world.now);
    world.settle();
    expect(endOf(ben)).toBe("removal");
    expect(kinds(cid.entries).at(-1)).toBe("left ben");
    expect(cid.entries.at(-1)).toMatchObject({ event: "left", cause: "removed" });
    expect(world.room.presence(world.now).map(({ name }) => name)).toEqual(["ana", "cid"]);
    expect(codeOf(() => world.room.remove(ben.member.self, world.now))).toBe("member-unknown");
    expect(codeOf(() => world.room.remove(world.room.self, world.now))).toBe("member-unknown");
    // Its name is free again.
    expect(world.pair("ben").member.membership?.name).toBe("ben");
  });

  it("[G9] [K3] that is away cannot come back, and learns that its seat is gone", () => {
    const world = new World();
    const ben = world.pair("ben");
    ben.offline = true;
    world.cut(ben);
    world.room.remove(ben.member.self, world.now);
    ben.offline = false;
    world.advance(10 * 60_000);
    expect(endOf(ben)).toBe("tunnel-gone");
    expect(world.room.presence(world.now)).toHaveLength(1);
  });

  it("frees a seat in a full room", () => {
    const world = new World({}, cheapPrimitives(64));
    const guests: Guest[] = [];
    for (let count = 1; count < ROOM.maxMembers; count += 1) guests.push(world.pair(`guest ${count}`));
    expect(codeOf(() => world.room.mint(world.now))).toBe("invite-limit");
    const [first] = guests;
    if (first === undefined) throw new Error("an empty room");
    world.room.remove(first.member.self, world.now);
    world.settle();
    expect(world.pair("late").member.connection.name).toBe("connected");
    world.room.say({ text: "all here?" }, world.now);
    world.settle();
    expect(guests.slice(1).every((guest) => texts(guest.entries).includes("all here?"))).toBe(true);
    expect(texts(first.entries)).toEqual([]);
  });
});

describe("a large room", () => {
  it("[G6] is told of presence the more rarely, the more there are to tell and to be told", () => {
    const world = new World();
    const guests = Array.from({ length: 40 }, (_, index) => world.pair(`guest ${index}`));
    world.advance(10_000);
    const sent = (): number => world.did("send").length;
    const before = sent();
    for (let read = 0; read < 20; read += 1) {
      for (const guest of guests) guest.member.touch(read, world.now);
      world.advance(50);
    }
    // 20 looks of 40 members within a second: as many notes each would be 800.
    expect(sent() - before).toBeLessThan(guests.length * 5);
    world.advance(LINK.presenceEveryMs * 41);
    expect(guests[0]?.member.presence(world.now).every(({ read, isHost }) => isHost || read >= 19)).toBe(
      true,
    );
  });
});

describe("after an orderly end, how long ago the others were seen counts from the end", () => {
  const seen = (members: readonly { isSelf: boolean; lastSeenMs: number }[]): number[] =>
    members.filter(({ isSelf }) => !isSelf).map(({ lastSeenMs }) => lastSeenMs);

  it.each<[string, (world: World, guest: Guest) => void]>([
    ["the host ends the room", (world) => world.room.end("closed", world.now)],
    ["nobody does anything", (world) => world.advance(20 * 60_000 + 1)],
    ["the member leaves", (world, guest) => guest.member.leave(world.now)],
  ])("%s", (_what, end) => {
    const world = new World();
    const guest = world.pair();
    world.advance(10 * 60_000);
    end(world, guest);
    world.settle();
    expect(endOf(guest)).toBeDefined();
    const ages = () => [guest.member.presence(world.now), world.room.presence(world.now)].flatMap(seen);
    const atEnd = ages();
    expect(atEnd.length).toBeGreaterThan(0);
    // They had joined ten minutes before, or half an hour.
    for (const age of atEnd) expect(age).toBeLessThanOrEqual(1);
    world.now += 5_000;
    expect(ages()).toEqual(atEnd.map((age) => age + 5_000));
  });
});
