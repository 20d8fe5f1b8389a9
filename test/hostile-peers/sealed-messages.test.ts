import { describe, expect, it } from "vitest";
import type { Bytes } from "../../src/protocol/base/bytes.ts";
import { openSealed, sealTo, type SealContext } from "../../src/protocol/room/sealed-message.ts";
import type { ChatEvent, RoomEvent } from "../../src/protocol/room/frames.ts";
import { boxForTwo } from "./support/box.ts";
import { HostileHost, signedAs, Victim } from "./support/host.ts";
import { expectCaught, newcomer, SECRET, whispered } from "./support/room.ts";
import { Impostor } from "../support/impostor.ts";
import { guestDid, nodePrimitives, texts, World, type Guest } from "../support/wire.ts";
import { encodeUtf8 } from "../../src/protocol/base/utf8.ts";

const utf8 = (text: string): Bytes => encodeUtf8(text);

/** Everything that this guest has been told and has shown. */
const shownTo = ({ log }: Victim): string[] => log.filter((line) => line !== "joined");

describe("a hostile host, to whom a message is not addressed", () => {
  it("(P13) passes it on when it plays by the rules, so that the attacks below can fail", () => {
    const { ben, cid, dan, event, body, withheld } = whispered();
    ben.place(1);
    cid.tell(event, body);
    dan.tell(withheld);
    const later = ben.speaks("to all");
    for (const victim of [cid, dan]) victim.tell(later, "to all");
    expect([ben, cid, dan].map(shownTo)).toEqual([[SECRET], [SECRET, "to all"], ["to all"]]);
    expect([ben, cid, dan].flatMap(({ alarms }) => alarms)).toEqual([]);
  });

  it("(P14) [O10] reads nothing of it in anything it has received, nor does anybody else it tells of it", () => {
    const { host, ben, cid, dan, event, body, withheld } = whispered();
    cid.tell(event, body);
    dan.tell(withheld);
    const sees: Pick<Victim, "said" | "entries" | "wire">[] = [
      { said: ben.said, entries: [], wire: ben.wire },
      dan,
    ];
    const printed = JSON.stringify(sees, (_key, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value,
    );
    expect(printed.includes(SECRET)).toBe(false);
    expect(printed.length).toBeGreaterThan(1_000);
    // The keys that it has itself do not open it, at whichever place.
    const { seal, n } = event;
    if (seal === undefined) throw new Error("not sealed");
    const context = { room: host.room, from: ben.id, n };
    for (const keys of [host.box, host.dh, nodePrimitives.generateDhKeyPair()])
      for (const index of [0, 1, -1])
        expect(openSealed(nodePrimitives, context, { keys, index }, { seal, body })).toBeUndefined();
    expect(texts(cid.entries)).toEqual([SECRET]);
  });

  it("(P14) [O10] gives it to somebody it is not for, who is shown nothing, blames the host and leaves", () => {
    const { dan, event, body } = whispered();
    dan.tell(event, body);
    expectCaught(dan, "order-broken", ["joined"]);
  });

  const changes: [string, (one: ReturnType<typeof whispered>) => [RoomEvent, Bytes]][] = [
    [
      "swaps the wraps of its recipients",
      ({ event, body }) => [sealed(event, { wraps: event.seal?.wraps.toReversed() ?? [] }), body],
    ],
    ["puts another key in", ({ event, body }) => [sealed(event, { key: nodePrimitives.random(32) }), body]],
    [
      "commits to another content key",
      ({ event, body }) => [sealed(event, { commitment: nodePrimitives.random(32) }), body],
    ],
    [
      "takes the body of another message",
      ({ ben, cid, event }) => [event, ben.whispers("else", { to: [cid.id] }).body],
    ],
    ["adds itself to those it is for", ({ host, event, body }) => [addressedTo(event, host), body]],
    ["makes it one to everybody", ({ event, body }) => [open(event), body]],
    ["puts a text in the place of what is sealed", ({ event }) => [open(event), utf8("I approve")]],
  ];
  it.each(changes)("(A6) (A27) (P13) is caught when it %s", (_how, change) => {
    const one = whispered(["cid", "dan"]);
    const [event, body] = change(one);
    one.cid.tell(event, body);
    const { end, log } = one.cid;
    // A body that is no text is refused before anybody looks at the signature.
    expect(["order-broken", "protocol-violation"]).toContain(end);
    expect(log).toEqual(["joined", "joined"]);
  });

  it("(A6) (A27) (P14) [K8] shows the text, which it cannot read, under another name than its sender's, to nobody", () => {
    const { host, ben, cid, dan, event, body } = whispered(["cid", "dan"]);
    const { seal, to } = event;
    ben.place(1);
    // A member that the host has made up can sign for it, too.
    const keys = nodePrimitives.generateSigningKeyPair();
    const eve = newcomer(host, "eve", keys);
    for (const victim of [cid, dan]) {
      victim.tell(event, body);
      victim.tell({ kind: "joined", member: eve });
      for (const signing of [host.signing, keys])
        victim.tell(signedAs(signing, host.room, { view: victim.view, to, seal }, body).event, body);
      expect(shownTo(victim)).toEqual([SECRET]);
      expect([victim.alarms, victim.end]).toEqual([["message-unreadable", "message-unreadable"], undefined]);
    }
  });

  it("(P13) [O2] [H13] tells one member a key of its own for another, and is caught at once (F4)", () => {
    const host = new HostileHost();
    const [cid] = host.sessions("cid");
    if (cid === undefined) throw new Error("nobody came");
    const dan = newcomer(host, "dan");
    cid.tell({ kind: "joined", member: { ...dan, box: host.box.publicKey } });
    expectCaught(cid, "order-broken", ["joined"]);
  });

  it("(P13) [O2] [H13] welcomes a member to a key of its own for another, and is caught at once (F4)", () => {
    const host = new HostileHost();
    const [ben] = host.sessions("ben");
    if (ben === undefined) throw new Error("nobody came");
    const members = [host.self, { ...ben.record, box: host.box.publicKey }];
    const cid = new Victim(host, "cid");
    cid.welcome({ members, view: ben.view });
    expectCaught(cid, "order-broken", []);
    expect(cid.member.membership).toBeUndefined();
  });

  it("(P13) [O5] tells one member of another one of its own making, which the first word that crosses shows", () => {
    const host = new HostileHost();
    const [ben, cid] = host.sessions("ben", "cid");
    if (ben === undefined || cid === undefined) throw new Error("nobody came");
    ben.tell({ kind: "joined", member: newcomer(host, "dan") });
    cid.tell({ kind: "joined", member: newcomer(host, "dan") });
    cid.tell(ben.speaks("hello"), "hello");
    expectCaught(cid, "host-equivocation", ["joined", "joined"]);
  });

  it("(P13) [O5] welcomes a member to one of its own making, which the first word that crosses shows", () => {
    const host = new HostileHost();
    const [ben] = host.sessions("ben");
    if (ben === undefined) throw new Error("nobody came");
    const cid = host.session("cid", { members: [host.self, newcomer(host, "ben")], view: ben.view });
    ben.tell({ kind: "joined", member: cid.record });
    ben.tell(cid.speaks("hello"), "hello");
    expectCaught(ben, "host-equivocation", ["joined", "joined"]);
  });

  it.each(["key", "box"] as const)(
    "(P13) [O7] tells a member another %s for itself, and is caught at once",
    (which) => {
      const host = new HostileHost();
      const ben = new Victim(host, "ben");
      ben.welcome();
      const { publicKey } = host.box;
      const [box, key] = which === "box" ? [publicKey, ben.record.key] : [ben.record.box, publicKey];
      ben.tell({ kind: "joined", member: { ...ben.record, key, box } });
      expectCaught(ben, "order-broken", []);
    },
  );
});

describe("a hostile member that says something to some", () => {
  function room() {
    const world = new World();
    const [ben, cid] = [world.pair("ben"), world.pair("cid")];
    const mallory = new Impostor(world, world.link());
    mallory.enter();
    world.settle();
    const { order } = ben.member.membership ?? {};
    if (order === undefined) throw new Error("ben is not in");
    const to = [ben.member.self, cid.member.self];
    const boxes = to.map((id) => order.members.find((one) => one.id === id)?.box ?? new Uint8Array(32));
    const context = { room: world.room.id, from: mallory.signer.id, n: 1 };
    const { seal, body } = sealTo(nodePrimitives, context, boxes, utf8(SECRET));
    /** Says so under its own signature. */
    const say = ({ to: whom, seal: under }: Pick<ChatEvent, "to" | "seal">, content = body): void => {
      const marks = { ...(whom && { to: whom }), ...(under && { seal: under }) };
      const signed = mallory.signer.sign({ ...marks, view: order.view, body: content });
      mallory.data(mallory.codec.encodeMemberFrame({ t: "say", ...signed.fields }, content));
      world.settle();
    };
    const codes = (): string[] => world.did("alarm").map(({ error }) => error.code);
    return { world, ben, cid, mallory, to, boxes, context, seal, body, say, codes };
  }

  it("(P18) [O10] and plays by the rules is heard by them, so that the attacks below can fail", () => {
    const one = room();
    one.say(one);
    expect([texts(one.ben.entries), texts(one.cid.entries)]).toEqual([[SECRET], [SECRET]]);
    expect(alarmsOf(one)).toEqual([[], []]);
  });

  it.each<[string, (one: ReturnType<typeof room>) => Pick<ChatEvent, "to" | "seal">]>([
    ["the same one twice", ({ to, seal }) => ({ to: [...to.slice(0, 1), ...to.slice(0, 1)], seal })],
    ["fewer than have a wrap", ({ to, seal }) => ({ to: to.slice(1), seal })],
    ["more than have a wrap", ({ to, seal }) => ({ to, seal: { ...seal, wraps: seal.wraps.slice(1) } })],
    ["nobody, under a seal", ({ seal }) => ({ seal })],
    ["some, without a seal", ({ to }) => ({ to })],
    ["some, with a key that is none", ({ to, seal }) => ({ to, seal: { ...seal, key: new Uint8Array(32) } })],
  ])("(A8) (P18) [O10] and names %s is cut, and nobody is told anything", (_whom, marks) => {
    const one = room();
    one.say(marks(one));
    expect(one.codes()).toEqual(["protocol-violation"]);
    expect([texts(one.ben.entries), texts(one.cid.entries), texts(one.world.hostEntries)]).toEqual([
      [],
      [],
      [],
    ]);
    expect([one.ben, one.cid].map(({ member }) => member.connection.name)).toEqual([
      "connected",
      "connected",
    ]);
  });

  it.each<[string, (one: ReturnType<typeof room>) => [Pick<ChatEvent, "to" | "seal">, Bytes?]]>([
    ["swaps their wraps", ({ to, seal }) => [{ to, seal: { ...seal, wraps: seal.wraps.toReversed() } }]],
    ["takes a body that does not open", ({ to, seal }) => [{ to, seal }, nodePrimitives.random(40)]],
    [
      "commits to another content key",
      ({ to, seal }) => [{ to, seal: { ...seal, commitment: nodePrimitives.random(32) } }],
    ],
    [
      "seals no proper text",
      ({ to, boxes, context }) => {
        const { seal, body } = sealTo(nodePrimitives, context, boxes, utf8("\u001b]0;x\u0007"));
        return [{ to, seal }, body];
      },
    ],
    ["seals it for another room", (one) => resealed(one, { room: new HostileHost().room })],
    ["takes the seal of somebody else", (one) => resealed(one, { from: one.ben.member.self })],
    ["takes the seal of another message", (one) => resealed(one, { n: 2 })],
  ])("(P18) [O10] and %s is not heard, and disturbs nobody", (_how, attack) => {
    const one = room();
    const [marks, body] = attack(one);
    one.say(marks, body);
    expect(alarmsOf(one)).toEqual([["message-unreadable"], ["message-unreadable"]]);
    one.world.room.say({ text: "still here" }, one.world.now);
    one.world.settle();
    expect([texts(one.ben.entries), texts(one.cid.entries)]).toEqual([["still here"], ["still here"]]);
  });

  it("(A27) (P13) [K8] and has made one body open under two keys still shows no two texts to two recipients", () => {
    const [ben, cid] = [nodePrimitives.generateDhKeyPair(), nodePrimitives.generateDhKeyPair()];
    const contents = [nodePrimitives.random(32), nodePrimitives.random(32)] as const;
    const body = boxForTwo(...contents);
    const shown = contents.map((key) => nodePrimitives.secretboxOpen(key, new Uint8Array(24), body));
    expect(shown.map((text) => text?.length)).toEqual([32, 32]);
    expect(shown[0]).not.toEqual(shown[1]);
    // The same ephemeral key throughout, and either content key: what is sealed differs in nothing else.
    const pair = nodePrimitives.generateDhKeyPair();
    const host = new HostileHost();
    const context = { room: host.room, from: newcomer(host, "eve").id, n: 1 };
    const boxes = [ben.publicKey, cid.publicKey];
    const seals = contents.map((content) => {
      const primitives = { ...nodePrimitives, random: () => content, generateDhKeyPair: () => pair };
      return sealTo(primitives, context, boxes, utf8("")).seal;
    });
    const wraps = seals.flatMap((seal, index) => seal.wraps.slice(index, index + 1));
    const opened = seals.map((seal) =>
      [ben, cid].map((keys, index) =>
        openSealed(nodePrimitives, context, { keys, index }, { seal: { ...seal, wraps }, body }),
      ),
    );
    expect(opened).toEqual([
      [shown[0], undefined],
      [undefined, shown[1]],
    ]);
  });

  it("(P14) [O10] to whom nothing is said is given hashes in place of what is said to others, however long", () => {
    const { world, ben, cid, mallory } = room();
    mallory.frames();
    ben.member.say({ text: "x".repeat(60_000), to: [cid.member.self] }, world.now);
    world.room.say({ text: SECRET, to: [ben.member.self] }, world.now);
    world.settle();
    const bytes = world.sentTo(mallory.connection).slice(-2);
    expect(bytes.map(({ length }) => length)).toEqual([1_024, 1_024]);
    const told = mallory.hostFrames().flatMap((frame) => (frame.t === "event" ? [frame.event] : []));
    expect(told).toMatchObject([
      { kind: "withheld", from: world.room.self, n: 1, to: [ben.member.self] },
      { kind: "withheld", from: ben.member.self, n: 1, to: [cid.member.self] },
    ]);
    const fields = ["digests", "from", "kind", "n", "prev", "sig", "to", "view"];
    expect(told.map((event) => Object.keys(event).toSorted())).toEqual([fields, fields]);
    expect(texts(cid.entries)).toHaveLength(1);
    expect(texts(ben.entries).toSorted()).toEqual([SECRET, "x".repeat(60_000)]);
    expect(texts(world.hostEntries)).toEqual([SECRET]);
  });

  it("(P18) [O10] and names only who is not there is heard by nobody, and stays in the room", () => {
    const one = room();
    const stranger = newcomer(new HostileHost(), "x").id;
    one.say({ to: [stranger], seal: { ...one.seal, wraps: one.seal.wraps.slice(1) } });
    expect(one.codes()).toEqual([]);
    expect([texts(one.ben.entries), texts(one.cid.entries), texts(one.world.hostEntries)]).toEqual([
      [],
      [],
      [],
    ]);
    expect(one.ben.member.lastSeq).toBe(one.world.room.lastSeq);
  });
});

const alarmsOf = ({ ben, cid }: { ben: Guest; cid: Guest }): string[][] =>
  [ben, cid].map((guest) => guestDid(guest, "alarm").map(({ error }) => error.code));
/** A message that would be right in another context. */
function resealed(
  { to, boxes, context }: { to: ChatEvent["to"]; boxes: readonly Bytes[]; context: SealContext },
  change: Partial<SealContext>,
): [Pick<ChatEvent, "to" | "seal">, Bytes] {
  const { seal, body } = sealTo(nodePrimitives, { ...context, ...change }, boxes, utf8(SECRET));
  return [{ to, seal }, body];
}
const sealed = (event: ChatEvent, change: Partial<NonNullable<ChatEvent["seal"]>>): ChatEvent => ({
  ...event,
  ...(event.seal && { seal: { ...event.seal, ...change } }),
});
const addressedTo = (event: ChatEvent, { self }: HostileHost): ChatEvent => ({
  ...event,
  to: [self.id, ...(event.to ?? []).slice(1)],
});
function open(event: ChatEvent): ChatEvent {
  const { to: _, seal: __, ...rest } = event;
  return rest;
}
