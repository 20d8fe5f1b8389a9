import * as z from "zod";
import { words } from "../../arguments/strings.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { INTENTS } from "../../protocol/room/intent.ts";
import type { OutgoingMessage } from "../../protocol/room/participant.ts";
import { ROOM, SESSION } from "../../protocol/base/limits.ts";
import { membersNamed } from "../../protocol/room/recipients.ts";
import { boundsOf, shownChars } from "../results/bounds.ts";
import type { Answer } from "../../session/saying/sent.ts";
import { answerView, HELD, PAUSED } from "../results/held.ts";
import type { Session } from "../../session/sessions.ts";
import { defineTool, type ToolCall } from "../calls/define-tool.ts";
import { boundedWait, tunnelId } from "../calls/inputs.ts";
import { asNamed } from "../results/labels.ts";
import { membersOf } from "../results/members.ts";
import { batchFields, nextPart } from "../results/messages.ts";
import { endFields, listen, nextStep, pauseFields, showingOf } from "./listening.ts";
import { removedText } from "../../view/words/removed.ts";

const QUEUED =
  "It is kept and delivered by itself: do not send it again. tunnel_status shows who is connected and how far each has read.";

const REPEATED =
  "An earlier call that was cut off had said this already, so it was not said a second time. To say it once more on purpose, use other words.";

const NOBODY = "Say it again when somebody it is for has joined.";

/** What stands beside messages and members. */
const ALL_ELSE_CHARS = 2_500;

export const sayTool = defineTool({
  name: "tunnel_say",
  title: "Say something",
  description:
    "Sends a message to all in the tunnel, or only to those in `to`. `status` is `sent` once the host's process has " +
    "it (a receiver's, where you host); `queued`: it is delivered by itself; `unconfirmed`: nobody is left to confirm " +
    "it; `held`: your human decides first, and it keeps its place. Send none of these again, and nothing held in " +
    "other words, parts or encodings. None means read: `members` shows how far each has read. After a call that was " +
    "cut off, `ownMessages` of tunnel_status tells whether it was said. `waitMs` also waits for an answer. Never send " +
    "secrets.",
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  isLong: true,
  input: z.strictObject({
    text: words("text-invalid").describe("Complete in itself: paths, what you want."),
    intent: z
      .enum(INTENTS)
      .optional()
      .describe(
        "request: an answer is needed. inform: answer only if useful. ack: received, never to be answered.",
      ),
    replyTo: z.int().min(1).optional().describe("The seq that you answer."),
    to: z
      .array(z.string())
      .min(1)
      .max(ROOM.maxMembers)
      .optional()
      .describe("Names or ids of the only receivers; sealed to them."),
    waitMs: z
      .number()
      .min(0)
      .optional()
      .describe(`ms to wait for an answer in \`messages\`; at most ${SESSION.listenMaxMs}.`),
    tunnelId,
  }),
  async run({ text, intent, replyTo, to, waitMs, tunnelId: id }, call) {
    const tunnel = call.sessions.resolve(id);
    tunnel.touch();
    const { text: checked, removed } = call.sessions.checkedText(text);
    const message: OutgoingMessage = {
      text: checked,
      ...(intent === undefined ? {} : { intent }),
      ...(replyTo === undefined ? {} : { replyTo }),
      ...(to === undefined ? {} : { to: membersNamed(tunnel.presence(), asNamed(tunnel.presence(), to)) }),
    };
    assertWanted(call);
    const again = tunnel.sayAgain(message, call.id);
    const sent = again?.sent ?? (await tunnel.say(message, { call: call.id }));
    assertWanted(call);
    const wait = boundedWait(waitMs ?? 0);
    const batch =
      wait.value > 0
        ? await listen(tunnel, { timeoutMs: wait.value, limit: SESSION.listenDefaultCount }, call)
        : undefined;
    const answers = batch === undefined ? {} : batchFields(batch, showingOf(call));
    const { membersAside } = boundsOf(call.limit);
    return {
      tunnelId: tunnel.tunnelId,
      ...answerView(sent),
      removed: removedText(removed),
      repeatOf: again?.repeatOf,
      ...membersOf(tunnel, Math.min(membersAside, call.limit - shownChars(answers) - ALL_ELSE_CHARS)),
      unread: tunnel.inbox.unread,
      ...answers,
      waitedAtMostMs: wait.cutTo,
      ...pauseFields(tunnel),
      ...endFields(tunnel),
      next:
        nextOf(sent, tunnel) ??
        (again && REPEATED) ??
        (batch && (nextPart(batch, undefined) ?? nextStep(tunnel, batch.entries.length, call))),
    };
  },
});

/** @throws {TunnelError} cancelled; what was said by then counts as said by a call that was cut off */
function assertWanted({ signal }: ToolCall): void {
  if (signal.aborted) throw new TunnelError("cancelled");
}

/** The next step for a message that was not confirmed, if there is one. */
function nextOf(
  { status }: Answer,
  { end, oversight }: Pick<Session, "end" | "oversight">,
): string | undefined {
  if (status === "held") return oversight.isPaused ? PAUSED : HELD;
  if (status === "queued") return QUEUED;
  return status === "unconfirmed" && end === undefined ? NOBODY : undefined;
}
