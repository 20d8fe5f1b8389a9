import { ROOM } from "../base/limits.ts";

/** When a room in which nobody does anything ends, and when its members are told so. */
export class IdleClock {
  readonly #limitMs: number;
  #activeAt: number;
  #warned = false;

  constructor(limitMs: number, now: number) {
    this.#limitMs = limitMs;
    this.#activeAt = now;
  }

  /** Milliseconds since the epoch at which the room ends if nothing happens. */
  get endsAt(): number {
    return this.#activeAt + this.#limitMs;
  }

  /** Somebody did something. */
  touch(now: number): void {
    this.#activeAt = now;
    this.#warned = false;
  }

  /** Whether the warning is due; says so once per idle time. */
  takeWarning(now: number): boolean {
    if (this.#warned || now < this.#warnsAt) return false;
    this.#warned = true;
    return true;
  }

  nextDeadline(): number {
    return this.#warned ? this.endsAt : this.#warnsAt;
  }

  /** Five minutes ahead, or halfway where the whole time is shorter than ten. */
  get #warnsAt(): number {
    return this.endsAt - Math.min(ROOM.idleWarningMs, this.#limitMs / 2);
  }
}
