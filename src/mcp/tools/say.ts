import * as z from "zod";
import { INTENTS } from "../../protocol/room/intent.ts";
import { ROOM, SESSION } from "../../protocol/base/limits.ts";
import { membersNamed } from "../../protocol/room/recipients.ts";
import { BOUNDS } from "../results/bounds.ts";
import type { Sent } from "../../session/session.ts";
import type { Session } from "../../session/sessions.ts";
import { defineTool } from "./define-tool.ts";
import { tunnelId } from "./inputs.ts";
import { asNamed } from "../results/labels.ts";
import { membersOf } from "../results/members.ts";
import { batchFields } from "../results/messages.ts";
import { endFields, listen, nextStep } from "./listening.ts";

const QUEUED =
  "It is kept and delivered by itself: do not send it again. tunnel_status shows who is connected and how far each has read.";

const NOBODY = "Say it again when somebody it is for has joined.";

export const sayTool = defineTool({
  name: "tunnel_say",
  title: "Say something",
  description:
    "Sends a message to everybody in the tunnel, or only to those in `to`. `status` is `sent` once the host's process " +
    "has it (a receiver's, where you are the host), else `queued` with the reason. A queued message is delivered by " +
    "itself: do not send it again. `unconfirmed` is one that nobody is left to confirm. None of these means read: `members` shows who is connected and up to which `seq` each " +
    "has read. With `waitMs` it also waits for an answer, like tunnel_listen. At most 64 KiB of text. Never send " +
    "secrets, credentials or unrelated files.",
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  input: z.strictObject({
    text: z.string().describe("The message: complete in itself, with paths and what you want."),
    intent: z
      .enum(INTENTS)
      .optional()
      .describe(
        "request: an answer is needed. inform: answer only if useful. ack: received, never to be answered.",
      ),
    replyTo: z.int().min(1).optional().describe("The seq of the message that you answer."),
    to: z
      .array(z.string())
      .min(1)
      .max(ROOM.maxMembers)
      .optional()
      .describe("Names or ids of the only receivers: sealed to them, and passed on unread."),
    waitMs: z
      .number()
      .min(0)
      .optional()
      .describe(
        `Wait up to this many ms for an answer and return it in \`messages\`; at most ${SESSION.listenMaxMs}.`,
      ),
    tunnelId,
  }),
  async run({ text, intent, replyTo, to, waitMs, tunnelId: id }, call) {
    const tunnel = call.sessions.resolve(id);
    tunnel.touch();
    const checked = call.sessions.checkedText(text);
    const sent = await tunnel.say({
      text: checked,
      ...(intent === undefined ? {} : { intent }),
      ...(replyTo === undefined ? {} : { replyTo }),
      ...(to === undefined ? {} : { to: membersNamed(tunnel.presence(), asNamed(tunnel.presence(), to)) }),
    });
    const timeoutMs = Math.min(waitMs ?? 0, SESSION.listenMaxMs);
    const batch =
      timeoutMs > 0
        ? await listen(tunnel, { timeoutMs, limit: SESSION.listenDefaultCount }, call)
        : undefined;
    return {
      tunnelId: tunnel.tunnelId,
      ...sent,
      ...membersOf(tunnel, BOUNDS.membersAsideBytes),
      unread: tunnel.inbox.unread,
      ...(batch === undefined ? {} : batchFields(batch, call.clock.now(), call.fence)),
      ...endFields(tunnel),
      next: nextOf(sent, tunnel) ?? (batch && nextStep(tunnel, batch.entries.length, call)),
    };
  },
});

/** The next step for a message that was not confirmed, if there is one. */
function nextOf({ status }: Sent, { end }: Pick<Session, "end">): string | undefined {
  if (status === "queued") return QUEUED;
  return status === "unconfirmed" && end === undefined ? NOBODY : undefined;
}
