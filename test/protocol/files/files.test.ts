import { chunkPrice } from "../../../src/protocol/record/chunk.ts";
import { describe, expect, it } from "vitest";
import type { Bytes } from "../../../src/protocol/base/bytes.ts";
import { FileIntake } from "../../../src/protocol/files/receiver.ts";
import { FILE } from "../../../src/protocol/base/limits.ts";
import { isBulk } from "../../../src/protocol/record/record.ts";
import { decodeStreamFrame } from "../../../src/protocol/link/stream-frames.ts";
import {
  chunksOf,
  contentOf,
  hostStreams,
  inShort,
  noise,
  offerOf,
  Rogue,
  streamsOf,
} from "../../support/streaming.ts";
import { guestDid, nodePrimitives, texts, World, type Guest } from "../../support/wire.ts";
import { askFor, chunkOf, frameOf, give, type FilePiece } from "../../support/file-words.ts";

const content = contentOf(300_000);
const offer = offerOf(content);
const salt = new Uint8Array(32).fill(4);
const chunks = chunksOf(offer, content, { salt });
const MUCH = 1_000_000;

/** A host or a guest, as a test makes it act. */
interface End {
  readonly id: Guest["member"]["self"];
  readonly machine: Guest["member"] | World["room"];
  events(): ReturnType<typeof streamsOf>;
}

function trio() {
  const world = new World();
  const [ben, cid] = [world.pair("ben"), world.pair("cid")];
  const ends = {
    host: { id: world.room.self, machine: world.room, events: () => hostStreams(world) },
    ben: { id: ben.member.self, machine: ben.member, events: () => streamsOf(ben) },
    cid: { id: cid.member.self, machine: cid.member, events: () => streamsOf(cid) },
  };
  const asks = (from: End, owner: End, credit = MUCH, offset = 0): number => {
    const id = askFor(from.machine, { file: offer.id, owner: owner.id, offset, credit }, world.now);
    world.settle();
    return id ?? Number.NaN;
  };
  /** Under which number it was asked last. */
  const askedAs = (owner: End): number => {
    const open = owner.events().findLast(({ t }) => t === "open");
    return open?.stream ?? Number.NaN;
  };
  const sends = (owner: End, list: readonly FilePiece[], stream = askedAs(owner)): boolean[] => {
    const sent = list.map((chunk) => give(owner.machine, { ...chunk, stream }, world.now));
    world.settle();
    return sent;
  };
  const alarms = (): string[] =>
    [...world.did("alarm"), ...guestDid(ben, "alarm"), ...guestDid(cid, "alarm")].map(
      ({ error }) => error.code,
    );
  return { world, guests: { ben, cid }, ...ends, asks, askedAs, sends, alarms };
}

const WAYS = [
  ["host", "ben"],
  ["ben", "host"],
  ["ben", "cid"],
] as const;

/** Puts together and checks what came on a stream, as a receiver does. */
function received(events: ReturnType<typeof streamsOf>): { whole: Bytes; isComplete: boolean } {
  const intake = new FileIntake(nodePrimitives, offer);
  const parts: Bytes[] = [];
  for (const event of events) {
    if (event.t === "start") intake.start(event.salt);
    if (event.t === "chunk") parts.push(intake.take(event));
  }
  return { whole: new Uint8Array(Buffer.concat(parts)), isComplete: intake.isComplete };
}

