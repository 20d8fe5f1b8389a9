import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toBase64url } from "../../src/protocol/base/bytes.ts";
import type { Download } from "../../src/session/files/files.ts";
import type { HostSession } from "../../src/session/host-session.ts";
import type { GuestSession } from "../../src/session/guest-session.ts";
import { hostRequest } from "../session/support.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import { MemorySink, MemorySource, outcomeOf } from "../support/files/file-ends.ts";
import type { Crossing, Direction, Ending, Proxy } from "../support/proxy.ts";
import { Chance } from "../support/random.ts";
import { RawSharer } from "../support/raw-sharer.ts";
import { chunksOf, contentOf, offerOf } from "../support/streaming.ts";
import { nodePrimitives } from "../support/wire.ts";
import {
  afterwards,
  cleanUp,
  expectAllHeard,
  isConnected,
  joined,
  opened,
  proxiesIn,
  proxy,
  sessions,
  settled,
  turning,
  Voice,
} from "./support.ts";

/** Files over bad networks: what comes in the end is what was shared, however often its way was lost. */

const MB = 1_000_000;
const MINUTE_MS = 60_000;
const DIRECTIONS: readonly Direction[] = ["toHost", "toGuest"];
const ENDINGS: readonly Ending[] = ["fin", "reset"];
type Tunnel = HostSession | GuestSession;

let clock: FakeClock;
beforeEach(() => {
  clock = new FakeClock();
});
afterEach(cleanUp);

/** A host, a guest behind a bad network and one beside the host. */
async function three(): Promise<{ host: HostSession; ben: GuestSession; cid: GuestSession; wire: Proxy }> {
  const wire = await proxy();
  const { host, joinLinks } = await opened(clock, { wire, invites: 2 });
  const direct = joinLinks[1]?.replace(`:${wire.port}/`, `:${wire.target}/`);
  return { host, ben: await joined(clock, joinLinks[0]), cid: await joined(clock, direct, "cid"), wire };
}

/** Something to send, which the other side has heard of and begins to receive. */
async function sending(from: Tunnel, to: Tunnel, content: Uint8Array) {
  const sharing = from.files.share(new MemorySource(content), { name: "a.bin" });
  const { fileId } = await settled(clock, "it is offered", sharing);
  const isKnown = (): boolean => to.files.offered.some((one) => one.fileId === fileId);
  await turning(clock, "it has been heard of", isKnown);
  const sink = new MemorySink();
  return { sink, download: await to.files.receive(fileId, `/${fileId}`, () => Promise.resolve(sink)) };
}

const isOver = ({ state }: Download): boolean => state.name !== "receiving";
const receivedOf = ({ state }: Download): number => (state.name === "receiving" ? state.received : Infinity);

function expectWhole(
  { sink, download }: { sink: MemorySink; download: Download },
  content: Uint8Array,
): void {
  expect([outcomeOf(download), sink.state, Buffer.compare(sink.content, content)]).toEqual([
    "done",
    "committed",
    0,
  ]);
}

function newestOf({ newest }: Proxy): Crossing {
  if (newest === undefined) throw new Error("nobody has connected");
  return newest;
}

const WAYS = ["host to guest", "guest to host", "guest to guest", "guest from guest"] as const;

/** Who sends to whom, and in which direction that goes over the bad network. */
function wayOf(way: (typeof WAYS)[number], { host, ben, cid }: Awaited<ReturnType<typeof three>>) {
  const ways = {
    "host to guest": { from: host, to: ben, direction: "toGuest" },
    "guest to host": { from: ben, to: host, direction: "toHost" },
    "guest to guest": { from: ben, to: cid, direction: "toHost" },
    "guest from guest": { from: cid, to: ben, direction: "toGuest" },
  } as const;
  return ways[way];
}

