import { codeOf } from "../support/thrown.ts";
import { describe, expect, it } from "vitest";
import { concat, u32be, u64be, type Bytes } from "../../src/protocol/base/bytes.ts";
import type { ErrorCode } from "../../src/errors/tunnel-error.ts";
import type { View } from "../../src/protocol/room/frames.ts";
import { LINK } from "../../src/protocol/base/limits.ts";
import { FRAME } from "../../src/protocol/record/record.ts";
import type { Primitives } from "../../src/protocol/base/primitives.ts";
import { cheapPrimitives } from "../simulation/primitives.ts";
import { Impostor } from "../support/impostor.ts";
import { endOf, guestDid, nodePrimitives, texts, World, type Guest } from "../support/wire.ts";
import { encodeUtf8 } from "../../src/protocol/base/utf8.ts";

const MINUTE = 60_000;
const utf8 = (text: string): Bytes => encodeUtf8(text);

/** A member of good faith, and one that keeps to no rule. */
function entered(
  name = "mallory",
  primitives: Primitives = nodePrimitives,
): { world: World; ben: Guest; mallory: Impostor; view: () => View } {
  const world = new World({ idleMs: 24 * 60 * MINUTE }, primitives);
  const ben = world.pair("ben");
  const mallory = new Impostor(world, world.link(), primitives);
  mallory.enter({ name });
  world.settle();
  const view = (): View => ben.member.membership?.order.view ?? mallory.view();
  return { world, ben, mallory, view };
}

const alarms = (world: World): string[] => world.did("alarm").map(({ error }) => error.code);
const names = (world: World): string[] => world.room.presence(world.now).map(({ name }) => name);

/** Cut at once, told to the host, and not noticed by anybody else. */
function expectCut(
  { world, ben }: { world: World; ben: Guest },
  before: readonly string[],
  code: ErrorCode = "protocol-violation",
): void {
  world.settle();
  expect(alarms(world)).toEqual([code]);
  expect(texts(ben.entries)).toEqual(before);
  expect(texts(world.hostEntries)).toEqual(before);
  world.room.say({ text: "still here" }, world.now);
  world.settle();
  expect(texts(ben.entries).at(-1)).toBe("still here");
  expect(ben.member.connection.name).toBe("connected");
}

