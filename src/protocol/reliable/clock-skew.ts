import { u64be, type Bytes } from "../base/bytes.ts";
import { exactly, readNumber } from "./payloads.ts";

/** A PONG may tell the time of whoever sends it, in whole seconds (D11): enough for ages, too little to know a machine by. */
export function timePayload(now: number): Bytes {
  return u64be(Math.max(0, Math.floor(now / 1_000)));
}

/**
 * The time in a PONG, in ms since the epoch; undefined where its sender tells none.
 * @throws {TunnelError} protocol-violation for another size, or a number above 2^53 - 1
 */
export function timeIn(payload: Bytes): number | undefined {
  if (payload.length === 0) return undefined;
  return readNumber(exactly(8, payload), 0) * 1_000;
}

/** The time that a PONG tells is cut to seconds: half of one is right on average. */
const CUT_MS = 500;

/** How far a peer's clock is ahead of this one, from the times in its PONGs. */
export class ClockSkew {
  #ms: number | undefined;

  /** In ms, to a second and half of what the PONG was under way; undefined while nothing is known. */
  get ms(): number | undefined {
    return this.#ms;
  }

  /** @param asked when the PING went out, like `now` by this side's clock */
  told(time: number | undefined, { asked, now }: { readonly asked: number; readonly now: number }): void {
    if (time !== undefined) this.#ms = time + CUT_MS - (asked + now) / 2;
  }
}
