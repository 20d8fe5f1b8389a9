import type { MemberId } from "../base/ids.ts";
import { RATE } from "../base/limits.ts";
import type { Load } from "../reliable/channel.ts";

/** How long the pace is measured for before it is believed. */
const SAMPLE_MS = 1_000;

/**
 * A member that others wait for (E3), from the first of them until it has caught up. Time while it is away does not count: nobody waits for it
 * then.
 */
export class Congestion {
  /** Who is held back in the window of time that is looked at. */
  readonly #held = new Set<MemberId>();
  #heldAt = Number.NEGATIVE_INFINITY;
  #windowAt: number;
  #drainedBefore: number;
  #alarmAt: number;
  #hasAlarmed = false;
  #awaySince: number | undefined;
  #sample: { readonly at: number; readonly drained: number };
  #bytesPerMs: number | undefined;

  constructor({ drained }: Load, now: number) {
    this.#windowAt = now;
    this.#drainedBefore = drained;
    this.#alarmAt = now + RATE.slowAlarmMs;
    this.#sample = { at: now, drained };
  }

  /** When {@link tick} has something to do next. */
  get dueAt(): number {
    const windowEnd = this.#windowAt + RATE.catchUpMs;
    return this.#hasAlarmed ? windowEnd : Math.min(this.#alarmAt, windowEnd);
  }

  /** A speaker is not read for a while because of this member, or refused if it is the host. */
  holdsBack(speaker: MemberId, { drained }: Load, now: number): void {
    this.#held.add(speaker);
    this.#heldAt = now;
    const elapsed = now - this.#sample.at;
    if (elapsed < SAMPLE_MS) return;
    this.#bytesPerMs = (drained - this.#sample.drained) / elapsed;
    this.#sample = { at: now, drained };
  }

  /** How long it takes until so much has been taken in, at the member's pace. */
  waitFor(bytes: number): number {
    if (this.#bytesPerMs === undefined) return RATE.heldFirstMs;
    return Math.ceil(Math.min(RATE.maxPauseMs, Math.max(RATE.heldMs, bytes / this.#bytesPerMs)));
  }

  /** The member is not connected any more, or again. */
  away(isAway: boolean, now: number): void {
    if (isAway) this.#awaySince ??= now;
    else if (this.#awaySince !== undefined) {
      const gone = now - this.#awaySince;
      this.#awaySince = undefined;
      this.#windowAt += gone;
      this.#alarmAt += gone;
      this.#heldAt += gone;
      this.#sample = { ...this.#sample, at: this.#sample.at + gone };
    }
  }

  /** What has become of it, if anything has. */
  tick({ fill, drained }: Load, now: number): "caught-up" | "slow" | "fell-behind" | undefined {
    if (fill < RATE.caughtUpFill) return "caught-up";
    if (now - this.#windowAt >= RATE.catchUpMs) {
      const isBehind = drained - this.#drainedBefore < this.#owed(fill);
      this.#windowAt = now;
      this.#drainedBefore = drained;
      this.#held.clear();
      if (isBehind) return "fell-behind";
    }
    if (this.#hasAlarmed || now < this.#alarmAt) return undefined;
    // Somebody waited a moment, and that was all: it is looked at again.
    if (now - this.#heldAt > RATE.maxPauseMs + SAMPLE_MS) {
      this.#alarmAt = now + RATE.slowAlarmMs;
      return undefined;
    }
    this.#hasAlarmed = true;
    return "slow";
  }

  /** Bytes that it must have taken in during the window, by how many waited for it. */
  #owed(fill: number): number {
    const held = this.#held.size;
    if (held > RATE.atFault) return held * RATE.catchUpBytesEach;
    return held > 0 || fill >= 1 / 2 ? RATE.catchUpBytes : 0;
  }
}
