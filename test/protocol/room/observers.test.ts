import { describe, expect, it } from "vitest";
import { LINK, OBSERVER, RATE, ROOM } from "../../../src/protocol/base/limits.ts";
import { formatLink, parseLink } from "../../../src/protocol/handshake/invite-link.ts";
import type { ObserverRole } from "../../../src/protocol/handshake/role.ts";
import type { MemberRecord } from "../../../src/protocol/room/frames.ts";
import { peersAmong } from "../../../src/protocol/room/peers.ts";
import { NO_HASH, RoomOrder } from "../../../src/protocol/room/order.ts";
import { roomIdFrom } from "../../../src/protocol/base/ids.ts";
import { cheapPrimitives } from "../../simulation/primitives.ts";
import { Impostor } from "../../support/impostor.ts";
import { provedRecord } from "../../support/proved.ts";
import { codeOf } from "../../support/thrown.ts";
import { endOf, nodePrimitives, ORIGIN, texts, World, type Guest } from "../../support/wire.ts";

const HOUR = 60 * 60_000;
const namesAt = (world: World): string[] => world.room.presence(world.now).map(({ name }) => name);
const events = ({ entries }: Pick<Guest, "entries">): string[] =>
  entries.flatMap((entry) => (entry.kind === "system" ? [entry.event] : []));
const alarms = (world: World): string[] => world.did("alarm").map(({ error }) => error.code);

/** A room with a member and an observer. */
function watched(options: ConstructorParameters<typeof World>[0] = {}, role: ObserverRole = "observer") {
  const world = new World(options);
  const ben = world.pair("ben");
  world.room.say({ text: "before" }, world.now);
  world.settle();
  const cat = world.observer("cat", { role });
  return { world, ben, cat };
}

describe("the link of an observer", () => {
  it.each(["observer", "observer-history"] as const)("[Q1] names its role: %s", (role) => {
    const world = new World({ history: true });
    const link = world.link(ORIGIN, { role, lifeMs: HOUR });
    const text = formatLink(link);
    expect(text.endsWith(`.${role}`)).toBe(true);
    expect(parseLink(text)).toEqual(link);
    expect(codeOf(() => parseLink(`${text}s`))).toBe("link-malformed");
    expect(codeOf(() => parseLink(text.slice(0, -1)))).toBe("link-malformed");
    expect(codeOf(() => parseLink(`${text}.${role}`))).toBe("link-malformed");
  });

  it.each<[string, ObserverRole | undefined, ObserverRole | undefined]>([
    ["an observer's link without its mark", "observer", undefined],
    ["a member's link with a mark", undefined, "observer"],
    ["the mark of more than was given", "observer", "observer-history"],
  ])("[Q1] [H13] %s lets nobody in, and is not used up", (_what, given, claimed) => {
    const world = new World({ history: true });
    const link = world.link(ORIGIN, given === undefined ? undefined : { role: given, lifeMs: HOUR });
    const thief = world.join({ ...link, role: claimed }, "eve");
    world.advance(100);
    expect(namesAt(world)).toEqual(["ana"]);
    expect(endOf(thief)).toBe("invite-refused");
    const right = world.join({ ...link, role: given }, "cat");
    world.settle();
    expect(right.member.connection.name).toBe("connected");
  });
});