describe("a file whose connection is lost", () => {
  it.each(WAYS)("[B5] twenty times at any byte of it is the file that was shared (%s)", async (way) => {
    const chance = new Chance(WAYS.indexOf(way) + 1);
    const room = await three();
    const { from, to, direction } = wayOf(way, room);
    const content = contentOf(5 * MB);
    let cuts = 0;
    const cutLater = (crossing: Crossing): void => {
      if (cuts === 20) return;
      cuts += 1;
      // Now and then while it is only being made; else in the first chunks, which need no further credit.
      const bytes = chance.happens(0.2) ? chance.below(2_000) : 2_000 + chance.below(250_000);
      crossing.cutAfter(direction, crossing[direction].passed + bytes, chance.pick(ENDINGS));
    };
    cutLater(newestOf(room.wire));
    room.wire.onCrossing = cutLater;
    const file = await sending(from, to, content);
    await turning(clock, "it is over", () => isOver(file.download));
    expect(cuts).toBe(20);
    expectWhole(file, content);
    expect([room.host.alarms, room.ben.alarms, room.cid.alarms]).toEqual([[], [], []]);
    expect(from.files.serving).toEqual([]);
  });

  it("[B5] while several are on their way in both directions is none the worse for any of them", async () => {
    const chance = new Chance(9);
    const { host, ben, cid, wire } = await three();
    const contents = [1, 2, 3, 4].map((n) => contentOf(MB + n));
    const ways = [
      [host, ben],
      [ben, host],
      [ben, cid],
      [cid, ben],
    ] as const;
    const files: Awaited<ReturnType<typeof sending>>[] = [];
    for (const [n, [from, to]] of ways.entries())
      files.push(await sending(from, to, contents[n] ?? new Uint8Array(0)));
    let cuts = 0;
    const voices = [new Voice(host), new Voice(ben)] as const;
    while (!files.every(({ download }) => isOver(download))) {
      if (cuts < 10 && ben.connection.name === "connected") {
        cuts += 1;
        const direction = chance.pick(DIRECTIONS);
        const { passed } = newestOf(wire)[direction];
        newestOf(wire).cutAfter(direction, passed + chance.below(200_000), chance.pick(ENDINGS));
        for (const voice of voices) voice.say(100);
      }
      const before = wire.total;
      const isNext = (): boolean =>
        files.every(({ download }) => isOver(download)) ||
        (wire.total > before && ben.connection.name === "connected" && isConnected(host));
      await turning(clock, "the guest is back", isNext);
    }
    for (const [n, file] of files.entries()) expectWhole(file, contents[n] ?? new Uint8Array(0));
    const [ana, other] = voices;
    const all = (): boolean =>
      ana.of("ben").length === other.said.length && other.of("ana").length === ana.said.length;
    await turning(clock, "all has been heard", all, { each: () => voices.forEach((one) => one.listen()) });
    expectAllHeard(ana, "ana", other);
    expectAllHeard(other, "ben", ana);
  });

  it.each(
    WAYS.flatMap((way) => [[], ["toHost"], ["toGuest"]].map((dead) => [way, dead.join() || "both"] as const)),
  )(
    "[D7] [B5] and nobody is told goes on as soon as silence has shown it (%s, dead: %s)",
    async (way, dead) => {
      const room = await three();
      const { from, to } = wayOf(way, room);
      const content = contentOf(2 * MB);
      const crossing = newestOf(room.wire);
      const file = await sending(from, to, content);
      await turning(clock, "some of it is there", () => receivedOf(file.download) > 200_000, { stepMs: 1 });
      expect(isOver(file.download)).toBe(false);
      crossing.stall(...DIRECTIONS.filter((direction) => dead === "both" || dead === direction));
      await turning(clock, "it is over", () => isOver(file.download));
      expectWhole(file, content);
      expect(room.wire.total).toBe(2);
    },
  );

  it("[U3] with its address comes over the next one", async () => {
    const wires: Proxy[] = [];
    const made = sessions(
      clock,
      { transport: "cloudflared", idleMinutes: 1_440 },
      { cloudflared: proxiesIn(wires) },
    );
    const { hosting: host, invites } = await settled(clock, "there is a host", made.host(hostRequest()));
    const ben = await joined(clock, invites[0]?.joinLink);
    await turning(clock, "a spare address is there", () => host.health.standby.state === "ready");
    await clock.advance(500);
    const [primary, spare] = wires;
    if (primary === undefined || spare === undefined) throw new Error("there are two addresses");
    const content = contentOf(2 * MB);
    const [down, up] = [await sending(host, ben, content), await sending(ben, host, content)];
    const isBegun = (): boolean => receivedOf(down.download) > 0 && receivedOf(up.download) > 0;
    await turning(clock, "some of both is there", isBegun, { stepMs: 1 });
    for (const crossing of primary.open) crossing.stall();
    primary.onCrossing = (crossing) => crossing.stall();
    await turning(clock, "both are over", () => isOver(down.download) && isOver(up.download));
    for (const file of [down, up]) expectWhole(file, content);
    expect([spare.total, host.alarms, ben.alarms]).toEqual([1, [], []]);
  });
});

