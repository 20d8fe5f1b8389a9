import type { Bytes } from "../base/bytes.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { ChunkCipher } from "./cipher.ts";
import type { FileOffer } from "./offer.ts";
import type { FileChunk } from "./stream.ts";
import type { Primitives } from "../base/primitives.ts";

/**
 * Checks the chunks of one file, across the streams that bring it (B3, B4): each opens as the next of its
 * stream, begins where the last one ended, and the last of all is marked so and ends where the offer says. The hash of the
 * whole is checked where it is written.
 */
export class FileIntake {
  readonly #primitives: Primitives;
  readonly #offer: FileOffer;
  #cipher: ChunkCipher | undefined;
  #received = 0;
  #isComplete = false;

  constructor(primitives: Primitives, offer: FileOffer) {
    this.#primitives = primitives;
    this.#offer = offer;
  }

  /** Bytes of content that have been verified: where the next stream begins. */
  get received(): number {
    return this.#received;
  }

  /** Where a stream has to begin to bring the next byte. */
  get next(): number {
    return this.#received;
  }

  /** Bytes that this stream still has to bring: the sender ends it by itself. */
  get left(): number {
    return Number.POSITIVE_INFINITY;
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** A stream has begun at {@link received}. @throws {TunnelError} file-out-of-order when it begins twice */
  start(salt: Bytes): void {
    if (this.#cipher !== undefined) throw new TunnelError("file-out-of-order");
    this.#cipher = new ChunkCipher(this.#primitives, this.#offer, salt);
  }

  /** The stream is over; another one may follow. */
  interrupted(): void {
    this.#cipher = undefined;
  }

  /**
   * The content of the next chunk.
   * @throws {TunnelError} file-out-of-order, file-corrupt, file-too-long, file-too-short, file-unfinished
   */
  take(chunk: FileChunk): Bytes {
    if (this.#isComplete) throw new TunnelError("file-too-long");
    if (this.#cipher === undefined || chunk.offset !== this.#received)
      throw new TunnelError("file-out-of-order");
    const content = this.#cipher.open(chunk);
    const received = this.#received + content.length;
    const { size } = this.#offer;
    if (received > size) throw new TunnelError("file-too-long");
    if (chunk.final && received < size) throw new TunnelError("file-too-short");
    // An empty chunk is of use only as the last one, and only of an empty file or after a cut.
    if (!chunk.final && (received === size || content.length === 0)) throw new TunnelError("file-unfinished");
    this.#received = received;
    this.#isComplete = chunk.final;
    return content;
  }
}
