import * as z from "zod";
import { asTunnelError } from "../../errors/tunnel-error.ts";
import { defineTool } from "../calls/define-tool.ts";
import { tunnelId } from "../calls/inputs.ts";
import { answerView, HELD } from "../results/held.ts";
import { endFields } from "./listening.ts";
import { openingMeant } from "./opening.ts";
import { removedText } from "../../view/removed.ts";

/** Errors of the last message that must not keep a tunnel open: nobody is there to read it. */
const NO_LISTENER: ReadonlySet<string> = new Set(["nobody-joined", "tunnel-closed", "outbox-full"]);

export const closeTool = defineTool({
  name: "tunnel_close",
  title: "Close or leave",
  description:
    "Host: ends the tunnel for everyone, and its address stops working. Member: leaves for good; coming back needs a " +
    "new invite. `summary` is sent to the others as the last message.",
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true },
  input: z.strictObject({
    summary: z.string().optional().describe("What was agreed, and what is open."),
    tunnelId,
  }),
  async run({ summary, tunnelId: id }, call) {
    const opening = openingMeant(call, id);
    if (opening !== undefined) {
      call.sessions.openings.forget(opening);
      // One that has been opened meanwhile is closed like every other.
      if (opening.state.name !== "opened") {
        await opening.cancel();
        return { tunnelId: opening.tunnelId, role: "host", status: "closed", unread: 0 };
      }
    }
    const tunnel = call.sessions.resolve(id);
    const typed = summary === undefined ? undefined : call.sessions.checkedText(summary);
    let summarySent = false;
    if (typed !== undefined) {
      try {
        const sent = await tunnel.say({ text: typed.text, intent: "inform" });
        if (sent.status === "held") {
          const next = `The tunnel stays open for your summary. ${HELD} To close without it, call tunnel_close without summary.`;
          return { tunnelId: tunnel.tunnelId, role: tunnel.role, ...answerView(sent), next };
        }
        summarySent = sent.status === "sent";
      } catch (thrown) {
        if (!NO_LISTENER.has(asTunnelError(thrown).code)) throw thrown;
      }
    }
    await tunnel.close();
    return {
      tunnelId: tunnel.tunnelId,
      role: tunnel.role,
      status: "closed",
      ...(typed === undefined ? {} : { summarySent, removed: removedText(typed.removed) }),
      unread: tunnel.inbox.unread,
      ...endFields(tunnel),
      next: tunnel.inbox.unread > 0 ? "Some of it is unread: read it with tunnel_listen." : undefined,
    };
  },
});
