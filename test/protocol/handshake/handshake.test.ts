import { guestHalf, roomBytes } from "../../support/guest-half.ts";
import { describe, expect, it } from "vitest";
import { concat, toHex, type Bytes } from "../../../src/protocol/base/bytes.ts";
import * as codec from "../../../src/protocol/room/frames.ts";
import {
  acceptAuth,
  DENIED,
  GuestHandshake,
  readAuth,
  WIRE,
  writeChallenge,
} from "../../../src/protocol/handshake/handshake.ts";
import { parseRoomId } from "../../../src/protocol/base/ids.ts";
import { inviteCredential } from "../../../src/protocol/handshake/keys.ts";
import type { InviteLink } from "../../../src/protocol/handshake/invite-link.ts";
import { SigningChain } from "../../../src/protocol/room/order.ts";
import { FRAME, RecordLayer } from "../../../src/protocol/record/record.ts";
import { seededPrimitives } from "../../support/random.ts";
import { codeOf } from "../../support/thrown.ts";
import {
  endOf,
  flipBit,
  guestDid,
  nodePrimitives,
  World,
  type Guest,
  type Tamper,
} from "../../support/wire.ts";
import { encodeUtf8 } from "../../../src/protocol/base/utf8.ts";

const nothing: readonly Bytes[] = [];

/** A fresh socket of its own source, which has answered its challenge. */
function authenticated(world: World, guest: GuestHandshake, source: string) {
  const stranger = world.stranger(source);
  const [challenge = new Uint8Array(0)] = world.sentTo(stranger.connection);
  stranger.send(guest.answer(challenge));
  return { ...stranger, answers: () => world.sentTo(stranger.connection).slice(1) };
}

/** Joins with one message of the handshake changed, and says what became of it. */
function joinThrough(world: World, link: InviteLink, tamper: { toHost?: Tamper; toGuest?: Tamper }): Guest {
  const guest = world.join(link);
  guest.source = `198.51.100.${world.now}-${guest.member.self}`;
  guest.tamperToHost = tamper.toHost ?? guest.tamperToHost;
  guest.tamperToGuest = tamper.toGuest ?? guest.tamperToGuest;
  world.settle();
  return guest;
}

const at =
  (index: number, change: (message: Bytes) => readonly Bytes[]): Tamper =>
  (message, position) =>
    position === index ? change(message) : [message];

/** Bits of one honest handshake's messages, to know how far to count. */
function honestSizes(): { toHost: number[]; toGuest: number[] } {
  const guest = new World().pair();
  return {
    toHost: guest.wire.toHost.map((message) => message.length),
    toGuest: guest.wire.toGuest.map((message) => message.length),
  };
}

