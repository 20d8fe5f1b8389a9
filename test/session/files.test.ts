import { describe, expect, it } from "vitest";
import { TunnelError, type ErrorCode } from "../../src/errors/tunnel-error.ts";
import { FILE } from "../../src/protocol/base/limits.ts";
import { FILES } from "../../src/session/files/files.ts";
import { Rate } from "../../src/session/files/rate.ts";
import { settle } from "../support/fake-tunnel-clock.ts";
import { FileScene, MemorySink, outcomeOf } from "../support/files/file-ends.ts";
import { rejectedWith } from "../support/rejection.ts";
import { contentOf, offerOf } from "../support/streaming.ts";
import { nodePrimitives } from "../support/wire.ts";
import { memberIdFromText } from "./support.ts";

const ben = memberIdFromText("ben");
const content = contentOf(5_500);
const offer = offerOf(content);

async function receiving() {
  const scene = new FileScene(ben);
  return { scene, ...(await scene.receive(offer, ben)) };
}

describe("receiving a file", () => {
  it("[B3] asks for it from the beginning, writes what comes and gives it its name when it is whole", async () => {
    const { scene, sink, download } = await receiving();
    expect(scene.port.requests).toMatchObject([
      { file: offer.id, owner: ben, offset: 0, credit: FILE.windowMinBytes },
    ]);
    await scene.serve(offer, content, { count: 3 });
    expect([download.state.name, sink.state, scene.port.frames]).toEqual(["receiving", "open", []]);
    expect(download.state).toMatchObject({ received: 3_000, isFlowing: true });
    scene.happened({ t: "stop", stream: 1, reason: "away" });
    await scene.clock.advance(1_000);
    await scene.serve(offer, content);
    await download.over;
    expect([outcomeOf(download), sink.state, Buffer.compare(sink.content, content)]).toEqual([
      "done",
      "committed",
      0,
    ]);
    expect([scene.port.stops(), scene.clock.waiting, scene.notices]).toEqual([[], 0, []]);
  });

  it("is kept for a later process before an unfinished file lies there, and not where none can be made", async () => {
    const scene = new FileScene(ben);
    const fileId = scene.hears(offer, ben);
    const makes = async (onPart: (part: string) => void): Promise<MemorySink> => {
      onPart("/.part");
      expect(scene.kept).toEqual(["part /.part", "/x by /.part"]);
      await Promise.resolve();
      throw new TunnelError("disk-full");
    };
    expect(await rejectedWith(scene.files.receive(fileId, "/x", makes))).toBe("disk-full");
    expect(scene.kept.splice(0)).toEqual(["part /.part", "/x by /.part", "/x over"]);
    const resumed = await scene.files.receive(fileId, "/x", () => Promise.resolve(new MemorySink()));
    expect(scene.kept.splice(0)).toEqual(["/x by "]);
    await scene.serve(offer, content);
    expect(outcomeOf(resumed)).toBe("done");
    expect(scene.kept).toEqual(["/x over"]);
  });

  it("[B5] asks again after a cut or where all are busy, from what it has verified, waiting longer each time in vain", async () => {
    const { scene, download } = await receiving();
    await scene.serve(offer, content, { count: 2, stop: "away" });
    const at = scene.clock.now();
    const gaps: number[] = [];
    for (let turn = 0, last = at; turn < 8; turn += 1) {
      const before = scene.port.requests.length;
      while (scene.port.requests.length === before) await scene.clock.advance(50);
      gaps.push(scene.clock.now() - last);
      last = scene.clock.now();
      const stream = scene.port.requests.at(-1)?.stream ?? 0;
      scene.happened({ t: "stop", stream, reason: turn % 2 === 0 ? "busy" : "away" });
      await settle();
    }
    expect(gaps).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    expect(scene.port.requests.slice(1).every(({ offset }) => offset === 2_000)).toBe(true);
    await scene.clock.advance(5_000);
    await scene.serve(offer, content);
    expect(outcomeOf(download)).toBe("done");
  });

  it("[B5] waits while this side is not connected itself, and asks as soon as somebody comes back", async () => {
    const scene = new FileScene(ben);
    scene.port.isUp = false;
    const { download } = await scene.receive(offer, ben);
    await scene.clock.advance(60_000);
    expect([scene.port.requests, outcomeOf(download)]).toEqual([[], "receiving"]);
    expect(download.state).toMatchObject({ isFlowing: false });
    scene.port.isUp = true;
    scene.files.rosterChanged();
    await settle();
    expect(scene.port.requests).toHaveLength(1);
    await scene.serve(offer, content);
    expect(outcomeOf(download)).toBe("done");
  });

  it("takes an empty file", async () => {
    const scene = new FileScene(ben);
    const empty = offerOf(new Uint8Array(0));
    const { sink, download } = await scene.receive(empty, ben);
    await scene.serve(empty, new Uint8Array(0));
    expect([outcomeOf(download), sink.state, sink.content.length]).toEqual(["done", "committed", 0]);
  });

  it.each<[string, ErrorCode, string[]]>([
    ["cancelled", "file-sender-left", []],
    ["unknown", "file-unknown", []],
    ["gone", "file-gone", []],
    ["changed", "file-changed", []],
    ["refused", "file-unknown", []],
  ])(
    "[B5] [B6] ends where the sender stops it as %s, which is %s here, and leaves nothing behind",
    async (reason, code) => {
      const { scene, sink, download } = await receiving();
      const reasons = {
        cancelled: "cancelled",
        unknown: "unknown",
        gone: "gone",
        changed: "changed",
        refused: "refused",
      } as const;
      const [stop] = Object.values(reasons).filter((one) => one === reason);
      await scene.serve(offer, content, { count: 2, ...(stop === undefined ? {} : { stop }) });
      await download.over;
      // A stream that the other end has stopped is not stopped once more.
      expect([outcomeOf(download), sink.state, scene.port.stops()]).toEqual([code, "aborted", []]);
      expect([scene.clock.waiting, scene.port.requests.length]).toEqual([0, 1]);
    },
  );

  it("ends when its sender leaves for good", async () => {
    const { scene, sink, download } = await receiving();
    await scene.serve(offer, content, { count: 2, stop: "away" });
    scene.port.members.clear();
    scene.files.rosterChanged();
    await download.over;
    expect([outcomeOf(download), sink.state, scene.port.requests.length]).toEqual([
      "file-sender-left",
      "aborted",
      1,
    ]);
  });

  it("ends when nothing comes for a minute on a stream that is open, and says so to the sender", async () => {
    const { scene, sink, download } = await receiving();
    await scene.serve(offer, content, { count: 1 });
    await scene.clock.advance(59_999);
    expect(outcomeOf(download)).toBe("receiving");
    await scene.clock.advance(1);
    expect([outcomeOf(download), sink.state, scene.port.stops()]).toEqual([
      "file-stalled",
      "aborted",
      ["refused"],
    ]);
  });

  it.each([0, 2])("is cancelled after %i chunks: the sender is told, and nothing is left", async (count) => {
    const { scene, sink, download } = await receiving();
    await scene.serve(offer, content, { count });
    await download.cancel();
    expect([outcomeOf(download), sink.state, scene.port.stops()]).toEqual([
      "cancelled",
      "aborted",
      ["cancelled"],
    ]);
    // What is still on its way goes nowhere.
    await scene.serve(offer, content);
    expect([sink.parts.length, sink.state, scene.clock.waiting]).toEqual([count, "aborted", 0]);
    await download.cancel();
  });

  it("is cancelled while it waits to ask again", async () => {
    const { scene, sink, download } = await receiving();
    await scene.serve(offer, content, { count: 1, stop: "away" });
    await download.cancel();
    expect([outcomeOf(download), sink.state, scene.port.stops(), scene.clock.waiting]).toEqual([
      "cancelled",
      "aborted",
      [],
      0,
    ]);
  });

  it.each<ErrorCode>(["disk-full", "save-failed"])(
    "stops the stream and leaves nothing when writing fails as %s",
    async (code) => {
      const { scene, sink, download } = await receiving();
      sink.failure = code;
      await scene.serve(offer, content, { count: 1 });
      expect([outcomeOf(download), sink.state, scene.port.stops()]).toEqual([code, "aborted", ["refused"]]);
    },
  );

  it("[B4] leaves nothing of a file whose hash is another one", async () => {
    const scene = new FileScene(ben);
    const lie = offerOf(content, { hash: nodePrimitives.random(32) });
    const { sink, download } = await scene.receive(lie, ben);
    await scene.serve(lie, content);
    expect([outcomeOf(download), sink.state]).toEqual(["file-hash-mismatch", "aborted"]);
    expect(sink.content).toHaveLength(content.length);
  });

  it("[B3] [B4] stops a sender at the first wrong chunk, of which nothing is written", async () => {
    const { scene, sink, download } = await receiving();
    await scene.serve(offerOf(content, { id: offer.id }), content);
    expect([outcomeOf(download), sink.state, sink.parts.length]).toEqual(["file-corrupt", "aborted", 0]);
    expect(scene.port.stops()).toEqual(["refused"]);
  });

  it("[S4] grants what it has written, not what has come: a slow disk slows the sender down", async () => {
    const scene = new FileScene(ben);
    const large = contentOf(800_000);
    const whole = offerOf(large);
    const { sink } = await scene.receive(whole, ben);
    let release = (): void => undefined;
    sink.gate = new Promise((resolve) => (release = resolve));
    await scene.serve(whole, large, { count: 2, piece: FILE.chunkBytes });
    expect(scene.port.granted(1)).toBe(FILE.windowMinBytes);
    release();
    await settle();
    expect(scene.port.granted(1)).toBeGreaterThan(FILE.windowMinBytes);
    expect(scene.port.granted(1) - 2 * 131_072).toBeLessThanOrEqual(FILE.windowMaxBytes);
  });

  it("[S4] a write that ends only after a cut lets nothing more come on the stream that follows", async () => {
    const scene = new FileScene(ben);
    const large = contentOf(2_000_000);
    const offer = offerOf(large);
    const { sink } = await scene.receive(offer, ben);
    let release = (): void => undefined;
    sink.gate = new Promise((resolve) => (release = resolve));
    await scene.serve(offer, large, { count: 1, piece: FILE.chunkBytes, stop: "away" });
    await scene.clock.advance(10_000);
    release();
    await scene.clock.advance(10_000);
    expect(scene.port.requests).toHaveLength(2);
    expect(scene.port.granted(scene.port.requests.at(-1)?.stream ?? 0)).toBe(FILE.windowMinBytes);
  });

  it("[S4] lets 2 MiB come at most on one stream, however fast it is, and less where there are several", async () => {
    const scene = new FileScene(ben);
    const large = contentOf(3_000_000);
    const ahead = async (count: number): Promise<number> => {
      const offer = offerOf(large);
      await scene.receive(offer, ben, `/x${scene.port.requests.length}`);
      await scene.serve(offer, large, { count, piece: FILE.chunkBytes });
      return scene.port.granted(scene.port.requests.at(-1)?.stream ?? 0) - count * 131_072;
    };
    const alone = await ahead(20);
    expect(alone).toBeLessThanOrEqual(FILE.windowMaxBytes);
    expect(alone).toBeGreaterThan((FILE.windowMaxBytes * 3) / 4);
    expect(await ahead(20)).toBeLessThanOrEqual(FILE.windowTotalBytes / 2);
    expect(await ahead(20)).toBeLessThanOrEqual(FILE.windowTotalBytes / 3);
  });
});

