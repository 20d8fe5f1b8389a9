import { describe, expect, it } from "vitest";
import { concat, toHex, u32be, u64be, type Bytes } from "../../src/protocol/base/bytes.ts";
import {
  acceptAuth,
  GuestHandshake,
  readAuth,
  verifyAuthTag,
  writeChallenge,
} from "../../src/protocol/handshake/handshake.ts";
import {
  controlKey,
  inviteCredential,
  nextTrafficSecret,
  resumeCredential,
  resumeSecret,
} from "../../src/protocol/handshake/keys.ts";
import type { DhKeyPair } from "../../src/protocol/base/primitives.ts";
import { FRAME, RecordLayer } from "../../src/protocol/record/record.ts";
import { safetyCode } from "../../src/protocol/handshake/safety-code.ts";
import { PRE_AUTH } from "../../src/protocol/base/limits.ts";
import type { Confirm, MemberRecord } from "../../src/protocol/room/frames.ts";
import { Impostor } from "../support/impostor.ts";
import { alive, eyes } from "./support/eyes.ts";
import { HostileHost, Victim } from "./support/host.ts";
import { expectCaught, newcomer, three } from "./support/room.ts";
import { provedRecord } from "../support/proved.ts";
import { codeOf } from "../support/thrown.ts";
import { endOf, nodePrimitives, texts, World, type Guest } from "../support/wire.ts";
import { encodeUtf8 } from "../../src/protocol/base/utf8.ts";

const roomBytes = (room: string): Bytes => new Uint8Array(Buffer.from(room, "base64url"));
const isRecord = (message: Bytes): boolean => message[0] === 0x10;

/** Whether any record of a guest's opens under a key, tried at every place of the first epoch. */
function opensAny(guest: Guest, key: Bytes): boolean {
  return [guest.wire.toHost, guest.wire.toGuest].some((way) =>
    way.filter(isRecord).some((record) =>
      [0, 1, 2, 3].some((counter) => {
        const nonce = concat(encodeUtf8("tmc1"), u32be(0), new Uint8Array(8), u64be(counter));
        return nodePrimitives.secretboxOpen(key, nonce, record.subarray(1)) !== undefined;
      }),
    ),
  );
}

/** Everything a thief can think of making out of the 32 bytes that it has. */
function keysFrom(secret: Bytes): Bytes[] {
  const next = nextTrafficSecret(nodePrimitives, secret);
  const resume = resumeSecret(nodePrimitives, secret);
  const invite = inviteCredential(nodePrimitives, secret);
  const again = resumeCredential(nodePrimitives, secret);
  const secrets = [secret, next, resume, invite.psk, invite.mac, again.psk, again.mac];
  return [...secrets, ...secrets.map((one) => controlKey(nodePrimitives, one))];
}

/** The host's half of a recorded handshake, done again with the host's own static key but without its ephemeral one. */
function redo(guest: Guest, inviteKey: Bytes, hostStatic: DhKeyPair): Bytes[] {
  const [challenge = new Uint8Array(0)] = guest.wire.toGuest;
  const auth = readAuth(guest.wire.toHost[0] ?? new Uint8Array(0));
  const credential = inviteCredential(nodePrimitives, inviteKey);
  const redone = auth && acceptAuth(nodePrimitives, { challenge, auth, credential, hostStatic });
  if (redone === undefined) return [];
  const { initiatorToResponder, responderToInitiator, exporter, hash } = redone.result;
  return [initiatorToResponder, responderToInitiator, exporter, hash];
}

function session(): { world: World; seen: ReturnType<typeof eyes>; guest: Guest; inviteKey: Bytes } {
  const seen = eyes();
  const world = new World({ idleMs: 24 * 3_600_000 }, seen.primitives);
  const link = world.link();
  const inviteKey = link.key.slice();
  const guest = world.join(link);
  world.settle();
  world.room.say({ text: "recorded" }, world.now);
  guest.member.say({ text: "recorded too" }, world.now);
  world.advance(1_000);
  return { world, seen, guest, inviteKey };
}

