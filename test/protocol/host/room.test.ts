import { describe, expect, it } from "vitest";
import { FRAME } from "../../../src/protocol/record/record.ts";
import { CLOSE_CODE } from "../../../src/protocol/link/wire.ts";
import type { Entry, SystemEntry } from "../../../src/protocol/room/log.ts";
import type { Presence } from "../../../src/protocol/room/participant.ts";
import { cheapPrimitives } from "../../simulation/primitives.ts";
import { Impostor } from "../../support/impostor.ts";
import { codeOf } from "../../support/thrown.ts";
import { endOf, guestDid, nodePrimitives, texts, World, type Guest } from "../../support/wire.ts";
import { encodeUtf8 } from "../../../src/protocol/base/utf8.ts";

const MINUTE = 60_000;

function system(entries: readonly Entry[]): SystemEntry[] {
  return entries.filter((entry): entry is SystemEntry => entry.kind === "system");
}

const events = (entries: readonly Entry[]): string[] =>
  system(entries).map((entry) => (entry.event === "left" ? `left:${entry.cause}` : entry.event));

const nameOf = (guest: Guest): string | undefined => guest.member.membership?.name;

/** The error codes of the alarms that the host raised. */
const alarms = (world: World): string[] => world.did("alarm").map((effect) => effect.error.code);

