import { describe, expect, it } from "vitest";
import { toBase64url, toHex } from "../../src/protocol/base/bytes.ts";
import type { ErrorCode } from "../../src/errors/tunnel-error.ts";
import { FileIntake } from "../../src/protocol/files/receiver.ts";
import { FILE } from "../../src/protocol/base/limits.ts";
import { decodeOffer, type FileOffer } from "../../src/protocol/files/offer.ts";
import { FILES } from "../../src/session/files/files.ts";
import { settle } from "../support/fake-tunnel-clock.ts";
import { FileScene, MemorySource } from "../support/files/file-ends.ts";
import { contentOf } from "../support/streaming.ts";
import { nodePrimitives } from "../support/wire.ts";
import { memberIdFromText } from "./support.ts";

const [ben, cid] = [memberIdFromText("ben"), memberIdFromText("cid")];
const content = contentOf(300_000);

async function sharing(to?: (typeof ben)[], bytes = content) {
  const scene = new FileScene(ben);
  const source = new MemorySource(bytes);
  const { fileId } = await scene.files.share(source, { name: "a.csv", ...(to === undefined ? {} : { to }) });
  const offer = decodeOffer(scene.said.at(-1)?.text ?? "");
  if (offer === undefined) throw new Error("nothing was offered");
  const opens = async (
    stream: number,
    who = ben,
    change: { file?: FileOffer["id"]; offset?: number } = {},
  ) => {
    const { file = offer.id, offset = 0 } = change;
    scene.happened({ t: "open", stream, file, who, offset, credit: 1 });
    for (let turn = 0; turn < 5; turn += 1) await settle();
  };
  return { scene, source, fileId, offer, opens };
}

type Scene = Awaited<ReturnType<typeof sharing>>;

/** What a receiver makes of what was sent on a stream. */
function taken({ scene, offer }: Scene, stream: number, from = 0): { length: number; isComplete: boolean } {
  const intake = new FileIntake(nodePrimitives, offer);
  const start = scene.port.frames.find((frame) => frame.t === "start" && frame.stream === stream);
  if (start?.t === "start") intake.start(start.salt);
  let length = 0;
  for (const chunk of scene.port.chunks.filter((one) => one.stream === stream)) {
    if (from > 0) return { length: chunk.offset, isComplete: chunk.final };
    length += intake.take(chunk).length;
  }
  return { length, isComplete: intake.isComplete };
}

describe("sharing a file", () => {
  it("[S6] a receiver that lets nothing come for a minute makes room for others", async () => {
    const { scene, opens } = await sharing();
    scene.port.credit = 0;
    await opens(1);
    expect(scene.files.serving).toHaveLength(1);
    await scene.clock.advance(59_000);
    expect(scene.files.serving).toHaveLength(1);
    await scene.clock.advance(2_000);
    expect(scene.files.serving).toHaveLength(0);
    expect(scene.port.frames.at(-1)).toEqual({ t: "stop", stream: 1, reason: "busy" });
  });

  it("[S6] nor does a receiver keep its place by granting less than a chunk now and then", async () => {
    const { scene, opens } = await sharing();
    scene.port.credit = 0;
    await opens(1);
    for (let passed = 0; passed < 61_000; passed += 10_000) {
      scene.happened({ t: "credit", stream: 1, bytes: 1 });
      await scene.clock.advance(10_000);
    }
    expect(scene.files.serving).toHaveLength(0);
    expect(scene.port.frames.at(-1)).toEqual({ t: "stop", stream: 1, reason: "busy" });
  });

  it("[B1] says what it is to those it is for, and keeps the file open until the tunnel ends", async () => {
    const { scene, source, fileId, offer } = await sharing([ben]);
    expect(scene.said).toMatchObject([{ what: "file", to: [ben] }]);
    expect(offer).toMatchObject({ name: "a.csv", size: content.length });
    expect([toHex(offer.hash), toBase64url(offer.id)]).toEqual([source.sha256, fileId]);
    expect(source.isClosed).toBe(false);
    await scene.files.end();
    expect([source.isClosed, scene.files.shares]).toEqual([true, []]);
  });

  it("closes the file and forgets it where nothing could be said", async () => {
    const scene = new FileScene(ben);
    const source = new MemorySource(content);
    scene.sayFailure = "outbox-full";
    await expect(scene.files.share(source, { name: "a" })).rejects.toMatchObject({ code: "outbox-full" });
    expect([source.isClosed, scene.files.shares]).toEqual([true, []]);
  });

  it("is bounded: one more than 256 is refused as share-limit, and closed", async () => {
    const scene = new FileScene(ben);
    for (let turn = 0; turn < FILES.maxShares; turn += 1)
      await scene.files.share(new MemorySource(new Uint8Array(0)), { name: "a" });
    const source = new MemorySource(content);
    await expect(scene.files.share(source, { name: "a" })).rejects.toMatchObject({ code: "share-limit" });
    expect([source.isClosed, scene.said.length]).toEqual([true, FILES.maxShares]);
  });

  it("gives no file back to the one who shares it", async () => {
    const { scene, fileId } = await sharing();
    expect(() => scene.files.find(fileId)).toThrow(expect.objectContaining({ code: "file-own" }));
  });
});

