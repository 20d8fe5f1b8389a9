import type { Duplex } from "node:stream";
import type { Clock } from "../../runtime/clock.ts";

/** Says how long to wait before more is read. */
export interface Throttle {
  /** So many bytes have been read. @returns milliseconds until the next may be */
  spent(bytes: number): number;
  waitMs(): number;
}

interface SpliceEnd {
  /** Of the visitor, and to it. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Both sides have ended in order. */
  readonly isWhole: boolean;
}

export interface SpliceOptions {
  readonly clock: Clock;
  /** Undefined: as fast as the slower side. */
  readonly throttle: Throttle | undefined;
  /** Called once. */
  readonly onEnd: (end: SpliceEnd) => void;
}

/** After one side has ended, the other one has so long to do the same. */
const HALF_OPEN_MS = 60_000;

/**
 * Carries bytes between a visitor and a host, as they are. A side that does not read stops the other one, by TCP itself; an end is
 * passed on, a break cuts both.
 * @returns cuts both
 */
export function splice(visitor: Duplex, host: Duplex, { clock, throttle, onEnd }: SpliceOptions): () => void {
  let bytesIn = 0;
  let bytesOut = 0;
  let isOver = false;
  let cancel: () => void = () => undefined;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    cancel();
    const isWhole = visitor.readableEnded && host.readableEnded;
    visitor.destroy();
    host.destroy();
    onEnd({ bytesIn, bytesOut, isWhole });
  };
  const carry = (from: Duplex, to: Duplex, count: (bytes: number) => void): void => {
    from.on("data", (chunk: Buffer) => {
      count(chunk.length);
      const isFull = !to.write(chunk);
      const waitMs = throttle?.spent(chunk.length) ?? 0;
      if (isFull || waitMs > 0) from.pause();
      if (waitMs <= 0) return;
      clock.after(waitMs, () => {
        if (!isOver && !to.writableNeedDrain) from.resume();
      });
    });
    to.on("drain", () => {
      if ((throttle?.waitMs() ?? 0) <= 0) from.resume();
    });
    from.on("end", () => {
      to.end();
      cancel();
      cancel = clock.after(HALF_OPEN_MS, end);
    });
    from.on("error", end);
    from.on("close", () => {
      // Node closes a socket whose two sides have ended; the other one may still have to send what is written.
      if (from.readableEnded && !to.destroyed && !to.writableFinished) to.once("finish", end);
      else end();
    });
    from.resume();
  };
  carry(visitor, host, (bytes) => (bytesIn += bytes));
  carry(host, visitor, (bytes) => (bytesOut += bytes));
  return end;
}
