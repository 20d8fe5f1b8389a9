import { describe, expect, it } from "vitest";
import { concat, u64be, type Bytes } from "../../src/protocol/base/bytes.ts";
import { FRAME } from "../../src/protocol/record/record.ts";
import { Impostor } from "../support/impostor.ts";
import { texts, World } from "../support/wire.ts";
import { DENIED } from "../../src/protocol/handshake/handshake.ts";
import { HostileHost, signedAs, Victim } from "./support/host.ts";
import { expectCaught, three } from "./support/room.ts";

describe("the end of a connection of which the host says so", () => {
  const close = (victim: Victim, count: number, reason: number): void =>
    victim.put(FRAME.close, concat(u64be(count), Uint8Array.of(reason)));
  /** Records that the host of {@link three} has sent its first guest: WELCOME and two arrivals. */
  const SENT = 3;

  it.each([0, 1, 4, 7, 99, 255])(
    "[R6] with reason %i says no more than that: the member comes back",
    (reason) => {
      const { ben } = three();
      close(ben, SENT, reason);
      expect([ben.end, ben.alarms, ben.member.connection.name]).toEqual([undefined, [], "waiting"]);
    },
  );

  it.each([2, 5, 6])("[R6] with reason %i is the end of the room", (reason) => {
    const { ben } = three();
    close(ben, SENT, reason);
    expect([ben.end, ben.alarms]).toEqual(["host", []]);
  });

  it.each([0, 1, 7])("[R6] of %i bytes has no number of records that could be right", (length) => {
    const { ben } = three();
    ben.put(FRAME.close, new Uint8Array(length));
    expect([ben.end, ben.alarms]).toEqual([undefined, ["integrity-failed"]]);
  });

  it.each([0, 2])("[F3] [R6] with %i bytes where the reason stands is a violation", (bytes) => {
    const { ben } = three();
    ben.put(FRAME.close, concat(u64be(SENT), new Uint8Array(bytes)));
    expectCaught(ben, "protocol-violation", ["joined", "joined"]);
  });

  it("[R6] is the last that is read: what comes behind it is nothing", () => {
    const { host, ben } = three();
    const words = signedAs(host.signing, host.room, { view: ben.view }, "behind").event;
    close(ben, SENT, 0);
    ben.tell(words, "behind");
    ben.put(0x7f, new Uint8Array(0));
    expect([ben.end, ben.alarms, ben.log]).toEqual([undefined, [], ["joined", "joined"]]);
  });
});

