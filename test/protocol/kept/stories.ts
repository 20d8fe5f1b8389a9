import assert from "node:assert/strict";
import { asTunnelError } from "../../../src/errors/tunnel-error.ts";
import type { Bounds } from "../../../src/protocol/compaction/bounds.ts";
import type { Entry } from "../../../src/protocol/room/log.ts";
import { nodePrimitives } from "../../../src/runtime/primitives.ts";
import { cheapPrimitives } from "../../simulation/primitives.ts";
import { Chance } from "../../support/random.ts";
import { Lives, type Life } from "./lives.ts";

/** Texts in the order of the room. */
export function said(entries: readonly Entry[]): string[] {
  return entries.flatMap((entry) => (entry.kind === "chat" ? [entry.text] : []));
}

/** Those whose processes die. */
export const WHO = ["guests", "host", "everybody"] as const;

interface Story {
  readonly lives: Lives;
  /** Texts that were taken, each with those who are to have it, its sender included. */
  readonly acknowledged: Map<string, readonly Life[]>;
  readonly tried: Set<string>;
}

/** Members talk; processes of `mortals` die at moments of chance and come back with what they have kept. */
function talk(seed: number, who: (typeof WHO)[number]): Story {
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
    assert.ok(["nobody-joined", "tunnel-closed"].includes(asTunnelError(error).code));
  }
}

/** A room whose members' processes die and come back: everything that was acknowledged is there, once and in order. */
export function storyOf(seed: number, who: (typeof WHO)[number]): Story {
  const story = talk(seed, who);
  const { lives, acknowledged, tried } = story;
  assert.deepEqual([lives.ends, lives.alarms], [[], []]);
  const host = said(lives.host.shown);
  for (const life of [lives.host, ...lives.guests]) {
    const texts = said(life.shown);
    assert.equal(new Set(texts).size, texts.length);
    for (const text of texts) assert.ok(tried.has(text));
    // Whatever two of them have both seen, they have seen in one order.
    assert.deepEqual(
      texts.filter((text) => host.includes(text)),
      host.filter((text) => texts.includes(text)),
    );
    const places = life.shown.map(({ seq }) => seq);
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    );
  }
  for (const [text, readers] of acknowledged)
    for (const { shown } of readers) assert.ok(said(shown).includes(text), text);
  return story;
}

/** A room of four whose machines lose their power: those who are still in it have all been shown the same; the number of cuts. */
export function powerStory(seed: number): number {
  const chance = new Chance(seed);
  const lives = new Lives(chance, cheapPrimitives(seed));
  const guests = ["ben", "cleo", "dan"].map((name) => lives.join(name));
  lives.heal();
  const everybody = [lives.host, ...guests];
  const isIn = (life: Life) => life === lives.host || lives.guestOf(life).connection.name !== "ended";
  let cuts = 0;
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
    if (chance.happens(0.1) && isIn(life)) lives.compact(life, boundsOf(chance));
    if (chance.happens(0.15)) cut(life);
  }
  lives.heal();
  const told = said(lives.host.shown);
  assert.equal(new Set(told).size, told.length);
  for (const life of guests.filter(isIn)) assert.deepEqual(said(life.shown), told);
  const places = lives.host.shown.map(({ seq }) => seq);
  assert.equal(new Set(places).size, places.length);
  return cuts;
}
