import { describe, expect, it } from "vitest";
import { concat, u32be } from "../../src/protocol/base/bytes.ts";
import type { MemberId } from "../../src/protocol/base/ids.ts";
import { RATE } from "../../src/protocol/base/limits.ts";
import { FRAME } from "../../src/protocol/record/record.ts";
import { encodeStreamFrame } from "../../src/protocol/link/stream-frames.ts";
import { encodeUtf8 } from "../../src/protocol/base/utf8.ts";
import { HostileHost, type Victim } from "./support/host.ts";
import { hostStreams, inShort, noise, recordsBehind, Rogue, streamsOf } from "../support/streaming.ts";
import { guestDid, texts, World, type Guest } from "../support/wire.ts";
import {
  askFor,
  chunkOf,
  fileRequest,
  frameOf,
  give,
  type FilePiece,
  type FileWord,
} from "../support/file-words.ts";

const file = new Uint8Array(16).fill(8);
const MUCH = 1_000_000;

/** A room with two honest guests and a member that keeps to no rule. */
function roomWithRogue() {
  const world = new World();
  const [ben, cid] = [world.pair("ben"), world.pair("cid")];
  const rogue = new Rogue(world);
  const { id } = rogue.impostor.signer;
  world.settle();
  const asks = (guest: Guest, owner: MemberId, credit = MUCH): number =>
    askFor(guest.member, { file, owner, offset: 0, credit }, world.now) ?? Number.NaN;
  const open = (stream: number, who: MemberId, credit = MUCH): FileWord => ({
    t: "open",
    stream,
    file,
    who,
    offset: 0,
    credit,
  });
  return { world, ben, cid, rogue, id, asks, open };
}

type Scene = ReturnType<typeof roomWithRogue>;
const alarmsOf = ({ world }: Scene): string[] => world.did("alarm").map(({ error }) => error.code);
const isIn = ({ world, id }: Scene): boolean =>
  world.room.presence(world.now).some((one) => one.id === id && one.connected);

/** The others talk, and a file between them still comes. */
function expectUnharmed(scene: Scene): void {
  const { world, ben, cid, asks } = scene;
  const before = streamsOf(cid).length;
  asks(cid, ben.member.self);
  world.settle();
  const open = streamsOf(ben).findLast(({ t }) => t === "open");
  const chunk = { ...noise(open?.stream ?? 0), final: true };
  expect(give(ben.member, chunk, world.now)).toBe(true);
  world.room.say({ text: "still here" }, world.now);
  world.settle();
  expect(inShort(streamsOf(cid).slice(before)).at(-1)).toBe("chunk 0 final");
  expect(texts(ben.entries).at(-1)).toBe("still here");
  expect([ben, cid].flatMap((guest) => guestDid(guest, "alarm"))).toEqual([]);
}