describe("the thief of a key", () => {
  it("(A12) (P2) that gets the link and even the host's private key later opens no recorded record", () => {
    const { seen, guest, inviteKey } = session();
    const [hostStatic] = seen.dh;
    if (hostStatic === undefined) throw new Error("the host has no key");
    const redone = redo(guest, inviteKey, hostStatic);
    // The attack is on: with both keys the handshake itself can be done again.
    expect(redone).toHaveLength(4);
    const tried = [inviteKey, ...redone].flatMap(keysFrom);
    expect(tried.filter((key) => opensAny(guest, key))).toEqual([]);
    // And the keys of the session do open it, so this can fail.
    const real = seen.derived.filter(({ label }) => label === "control secretbox");
    expect(real.filter(({ copy }) => opensAny(guest, copy)).length).toBeGreaterThan(1);
  });

  it("(A12) (P2) (P11) that redoes the first handshake does not get the secret of a resume either", () => {
    const { world, seen, guest, inviteKey } = session();
    const [hostStatic] = seen.dh;
    if (hostStatic === undefined) throw new Error("the host has no key");
    const ids = redo(guest, inviteKey, hostStatic).map((secret) =>
      toHex(resumeCredential(nodePrimitives, resumeSecret(nodePrimitives, secret)).id),
    );
    world.cut(guest);
    world.advance(20_000);
    const proofs = guest.wire.toHost.filter((message) => message[0] === 2);
    expect(proofs).toHaveLength(2);
    expect(ids).not.toContain(toHex(proofs[1]?.slice(1, 17) ?? new Uint8Array(0)));
  });

  it.each(["used", "unused", "expired"])(
    "(P3) that holds another, %s invite opens nothing of a member's traffic",
    (state) => {
      const { world, seen, guest } = session();
      const leaked = world.link();
      const key = leaked.key.slice();
      if (state === "used") world.join(leaked, "cid");
      if (state === "expired") world.advance(11 * 60_000);
      world.settle();
      const [hostStatic] = seen.dh;
      if (hostStatic === undefined) throw new Error("the host has no key");
      expect(redo(guest, key, hostStatic)).toEqual([]);
      expect(keysFrom(key).filter((one) => opensAny(guest, one))).toEqual([]);
      const thief = world.join({ ...leaked, key: key.slice() }, "thief");
      world.settle();
      expect(endOf(thief)).toBe(state === "unused" ? undefined : "invite-refused");
      // Even let in by a link that nobody had used, it is told nothing of what was said before.
      expect(texts(thief.entries)).toEqual([]);
    },
  );

  it("(A10) (P7) that makes a guest answer fifty challenges of its choice can use none of the answers", () => {
    const world = new World();
    const link = world.link();
    const credential = inviteCredential(nodePrimitives, link.key);
    const room = roomBytes(link.room);
    const answers = Array.from({ length: 50 }, () => {
      const half = new GuestHandshake(nodePrimitives, {
        room,
        hostKey: link.hostKey,
        credential,
        claim: nodePrimitives.random(16),
      });
      const challenge = writeChallenge(nodePrimitives, room);
      return { challenge, auth: half.answer(challenge) };
    });
    const tags = new Set(answers.map(({ auth }) => toHex(auth.slice(17, 49))));
    expect(tags.size).toBe(50);
    for (const [index, { auth }] of answers.entries()) {
      const parsed = readAuth(auth);
      if (parsed === undefined) throw new Error("no AUTH");
      for (const other of answers.slice(index + 1))
        expect(verifyAuthTag(nodePrimitives, other.challenge, parsed, credential.mac)).toBe(false);
      // Neither is the key of the HMAC one that seals anything.
      expect(verifyAuthTag(nodePrimitives, answers[index]?.challenge ?? auth, parsed, link.key)).toBe(false);
      const stranger = world.stranger(`relay ${index}`);
      stranger.send(auth);
      expect(world.sentTo(stranger.connection).at(-1)).toEqual(Uint8Array.of(4));
    }
    expect(world.hostEntries).toEqual([]);
  });

  it("(A10) (P7) gets one answer of a guest on one connection, whatever it sends", () => {
    const world = new World();
    const guest = world.join(world.link());
    guest.tamperToGuest = (message, at) => (at === 0 ? [message, message, message] : [message]);
    world.settle();
    expect(guest.wire.toHost.filter((message) => message[0] === 2)).toHaveLength(1);
    expect(endOf(guest)).toBe("host-not-authentic");
  });

  it("(A11) (P7) finds no two purposes that share a key, over joining, talking, rekeying and coming back", () => {
    const { world, seen, guest } = session();
    world.cut(guest);
    world.advance(20 * 60_000);
    const outputs = seen.derived.map(({ label, copy }) => ({ label, hex: toHex(copy) }));
    const labelled = outputs.filter(({ label }) => label !== "");
    expect(new Set(labelled.map(({ label }) => label))).toEqual(
      new Set([
        "invite-id",
        "invite-psk",
        "invite-mac",
        "resume",
        "resume-id",
        "resume-psk",
        "resume-mac",
        "control secretbox",
        "bulk chacha20poly1305",
        "rekey",
        "sas",
      ]),
    );
    const purposes = new Map<string, Set<string>>();
    for (const { label, hex } of labelled) purposes.set(hex, (purposes.get(hex) ?? new Set()).add(label));
    expect([...purposes.values()].filter((labels) => labels.size > 1)).toEqual([]);
  });

  it("(P6) (P7) [R1] has no use for a record in the other direction, or for a handshake message as a record", () => {
    const secrets = { send: nodePrimitives.random(32), receive: nodePrimitives.random(32) };
    const [left, right] = [
      new RecordLayer(nodePrimitives, { send: secrets.send.slice(), receive: secrets.receive.slice() }, 0),
      new RecordLayer(nodePrimitives, { send: secrets.receive.slice(), receive: secrets.send.slice() }, 0),
    ];
    const [record = new Uint8Array(0)] = left.seal({ type: FRAME.note, payload: Uint8Array.of(1) }, 0);
    expect(() => left.open(record, 0)).toThrow("altered");
    const { guest } = session();
    for (const message of [...guest.wire.toHost.slice(0, 1), ...guest.wire.toGuest.slice(0, 2)])
      expect(() => right.open(message, 0)).toThrow("altered");
  });

  it("(P12) [K6] finds a fresh key every 15 minutes, and of the old ones only zeros", () => {
    const { world, seen } = session();
    const first = seen.derived.filter(({ label }) => label === "control secretbox");
    expect(first).toHaveLength(4);
    world.advance(46 * 60_000);
    const keys = seen.derived.filter(({ label }) => label === "control secretbox");
    expect(keys.length).toBeGreaterThanOrEqual(4 * 3);
    expect(new Set(keys.map(({ copy }) => toHex(copy))).size).toBe(keys.length / 2);
    // Two directions at two ends hold one key and one secret each.
    expect(alive(seen, "control secretbox")).toHaveLength(4);
    expect(alive(seen, "rekey")).toHaveLength(4);
    expect(first.map(({ bytes }) => toHex(bytes))).toEqual(first.map(() => toHex(new Uint8Array(32))));
  });

  it("(P17) finds no key of a record, an invite or a resume left once both have closed", () => {
    const { world, seen, guest } = session();
    for (let turn = 0; turn < 3; turn += 1) {
      world.cut(guest);
      world.advance(20_000);
    }
    world.link();
    expect(alive(seen, "control secretbox").length).toBeGreaterThan(0);
    world.room.end("closed", world.now);
    world.settle();
    expect(guest.member.connection.name).toBe("ended");
    const kept = ["control secretbox", "rekey", "invite-psk", "invite-mac", "resume-psk", "resume-mac"];
    expect(alive(seen, ...kept)).toEqual([]);
  });
});

