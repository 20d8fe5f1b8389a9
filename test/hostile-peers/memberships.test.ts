import { describe, expect, it } from "vitest";
import { PRE_AUTH, RATE } from "../../src/protocol/base/limits.ts";
import type { Bytes } from "../../src/protocol/base/bytes.ts";
import { GuestHandshake } from "../../src/protocol/handshake/handshake.ts";
import { inviteCredential, resumeCredential, type Credential } from "../../src/protocol/handshake/keys.ts";
import type { InviteLink } from "../../src/protocol/handshake/invite-link.ts";
import { FRAME } from "../../src/protocol/record/record.ts";
import { cheapPrimitives } from "../simulation/primitives.ts";
import { eyes } from "./support/eyes.ts";
import { Impostor } from "../support/impostor.ts";
import { codeOf } from "../support/thrown.ts";
import { endOf, guestDid, nodePrimitives, texts, World } from "../support/wire.ts";

const EMPTY = new Uint8Array(0);
const DAY = 24 * 3_600_000;
const copyOf = (link: InviteLink): InviteLink => ({ ...link, key: link.key.slice() });

/** A right M2 for the challenge on a new socket of this source; whether it was accepted. */
function prove(world: World, source: string, credential: Credential, claim: Bytes) {
  const socket = world.stranger(source);
  const [challenge] = world.sentTo(socket.connection);
  const room = new Uint8Array(Buffer.from(world.room.id, "base64url"));
  const half = new GuestHandshake(nodePrimitives, { room, hostKey: world.room.hostKey, credential, claim });
  if (challenge !== undefined) socket.send(half.answer(challenge));
  return { ...socket, isAccepted: world.sentTo(socket.connection).at(-1)?.[0] === 3 };
}

describe("somebody who holds a right secret, and no good will", () => {
  it("(A20) (P10) [A2] holds one place at the door with it, however many sockets it opens", () => {
    const world = new World();
    const link = world.link();
    const claim = nodePrimitives.random(16);
    const sockets = Array.from({ length: 40 }, () =>
      prove(world, "one source", inviteCredential(nodePrimitives, link.key), claim),
    );
    const closed = new Set(world.did("close").map(({ connection }) => connection));
    const held = sockets.filter(({ connection, isAccepted }) => isAccepted && !closed.has(connection));
    expect(sockets.filter(({ isAccepted }) => isAccepted).length).toBeGreaterThan(
      PRE_AUTH.maxSocketsPerSource,
    );
    expect(held).toHaveLength(1);
    expect(guestDid(world.pair(), "joined")).toHaveLength(1);
  });

  it("(A20) (P10) [A2] a member's secret among them, keeps nobody out who comes back", () => {
    const seen = eyes();
    const world = new World({ idleMs: DAY }, seen.primitives);
    const ben = world.pair("ben");
    const mallory = world.pair("mallory");
    const secret = seen.derived.findLast(({ label }) => label === "resume")?.copy ?? EMPTY;
    mallory.offline = true;
    world.cut(mallory);
    const fill = (): void => {
      for (let turn = 0; turn < PRE_AUTH.maxSockets + 1; turn += 1)
        prove(world, "mallory", resumeCredential(nodePrimitives, secret), new Uint8Array(16));
    };
    fill();
    world.cut(ben);
    for (let second = 0; second < 6; second += 1) {
      world.advance(1_000);
      world.hostEffects.length = 0;
      fill();
    }
    expect(ben.member.connection.name).toBe("connected");
  });

  it("(A18) (P9) [I5] cannot lock a link with a CONFIRM that is too long to be read", () => {
    const world = new World();
    const link = world.link();
    const mallory = new Impostor(world, copyOf(link));
    mallory.enter({ name: "x".repeat(2_000) });
    expect(world.sentTo(mallory.connection).at(-1)).toHaveLength(1);
    expect(world.room.pendingInvites(world.now)).toMatchObject([{ claimed: false }]);
    expect(endOf(world.join(link))).toBeUndefined();
  });

  it("(A18) (P9) [I5] on the path, cannot lock a link by making an honest CONFIRM too long", () => {
    const world = new World();
    const link = world.link();
    const [first, second] = [world.join(copyOf(link)), copyOf(link)];
    first.tamperToHost = (message, at) => (at === 1 ? [new Uint8Array(1_025)] : [message]);
    world.settle();
    const guest = world.join(second);
    world.settle();
    expect([endOf(first), guest.member.connection.name]).toEqual(["invite-refused", "connected"]);
  });

  it("(P10) [A3] has a wrong CONFIRM counted like a wrong proof", () => {
    const world = new World();
    const link = world.link();
    for (let turn = 0; turn < PRE_AUTH.failureBurst; turn += 1) {
      expect(world.room.admits("one source", world.now)).toBe(true);
      const claim = nodePrimitives.random(16);
      const socket = prove(world, "one source", inviteCredential(nodePrimitives, link.key), claim);
      expect(socket.isAccepted).toBe(true);
      socket.send(new Uint8Array(256).fill(0x10));
    }
    expect(world.room.admits("one source", world.now)).toBe(false);
    expect(world.room.admits("another", world.now)).toBe(true);
  });
});