describe("room", () => {
  it("[O1] numbers everything that happens, the same for everybody", () => {
    const world = new World();
    const [ben, cid] = [world.pair("ben"), world.pair("cid")];
    world.room.say({ text: "one" }, world.now);
    ben.member.say({ text: "two" }, world.now);
    world.settle();
    cid.member.say({ text: "three", replyTo: 3, intent: "ack" }, world.now);
    world.settle();
    expect(world.hostEntries.map((entry) => entry.seq)).toEqual([1, 2, 3, 4, 5]);
    for (const entries of [ben.entries, cid.entries]) {
      const tail = (list: readonly Entry[]) => list.slice(-3).map((entry) => ({ ...entry, own: undefined }));
      expect(tail(entries)).toEqual(tail(world.hostEntries));
    }
    expect(cid.entries.at(-1)).toMatchObject({ replyTo: 3, intent: "ack", own: true, fromName: "cid" });
    expect(ben.entries.at(-1)).toMatchObject({ own: false, from: cid.member.self });
  });

  it("[O8] [G7] a new member sees the room from its own arrival on, and nothing that was said before", () => {
    const world = new World();
    const ben = world.pair("ben");
    world.room.say({ text: "between us" }, world.now);
    world.settle();
    const cid = world.pair("cid");
    expect(cid.entries).toMatchObject([{ kind: "system", event: "joined", seq: 3, name: "cid" }]);
    expect(ben.entries.at(-1)).toEqual(cid.entries[0]);
    expect(cid.member.membership?.order.members.map((member) => member.name)).toEqual(["ana", "ben", "cid"]);
    world.room.say({ text: "hello all" }, world.now);
    ben.member.say({ text: "hello cid" }, world.now);
    world.settle();
    expect(texts(cid.entries)).toEqual(["hello all", "hello cid"]);
  });

  it("[G1] gives a name that is taken a number, the host's own included", () => {
    const world = new World();
    const names = ["ben", "ben", "BEN", "ana", "ana (2)"].map((name) => nameOf(world.pair(name)));
    expect(names).toEqual(["ben", "ben (2)", "BEN (3)", "ana (2)", "ana (2) (2)"]);
  });

  it("[G1] takes names that only look different to a machine for the same", () => {
    const world = new World({ hostName: "Zoë" });
    const impostor = new Impostor(world, world.link());
    impostor.enter({ name: "Zoe\u0308" });
    expect(nameOf(world.pair("ｚｏë"))).toBe("ｚｏë (3)");
    world.settle();
    expect(system(world.hostEntries)).toMatchObject([{ name: "Zoe\u0308 (2)" }, { name: "ｚｏë (3)" }]);
  });

  it("[G1] keeps a numbered name within its 64 characters", () => {
    const world = new World();
    const long = "🐙".repeat(64);
    expect(nameOf(world.pair(long))).toBe(long);
    expect(nameOf(world.pair(long))).toBe(`${"🐙".repeat(60)} (2)`);
  });

  it("[G2] tells leaving from being lost, and frees the seat only for those", () => {
    const world = new World({ idleMs: 3 * 60 * MINUTE });
    const [ben, cid, dan] = [world.pair("ben"), world.pair("cid"), world.pair("dan")];
    ben.member.leave(world.now);
    world.settle();
    expect(endOf(ben)).toBe("self");
    cid.offline = true;
    world.cut(cid);
    expect(events(dan.entries)).toEqual(["joined", "left:left"]);
    world.advance(29 * MINUTE);
    expect(world.room.presence(world.now).map((one) => [one.name, one.connected])).toEqual([
      ["ana", true],
      ["cid", false],
      ["dan", true],
    ]);
    world.advance(MINUTE);
    expect(events(dan.entries)).toEqual(["joined", "left:left", "left:lost"]);
    world.advance(MINUTE);
    expect(events(world.hostEntries).slice(3)).toEqual(["left:left", "left:lost"]);
    expect(endOf(cid)).toBe("host-unreachable");
  });

  it("[G3] warns 5 minutes before it ends for want of activity, and then ends", () => {
    const world = new World();
    const ben = world.pair();
    world.advance(25 * MINUTE - 1);
    expect(events(ben.entries)).toEqual(["joined"]);
    world.advance(1);
    expect(ben.entries.at(-1)).toMatchObject({ event: "idle-warning", endsInMs: 5 * MINUTE });
    world.advance(5 * MINUTE);
    expect(events(ben.entries)).toEqual(["joined", "idle-warning", "ended"]);
    expect(ben.member.connection).toEqual({ name: "ended", end: { by: "host", cause: "idle" } });
    expect(world.room.ended).toBe("idle");
  });

  it("[G3] counts what any member does as activity, also without a word, and pings as none", () => {
    const world = new World();
    const [ben] = [world.pair("ben"), world.pair("cid")];
    world.advance(26 * MINUTE);
    ben.member.touch(0, world.now);
    world.advance(MINUTE);
    expect(world.room.idleAt).toBeGreaterThan(world.now + 28 * MINUTE);
    world.advance(20 * MINUTE);
    world.room.touch(0, world.now);
    world.advance(24 * MINUTE);
    expect(world.room.ended).toBeUndefined();
    expect(events(ben.entries).filter((event) => event === "idle-warning")).toHaveLength(1);
    world.advance(6 * MINUTE);
    expect(world.room.ended).toBe("idle");
  });

  it("[G3] warns half way when the whole time is under 10 minutes", () => {
    const world = new World({ idleMs: 4 * MINUTE });
    const ben = world.pair();
    world.advance(2 * MINUTE);
    expect(ben.entries.at(-1)).toMatchObject({ event: "idle-warning", endsInMs: 2 * MINUTE });
  });

  it("[G4] [D3] a member whose outbox is full loses its seat, and everybody else is told", () => {
    const world = new World({ idleMs: 10 * 60 * MINUTE }, cheapPrimitives(4));
    const [ben, cid] = [world.pair("ben"), world.pair("cid")];
    ben.offline = true;
    world.cut(ben);
    const text = "x".repeat(60_000);
    for (let count = 0; count < 200; count += 1) {
      world.room.say({ text }, world.now);
      world.advance(100);
    }
    expect(events(cid.entries)).toEqual(["joined", "left:fell-behind"]);
    expect(texts(cid.entries)).toHaveLength(200);
    ben.offline = false;
    // Five rounds, up to 15 s apart.
    world.advance(2 * MINUTE);
    expect(endOf(ben)).toBe("tunnel-gone");
  });

  it("[D3] refuses to say what would reach nobody", () => {
    const world = new World({ idleMs: 10 * 60 * MINUTE }, cheapPrimitives(3));
    expect(codeOf(() => world.room.say({ text: "x" }, world.now))).toBe("nobody-joined");
    const ben = world.pair();
    ben.offline = true;
    world.cut(ben);
    let refused: string | undefined;
    for (let count = 0; count < 200 && refused === undefined; count += 1)
      refused = codeOf(() => world.room.say({ text: "x".repeat(65_536) }, world.now));
    expect(refused).toBe("outbox-full");
    world.settle();
    expect(events(world.hostEntries)).toEqual(["joined"]);
    ben.offline = false;
    const before = texts(world.hostEntries).length;
    world.advance(MINUTE);
    expect(texts(ben.entries)).toHaveLength(before);
    expect(world.room.say({ text: "now" }, world.now)).toBe(before + 2);
  });

  it("[G5] ends for everybody, in order and sealed, and nothing happens afterwards", () => {
    const world = new World();
    const [ben, cid] = [world.pair("ben"), world.pair("cid")];
    ben.member.say({ text: "last" }, world.now);
    world.settle();
    const link = world.link();
    world.room.end("host-stopped", world.now);
    world.settle();
    for (const guest of [ben, cid]) {
      expect(guest.entries.at(-1)).toMatchObject({ event: "ended", cause: "host-stopped" });
      expect(guest.member.connection).toEqual({ name: "ended", end: { by: "host", cause: "host-stopped" } });
    }
    expect(world.room.admits("anybody", world.now)).toBe(false);
    expect(codeOf(() => world.room.say({ text: "x" }, world.now))).toBe("tunnel-closed");
    expect(codeOf(() => world.room.mint(world.now))).toBe("tunnel-closed");
    expect(world.room.nextDeadline()).toBeUndefined();
    world.join(link);
    world.settle();
    world.room.end("closed", world.now);
    expect(events(world.hostEntries).filter((event) => event === "ended")).toHaveLength(1);
    expect(codeOf(() => ben.member.say({ text: "x" }, world.now))).toBe("tunnel-closed");
  });

  it("[G5] the end is the last event also when a member had fallen behind", () => {
    const world = new World({ idleMs: MINUTE });
    const ben = world.pair();
    ben.offline = true;
    world.cut(ben);
    for (;;) if (codeOf(() => world.room.say({ text: "x".repeat(65_000) }, world.now)) !== undefined) break;
    for (;;) if (codeOf(() => world.room.say({ text: "x" }, world.now)) !== undefined) break;
    world.advance(2 * MINUTE);
    expect(world.room.ended).toBe("idle");
    expect(world.hostEntries.at(-1)).toMatchObject({ event: "ended" });
  });

  it("[G6] shows who is connected, when each was heard and how far each has read", () => {
    const world = new World();
    const [ben, cid] = [world.pair("ben"), world.pair("cid")];
    world.room.say({ text: "one" }, world.now);
    world.settle();
    ben.member.touch(3, world.now);
    world.advance(1000);
    const seen = (of: Guest) =>
      of.member.presence(world.now).map(({ name, connected, read }) => [name, connected, read]);
    expect(seen(cid)).toEqual([
      ["ana", true, 0],
      ["ben", true, 3],
      ["cid", true, 1],
    ]);
    ben.offline = true;
    world.cut(ben);
    world.advance(30_000);
    expect(seen(cid)[1]).toEqual(["ben", false, 3]);
    const age = cid.member.presence(world.now)[1]?.lastSeenMs ?? 0;
    expect(age).toBeGreaterThan(30_000);
    expect(age).toBeLessThan(40_000);
    // A member that is cut off itself calls nobody connected.
    expect(seen(ben).map((one) => one[1])).toEqual([false, false, false]);
  });

  it("[G6] believes no member that claims to have read what does not exist", () => {
    const world = new World();
    const impostor = new Impostor(world, world.link());
    impostor.enter();
    impostor.put(FRAME.note, impostor.codec.encodeMemberNote({ read: 99, active: true }));
    expect(world.room.presence(world.now)[1]?.read).toBe(0);
    impostor.put(FRAME.note, impostor.codec.encodeMemberNote({ read: 1, active: true }));
    impostor.put(FRAME.note, impostor.codec.encodeMemberNote({ read: 0, active: true }));
    expect(world.room.presence(world.now)[1]?.read).toBe(1);
    expect(alarms(world)).toEqual([]);
  });

  it("[G10] passes on how each person bounds their own agent, and says its own", () => {
    const world = new World();
    const [ben, cid] = [world.pair("ben"), world.pair("cid")];
    const gauge = { used: 1, limit: 2 };
    const budgets = { messages: gauge, bytes: gauge, files: gauge, minutes: gauge };
    ben.member.overseen({ state: "paused" }, world.now);
    world.room.overseen({ state: "held", budgets }, world.now);
    world.advance(1000);
    const seen = (presence: readonly Presence[]) => presence.map(({ oversight }) => oversight);
    const all = [{ state: "held", budgets }, { state: "paused" }, undefined];
    for (const presence of [world.room, ben.member, cid.member].map((one) => one.presence(world.now)))
      expect(seen(presence)).toEqual(all);
    ben.member.overseen({ state: "free" }, world.now);
    world.advance(1000);
    expect(seen(cid.member.presence(world.now))[1]).toEqual({ state: "free" });
  });

  it("[G10] tells a pause again after a cut", () => {
    const world = new World();
    const [ben, cid] = [world.pair("ben"), world.pair("cid")];
    ben.offline = true;
    world.cut(ben);
    ben.member.overseen({ state: "paused" }, world.now);
    world.advance(5_000);
    expect(cid.member.presence(world.now)[1]?.oversight).toBeUndefined();
    ben.offline = false;
    world.advance(60_000);
    expect(cid.member.presence(world.now)[1]?.oversight).toEqual({ state: "paused" });
  });

  it("[G11] shows a person's words as a person's to everybody, sealed ones as well", () => {
    const world = new World();
    const [ben, cid] = [world.pair("ben"), world.pair("cid")];
    ben.member.say({ text: "typed", author: "human" }, world.now);
    world.settle();
    world.room.say({ text: "typed, too", author: "human", to: [cid.member.self] }, world.now);
    world.room.say({ text: "written" }, world.now);
    world.settle();
    const authors = (entries: readonly Entry[]) =>
      entries.flatMap((entry) => (entry.kind === "chat" ? [[entry.text, entry.author]] : []));
    const all = [
      ["typed", "human"],
      ["typed, too", "human"],
      ["written", undefined],
    ];
    expect(authors(world.hostEntries)).toEqual(all);
    expect(authors(cid.entries)).toEqual(all);
    expect(authors(ben.entries)).toEqual([all[0], all[2]]);
  });

  it("refuses replies to what does not exist", () => {
    const world = new World();
    const ben = world.pair();
    for (const replyTo of [0, -1, 1.5, 2]) {
      expect(codeOf(() => world.room.say({ text: "x", replyTo }, world.now))).toBe("reply-unknown");
      expect(codeOf(() => ben.member.say({ text: "x", replyTo }, world.now))).toBe("reply-unknown");
    }
    expect(world.room.say({ text: "x", replyTo: 1 }, world.now)).toBe(2);
    world.settle();
    expect(texts(ben.entries)).toEqual(["x"]);
  });
});