/** What somebody puts into CONFIRM who does not own all that it names. */
type Forgery = (one: {
  readonly ben: MemberRecord;
  readonly mallory: Impostor;
  readonly hash: Bytes;
}) => Partial<Confirm>;

/** The ways to name ben's signing key, or his keys, without having them. */
const FORGERIES: readonly (readonly [string, Forgery])[] = [
  [
    "with no more than a box of its own",
    ({ ben, mallory, hash }) => {
      const proof = mallory.signer.prove(hash, mallory.box.publicKey);
      return { key: ben.key, proof };
    },
  ],
  ["with the proof that the roster has", ({ ben }) => ({ key: ben.key, proof: ben.proof })],
  [
    "with his box, and the proof that the roster has",
    ({ ben: { key, box, proof } }) => ({ key, box, proof }),
  ],
  [
    "with his box, and a proof by its own key",
    ({ ben, mallory, hash }) => {
      return { key: ben.key, box: ben.box, proof: mallory.signer.prove(hash, ben.box) };
    },
  ],
  ["with a proof of zeros", ({ ben }) => ({ key: ben.key, proof: new Uint8Array(64) })],
];

const DENIED = Uint8Array.of(4);
const lastTo = (world: World, { connection }: Impostor): Bytes | undefined => world.sentTo(connection).at(-1);

/** The record that everybody has of a member. */
function recordOf(world: World, one: Guest, of: Guest = one): MemberRecord {
  world.settle();
  const record = one.member.membership?.order.member(of.member.self);
  if (record === undefined) throw new Error("not in the roster");
  return record;
}

