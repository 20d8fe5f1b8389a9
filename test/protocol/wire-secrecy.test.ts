import { describe, expect, it } from "vitest";
import { toHex } from "../../src/protocol/base/bytes.ts";
import { RECORD_BUCKETS } from "../../src/protocol/base/limits.ts";
import { World, type Guest } from "../support/wire.ts";

/** Things said in a session, each long and odd enough that no sealed byte string has it by chance. */
const WORDS = {
  goal: "Galapagos goal: ship «v2» of the invoice schema",
  host: "Anastasia-the-host",
  guest: "Benedikt O'Guest",
  hostText: 'host says: the column is called betrag_netto\n\tand "quoted"',
  guestText: "guest says: naïve façade 你好 🐙 / path\\to\\file",
};

/** How a text could show on the wire without being sealed. */
function forms(text: string): Buffer[] {
  const raw = Buffer.from(text, "utf8");
  const json = JSON.stringify(text).slice(1, -1);
  const escaped = json.replaceAll(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  // base64 of a text inside a longer one depends on where it begins, so all three places are tried, without the ends.
  const base64 = [0, 1, 2].flatMap((shift) => {
    const whole = Buffer.concat([Buffer.alloc(shift), raw]);
    return [whole.toString("base64").slice(4, -4), whole.toString("base64url").slice(4, -4)];
  });
  const texts = [
    json,
    escaped,
    encodeURIComponent(text),
    raw.toString("hex"),
    raw.toString("hex").toUpperCase(),
    ...base64,
  ];
  return [raw, Buffer.from(text, "utf16le"), ...texts.map((form) => Buffer.from(form, "utf8"))];
}

const bytesOf = (guest: Guest): Buffer => Buffer.concat([...guest.wire.toHost, ...guest.wire.toGuest]);

function session(): { world: World; guests: Guest[] } {
  const world = new World({ goal: WORDS.goal, hostName: WORDS.host });
  const guests = [world.pair(WORDS.guest), world.pair("second")];
  const [guest] = guests;
  for (let turn = 0; turn < 3; turn += 1) {
    world.room.say({ text: WORDS.hostText, intent: "request" }, world.now);
    guest?.member.say({ text: WORDS.guestText, replyTo: 1 }, world.now);
    world.settle();
    if (guest !== undefined) world.cut(guest);
    world.advance(20_000);
    guest?.member.touch(world.room.lastSeq, world.now);
    world.advance(1000);
  }
  world.room.end("closed", world.now);
  world.settle();
  return { world, guests };
}

describe("the wire", () => {
  it("[R1] [H11] shows neither goal nor names nor text in any form, over handshakes, resumes and the end", () => {
    const { guests } = session();
    const wire = Buffer.concat(guests.map(bytesOf));
    expect(wire.length).toBeGreaterThan(20_000);
    for (const word of Object.values(WORDS))
      for (const form of forms(word)) {
        expect(form.length).toBeGreaterThan(8);
        expect(wire.includes(form)).toBe(false);
      }
    // The search itself finds what is there.
    const planted = Buffer.concat([wire, Buffer.from(JSON.stringify({ goal: WORDS.guestText }))]);
    expect(forms(WORDS.guestText).some((form) => planted.includes(form))).toBe(true);
  });

  it("[R1] shows no field name of a frame, and none of the members' signing keys", () => {
    const { world, guests } = session();
    const wire = Buffer.concat(guests.map(bytesOf));
    for (const field of ['"goal"', '"members"', '"joined"', '"chain"', '"event"', "idle-warning"])
      expect(wire.includes(field)).toBe(false);
    const keys = guests.flatMap((guest) => guest.member.membership?.order.members ?? []);
    expect(keys.length).toBeGreaterThan(2);
    for (const { key, id } of keys) {
      expect(wire.includes(Buffer.from(key))).toBe(false);
      expect(wire.includes(Buffer.from(key).toString("base64url"))).toBe(false);
      expect(wire.includes(toHex(key))).toBe(false);
      expect(wire.includes(id)).toBe(false);
    }
    expect(wire.includes(world.room.id)).toBe(false);
  });

  it("[R3] every message is one of five handshake sizes or a whole bucket, whatever was said", () => {
    const world = new World();
    const guest = world.pair();
    for (let length = 1; length < 20_000; length = Math.ceil(length * 1.7)) {
      world.room.say({ text: "x".repeat(length) }, world.now);
      guest.member.say({ text: "y".repeat(length + 1) }, world.now);
      world.advance(30_000);
    }
    const sizes = new Set([...guest.wire.toHost, ...guest.wire.toGuest].map((message) => message.length));
    const allowed = new Set<number>([50, 146, 54, ...RECORD_BUCKETS]);
    expect([...sizes].filter((size) => !allowed.has(size))).toEqual([]);
    expect(sizes.size).toBeGreaterThan(5);
  });

  it("[W1] every message begins with its kind and nothing else is in clear but the handshake's own fields", () => {
    const { guests } = session();
    const kinds = new Set(
      guests.flatMap((guest) => [...guest.wire.toHost, ...guest.wire.toGuest].map((one) => one[0])),
    );
    expect(kinds).toEqual(new Set([1, 2, 3, 16]));
    const records = guests.flatMap((guest) => guest.wire.toGuest.filter((one) => one[0] === 16).map(toHex));
    expect(new Set(records).size).toBe(records.length);
  });
});
