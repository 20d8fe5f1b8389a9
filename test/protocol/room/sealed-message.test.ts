import { describe, expect, it } from "vitest";
import { openSealed, sealTo } from "../../../src/protocol/room/sealed-message.ts";
import { concat, lengthPrefixed, toHex, u64be, type Bytes } from "../../../src/protocol/base/bytes.ts";
import { memberIdFrom, roomIdFrom } from "../../../src/protocol/base/ids.ts";
import { sealedToKey } from "../../../src/protocol/handshake/keys.ts";
import type { Entry } from "../../../src/protocol/room/log.ts";
import { Impostor } from "../../support/impostor.ts";
import { seededPrimitives } from "../../support/random.ts";
import { codeOf } from "../../support/thrown.ts";
import { endOf, guestDid, nodePrimitives, texts, World, type Guest } from "../../support/wire.ts";
import { encodeUtf8 } from "../../../src/protocol/base/utf8.ts";

const utf8 = (text: string): Bytes => encodeUtf8(text);
const CONTEXT = {
  room: roomIdFrom(nodePrimitives.random(16)),
  from: memberIdFrom(nodePrimitives.random(8)),
  n: 7,
};

describe("a sealed text", () => {
  it("[K8] opens for each of those it is for, at its own place, and for nobody else", () => {
    const [ben, cid, eve] = [1, 2, 3].map(() => nodePrimitives.generateDhKeyPair());
    if (ben === undefined || cid === undefined || eve === undefined) throw new Error("no keys");
    const sealed = sealTo(nodePrimitives, CONTEXT, [ben.publicKey, cid.publicKey], utf8("between us"));
    expect(openSealed(nodePrimitives, CONTEXT, { keys: ben, index: 0 }, sealed)).toEqual(utf8("between us"));
    expect(openSealed(nodePrimitives, CONTEXT, { keys: cid, index: 1 }, sealed)).toEqual(utf8("between us"));
    for (const [who, index] of [
      [ben, 1],
      [cid, 0],
      [eve, 0],
      [eve, 1],
      [ben, 2],
      [ben, -1],
    ] as const)
      expect(openSealed(nodePrimitives, CONTEXT, { keys: who, index }, sealed)).toBeUndefined();
  });

  it("[K8] does not open when a bit of the seal or the body is another one", () => {
    const ben = nodePrimitives.generateDhKeyPair();
    const { seal, body } = sealTo(nodePrimitives, CONTEXT, [ben.publicKey], utf8("x"));
    const flipped = (bytes: Bytes): Bytes => bytes.map((byte, at) => (at === 5 ? byte ^ 1 : byte));
    const open = (changed: { seal: typeof seal; body: Bytes }): Bytes | undefined =>
      openSealed(nodePrimitives, CONTEXT, { keys: ben, index: 0 }, changed);
    expect(open({ seal: { ...seal, key: flipped(seal.key) }, body })).toBeUndefined();
    expect(open({ seal: { ...seal, wraps: seal.wraps.map(flipped) }, body })).toBeUndefined();
    expect(open({ seal, body: flipped(body) })).toBeUndefined();
    expect(open({ seal: { ...seal, key: new Uint8Array(32) }, body })).toBeUndefined();
    expect(open({ seal: { ...seal, commitment: flipped(seal.commitment) }, body })).toBeUndefined();
    expect(open({ seal, body })).toEqual(utf8("x"));
  });

  it("[K8] does not open in another room, under another name, or in another message of the same sender", () => {
    const ben = nodePrimitives.generateDhKeyPair();
    const sealed = sealTo(nodePrimitives, CONTEXT, [ben.publicKey], utf8("x"));
    for (const other of [
      { room: roomIdFrom(nodePrimitives.random(16)) },
      { from: memberIdFrom(nodePrimitives.random(8)) },
      { n: 8 },
    ]) {
      const own = { keys: ben, index: 0 };
      expect(openSealed(nodePrimitives, { ...CONTEXT, ...other }, own, sealed)).toBeUndefined();
    }
  });

  it("[K8] is made by the formula of the specification", () => {
    const primitives = seededPrimitives("sealed to");
    const ben = primitives.generateDhKeyPair();
    const { seal, body } = sealTo(primitives, CONTEXT, [ben.publicKey], utf8("hi"));
    const shared = ben.agree(seal.key) ?? new Uint8Array(0);
    const { room, from, n } = CONTEXT;
    const binding = lengthPrefixed(utf8(room), utf8(from), u64be(n), seal.key, ben.publicKey);
    const key = nodePrimitives.hkdfSha256(shared, binding, utf8("tunnel-mcp/1 sealed-to"), 32);
    expect(toHex(sealedToKey(primitives, shared, binding))).toBe(toHex(key));
    const content = nodePrimitives.secretboxOpen(key, new Uint8Array(24), seal.wraps[0] ?? key);
    const label = utf8("tunnel-mcp/1 content-key");
    const committed = nodePrimitives.sha256(lengthPrefixed(label, content ?? key));
    expect(toHex(seal.commitment)).toBe(toHex(committed));
    expect(nodePrimitives.secretboxOpen(content ?? key, new Uint8Array(24), body)).toEqual(utf8("hi"));
  });
});

