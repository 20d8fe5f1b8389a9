import type { HoldReason } from "../oversight/bounds/bounds.ts";
import type { Gauges } from "../oversight/bounds/budgets.ts";
import type { ChosenGate } from "../oversight/gates/gates.ts";
import type { Session } from "../session/sessions.ts";

/** How this side's person bounds its agent in one tunnel, as it is now. */
export interface OversightView {
  readonly paused: boolean;
  /** Those that a person has asked for; the others always stand. */
  readonly gates: readonly ChosenGate[];
  /** Messages of the agent that wait, and entries of the room that it has not been told. */
  readonly heldOut: number;
  readonly heldIn: number;
  /** Why the agent may say nothing more. */
  readonly stopped: HoldReason | undefined;
  /** Left out where budgets are off. */
  readonly budgets: Gauges | undefined;
}

export function oversightView({ oversight }: Pick<Session, "oversight">): OversightView {
  const { isPaused, gates, heldOut, heldIn, stopped, gauges } = oversight;
  return { paused: isPaused, gates, heldOut, heldIn, stopped, budgets: gauges };
}
