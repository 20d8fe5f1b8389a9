import { Budgets, type Budget, type BudgetLimits, type Gauges, type Used } from "./budgets.ts";
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

/** The bounds as they were after the entry at `upTo`: a later process of this side goes on from there. */
export interface KeptBounds extends Used {
  readonly upTo: number;
  /** A person has let them go on after this entry. */
  readonly renewedAt: number;
  /** The guard holds the agent. A budget that is spent stays so by its counts. */
  readonly loop?: Loop | undefined;
}

/** They are kept after so many entries: those after them are counted again. */
const KEPT_EVERY = 16;

/**
 * The bounds of one tunnel on this side. A hold is sticky: only {@link renew}, which stands for an act of this side's own person, ends
 * it. Words that a peer's program calls a person's do not (H24): an agent could write them.
 */
export class Bounds {
  readonly #budgets: Budgets;
  readonly #loops = new LoopGuard();
  readonly #onKept: (kept: KeptBounds) => void;
  #held: HoldReason | undefined;
  /** The last entry that was counted, and the last that was kept; and the one after which a person let them go on. */
  #upTo = 0;
  #keptUpTo = 0;
  #renewedAt = 0;
  /** Of an earlier process: it has counted so far, and its guard began anew there. */
  #before: Pick<KeptBounds, "upTo" | "renewedAt"> | undefined;

  /** @param onKept told of the bounds whenever a later process has to know them */
  constructor(limits: BudgetLimits, onKept: (kept: KeptBounds) => void = () => undefined) {
    this.#budgets = new Budgets(limits);
    this.#onKept = onKept;
  }

  /** As an earlier process of this side left them; then come the entries that it had heard, by {@link recalled}. */
  restore(kept: KeptBounds): void {
    this.#budgets.restore(kept);
    this.#before = kept;
    this.#upTo = kept.upTo;
    this.#keptUpTo = kept.upTo;
    this.#renewedAt = kept.renewedAt;
    if (kept.loop !== undefined) this.#held = { reason: "loop", loop: kept.loop };
  }

  /** An entry that an earlier process had heard. */
  recalled(said: Said, seq: number): void {
    if (this.#before !== undefined && seq > this.#before.renewedAt) this.#forgetTalk();
    if (seq <= this.#upTo) {
      if (!said.isHuman) this.#loops.heard(said);
      return;
    }
    this.#upTo = seq;
    if (said.isHuman) return;
    this.#budgets.count(said);
    this.#loops.heard(said);
  }

  /** What was said before a person let them go on is known, and no loop. */
  #forgetTalk(): void {
    this.#before = undefined;
    if (this.#renewedAt > 0) this.#loops.renew();
  }

  /** @returns budgets that have just passed four fifths */
  heard(said: Said, seq = this.#upTo + 1): readonly Budget[] {
    if (this.#before !== undefined) this.#forgetTalk();
    this.#upTo = Math.max(this.#upTo, seq);
    const warnings = this.#count(said);
    if (this.#upTo - this.#keptUpTo >= KEPT_EVERY) this.#keep();
    return warnings;
  }

  #count(said: Said): readonly Budget[] {
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
    if (this.#before !== undefined) this.#forgetTalk();
    if (this.#held !== undefined) return this.#held;
    this.#held = this.#reason(now);
    if (this.#held !== undefined) this.#keep();
    return this.#held;
  }

  gauges(now: number): Gauges {
    return this.#budgets.gauges(now);
  }

  renew(now: number): void {
    this.#held = undefined;
    this.#budgets.renew(now);
    this.#loops.renew();
    this.#before = undefined;
    this.#renewedAt = this.#upTo;
    this.#keep();
  }

  #keep(): void {
    this.#keptUpTo = this.#upTo;
    const loop = this.#held?.reason === "loop" ? this.#held.loop : undefined;
    const { used, since } = this.#budgets.counted;
    this.#onKept({ upTo: this.#upTo, renewedAt: this.#renewedAt, used, since, loop });
  }

  #reason(now: number): HoldReason | undefined {
    const { loop } = this.#loops;
    if (loop !== undefined) return { reason: "loop", loop };
    const budget = this.#budgets.spent(now);
    return budget === undefined ? undefined : { reason: "budget", budget };
  }
}