describe("room and a member that breaks the rules", () => {
  function entered(): { world: World; ben: Guest; impostor: Impostor } {
    const world = new World();
    const ben = world.pair("ben");
    const impostor = new Impostor(world, world.link());
    impostor.enter();
    world.settle();
    return { world, ben, impostor };
  }

  it.each<[string, (impostor: Impostor, ben: Guest) => void, string?]>([
    ["garbage", (impostor) => impostor.data(nodePrimitives.random(50))],
    [
      "a signature that is not its own",
      (impostor) => impostor.say("x", { sig: nodePrimitives.random(64) }),
      "order-broken",
    ],
    ["a count that skips", (impostor) => impostor.say("x", { n: 2 }), "order-broken"],
    ["a second handshake message", (impostor) => impostor.put(FRAME.confirm, new Uint8Array(2))],
    ["a WELCOME", (impostor) => impostor.put(FRAME.welcome, new Uint8Array(2))],
    ["a malformed note", (impostor) => impostor.put(FRAME.note, Uint8Array.of(0, 2, 0x7b, 0x7d))],
    [
      "a host's frame",
      (impostor) => impostor.data(impostor.codec.encodeHostFrame({ t: "own", seq: 1, ts: 1, n: 1 })),
    ],
  ])(
    "[O6] [F2] [G8] is cut for %s, and nobody else notices",
    (_what, misbehave, code = "protocol-violation") => {
      const { world, ben, impostor } = entered();
      const before = ben.entries.length;
      misbehave(impostor, ben);
      world.settle();
      expect(alarms(world)).toEqual([code]);
      expect(world.did("close").at(-1)).toMatchObject({
        connection: impostor.connection,
        code: CLOSE_CODE.violation,
      });
      world.room.say({ text: "still here" }, world.now);
      world.settle();
      expect(ben.entries.length).toBe(before + 1);
      expect(ben.member.connection.name).toBe("connected");
    },
  );

  it("[O7] a reply to what does not exist is refused", () => {
    const { world, ben, impostor } = entered();
    const view = ben.member.membership?.order.view ?? impostor.view();
    const body = encodeUtf8("x");
    const { fields } = impostor.signer.sign({ body, view, replyTo: 99 });
    impostor.data(impostor.codec.encodeMemberFrame({ t: "say", ...fields }, body));
    world.settle();
    expect(alarms(world)).toEqual(["protocol-violation"]);
  });

  it("[D2] [H6] a resume that claims to have received what was never sent is turned away, and the host lives on", () => {
    const { world, ben, impostor } = entered();
    impostor.enter({ received: 1_000_000 });
    world.settle();
    world.room.say({ text: "still here" }, world.now);
    world.settle();
    expect(texts(ben.entries)).toEqual(["still here"]);
    expect(impostor.frames().map((frame) => frame.type)).toEqual([FRAME.close]);
    expect(alarms(world)).toEqual([]);
  });

  it("[K3] a resume under another signing key is denied", () => {
    const { world, impostor } = entered();
    impostor.enter({ key: nodePrimitives.generateSigningKeyPair().publicKey });
    expect(world.sentTo(impostor.connection).at(-1)).toHaveLength(1);
  });

  it("[H6] [O2] the key of a member that is present already is denied to a second invite, which is not burned", () => {
    const { world, impostor } = entered();
    const link = world.link();
    const twin = new Impostor(world, link);
    twin.enter({ key: impostor.keys.publicKey });
    expect(world.sentTo(twin.connection).at(-1)).toHaveLength(1);
    const guest = world.join(link);
    world.settle();
    expect(guestDid(guest, "joined")).toHaveLength(1);
  });

  it("[G7] a first CONFIRM that claims to have received anything is denied", () => {
    const world = new World();
    const impostor = new Impostor(world, world.link());
    impostor.enter({ received: 1 });
    expect(world.sentTo(impostor.connection).at(-1)).toHaveLength(1);
    expect(world.hostEntries).toEqual([]);
  });
});
