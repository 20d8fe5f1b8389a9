import { describe, expect, it } from "vitest";
import { decodeOffer } from "../../../src/protocol/files/offer.ts";
import { Streams } from "../../../src/protocol/link/streams.ts";
import { OfferIds } from "../../../src/protocol/room/offers.ts";
import {
  decodeServiceOffer,
  encodeServiceOffer,
  encodeWithdrawal,
  type ServiceOffer,
} from "../../../src/protocol/services/offer.ts";
import { STREAM } from "../../../src/protocol/base/limits.ts";
import { memberIdFromText } from "../../session/support.ts";
import { World } from "../../support/wire.ts";

const [ana, ben] = [memberIdFromText("ana"), memberIdFromText("ben")];
const offer: ServiceOffer = {
  id: new Uint8Array(16).fill(1),
  key: new Uint8Array(32).fill(2),
  service: "http",
  name: "the API",
};

describe("the offer of a service", () => {
  it("[X1] is the same after a journey, with everything in it", () => {
    const whole: ServiceOffer = {
      ...offer,
      port: 3_000,
      readOnly: true,
      lifeMs: 60_000,
      most: 4,
      confirms: true,
      note: "two\nlines",
    };
    expect(decodeServiceOffer(encodeServiceOffer(whole))).toEqual(whole);
    expect(decodeServiceOffer(encodeServiceOffer(offer))).toEqual(offer);
    for (const change of [
      { host: "x" },
      { port: 65_536 },
      { most: 257 },
      { readOnly: false },
      { name: " x" },
      { note: "" },
    ])
      expect(
        decodeServiceOffer(JSON.stringify({ ...JSON.parse(encodeServiceOffer(offer)), ...change })),
      ).toBeUndefined();
  });

  it("[X1] is to a program that knows files alone an offer that it cannot read, and no more", () => {
    expect(decodeOffer(encodeServiceOffer(offer))).toBeUndefined();
    expect(decodeOffer(encodeWithdrawal(offer.id))).toBeUndefined();
  });

  it("[X1] [B1] has an id of its own, whatever has it", () => {
    const ids = new OfferIds();
    expect(ids.read(encodeServiceOffer(offer), ana)?.kind).toBe("service");
    expect(ids.read(encodeServiceOffer(offer), ben)).toBeUndefined();
    expect(ids.read(encodeServiceOffer({ ...offer, name: "other" }), ana)).toBeUndefined();
  });

  it("[X2] is withdrawn by who has made it, and by nobody else", () => {
    const ids = new OfferIds();
    const withdrawal = encodeWithdrawal(offer.id);
    expect(ids.read(withdrawal, ana)).toBeUndefined();
    ids.read(encodeServiceOffer(offer), ana);
    expect(ids.read(withdrawal, ben)).toBeUndefined();
    expect(ids.read(withdrawal, undefined)).toBeUndefined();
    expect(ids.read(withdrawal, ana)).toEqual({ kind: "withdrawal", service: offer.id });
  });

  it("[X1] [X2] comes to the others of a room as what it is, sealed for those who are named", () => {
    const world = new World();
    const [first, second] = [world.pair("ben"), world.pair("cid")];
    world.room.say({ text: encodeServiceOffer(offer), what: "file", to: [first.member.self] }, world.now);
    world.settle();
    expect(first.entries.at(-1)).toMatchObject({ kind: "service", offer: { name: "the API" }, to: ["ben"] });
    expect(second.entries.at(-1)?.kind).toBe("system");
    second.member.say({ text: encodeWithdrawal(offer.id), what: "file" }, world.now);
    world.settle();
    expect(world.hostEntries.at(-1)).toMatchObject({ kind: "service", own: true });
    world.room.say({ text: encodeWithdrawal(offer.id), what: "file" }, world.now);
    world.settle();
    expect(first.entries.at(-1)).toMatchObject({ kind: "withdrawal" });
  });
});

describe("streams of connections", () => {
  it("[S6] have places of their own, and leave the others theirs", () => {
    const member = new Streams("member");
    for (let turn = 0; turn < STREAM.maxPortsOpened; turn += 1) {
      expect(member.mayOpen("port")).toBe(true);
      member.open(1, "port");
    }
    expect([member.mayOpen("port"), member.mayOpen("other")]).toEqual([false, true]);
    const host = new Streams("host");
    for (let turn = 0; turn < STREAM.maxOpened; turn += 1) host.asked(2 * turn + 1, 1);
    expect(host.asked(2 * STREAM.maxOpened + 1, 1, "other")).toBe(false);
    expect(host.asked(2 * STREAM.maxOpened + 3, 1, "port")).toBe(true);
  });
});