describe("somebody who names keys that are not its own", () => {
  it.each(FORGERIES)(
    "(A6) (P9) [H13] [O11] with an invite of its own does not get the id of one who has left, %s (F1)",
    (_how, forge) => {
      const world = new World({ idleMs: 24 * 3_600_000 });
      const [ben, cid] = [world.pair("ben"), world.pair("cid")];
      const record = recordOf(world, cid, ben);
      ben.member.leave(world.now);
      world.settle();
      const invites = world.room.pendingInvites(world.now).length;
      const mallory = new Impostor(world, world.link());
      mallory.enter((hash) => forge({ ben: record, mallory, hash }));
      world.settle();
      expect(lastTo(world, mallory)).toEqual(DENIED);
      expect(cid.entries.filter((entry) => entry.kind === "system").at(-1)).toMatchObject({ event: "left" });
      const whisper = () => cid.member.say({ text: "for ben", to: [record.id] }, world.now);
      expect(codeOf(whisper)).toBe("member-unknown");
      // The invite is free again, and still lets one in who tells the truth.
      expect(world.room.pendingInvites(world.now)).toMatchObject([{ claimed: false }]);
      expect(invites).toBe(0);
    },
  );

  it.each(FORGERIES)(
    "(A6) (P11) [H13] with a stolen resume secret does not get the seat of a member, %s (F2)",
    (_how, forge) => {
      const seen = eyes();
      const world = new World({ idleMs: 24 * 3_600_000 }, seen.primitives);
      const link = world.link();
      const cid = world.pair("cid");
      const ben = world.join(link, "ben");
      const record = recordOf(world, ben);
      const secret = seen.derived.findLast(({ label }) => label === "resume")?.copy ?? new Uint8Array(0);
      const stolen = resumeCredential(nodePrimitives, secret);
      const mallory = new Impostor(world, link, nodePrimitives, stolen);
      mallory.enter((hash) => forge({ ben: record, mallory, hash }));
      // What F2 did next: to leave in his name.
      mallory.data(mallory.codec.encodeMemberFrame({ t: "leave" }));
      world.settle();
      world.room.say({ text: "for the members" }, world.now);
      world.settle();
      expect(lastTo(world, mallory)).toEqual(DENIED);
      expect(cid.entries.flatMap((entry) => (entry.kind === "system" ? [entry.event] : []))).toEqual([
        "joined",
        "joined",
      ]);
      expect(texts(ben.entries)).toEqual(["for the members"]);
      // His own secret is as good as before.
      world.cut(ben);
      world.advance(20_000);
      expect(ben.member.connection.name).toBe("connected");
      expect(ben.wire.toHost.filter((message) => message[0] === 2)).toHaveLength(2);
    },
  );

  it("(A6) (P11) [H13] with a stolen resume secret does not get a seat with keys of its own either (F2)", () => {
    const seen = eyes();
    const world = new World({}, seen.primitives);
    const link = world.link();
    world.join(link, "ben");
    world.settle();
    const secret = seen.derived.findLast(({ label }) => label === "resume")?.copy ?? new Uint8Array(0);
    const mallory = new Impostor(world, link, nodePrimitives, resumeCredential(nodePrimitives, secret));
    mallory.enter();
    expect(lastTo(world, mallory)).toEqual(DENIED);
    expect(world.room.presence(world.now).map(({ name }) => name)).toEqual(["ana", "ben"]);
  });

  it("(P11) comes back with its own secret and its own keys, so that the attacks above can fail", () => {
    const world = new World();
    const mallory = new Impostor(world, world.link());
    mallory.enter();
    mallory.enter();
    expect(lastTo(world, mallory)?.[0]).toBe(0x10);
    const { publicKey: box } = nodePrimitives.generateDhKeyPair();
    mallory.enter((hash) => ({ box, proof: mallory.signer.prove(hash, box) }));
    expect(lastTo(world, mallory), "with another box, though proved").toEqual(DENIED);
  });

  it.each([true, false])(
    "(P9) [O11] owns them, is a member (%s) or was one, and does not come in by another invite",
    (isPresent) => {
      const world = new World();
      world.pair("ben");
      const [first, again] = [new Impostor(world, world.link()), new Impostor(world, world.link())];
      first.enter();
      if (!isPresent) first.data(first.codec.encodeMemberFrame({ t: "leave" }));
      world.settle();
      const { publicKey: key } = first.keys;
      const { publicKey: box } = again.box;
      again.enter((hash) => ({ key, proof: first.signer.prove(hash, box) }));
      expect(lastTo(world, again)).toEqual(DENIED);
      expect(world.room.pendingInvites(world.now)).toMatchObject([{ claimed: false }]);
      const there = world.room.presence(world.now).filter(({ id }) => id === first.signer.id);
      expect(there).toHaveLength(isPresent ? 1 : 0);
    },
  );

  it.each(["an invite", "a resume secret"])(
    "(P10) [A3] [H13] has every wrong proof counted like a wrong secret, with %s",
    (what) => {
      const seen = eyes();
      const world = new World({}, seen.primitives);
      const link = world.link();
      const ben = world.join({ ...link, key: link.key.slice() }, "ben");
      const record = recordOf(world, ben);
      const secret = seen.derived.findLast(({ label }) => label === "resume")?.copy ?? new Uint8Array(0);
      const invite = inviteCredential(nodePrimitives, world.link().key);
      const credential = what === "an invite" ? invite : resumeCredential(nodePrimitives, secret);
      const { key, box } = record;
      for (let turn = 0; turn < PRE_AUTH.failureBurst; turn += 1) {
        expect(world.room.admits("one source", world.now)).toBe(true);
        const mallory = new Impostor(world, link, nodePrimitives, credential);
        mallory.source = "one source";
        // Half of them proved, but not for this seat: what admission lets through, membership refuses.
        mallory.enter(turn % 2 === 0 ? { key, box } : { received: 1 });
        expect(lastTo(world, mallory)).toEqual(DENIED);
      }
      expect(world.room.admits("one source", world.now)).toBe(false);
      expect(world.room.admits("another", world.now)).toBe(true);
    },
  );

  it("(P9) [I5] [G7] frees its invite when it names a resume point that a newcomer cannot have", () => {
    const world = new World();
    const link = world.link();
    const mallory = new Impostor(world, link);
    mallory.enter({ received: 1 });
    expect(lastTo(world, mallory)).toEqual(DENIED);
    expect(world.room.pendingInvites(world.now)).toMatchObject([{ claimed: false }]);
    const ben = world.join(link);
    world.settle();
    expect(ben.member.connection.name).toBe("connected");
  });
});

