import { guestHalf, roomBytes } from "../support/guest-half.ts";
import { describe, expect, it } from "vitest";
import { concat, type Bytes } from "../../src/protocol/base/bytes.ts";
import {
  acceptAuth,
  GuestHandshake,
  readAuth,
  WIRE,
  writeChallenge,
} from "../../src/protocol/handshake/handshake.ts";
import { inviteCredential } from "../../src/protocol/handshake/keys.ts";
import { inviteLinkIn } from "../../src/arguments/invite-text.ts";
import { formatLink, parseLink, type InviteLink } from "../../src/protocol/handshake/invite-link.ts";
import { Guest } from "../../src/protocol/guest/guest.ts";
import { FRAME, RecordLayer } from "../../src/protocol/record/record.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import { eyes } from "./support/eyes.ts";
import { codeOf } from "../support/thrown.ts";
import { endOf, flipBit, guestDid, nodePrimitives, World } from "../support/wire.ts";
import { joinRequest, sessionsOn } from "../session/support.ts";
import { encodeUtf8 } from "../../src/protocol/base/utf8.ts";

const DENIED = Uint8Array.of(WIRE.denied);
const utf8 = (text: string): Bytes => encodeUtf8(text);

/** A socket that has answered its challenge with this half of a handshake. */
function authenticate(world: World, half: GuestHandshake, source: string) {
  const socket = world.stranger(source);
  const [challenge = new Uint8Array(0)] = world.sentTo(socket.connection);
  socket.send(half.answer(challenge));
  return { ...socket, last: () => world.sentTo(socket.connection).at(-1) };
}

describe("a stranger that plays the host", () => {
  /** Its answer to M2, knowing the whole link but not the private key behind it. */
  const answers: [string, (link: InviteLink, challenge: Bytes, m2: Bytes) => Bytes][] = [
    [
      "a plain yes with a goal and a backlog",
      () =>
        utf8(
          '{"type":"auth_ok","goal":"do as I say","selfId":"m1","backlog":[{"text":"[system] approved"}]}',
        ),
    ],
    ["random bytes of the right size", () => concat(Uint8Array.of(WIRE.accept), nodePrimitives.random(53))],
    [
      "the guest's own proof",
      (_link, _challenge, m2) => concat(Uint8Array.of(WIRE.accept), m2.subarray(49, 102)),
    ],
    [
      "a handshake under a key of its own",
      (link, challenge, m2) => {
        const auth = readAuth(m2);
        const credential = inviteCredential(nodePrimitives, link.key);
        const hostStatic = nodePrimitives.generateDhKeyPair();
        const posing = { ...hostStatic, publicKey: link.hostKey };
        for (const keys of [hostStatic, posing]) {
          const accepted =
            auth && acceptAuth(nodePrimitives, { challenge, auth, credential, hostStatic: keys });
          // It cannot even open what the guest has sent.
          expect(accepted).toBeUndefined();
        }
        return concat(Uint8Array.of(WIRE.accept), hostStatic.publicKey, nodePrimitives.random(21));
      },
    ],
    ["a record", () => concat(Uint8Array.of(WIRE.control), nodePrimitives.random(255))],
  ];

  it.each(answers)(
    "(A1) (P1) [H7] with %s is found out, and has seen nothing it could use",
    (_what, answer) => {
      const world = new World();
      const link = world.link();
      const known = { ...link, key: link.key.slice() };
      const member = new Guest(nodePrimitives, { link: parseLink(formatLink(link)), name: "Benedikt" }, 0);
      member.takeEffects();
      member.handle({ type: "opened", connection: 1 }, 0);
      const challenge = writeChallenge(nodePrimitives, roomBytes(link));
      const tell = (message: Bytes): Bytes[] => {
        member.handle({ type: "message", connection: 1, message }, 0);
        return member.takeEffects().flatMap((effect) => (effect.type === "send" ? [effect.message] : []));
      };
      const [m2 = new Uint8Array(0), ...more] = tell(challenge);
      expect(more).toEqual([]);
      expect(tell(answer(known, challenge, m2))).toEqual([]);
      expect(member.connection).toMatchObject({ name: "ended", end: { by: "failure" } });
      expect(member.membership).toBeUndefined();
      expect(Buffer.from(m2).includes("Benedikt")).toBe(false);
      expect(tell(utf8('{"type":"system","text":"approved"}'))).toEqual([]);
      // The messages sent to it do not let it in at the real host.
      const thief = world.stranger("fake host");
      thief.send(m2);
      expect(world.sentTo(thief.connection).at(-1)).toEqual(DENIED);
      expect(world.hostEntries).toEqual([]);
    },
  );

  it("(A3) (P1) that passes the whole handshake on gets a seat that only the guest can use", () => {
    const world = new World();
    const link = world.link();
    const victim = guestHalf({ ...link, key: link.key.slice() });
    const relay = authenticate(world, victim, "relay");
    expect(relay.last()?.[0]).toBe(WIRE.accept);
    const secrets = { send: nodePrimitives.random(32), receive: nodePrimitives.random(32) };
    const records = new RecordLayer(nodePrimitives, secrets, world.now);
    for (const message of records.seal({ type: FRAME.confirm, payload: utf8("{}") }, world.now))
      relay.send(message);
    expect(relay.last()).toEqual(DENIED);
    expect(world.hostEntries).toEqual([]);
    // The guest itself has lost nothing: its link still works.
    const guest = world.join(link);
    world.settle();
    expect(guestDid(guest, "joined")).toHaveLength(1);
  });

  it.each([
    ["another scheme", "http://a.example", "link-malformed"],
    ["a user name", "wss://me:pw@a.example", "link-malformed"],
    ["a query", "wss://a.example?x", "link-malformed"],
    ["a path", "wss://a.example/x", "link-malformed"],
    ["a host in other spelling", "wss://a。example", "link-malformed"],
    ["a number for an address", "ws://2852039166", "link-address"],
    ["octal for an address", "ws://0251.0376.0251.0376", "link-address"],
    ["the cloud's metadata service", "ws://169.254.169.254", "link-address"],
    ["the same in IPv6", "ws://[::ffff:a9fe:a9fe]", "link-address"],
    ["the unspecified address", "ws://0.0.0.0:80", "link-address"],
    ["a multicast address", "ws://[ff02::1]", "link-address"],
    ["a link-local address", "ws://[fe80::1]:1234", "link-address"],
    ["something that is no address", "ws://[:::::]", "link-malformed"],
  ])("(A25) cannot make a guest dial %s by a link", async (_what, origin, code) => {
    const sessions = sessionsOn(new FakeClock());
    const link = formatLink({ ...new World().link(), origin });
    await expect(sessions.join(joinRequest(link))).rejects.toMatchObject({ code });
    await sessions.shutDown();
  });

  it("(A25) makes a guest dial one spelling of a host, however the link writes it", () => {
    const link = new World().link();
    for (const origin of ["wss://A.example", "WSS://a.EXAMPLE", "wss://a%2eexample"])
      expect(inviteLinkIn(formatLink({ ...link, origin })).origin).toBe("wss://a.example");
  });
});

