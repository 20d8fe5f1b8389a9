import * as z from "zod";
import { words } from "../../arguments/strings.ts";
import { removedText } from "../../view/words/removed.ts";
import { defineTool } from "../calls/define-tool.ts";
import { tunnelId } from "../calls/inputs.ts";
import { answerView, HELD, PAUSED } from "../results/held.ts";
import { pauseFields } from "./listening.ts";
import { signOffFields } from "../results/sign-off.ts";

const NEXT =
  "Tell your human that they can read and sign it in `tunnel-mcp watch` or on the page, and that the other humans hear the same three `words`. Then wait with tunnel_listen, and say nothing: each further message makes it stale.";

export const proposeDoneTool = defineTool({
  name: "tunnel_propose_done",
  title: "Propose done",
  description:
    "Asks the humans of all members to sign that this outcome is done; nobody else can. tunnel_listen tells who has. " +
    "Any later message makes it stale; a new proposal replaces it.",
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  input: z.strictObject({
    outcome: words("text-invalid").describe("What was done, and what is left open."),
    tunnelId,
  }),
  async run({ outcome, tunnelId: id }, call) {
    const tunnel = call.sessions.resolve(id);
    tunnel.touch();
    const { text, removed } = call.sessions.checkedText(outcome);
    const sent = await tunnel.signing.propose(text, call.id);
    return {
      tunnelId: tunnel.tunnelId,
      ...answerView(sent),
      ...(sent.status === "sent" ? signOffFields(tunnel, call.fence) : {}),
      removed: removedText(removed),
      ...pauseFields(tunnel),
      unread: tunnel.inbox.unread,
      next: sent.status !== "held" ? NEXT : tunnel.oversight.isPaused ? PAUSED : HELD,
    };
  },
});