describe("an observer", () => {
  it("[Q2] is in the roster with its role, and everybody is told so in the order", () => {
    const { world, ben, cat } = watched();
    const seen = [
      world.room.presence(world.now),
      ben.member.presence(world.now),
      cat.member.presence(world.now),
    ];
    for (const presence of seen)
      expect(presence.map(({ name, role }) => [name, role])).toEqual([
        ["ana", undefined],
        ["ben", undefined],
        ["cat", "observer"],
      ]);
    const told = (guest: Pick<Guest, "entries">) => guest.entries.at(-1);
    for (const one of [told({ entries: world.hostEntries }), told(ben)])
      expect(one).toMatchObject({ kind: "system", event: "joined", name: "cat", role: "observer" });
    expect(cat.member.lastSeq).toBe(ben.member.lastSeq);
  });

  it("[Q3] everybody is told of it before a byte of the room goes to it", () => {
    const { world } = { world: new World() };
    const [ben, dan] = [world.pair("ben"), world.pair("dan")];
    const sent: [to: string, bytes: number][] = [];
    const link = world.link(ORIGIN, { role: "observer", lifeMs: HOUR });
    const cat = world.join(link, "cat");
    world.observe = (guest, effect) => {
      if (guest !== undefined || effect.type !== "send") return;
      const who = [ben, dan].find(({ connection }) => connection === effect.connection);
      sent.push([who === undefined ? "cat" : who === ben ? "ben" : "dan", effect.message.length]);
    };
    world.settle();
    expect(cat.member.connection.name).toBe("connected");
    // M1 and M3 hold nothing of the room; the next thing to it is WELCOME.
    const atCat = sent.flatMap(([to], at) => (to === "cat" ? [at] : []));
    const [, , welcome = -1] = atCat;
    const before = sent.slice(0, welcome).map(([to]) => to);
    expect(before).toContain("ben");
    expect(before).toContain("dan");
  });

  it("[Q3] a member that is away learns of it before anything that was said since", () => {
    const world = new World();
    const ben = world.pair("ben");
    world.cut(ben);
    ben.offline = true;
    world.settle();
    const cat = world.observer();
    world.room.say({ text: "cat hears this" }, world.now);
    ben.offline = false;
    world.advance(60_000);
    expect(texts(cat.entries)).toEqual(["cat hears this"]);
    const [joined, said] = ben.entries.slice(-2);
    expect([joined, said]).toMatchObject([{ event: "joined", role: "observer" }, { text: "cat hears this" }]);
  });

  it("[Q4] its own program says nothing, asks for no stream and reports no reading, whatever it is told to do", () => {
    const { world, cat } = watched();
    world.advance(1_000);
    const before = cat.wire.toHost.length;
    expect(codeOf(() => cat.member.say({ text: "me too" }, world.now))).toBe("observer-spoke");
    const ask = { service: "files", who: world.room.self, credit: 1, request: new Uint8Array(0) };
    expect(cat.member.openStream(ask, world.now)).toBeUndefined();
    expect(world.room.openStream({ ...ask, who: cat.member.self }, world.now)).toBeUndefined();
    cat.member.touch(2, world.now);
    cat.member.overseen({ state: "paused" }, world.now);
    world.advance(1_000);
    expect(cat.wire.toHost).toHaveLength(before);
    expect(world.room.presence(world.now).at(-1)).toMatchObject({
      name: "cat",
      read: 2,
      oversight: undefined,
    });
    cat.member.leave(world.now);
    world.settle();
    expect(namesAt(world)).toEqual(["ana", "ben"]);
    expect(alarms(world)).toEqual([]);
  });

  it("[Q4] nobody addresses it: neither the host nor a member, and no stream leads to it", () => {
    const { world, ben, cat } = watched();
    const whom = { text: "psst", to: [cat.member.self] };
    expect(codeOf(() => world.room.say(whom, world.now))).toBe("observer-addressed");
    expect(codeOf(() => ben.member.say(whom, world.now))).toBe("observer-addressed");
    const ask = { service: "files", who: cat.member.self, credit: 1, request: new Uint8Array(0) };
    const stream = ben.member.openStream(ask, world.now);
    world.settle();
    expect(ben.effects.filter(({ type }) => type === "stream")).toMatchObject([
      { event: { t: "reset", stream, code: "nobody" } },
    ]);
    expect(cat.effects.filter(({ type }) => type === "stream")).toEqual([]);
  });

  it("[Q5] is nobody's audience: who is alone with it speaks to nobody", () => {
    const world = new World();
    world.observer();
    expect(codeOf(() => world.room.say({ text: "anybody?" }, world.now))).toBe("nobody-joined");
    expect(peersAmong(world.room.presence(world.now))).toEqual([]);
  });

  it("[Q5] confirms no message, and the loss of one it has not seen is no news", () => {
    const world = new World();
    const ben = world.pair("ben");
    const cat = world.observer();
    world.blackHole(ben);
    const seq = world.room.say({ text: "hello" }, world.now);
    world.advance(LINK.ackDelayMs * 4);
    expect(texts(cat.entries)).toEqual(["hello"]);
    expect(world.did("reached").map((one) => one.seq)).not.toContain(seq);
    world.blackHole(cat);
    world.room.say({ text: "more" }, world.now);
    world.room.remove(cat.member.self, world.now);
    expect(world.did("missed").map(({ member }) => member)).not.toContain("cat");
  });

  it("[Q5] takes no member's seat, and members take none of an observer", () => {
    const world = new World();
    for (let count = 1; count < ROOM.maxMembers; count += 1) world.link();
    expect(codeOf(() => world.link())).toBe("invite-limit");
    const seat = { role: "observer", lifeMs: HOUR } as const;
    for (let count = 0; count < ROOM.maxObservers; count += 1) world.link(ORIGIN, seat);
    expect(codeOf(() => world.link(ORIGIN, seat))).toBe("observer-limit");
  });

  it("[Q5] [E3] [G4] one that takes in nothing holds nobody up, and loses its seat by itself", () => {
    // Only amounts and times count here.
    const world = new World({ idleMs: 24 * HOUR }, cheapPrimitives(1));
    world.isRecording = false;
    const ben = world.pair("ben");
    const cat = world.observer();
    world.blackHole(cat);
    let longest = 0;
    world.observe = (guest, effect) => {
      if (guest === undefined && effect.type === "pause") longest = Math.max(longest, effect.ms);
    };
    const text = "x".repeat(60_000);
    for (let said = 0; said < 300 && namesAt(world).includes("cat"); said += 1) {
      ben.member.say({ text }, world.now);
      world.advance(100);
    }
    expect(namesAt(world)).toEqual(["ana", "ben"]);
    expect(longest).toBeLessThanOrEqual(RATE.runMs);
    expect(alarms(world)).toEqual([]);
  });

  it("[Q5] [G3] keeps no room open: neither by its arrival, nor by being there", () => {
    const world = new World({ idleMs: 10 * 60_000 });
    world.pair("ben");
    world.advance(9 * 60_000);
    world.observer();
    world.advance(61_000);
    expect(world.room.ended).toBe("idle");
  });

  it("[Q6] sees what is said to everybody from its arrival on, and of what is for some only that it was said", () => {
    const { world, ben, cat } = watched({ history: true });
    const dan = world.pair("dan");
    world.room.say({ text: "to all" }, world.now);
    world.settle();
    world.room.say({ text: "for ben", to: [ben.member.self] }, world.now);
    dan.member.say({ text: "from dan" }, world.now);
    world.settle();
    expect(texts(cat.entries)).toEqual(["to all", "from dan"]);
    expect(texts(ben.entries)).toEqual(["before", "to all", "for ben", "from dan"]);
    expect(cat.member.membership?.history).toBe(false);
    expect(cat.member.lastSeq).toBe(ben.member.lastSeq);
    expect(events(cat)[0]).toBe("joined");
  });

  it("[Q6] [O9] with the history of a room that keeps one, begins with the oldest that is kept", () => {
    const { world, cat } = watched({ history: true }, "observer-history");
    world.room.say({ text: "after" }, world.now);
    world.settle();
    expect(texts(cat.entries)).toEqual(["before", "after"]);
    expect(cat.member.membership?.history).toBe(true);
  });

  it("[Q6] no history is given where the members were told that none is kept", () => {
    const world = new World({ history: false });
    expect(codeOf(() => world.link(ORIGIN, { role: "observer-history", lifeMs: HOUR }))).toBe("no-history");
  });

  it("[Q6] its time ends its stay, also while it is away, and nothing comes after", () => {
    for (const isAway of [false, true]) {
      const world = new World({ idleMs: 24 * HOUR });
      const ben = world.pair("ben");
      const cat = world.observer("cat", { lifeMs: 5 * 60_000 });
      if (isAway) {
        world.cut(cat);
        cat.offline = true;
      }
      world.advance(5 * 60_000 - 1);
      expect(namesAt(world)).toContain("cat");
      world.advance(1);
      expect(namesAt(world)).toEqual(["ana", "ben"]);
      expect(ben.entries.at(-1)).toMatchObject({
        event: "left",
        name: "cat",
        role: "observer",
        cause: "expired",
      });
      cat.offline = false;
      world.room.say({ text: "after" }, world.now);
      world.advance(60_000);
      expect(texts(cat.entries)).toEqual([]);
      if (!isAway) expect(endOf(cat)).toBe("removal");
      else expect(cat.member.connection.name).not.toBe("connected");
    }
  });

  it("[Q6] [I7] [G9] revoking takes the link, and removing the seat, at once", () => {
    const world = new World();
    const seat = { role: "observer", lifeMs: HOUR } as const;
    const link = world.link(ORIGIN, seat);
    const [pending] = world.room.pendingInvites(world.now);
    expect(pending?.seat).toEqual(seat);
    world.room.revoke(pending?.inviteId ?? "", world.now);
    expect(endOf(world.join(link, "cat"))).toBeUndefined();
    world.advance(100);
    expect(namesAt(world)).toEqual(["ana"]);
    world.pair("ben");
    const cat = world.observer();
    const messages = cat.wire.toGuest.length;
    world.room.remove(cat.member.self, world.now);
    world.room.say({ text: "alone" }, world.now);
    world.settle();
    expect(endOf(cat)).toBe("removal");
    expect(texts(cat.entries)).toEqual([]);
    expect(cat.wire.toGuest.length - messages).toBeLessThanOrEqual(1);
  });

  it("[Q1] [K3] comes back after a cut as what it was", () => {
    const { world, cat } = watched();
    world.cut(cat);
    world.room.say({ text: "meanwhile" }, world.now);
    world.advance(20_000);
    expect(cat.member.connection.name).toBe("connected");
    expect(texts(cat.entries)).toEqual(["meanwhile"]);
    expect(world.room.presence(world.now).at(-1)).toMatchObject({
      name: "cat",
      role: "observer",
      connected: true,
    });
  });
});

