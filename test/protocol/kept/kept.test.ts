import { describe, expect, it } from "vitest";
import type { Entry } from "../../../src/protocol/room/log.ts";
import type { Bounds } from "../../../src/protocol/compaction/bounds.ts";
import { asTunnelError } from "../../../src/errors/tunnel-error.ts";
import { nodePrimitives } from "../../../src/runtime/primitives.ts";
import { cheapPrimitives } from "../../simulation/primitives.ts";
import { Chance } from "../../support/random.ts";
import { Lives, type Life } from "./lives.ts";

/** Texts in the order of the room. */
function said(entries: readonly Entry[]): string[] {
  return entries.flatMap((entry) => (entry.kind === "chat" ? [entry.text] : []));
}

interface Story {
  readonly lives: Lives;
  /** Texts that were taken, each with those who are to have it, its sender included. */
  readonly acknowledged: Map<string, readonly Life[]>;
  readonly tried: Set<string>;
}

/** Members talk; processes of `mortals` die at moments of chance and come back with what they have kept. */
function talk(seed: number, who: "guests" | "host" | "everybody"): Story {
  const chance = new Chance(seed);
  // Every tenth with real keys: the others are about what is kept, and not about cryptography.
  const primitives = seed % 10 === 0 ? nodePrimitives : cheapPrimitives(seed);
  const lives = new Lives(chance, primitives, seed % 2 === 0);
  const guests = ["ben", "cleo"].slice(0, 1 + chance.below(2)).map((name) => lives.join(name));
  lives.heal();
  const acknowledged = new Map<string, readonly Life[]>();
  const tried = new Set<string>();
  const everybody = [lives.host, ...guests];
  const mortals = who === "guests" ? guests : who === "host" ? [lives.host] : everybody;
  for (let act = 0; act < 40; act += 1) {
    const doomed = chance.happens(0.25) ? chance.pick(mortals) : undefined;
    if (doomed !== undefined) doomed.fuse = chance.below(12);
    const kind = chance.below(10);
    if (chance.happens(0.06)) lives.compact(chance.pick(everybody), boundsOf(chance));
    const isAlive = lives.mortal(() => {
      if (kind < 5) {
        const life = chance.pick(everybody);
        const text = `${life.name} ${act}`;
        tried.add(text);
        acknowledged.set(text, say(lives, life, text, everybody, chance));
      } else if (act === 20 || act === 30) lives.join(`late ${act}`);
      else if (kind < 9) for (let steps = chance.below(20); steps > 0; steps -= 1) lives.step();
      else lives.pass(chance.below(2_000));
      return true;
    });
    if (doomed === undefined) continue;
    // It is ended all the same where it has outlived the act: between two acts.
    if (isAlive === undefined || chance.happens(0.5)) lives.revive(doomed);
    doomed.fuse = Number.POSITIVE_INFINITY;
  }
  lives.heal();
  return { lives, acknowledged, tried };
}

/** Of a few entries, or of a few bytes. */
function boundsOf(chance: Chance): Bounds {
  return chance.happens(0.5)
    ? { entries: 1 + chance.below(20), bytes: 1_000_000 }
    : { entries: 1_000, bytes: 1 + chance.below(5_000) };
}

/** To everybody, or to some; gives those who are to have it. */
function say(
  lives: Lives,
  life: Life,
  text: string,
  everybody: readonly Life[],
  chance: Chance,
): readonly Life[] {
  const idOf = (one: Life) => (one === lives.host ? lives.room.self : lives.guestOf(one).self);
  const others = everybody.filter((one) => one !== life);
  const some = chance.happens(0.3) ? others.filter(() => chance.happens(0.5)) : [];
  const outgoing = { text, ...(some.length > 0 ? { to: some.map(idOf) } : {}) };
  if (life === lives.host) life.run(() => lives.room.say(outgoing, lives.now));
  else life.run(() => lives.guestOf(life).say(outgoing, lives.now));
  return [life, ...(some.length > 0 ? some : others)];
}

/** Where everybody else is gone, or its own arrival is among what it has lost, nothing is said. */
function trySaying(lives: Lives, life: Life, text: string): void {
  const { now } = lives;
  try {
    if (life === lives.host) life.run(() => lives.room.say({ text }, now));
    else life.run(() => lives.guestOf(life).say({ text }, now));
  } catch (error) {
    expect(["nobody-joined", "tunnel-closed"]).toContain(asTunnelError(error).code);
  }
}

function expectWhole({ lives, acknowledged, tried }: Story): void {
  expect(lives.ends).toEqual([]);
  expect(lives.alarms).toEqual([]);
  const host = said(lives.host.shown);
  for (const life of [lives.host, ...lives.guests]) {
    const texts = said(life.shown);
    expect(new Set(texts).size).toBe(texts.length);
    for (const text of texts) expect(tried).toContain(text);
    // Whatever two of them have both seen, they have seen in one order.
    expect(texts.filter((text) => host.includes(text))).toEqual(host.filter((text) => texts.includes(text)));
    expect(life.shown.map(({ seq }) => seq)).toEqual(
      life.shown.map(({ seq }) => seq).toSorted((a, b) => a - b),
    );
  }
  for (const [text, readers] of acknowledged)
    for (const { shown } of readers) expect(said(shown)).toContain(text);
}

describe.each(["guests", "host", "everybody"] as const)("a room whose %s die and come back", (who) => {
  it("has everything that was acknowledged, once and in order, without a new link", () => {
    let [deaths, compactions] = [0, 0];
    for (let seed = 1; seed <= 60; seed += 1) {
      try {
        const story = talk(seed, who);
        expectWhole(story);
        deaths += story.lives.deaths;
        compactions += story.lives.compactions;
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
      const chance = new Chance(seed);
      const lives = new Lives(chance, cheapPrimitives(seed));
      const guests = ["ben", "cleo", "dan"].map((name) => lives.join(name));
      lives.heal();
      const everybody = [lives.host, ...guests];
      const isIn = (life: Life) => life === lives.host || lives.guestOf(life).connection.name !== "ended";
      const cut = (life: Life): void => {
        // The stay may have ended by now, and then there is nothing to come back to.
        if (!isIn(life)) return;
        cuts += 1;
        lives.revive(life, "lost");
      };
      for (let act = 0; act < 30; act += 1) {
        const life = chance.pick(everybody.filter(isIn));
        if (chance.happens(0.5)) trySaying(lives, life, `${life.name} ${act}`);
        else for (let steps = chance.below(20); steps > 0; steps -= 1) lives.step();
        if (chance.happens(0.2)) life.log.sync();
        if (chance.happens(0.1)) lives.compact(life, boundsOf(chance));
        if (chance.happens(0.15)) cut(life);
      }
      lives.heal();
      const told = said(lives.host.shown);
      expect(new Set(told).size).toBe(told.length);
      for (const life of guests.filter(isIn)) expect(said(life.shown)).toEqual(told);
      const places = lives.host.shown.map(({ seq }) => seq);
      expect(new Set(places).size).toBe(places.length);
    }
    expect(cuts).toBeGreaterThan(120);
  }, 60_000);
});
