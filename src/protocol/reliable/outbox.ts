import type { Bytes } from "../base/bytes.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { LINK, RECORD, RECORD_BUCKETS } from "../base/limits.ts";

/** A durable frame on its way: numbered from 1 per direction, for the member's whole stay. */
export interface Durable {
  readonly number: number;
  readonly payload: Bytes;
  /** Size on the wire in bytes, padding included. */
  readonly wireBytes: number;
}

/**
 * The reliable layer (PROTOCOL §6) of one member's stay, across its connections: the frames sent and not yet confirmed,
 * and how far the peer's frames have arrived. Exactly once and in order is decided here and nowhere else.
 */
export class Outbox {
  #unconfirmed: Durable[] = [];
  #bytes = 0;
  #drained = 0;
  #lastSent = 0;
  #lastReceived = 0;

  /** Number of the last durable frame that arrived; what CONFIRM, WELCOME and ACK state. */
  get received(): number {
    return this.#lastReceived;
  }

  /** Number of the last durable frame that was sent: nobody can have received more. */
  get sent(): number {
    return this.#lastSent;
  }

  /** Number of the last durable frame that the peer has confirmed. */
  get confirmed(): number {
    return this.#lastSent - this.#unconfirmed.length;
  }

  /** Frames the peer has not confirmed. */
  get waiting(): number {
    return this.#unconfirmed.length;
  }

  /** The unconfirmed frame with the lowest number above `number`. */
  after(number: number): Durable | undefined {
    // Numbers are contiguous, so the index follows from the first one.
    const first = this.#unconfirmed[0]?.number ?? 0;
    return this.#unconfirmed[Math.max(0, number + 1 - first)];
  }

  hasRoomFor(bytes: number): boolean {
    return this.#unconfirmed.length < LINK.maxOutboxFrames && this.#bytes + bytes <= LINK.maxOutboxBytes;
  }

  /** @throws {TunnelError} outbox-full: the caller is told, nothing is dropped (D3) */
  push(payload: Bytes): Durable {
    if (!this.hasRoomFor(payload.length)) throw new TunnelError("outbox-full");
    return this.#push(payload);
  }

  /** A frame of an earlier process, which had room for it: its confirmation may not have been kept. */
  replay(payload: Bytes): void {
    this.#push(payload);
  }

  /** Goes on from an earlier process: nothing of what was sent by then waits for the peer. */
  standAt({ sent, received }: { readonly sent: number; readonly received: number }): void {
    this.#unconfirmed = [];
    this.#bytes = 0;
    this.#lastSent = sent;
    this.#lastReceived = received;
  }

  #push(payload: Bytes): Durable {
    this.#lastSent += 1;
    const frame = { number: this.#lastSent, payload, wireBytes: wireBytesOf(payload.length) };
    this.#unconfirmed.push(frame);
    this.#bytes += payload.length;
    return frame;
  }

  /** Bytes of payload that the peer has not confirmed. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes on the wire that the peer has confirmed, ever: its line carries the padding, too. */
  get drained(): number {
    return this.#drained;
  }

  /** The peer has everything up to `number` (D2); gives the bytes on the wire that this set free. @throws {TunnelError} protocol-violation for a number never sent */
  confirm(number: number): number {
    if (number > this.#lastSent)
      throw new TunnelError("protocol-violation", { detail: "acknowledged the unsent" });
    let done = 0;
    let freed = 0;
    let bytes = 0;
    for (const frame of this.#unconfirmed) {
      if (frame.number > number) break;
      freed += frame.wireBytes;
      bytes += frame.payload.length;
      done += 1;
    }
    this.#unconfirmed.splice(0, done);
    this.#bytes -= bytes;
    this.#drained += freed;
    return freed;
  }

  /**
   * Whether an arriving frame is the next one (`true`) or one that came before the cut (`false`).
   * @throws {TunnelError} protocol-violation for a gap, which an ordered channel cannot have (D4)
   */
  accept(number: number): boolean {
    if (number <= this.#lastReceived) return false;
    if (number !== this.#lastReceived + 1)
      throw new TunnelError("protocol-violation", { detail: "a frame is missing" });
    this.#lastReceived = number;
    return true;
  }
}

/** Number and acknowledgement of a DATA frame (PROTOCOL §5). */
export const DATA_HEADER_BYTES = 8 + 8;

/** The record that a durable frame of so much payload fills. */
function wireBytesOf(payloadBytes: number): number {
  const bytes = RECORD.overheadBytes + RECORD.headerBytes + DATA_HEADER_BYTES + payloadBytes;
  return RECORD_BUCKETS.find((bucket) => bucket >= bytes) ?? RECORD.maxFrameBytes;
}
