import type { Answer } from "../../session/saying/sent.ts";
import { heldView } from "../../view/held.ts";
import type { Payload } from "./result.ts";

/** The next step of a call that waits for a person. */
export const HELD =
  "Your human has to decide: tell them that they can type `tunnel-mcp watch`. It is kept in its place and goes once they say yes. Do not send it again, and do not reword, split or encode it. tunnel_listen tells you the outcome.";

/** How something that was said stands. */
export function answerView(answer: Answer): Payload {
  return answer.status === "held" ? { ...heldView(answer) } : { ...answer };
}
