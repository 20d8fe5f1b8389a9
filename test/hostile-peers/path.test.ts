import { describe, expect, it } from "vitest";
import { toHex, type Bytes } from "../../src/protocol/base/bytes.ts";
import { RECORD_BUCKETS } from "../../src/protocol/base/limits.ts";
import { ATTACKS, Conversation, mount, silenceFrom, swap, type Way } from "./support/path.ts";
import { endOf, flipBit, guestDid, texts, World, type Guest } from "../support/wire.ts";

const WAYS: readonly Way[] = ["toHost", "toGuest"];
/** M2 and M4; M1, M3 and M5. */
const HANDSHAKE = { toHost: 2, toGuest: 3 } as const;
/** Behind the last position there must be something that shows the damage. */
const TAIL = 3;

/** How many messages cross each way when nobody interferes. */
const POSITIONS = crossings();

function crossings(): Readonly<Record<Way, number>> {
  const honest = new Conversation(() => undefined);
  honest.talk();
  expect(honest.alarms).toEqual([]);
  const { toHost, toGuest } = honest.guest.wire;
  return { toHost: toHost.length, toGuest: toGuest.length };
}

function expectExactPrefix(heard: readonly string[], said: readonly string[]): void {
  expect(heard).toEqual(said.slice(0, heard.length));
}

/** Whatever was done: nothing false was heard, and nothing is missing or doubled once the path lets go. */
function expectPrefixThenWhole(talk: Conversation): void {
  expectExactPrefix(talk.heardByGuest, talk.said.host);
  expectExactPrefix(talk.heardByHost, talk.said.guest);
  talk.world.advance(20_000);
  expect(talk.guest.member.connection.name).toBe("connected");
  expect(talk.heardByGuest).toEqual(talk.said.host);
  expect(talk.heardByHost).toEqual(talk.said.guest);
}

/** A stop before membership: nobody has heard anything of the guest, and the guest nothing of the room. */
function expectNothingLeaked(talk: Conversation): void {
  if (talk.guest.member.membership !== undefined) return expectPrefixThenWhole(talk);
  expect(talk.guest.entries).toEqual([]);
  expect(talk.heardByHost).toEqual([]);
  expect(["invite-refused", "host-not-authentic", "not-a-tunnel", "protocol-violation", undefined]).toContain(
    endOf(talk.guest),
  );
}