describe("what may be received", () => {
  it("is what was offered by somebody else who is there, up to four at once", async () => {
    const scene = new FileScene(ben);
    const sink = (): Promise<MemorySink> => Promise.resolve(new MemorySink());
    await expect(scene.files.receive("nothing", "/x", sink)).rejects.toMatchObject({ code: "file-unknown" });
    for (let turn = 0; turn < FILE.maxOpened; turn += 1)
      await scene.receive(offerOf(content), ben, `/${turn}`);
    await expect(scene.receive(offer, ben)).rejects.toMatchObject({ code: "transfer-limit" });
    await scene.files.downloads[0]?.cancel();
    await scene.receive(offer, ben);
    scene.port.members.clear();
    await expect(scene.receive(offerOf(content), ben)).rejects.toMatchObject({ code: "file-sender-left" });
    await scene.files.end();
    await expect(scene.receive(offerOf(content), ben)).rejects.toMatchObject({ code: "tunnel-closed" });
  });

  it("ends with the tunnel, and leaves nothing open", async () => {
    const { scene, sink, download } = await receiving();
    await scene.serve(offer, content, { count: 1 });
    await scene.files.end();
    expect([outcomeOf(download), sink.state, scene.clock.waiting]).toEqual(["tunnel-closed", "aborted", 0]);
  });

  it("becomes a notice when nobody waits for it, whether it has come or not", async () => {
    for (const isWhole of [true, false]) {
      const { scene, download } = await receiving();
      download.attend(false);
      await scene.serve(offer, content, isWhole ? {} : { count: 1, stop: "changed" });
      const file = { fileId: download.fileId, name: offer.name, target: "/x", size: content.length };
      expect(scene.notices).toMatchObject([
        isWhole
          ? { notice: "file-received", file }
          : { notice: "file-failed", file, error: { code: "file-changed" } },
      ]);
    }
    const { scene, download } = await receiving();
    download.attend(false);
    download.attend(true);
    await scene.serve(offer, content);
    expect([outcomeOf(download), scene.notices]).toEqual(["done", []]);
  });

  it("is found again by file and place, until it is forgotten; and of those that are over 50 are kept", async () => {
    const { scene, download } = await receiving();
    expect(scene.files.current(download.fileId, "/x")).toBe(download);
    expect(scene.files.current(download.fileId, "/y")).toBeUndefined();
    await scene.serve(offer, content);
    scene.files.forget(download);
    expect(scene.files.current(download.fileId, "/x")).toBeUndefined();
    for (let turn = 0; turn < FILES.maxPast + 5; turn += 1) {
      await scene.receive(offer, ben, `/${turn}`);
      await scene.files.downloads.at(-1)?.cancel();
    }
    expect(scene.files.downloads).toHaveLength(FILES.maxPast);
    expect(scene.files.current(download.fileId, "/0")).toBeUndefined();
  });
});

describe("the rate of a transfer", () => {
  it("is that of the last three seconds", () => {
    const rate = new Rate(0);
    for (let now = 100; now <= 10_000; now += 100) rate.add(1_000, now);
    expect(rate.perSecond(10_000)).toBeGreaterThan(9_000);
    expect(rate.perSecond(10_000)).toBeLessThan(11_500);
    expect(rate.perSecond(20_000)).toBe(0);
  });
});
