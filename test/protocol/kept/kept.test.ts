import { describe, expect, it } from "vitest";
import { must } from "../../../src/errors/must.ts";
import { encodeOffer } from "../../../src/protocol/files/offer.ts";
import type { Room } from "../../../src/protocol/host/room.ts";
import { encodeProposal } from "../../../src/protocol/sign-off/statement.ts";
import { cheapPrimitives } from "../../simulation/primitives.ts";
import { Chance } from "../../support/random.ts";
import { Lives, type Life } from "./lives.ts";
import { powerStory, said, storyOf, WHO } from "./stories.ts";

describe.each(WHO)("a room whose %s die and come back", (who) => {
  it("has everything that was acknowledged, once and in order, without a new link", () => {
    let [deaths, compactions] = [0, 0];
    for (let seed = 1; seed <= 60; seed += 1) {
      try {
        const { lives } = storyOf(seed, who);
        deaths += lives.deaths;
        compactions += lives.compactions;
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
    expect(deaths).toBeGreaterThan(120);
    expect(compactions).toBeGreaterThan(50);
  }, 60_000);
});

describe("a member whose machine lost its power", () => {
  it("goes on where the others have heard nothing that it has forgotten, under numbers that were never used", () => {
    const chance = new Chance(1);
    const lives = new Lives(chance);
    const ben = lives.join("ben");
    lives.heal();
    ben.log.sync();
    // Said, and lost on the wire as well as on the disk.
    ben.run(() => lives.guestOf(ben).say({ text: "lost" }, lives.now));
    const used = ben.log.reserved.said;
    ben.log.synced = ben.log.changes.length - 1;
    lives.revive(ben, "lost");
    const n = ben.run(() => lives.guestOf(ben).say({ text: "found" }, lives.now));
    expect(n).toBe(used + 1);
    lives.heal();
    expect(said(lives.host.shown)).toEqual(["found"]);
    expect(said(ben.shown)).toEqual(["found"]);
    expect(lives.ends).toEqual([]);
  });

  it("ends its stay where the host has more of it than it remembers", () => {
    const chance = new Chance(1);
    const lives = new Lives(chance);
    const ben = lives.join("ben");
    lives.heal();
    ben.log.sync();
    const { synced } = ben.log;
    ben.run(() => lives.guestOf(ben).say({ text: "heard" }, lives.now));
    lives.reachHost();
    ben.log.synced = synced;
    lives.revive(ben, "lost");
    for (let turns = 0; turns < 100 && lives.ends.length === 0; turns += 1) {
      lives.settle();
      lives.pass(100);
    }
    expect(lives.ends.join()).toContain("stay-outdated");
    expect(said(lives.host.shown)).toEqual(["heard"]);
  });
});

describe("a host whose machine lost its power", () => {
  function two(seed = 1): { lives: Lives; ben: Life; cleo: Life } {
    const lives = new Lives(new Chance(seed));
    const [ben, cleo] = [lives.join("ben"), lives.join("cleo")];
    lives.heal();
    lives.host.log.sync();
    return { lives, ben, cleo };
  }

  const returns = ({ shown }: Life): number[] =>
    shown.flatMap((entry) => (entry.kind === "system" && entry.event === "returned" ? [entry.seq] : []));

  it("[O12] goes on above every place that it may have given, and all are told", () => {
    const { lives, ben, cleo } = two();
    const { placed } = lives.host.log.reserved;
    // Said, and lost on the wire as well as on the disk.
    lives.host.run(() => lives.room.say({ text: "lost" }, lives.now));
    lives.revive(lives.host, "lost");
    const seq = lives.host.run(() => lives.room.say({ text: "found" }, lives.now));
    expect(seq).toBe(placed + 2);
    lives.heal();
    for (const life of [lives.host, ben, cleo]) {
      expect(returns(life)).toEqual([placed + 1]);
      expect(said(life.shown)).toEqual(["found"]);
    }
    expect([lives.ends, lives.alarms]).toEqual([[], []]);
  });

  it("[O12] skips no place after a mere end of its process", () => {
    const { lives, ben } = two();
    lives.host.run(() => lives.room.say({ text: "kept" }, lives.now));
    const { lastSeq } = lives.room;
    lives.revive(lives.host);
    lives.heal();
    expect(returns(ben)).toEqual([lastSeq + 1]);
    expect(said(ben.shown)).toEqual(["kept"]);
  });

  it("[O12] loses those alone who have heard what it has forgotten, however much it has said since", () => {
    const { lives, ben, cleo } = two();
    const { synced } = lives.host.log;
    lives.host.run(() => lives.room.say({ text: "heard" }, lives.now));
    lives.reachGuest(ben);
    expect([said(ben.shown), said(cleo.shown)]).toEqual([["heard"], []]);
    lives.host.log.synced = synced;
    lives.revive(lives.host, "lost");
    // By then it has sent more frames than that member has.
    for (const text of ["one", "two"]) lives.host.run(() => lives.room.say({ text }, lives.now));
    lives.heal();
    expect(lives.ends).toEqual(["ben: stay-outdated"]);
    expect(lives.alarms.filter((alarm) => alarm.startsWith("ana"))).toHaveLength(1);
    expect(said(cleo.shown)).toEqual(["one", "two"]);
    expect(lives.guestOf(cleo).connection.name).toBe("connected");
  });

  it("lets somebody in whose arrival it has forgotten, and not their seat", () => {
    const { lives, ben } = two();
    const before = lives.host.log.changes.length;
    const dan = lives.dial("dan");
    while (lives.host.log.changes.length < before + 3) lives.step();
    // The invite, the seat, and then the arrival.
    lives.host.log.synced = before + 2;
    lives.revive(lives.host, "lost");
    lives.heal();
    expect(lives.ends).toEqual([]);
    expect(lives.guestOf(dan).connection.name).toBe("connected");
    lives.host.run(() => lives.room.say({ text: "welcome" }, lives.now));
    lives.heal();
    expect([said(dan.shown), said(ben.shown)]).toEqual([["welcome"], ["welcome"]]);
    expect(dan.shown.map((entry) => (entry.kind === "system" ? entry.event : entry.kind))).toEqual([
      "joined",
      "chat",
    ]);
    // Once more from what it has kept since.
    lives.revive(lives.host);
    lives.heal();
    expect([lives.ends, lives.alarms]).toEqual([[], []]);
  });

  it("shows one room to all who are still in it, whenever and whoever the power leaves", () => {
    let cuts = 0;
    for (let seed = 1; seed <= 60; seed += 1) {
      try {
        cuts += powerStory(seed);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
    expect(cuts).toBeGreaterThan(120);
  }, 60_000);
});

describe("a journal that is written anew", () => {
  const bounds = { entries: 3, bytes: 1_000_000 };

  it("has the offers, the proposal and the seats of before, and judges what comes by them", () => {
    const lives = new Lives(new Chance(1));
    const [ben, cleo] = [lives.join("ben"), lives.join("cleo")];
    lives.heal();
    const say = (life: Life, outgoing: Parameters<Room["say"]>[0]): void => {
      if (life === lives.host) life.run(() => lives.room.say(outgoing, lives.now));
      else life.run(() => lives.guestOf(life).say(outgoing, lives.now));
      lives.heal();
    };
    const offer = encodeOffer({
      id: new Uint8Array(16).fill(7),
      key: new Uint8Array(32),
      name: "notes.txt",
      size: 5,
      hash: new Uint8Array(32),
    });
    say(ben, { text: offer, what: "file" });
    say(lives.host, { text: encodeProposal("ship it"), what: "file" });
    const { digest } = must(lives.room.signOff, "a proposal");
    const everybody = [lives.host, ben, cleo];
    // No message stands behind the proposal, so that it is open, and others push it out of what is kept one by one.
    lives.revive(lives.host);
    lives.heal();
    for (const life of everybody) lives.compact(life, { entries: 1, bytes: 1_000_000 });
    for (const life of everybody) lives.revive(life);
    lives.heal();
    expect(lives.room.signOff).toMatchObject({ state: "open", digest });
    expect(lives.guestOf(cleo).signOff).toMatchObject({ state: "open", digest });
    say(cleo, { text: "wait" });
    for (let turn = 0; turn < 5; turn += 1) say(lives.host, { text: `more ${turn}` });
    for (const life of everybody) lives.compact(life, bounds);
    for (const life of everybody) lives.revive(life);
    lives.heal();
    for (const one of [lives.room, lives.guestOf(ben), lives.guestOf(cleo)])
      expect(one.signOff).toMatchObject({ state: "stale", messagesSince: 6 });
    // The id of an offer is its sender's, although the offer is kept no longer.
    expect(ben.log.changes.some((change) => Buffer.from(change).includes("notes.txt"))).toBe(false);
    say(cleo, { text: offer, what: "file" });
    const files = (life: Life) => life.shown.filter(({ kind }) => kind === "file").length;
    expect([files(lives.host), files(ben), files(cleo)]).toEqual([1, 1, 1 + 1]);
    expect(lives.alarms.every((alarm) => alarm.includes("offer-unreadable"))).toBe(true);
  });

  it("stays as short as its log, however long the room goes on and whoever is away for how long", () => {
    const lives = new Lives(new Chance(1), cheapPrimitives(1));
    const ben = lives.join("ben");
    lives.heal();
    const lengths: number[] = [];
    for (let round = 0; round < 10; round += 1) {
      for (let turn = 0; turn < 20; turn += 1) {
        lives.host.run(() => lives.room.say({ text: `${round} ${turn}` }, lives.now));
        lives.host.run(() => lives.room.setAddresses([`ws://127.0.0.1:${round * 20 + turn + 1}`], lives.now));
      }
      lives.heal();
      // What a member has not confirmed stays, whatever the bounds.
      if (round === 5)
        for (let turn = 0; turn < 30; turn += 1)
          lives.host.run(() => lives.room.say({ text: `away ${turn}` }, lives.now));
      lives.compact(lives.host, bounds);
      lives.compact(ben, bounds);
      lives.revive(lives.host);
      lives.heal();
      lengths.push(lives.host.log.changes.length);
    }
    expect(lengths[5]).toBeGreaterThan(30);
    expect(Math.max(...lengths.toSpliced(5, 1))).toBeLessThan(100);
    expect(said(ben.shown)).toHaveLength(230);
    expect([lives.ends, lives.alarms]).toEqual([[], []]);
  });
});
