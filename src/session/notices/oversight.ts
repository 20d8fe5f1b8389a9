import type { TunnelError } from "../../errors/tunnel-error.ts";
import type { Budget } from "../../oversight/bounds/budgets.ts";
import type { SupervisionNews } from "../../oversight/supervision.ts";
import type { Sent } from "../saying/sent.ts";

/** Words of the oversight to this side's own agent. */
export type OversightNotice =
  /** The last word about something that was answered `held`. */
  | {
      readonly notice: "decided";
      /** The number in that answer; `undefined` where it waited behind another one, or for the end of a pause. */
      readonly askId: number | undefined;
      readonly outcome: Decided;
      /** What this side's person says to their own agent. */
      readonly reason: string | undefined;
      /** How the message stands that was let go. */
      readonly sent: Sent | undefined;
      /** Why it could not be sent although it was let go. */
      readonly error: TunnelError | undefined;
    }
  /** Something was said that this side's person has not let their agent hear. */
  | {
      readonly notice: "withheld";
      readonly place: number;
      readonly fromName: string;
      readonly why: "refused" | "expired" | "withdrawn" | "too-many";
    }
  | { readonly notice: "budget-warning"; readonly budgets: readonly Budget[] }
  | { readonly notice: "resumed" };

/** `edited`: sent in the person's own words. `released`: nobody had to decide about it in the end. */
export type Decided = "approved" | "edited" | "refused" | "expired" | "withdrawn" | "released";

/** @returns `undefined` for news that is not the agent's */
export function noticeOf(news: SupervisionNews<Sent>): OversightNotice | undefined {
  switch (news.type) {
    case "released": {
      const { askId, outcome, result } = news.released;
      return {
        notice: "decided",
        askId,
        outcome: decidedOf(outcome),
        reason: outcome?.state === "refused" ? outcome.reason : undefined,
        sent: result !== undefined && "sent" in result ? result.sent : undefined,
        error: result !== undefined && "error" in result ? result.error : undefined,
      };
    }
    case "withheld": {
      const { entry, why } = news;
      if (entry.kind === "system" || why === "approved") return undefined;
      return { notice: "withheld", place: entry.seq, fromName: entry.fromName, why };
    }
    case "budget-warning":
      return { notice: "budget-warning", budgets: news.budgets };
    case "mode":
      return news.mode === "resume" ? { notice: "resumed" } : undefined;
  }
}

function decidedOf(
  outcome: Extract<SupervisionNews<Sent>, { type: "released" }>["released"]["outcome"],
): Decided {
  if (outcome === undefined) return "released";
  return outcome.state === "approved" && outcome.isEdited ? "edited" : outcome.state;
}