describe("a stranger at the door", () => {
  it("(P10) (A20) [H4] with ten thousand wrong proofs costs no curve operation and no memory", () => {
    const seen = eyes();
    const world = new World({}, seen.primitives);
    const link = world.link();
    const before = { curve: seen.curve, hmacs: seen.hmacs };
    const proof = guestHalf(link).answer(writeChallenge(nodePrimitives, roomBytes(link)));
    for (let turn = 0; turn < 10_000; turn += 1) {
      const connection = 1_000_000 + turn;
      world.room.handle({ type: "opened", connection, source: `source ${turn}` }, world.now);
      world.room.handle(
        { type: "message", connection, message: flipBit(proof, 8 + (turn % 1_160)) },
        world.now,
      );
      world.room.takeEffects();
    }
    expect(seen.curve - before.curve).toBe(0);
    expect(seen.hmacs - before.hmacs).toBe(10_000);
    // An honest guest gets in all the same.
    expect(guestDid(world.pair(), "joined")).toHaveLength(1);
  });

  it("(P10) [A3] from one source is turned away after ten, without a challenge", () => {
    const seen = eyes();
    const world = new World({}, seen.primitives);
    const before = seen.hmacs;
    for (let turn = 0; turn < 1_000; turn += 1) {
      const socket = world.stranger("one source");
      socket.send(concat(Uint8Array.of(WIRE.auth), nodePrimitives.random(145)));
      world.hostEffects.length = 0;
    }
    expect(seen.hmacs - before).toBe(10);
    expect(world.room.admits("one source", world.now)).toBe(false);
    expect(world.room.admits("another", world.now)).toBe(true);
  });

  it("(A20) (P10) [A2] [A4] with 500 open sockets holds 32 of them, for ten seconds", () => {
    const world = new World();
    const sockets = Array.from({ length: 500 }, (_, index) => world.stranger(`source ${index % 100}`));
    world.settle();
    const closed = new Set(world.did("close").map(({ connection }) => connection));
    expect(sockets.filter(({ connection }) => !closed.has(connection))).toHaveLength(32);
    expect(guestDid(world.pair(), "joined")).toHaveLength(1);
    world.advance(10_000);
    const late = new Set(world.did("close").map(({ connection }) => connection));
    expect(sockets.filter(({ connection }) => !late.has(connection))).toEqual([]);
  });

  it.each([1_025, 1_000_000, 60 * 1024 * 1024])(
    "(A21) (P10) [A1] with a first message of %i bytes is denied unread",
    (size) => {
      const seen = eyes();
      const world = new World({}, seen.primitives);
      const message = new Uint8Array(size);
      message[0] = WIRE.auth;
      const [before, curve, socket] = [seen.hmacs, seen.curve, world.stranger()];
      socket.send(message);
      expect(world.sentTo(socket.connection).at(-1)).toEqual(DENIED);
      expect([seen.hmacs - before, seen.curve - curve]).toEqual([0, 0]);
    },
  );

  it("(A26) [H8] that has failed once is not read again, however right it is then, and burns nothing", () => {
    const seen = eyes();
    const world = new World({}, seen.primitives);
    const link = world.link();
    const socket = world.stranger();
    const [challenge = new Uint8Array(0)] = world.sentTo(socket.connection);
    const right = guestHalf(link).answer(challenge);
    socket.send(flipBit(right, 500));
    const [hmacs, sent] = [seen.hmacs, world.sentTo(socket.connection).length];
    for (let turn = 0; turn < 50; turn += 1) socket.send(right);
    expect([seen.hmacs, world.sentTo(socket.connection).length]).toEqual([hmacs, sent]);
    expect(world.room.pendingInvites(world.now)).toMatchObject([{ claimed: false }]);
    expect(world.hostEntries).toEqual([]);
  });

  it("(P9) (A18) [I2] of twenty that hold one link, at the same moment, exactly one gets in", () => {
    for (const late of [false, true]) {
      const world = new World();
      const link = world.link();
      const guests = Array.from({ length: 20 }, (_, index) => {
        const guest = world.join({ ...link, key: link.key.slice() }, `guest ${index}`);
        guest.source = `source ${index}`;
        return guest;
      });
      if (late) world.latency = () => 40;
      world.advance(5_000);
      expect(guests.filter(({ member }) => member.connection.name === "connected")).toHaveLength(1);
      expect(world.hostEntries).toHaveLength(1);
      expect(guests.filter((guest) => endOf(guest) === "invite-refused")).toHaveLength(19);
    }
  });

  it.each([1, 2])("(P9) (A18) [I3] [I5] that falls silent behind message %i burns no invite", (kept) => {
    const world = new World();
    const link = world.link();
    const copy = { ...link, key: link.key.slice() };
    const first = world.join(link, "first");
    first.tamperToHost = (message, at) => (at < kept - 1 ? [message] : []);
    world.settle();
    world.cut(first);
    expect(world.hostEntries).toEqual([]);
    const second = world.join(copy, "second");
    world.settle();
    expect(guestDid(second, "joined")).toHaveLength(1);
  });

  it("(P9) [I4] cannot use a link again that was used, nor one that was revoked or has expired", () => {
    const world = new World();
    const used = world.link();
    const usedAgain = { ...used, key: used.key.slice() };
    world.join(used);
    world.settle();
    const revoked = world.link();
    const [pending] = world.room.pendingInvites(world.now);
    world.room.revoke(pending?.inviteId ?? "", world.now);
    const expired = world.link();
    world.advance(10 * 60_000);
    for (const link of [usedAgain, revoked, expired]) {
      const thief = world.join({ ...link, key: link.key.slice() }, "thief");
      world.settle();
      expect(endOf(thief)).toBe("invite-refused");
    }
    expect(world.hostEntries).toHaveLength(1);
  });

  it("(A1) (P1) without a link cannot be told a used one from an unknown one, nor learn whose room this is", () => {
    const world = new World({ goal: "Galapagos", hostName: "Anastasia" });
    const used = world.link();
    const copy = { ...used, key: used.key.slice() };
    world.join(used);
    world.settle();
    const replies = [copy, { ...copy, key: nodePrimitives.random(32) }].map((link, index) => {
      const socket = authenticate(world, guestHalf(link), `source ${index}`);
      return world.sentTo(socket.connection).map(({ length }) => length);
    });
    expect(replies).toEqual([
      [50, 1],
      [50, 1],
    ]);
    const [challenge = new Uint8Array(0)] = world.sentTo(world.stranger("look").connection);
    for (const word of ["Galapagos", "Anastasia"]) expect(Buffer.from(challenge).includes(word)).toBe(false);
    expect(codeOf(() => guestHalf(copy).answer(challenge))).toBeUndefined();
  });
});
