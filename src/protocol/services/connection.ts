import { concat, type Bytes } from "../base/bytes.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Primitives } from "../base/primitives.ts";
import { ChunkCipher, contentThatFits, contentThatSuits } from "../files/cipher.ts";
import { chunkOfFile, readFileChunk } from "../files/stream.ts";
import { serviceStreamKey } from "../handshake/keys.ts";
import type { Chunk } from "../record/chunk.ts";
import type { ServiceOffer } from "./offer.ts";

/** The way that a chunk goes: each has its own key (K12). */
export type Way = "to-owner" | "to-taker";

export interface ConnectionSecrets {
  readonly offer: Pick<ServiceOffer, "id" | "key">;
  /** The salts of the request and of the response, in this order. */
  readonly salts: readonly [taker: Bytes, owner: Bytes];
}

function cipherOf(primitives: Primitives, { offer, salts }: ConnectionSecrets, way: Way): ChunkCipher {
  return new ChunkCipher(primitives, offer, concat(...salts), (one, key, salt) =>
    serviceStreamKey(one, key, salt, way),
  );
}

/** Bytes of one direction of a connection, sealed between its two ends (X4): chunks as those of a file (B2). */
export class ConnectionSealer {
  readonly #cipher: ChunkCipher;
  #sent = 0;

  constructor(primitives: Primitives, secrets: ConnectionSecrets, way: Way) {
    this.#cipher = cipherOf(primitives, secrets, way);
  }

  /** How much content goes into a chunk of at most so many bytes of credit; negative where not even an empty one fits. */
  static fits(credit: number): number {
    return contentThatFits(credit);
  }

  /** How much of so much content goes well into one chunk: no more than fills a message, where the rest of it is worth another. */
  static suits(content: number): number {
    return contentThatSuits(content);
  }

  /** @throws {RangeError} content that does not fit into a chunk */
  seal(content: Bytes, isFinal = false): Pick<Chunk, "bytes" | "message"> {
    const place = { offset: this.#sent, final: isFinal };
    this.#sent += content.length;
    return chunkOfFile({ ...place, ...this.#cipher.seal(content, place) });
  }
}

/** The other end of a direction. */
export class ConnectionOpener {
  readonly #cipher: ChunkCipher;
  #received = 0;
  #isComplete = false;

  constructor(primitives: Primitives, secrets: ConnectionSecrets, way: Way) {
    this.#cipher = cipherOf(primitives, secrets, way);
  }

  /** The last chunk has come: nothing may follow. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** The content of the next chunk. @throws {TunnelError} service-corrupt for what the other end did not send next */
  take({ bytes, isSealed }: Pick<Chunk, "bytes" | "isSealed">): Bytes {
    const chunk = isSealed ? readFileChunk(bytes) : undefined;
    if (chunk === undefined || this.#isComplete || chunk.offset !== this.#received) throw corrupt();
    const content = this.#opened(chunk);
    // An empty chunk has nothing to say but that it is the last.
    if (!chunk.final && content.length === 0) throw corrupt();
    this.#received += content.length;
    this.#isComplete = chunk.final;
    return content;
  }

  #opened(chunk: Parameters<ChunkCipher["open"]>[0]): Bytes {
    try {
      return this.#cipher.open(chunk);
    } catch (cause) {
      throw corrupt(cause);
    }
  }
}

function corrupt(cause?: unknown): TunnelError {
  return new TunnelError("service-corrupt", cause === undefined ? {} : { cause });
}