describe("a hostile observer", () => {
  type Attack = readonly [what: string, attack: (eve: Impostor, world: World) => void];
  const ATTACKS: readonly Attack[] = [
    ["says something", (eve, world) => eve.say("hear me", {}, viewOf(world))],
    [
      "reports that it has read",
      (eve) => eve.put(0x14, eve.codec.encodeMemberNote({ read: 1, active: false })),
    ],
    [
      "claims to be paused",
      (eve) =>
        eve.put(0x14, eve.codec.encodeMemberNote({ read: 0, active: true, oversight: { state: "paused" } })),
    ],
    ["asks for a stream", (eve) => eve.put(0x15, new Uint8Array([0, 2, 0x7b, 0x7d]))],
  ];
  const viewOf = (world: World) => {
    const { length } = world.hostEntries;
    return { seq: length, chain: NO_HASH };
  };

  it.each(ATTACKS)("[Q4] that %s is removed at once, and nobody hears of what it did", (_what, attack) => {
    const world = new World();
    const ben = world.pair("ben");
    const eve = new Impostor(world, world.link(ORIGIN, { role: "observer", lifeMs: HOUR }));
    eve.enter({ name: "eve" });
    world.settle();
    expect(namesAt(world)).toContain("eve");
    attack(eve, world);
    world.settle();
    expect(alarms(world)).toEqual(["observer-spoke"]);
    expect(namesAt(world)).toEqual(["ana", "ben"]);
    expect([texts(ben.entries), texts(world.hostEntries)]).toEqual([[], []]);
    expect(ben.entries.at(-1)).toMatchObject({
      event: "left",
      name: "eve",
      cause: "removed",
      role: "observer",
    });
    // Its secret is void as well.
    expect(() => eve.enter()).toThrow();
    expect(ben.member.connection.name).toBe("connected");
  });

  it.each<[string, Partial<MemberRecord>]>([
    ["a name that is too long", { name: "x".repeat(ROOM.maxObserverNameChars + 1) }],
    ["a work context", { workContext: { client: { name: "a", version: "1" } } }],
  ])("[Q2] with %s is denied, and its link is free again", (_what, told) => {
    const world = new World();
    const link = world.link(ORIGIN, { role: "observer", lifeMs: HOUR });
    const eve = new Impostor(world, { ...link, key: link.key.slice() });
    eve.enter({ name: "eve", ...told });
    world.settle();
    expect(namesAt(world)).toEqual(["ana"]);
    expect(world.room.pendingInvites(world.now)).toMatchObject([{ claimed: false }]);
  });

  it("[G1] [Q2] a name that is taken gets a number, and the whole stays short", () => {
    const world = new World();
    const long = "x".repeat(ROOM.maxObserverNameChars);
    world.pair(long);
    const cat = world.observer(long);
    expect(cat.member.membership?.name).toBe(`${"x".repeat(ROOM.maxObserverNameChars - 4)} (2)`);
    expect(endOf(cat)).toBeUndefined();
  });
});