function three(): { world: World; ben: Guest; cid: Guest; eve: Guest } {
  const world = new World();
  const [ben, cid, eve] = [world.pair("ben"), world.pair("cid"), world.pair("eve")];
  world.advance(100);
  return { world, ben, cid, eve };
}

const chats = (entries: readonly Entry[]): (readonly [string, string, readonly string[] | undefined])[] =>
  entries.flatMap((entry) =>
    entry.kind === "chat" ? [[entry.fromName, entry.text, entry.to] as const] : [],
  );

describe("a message for some", () => {
  it("[O10] reaches those alone, is shown as such, and leaves everybody in the same order", () => {
    const { world, ben, cid, eve } = three();
    ben.member.say({ text: "to cid", to: [cid.member.self] }, world.now);
    world.room.say({ text: "to ben and eve", to: [ben.member.self, eve.member.self] }, world.now);
    cid.member.say({ text: "to the host", to: [world.room.self] }, world.now);
    world.settle();
    ben.member.say({ text: "to all" }, world.now);
    cid.member.say({ text: "to all, too" }, world.now);
    world.room.say({ text: "everybody" }, world.now);
    world.settle();
    const open = [
      ["ben", "to all", undefined],
      ["cid", "to all, too", undefined],
      ["ana", "everybody", undefined],
    ];
    const sort = (list: unknown[]): string[] => list.map((one) => JSON.stringify(one)).toSorted();
    const expectChats = (entries: readonly Entry[], own: unknown[]): void =>
      expect(sort(chats(entries))).toEqual(sort([...own, ...open]));
    expectChats(world.hostEntries, [
      ["ana", "to ben and eve", ["ben", "eve"]],
      ["cid", "to the host", ["ana"]],
    ]);
    expectChats(ben.entries, [
      ["ben", "to cid", ["cid"]],
      ["ana", "to ben and eve", ["ben", "eve"]],
    ]);
    expectChats(cid.entries, [
      ["ben", "to cid", ["cid"]],
      ["cid", "to the host", ["ana"]],
    ]);
    expectChats(eve.entries, [["ana", "to ben and eve", ["ben", "eve"]]]);
    for (const guest of [ben, cid, eve]) {
      expect(guest.member.connection.name).toBe("connected");
      expect(guest.member.lastSeq).toBe(world.room.lastSeq);
    }
    expect(world.did("alarm")).toEqual([]);
  });

  it("[O10] is nowhere in the host's process, though the host passes it on", () => {
    const { world, ben, cid } = three();
    const secret = "nobody but cid";
    ben.member.say({ text: secret, to: [cid.member.self] }, world.now);
    world.settle();
    expect(texts(cid.entries)).toEqual([secret]);
    expect(texts(world.hostEntries)).toEqual([]);
    expect(
      JSON.stringify(world.hostEffects, (_key, value: unknown) =>
        value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value,
      ),
    ).not.toContain(secret);
  });

  it("[O10] survives a cut like any other, in its place", () => {
    const { world, ben, cid, eve } = three();
    cid.offline = true;
    world.cut(cid);
    for (let count = 0; count < 5; count += 1) {
      ben.member.say({ text: `secret ${count}`, to: [cid.member.self] }, world.now);
      ben.member.say({ text: `open ${count}` }, world.now);
    }
    world.settle();
    cid.offline = false;
    world.advance(60_000);
    const counts = [0, 1, 2, 3, 4];
    expect(texts(cid.entries)).toEqual(counts.flatMap((n) => [`secret ${n}`, `open ${n}`]));
    expect(texts(eve.entries)).toEqual(counts.map((n) => `open ${n}`));
  });

  it("to nobody who is there is refused to the speaker", () => {
    const { world, ben, cid } = three();
    const stranger = new Impostor(world, world.link()).signer.id;
    expect(codeOf(() => ben.member.say({ text: "x", to: [stranger] }, world.now))).toBe("member-unknown");
    expect(codeOf(() => ben.member.say({ text: "x", to: [ben.member.self] }, world.now))).toBe(
      "member-unknown",
    );
    expect(codeOf(() => world.room.say({ text: "x", to: [world.room.self] }, world.now))).toBe(
      "member-unknown",
    );
    cid.member.leave(world.now);
    world.settle();
    expect(codeOf(() => world.room.say({ text: "x", to: [cid.member.self] }, world.now))).toBe(
      "member-unknown",
    );
  });

  it("[O10] that is sealed wrongly is reported to whom it was for, and nobody's stay ends", () => {
    const world = new World();
    const ben = world.pair("ben");
    const impostor = new Impostor(world, world.link());
    impostor.enter();
    world.settle();
    const wrong = sealTo(
      nodePrimitives,
      { room: world.room.id, from: impostor.signer.id, n: 1 },
      [impostor.box.publicKey, impostor.box.publicKey],
      utf8("x"),
    );
    const view = ben.member.membership?.order.view ?? impostor.view();
    const to = [ben.member.self, world.room.self];
    const { fields } = impostor.signer.sign({ body: wrong.body, view, to, seal: wrong.seal });
    impostor.data(impostor.codec.encodeMemberFrame({ t: "say", ...fields }, wrong.body));
    world.settle();
    expect(guestDid(ben, "alarm").map(({ error }) => error.code)).toEqual(["message-unreadable"]);
    expect(world.did("alarm").map(({ error, member }) => [error.code, member])).toEqual([
      ["message-unreadable", impostor.signer.id],
    ]);
    impostor.say("in the open", {}, ben.member.membership?.order.view);
    world.settle();
    expect(texts(ben.entries)).toEqual(["in the open"]);
    expect(endOf(ben)).toBeUndefined();
  });

  it("[O10] that holds no proper text is reported as well", () => {
    const world = new World();
    const ben = world.pair("ben");
    const impostor = new Impostor(world, world.link());
    impostor.enter();
    world.settle();
    const box = ben.member.membership?.order.members.find(({ id }) => id === ben.member.self)?.box;
    const { seal, body } = sealTo(
      nodePrimitives,
      { room: world.room.id, from: impostor.signer.id, n: 1 },
      [box ?? new Uint8Array(32)],
      utf8("\u001b]0;x\u0007"),
    );
    const view = ben.member.membership?.order.view ?? impostor.view();
    const { fields } = impostor.signer.sign({ body, view, to: [ben.member.self], seal });
    impostor.data(impostor.codec.encodeMemberFrame({ t: "say", ...fields }, body));
    world.settle();
    expect(guestDid(ben, "alarm").map(({ error }) => error.code)).toEqual(["message-unreadable"]);
    expect(texts(ben.entries)).toEqual([]);
  });

  it("has room for 63 recipients and 64 KiB of text", () => {
    const boxes = Array.from({ length: 63 }, () => nodePrimitives.generateDhKeyPair().publicKey);
    const { seal, body } = sealTo(nodePrimitives, CONTEXT, boxes, utf8("x".repeat(64 * 1_024)));
    expect(seal.wraps).toHaveLength(63);
    expect(concat(...seal.wraps).length + body.length).toBeLessThan(128 * 1_024);
  });
});