describe("a host that shows keys that nobody proved", () => {
  const swapped: [string, (host: HostileHost, dan: MemberRecord) => Partial<MemberRecord>][] = [
    ["the host's box", (host) => ({ box: host.box.publicKey })],
    [
      "the host's box, and the host's proof",
      (host) => {
        const { box, hash, proof } = host.self;
        return { box, hash, proof };
      },
    ],
    ["another handshake", () => ({ hash: nodePrimitives.random(32) })],
    ["the handshake of a host", () => ({ hash: new Uint8Array(32) })],
    ["no proof", () => ({ proof: new Uint8Array(64) })],
    ["the proof of the host", (host) => ({ proof: host.self.proof })],
    [
      "a proof by the host for its box",
      (host, dan) => {
        const { publicKey: box } = host.box;
        return {
          box,
          proof: provedRecord(host.room, host.signing, { name: "dan", hash: dan.hash, box }).proof,
        };
      },
    ],
  ];

  it.each(swapped)(
    "(P13) [O2] [H13] of a member that joins, with %s, is caught at once (F4)",
    (_what, change) => {
      const { host, ben } = three();
      const dan = newcomer(host, "dan");
      ben.tell({ kind: "joined", member: { ...dan, ...change(host, dan) } });
      expectCaught(ben, "order-broken", ["joined", "joined"]);
    },
  );

  it.each(swapped)(
    "(P13) [O2] [H13] of a member that is there, with %s, is caught at once (F4)",
    (_what, change) => {
      const { host, ben } = three();
      const eve = new Victim(host, "eve");
      const { record } = ben;
      eve.welcome({ members: [host.self, { ...record, ...change(host, record) }], view: ben.view });
      expectCaught(eve, "order-broken", []);
      expect(eve.member.membership).toBeUndefined();
    },
  );

  it.each<[string, (host: HostileHost) => MemberRecord]>([
    ["no proof", (host) => ({ ...host.self, proof: new Uint8Array(64) })],
    ["another box", (host) => ({ ...host.self, box: nodePrimitives.generateDhKeyPair().publicKey })],
    [
      "a handshake",
      (host) => {
        const { name, box } = host.self;
        return provedRecord(host.room, host.signing, { name, box, hash: nodePrimitives.random(32) });
      },
    ],
  ])("(P13) [O2] [H13] of its own, with %s, is caught at once", (_what, self) => {
    const host = new HostileHost();
    const ben = new Victim(host, "ben");
    ben.welcome({ members: [self(host)] });
    expectCaught(ben, "order-broken", []);
  });

  it("(P13) [O7] of the member that it tells, from another handshake than the first, is caught at once", () => {
    const host = new HostileHost();
    const ben = new Victim(host, "ben");
    const first = ben.record;
    ben.cut();
    ben.shake();
    const second = ben.record;
    expect(second.hash).not.toEqual(first.hash);
    ben.welcome();
    ben.tell({ kind: "joined", member: second });
    expectCaught(ben, "order-broken", []);

    const cid = new Victim(host, "cid");
    const { record } = cid;
    cid.cut();
    cid.shake();
    cid.welcome();
    cid.tell({ kind: "joined", member: record });
    expect([cid.end, cid.log]).toEqual([undefined, ["joined"]]);
  });

  it("(P13) [O11] of somebody who was there before comes back, is caught at once", () => {
    const { host, ben, cid } = three();
    ben.tell({ kind: "left", id: cid.id, cause: "lost" });
    // Even with the help of the one who left: proved, for a box and a handshake of today.
    ben.tell({ kind: "joined", member: newcomer(host, "cid") });
    expect(ben.end).toBeUndefined();
    ben.tell({ kind: "joined", member: { ...cid.record, name: "cid again" } });
    expectCaught(ben, "order-broken", ["joined", "joined", "left", "joined"]);
  });

  it.each<[string, Partial<MemberRecord>]>([
    [
      "a signing key under which anything is signed",
      {
        key: Uint8Array.of(1, ...new Uint8Array(31)),
        proof: Uint8Array.of(1, ...new Uint8Array(63)),
      },
    ],
    ["a box to which every key is the same", { box: new Uint8Array(32) }],
  ])("(P13) [K10] [K11] with %s, is caught at once", (_what, change) => {
    const { host, ben } = three();
    ben.tell({ kind: "joined", member: { ...newcomer(host, "eve"), ...change } });
    expectCaught(ben, "protocol-violation", ["joined", "joined"]);
  });
});

