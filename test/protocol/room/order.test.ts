import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { concat, toHex, u32be, u64be, type Bytes } from "../../../src/protocol/base/bytes.ts";
import type { WorkContext } from "../../../src/protocol/room/work-context.ts";
import type { ChatEvent, MemberRecord, View } from "../../../src/protocol/room/frames.ts";
import { memberIdFrom, roomIdFrom } from "../../../src/protocol/base/ids.ts";
import { ROOM } from "../../../src/protocol/base/limits.ts";
import {
  memberIdOf,
  NO_HASH,
  RoomOrder,
  signedBytes,
  SigningChain,
} from "../../../src/protocol/room/order.ts";
import { provedRecord } from "../../support/proved.ts";
import { cheapPrimitives } from "../../simulation/primitives.ts";
import { seededPrimitives } from "../../support/random.ts";
import { codeOf } from "../../support/thrown.ts";
import type { SigningKeyPair } from "../../../src/protocol/base/primitives.ts";
import { encodeUtf8 } from "../../../src/protocol/base/utf8.ts";

const primitives = seededPrimitives("order");
const room = roomIdFrom(primitives.random(16));
const sha256 = (...parts: Bytes[]): Bytes =>
  new Uint8Array(
    createHash("sha256")
      .update(concat(...parts))
      .digest(),
  );
const utf8 = (text: string): Bytes => encodeUtf8(text);
const lp = (...fields: Bytes[]): Bytes => concat(...fields.flatMap((field) => [u32be(field.length), field]));

const HOST = "ana";

function participant(
  name: string,
  workContext?: WorkContext,
): { signer: SigningChain; record: MemberRecord; keys: SigningKeyPair } {
  const keys = primitives.generateSigningKeyPair();
  const hash = name === HOST ? NO_HASH : primitives.random(32);
  return {
    keys,
    signer: new SigningChain(primitives, keys, room),
    record: provedRecord(room, keys, { name, workContext, hash }, primitives),
  };
}

/** A host and a member, as the host's replica has them after the member joined. */
function roomOfTwo(workContext?: WorkContext) {
  const host = participant("ana");
  const ben = participant("ben", workContext);
  const order = RoomOrder.genesis(primitives, room, host.record);
  order.appendSystem(1, 1000, { kind: "joined", member: ben.record });
  return { host, ben, order };
}

function said(from: SigningChain, view: View, text: string, extra: Partial<ChatEvent> = {}): ChatEvent {
  const { fields } = from.sign({ body: utf8(text), view });
  return { kind: "chat", from: from.id, ...fields, ...extra };
}

