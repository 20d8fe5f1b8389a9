import { RATE } from "../base/limits.ts";

/** A token bucket for one quantity; it may go into debt, since what has arrived has arrived. */
class Bucket {
  readonly #perMs: number;
  readonly #burst: number;
  #left: number;
  #at: number;

  constructor(perSecond: number, burst: number, now: number) {
    this.#perMs = perSecond / 1_000;
    this.#burst = burst;
    this.#left = burst;
    this.#at = now;
  }

  /** Takes `amount`; gives the milliseconds until nothing is owed any more. */
  take(amount: number, now: number): number {
    const earned = Math.max(0, now - this.#at) * this.#perMs;
    this.#left = Math.min(this.#burst, this.#left + earned) - amount;
    this.#at = now;
    return this.#left >= 0 ? 0 : Math.ceil(-this.#left / this.#perMs);
  }
}

/** What something costs its member: messages of its agent, other frames, and bytes. */
export interface Price {
  readonly messages?: number;
  readonly frames?: number;
  readonly bytes?: number;
}

/** Limits the work that one member makes for the host and for others (E1), across its connections. */
export class RateLimiter {
  readonly #messages: Bucket;
  readonly #frames: Bucket;
  readonly #bytes: Bucket;

  constructor(now: number) {
    this.#messages = new Bucket(RATE.messagesPerSecond, RATE.messagesBurst, now);
    this.#frames = new Bucket(RATE.framesPerSecond, RATE.framesBurst, now);
    this.#bytes = new Bucket(RATE.bytesPerSecond, RATE.bytesBurst, now);
  }

  /**
   * Something is paid for; gives for how many milliseconds nothing more should be read. Never so long
   * that the silence would look like the end of the connection: what is still owed then counts with the next frame.
   */
  spend(price: Price, now: number): number {
    return Math.min(RATE.maxPauseMs, this.#take(price, now));
  }

  /** Whether so much is owed that a new connection would only get around the waiting. */
  isOverdrawn(now: number): boolean {
    return this.#take({}, now) > RATE.maxPauseMs;
  }

  #take({ messages = 0, frames = 0, bytes = 0 }: Price, now: number): number {
    return Math.max(
      this.#messages.take(messages, now),
      this.#frames.take(frames, now),
      this.#bytes.take(bytes, now),
    );
  }
}