describe("a member on streams", () => {
  it.each<[string, (scene: Scene) => void]>([
    [
      "sends a chunk more than it was let",
      ({ world, cid, rogue, id, asks }) => {
        asks(cid, id, 512);
        world.settle();
        for (let turn = 0; turn < 3; turn += 1) rogue.chunk(noise(2, turn * 200));
      },
    ],
    [
      "sends one chunk larger than all that it was let",
      ({ world, rogue, id }) => {
        askFor(world.room, { file, owner: id, offset: 0, credit: 255 }, world.now);
        rogue.chunk(noise(2));
      },
    ],
    ["sends on a stream that nobody opened", ({ rogue }) => rogue.chunk(noise(2))],
    ["sends on its own next stream", ({ rogue }) => rogue.chunk(noise(1))],
    ["sends on the highest stream", ({ rogue }) => rogue.chunk(noise(2 ** 32 - 1))],
    [
      "grants on a stream that nobody opened",
      ({ rogue }) => rogue.stream({ t: "credit", stream: 2, bytes: 1 }),
    ],
    [
      "stops a stream that nobody opened",
      ({ rogue }) => rogue.stream({ t: "stop", stream: 7, reason: "gone" }),
    ],
    [
      "starts a stream that nobody opened",
      ({ rogue }) => rogue.stream({ t: "start", stream: 2, salt: new Uint8Array(32) }),
    ],
    [
      "opens a stream of the host's numbers",
      ({ rogue, ben, open }) => rogue.stream(open(2, ben.member.self)),
    ],
    [
      "opens the same stream twice",
      ({ rogue, ben, open }) => {
        rogue.stream(open(1, ben.member.self));
        rogue.stream(open(1, ben.member.self));
      },
    ],
    [
      "opens a lower stream",
      ({ rogue, ben, open }) => {
        rogue.stream(open(5, ben.member.self));
        rogue.stream(open(3, ben.member.self));
      },
    ],
    [
      "sends on after its end",
      ({ world, cid, rogue, id }) => {
        cid.member.openStream(fileRequest({ file, owner: id, offset: 0, credit: MUCH }), world.now);
        world.settle();
        rogue.stream({ t: "end", stream: 2 });
        rogue.chunk(noise(2));
      },
    ],
    [
      "ends a stream twice",
      ({ world, cid, rogue, id }) => {
        cid.member.openStream(fileRequest({ file, owner: id, offset: 0, credit: MUCH }), world.now);
        world.settle();
        rogue.stream({ t: "end", stream: 2 });
        rogue.stream({ t: "end", stream: 2 });
      },
    ],
    ["ends a stream that nobody opened", ({ rogue }) => rogue.stream({ t: "end", stream: 2 })],
    [
      "answers its own question",
      ({ rogue, ben, open }) => {
        rogue.stream(open(1, ben.member.self));
        rogue.stream({ t: "start", stream: 1, salt: new Uint8Array(32) });
      },
    ],
    [
      "sends bytes that nobody let come, sealed by the hop",
      ({ world, cid, rogue, id, asks }) => {
        asks(cid, id, 255);
        world.settle();
        rogue.open({ stream: 2, bytes: new Uint8Array(1) });
      },
    ],
    [
      "asks with a giant request",
      ({ rogue, ben }) => {
        const header = encodeUtf8(
          JSON.stringify({ t: "open", stream: 1, service: "files", who: ben.member.self, credit: 1 }),
        );
        const payload = concat(Uint8Array.of(0, header.length), header, new Uint8Array(4_097));
        rogue.impostor.put(FRAME.stream, payload);
      },
    ],
    [
      "sends a frame that is none",
      ({ rogue }) => rogue.impostor.put(FRAME.stream, Uint8Array.of(0, 2, 0x7b, 0x7d)),
    ],
  ])(
    "[S2] [S3] [G8] that %s loses its connection with an alarm, and nobody else is affected",
    (_what, attack) => {
      const scene = roomWithRogue();
      attack(scene);
      scene.world.settle();
      expect([alarmsOf(scene), isIn(scene)]).toEqual([["protocol-violation"], false]);
      expectUnharmed(scene);
    },
  );

  it("[R4] [R7] whose bulk message does not open loses its connection with an alarm", () => {
    const scene = roomWithRogue();
    scene.rogue.give(concat(Uint8Array.of(0x11), new Uint8Array(255)));
    // Nothing after it is read, though it would open by itself.
    scene.rogue.stream(scene.open(1, scene.ben.member.self));
    scene.world.settle();
    expect([alarmsOf(scene), isIn(scene), streamsOf(scene.ben)]).toEqual([["integrity-failed"], false, []]);
    expectUnharmed(scene);
  });

  it("[S3] [S5] whose sender overdoes it, tells the receiver that it is away, and nothing more", () => {
    const scene = roomWithRogue();
    scene.asks(scene.cid, scene.id, 256);
    scene.world.settle();
    for (let turn = 0; turn < 3; turn += 1) scene.rogue.chunk(noise(2, turn));
    scene.world.settle();
    expect(inShort(streamsOf(scene.cid))).toEqual(["chunk 0", "stop away"]);
  });

  it.each<[string, (scene: Scene) => void]>([
    ["a chunk to whose file it is", ({ rogue }) => rogue.chunk(noise(1))],
    ["the final chunk to whose file it is", ({ rogue }) => rogue.chunk({ ...noise(1), final: true })],
  ])(
    "[S3] [S5] that sends %s where nobody has let it come reaches nobody, and loses its connection",
    (_what, attack) => {
      for (const who of ["ben", "host"] as const) {
        const scene = roomWithRogue();
        const { world, rogue, ben, open } = scene;
        rogue.stream(open(1, who === "ben" ? ben.member.self : world.room.self));
        world.settle();
        attack(scene);
        world.settle();
        const events = who === "ben" ? streamsOf(ben) : hostStreams(world);
        expect([inShort(events), alarmsOf(scene), isIn(scene)]).toEqual([
          ["open", "stop away"],
          ["protocol-violation"],
          false,
        ]);
        expectUnharmed(scene);
      }
    },
  );

  it("[S3] that grants itself credit for its own sending may send no more for it", () => {
    const scene = roomWithRogue();
    scene.asks(scene.cid, scene.id, 256);
    scene.world.settle();
    scene.rogue.stream({ t: "credit", stream: 2, bytes: MUCH });
    scene.rogue.chunk(noise(2));
    scene.rogue.chunk(noise(2));
    scene.world.settle();
    expect([alarmsOf(scene), isIn(scene)]).toEqual([["protocol-violation"], false]);
  });

  it("[S5] hears nothing of a stream between two others, and cannot end it or feed it", () => {
    const scene = roomWithRogue();
    const { world, ben, cid, rogue, asks } = scene;
    asks(cid, ben.member.self);
    world.settle();
    // The numbers of the others mean nothing on its own channel.
    rogue.stream(scene.open(1, world.room.self));
    rogue.stream({ t: "stop", stream: 1, reason: "changed" });
    world.settle();
    expect(inShort(streamsOf(ben))).toEqual(["open"]);
    expect(streamsOf(cid)).toEqual([]);
    expect(rogue.heard()).toEqual([]);
    expect(give(ben.member, noise(2), world.now)).toBe(true);
  });

  it("[S3] [E1] pays nothing for chunks within credit, nor for those that were under way when the receiver stopped, who pays for them", () => {
    const scene = roomWithRogue();
    const { world, cid, rogue, id, asks } = scene;
    const mine = asks(cid, id, 4 * RATE.bytesBurst);
    world.settle();
    const pauses = (): number => world.did("pause").length;
    const count = (2 * RATE.bytesBurst) / 131_072;
    for (let turn = 0; turn < count; turn += 1) rogue.chunk(noise(2, turn, 131_072));
    world.settle();
    expect([streamsOf(cid).length, pauses()]).toEqual([count, 0]);
    cid.member.stream(frameOf({ t: "stop", stream: mine, reason: "cancelled" }), world.now);
    world.settle();
    for (let turn = 0; turn < count; turn += 1) rogue.chunk(noise(2, turn, 131_072));
    world.settle();
    expect(streamsOf(cid)).toHaveLength(count);
    expect(pauses()).toBeGreaterThan(0);
    expect(world.did("pause").every(({ connection }) => connection === cid.connection)).toBe(true);
    expect([alarmsOf(scene), isIn(scene)]).toEqual([[], true]);
    // Now it can know: what it sends from here on is its own doing.
    rogue.impostor.put(FRAME.pong, new Uint8Array(0));
    for (let turn = 0; turn < count; turn += 1) rogue.chunk(noise(2, turn, 131_072));
    world.settle();
    expect(world.did("pause").at(-1)).toMatchObject({ connection: rogue.impostor.connection });
    expect([alarmsOf(scene), isIn(scene)]).toEqual([[], true]);
  }, 20_000);

  it("[E1] pays for opening and stopping streams as for any frame", () => {
    const scene = roomWithRogue();
    const { world, rogue, ben, open } = scene;
    for (let turn = 0; turn <= RATE.framesBurst / 2; turn += 1) {
      rogue.stream(open(2 * turn + 1, ben.member.self));
      rogue.stream({ t: "stop", stream: 2 * turn + 1, reason: "cancelled" });
    }
    world.settle();
    expect(world.did("pause").length).toBeGreaterThan(0);
    expect(alarmsOf(scene)).toEqual([]);
  });
});