describe("somebody on the path", () => {
  it.each(WAYS.flatMap((way) => ATTACKS.map((attack) => [attack.name, way, attack] as const)))(
    "(P4) (A4) (A5) (A7) (A9) (A24) (P6) [R4] who %s any one record %s is noticed, and what was heard is an exact prefix",
    (_name, way, attack) => {
      const end = POSITIONS[way] - TAIL;
      expect(end).toBeGreaterThan(HANDSHAKE[way] + 3);
      for (let position = HANDSHAKE[way]; position < end; position += 1) {
        const talk = new Conversation(mount(attack, way, position));
        talk.talk();
        expect({ position, alarms: talk.alarms }).toEqual({ position, alarms: ["integrity-failed"] });
        expectPrefixThenWhole(talk);
      }
    },
  );

  it.each(WAYS)("(P4) (A9) [R4] who swaps any two neighbouring records %s is noticed", (way) => {
    const end = POSITIONS[way] - TAIL;
    for (let position = HANDSHAKE[way]; position < end; position += 1) {
      const talk = new Conversation(swap(way, position));
      talk.talk();
      expect({ position, alarms: talk.alarms }).toEqual({ position, alarms: ["integrity-failed"] });
      expectPrefixThenWhole(talk);
    }
  });

  it.each(WAYS.flatMap((way) => ATTACKS.map((attack) => [attack.name, way, attack] as const)))(
    "(P4) (P8) (A2) who %s any one message of the handshake %s gains nothing",
    (_name, way, attack) => {
      for (let position = 0; position < HANDSHAKE[way]; position += 1) {
        const talk = new Conversation(mount(attack, way, position));
        talk.talk(1);
        expectNothingLeaked(talk);
      }
    },
  );

  it("(A2) (P8) cannot downgrade or rename anybody: version, room and every clear field are under the tag", () => {
    for (const [way, position, byte] of [
      ["toGuest", 0, 1],
      ["toGuest", 0, 2],
      ["toGuest", 0, 20],
      ["toHost", 0, 1],
      ["toHost", 0, 17],
      ["toHost", 0, 60],
      ["toHost", 0, 130],
      ["toGuest", 1, 1],
      ["toGuest", 1, 40],
    ] as const) {
      for (let bit = 0; bit < 8; bit += 1) {
        const world = new World();
        const guest = world.join(world.link());
        const change = (message: Bytes, at: number): Bytes[] =>
          at === position ? [flipBit(message, byte * 8 + bit)] : [message];
        if (way === "toHost") guest.tamperToHost = change;
        else guest.tamperToGuest = change;
        world.settle();
        expect(guest.member.membership).toBeUndefined();
        expect(world.hostEntries).toEqual([]);
        expect(endOf(guest)).toBeDefined();
      }
    }
  });

  it("(P5) (A9) who cuts the end off is not taken for a host that has closed the room", () => {
    for (let kept = 0; kept < 3; kept += 1) {
      const world = new World();
      const guest = world.pair();
      let left = kept;
      guest.tamperToGuest = (message) => ((left -= 1) >= 0 ? [message] : []);
      world.room.say({ text: "one" }, world.now);
      world.room.end("closed", world.now);
      world.settle();
      world.cut(guest);
      const sawEnd = guest.entries.some((entry) => entry.kind === "system" && entry.event === "ended");
      expect(sawEnd).toBe(kept === 2);
      expect(guest.member.connection.name).toBe(sawEnd ? "ended" : "waiting");
    }
  });

  it("(P5) who swallows what went before an agreed end is given away by its count", () => {
    const world = new World();
    const guest = world.pair();
    const before = guest.wire.toHost.length;
    guest.member.say({ text: "last words" }, world.now);
    guest.tamperToHost = (message) => (guest.wire.toHost.length === before + 1 ? [] : [message]);
    guest.member.leave(world.now);
    world.settle();
    expect(world.did("alarm").map(({ error }) => error.code)).toEqual(["integrity-failed"]);
    expect(world.hostEntries.some((entry) => entry.kind === "system" && entry.event === "left")).toBe(false);
  });

  it("(A24) whose damage is never shown as somebody's words", () => {
    const talk = new Conversation((guest) => {
      guest.tamperToGuest = (message, at) => (at === 5 ? [flipBit(message, 900)] : [message]);
    });
    talk.talk();
    const shown = [...talk.guest.entries, ...talk.world.hostEntries].map((entry) =>
      "event" in entry
        ? entry.event
        : entry.kind === "chat"
          ? entry.text
          : "offer" in entry
            ? entry.offer.name
            : entry.kind,
    );
    expect(shown.filter((text) => !/^(?:host \d|guest \d|before|joined)$/.test(text))).toEqual([]);
    expect(talk.alarms).toEqual(["integrity-failed"]);
  });

  it.each(WAYS)(
    "(P11) (A18) (A19) who cuts the connection behind any message %s loses nobody anything, seat and invite included",
    (way) => {
      const ids = new Set<string>();
      for (let kept = 0; kept < POSITIONS[way]; kept += 1) {
        const talk = new Conversation((guest) => {
          guest.tamperToHost = silenceFrom(way === "toHost" ? kept : 99);
          guest.tamperToGuest = silenceFrom(way === "toGuest" ? kept : 99);
        });
        talk.talk(2);
        talk.guest.tamperToHost = (message) => [message];
        talk.guest.tamperToGuest = (message) => [message];
        talk.world.cut(talk.guest);
        talk.world.advance(20_000);
        talk.talk(2);
        expectPrefixThenWhole(talk);
        expect(guestDid(talk.guest, "joined")).toHaveLength(1);
        expectFreshKeys(talk.guest);
        ids.add(toHex(talk.guest.wire.toHost.at(-1) ?? new Uint8Array(0)));
      }
      expect(ids.size).toBe(POSITIONS[way]);
    },
  );

  it("(A19) (P11) who replays the M2 of a resume, or of the invite, is denied every time", () => {
    const world = new World();
    const guest = world.pair();
    for (let turn = 0; turn < 5; turn += 1) {
      world.cut(guest);
      world.advance(20_000);
      const proofs = guest.wire.toHost.filter((message) => message[0] === 2);
      for (const [index, proof] of proofs.entries()) {
        const thief = world.stranger(`${turn} ${index}`);
        thief.send(proof);
        expect(world.sentTo(thief.connection).slice(1)).toEqual([Uint8Array.of(4)]);
      }
    }
    expect(guest.member.connection.name).toBe("connected");
  });

  it("(P14) finds no goal, name, id, key or text in any byte of a session", () => {
    const secret = "Zanzibar-Quokka-1979";
    const world = new World({ goal: `goal ${secret}`, hostName: `host ${secret}` });
    const guests = [world.pair(`guest ${secret}`), world.pair("cid")];
    const [guest] = guests;
    world.room.say({ text: `host says ${secret}` }, world.now);
    guest?.member.say({ text: `guest says ${secret}`, intent: "request" }, world.now);
    world.advance(60_000);
    if (guest !== undefined) world.cut(guest);
    world.advance(60_000);
    world.room.end("closed", world.now);
    world.settle();
    const wire = Buffer.concat(guests.flatMap(({ wire: { toHost, toGuest } }) => [...toHost, ...toGuest]));
    const keys = guest?.member.membership?.order.members ?? [];
    const needles = [
      secret,
      Buffer.from(secret, "utf16le").toString("latin1"),
      Buffer.from(secret).toString("hex"),
      Buffer.from(secret).toString("base64").slice(0, -4),
      '"joined"',
      '"members"',
      "request",
      world.room.id,
      ...keys.flatMap(({ id, key }) => [id, Buffer.from(key).toString("latin1"), toHex(key)]),
    ];
    expect(texts(world.hostEntries).filter((text) => text.includes(secret))).toHaveLength(2);
    expect(keys.length).toBeGreaterThan(1);
    expect(needles.filter((needle) => wire.includes(Buffer.from(needle, "latin1")))).toEqual([]);
  });

  it("(P15) sees a histogram of five handshake sizes and six buckets, whatever was said", () => {
    const world = new World();
    const guest = world.pair();
    const histogram = new Map<number, number>();
    for (const length of [1, 50, 300, 2_000, 9_000, 40_000, 65_536]) {
      world.room.say({ text: "x".repeat(length) }, world.now);
      guest.member.say({ text: "y".repeat(length) }, world.now);
      world.advance(1_000);
    }
    for (const { length } of [...guest.wire.toHost, ...guest.wire.toGuest])
      histogram.set(length, (histogram.get(length) ?? 0) + 1);
    const allowed = new Set<number>([50, 146, 54, ...RECORD_BUCKETS]);
    expect([...histogram.keys()].filter((length) => !allowed.has(length))).toEqual([]);
    expect(RECORD_BUCKETS.filter((bucket) => !histogram.has(bucket))).toEqual([]);
  });

  it("(P15) cannot tell one text from another of the same bucket by any record's size", () => {
    const sizes = ["yes", "no", "x".repeat(60)].map((text) => {
      const world = new World();
      const guest = world.pair();
      const before = guest.wire.toGuest.length;
      world.room.say({ text }, world.now);
      world.advance(1_000);
      return guest.wire.toGuest.slice(before).map(({ length }) => length);
    });
    expect(sizes[0]).toEqual(sizes[1]);
    expect(new Set(sizes.flat()).size).toBeLessThanOrEqual(2);
  });
});

/** No record and no id of a credential is ever sent twice, so no key and nonce can have been used twice. */
function expectFreshKeys({ wire }: Guest): void {
  const records = [...wire.toHost, ...wire.toGuest].filter((message) => message[0] === 0x10).map(toHex);
  expect(new Set(records).size).toBe(records.length);
  const tags = wire.toHost.filter((message) => message[0] === 2).map((message) => toHex(message.slice(17)));
  expect(new Set(tags).size).toBe(tags.length);
}
