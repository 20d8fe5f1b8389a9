const SPAN_MS = 3_000;
const STEP_MS = 250;

/** Bytes a second over the last few seconds. */
export class Rate {
  #steps: { readonly at: number; bytes: number }[];

  constructor(now: number) {
    this.#steps = [{ at: now, bytes: 0 }];
  }

  add(bytes: number, now: number): void {
    const last = this.#steps.at(-1);
    if (last !== undefined && now - last.at < STEP_MS) last.bytes += bytes;
    else this.#steps.push({ at: now, bytes });
    this.#forget(now);
  }

  perSecond(now: number): number {
    this.#forget(now);
    const first = this.#steps[0];
    if (first === undefined) return 0;
    const sum = this.#steps.reduce((total, { bytes }) => total + bytes, 0);
    return Math.round((sum * 1_000) / Math.max(STEP_MS, now - first.at));
  }

  #forget(now: number): void {
    this.#steps = this.#steps.filter(({ at }) => now - at <= SPAN_MS);
  }
}
