import { GATES, type Gate } from "../oversight/gates/gates.ts";
import type { Held } from "../oversight/lanes/held.ts";

/** A call that waits for a person. */
export interface HeldView {
  readonly status: "held";
  /** The number of the ask: a person types it with their answer. */
  readonly askId: number | undefined;
  /** Half a sentence. */
  readonly reason: string;
  /** Left out where it waits behind something else. */
  readonly gates: readonly Gate[] | undefined;
}

export function heldView({ askId, why }: Held): HeldView {
  const gates = why.reason === "gates" ? why.gates : undefined;
  return { status: "held", askId, reason: reasonOf(why), gates };
}

function reasonOf(why: Held["why"]): string {
  switch (why.reason) {
    case "gates":
      return why.gates.map((gate) => GATES[gate].because).join("; ");
    case "behind":
      return "what you said before it waits, and the order is kept";
    case "paused":
      return "your human has paused this tunnel";
  }
}
