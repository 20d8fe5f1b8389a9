import * as z from "zod";
import { asTunnelError } from "../../errors/tunnel-error.ts";
import { defineTool } from "../calls/define-tool.ts";
import { tunnelId } from "../calls/inputs.ts";
import { answerView, HELD } from "../results/held.ts";
import { signOffFields } from "../results/sign-off.ts";
import { statusOf } from "../../view/status.ts";
import { endFields } from "./listening.ts";
import { openingMeant } from "./opening.ts";
import { removedText } from "../../view/words/removed.ts";

/** Errors of the last message that must not keep a tunnel open: nobody is there to read it. */
const NO_LISTENER: ReadonlySet<string> = new Set(["nobody-joined", "tunnel-closed", "outbox-full"]);

const UNSIGNED =
  "It stays open, since it is to end with the signatures of all humans, and they are not all there. Call tunnel_propose_done with the outcome, and wait with tunnel_listen. To close without, call tunnel_close with `unsigned`: the transcript says so.";

export const closeTool = defineTool({
  name: "tunnel_close",
  title: "Close or leave",
  description:
    "Host: ends the tunnel for everyone. Member: leaves for good. `summary` is the " +
    "last message to the others, and not sent once all have signed.",
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true },
  input: z.strictObject({
    summary: z.string().optional().describe("What was agreed, and what is open."),
    unsigned: z.boolean().optional().describe("Close though `signOff` is not complete."),
    tunnelId,
  }),
  async run({ summary, unsigned, tunnelId: id }, call) {
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
    const state = tunnel.signing.standing?.state;
    if (tunnel.signing.isDemanded && state !== "signed" && unsigned !== true && tunnel.end === undefined) {
      const facts = { tunnelId: tunnel.tunnelId, role: tunnel.role, status: statusOf(tunnel) };
      return { ...facts, ...signOffFields(tunnel, call.fence), unread: tunnel.inbox.unread, next: UNSIGNED };
    }
    const typed = summary === undefined ? undefined : call.sessions.checkedText(summary);
    let summarySent = false;
    // One more message would make stale what all have signed.
    if (typed !== undefined && state !== "signed") {
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
      ...signOffFields(tunnel, call.fence),
      unread: tunnel.inbox.unread,
      ...endFields(tunnel),
      next: tunnel.inbox.unread > 0 ? "Some of it is unread: read it with tunnel_listen." : undefined,
    };
  },
});
