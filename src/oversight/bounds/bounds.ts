import { Budgets, type Budget, type BudgetLimits, type Gauges } from "./budgets.ts";
import { LoopGuard, type Loop } from "./loop-guard.ts";

/** Something that was said in the room, with everything that counts of it. */
export interface Said {
  /** Milliseconds since the epoch, by this side's clock. */
  readonly at: number;
  /** The name of the member. */
  readonly from: string;
  readonly isOwn: boolean;
  readonly to: readonly string[] | undefined;
  /** Words of a person: they are never counted. */
  readonly isHuman: boolean;
  /** For a file: its name and note. */
  readonly text: string;
  /** Of the text, or of the file. */
  readonly bytes: number;
  readonly isFile: boolean;
}

/** Why this side's agent has to stop. */
export type HoldReason =
  { readonly reason: "loop"; readonly loop: Loop } | { readonly reason: "budget"; readonly budget: Budget };

/**
 * The bounds of one tunnel on this side. A hold is sticky: only {@link renew}, which stands for an act of this side's own person, ends
 * it. Words that a peer's program calls a person's do not (H24): an agent could write them.
 */
export class Bounds {
  readonly #budgets: Budgets;
  readonly #loops = new LoopGuard();
  #held: HoldReason | undefined;

  constructor(limits: BudgetLimits) {
    this.#budgets = new Budgets(limits);
  }

  /** @returns budgets that have just passed four fifths */
  heard(said: Said): readonly Budget[] {
    if (said.isHuman) return [];
    this.#budgets.count(said);
    this.#loops.heard(said);
    return this.#budgets.warnings(said.at);
  }

  left(member: string): void {
    this.#loops.left(member);
  }

  /** Why this side's agent may say nothing more; `undefined` while it may. */
  held(now: number): HoldReason | undefined {
    this.#held ??= this.#reason(now);
    return this.#held;
  }

  gauges(now: number): Gauges {
    return this.#budgets.gauges(now);
  }

  renew(now: number): void {
    this.#held = undefined;
    this.#budgets.renew(now);
    this.#loops.renew();
  }

  #reason(now: number): HoldReason | undefined {
    const { loop } = this.#loops;
    if (loop !== undefined) return { reason: "loop", loop };
    const budget = this.#budgets.spent(now);
    return budget === undefined ? undefined : { reason: "budget", budget };
  }
}