describe("a member that has been removed", () => {
  function removed(isAway = false) {
    const seen = eyes();
    const world = new World({ idleMs: DAY }, seen.primitives);
    const ben = world.pair("ben");
    const link = world.link();
    const used = copyOf(link);
    const mallory = world.join(link, "mallory");
    world.settle();
    if (isAway) {
      mallory.offline = true;
      world.cut(mallory);
      mallory.member.say({ text: "while away" }, world.now);
    }
    const secrets = seen.derived.filter(({ label }) => label === "resume").map(({ copy }) => copy);
    world.room.remove(mallory.member.self, world.now);
    world.settle();
    return { world, seen, ben, mallory, used, secrets };
  }

  it("(A3) (P9) (P11) [G9] opens the door with no secret it ever had, nor with its link", () => {
    const { world, mallory, used, secrets } = removed();
    expect(mallory.member.connection).toMatchObject({ name: "ended", end: { by: "removal" } });
    expect(secrets.length).toBeGreaterThan(1);
    const credentials = secrets.map((secret) => resumeCredential(nodePrimitives, secret));
    credentials.push(inviteCredential(nodePrimitives, used.key));
    // The secrets of both ends are among these, and of them that of ben, which does open.
    const open = credentials.filter(
      (credential, at) => prove(world, `source ${at}`, credential, new Uint8Array(16)).isAccepted,
    );
    expect(new Set(open.map(({ id }) => Buffer.from(id).toString("hex"))).size).toBe(1);
    const thief = world.join(used, "mallory");
    world.settle();
    expect(endOf(thief)).toBe("invite-refused");
  });

  it("(P11) [G9] while it was away, is not let in again, and what it wanted to say is never placed", () => {
    const { world, ben, mallory } = removed(true);
    mallory.offline = false;
    world.advance(10 * 60_000);
    expect(endOf(mallory)).toBe("tunnel-gone");
    expect([texts(world.hostEntries), texts(ben.entries)]).toEqual([[], []]);
    expect(ben.entries.at(-1)).toMatchObject({ event: "left", cause: "removed", name: "mallory" });
    expect(world.room.presence(world.now).map(({ name }) => name)).toEqual(["ana", "ben"]);
  });

  it("(P11) [G9] is not heard any more, whatever is under way or sent on the connection it had", () => {
    const world = new World({ idleMs: DAY });
    const ben = world.pair("ben");
    const mallory = new Impostor(world, world.link());
    mallory.enter();
    world.settle();
    const view = ben.member.membership?.order.view;
    world.room.remove(mallory.signer.id, world.now);
    for (const text of ["one", "two"]) mallory.say(text, {}, view);
    mallory.put(FRAME.note, mallory.codec.encodeMemberNote({ read: 3, active: true }));
    expect(codeOf(() => mallory.enter())).toBe("invite-refused");
    world.advance(1_000);
    expect([texts(world.hostEntries), texts(ben.entries)]).toEqual([[], []]);
    expect(ben.member.connection.name).toBe("connected");
  });
});

describe("a member that sends too much", () => {
  const pausesOf = (world: World): number[] => world.did("pause").map(({ ms }) => ms);

  function flooding(guests: number) {
    const primitives = cheapPrimitives(guests);
    const world = new World({ idleMs: DAY }, primitives);
    const [first] = Array.from({ length: guests }, (_, index) => world.pair(`guest ${index}`));
    const mallory = new Impostor(world, world.link(), primitives);
    mallory.enter();
    world.settle();
    return { world, mallory, view: first?.member.membership?.order.view };
  }

  it("(A20) (A22) [E1] owes it still after it has come back on a new connection", () => {
    const { world, mallory } = flooding(1);
    const ping = (): void => mallory.put(FRAME.ping, EMPTY);
    for (let turn = 0; turn < RATE.framesBurst + RATE.framesPerSecond; turn += 1) ping();
    const owed = pausesOf(world).at(-1) ?? 0;
    world.settle();
    expect(pausesOf(world).at(-1)).toBeGreaterThan(900);
    for (let turn = 0; turn < 5; turn += 1) {
      const before = pausesOf(world).length;
      mallory.enter();
      ping();
      world.settle();
      expect(pausesOf(world).length).toBeGreaterThan(before);
      expect(pausesOf(world).at(-1)).toBeGreaterThan(owed);
    }
    expect(pausesOf(world).every((ms) => ms <= RATE.maxPauseMs)).toBe(true);
  });

  it("(A20) (A22) [E1] pays for what the host must send on: with sixteen that listen, three times", () => {
    const text = "x".repeat(60_000);
    const [few, many] = [1, 16].map((guests) => {
      const { world, mallory, view } = flooding(guests);
      for (let turn = 1; turn < 200; turn += 1) {
        mallory.say(text, {}, view);
        // Its messages are not delivered: nobody else has a part in this.
        if (world.room.takeEffects().some(({ type }) => type === "pause")) return turn;
      }
      return 200;
    });
    expect(few).toBeLessThan(200);
    expect(many).toBeLessThan((few ?? 0) / 2.5);
  });
});