describe("serving a file", () => {
  it.each([0, 1, FILE.chunkBytes, FILE.chunkBytes + 1, 2 * FILE.chunkBytes, 9 * FILE.chunkBytes])(
    "[B2] [S7] brings %i bytes whole, the last chunk marked so",
    async (length) => {
      const one = await sharing(undefined, contentOf(length));
      await one.opens(2);
      expect(taken(one, 2)).toEqual({ length, isComplete: true });
      expect(one.scene.port.chunks).toHaveLength(Math.max(1, Math.ceil(length / FILE.chunkBytes)));
      expect([one.scene.files.serving, one.scene.port.stops()]).toEqual([[], []]);
    },
  );

  it("[B5] begins where it is asked to", async () => {
    const one = await sharing();
    await one.opens(2, ben, { offset: FILE.chunkBytes });
    expect(one.scene.port.chunks.map(({ offset, final }) => [offset, final])).toEqual([
      [FILE.chunkBytes, false],
      [2 * FILE.chunkBytes, true],
    ]);
  });

  it("[B2] [K9] makes a salt of its own for every stream, for the same receiver as well", async () => {
    const one = await sharing();
    for (const stream of [2, 4, 6]) await one.opens(stream);
    const salts = one.scene.port.frames.flatMap((frame) => (frame.t === "start" ? [toHex(frame.salt)] : []));
    expect([salts.length, new Set(salts).size]).toEqual([3, 3]);
    const sealed = new Set(one.scene.port.chunks.map((chunk) => toHex(chunk.sealed.slice(0, 64))));
    expect(sealed.size).toBe(one.scene.port.chunks.length);
  });

  it("[B6] serves nobody else than those it was offered to, who learn no more than of what there is not", async () => {
    const one = await sharing([ben]);
    await one.opens(2, cid);
    await one.opens(4, cid, { file: new Uint8Array(16) });
    await one.opens(6, ben, { offset: content.length + 1 });
    expect(one.scene.port.frames).toEqual(
      [2, 4, 6].map((stream) => ({ t: "stop", stream, reason: "unknown" })),
    );
    expect(one.scene.port.chunks).toEqual([]);
    await one.opens(8, ben);
    expect(taken(one, 8).isComplete).toBe(true);
  });

  it.each<[ErrorCode, string]>([
    ["share-changed", "changed"],
    ["share-gone", "gone"],
    ["internal", "gone"],
  ])("[B6] stops where reading ends with %s, and tells the receiver %s", async (code, reason) => {
    const one = await sharing();
    one.source.failure = { from: 0, code };
    await one.opens(2);
    expect([one.scene.port.stops(), one.scene.port.chunks, one.scene.files.serving]).toEqual([
      [reason],
      [],
      [],
    ]);
    // Others are served again when it is back.
    one.source.failure = undefined;
    await one.opens(4);
    expect(taken(one, 4).isComplete).toBe(true);
  });

  it("[S3] waits for credit, and goes on from there", async () => {
    const one = await sharing();
    one.scene.port.credit = 131_072;
    await one.opens(2);
    expect(one.scene.port.chunks).toHaveLength(1);
    expect(one.scene.files.serving).toMatchObject([{ who: ben, sent: FILE.chunkBytes }]);
    one.scene.port.credit = 1_000_000;
    one.scene.happened({ t: "credit", stream: 2, bytes: 1_000_000 });
    for (let turn = 0; turn < 5; turn += 1) await settle();
    expect(taken(one, 2)).toEqual({ length: content.length, isComplete: true });
  });

  it.each(["cancelled", "away", "refused"] as const)(
    "[S7] ends when the receiver's end is stopped as %s, without an answer",
    async (reason) => {
      const one = await sharing();
      one.scene.port.credit = 131_072;
      await one.opens(2);
      one.scene.happened({ t: "stop", stream: 2, reason });
      one.scene.port.credit = 1_000_000;
      one.scene.happened({ t: "credit", stream: 2, bytes: 1 });
      await settle();
      expect([one.scene.port.chunks.length, one.scene.files.serving, one.scene.port.stops()]).toEqual([
        1,
        [],
        [],
      ]);
    },
  );

  it("[S5] takes no notice of frames in the wrong direction, or of streams that it does not serve", async () => {
    const one = await sharing();
    one.scene.port.credit = 131_072;
    await one.opens(2);
    const before = one.scene.port.frames.length;
    one.scene.happened({ t: "start", stream: 2, salt: new Uint8Array(32) });
    one.scene.happened({ t: "chunk", stream: 2, offset: 0, final: true, sealed: new Uint8Array(226) });
    one.scene.happened({ t: "credit", stream: 4, bytes: 5 });
    one.scene.happened({ t: "stop", stream: 4, reason: "gone" });
    await settle();
    expect([one.scene.port.frames.length, one.scene.files.serving.length]).toEqual([before, 1]);
    one.scene.port.credit = 1_000_000;
    one.scene.happened({ t: "credit", stream: 2, bytes: 5 });
    for (let turn = 0; turn < 5; turn += 1) await settle();
    expect(taken(one, 2).isComplete).toBe(true);
  });

  it("ends with the tunnel, whoever is being served", async () => {
    const one = await sharing();
    one.scene.port.credit = 0;
    await one.opens(2);
    await one.opens(4, cid);
    expect(one.scene.files.serving).toHaveLength(2);
    await one.scene.files.end();
    one.scene.port.credit = 1_000_000;
    await settle();
    expect([one.scene.files.serving, one.scene.port.chunks, one.source.isClosed]).toEqual([[], [], true]);
  });
});
