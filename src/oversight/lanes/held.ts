import type { Gate } from "../gates/gates.ts";

/**
 * The answer to a call that waits for a person. It is no error: what was asked for keeps its place, and goes as soon as it may.
 */
export interface Held {
  readonly status: "held";
  /** The number of the ask that it waits for, where there is one: its own, or that of what was said before it. */
  readonly askId: number | undefined;
  readonly why: HeldReason;
}

/**
 * - `gates`: a person must decide about it
 * - `behind`: something said earlier waits, and the order is kept
 * - `paused`: this side's person has stopped their agent for now
 */
export type HeldReason =
  | { readonly reason: "gates"; readonly gates: readonly Gate[] }
  | { readonly reason: "behind" }
  | { readonly reason: "paused" };
