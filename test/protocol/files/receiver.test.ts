import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, toHex, u32be, u64be, type Bytes } from "../../../src/protocol/base/bytes.ts";
import { FileIntake } from "../../../src/protocol/files/receiver.ts";
import { ChunkCipher } from "../../../src/protocol/files/cipher.ts";
import { FILE, RECORD, RECORD_BUCKETS } from "../../../src/protocol/base/limits.ts";
import {
  chunkOfFile,
  decodeFileRequest,
  encodeFileRequest,
  FILE_HEAD_BYTES,
  readFileChunk,
} from "../../../src/protocol/files/stream.ts";
import type { FileOffer } from "../../../src/protocol/files/offer.ts";
import type { Primitives } from "../../../src/protocol/base/primitives.ts";
import { BULK_OVERHEAD_BYTES } from "../../../src/protocol/record/record.ts";
import { mutated, seeded } from "../../hostile-peers/support/input.ts";
import { chunksOf, contentOf, offerOf } from "../../support/streaming.ts";
import { codeOf } from "../../support/thrown.ts";
import { nodePrimitives } from "../../support/wire.ts";
import { encodeUtf8 } from "../../../src/protocol/base/utf8.ts";
import { type FilePiece } from "../../support/file-words.ts";

const salt = new Uint8Array(32).fill(3);
/** Pieces of 100 bytes: what is checked does not depend on how large they are. */
const content = contentOf(350);
const offer = offerOf(content);
const chunks = chunksOf(offer, content, { salt, piece: 100 });
const utf8 = (text: string): Bytes => encodeUtf8(text);
const lp = (...fields: Bytes[]): Bytes => concat(...fields.flatMap((field) => [u32be(field.length), field]));

/** Before what is sealed: 21 bytes of the bulk message, 9 of the chunk of a file. */
const HEADS_BYTES = BULK_OVERHEAD_BYTES + FILE_HEAD_BYTES;

function begun(of: FileOffer = offer, under = salt): FileIntake {
  const intake = new FileIntake(nodePrimitives, of);
  intake.start(under);
  return intake;
}

function at(index: number, list: readonly FilePiece[] = chunks): FilePiece {
  const chunk = list[index];
  if (chunk === undefined) throw new RangeError("no such chunk");
  return chunk;
}

const take = (intake: FileIntake, list: readonly FilePiece[]): Bytes =>
  concat(...list.map((chunk) => intake.take(chunk)));

/** The pieces of a sender who cuts and marks as it likes: content, final. */
function cut(
  pieces: readonly (readonly [length: number, final: boolean])[],
  of: FileOffer = offer,
): FilePiece[] {
  const cipher = new ChunkCipher(nodePrimitives, of, salt);
  let offset = 0;
  return pieces.map(([length, final]) => {
    const chunk = {
      stream: 1,
      offset,
      final,
      sealed: cipher.seal(contentOf(length), { offset, final }).sealed,
    };
    offset += length;
    return chunk;
  });
}

/** A chunk with this inside, sealed by the formula of the specification: nonce, key and associated data by hand. */
function craft(padded: Bytes, place: { index?: number; offset?: number; final?: boolean } = {}): FilePiece {
  const { index = 0, offset = 0, final = false } = place;
  const flags = Uint8Array.of(final ? 1 : 0);
  const key = nodePrimitives.hkdfSha256(offer.key, salt, utf8("tunnel-mcp/1 file stream"), 32);
  const nonce = concat(new Uint8Array(3), u64be(index), flags);
  const associated = lp(offer.id, u64be(offset), flags);
  return { stream: 1, offset, final, sealed: nodePrimitives.chachaSeal(key, nonce, padded, associated) };
}