describe("a file on its way", () => {
  it.each(WAYS)("[S2] [S5] [S7] from %s to %s comes whole, in order, to nobody else", (from, to) => {
    const room = trio();
    const [owner, asker] = [room[from], room[to]];
    room.asks(asker, owner);
    expect(owner.events()).toMatchObject([
      { t: "open", file: offer.id, who: asker.id, offset: 0, credit: MUCH },
    ]);
    owner.machine.stream(frameOf({ t: "start", stream: room.askedAs(owner), salt }), room.world.now);
    expect(room.sends(owner, chunks)).toEqual([true, true, true]);
    const { whole, isComplete } = received(asker.events());
    expect([Buffer.compare(whole, content), isComplete]).toEqual([0, true]);
    // It is over with the final chunk, for either end.
    expect(room.sends(owner, chunks.slice(0, 1))).toEqual([false]);
    asker.machine.stream(frameOf({ t: "stop", stream: 1, reason: "cancelled" }), room.world.now);
    room.world.settle();
    expect(inShort(owner.events())).toEqual(["open"]);
    const third = (["host", "ben", "cid"] as const).find((name) => name !== from && name !== to) ?? "host";
    expect([room[third].events(), room.alarms()]).toEqual([[], []]);
  });

  it.each(WAYS)("[S3] [S5] from %s to %s comes within credit, and on with more of it", (from, to) => {
    const room = trio();
    const [owner, asker] = [room[from], room[to]];
    const [first] = chunks;
    const price = first === undefined ? 0 : chunkPrice(chunkOf(first));
    const mine = room.asks(asker, owner, price);
    expect(room.sends(owner, chunks)).toEqual([true, false, false]);
    asker.machine.stream(frameOf({ t: "credit", stream: mine, bytes: price - 1 }), room.world.now);
    room.world.settle();
    expect(room.sends(owner, chunks.slice(1))).toEqual([false, true]);
    expect(inShort(owner.events())).toEqual(["open", `credit ${price - 1}`]);
    expect(inShort(asker.events())).toEqual(["chunk 0", "chunk 260096 final"]);
    expect(room.alarms()).toEqual([]);
  });

  it.each(WAYS)(
    "[S7] from %s to %s ends with stop from either end, whose reason the other hears",
    (from, to) => {
      for (const who of ["owner", "asker"] as const) {
        const room = trio();
        const [owner, asker] = [room[from], room[to]];
        const mine = room.asks(asker, owner);
        room.sends(owner, chunks.slice(0, 1));
        const stream = who === "owner" ? room.askedAs(owner) : mine;
        const reason = who === "owner" ? "changed" : "refused";
        (who === "owner" ? owner : asker).machine.stream(
          frameOf({ t: "stop", stream, reason }),
          room.world.now,
        );
        room.world.settle();
        expect(inShort((who === "owner" ? asker : owner).events()).at(-1)).toBe(`stop ${reason}`);
        expect(room.sends(owner, chunks.slice(1))).toEqual([false, false]);
        expect(room.alarms()).toEqual([]);
      }
    },
  );

  it("[B5] [S5] is asked for from any offset, which reaches its owner as it is", () => {
    const room = trio();
    room.asks(room.cid, room.ben, 5, 130_048);
    expect(room.ben.events()).toMatchObject([{ t: "open", offset: 130_048, credit: 5, who: room.cid.id }]);
  });

  it("[S5] passes through the host byte for byte, marked as bulk, and with another number", () => {
    const room = trio();
    room.asks(room.host, room.ben);
    room.asks(room.cid, room.ben);
    expect(room.ben.events()).toMatchObject([{ stream: 2 }, { stream: 4 }]);
    room.sends(room.ben, chunks, 4);
    expect(room.cid.events()).toMatchObject(chunks.map((chunk) => ({ ...chunk, stream: 1, t: "chunk" })));
    const bulk = room.world.did("send").filter((effect) => effect.bulk === true);
    expect(bulk.map(({ message }) => isBulk(message))).toEqual([true, true, true]);
    expect(guestDid(room.guests.ben, "send").filter((effect) => effect.bulk === true)).toHaveLength(3);
    expect(room.host.events()).toEqual([]);
  });
});

describe("what cannot be asked for", () => {
  it.each(["ben", "host"] as const)("[S5] of somebody who is away is answered so, to %s", (who) => {
    const room = trio();
    const asker = who === "host" ? room.host : room.cid;
    room.guests.ben.offline = true;
    room.world.cut(room.guests.ben);
    const id = room.asks(asker, room.ben);
    if (who === "host") expect(id).toBeNaN();
    else expect(inShort(asker.events())).toEqual(["stop away"]);
  });

  it("[S5] is unknown from somebody who is not there, or from oneself", () => {
    const room = trio();
    room.asks(room.cid, room.cid);
    room.world.room.remove(room.ben.id, room.world.now);
    room.world.settle();
    room.asks(room.cid, room.ben);
    expect(inShort(room.cid.events())).toEqual(["stop nobody", "stop nobody"]);
    expect(room.asks(room.host, room.host)).toBeNaN();
    expect([room.host.events(), room.alarms()]).toEqual([[], []]);
  });

  it("[S6] is busy where 16 streams of an owner are open for the others together", () => {
    const { world, ben, cid, host, asks, alarms } = trio();
    for (let turn = 0; turn < FILE.maxOpened; turn += 1) asks(cid, ben);
    for (let turn = FILE.maxOpened; turn < FILE.maxServed; turn += 1)
      expect(asks(host, ben)).toBeGreaterThan(0);
    expect(asks(host, ben)).toBeNaN();
    // A stream that has ended makes room for the next one that asks.
    cid.machine.stream(frameOf({ t: "stop", stream: 1, reason: "cancelled" }), world.now);
    world.settle();
    expect(asks(host, ben)).toBeGreaterThan(0);
    asks(cid, ben);
    expect([inShort(cid.events()), alarms()]).toEqual([["stop busy"], []]);
  });

  it("[S6] a fifth stream of one member is answered with busy, and its own machine would not ask", () => {
    const world = new World();
    const ben = world.pair("ben");
    const ask = { file: offer.id, owner: world.room.self, offset: 0, credit: MUCH };
    for (let turn = 0; turn < 4; turn += 1) expect(askFor(ben.member, ask, world.now)).toBe(2 * turn + 1);
    expect(askFor(ben.member, ask, world.now)).toBeUndefined();
    const rogue = new Rogue(world);
    const open = { t: "open", file: offer.id, who: world.room.self, offset: 0, credit: MUCH } as const;
    for (let turn = 0; turn < 5; turn += 1) rogue.stream({ ...open, stream: 2 * turn + 1 });
    const heard = rogue.heard().map((payload) => decodeStreamFrame(payload));
    expect(heard).toEqual([{ t: "reset", stream: 9, code: "busy" }]);
    expect([hostStreams(world).length, world.did("alarm")]).toEqual([4 + 4, []]);
    expect([FILE.maxOpened, FILE.maxServed]).toEqual([4, 16]);
  });
});