describe("the end of a connection of which a member says so", () => {
  const MINUTE = 60_000;

  function entered() {
    const world = new World({ idleMs: 600 * MINUTE });
    const ben = world.pair("ben");
    const mallory = new Impostor(world, world.link());
    mallory.enter();
    world.settle();
    return { world, ben, mallory };
  }
  const alarms = (world: World): string[] => world.did("alarm").map(({ error }) => error.code);
  const names = (world: World): string[] => world.room.presence(world.now).map(({ name }) => name);
  /** One record, CONFIRM, went before. */
  const close = (mallory: Impostor, reason: Bytes, count = 1): void =>
    mallory.put(FRAME.close, concat(u64be(count), reason));

  it.each([0, 2, 3, 4, 5, 6, 7, 255])(
    "[R6] with reason %i is no more than that: its seat stays, and it comes back",
    (reason) => {
      const { world, mallory } = entered();
      close(mallory, Uint8Array.of(reason));
      world.settle();
      expect([alarms(world), names(world), world.room.ended]).toEqual([
        [],
        ["ana", "ben", "mallory"],
        undefined,
      ]);
      expect(world.room.presence(world.now).at(-1)?.connected).toBe(false);
      mallory.enter();
      expect(world.room.presence(world.now).at(-1)?.connected).toBe(true);
    },
  );

  it("[R6] [G2] with reason 1 ends its membership, once", () => {
    const { world, ben, mallory } = entered();
    close(mallory, Uint8Array.of(1));
    world.settle();
    expect([alarms(world), names(world)]).toEqual([[], ["ana", "ben"]]);
    expect(ben.entries.filter((entry) => entry.kind === "system" && entry.event === "left")).toHaveLength(1);
  });

  it("[R6] behind a `leave` is not told again", () => {
    const { world, ben, mallory } = entered();
    mallory.data(mallory.codec.encodeMemberFrame({ t: "leave" }));
    close(mallory, Uint8Array.of(1), 2);
    world.settle();
    expect(ben.entries.filter((entry) => entry.kind === "system" && entry.event === "left")).toHaveLength(1);
    expect(alarms(world)).toEqual([]);
  });

  it.each([0, 1, 7])("[R6] of %i bytes has no number of records that could be right", (length) => {
    const { world, mallory } = entered();
    mallory.put(FRAME.close, new Uint8Array(length));
    world.settle();
    expect([alarms(world), names(world)]).toEqual([["integrity-failed"], ["ana", "ben", "mallory"]]);
  });

  it.each([0, 2])("[F3] [R6] with %i bytes where the reason stands is a violation", (bytes) => {
    const { world, mallory } = entered();
    close(mallory, new Uint8Array(bytes));
    world.settle();
    expect(alarms(world)).toEqual(["protocol-violation"]);
  });

  it("[R6] is the last that is read: what comes behind it is nothing", () => {
    const { world, ben, mallory } = entered();
    const view = ben.member.membership?.order.view;
    close(mallory, Uint8Array.of(0));
    mallory.say("behind", {}, view);
    mallory.put(0x7f, new Uint8Array(0));
    world.settle();
    expect([alarms(world), texts(ben.entries), texts(world.hostEntries)]).toEqual([[], [], []]);
  });

  it("[D5] and comes back with a resume point before one that it has acknowledged, or one beyond what was sent, is turned away", () => {
    for (const [received, isRight] of [
      [0, false],
      [1, true],
      [2, false],
    ] as const) {
      const { world, mallory } = entered();
      mallory.put(FRAME.ack, u64be(1));
      mallory.enter({ received });
      world.settle();
      const isTurnedAway = mallory.frames().some(({ type }) => type === FRAME.close);
      expect([isTurnedAway, alarms(world)]).toEqual([!isRight, []]);
      expect(names(world)).toEqual(["ana", "ben", "mallory"]);
    }
  });
});

describe("what comes in the place of WELCOME", () => {
  it("[D5] ends the stay of a member if it is a CLOSE with reason 8, and no other reason does", () => {
    for (const reason of [0, 2, 3, 5, 6, 7, 8, 9]) {
      const victim = new HostileHost().session("ben");
      victim.cut();
      victim.shake();
      victim.put(FRAME.close, concat(u64be(0), Uint8Array.of(reason)));
      expect(victim.end).toBe(reason === 8 ? "stay-outdated" : undefined);
    }
  });

  it("[W2] [K7] is a denial if it is the one byte DENIED: then the secret of that handshake is tried", () => {
    const victim = new Victim(new HostileHost(), "ben");
    victim.give(DENIED);
    expect([victim.end, victim.alarms]).toEqual([undefined, []]);
    victim.deny();
    expect([victim.end, victim.alarms]).toEqual(["invite-refused", []]);
  });

  it.each([0, 1, 3, 5, 0x10])(
    "[W2] [K7] and as one other byte, %i, no record: the member comes back",
    (byte) => {
      const victim = new Victim(new HostileHost(), "ben");
      victim.give(Uint8Array.of(byte));
      expect(victim.member.connection).toMatchObject({ reason: "integrity-failed" });
      victim.cut();
      victim.shake();
      victim.welcome();
      expect([victim.end, victim.member.connection.name]).toEqual([undefined, "connected"]);
    },
  );
});