describe("the chunks of a file", () => {
  it("[B2] [K9] are sealed by the formula of the specification, zeros up to the smallest bucket", () => {
    const padded = concat(u32be(100), content.subarray(0, 100), new Uint8Array(256 - 30 - 16 - 104));
    expect(at(0).sealed).toEqual(craft(padded).sealed);
    const last = concat(u32be(50), content.subarray(300), new Uint8Array(256 - 30 - 16 - 54));
    expect(at(3).sealed).toEqual(craft(last, { index: 3, offset: 300, final: true }).sealed);
  });

  it.each([0, 1, 206, 207, 974, 975, 4_046, 4_047, 16_334, 16_335, 65_486, 65_487, FILE.chunkBytes])(
    "[B2] [R3] of %i bytes fill the smallest bucket that holds them",
    (length) => {
      const cipher = new ChunkCipher(nodePrimitives, offer, salt);
      const { sealed } = cipher.seal(new Uint8Array(length), { offset: 0, final: false });
      const bucket = RECORD_BUCKETS.find((size) => size >= HEADS_BYTES + 16 + 4 + length);
      expect(HEADS_BYTES + sealed.length).toBe(bucket);
      const opened = new ChunkCipher(nodePrimitives, offer, salt).open({ sealed, offset: 0, final: false });
      expect(opened).toHaveLength(length);
    },
  );

  it("[B2] hold 130,048 bytes at most", () => {
    const cipher = new ChunkCipher(nodePrimitives, offer, salt);
    expect(FILE.chunkBytes).toBe(130_048);
    const over = new Uint8Array(FILE.chunkBytes + 1);
    expect(() => cipher.seal(over, { offset: 0, final: false })).toThrow(RangeError);
  });

  it("[B2] [K9] never share key and nonce: not within a stream, nor between two of one receiver", () => {
    const used: string[] = [];
    const watched: Primitives = {
      ...nodePrimitives,
      chachaSeal(key, nonce, plaintext, associated) {
        used.push(`${toHex(key)} ${toHex(nonce)}`);
        return nodePrimitives.chachaSeal(key, nonce, plaintext, associated);
      },
      chachaSealInto(out, key, nonce, plaintext, associated) {
        used.push(`${toHex(key)} ${toHex(nonce)}`);
        nodePrimitives.chachaSealInto(out, key, nonce, plaintext, associated);
      },
    };
    for (const one of [salt, nodePrimitives.random(32)])
      for (const of of [offer, offerOf(content)]) {
        const cipher = new ChunkCipher(watched, of, one);
        for (let index = 0; index < 20; index += 1)
          cipher.seal(content, { offset: 0, final: index % 2 === 0 });
      }
    expect([used.length, new Set(used).size]).toEqual([80, 80]);
  });
});

describe("the bytes of files on a stream", () => {
  it("[B7] a request is the id of a file and where to begin", () => {
    const request = { file: new Uint8Array(16).fill(7), offset: 2 ** 40 + 5 };
    expect(encodeFileRequest(request)).toEqual(concat(request.file, u64be(request.offset)));
    expect(decodeFileRequest(encodeFileRequest(request))).toEqual(request);
  });

  it.each([
    ["a byte less", new Uint8Array(23)],
    ["a byte more", new Uint8Array(25)],
    ["nothing", new Uint8Array(0)],
    ["an offset above 2^53 − 1", concat(new Uint8Array(16), new Uint8Array(8).fill(255))],
  ])("[B7] [C1] refuses %s as a request", (_what, bytes) => {
    expect(decodeFileRequest(bytes)).toBeUndefined();
  });

  it("[B2] a chunk is flags, offset and what is sealed, in place where its message is there already", () => {
    const place = { offset: 2 ** 40 + 5, final: true };
    const head = concat(Uint8Array.of(1), u64be(place.offset));
    const { sealed, message } = new ChunkCipher(nodePrimitives, offer, salt).seal(utf8("x"), place);
    if (message === undefined) throw new Error("no message was made");
    const inPlace = chunkOfFile({ ...place, sealed, message });
    expect(inPlace.bytes).toEqual(concat(head, sealed));
    expect(inPlace.bytes).toEqual(message.subarray(BULK_OVERHEAD_BYTES));
    expect(chunkOfFile({ ...place, sealed })).toEqual({ bytes: inPlace.bytes });
    expect(readFileChunk(inPlace.bytes)).toEqual({ ...place, sealed });
  });

  it.each([
    ["flag 2", concat(Uint8Array.of(2), u64be(0))],
    ["flag 3, which has final in it", concat(Uint8Array.of(3), u64be(0))],
    ["flag 128", concat(Uint8Array.of(128), u64be(0))],
    ["an offset above 2^53 − 1", concat(Uint8Array.of(0, 0, 32), new Uint8Array(6))],
    ["an offset of 2^64 − 1", concat(Uint8Array.of(1), new Uint8Array(8).fill(255))],
    ["half a head", new Uint8Array(8)],
    ["nothing", new Uint8Array(0)],
  ])("[B2] [C1] refuses a chunk with %s", (_what, bytes) => {
    expect(readFileChunk(bytes)).toBeUndefined();
  });
});

