import { u32be } from "../../src/protocol/base/bytes.ts";
import type { Chunk } from "../../src/protocol/record/chunk.ts";
import { vi } from "vitest";
import type { Primitives } from "../../src/protocol/base/primitives.ts";
import type { Bytes } from "../../src/protocol/base/bytes.ts";
import { ChunkCipher } from "../../src/protocol/files/cipher.ts";
import { FILE, RECORD_BUCKETS } from "../../src/protocol/base/limits.ts";
import type { InviteLink } from "../../src/protocol/handshake/invite-link.ts";
import type { FileOffer } from "../../src/protocol/files/offer.ts";
import { BULK_OVERHEAD_BYTES, FRAME, RecordLayer } from "../../src/protocol/record/record.ts";
import { FILE_HEAD_BYTES } from "../../src/protocol/files/stream.ts";
import { encodeStreamFrame, type StreamFrame } from "../../src/protocol/link/stream-frames.ts";
import {
  chunkOf,
  frameOf,
  inFileTerms,
  type FileEvent,
  type FilePiece,
  type FileWord,
} from "./file-words.ts";
import { Impostor } from "./impostor.ts";
import { guestDid, nodePrimitives, type Guest, type World } from "./wire.ts";

const DIGITS = "0123456789abcdef";
const LINE_BYTES = 8;

/** Text that differs from place to place, so that no piece passes for another: each line is its own number. */
export function contentOf(length: number): Bytes {
  return Uint8Array.from({ length }, (_, at) => {
    const column = at % LINE_BYTES;
    if (column === LINE_BYTES - 1) return 0x0a;
    const digit = Math.floor(at / LINE_BYTES) >> (4 * (LINE_BYTES - 2 - column));
    return DIGITS.charCodeAt(digit & 0x0f);
  });
}

export function offerOf(content: Bytes, change: Partial<FileOffer> = {}): FileOffer {
  return {
    id: nodePrimitives.random(16),
    key: nodePrimitives.random(32),
    name: "report.csv",
    size: content.length,
    hash: nodePrimitives.sha256(content),
    ...change,
  };
}

export const ownerOf = (guest: Guest): Guest["member"]["self"] => guest.member.self;

/** The chunks of one stream of a file, as an honest sender makes them; without their messages, so that a test may send one twice. */
export function chunksOf(
  offer: FileOffer,
  content: Bytes,
  options: { salt: Bytes; stream?: number; from?: number; piece?: number },
): FilePiece[] {
  const { salt, stream = 1, from = 0, piece = FILE.chunkBytes } = options;
  const cipher = new ChunkCipher(nodePrimitives, offer, salt);
  const chunks: FilePiece[] = [];
  for (let offset = from; ; offset += piece) {
    const part = content.subarray(offset, offset + piece);
    const final = offset + part.length >= content.length;
    chunks.push({ stream, offset, final, sealed: cipher.seal(part, { offset, final }).sealed });
    if (final) return chunks;
  }
}

/** A piece that fills a message of this size and opens for nobody. */
export function noise(stream: number, offset = 0, bucket: (typeof RECORD_BUCKETS)[number] = 256): FilePiece {
  const sealed = nodePrimitives.random(bucket - BULK_OVERHEAD_BYTES - FILE_HEAD_BYTES);
  return { stream, offset, final: false, sealed };
}

/** The record layer that seals what `put` sends: for sending what no machine would. */
export function recordsBehind(put: () => void): RecordLayer {
  const spy = vi.spyOn(RecordLayer.prototype, "seal");
  try {
    put();
    const [layer] = spy.mock.contexts;
    if (!(layer instanceof RecordLayer)) throw new Error("nothing was sealed");
    return layer;
  } finally {
    spy.mockRestore();
  }
}

/** A member with a valid invite that sends whatever STREAM frames and bulk messages it is told to. */
export class Rogue {
  readonly impostor: Impostor;
  readonly records: RecordLayer;
  readonly #world: World;

  /** `primitives` are those of the world. */
  constructor(world: World, link: InviteLink = world.link(), primitives: Primitives = nodePrimitives) {
    this.#world = world;
    this.impostor = new Impostor(world, link, primitives);
    this.impostor.enter();
    this.records = recordsBehind(() => this.impostor.put(FRAME.pong, new Uint8Array(0)));
  }

  /** Says something of files on a stream. */
  stream(word: FileWord): void {
    this.frame(frameOf(word));
  }

  frame(frame: StreamFrame): void {
    this.impostor.put(FRAME.stream, encodeStreamFrame(frame));
  }

  chunk(piece: FilePiece): void {
    const chunk = chunkOf(piece);
    this.bulk(u32be(chunk.stream), chunk.bytes);
  }

  /** Bytes that this hop seals. */
  open({ stream, bytes }: Pick<Chunk, "stream" | "bytes">): void {
    this.openBytes(u32be(stream), bytes);
  }

  openBytes(header: Bytes, bytes: Bytes): void {
    for (const message of this.records.sealOpenBulk({ header, bytes }, this.#world.now)) this.give(message);
  }

  bulk(header: Bytes, sealed: Bytes): void {
    for (const message of this.records.sealBulk({ header, chunk: sealed }, this.#world.now))
      this.give(message);
  }

  give(message: Bytes): void {
    this.#world.room.handle(
      { type: "message", connection: this.impostor.connection, message },
      this.#world.now,
    );
  }

  /** The STREAM frames of the host since this was last called. */
  heard(): Bytes[] {
    return this.impostor.frames().flatMap(({ type, payload }) => (type === FRAME.stream ? [payload] : []));
  }
}

/** Everything that a guest's own ends of streams have seen, in terms of files. */
export function streamsOf(guest: Guest): FileEvent[] {
  return inFileTerms(guestDid(guest, "stream").map(({ event }) => event));
}

export function hostStreams(world: World): FileEvent[] {
  return inFileTerms(world.did("stream").map(({ event }) => event));
}

/** Events in short, for comparison. */
export function inShort(events: readonly FileEvent[]): string[] {
  return events.map((event) => {
    if (event.t === "stop") return `stop ${event.reason}`;
    if (event.t === "credit") return `credit ${event.bytes}`;
    if (event.t === "chunk") return `chunk ${event.offset}${event.final ? " final" : ""}`;
    return event.t;
  });
}
