import type { Gate } from "../gates/gates.ts";
import type { Subject } from "./subject.ts";

/** How a person answered: at which face, or through the prompt of which client (H18). */
export type Decider =
  { readonly path: "watch" | "page" | "terminal" } | { readonly path: "client"; readonly client: string };

/** A timeout is never a refusal (H11): nobody has decided. */
type AskState =
  | { readonly state: "waiting" }
  | { readonly state: "approved"; readonly by: Decider; readonly at: number; readonly isEdited: boolean }
  | {
      readonly state: "refused";
      readonly by: Decider;
      readonly at: number;
      /** The person's words for their own agent. */
      readonly reason: string | undefined;
    }
  | { readonly state: "expired"; readonly at: number }
  | { readonly state: "withdrawn"; readonly at: number; readonly cause: WithdrawalCause };

/** `agent`: it no longer wants it. `ended`: the tunnel is over. `gone`: what was asked about is no longer there. */
export type WithdrawalCause = "agent" | "ended" | "gone";

export type Outcome = Exclude<AskState, { readonly state: "waiting" }>;

/** The one who caused it: this side's agent, or a member by its id. */
export type Causer = "own-agent" | { readonly member: string };

export interface Ask {
  /** Counts the asks of this server from 1: what a person types. */
  readonly id: number;
  readonly tunnelId: string;
  /** Every gate that it waits at, at least one: one answer is for all of them. */
  readonly gates: readonly Gate[];
  readonly subject: Subject;
  /** Of what is shown and what would go; see {@link digestOf}. */
  readonly digest: string;
  readonly causer: Causer;
  /** Milliseconds since the epoch. */
  readonly askedAt: number;
  readonly expiresAt: number;
  readonly now: AskState;
}

/** `edit` approves it in a person's own words. */
export type Decision =
  | { readonly verdict: "approve" }
  | { readonly verdict: "edit"; readonly text: string }
  | { readonly verdict: "refuse"; readonly reason?: string | undefined };