describe("somebody in the middle, whom the humans' safety code must show", () => {
  it("(P16) [N1] cannot make the two ends' codes equal by sitting between them", () => {
    for (let turn = 0; turn < 15; turn += 1) {
      const fake = new HostileHost();
      const victim = fake.session("ben");
      const world = new World();
      world.pair("ben");
      const shown = world.room.presence(world.now)[1]?.safetyCode ?? "";
      const theirs = victim.member.membership?.safetyCode ?? "";
      expect(shown.length).toBeGreaterThan(20);
      expect(theirs.split(" / ")[0]).not.toBe(shown.split(" / ")[0]);
      expect(theirs.split(" / ")[1]).not.toBe(shown.split(" / ")[1]);
    }
  });

  it("(P16) [H10] cannot search for a share that fits once it knows the host's half: it has committed to one", () => {
    const world = new World();
    const link = world.link();
    const half = new GuestHandshake(nodePrimitives, {
      room: roomBytes(link.room),
      hostKey: link.hostKey,
      credential: inviteCredential(nodePrimitives, link.key),
      claim: nodePrimitives.random(16),
    });
    const socket = world.stranger("middle");
    const [challenge = new Uint8Array(0)] = world.sentTo(socket.connection);
    socket.send(half.answer(challenge));
    const result = half.finish(world.sentTo(socket.connection)[1] ?? new Uint8Array(0));
    // Looking for the first sign of the victim's code takes 64 tries, which is nothing.
    const wanted = new HostileHost().session("ben").member.membership?.safetyCode.split(" ")[0];
    let share = nodePrimitives.random(32);
    while (safetyCode(nodePrimitives, result.hash, share).split(" ")[0] !== wanted)
      share = nodePrimitives.random(32);
    const { initiatorToResponder: send, responderToInitiator: receive } = result;
    const records = new RecordLayer(nodePrimitives, { send, receive }, world.now);
    const { codec, signing } = new HostileHost();
    const { key, box, proof } = provedRecord(link.room, signing, { name: "ben", hash: result.hash });
    const payload = codec.encodeConfirm({ share, name: "ben", key, box, proof, received: 0 });
    for (const message of records.seal({ type: FRAME.confirm, payload }, world.now)) socket.send(message);
    expect(world.sentTo(socket.connection).at(-1)).toEqual(Uint8Array.of(4));
    expect(world.hostEntries).toEqual([]);
  });
});
