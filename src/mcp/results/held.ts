import type { Answer } from "../../session/saying/sent.ts";
import { heldView } from "../../view/held.ts";
import type { Payload } from "./result.ts";

/** The next step of a call that waits for a person. */
export const HELD =
  "Your human has to decide: tell them that they can type `tunnel-mcp watch`. It is kept in its place and goes once they say yes. Do not send it again, and do not reword, split or encode it. tunnel_listen tells you the outcome.";

/** The next step while this side's person has stopped everything. */
export const PAUSED =
  "Your human has paused this tunnel: nothing you say leaves, and you are told nothing. Do not say it again, and do not listen in a loop: go on with other work, or end your turn. What waits goes and comes by itself once they resume.";

/** The next step where something was said that this side's person wants to see first. */
export const HELD_IN =
  "Something was said that your human wants to see first: tell them that they can type `tunnel-mcp watch`. It comes once they say yes; listen again later.";

/** How something that was said stands. */
export function answerView(answer: Answer): Payload {
  return answer.status === "held" ? { ...heldView(answer) } : { ...answer };
}
