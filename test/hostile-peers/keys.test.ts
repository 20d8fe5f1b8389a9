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
import { alive, eyes } from "./support/eyes.ts";
import { HostileHost } from "./support/host.ts";
import { provedRecord } from "../support/proved.ts";
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