describe("order and signatures", () => {
  it("[O2] names a member after its key", () => {
    const { signer } = participant("ben");
    const expected = memberIdFrom(sha256(signer.publicKey).slice(0, 8));
    expect(signer.id).toBe(expected);
    expect(memberIdOf(primitives, signer.publicKey)).toBe(expected);
  });

  it("[O3] signs the room, the sender, its count and history, what it saw, its marks and the text", () => {
    const { ben, order } = roomOfTwo();
    const view = order.view;
    const marks = { what: "file", intent: "request", author: "human", replyTo: 1 } as const;
    const { fields } = ben.signer.sign({ body: utf8("hi"), view, ...marks });
    const signed = lp(
      utf8("tunnel-mcp/1 room-msg"),
      utf8(room),
      utf8(ben.signer.id),
      u64be(1),
      new Uint8Array(32),
      u64be(view.seq),
      view.chain,
      utf8("file"),
      utf8("request"),
      utf8("human"),
      u64be(1),
      utf8(""),
      sha256(),
      sha256(utf8("hi")),
    );
    expect(
      toHex(signedBytes(room, ben.signer.id, fields, { seal: sha256(), body: sha256(utf8("hi")) })),
    ).toBe(toHex(signed));
    expect(primitives.verifySignature(ben.signer.publicKey, signed, fields.sig)).toBe(true);
    const next = ben.signer.sign({ body: utf8("again"), view }).fields;
    expect([next.n, toHex(next.prev)]).toEqual([2, toHex(sha256(signed))]);
  });

  it("[O4] [O5] chains every event from the room's beginning, by the formulas of the specification", () => {
    const { host, ben, order } = roomOfTwo({ client: { name: "codex", version: "1" } });
    const workContext = lp(...["", "", "", "", "codex", "1"].map((text) => utf8(text)));
    const genesis = sha256(lp(utf8("tunnel-mcp/1 room-chain"), utf8(room), host.record.key));
    const members = [host.record, ben.record].toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const fields = members.flatMap((one) => [
      utf8(one.id),
      one.key,
      one.box,
      one.hash,
      one.proof,
      utf8(one.name),
      one === ben.record ? workContext : utf8(""),
    ]);
    const roster = sha256(lp(utf8("tunnel-mcp/1 roster"), ...fields));
    const event = sha256(
      lp(utf8("tunnel-mcp/1 room-event"), utf8("joined"), utf8(ben.record.id), utf8(""), roster),
    );
    const first = sha256(genesis, u64be(1), u64be(1000), event);
    expect(order.view).toEqual({ seq: 1, chain: first });
    const message = said(ben.signer, order.view, "hi");
    const hash = order.verify(message, utf8("hi"));
    order.appendChat(2, 1001, message, hash);
    expect(order.view).toEqual({ seq: 2, chain: sha256(first, u64be(2), u64be(1001), hash) });
  });

  it("[O5] the chain differs with every name, key, cause and time of an event", () => {
    const host = participant("ana").record;
    const ben = participant("ben").record;
    const chain = (member: MemberRecord, ts: number, cause?: "left" | "lost"): string => {
      const order = RoomOrder.genesis(primitives, room, host);
      order.appendSystem(1, ts, { kind: "joined", member });
      if (cause !== undefined) order.appendSystem(2, ts, { kind: "left", id: member.id, cause });
      return toHex(order.view.chain);
    };
    const all = [
      chain(ben, 1),
      chain(ben, 2),
      chain({ ...ben, name: "Ben" }, 1),
      chain({ ...ben, workContext: { client: { name: "codex", version: "1" } } }, 1),
      chain({ ...ben, workContext: { client: { name: "codex", version: "2" } } }, 1),
      chain({ ...ben, workContext: { repository: { name: "shop", dirty: true } } }, 1),
      chain({ ...ben, workContext: { repository: { name: "shop", dirty: false } } }, 1),
      chain(participant("ben").record, 1),
      chain(ben, 1, "left"),
      chain(ben, 1, "lost"),
    ];
    expect(new Set(all).size).toBe(all.length);
    expect(chain(ben, 1)).toBe(chain(ben, 1));
  });

  it("[O6] refuses a message of nobody, or one its sender did not sign", () => {
    const { ben, order, host } = roomOfTwo();
    const stranger = participant("eve");
    expect(codeOf(() => order.verify(said(stranger.signer, order.view, "x"), utf8("x")))).toBe(
      "order-broken",
    );
    const message = said(ben.signer, order.view, "x");
    const otherChain = { seq: 1, chain: primitives.random(32) };
    for (const [changed, text] of [
      [{ from: host.record.id }, "x"],
      [{}, "y"],
      [{ n: 2 }, "x"],
      [{ prev: primitives.random(32) }, "x"],
      [{ view: otherChain }, "x"],
      [{ intent: "ack" }, "x"],
      [{ replyTo: 1 }, "x"],
      [{ to: [host.record.id] }, "x"],
      [{ sig: primitives.random(64) }, "x"],
    ] as [Partial<ChatEvent>, string][]) {
      expect(codeOf(() => order.verify({ ...message, ...changed }, utf8(text)))).toBe("order-broken");
    }
    expect(codeOf(() => order.verify(message, utf8("x")))).toBeUndefined();
  });

  it("[O6] refuses a message of another room", () => {
    const { ben, order } = roomOfTwo();
    const other = roomIdFrom(primitives.random(16));
    const keys = primitives.generateSigningKeyPair();
    const here = new SigningChain(primitives, keys, other);
    order.appendSystem(2, 1001, {
      kind: "joined",
      member: provedRecord(room, keys, { name: "cid", hash: primitives.random(32) }),
    });
    expect(codeOf(() => order.verify(said(here, order.view, "x"), utf8("x")))).toBe("order-broken");
    expect(codeOf(() => order.verify(said(ben.signer, order.view, "x"), utf8("x")))).toBeUndefined();
  });

  it("[O6] refuses a message that is missing, repeated or out of turn, the first one included", () => {
    const { ben, order } = roomOfTwo();
    const [one, two, three] = ["1", "2", "3"].map((text) => said(ben.signer, order.view, text));
    if (one === undefined || two === undefined || three === undefined) throw new Error("unsaid");
    expect(codeOf(() => order.verify(two, utf8("2")))).toBe("order-broken");
    order.appendChat(2, 1001, one, order.verify(one, utf8("1")));
    expect(codeOf(() => order.verify(one, utf8("1")))).toBe("order-broken");
    expect(codeOf(() => order.verify(three, utf8("3")))).toBe("order-broken");
    order.appendChat(3, 1001, two, order.verify(two, utf8("2")));
    order.appendChat(4, 1001, three, order.verify(three, utf8("3")));
    expect(order.view.seq).toBe(4);
  });

  it("[O6] finds a host out that shows two members different orders", () => {
    const { host, ben, order } = roomOfTwo();
    const cid = participant("cid").record;
    const [ana, bea] = [0, 1].map(() => new RoomOrder(primitives, room, host.record.id, order));
    if (ana === undefined || bea === undefined) throw new Error("no replicas");
    const [told, hidden] = [
      said(host.signer, order.view, "yes"),
      said(participant("x").signer, order.view, "no"),
    ];
    ana.appendChat(2, 1001, told, ana.verify(told, utf8("yes")));
    bea.appendSystem(2, 1001, { kind: "joined", member: cid });
    expect(hidden.n).toBe(1);
    const fromAna = said(ben.signer, ana.view, "as you said");
    expect(codeOf(() => bea.verify(fromAna, utf8("as you said")))).toBe("host-equivocation");
    expect(codeOf(() => ana.verify(fromAna, utf8("as you said")))).toBeUndefined();
    const ahead = said(ben.signer, { seq: 99, chain: primitives.random(32) }, "from the future", { n: 1 });
    expect(codeOf(() => ana.verify({ ...ahead, prev: fromAna.prev }, utf8("from the future")))).toBeDefined();
  });

  it("[O6] a view ahead of this replica means that something was withheld from it", () => {
    const { ben, order } = roomOfTwo();
    const ahead = said(ben.signer, { seq: 2, chain: primitives.random(32) }, "x");
    expect(codeOf(() => order.verify(ahead, utf8("x")))).toBe("host-equivocation");
  });

  it("[O1] the order has no gaps and no repeats", () => {
    const { order } = roomOfTwo();
    for (const seq of [0, 1, 3])
      expect(codeOf(() => order.appendSystem(seq, 1, { kind: "idle-warning", endsInMs: 1 }))).toBe(
        "order-broken",
      );
    expect(order.view.seq).toBe(1);
  });

  it("[O12] a return alone skips places, forward, and what nobody can have seen is no view", () => {
    const { ben, order } = roomOfTwo();
    const replica = () => new RoomOrder(primitives, room, order.host, order);
    for (const seq of [0, 1])
      expect(codeOf(() => replica().appendSystem(seq, 1001, { kind: "returned" }))).toBe("order-broken");
    const before = order.view;
    order.appendSystem(70, 1001, { kind: "returned" });
    const roster = [...order.members].toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const listed = roster.flatMap(({ id, key, box, hash, proof, name }) => [
      utf8(id),
      key,
      box,
      hash,
      proof,
      utf8(name),
      utf8(""),
    ]);
    const hash = sha256(
      lp(
        utf8("tunnel-mcp/1 room-event"),
        utf8("returned"),
        utf8(""),
        utf8(""),
        sha256(lp(utf8("tunnel-mcp/1 roster"), ...listed)),
      ),
    );
    const chain = sha256(before.chain, u64be(70), u64be(1001), hash);
    expect([order.view.seq, toHex(order.view.chain)]).toEqual([70, toHex(chain)]);
    expect(codeOf(() => order.appendSystem(72, 1002, { kind: "idle-warning", endsInMs: 1 }))).toBe(
      "order-broken",
    );
    // It had seen the place before the return, or that of the return; nobody has seen one between them.
    for (const [view, code] of [
      [before, undefined],
      [order.view, undefined],
      [{ seq: 2, chain: before.chain }, "host-equivocation"],
      [{ seq: 69, chain: order.view.chain }, "host-equivocation"],
      [{ seq: 71, chain: order.view.chain }, "host-equivocation"],
    ] as const) {
      const signer = new SigningChain(primitives, ben.keys, room);
      const message = said(signer, view, "here");
      expect(codeOf(() => order.verify(message, utf8("here")))).toBe(code);
    }
  });

  it("[O2] refuses a member under an id that is taken or not its own", () => {
    const { ben, order } = roomOfTwo();
    const cid = participant("cid").record;
    const joined = (member: MemberRecord) => () => order.appendSystem(2, 1001, { kind: "joined", member });
    expect(codeOf(joined(ben.record))).toBe("order-broken");
    expect(codeOf(joined({ ...cid, key: ben.record.key }))).toBe("order-broken");
    expect(codeOf(joined(cid))).toBeUndefined();
  });

  it("[O2] [H13] refuses a record that is not proved in every one of its parts, and a host's hash for anybody else", () => {
    const { host, order } = roomOfTwo();
    const cid = participant("cid").record;
    const joined = (member: MemberRecord) => () => order.appendSystem(2, 1001, { kind: "joined", member });
    const other = participant("dan").record;
    const asHost = participant(HOST).record;
    for (const [what, member] of Object.entries({
      "another box": { ...cid, box: other.box },
      "another handshake": { ...cid, hash: other.hash },
      "another proof": { ...cid, proof: other.proof },
      "another key": { ...cid, id: other.id, key: other.key },
      "the hash of a host": { ...asHost, name: "cid" },
    }))
      expect([what, codeOf(joined(member))]).toEqual([what, "order-broken"]);
    const begin = (member: MemberRecord) => () => RoomOrder.genesis(primitives, room, member);
    expect(codeOf(begin(cid))).toBe("order-broken");
    expect(codeOf(begin(host.record))).toBeUndefined();
    expect(codeOf(joined(cid))).toBeUndefined();
  });

  it("[O11] lets nobody back by a joined, known from it or from the roster it began with", () => {
    const { host, ben, order } = roomOfTwo();
    const late = new RoomOrder(primitives, room, host.record.id, order);
    for (const replica of [order, late]) {
      replica.appendSystem(2, 1001, { kind: "left", id: ben.record.id, cause: "lost" });
      expect([replica.member(ben.record.id), replica.hasHad(ben.record.id)]).toEqual([undefined, true]);
      const again = () => replica.appendSystem(3, 1002, { kind: "joined", member: ben.record });
      expect(codeOf(again)).toBe("order-broken");
    }
  });

  it("[O11] has a bound on everybody that is remembered", () => {
    const cheap = cheapPrimitives(1);
    const member = (name: string, hash: Bytes) =>
      provedRecord(room, cheap.generateSigningKeyPair(), { name, hash }, cheap);
    const host = member(HOST, NO_HASH);
    const order = RoomOrder.genesis(cheap, room, host);
    const hash = cheap.random(32);
    let seq = 0;
    const comes = (): void => {
      const one = member("ben", hash);
      order.appendSystem((seq += 1), 1, { kind: "joined", member: one });
      order.appendSystem((seq += 1), 1, { kind: "left", id: one.id, cause: "left" });
    };
    while (order.everybodySoFar < ROOM.maxMembersEver) comes();
    expect(codeOf(comes)).toBe("order-broken");
  });
});