describe("a file over a slow path", () => {
  /** Some hundred bytes for each turn of the event loop, several of which are a turn of the clock. */
  function slow(crossing: Crossing, bytesPerTurn: number): void {
    for (const lane of [crossing.toHost, crossing.toGuest]) lane.bytesPerTurn = bytesPerTurn;
  }

  it.each(["toGuest", "toHost"] as const)(
    "keeps a room alive in which nobody does anything else, and no longer (%s)",
    async (direction) => {
      const wire = await proxy();
      const made = sessions(clock, { idleMinutes: 1 }, { direct: wire.provider });
      const { hosting: host, invites } = await made.host(hostRequest());
      const ben = await joined(clock, invites[0]?.joinLink);
      const content = contentOf(2 * MB);
      const [from, to] = direction === "toGuest" ? [host, ben] : [ben, host];
      const file = await sending(from, to, content);
      slow(newestOf(wire), 600);
      const start = clock.now();
      await turning(clock, "it is over", () => isOver(file.download), { stepMs: 200 });
      expect(clock.now() - start).toBeGreaterThan(MINUTE_MS);
      expectWhole(file, content);
      expect([host.end, ben.end]).toEqual([undefined, undefined]);
      await clock.advance(2 * MINUTE_MS);
      expect(host.end).toMatchObject({ cause: "idle" });
    },
  );

  it("leaves room for what is said meanwhile, in both directions", async () => {
    const room = await three();
    const content = contentOf(MB);
    const [down, up] = [
      await sending(room.host, room.ben, content),
      await sending(room.ben, room.host, content),
    ];
    slow(newestOf(room.wire), 2_000);
    const [ana, ben] = [new Voice(room.host), new Voice(room.ben)];
    const areOver = (): boolean => isOver(down.download) && isOver(up.download);
    let heardBefore = 0;
    await turning(clock, "both are over", areOver, {
      each: (turn) => {
        if (turn % 20 === 0) ana.say(200);
        if (turn % 20 === 10) ben.say(200);
        ana.listen();
        ben.listen();
        heardBefore = Math.min(ana.of("ben").length, ben.of("ana").length);
      },
    });
    // Not only behind them.
    expect(heardBefore).toBeGreaterThan(1);
    for (const file of [down, up]) expectWhole(file, content);
    const all = (): boolean =>
      ana.of("ben").length === ben.said.length && ben.of("ana").length === ana.said.length;
    await turning(clock, "all has been heard", all, {
      each: () => [ana, ben].forEach((one) => one.listen()),
    });
    expectAllHeard(ana, "ana", ben);
    expectAllHeard(ben, "ben", ana);
    expect(room.wire.total).toBe(1);
  });
});

describe("a sender that does not answer", () => {
  it.each<[string, number | undefined]>([
    ["at all", undefined],
    ["after it has begun", 0],
    ["after a chunk", 1],
  ])(
    "%s is given up after a minute: file-stalled; nothing is saved, and the room goes on",
    async (_, chunks) => {
      const { host, joinLinks } = await opened(clock, { invites: 2 });
      const ben = await joined(clock, joinLinks[0]);
      const mallory = await settled(clock, "it is in", RawSharer.enter(joinLinks[1] ?? "", clock));
      afterwards(() => mallory.member.socket.destroy());
      const content = contentOf(3_000);
      const offer = offerOf(content);
      mallory.offers(offer);
      const fileId = toBase64url(offer.id);
      for (const to of [host, ben]) {
        await turning(clock, "it has been heard of", () =>
          to.files.offered.some((one) => one.fileId === fileId),
        );
        const sink = new MemorySink();
        const download = await to.files.receive(fileId, "/x", () => Promise.resolve(sink));
        const { stream } = await settled(clock, "it is asked for", mallory.asked());
        const salt = nodePrimitives.random(32);
        if (chunks !== undefined) mallory.tell({ t: "start", stream, salt });
        for (const chunk of chunksOf(offer, content, { salt, stream, piece: 1_000 }).slice(0, chunks ?? 0))
          mallory.give(chunk);
        const start = clock.now();
        await turning(clock, "it is over", () => isOver(download));
        expect([outcomeOf(download), sink.state]).toEqual(["file-stalled", "aborted"]);
        expect(clock.now() - start).toBeGreaterThan(MINUTE_MS - 5_000);
        await turning(clock, "the sender is told", () => mallory.stops.length > 0);
      }
      const [ana, other] = [new Voice(host), new Voice(ben)];
      ana.say(10);
      await turning(clock, "it is heard", () => other.of("ana").length === 1, { each: () => other.listen() });
      expect([host.alarms, ben.alarms]).toEqual([[], []]);
    },
  );
});