describe("what a roster says of observers", () => {
  const keys = () => nodePrimitives.generateSigningKeyPair();
  const room = roomIdFrom(nodePrimitives.random(16));
  const host = provedRecord(room, keys(), { name: "ana", hash: NO_HASH });
  const observer = (over: { name?: string; role?: ObserverRole } = {}): MemberRecord =>
    provedRecord(room, keys(), { name: "cat", role: "observer", hash: nodePrimitives.random(32), ...over });
  const joins = (...members: readonly MemberRecord[]): string | undefined =>
    codeOf(() => {
      const order = RoomOrder.genesis(nodePrimitives, room, host);
      members.forEach((member, at) => order.appendSystem(at + 1, at, { kind: "joined", member }));
    });

  it("[Q1] [Q2] a record is checked with the role that it names", () => {
    expect(joins(observer())).toBeUndefined();
    const { role: _, ...asMember } = observer();
    const member = provedRecord(room, keys(), { name: "ben", hash: nodePrimitives.random(32) });
    for (const bad of [
      asMember,
      { ...observer(), role: "observer-history" as const },
      { ...member, role: "observer" as const },
      observer({ name: "x".repeat(ROOM.maxObserverNameChars + 1) }),
      { ...observer(), workContext: { client: { name: "a", version: "1" } } },
    ])
      expect(joins(bad)).toBe("order-broken");
  });

  it("[Q2] a host is no observer, and a room has no more of them than it may", () => {
    const watching = provedRecord(room, keys(), { name: "ana", role: "observer", hash: NO_HASH });
    expect(codeOf(() => RoomOrder.genesis(nodePrimitives, room, watching))).toBe("order-broken");
    const many = Array.from({ length: ROOM.maxObservers }, (_, at) => observer({ name: `cat ${at}` }));
    expect(joins(...many)).toBeUndefined();
    expect(joins(...many, observer({ name: "one more" }))).toBe("order-broken");
  });
});

it("an hour is what an observer has unless its host says otherwise", () => {
  expect(OBSERVER.defaultMinutes * 60_000).toBe(HOUR);
});