describe("a stream and its connection", () => {
  it.each(WAYS)(
    "[S2] [S5] from %s to %s: whoever loses the other in mid-stream is told that it is away",
    (from, to) => {
      for (const lost of [from, to].filter((name) => name !== "host")) {
        const room = trio();
        const [owner, asker] = [room[from], room[to]];
        room.asks(asker, owner);
        room.sends(owner, chunks.slice(0, 1));
        const guest = lost === "ben" ? room.guests.ben : room.guests.cid;
        guest.offline = true;
        room.world.cut(guest);
        expect([owner, asker].map((end) => inShort(end.events()).at(-1))).toEqual(["stop away", "stop away"]);
        expect(room.sends(owner, chunks.slice(1))).toEqual([false, false]);
        guest.offline = false;
        room.world.advance(20_000);
        // Another stream, with another number, brings the rest.
        room.asks(asker, owner, MUCH, 130_048);
        expect(room.sends(owner, chunks.slice(1))).toEqual([true, true]);
        expect(inShort(asker.events()).slice(-2)).toEqual(["chunk 130048", "chunk 260096 final"]);
        expect(room.alarms()).toEqual([]);
      }
    },
  );

  it("[S2] [G7] a member that comes back before its loss was noticed has no streams either, and nor has the other end", () => {
    const room = trio();
    room.asks(room.cid, room.ben);
    room.world.loseGuestSide(room.guests.ben);
    room.world.advance(5_000);
    expect(room.guests.ben.member.connection.name).toBe("connected");
    expect([room.ben, room.cid].map((end) => inShort(end.events()).at(-1))).toEqual([
      "stop away",
      "stop away",
    ]);
    expect(room.sends(room.ben, chunks.slice(0, 1))).toEqual([false]);
    room.asks(room.cid, room.ben);
    expect(room.sends(room.ben, chunks.slice(0, 1))).toEqual([true]);
    expect(room.alarms()).toEqual([]);
  });

  it("[G5] ends for everybody with the room", () => {
    const room = trio();
    room.asks(room.cid, room.ben);
    room.asks(room.ben, room.host);
    room.world.room.end("closed", room.world.now);
    room.world.settle();
    expect(inShort(room.cid.events()).at(-1)).toBe("stop away");
    expect(inShort(room.ben.events()).slice(-2)).toEqual(["stop away", "stop away"]);
    const ask = { file: offer.id, owner: room.ben.id, offset: 0, credit: 1 };
    for (const end of [room.host, room.ben, room.cid]) {
      expect(askFor(end.machine, ask, room.world.now)).toBeUndefined();
      expect(give(end.machine, noise(1), room.world.now)).toBe(false);
    }
  });

  it("[G9] [G2] ends for the others when a member is removed, or leaves", () => {
    for (const how of ["removed", "left"] as const) {
      const room = trio();
      room.asks(room.cid, room.ben);
      room.asks(room.host, room.ben);
      if (how === "removed") room.world.room.remove(room.ben.id, room.world.now);
      else room.guests.ben.member.leave(room.world.now);
      room.world.settle();
      expect(inShort(room.cid.events())).toEqual(["stop away"]);
      expect(inShort(room.host.events())).toEqual(["stop away"]);
      room.asks(room.cid, room.ben);
      expect(inShort(room.cid.events()).at(-1)).toBe("stop nobody");
    }
  });

  it("[S2] [D1] delivers what is said during a transfer, at both ends", () => {
    const room = trio();
    room.asks(room.cid, room.ben);
    const stream = room.askedAs(room.ben);
    for (const [index, chunk] of chunks.entries()) {
      give(room.ben.machine, { ...chunk, stream }, room.world.now);
      room.guests.ben.member.say({ text: `ben ${index}` }, room.world.now);
      room.guests.cid.member.say({ text: `cid ${index}` }, room.world.now);
    }
    room.world.settle();
    for (const log of [room.world.hostEntries, room.guests.ben.entries, room.guests.cid.entries])
      expect(texts(log).toSorted()).toEqual(["ben 0", "ben 1", "ben 2", "cid 0", "cid 1", "cid 2"]);
    expect(inShort(room.cid.events()).at(-1)).toBe("chunk 260096 final");
  });
});