describe("a host on streams", () => {
  function victimOf(): { host: HostileHost; ben: Victim; gives: (piece: FilePiece) => void } {
    const host = new HostileHost();
    const ben = host.session("ben");
    const records = recordsBehind(() => ben.put(FRAME.pong, new Uint8Array(0)));
    const gives = (piece: FilePiece): void => {
      const { stream, bytes } = chunkOf(piece);
      for (const message of records.sealBulk({ header: u32be(stream), chunk: bytes }, host.now))
        ben.give(message);
    };
    return { host, ben, gives };
  }
  const tells = (ben: Victim, word: FileWord): void =>
    ben.put(FRAME.stream, encodeStreamFrame(frameOf(word)));

  it.each<[string, (scene: ReturnType<typeof victimOf>) => void]>([
    ["sends a chunk that was never asked for", ({ gives }) => gives(noise(1))],
    ["sends a chunk on a stream of its own", ({ gives }) => gives(noise(2))],
    [
      "sends more than it was let",
      ({ host, ben, gives }) => {
        askFor(ben.member, { file, owner: host.self.id, offset: 0, credit: 300 }, host.now);
        ben.pump();
        gives(noise(1));
        gives(noise(1));
      },
    ],
    ["grants on a stream that nobody opened", ({ ben }) => tells(ben, { t: "credit", stream: 2, bytes: 1 })],
    [
      "opens a stream of the member's numbers",
      ({ host, ben }) => tells(ben, { t: "open", stream: 1, file, who: host.self.id, offset: 0, credit: 1 }),
    ],
    [
      "sends on after its end",
      ({ host, ben, gives }) => {
        ben.member.openStream(fileRequest({ file, owner: host.self.id, offset: 0, credit: 300 }), host.now);
        ben.pump();
        tells(ben, { t: "end", stream: 1 });
        gives(noise(1));
      },
    ],
    ["ends a stream that nobody opened", ({ ben }) => tells(ben, { t: "end", stream: 2 })],
  ])("[S2] [S3] that %s is not to be trusted again", (_what, attack) => {
    const scene = victimOf();
    attack(scene);
    expect([scene.ben.alarms, scene.ben.end]).toEqual([["protocol-violation"], "protocol-violation"]);
  });

  it("[S6] that asks for a 17th stream is told to come again, and served the 16", () => {
    const { host, ben } = victimOf();
    for (let turn = 1; turn <= 17; turn += 1)
      tells(ben, { t: "open", stream: 2 * turn, file, who: host.self.id, offset: 0, credit: MUCH });
    expect(ben.end).toBeUndefined();
    expect([2, 32, 34].map((stream) => give(ben.member, noise(stream), host.now))).toEqual([
      true,
      true,
      false,
    ]);
  });
});