describe("the intake of a file", () => {
  it("[B3] [B4] gives the content of an honest sender, and says when it is whole", () => {
    const intake = begun();
    expect(take(intake, chunks)).toEqual(content);
    expect([intake.received, intake.isComplete]).toEqual([350, true]);
  });

  it.each([0, 1, 99, 100, 101, 200, 300, 350])("[B4] takes a file of %i bytes in pieces of 100", (length) => {
    const whole = contentOf(length);
    const small = offerOf(whole);
    const intake = begun(small);
    const list = chunksOf(small, whole, { salt, piece: 100 });
    expect(list).toHaveLength(Math.max(1, Math.ceil(length / 100)));
    expect(take(intake, list)).toEqual(whole);
    expect(intake.isComplete).toBe(true);
  });

  it.each([0, 1, 2, 3])(
    "[B5] [B3] goes on after a cut behind %i chunks, on a stream with a salt of its own",
    (count) => {
      const intake = begun();
      const first = take(intake, chunks.slice(0, count));
      intake.interrupted();
      const fresh = nodePrimitives.random(32);
      const rest = chunksOf(offer, content, { salt: fresh, from: intake.received, piece: 70 });
      expect(codeOf(() => intake.take(at(0, rest)))).toBe("file-out-of-order");
      intake.start(fresh);
      expect(concat(first, take(intake, rest))).toEqual(content);
      expect(intake.isComplete).toBe(true);
    },
  );

  const other = chunksOf(offer, content, { salt: nodePrimitives.random(32), piece: 100 });
  const foreign = chunksOf(offerOf(content, { key: offer.key }), content, { salt, piece: 100 });
  const strange = chunksOf(offerOf(content, { id: offer.id }), content, { salt, piece: 100 });
  it.each<[string, string, () => readonly FilePiece[]]>([
    ["skips a chunk", "file-out-of-order", () => [at(0), at(2)]],
    ["begins with the second", "file-out-of-order", () => [at(1)]],
    ["repeats a chunk", "file-out-of-order", () => [at(0), at(0)]],
    ["swaps two chunks", "file-out-of-order", () => [at(0), at(2), at(1)]],
    ["lies about the offset", "file-out-of-order", () => [{ ...at(0), offset: 1 }]],
    [
      "puts a later chunk in an earlier one's place",
      "file-corrupt",
      () => [at(0), { ...at(2), offset: 100 }],
    ],
    [
      "repeats a chunk's bytes under the next offset",
      "file-corrupt",
      () => [at(0), { ...at(0), offset: 100 }],
    ],
    ["marks a chunk final on the way", "file-corrupt", () => [{ ...at(0), final: true }]],
    [
      "takes the mark off the last chunk",
      "file-corrupt",
      () => [...chunks.slice(0, 3), { ...at(3), final: false }],
    ],
    ["sends a chunk of another stream", "file-corrupt", () => [at(0), at(1, other)]],
    ["sends the chunks of another stream from the start", "file-corrupt", () => other],
    ["sends another file under the same key", "file-corrupt", () => foreign],
    ["has another key than it offered", "file-corrupt", () => strange],
    [
      "ends early",
      "file-too-short",
      () =>
        cut([
          [100, false],
          [100, true],
        ]),
    ],
    ["ends a byte early", "file-too-short", () => cut([[349, true]])],
    ["ends at once", "file-too-short", () => cut([[0, true]])],
    [
      "sends a byte too many in the last chunk",
      "file-too-long",
      () =>
        cut([
          [100, false],
          [251, true],
        ]),
    ],
    ["sends too much in a chunk on the way", "file-too-long", () => cut([[351, false]])],
    ["sends more after the end", "file-too-long", () => [...chunks, at(3)]],
    [
      "sends an empty chunk after the end",
      "file-too-long",
      () => [...cut([[350, true]]), ...cut([[0, true]])],
    ],
    ["reaches the end without saying so", "file-unfinished", () => cut([[350, false]])],
    [
      "sends an empty chunk on the way",
      "file-unfinished",
      () =>
        cut([
          [100, false],
          [0, false],
        ]),
    ],
    ["sends an empty chunk first", "file-unfinished", () => cut([[0, false]])],
  ])("[B3] [B4] refuses a sender who %s, as %s", (_what, code, list) => {
    const intake = begun();
    const codes = list().map((chunk) => codeOf(() => intake.take(chunk)));
    // A receiver stops at the first of them.
    expect(codes.find((one) => one !== undefined)).toBe(code);
    expect(intake.isComplete).toBe(intake.received === 350);
  });

  it("[B4] an empty file is one final chunk without content, and nothing else", () => {
    const empty = offerOf(new Uint8Array(0));
    expect(begun(empty).take(at(0, cut([[0, true]], empty)))).toHaveLength(0);
    expect(codeOf(() => begun(empty).take(at(0, cut([[0, false]], empty))))).toBe("file-unfinished");
    expect(codeOf(() => begun(empty).take(at(0, cut([[1, true]], empty))))).toBe("file-too-long");
  });

  it("[B3] refuses a chunk before the stream has begun, and a stream that begins twice", () => {
    const intake = new FileIntake(nodePrimitives, offer);
    expect(codeOf(() => intake.take(at(0)))).toBe("file-out-of-order");
    intake.start(salt);
    expect(codeOf(() => intake.start(salt))).toBe("file-out-of-order");
    intake.take(at(0));
    expect(codeOf(() => intake.start(nodePrimitives.random(32)))).toBe("file-out-of-order");
  });

  it("[B5] an old stream's salt, come back, does not open the old chunks at the new place", () => {
    const intake = begun();
    take(intake, chunks.slice(0, 2));
    intake.interrupted();
    intake.start(salt);
    // The chunk is the third of its stream, and this stream is at its first.
    expect(codeOf(() => intake.take(at(2)))).toBe("file-corrupt");
  });

  const room = 256 - HEADS_BYTES - 16;
  it.each([
    ["a length beyond the chunk", concat(u32be(room - 3), new Uint8Array(room - 4))],
    ["a length of 2^32 − 1", concat(u32be(2 ** 32 - 1), new Uint8Array(room - 4))],
    ["no length at all", new Uint8Array(3)],
    ["nothing", new Uint8Array(0)],
  ])("[B2] refuses %s inside a seal that is right", (_what, padded) => {
    expect(codeOf(() => begun().take(craft(padded)))).toBe("file-corrupt");
  });

  it("[B2] refuses less than a tag", () => {
    for (const length of [0, 1, 15])
      expect(codeOf(() => begun().take({ ...at(0), sealed: new Uint8Array(length) }))).toBe("file-corrupt");
    expect(RECORD.maxFrameBytes).toBeGreaterThan(FILE.chunkBytes);
  });

  it("[B3] refuses every change of a sealed chunk", () => {
    fc.assert(
      fc.property(fc.nat(3), fc.nat(1_000), (index, pick) => {
        const { sealed } = at(index);
        const [change = sealed] = fc.sample(mutated(sealed), { numRuns: 1, seed: pick });
        fc.pre(Buffer.compare(change, sealed) !== 0);
        const intake = begun();
        take(intake, chunks.slice(0, index));
        expect(codeOf(() => intake.take({ ...at(index), sealed: change }))).toBe("file-corrupt");
        expect(intake.received).toBe(index * 100);
      }),
      seeded(75, 300),
    );
  });

  it("[B3] [B4] of chunks in any order, with any marks and places, takes the right ones in the right order only", () => {
    const change = fc.record({
      index: fc.nat(3),
      offset: fc.oneof(fc.constant(undefined), fc.nat(400), fc.constantFrom(0, 100, 200, 300, 2 ** 53 - 1)),
      final: fc.constantFrom(undefined, undefined, true, false),
      isCut: fc.constantFrom(false, false, false, true),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (attempts) => {
        let intake = begun();
        let next = 0;
        for (const { index, offset, final, isCut } of attempts) {
          if (isCut) [intake, next] = [begun(), 0];
          const right = at(index);
          const chunk = { ...right, offset: offset ?? right.offset, final: final ?? right.final };
          const isRight = chunk.offset === right.offset && chunk.final === right.final && index === next;
          const code = codeOf(() => intake.take(chunk));
          expect(code === undefined).toBe(isRight);
          if (code !== undefined) return;
          next += 1;
          expect([intake.received, intake.isComplete]).toEqual([Math.min(350, next * 100), next === 4]);
        }
      }),
      seeded(76, 300),
    );
  });
});
