import { describe, expect, it } from "vitest";
import { toBase64url, toHex, type Bytes } from "../../../src/protocol/base/bytes.ts";
import { encodeOffer } from "../../../src/protocol/files/offer.ts";
import { DENIED } from "../../../src/protocol/handshake/handshake.ts";
import { LINK } from "../../../src/protocol/base/limits.ts";
import { CLOSE_CODE } from "../../../src/protocol/link/wire.ts";
import { undeliveredOf } from "../../../src/session/saying/undelivered.ts";
import { endOf, flipBit, guestDid, texts, World, type Guest, type Tamper } from "../../support/wire.ts";

const honest: Tamper = (message) => [message];
const MINUTE = 60_000;

/** Says one thing each way and expects both logs to be complete and equal. */
function expectHealthy(world: World, guest: Guest): void {
  const mark = `${world.now} ${world.hostEntries.length}`;
  world.room.say({ text: `host ${mark}` }, world.now);
  guest.member.say({ text: `guest ${mark}` }, world.now);
  world.advance(1000);
  expect(guest.member.unplaced).toBe(0);
  expect(texts(guest.entries)).toEqual(texts(world.hostEntries));
  expect(texts(guest.entries).filter((text) => text.endsWith(mark))).toHaveLength(2);
}

describe("member", () => {
  // Messages of a resumed connection: M1, M3, M5, then data to the guest; M2, M4, then data to the host.
  it.each([
    ["toGuest", 0],
    ["toGuest", 1],
    ["toGuest", 2],
    ["toGuest", 3],
    ["toHost", 0],
    ["toHost", 1],
    ["toHost", 2],
  ] as const)(
    "[K3] [K7] [D5] survives the loss of message %s %i of a resume, and of all after it",
    (way, lost) => {
      const world = new World();
      const guest = world.pair();
      for (let round = 0; round < 3; round += 1) {
        world.room.say({ text: `kept ${round}` }, world.now);
        guest.member.say({ text: `mine ${round}` }, world.now);
        const drop: Tamper = (message, at) => (at < lost ? [message] : []);
        if (way === "toGuest") guest.tamperToGuest = drop;
        else guest.tamperToHost = drop;
        world.cut(guest);
        world.advance(3_000);
        world.cut(guest);
        guest.tamperToGuest = honest;
        guest.tamperToHost = honest;
        world.advance(20_000);
        expect(guest.member.connection.name).toBe("connected");
        expectHealthy(world, guest);
      }
    },
  );

  it.each([1, 5, 8, 12])(
    "[K7] survives %i resumes in a row of which the host never hears the end",
    (count) => {
      const world = new World();
      const guest = world.pair();
      guest.source = "a";
      guest.tamperToHost = (message, at) => (at < 1 ? [message] : []);
      for (let turn = 0; turn < count; turn += 1) {
        world.cut(guest);
        guest.source = `turn ${turn}`;
        world.advance(10_000);
      }
      guest.tamperToHost = honest;
      world.cut(guest);
      world.advance(2 * MINUTE);
      expect(guest.member.connection.name).toBe("connected");
      expectHealthy(world, guest);
    },
  );

  it("[K3] [K7] joins all the same when the first WELCOME is lost, without using the invite twice", () => {
    const world = new World();
    const guest = world.join(world.link());
    guest.tamperToGuest = (message, at) => (at < 2 ? [message] : []);
    world.settle();
    expect(world.hostEntries).toHaveLength(1);
    expect(guest.member.membership).toBeUndefined();
    world.room.say({ text: "are you there?" }, world.now);
    world.cut(guest);
    guest.tamperToGuest = honest;
    world.advance(20_000);
    expect(guestDid(guest, "joined")).toHaveLength(1);
    expect(guest.entries.map((entry) => entry.seq)).toEqual([1, 2]);
    expect(world.hostEntries).toHaveLength(2);
    expectHealthy(world, guest);
  });

  it.each([
    ["CONFIRM", 1, 1],
    ["CONFIRM", 1, 3],
    ["WELCOME", 2, 1],
    ["WELCOME", 2, 3],
  ] as const)(
    "[H13] [O7] finds the right handshake in its record after the %s (%i) was lost %i times",
    (what, at, times) => {
      const world = new World();
      const cid = world.pair("cid");
      const guest = world.join(world.link());
      const drop: Tamper = (message, place) => (place < at ? [message] : []);
      for (let turn = 0; turn < times; turn += 1) {
        guest.source = `turn ${turn}`;
        if (what === "CONFIRM") guest.tamperToHost = drop;
        else guest.tamperToGuest = drop;
        world.settle();
        world.cut(guest);
        world.advance(10_000);
      }
      expect(guest.member.membership).toBeUndefined();
      guest.tamperToHost = honest;
      guest.tamperToGuest = honest;
      world.cut(guest);
      world.advance(30_000);
      expect(endOf(guest)).toBeUndefined();
      const own = guest.member.membership?.order.member(guest.member.self);
      expect(own?.hash.some((byte) => byte !== 0)).toBe(true);
      expect(cid.member.membership?.order.member(guest.member.self)).toEqual(own);
      // However often it comes back after that.
      world.cut(guest);
      world.advance(20_000);
      expect(cid.member.membership?.order.member(guest.member.self)).toEqual(own);
      expect(guest.member.connection.name).toBe("connected");
    },
  );

  it("[K3] each resume uses a secret of its own: a recorded one is worth nothing", () => {
    const world = new World();
    const guest = world.pair();
    const ids = new Set<string>();
    for (let turn = 0; turn < 4; turn += 1) {
      world.cut(guest);
      const before = guest.wire.toHost.length;
      world.advance(20_000);
      const auth = guest.wire.toHost[before] ?? new Uint8Array(0);
      ids.add(toHex(auth.slice(1, 17)));
      const replay = world.stranger(`replay ${turn}`);
      replay.send(auth);
      expect(world.sentTo(replay.connection).slice(1)).toEqual([DENIED]);
    }
    expect(ids.size).toBe(4);
  });

  it("[G7] a new connection of a member replaces the one the host still holds", () => {
    const world = new World();
    const guest = world.pair();
    const old = guest.connection;
    world.loseGuestSide(guest);
    world.advance(5_000);
    expect(world.did("close")).toContainEqual({ type: "close", connection: old, code: CLOSE_CODE.replaced });
    expectHealthy(world, guest);
  });

  it.each<[string, (message: Bytes) => Bytes[]]>([
    ["altered", (message) => [flipBit(message, 700)]],
    ["doubled", (message) => [message, message]],
    ["cut short", (message) => [message.subarray(0, 100)]],
    ["swallowed with the next one let through", () => []],
  ])(
    "[R4] [D5] raises an alarm for a message that was %s, then heals by a fresh connection",
    (_what, tamper) => {
      for (const way of ["tamperToGuest", "tamperToHost"] as const) {
        const world = new World();
        const guest = world.pair();
        let count = 0;
        guest[way] = (message) => ((count += 1) === 1 ? tamper(message) : [message]);
        for (const text of ["one", "two"]) {
          if (way === "tamperToGuest") world.room.say({ text }, world.now);
          else guest.member.say({ text }, world.now);
        }
        world.settle();
        const raised = way === "tamperToGuest" ? guestDid(guest, "alarm") : world.did("alarm");
        expect(raised.map((effect) => effect.error.code)).toEqual(["integrity-failed"]);
        guest[way] = honest;
        world.advance(20_000);
        expect(texts(guest.entries)).toEqual(["one", "two"]);
        expectHealthy(world, guest);
      }
    },
  );

  it("[R6] tells an end on purpose from a cut: after a cut it comes back, after an end it does not", () => {
    const world = new World();
    const [cut, ended] = [world.pair("cut"), world.pair("ended")];
    world.cut(cut);
    expect(cut.member.connection.name).toBe("waiting");
    // The end is swallowed for one of them: nothing tells it that the room is over, so it keeps trying.
    cut.offline = true;
    world.room.end("closed", world.now);
    world.settle();
    expect(ended.member.connection.name).toBe("ended");
    world.advance(MINUTE);
    expect(["waiting", "connecting"]).toContain(cut.member.connection.name);
  });

  it("[N1] [K7] shows the code of the pairing also when its WELCOME was lost and a resume made up for it", () => {
    const world = new World();
    const guest = world.join(world.link());
    // The CHALLENGE and the ACCEPT pass, what follows does not: the host has seated a guest that does not know it.
    guest.tamperToGuest = (message, index) => (index < 2 ? [message] : []);
    world.settle();
    expect(world.room.presence(world.now)).toHaveLength(2);
    guest.tamperToGuest = honest;
    world.cut(guest);
    world.advance(MINUTE);
    expect(guest.member.connection.name).toBe("connected");
    const shown = world.room.presence(world.now).find(({ isHost }) => !isHost)?.safetyCode;
    expect(guest.member.membership?.safetyCode).toBe(shown);
    world.cut(guest);
    world.advance(MINUTE);
    expect(guest.member.membership?.safetyCode).toBe(shown);
  });

  it("[D7] [D9] counts a host that answers no ping for 15 seconds as gone and tries again, ever more slowly", () => {
    const world = new World({ idleMs: 10 * 60 * MINUTE });
    const guest = world.pair();
    world.advance(1_000);
    guest.tamperToGuest = () => [];
    guest.tamperToHost = () => [];
    world.advance(LINK.pingEveryMs + LINK.answerMs - 1_001);
    expect(guest.member.connection.name).toBe("connected");
    world.advance((guest.member.nextDeadline() ?? 0) - world.now);
    expect(guest.member.connection).toMatchObject({ name: "waiting", reason: "host-unreachable" });
    guest.offline = true;
    const waits: number[] = [];
    for (let turn = 0; turn < 10; turn += 1) {
      const { connection } = guest.member;
      if (connection.name !== "waiting") throw new Error(`not waiting but ${connection.name}`);
      waits.push(connection.retryAt - world.now);
      world.advance(connection.retryAt - world.now);
    }
    waits.forEach((wait, turn) => {
      const ceiling = Math.min(500 * 2 ** turn, 3_000);
      expect(wait).toBeGreaterThanOrEqual(ceiling / 2);
      expect(wait).toBeLessThanOrEqual(ceiling);
    });
  });

  it("[D9] gives up when the host was out of reach for 30 minutes", () => {
    const world = new World({ idleMs: 10 * 60 * MINUTE });
    const guest = world.pair();
    guest.offline = true;
    world.cut(guest);
    world.advance(30 * MINUTE - 1000);
    expect(guest.member.connection.name).not.toBe("ended");
    world.advance(MINUTE);
    expect(endOf(guest)).toBe("host-unreachable");
    expect(guest.member.nextDeadline()).toBeUndefined();
  });

  it("[D9] abandons a connection that is no member's after 15 seconds", () => {
    const world = new World();
    const guest = world.join(world.link());
    guest.tamperToGuest = () => [];
    world.settle();
    // The host itself is less patient (A4).
    guest.tamperToHost = () => [];
    world.blackHole(guest);
    world.advance(14_999);
    expect(guestDid(guest, "close").filter(({ connection }) => connection === 1)).toEqual([]);
    world.advance(1);
    expect(guestDid(guest, "close")).toContainEqual({
      type: "close",
      connection: 1,
      code: CLOSE_CODE.late,
    });
    expect(guest.member.connection.name).not.toBe("ended");
  });

  it("[K7] learns that its seat is gone only from a denial of every secret it holds", () => {
    const world = new World({ idleMs: 10 * 60 * MINUTE });
    const guest = world.pair();
    // A denial of one secret alone does not end the stay: the host may hold the one before it.
    guest.tamperToHost = (message, at) => (at < 1 ? [message] : []);
    world.cut(guest);
    world.advance(3_000);
    world.cut(guest);
    guest.tamperToHost = honest;
    world.advance(5_000);
    expect(guest.member.connection.name).toBe("connected");
  });

  it("[K7] outlives four rounds of forged denials, and believes the fifth", () => {
    const world = new World();
    for (const rounds of [4, 5]) {
      const guest = world.pair(`denied ${rounds}`);
      let denied = 0;
      guest.tamperToGuest = (message, at) => {
        if (at !== 1 || denied === rounds) return [message];
        denied += 1;
        return [DENIED];
      };
      world.cut(guest);
      world.advance(MINUTE);
      expect(endOf(guest)).toBe(rounds === 5 ? "tunnel-gone" : undefined);
    }
  });

  it("[K7] survives a flip of any byte of M1, M2 or M3 of a resume", () => {
    const world = new World();
    const guest = world.pair();
    for (const [way, index, size] of [
      ["tamperToGuest", 0, 50],
      ["tamperToHost", 0, 146],
      ["tamperToGuest", 1, 54],
    ] as const) {
      for (let byte = 0; byte < size; byte += 3) {
        guest.source = `${way} ${index} ${byte}`;
        let done = false;
        guest[way] = (message, at) => {
          if (done || at !== index) return [message];
          done = true;
          return [flipBit(message, byte * 8 + (byte % 8))];
        };
        world.cut(guest);
        world.advance(5_000);
        expect(guest.member.connection.name).toBe("connected");
      }
    }
  });

  it("[G2] a member that leaves is gone for the host at once and cannot come back", () => {
    const world = new World();
    const guest = world.pair();
    guest.member.say({ text: "bye" }, world.now);
    guest.member.leave(world.now);
    world.settle();
    expect(texts(world.hostEntries)).toEqual(["bye"]);
    expect(world.hostEntries.at(-1)).toMatchObject({ event: "left", cause: "left" });
    expect(world.room.presence(world.now)).toHaveLength(1);
    guest.member.leave(world.now);
    world.advance(MINUTE);
    expect(guestDid(guest, "dial")).toHaveLength(1);
  });

  it("[D1] [O7] holds what it says while it is cut off, in order, and learns each place", () => {
    const world = new World();
    const guest = world.pair();
    guest.offline = true;
    world.cut(guest);
    const numbers = ["a", "b", "c"].map((text) => guest.member.say({ text }, world.now));
    world.room.say({ text: "between" }, world.now);
    expect(guest.member.unplaced).toBe(3);
    guest.offline = false;
    world.advance(20_000);
    expect(numbers).toEqual([1, 2, 3]);
    expect(guestDid(guest, "placed").map(({ n, seq }) => [n, seq])).toEqual([
      [1, 3],
      [2, 4],
      [3, 5],
    ]);
    expect(texts(guest.entries)).toEqual(["between", "a", "b", "c"]);
  });

  it.each([
    ["self", ({ member }: Guest, { now }: World) => member.leave(now)],
    ["removal", ({ member }: Guest, { room, now }: World) => room.remove(member.self, now)],
    ["host", (_: Guest, { room, now }: World) => room.end("closed", now)],
    [
      "protocol-violation",
      (_: Guest, { room, now }: World) => room.setAddresses(["https://elsewhere.example"], now),
    ],
  ] as const)("knows after its end (%s) which of its messages the host has not placed", (end, happen) => {
    const world = new World();
    const guest = world.pair();
    guest.member.say({ text: "placed" }, world.now);
    world.settle();
    world.blackHole(guest, ["toHost"]);
    for (const text of ["one", "two"]) guest.member.say({ text }, world.now);
    happen(guest, world);
    world.settle();
    expect(endOf(guest)).toBe(end);
    expect(guest.member.waiting.map((said) => [said.n, said.kind === "chat" && said.text])).toEqual([
      [2, "one"],
      [3, "two"],
    ]);
  });

  it("knows of a file whose offer was not placed, and shows no more of the offer than anybody is shown", () => {
    const world = new World();
    const guest = world.pair();
    world.blackHole(guest);
    const key = new Uint8Array(32).fill(7);
    const offer = { id: new Uint8Array(16), key, name: "a.json", size: 3, hash: new Uint8Array(32) };
    guest.member.say({ text: encodeOffer(offer), what: "file" }, world.now);
    guest.member.leave(world.now);
    const told = undeliveredOf(guest.member.waiting);
    expect(told?.messages).toEqual([{ ownNo: 1, text: undefined, file: "a.json", to: undefined }]);
    expect(JSON.stringify(told)).not.toContain(toBase64url(key));
  });

  it("[G6] reports activity at most every 15 seconds, and reading at once", () => {
    const world = new World();
    const guest = world.pair();
    world.advance(1000);
    const notes = (): number => guest.wire.toHost.length;
    guest.member.touch(0, world.now);
    world.advance(60);
    const before = notes();
    guest.member.touch(0, world.now);
    world.advance(1000);
    expect(notes()).toBe(before);
    world.room.say({ text: "x" }, world.now);
    world.advance(100);
    const read = notes();
    guest.member.touch(2, world.now);
    world.advance(60);
    expect(notes()).toBeGreaterThan(read);
    expect(world.room.presence(world.now)[1]?.read).toBe(2);
  });
});