describe("handshake", () => {
  it("[H1] [H2] [H9] [H11] [W1] has the messages and sizes of the specification", () => {
    const world = new World();
    const link = world.link();
    const guest = world.join(link);
    world.settle();
    const [m1, m3, m5] = guest.wire.toGuest;
    const [m2, m4] = guest.wire.toHost;
    expect([m1, m2, m3, m4, m5].map((message) => message?.[0])).toEqual([1, 2, 3, 0x10, 0x10]);
    expect([m1, m2, m3, m4, m5].map((message) => message?.length)).toEqual([50, 146, 54, 1024, 1024]);
    expect(m1?.[1]).toBe(1);
    expect(m1?.subarray(2, 18)).toEqual(roomBytes(link));
    expect(m2?.subarray(1, 17)).toEqual(inviteCredential(nodePrimitives, link.key).id);
  });

  it("[H1] never sends the same challenge twice", () => {
    const world = new World();
    const challenges = Array.from({ length: 8 }, (_, index) =>
      world.sentTo(world.stranger(`s${index}`).connection).map(toHex),
    );
    expect(new Set(challenges.flat()).size).toBe(8);
  });

  it("[H4] [H6] [I5] refuses every single bit flip of M2, and the invite still works afterwards", () => {
    const world = new World();
    const link = world.link();
    for (let bit = 0; bit < 146 * 8; bit += 1) {
      const attempt = guestHalf(link);
      const stranger = world.stranger(`s${bit}`);
      const [challenge = new Uint8Array(0)] = world.sentTo(stranger.connection);
      stranger.send(flipBit(attempt.answer(challenge), bit));
      expect(world.sentTo(stranger.connection).slice(1)).toEqual([DENIED]);
      world.hostEffects.length = 0;
    }
    expect(world.hostEntries).toEqual([]);
    expect(endOf(joinThrough(world, link, {}))).toBeUndefined();
    expect(world.hostEntries).toHaveLength(1);
  });

  it.each([
    ["M1", "toGuest", 0, 50],
    ["M3", "toGuest", 1, 54],
  ] as const)("[H7] [H12] refuses every single bit flip of %s", (_name, way, index, size) => {
    const world = new World();
    const link = world.link();
    for (let bit = 0; bit < size * 8; bit += 1) {
      const guest = joinThrough(world, link, { [way]: at(index, (message) => [flipBit(message, bit)]) });
      expect(guestDid(guest, "joined")).toEqual([]);
      expect(guest.member.membership).toBeUndefined();
      const code = endOf(guest);
      expect([
        "invite-refused",
        "host-not-authentic",
        "not-a-tunnel",
        "protocol-violation",
        "version-unsupported",
      ]).toContain(code);
      // Not one byte of name or key follows a message that was altered: at most M2 has been sent.
      expect(guest.wire.toHost.length).toBeLessThanOrEqual(1);
      world.forget(guest);
      world.hostEffects.length = 0;
    }
    expect(world.hostEntries).toEqual([]);
    expect(guestDid(joinThrough(world, link, {}), "joined")).toHaveLength(1);
  });

  it.each([
    ["M4", "toHost"],
    ["M5", "toGuest"],
  ] as const)("[H11] [R4] refuses every single bit flip of %s", (_name, way) => {
    const primitives = seededPrimitives(way);
    const secrets = { send: primitives.random(32), receive: primitives.random(32) };
    const size = way === "toHost" ? honestSizes().toHost[1] : honestSizes().toGuest[2];
    const payload = primitives.random((size ?? 0) / 2);
    const [sealed = new Uint8Array(0)] = new RecordLayer(
      nodePrimitives,
      { send: secrets.send.slice(), receive: secrets.receive.slice() },
      0,
    ).seal({ type: FRAME.welcome, payload }, 0);
    expect(sealed).toHaveLength(size ?? 0);
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const receiver = new RecordLayer(
        nodePrimitives,
        { send: secrets.receive.slice(), receive: secrets.send.slice() },
        0,
      );
      expect(codeOf(() => receiver.open(flipBit(sealed, bit), 0))).toBe("integrity-failed");
    }
  });

  it("[H11] [I5] a flip in each byte of M4 is denied, admits nobody and does not burn the invite", () => {
    const world = new World();
    const link = world.link();
    for (let byte = 0; byte < 256; byte += 1) {
      const bit = byte * 8 + (byte % 8);
      const guest = joinThrough(world, link, { toHost: at(1, (message) => [flipBit(message, bit)]) });
      expect(endOf(guest)).toBe("invite-refused");
      world.forget(guest);
      world.hostEffects.length = 0;
    }
    expect(world.hostEntries).toEqual([]);
    expect(guestDid(joinThrough(world, link, {}), "joined")).toHaveLength(1);
  });

  it("[H11] [K7] a flip in each byte of M5 shows the guest nothing, and it comes back to the seat it has", () => {
    for (let byte = 0; byte < 1024; byte += 9) {
      const world = new World();
      const bit = byte * 8 + (byte % 8);
      const guest = joinThrough(world, world.link(), {
        toGuest: at(2, (message) => [flipBit(message, bit)]),
      });
      // A record that is no longer one, or one that does not open.
      expect(guest.member.connection).toMatchObject({ name: "waiting", reason: "integrity-failed" });
      expect(guest.member.membership).toBeUndefined();
      expect(guest.entries).toEqual([]);
      guest.tamperToGuest = (message) => [message];
      world.advance(2_000);
      expect(guest.member.connection).toEqual({ name: "connected" });
      expect(world.room.presence(world.now)).toHaveLength(2);
    }
  });

  it("[H7] a fake host that holds the complete leaked link, but not the host's private key, is found out", () => {
    const world = new World();
    const link = world.link();
    const guest = guestHalf(link);
    const challenge = writeChallenge(nodePrimitives, roomBytes(link));
    const auth = readAuth(guest.answer(challenge));
    if (auth === undefined) throw new Error("no AUTH");
    const credential = inviteCredential(nodePrimitives, link.key);
    const own = nodePrimitives.generateDhKeyPair();
    // It cannot even read what the guest sent …
    expect(acceptAuth(nodePrimitives, { challenge, auth, credential, hostStatic: own })).toBeUndefined();
    expect(
      acceptAuth(nodePrimitives, {
        challenge,
        auth,
        credential,
        hostStatic: { ...own, publicKey: link.hostKey },
      }),
    ).toBeUndefined();
    // … and whatever it answers does not open.
    const forged = concat(Uint8Array.of(WIRE.accept), own.publicKey, nodePrimitives.random(21));
    expect(codeOf(() => guest.finish(forged))).toBe("host-not-authentic");
  });

  it("[H3] [H7] a fake host that answers at random sees neither name nor key nor anything it could reuse", () => {
    for (const answer of [
      new Uint8Array(0),
      Uint8Array.of(WIRE.accept),
      concat(Uint8Array.of(WIRE.accept), nodePrimitives.random(53)),
      concat(Uint8Array.of(WIRE.control), nodePrimitives.random(255)),
      Uint8Array.of(WIRE.denied, 0),
    ]) {
      const world = new World();
      const guest = joinThrough(world, world.link(), { toGuest: at(1, () => [answer]) });
      expect(endOf(guest)).toBe("host-not-authentic");
      expect(guest.wire.toHost).toHaveLength(1);
    }
  });

  it("[K4] the link and even the host's private key, leaked later, open nothing that was recorded", () => {
    const link = new World().link();
    const hostStatic = nodePrimitives.generateDhKeyPair();
    const credential = inviteCredential(nodePrimitives, link.key);
    const guest = guestHalf({ ...link, hostKey: hostStatic.publicKey });
    const challenge = writeChallenge(nodePrimitives, roomBytes(link));
    const auth = readAuth(guest.answer(challenge));
    if (auth === undefined) throw new Error("no AUTH");
    const accepted = acceptAuth(nodePrimitives, { challenge, auth, credential, hostStatic });
    if (accepted === undefined) throw new Error("denied");
    const result = guest.finish(accepted.message);
    const secrets = {
      send: result.initiatorToResponder.slice(),
      receive: result.responderToInitiator.slice(),
    };
    const frame = { type: FRAME.note, payload: encodeUtf8("the goal") };
    const [recorded = new Uint8Array(0)] = new RecordLayer(nodePrimitives, secrets, 0).seal(frame, 0);

    // With everything that is ever written down, the thief can redo the host's half, but with another ephemeral key.
    const redone = acceptAuth(nodePrimitives, { challenge, auth, credential, hostStatic });
    if (redone === undefined) throw new Error("denied");
    for (const receive of [redone.result.initiatorToResponder, redone.result.responderToInitiator]) {
      const thief = new RecordLayer(nodePrimitives, { send: receive.slice(), receive: receive.slice() }, 0);
      expect(codeOf(() => thief.open(recorded, 0))).toBe("integrity-failed");
    }
    // The keys of the session itself do open it, so the check above can fail.
    const host = new RecordLayer(
      nodePrimitives,
      { send: accepted.result.responderToInitiator, receive: accepted.result.initiatorToResponder },
      0,
    );
    expect(host.open(recorded, 0)).toEqual(frame);
  });

  it("[H3] an answer to one challenge is worth nothing for another: relayed to the real host, it is denied", () => {
    const world = new World();
    const link = world.link();
    const stranger = world.stranger();
    const theirs = writeChallenge(nodePrimitives, roomBytes(link));
    stranger.send(guestHalf(link).answer(theirs));
    expect(world.sentTo(stranger.connection).slice(1)).toEqual([DENIED]);
  });

  it("[H3] [H12] a party that relays the whole handshake gets an entrance that it cannot use", () => {
    const world = new World();
    const link = world.link();
    const victim = guestHalf(link);
    const relay = authenticated(world, victim, "relay");
    expect(relay.answers()).toHaveLength(1);
    // Without the guest's ephemeral key the relay cannot make M4.
    relay.send(concat(Uint8Array.of(WIRE.control), nodePrimitives.random(255)));
    expect(relay.answers().at(-1)).toEqual(DENIED);
    expect(world.hostEntries).toEqual([]);
  });

  it("[H3] [H8] a recorded M2 is denied on a new connection", () => {
    const world = new World();
    const guest = world.pair();
    const [m2 = new Uint8Array(0)] = guest.wire.toHost;
    const again = world.stranger();
    again.send(m2);
    expect(world.sentTo(again.connection).slice(1)).toEqual([DENIED]);

    const fresh = new World();
    const link = fresh.link();
    const cut = joinThrough(fresh, link, { toHost: () => nothing });
    const unused = fresh.stranger();
    unused.send(cut.wire.toHost[0] ?? new Uint8Array(0));
    expect(fresh.sentTo(unused.connection).slice(1)).toEqual([DENIED]);
  });

  it("[H8] one attempt per socket: after a failure nothing more is read, however right it is", () => {
    const world = new World();
    const link = world.link();
    const stranger = world.stranger();
    const [challenge = new Uint8Array(0)] = world.sentTo(stranger.connection);
    const good = guestHalf(link).answer(challenge);
    stranger.send(flipBit(good, 1000));
    const after = world.sentTo(stranger.connection).length;
    stranger.send(good);
    stranger.send(good);
    expect(world.sentTo(stranger.connection)).toHaveLength(after);
    expect(world.did("close").filter((one) => one.connection === stranger.connection)).toHaveLength(1);
    expect(world.room.pendingInvites(world.now)[0]?.claimed).toBe(false);
  });

  it("[H6] answers every cause of failure with the same byte, and nothing tells them apart", () => {
    const world = new World();
    const used = world.link();
    world.join(used);
    const revoked = world.room.mint(world.now);
    world.room.revoke(revoked.inviteId, world.now);
    const link = world.link();
    const causes: ((challenge: Bytes) => Bytes)[] = [
      () => new Uint8Array(0),
      () => Uint8Array.of(WIRE.auth),
      () => nodePrimitives.random(146),
      (challenge) => flipBit(guestHalf(link).answer(challenge), 0),
      (challenge) => guestHalf(used).answer(challenge),
      (challenge) => guestHalf({ ...link, key: revoked.key }).answer(challenge),
      (challenge) => guestHalf({ ...link, key: nodePrimitives.random(32) }).answer(challenge),
      (challenge) =>
        guestHalf({ ...link, hostKey: nodePrimitives.generateDhKeyPair().publicKey }).answer(challenge),
      () => new Uint8Array(2000),
    ];
    world.settle();
    for (const [index, cause] of causes.entries()) {
      const stranger = world.stranger(`cause ${index}`);
      const [challenge = new Uint8Array(0)] = world.sentTo(stranger.connection);
      stranger.send(cause(challenge));
      expect(world.sentTo(stranger.connection).slice(1)).toEqual([DENIED]);
      expect(world.did("close").at(-1)).toEqual({
        type: "close",
        connection: stranger.connection,
        code: 4001,
      });
    }
  });

  it("[H4] does no curve work before the HMAC has been verified", () => {
    let agreements = 0;
    const counting = {
      ...nodePrimitives,
      generateDhKeyPair: () => {
        const keys = nodePrimitives.generateDhKeyPair();
        return {
          ...keys,
          agree: (peer: Bytes) => {
            agreements += 1;
            return keys.agree(peer);
          },
        };
      },
    };
    const world = new World({}, counting);
    const link = world.link();
    for (let bit = 8; bit < 146 * 8; bit += 7) {
      const stranger = world.stranger(`s${bit}`);
      const [challenge = new Uint8Array(0)] = world.sentTo(stranger.connection);
      stranger.send(flipBit(guestHalf(link).answer(challenge), bit));
    }
    world.settle();
    expect(agreements).toBe(0);
  });

  it("[H5] denies a payload of another version or size although its proof is right", () => {
    const world = new World();
    const link = world.link();
    const credential = inviteCredential(nodePrimitives, link.key);
    const hostStatic = nodePrimitives.generateDhKeyPair();
    const challenge = writeChallenge(nodePrimitives, roomBytes(link));
    const honest = new GuestHandshake(nodePrimitives, {
      room: roomBytes(link),
      hostKey: hostStatic.publicKey,
      credential,
      claim: new Uint8Array(16),
    });
    const auth = readAuth(honest.answer(challenge));
    if (auth === undefined) throw new Error("no AUTH");
    expect(acceptAuth(nodePrimitives, { challenge, auth, credential, hostStatic })).toBeDefined();
    expect(readAuth(concat(honest.answer(challenge), Uint8Array.of(0)))).toBeUndefined();
    expect(readAuth(honest.answer(challenge).subarray(1))).toBeUndefined();
  });

  it("[H12] refuses a challenge of another version, room or size before it answers", () => {
    const world = new World();
    const link = world.link();
    const right = writeChallenge(nodePrimitives, roomBytes(link));
    const other = writeChallenge(nodePrimitives, nodePrimitives.random(16));
    expect(codeOf(() => guestHalf(link).answer(other))).toBe("protocol-violation");
    expect(codeOf(() => guestHalf(link).answer(right.subarray(1)))).toBe("not-a-tunnel");
    expect(codeOf(() => guestHalf(link).answer(concat(right, Uint8Array.of(0))))).toBe("not-a-tunnel");
    for (const version of [0, 2, 255]) {
      const changed = right.slice();
      changed[1] = version;
      expect(codeOf(() => guestHalf(link).answer(changed))).toBe("version-unsupported");
    }
  });

  it("[H10] denies a CONFIRM whose share is not the one committed to", () => {
    const world = new World();
    const link = world.link();
    const guest = guestHalf(link);
    const socket = authenticated(world, guest, "liar");
    const result = guest.finish(socket.answers()[0] ?? new Uint8Array(0));
    const secrets = { send: result.initiatorToResponder, receive: result.responderToInitiator };
    const records = new RecordLayer(nodePrimitives, secrets, world.now);
    const signer = new SigningChain(nodePrimitives, nodePrimitives.generateSigningKeyPair(), link.room);
    const { publicKey: box } = nodePrimitives.generateDhKeyPair();
    const payload = codec.encodeConfirm({
      share: nodePrimitives.random(32),
      name: "mallory",
      key: signer.publicKey,
      box,
      proof: signer.prove(result.hash, box),
      received: 0,
    });
    for (const message of records.seal({ type: FRAME.confirm, payload }, world.now)) socket.send(message);
    expect(socket.answers().at(-1)).toEqual(DENIED);
    expect(world.hostEntries).toEqual([]);
    expect(world.room.pendingInvites(world.now)).toMatchObject([{ claimed: false }]);
  });

  it("[N1] both sides of a pairing show the same code, two pairings show different ones", () => {
    const world = new World();
    const [ben, cid] = [world.pair("ben"), world.pair("cid")];
    const codes = world.room.presence(world.now).map((one) => one.safetyCode);
    expect(codes).toEqual([undefined, ben.member.membership?.safetyCode, cid.member.membership?.safetyCode]);
    expect(new Set(codes).size).toBe(3);
  });

  it("[H8] what comes after a denial is ignored by the guest as well", () => {
    const world = new World();
    const guest = joinThrough(world, world.link(), {
      toGuest: at(1, (message) => [DENIED, message, message]),
    });
    expect(endOf(guest)).toBe("invite-refused");
    expect(guestDid(guest, "ended")).toHaveLength(1);
    expect(guest.wire.toHost).toHaveLength(1);
  });

  it("[W2] kinds that this version does not have are refused", () => {
    const world = new World();
    const guest = world.pair();
    guest.tamperToHost = () => [concat(Uint8Array.of(WIRE.bulk), new Uint8Array(255))];
    guest.member.say({ text: "x" }, world.now);
    world.settle();
    expect(world.did("alarm").map((one) => one.error.code)).toEqual(["integrity-failed"]);
    expect(parseRoomId("x")).toBeUndefined();
  });
});