describe("a hostile member", () => {
  it("speaks like anybody else when it keeps to the rules, so that the attacks below can fail", () => {
    const { world, ben, mallory, view } = entered();
    mallory.say("hello", {}, view());
    world.settle();
    expect(texts(ben.entries)).toEqual(["hello"]);
    expect(alarms(world)).toEqual([]);
  });

  it("(A6) (A27) (P13) cannot speak in the name of another member, with that member's own old signature", () => {
    const attack = entered();
    const { world, ben, mallory } = attack;
    ben.member.say({ text: "I approve" }, world.now);
    world.settle();
    const frame = mallory
      .hostFrames()
      .flatMap((one) => (one.t === "event" && one.event.kind === "chat" ? [one.event] : []))
      .at(-1);
    if (frame === undefined) throw new Error("mallory heard nothing");
    const { kind: _, from: __, ...fields } = frame;
    mallory.data(mallory.codec.encodeMemberFrame({ t: "say", ...fields }, utf8("I approve")));
    expectCut(attack, ["I approve"], "order-broken");
  });

  it("(A6) (A27) (P13) cannot name another sender: a message of a member has no such field", () => {
    const attack = entered();
    const { ben, mallory, view } = attack;
    const { fields } = mallory.signer.sign({ body: utf8("I approve"), view: view() });
    const event = {
      t: "event",
      seq: 3,
      ts: 1,
      event: { kind: "chat", from: ben.member.self, ...fields },
    } as const;
    mallory.data(mallory.codec.encodeHostFrame(event, utf8("I approve")));
    expectCut(attack, []);
  });

  it("(A4) (A9) (P13) cannot say the same message twice, on the same connection or after coming back", () => {
    for (const comesBack of [false, true]) {
      const attack = entered();
      const { world, mallory, view } = attack;
      const { fields } = mallory.signer.sign({ body: utf8("pay"), view: view() });
      const payload = mallory.codec.encodeMemberFrame({ t: "say", ...fields }, utf8("pay"));
      mallory.data(payload);
      world.settle();
      if (comesBack) mallory.enter();
      mallory.data(payload);
      expectCut(attack, ["pay"], "order-broken");
    }
  });

  it.each<[string, ErrorCode, (mallory: Impostor, view: View) => void]>([
    [
      "a count out of this world",
      "order-broken",
      (mallory, view) => mallory.say("x", { n: Number.MAX_SAFE_INTEGER }, view),
    ],
    [
      "an answer to the future, signed",
      "protocol-violation",
      (mallory, view) => says(mallory, { view, replyTo: 9_000_000 }),
    ],
    [
      "words for some that are not sealed, signed",
      "protocol-violation",
      (mallory, view) => says(mallory, { view, to: [mallory.signer.id] }),
    ],
    [
      "another history of its own",
      "order-broken",
      (mallory, view) => mallory.say("x", { prev: nodePrimitives.random(32) }, view),
    ],
  ])("(A8) cannot poison the order with %s", (_what, code, attack) => {
    const room = entered();
    attack(room.mallory, room.view());
    expectCut(room, [], code);
  });

  it("(A8) (P13) cannot claim to have seen what was not", () => {
    for (const claim of [
      { seq: Number.MAX_SAFE_INTEGER, chain: new Uint8Array(32) },
      { seq: 1, chain: nodePrimitives.random(32) },
    ]) {
      const { world, ben, mallory } = entered();
      mallory.say("x", {}, claim);
      world.settle();
      expect(alarms(world)).toEqual(["host-equivocation"]);
      expect([texts(world.hostEntries), texts(ben.entries), ben.member.connection.name]).toEqual([
        [],
        [],
        "connected",
      ]);
    }
  });

  it.each<[string, (mallory: Impostor) => void]>([
    ["a system event", (one) => one.data(one.codec.encodeHostFrame(ended()))],
    ["plain JSON", (one) => one.data(encodeUtf8('{"type":"system","text":"approved"}'))],
    [
      "a presence note of the host's",
      (one) => one.put(FRAME.note, one.codec.encodeHostNote({ members: [] })),
    ],
    ["a note with a text behind it", (one) => one.put(FRAME.note, concat(note(one), Uint8Array.of(65)))],
    ["a departure with a text behind it", (one) => one.data(concat(leave(one), Uint8Array.of(65)))],
  ])("(A7) (P18) cannot make anything look like the room's own by %s", (_what, attack) => {
    const room = entered();
    attack(room.mallory);
    expectCut(room, []);
  });

  it("(A7) (P18) may say anything: it stays a text, from its id, under its name", () => {
    const { world, ben, mallory, view } = entered();
    const text = 'ended\n[system] ana approved\n{"kind":"system","event":"joined"}\n<<end peer-text 00>>';
    mallory.say(text, {}, view());
    world.settle();
    const entry = ben.entries.at(-1);
    expect(entry).toMatchObject({
      kind: "chat",
      from: mallory.signer.id,
      fromName: "mallory",
      own: false,
      text,
    });
    expect(entry).not.toHaveProperty("event");
  });

  it.each([
    ["of 700 characters", "x".repeat(700)],
    ["of 65 characters", "x".repeat(65)],
    ["with a line break", "eve\n[system] approved"],
    ["with a separator", "eve\u2028[system]"],
    ["that runs backwards", "\u202Enimda"],
    ["of nothing visible", "\u200b"],
    ["of a blank pattern", "\u2800"],
    ["that hides in a filler", "\u3164"],
    ["with space around it", " ana "],
    ["that is empty", ""],
    ["with an escape", "eve\u001b[31m"],
  ])("(A16) (P18) cannot enter under a name %s, and its invite is not burned", (_what, name) => {
    const world = new World();
    const link = world.link();
    const copy = { ...link, key: link.key.slice() };
    const mallory = new Impostor(world, link);
    mallory.enter({ name });
    expect(world.sentTo(mallory.connection).at(-1)).toHaveLength(1);
    expect(world.hostEntries).toEqual([]);
    const guest = world.join(copy);
    world.settle();
    expect(guestDid(guest, "joined")).toHaveLength(1);
  });

  it("(A16) (A21) (P10) [A1] cannot enter under a name of 60 kB, of which the host reads nothing", () => {
    const world = new World();
    const mallory = new Impostor(world, world.link());
    mallory.enter({ name: "x".repeat(60_000) });
    expect(world.sentTo(mallory.connection).at(-1)).toHaveLength(1);
    expect(world.hostEntries).toEqual([]);
  });

  it.each(["ana", "ANA", "Ａｎａ", "ben", "Ben", "tunnel", "Tunnel"])(
    "(A17) (P18) [G1] that calls itself %s, like somebody who is there, gets a number",
    (name) => {
      const { world, ben, mallory } = entered(name);
      expect(names(world)).toEqual(["ana", "ben", `${name} (2)`]);
      expect(ben.entries.at(-1)).toMatchObject({
        event: "joined",
        member: mallory.signer.id,
        name: `${name} (2)`,
      });
    },
  );

  it("(A13) is told nothing that was said before it came, and its welcome does not grow with the talk", () => {
    const sizes = [0, 400].map((before) => {
      const world = new World();
      const ben = world.pair("ben");
      for (let turn = 0; turn < before; turn += 1) ben.member.say({ text: `secret ${turn}` }, world.now);
      world.advance(1_000);
      const mallory = new Impostor(world, world.link());
      mallory.enter();
      world.settle();
      const frames = mallory.frames();
      expect(frames.filter(({ payload }) => Buffer.from(payload).includes("secret"))).toEqual([]);
      expect(mallory.hostFrames()).toEqual([]);
      return world.sentTo(mallory.connection).reduce((sum, { length }) => sum + length, 0);
    });
    expect(sizes[0]).toBe(sizes[1]);
  });

  it("(A22) [D10] [E3] [G4] that never acknowledges makes the host hold 8 MiB, send 1 MiB, and then give it up", () => {
    // 40 MiB go out, of which only the amount counts.
    const { world, ben, mallory } = entered("mallory", cheapPrimitives(22));
    const [before, text] = [bytesTo(world, mallory), "x".repeat(60_000)];
    let said = 0;
    for (let turn = 0; turn < 700; turn += 1) {
      // It is alive in every other way, so the host waits for it at first …
      if (turn % 50 === 0) mallory.put(FRAME.ping, new Uint8Array(0));
      if (codeOf(() => world.room.say({ text }, world.now)) === undefined) said += 1;
      world.advance(100);
    }
    // … and not for ever.
    expect(said).toBeGreaterThan(300);
    expect(bytesTo(world, mallory) - before).toBeLessThan(2 * LINK.windowBytes + 300_000);
    expect(ben.entries.some((entry) => entry.kind === "system" && entry.event === "left")).toBe(true);
    expect(ben.entries.at(-1)).toMatchObject({ kind: "chat", text });
    expect(texts(ben.entries)).toHaveLength(said);
    expect(names(world)).toEqual(["ana", "ben"]);
  });

  it("(A20) (A22) that floods with notes and pings makes nobody else's traffic grow with it", () => {
    const { world, ben, mallory } = entered();
    world.advance(1_000);
    const before = ben.wire.toGuest.length;
    for (let turn = 0; turn < 2_000; turn += 1) {
      mallory.put(FRAME.note, mallory.codec.encodeMemberNote({ read: turn % 3, active: true }));
      mallory.put(FRAME.ping, new Uint8Array(0));
    }
    world.advance(1_000);
    expect(ben.wire.toGuest.length - before).toBeLessThan(10);
    expect(ben.member.connection.name).toBe("connected");
    world.room.say({ text: "still here" }, world.now);
    world.settle();
    expect(texts(ben.entries)).toEqual(["still here"]);
  });

  it("(A22) (A20) that says a thousand things at once is heard, and takes nobody else's turn", () => {
    const { world, ben, mallory, view } = entered("mallory", cheapPrimitives(1_000));
    const seen = view();
    for (let turn = 0; turn < 1_000; turn += 1) mallory.say(`${turn}`, {}, seen);
    world.room.say({ text: "my turn" }, world.now);
    world.advance(60_000);
    expect(alarms(world)).toEqual([]);
    expect(texts(ben.entries).filter((text) => text === "my turn")).toHaveLength(1);
    expect(ben.member.lastSeq).toBe(world.room.lastSeq);
    expect(ben.member.connection.name).toBe("connected");
  });

  it("(A23) [D7] that falls silent without closing is shown as gone within a minute, and its seat in half an hour", () => {
    const { world, mallory } = entered();
    world.advance(MINUTE);
    const shown = world.room.presence(world.now).find(({ id }) => id === mallory.signer.id);
    expect(shown).toMatchObject({ connected: false });
    world.advance(31 * MINUTE);
    expect(names(world)).toEqual(["ana", "ben"]);
  });

  it.each<[string, Bytes]>([
    ["a gap", concat(u64be(7), u64be(0))],
    ["a frame that is none", concat(u64be(1), u64be(0), u32be(1))],
    ["half a header", new Uint8Array(11)],
    ["a number beyond all counting", concat(new Uint8Array(8).fill(255), u64be(0))],
    ["an acknowledgement of what was never sent", concat(u64be(1), u64be(10_000))],
  ])("(A9) (A11) (P7) is cut for %s in its stream", (_what, payload) => {
    const room = entered();
    room.mallory.put(FRAME.data, payload);
    expectCut(room, []);
  });

  it("(A3) (P11) [K3] cannot come back to the seat of somebody else, whose key is not its own", () => {
    const { world, ben, mallory } = entered();
    const keyOf = (id: string): Bytes =>
      ben.member.membership?.order.members.find((member) => member.id === id)?.key ?? new Uint8Array(32);
    mallory.enter({ key: keyOf(ben.member.self) });
    expect(world.sentTo(mallory.connection).at(-1)).toHaveLength(1);
    const again = new Impostor(world, world.link());
    again.enter({ key: keyOf(ben.member.self) });
    expect(world.sentTo(again.connection).at(-1)).toHaveLength(1);
    world.room.say({ text: "for ben" }, world.now);
    world.settle();
    expect(texts(ben.entries)).toEqual(["for ben"]);
    expect([ben.member.connection.name, endOf(ben)]).toEqual(["connected", undefined]);
  });
});

function ended(): Parameters<Impostor["codec"]["encodeHostFrame"]>[0] {
  return { t: "event", seq: 3, ts: 1, event: { kind: "ended", cause: "closed" } };
}

const note = ({ codec }: Impostor): Bytes => codec.encodeMemberNote({ read: 0, active: false });
const leave = ({ codec }: Impostor): Bytes => codec.encodeMemberFrame({ t: "leave" });

/** Bytes that the room has sent to this member's connection. */
function bytesTo(world: World, { connection }: Impostor): number {
  return world.sentTo(connection).reduce((sum, { length }) => sum + length, 0);
}

/** A message with marks of its own under a signature that is right. */
function says(mallory: Impostor, marks: Omit<Parameters<Impostor["signer"]["sign"]>[0], "body">): void {
  const { fields } = mallory.signer.sign({ body: utf8("x"), ...marks });
  mallory.data(mallory.codec.encodeMemberFrame({ t: "say", ...fields }, utf8("x")));
}
