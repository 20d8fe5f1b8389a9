import { expect, it } from "vitest";
import { RECORD } from "../../src/protocol/base/limits.ts";
import type { Bytes } from "../../src/protocol/base/bytes.ts";
import { texts, World } from "../support/wire.ts";
import { alive, eyes } from "./support/eyes.ts";

/** The real limit is a million records; the way there is the same. */
const rekey = { ...RECORD, rekeyAfterRecords: 10 };

it("(P12) [R5] a counter forces new keys during a conversation, and nothing is lost at the seams", () => {
  const seen = eyes();
  const world = new World({ rekey }, seen.primitives);
  const guest = world.pair();
  const said: string[] = [];
  for (let turn = 0; turn < 40; turn += 1) {
    said.push(`host ${turn}`, `guest ${turn}`);
    world.room.say({ text: `host ${turn}` }, world.now);
    guest.member.say({ text: `guest ${turn}` }, world.now);
    world.advance(100);
  }
  expect(texts(guest.entries)).toEqual(said);
  expect(texts(world.hostEntries)).toEqual(said);
  expect(seen.derived.filter(({ label }) => label === "rekey").length).toBeGreaterThan(4 * 4);
  expect(alive(seen, "control secretbox")).toHaveLength(4);
});

it("(P12) (A4) [K6] a record of an old epoch opens nothing in a new one", () => {
  for (const age of [1, 5, 11, 12, 23]) {
    const world = new World({ rekey });
    const guest = world.pair();
    for (let turn = 0; turn < 15; turn += 1) world.room.say({ text: `host ${turn}` }, world.now);
    world.settle();
    const old: Bytes = guest.wire.toGuest.at(-age) ?? new Uint8Array(0);
    guest.tamperToGuest = () => [old];
    world.room.say({ text: "fresh" }, world.now);
    world.settle();
    const alarms = guest.effects.flatMap((effect) => (effect.type === "alarm" ? [effect.error.code] : []));
    expect(alarms).toEqual(["integrity-failed"]);
  }
});
