import type { Chunk, StreamId } from "../record/chunk.ts";
import * as z from "zod/mini";
import type { Bytes } from "../base/bytes.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import {
  bytesOf,
  counter,
  decodeHeader,
  encodeHeader,
  memberId,
  ordinal,
  withoutBody,
} from "../base/header.ts";
import { type MemberId, FILE_ID_BYTES } from "../base/ids.ts";
import { FILE } from "../base/limits.ts";

/** Why a stream ended before its final chunk. */
export const STOP_REASONS = [
  /** The receiver does not want it any more. */
  "cancelled",
  /** Whose file it is, is not connected; or the connection was cut. */
  "away",
  /** Enough other streams are open there. */
  "busy",
  /** Never offered, or not to this receiver, or not any more. */
  "unknown",
  /** The file was deleted, or cannot be read any more. */
  "gone",
  /** The file is not what was offered any more. */
  "changed",
  /** The receiver refuses what came. */
  "refused",
] as const;
export type StopReason = (typeof STOP_REASONS)[number];

const stream = ordinal.check(z.lte(0xffff_ffff));
const salt = bytesOf(32);

/** Frames of type STREAM: volatile, they and their streams go with the connection. */
const streamFrame = z.discriminatedUnion("t", [
  /** Receiver to sender. `who` is whose file it is towards the host, and who asks for it towards its owner. */
  z.strictObject({
    t: z.literal("open"),
    stream,
    file: bytesOf(FILE_ID_BYTES),
    who: memberId,
    /** Where in the file to begin. */
    offset: counter,
    credit: ordinal,
  }),
  /** Sender to receiver, before the first chunk. */
  z.strictObject({ t: z.literal("start"), stream, salt }),
  /** Receiver to sender: so many more bytes of bulk messages may come. */
  z.strictObject({ t: z.literal("credit"), stream, bytes: ordinal }),
  /** Either way: the last of this stream. */
  z.strictObject({ t: z.literal("stop"), stream, reason: z.enum(STOP_REASONS) }),
]);

export type StreamFrame = z.infer<typeof streamFrame>;
export type StreamOpen = Extract<StreamFrame, { t: "open" }>;

/** What a participant's own end of a stream gets to see. */
export type StreamEvent = StreamFrame | ({ readonly t: "chunk" } & Chunk);

/** What asks for a stream at this side's end of the room. */
export interface StreamRequest {
  readonly file: Bytes;
  readonly owner: MemberId;
  readonly offset: number;
  /** Bytes of bulk messages that may come unasked. */
  readonly credit: number;
}

export function encodeStreamFrame(frame: StreamFrame): Bytes {
  return encodeHeader(frame);
}

/** @throws {TunnelError} protocol-violation */
export function decodeStreamFrame(payload: Bytes): StreamFrame {
  return withoutBody(decodeHeader(streamFrame, payload));
}

/** Odd numbers or even ones, without a gap (S2). */
function next(last: StreamId, parity: number): StreamId {
  return last === 0 ? 2 - parity : last + 2;
}

function unasked(detail: string): TunnelError {
  return new TunnelError("protocol-violation", { detail });
}

/**
 * The streams of one channel as one of its ends counts them: which exist, in which direction, and how much may still
 * come or go on each (S3). They end with the connection.
 */
export class Streams {
  readonly #ownParity: 0 | 1;
  readonly #maxOpened: number;
  readonly #maxAsked: number;
  #lastOpened = 0;
  #lastAsked = 0;
  /** Bytes that the other side may still send on a stream that this side opened. */
  readonly #receiving = new Map<StreamId, number>();
  /** Bytes that this side may still send on a stream that the other one opened. */
  readonly #sending = new Map<StreamId, number>();

  constructor(role: "host" | "member") {
    const isHost = role === "host";
    this.#ownParity = isHost ? 0 : 1;
    // The host asks a member on behalf of many, a member asks for itself alone.
    this.#maxOpened = isHost ? FILE.maxServed : FILE.maxOpened;
    this.#maxAsked = isHost ? FILE.maxOpened : FILE.maxServed;
  }

  /** Whether the other side may be asked for one more. */
  get mayOpen(): boolean {
    return this.#receiving.size < this.#maxOpened;
  }

  get live(): StreamId[] {
    return [...this.#receiving.keys(), ...this.#sending.keys()];
  }

  isLive(id: StreamId): boolean {
    return this.#receiving.has(id) || this.#sending.has(id);
  }

  open(credit: number): StreamId {
    this.#lastOpened = next(this.#lastOpened, this.#ownParity);
    this.#receiving.set(this.#lastOpened, credit);
    return this.#lastOpened;
  }

  /**
   * The other side asks for a stream; whether there is room for it.
   * @throws {TunnelError} protocol-violation for an id that is not its next one
   */
  asked(id: StreamId, credit: number): boolean {
    if (id !== next(this.#lastAsked, 1 - this.#ownParity)) throw unasked("a stream that cannot be");
    this.#lastAsked = id;
    if (this.#sending.size >= this.#maxAsked) return false;
    this.#sending.set(id, credit);
    return true;
  }

  /** More credit came from the other side. */
  credited(id: StreamId, bytes: number): void {
    const credit = this.#sending.get(id);
    if (credit !== undefined) this.#sending.set(id, Math.min(credit + bytes, Number.MAX_SAFE_INTEGER));
    else this.assertKnown(id);
  }

  /** This side lets more come. */
  grant(id: StreamId, bytes: number): void {
    const credit = this.#receiving.get(id);
    if (credit !== undefined) this.#receiving.set(id, Math.min(credit + bytes, Number.MAX_SAFE_INTEGER));
  }

  /** Whether a chunk of this price may go out now; it counts as sent then. */
  spend(id: StreamId, price: number): boolean {
    const credit = this.#sending.get(id);
    if (credit === undefined || credit < price) return false;
    this.#sending.set(id, credit - price);
    return true;
  }

  /**
   * A chunk came in; `false` for one of a stream that is over, which the other side may not know yet.
   * @throws {TunnelError} protocol-violation for more than was let come, or a stream that never was
   */
  received(id: StreamId, price: number): boolean {
    const credit = this.#receiving.get(id);
    if (credit === undefined) {
      this.assertKnown(id);
      return false;
    }
    if (price > credit) throw unasked("more of a file than was asked for");
    this.#receiving.set(id, credit - price);
    return true;
  }

  /** @throws {TunnelError} protocol-violation for a stream that was never opened */
  assertKnown(id: StreamId): void {
    const last = id % 2 === this.#ownParity ? this.#lastOpened : this.#lastAsked;
    if (id === 0 || id > last) throw unasked("a stream that was never opened");
  }

  end(id: StreamId): void {
    this.#receiving.delete(id);
    this.#sending.delete(id);
  }

  /** The connection is gone, and with it every stream: the next one counts from the beginning. */
  clear(): void {
    this.#receiving.clear();
    this.#sending.clear();
    this.#lastOpened = 0;
    this.#lastAsked = 0;
  }
}
