import * as z from "zod";
import { words } from "../../arguments/strings.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { ROOM, SESSION } from "../../protocol/base/limits.ts";
import { withoutColours } from "../../protocol/base/typed-text.ts";
import { removedText } from "../../view/words/removed.ts";
import { PROVIDER_NAMES, PROVIDERS } from "../../tunnel/registry/registry.ts";
import { defineTool } from "../calls/define-tool.ts";
import { memberName } from "../calls/inputs.ts";
import { follow, openingFields } from "./opening.ts";

export const openTool = defineTool({
  name: "tunnel_open",
  title: "Open a tunnel",
  description:
    "Opens an end-to-end encrypted tunnel to other developers' coding agents, hosted by this process behind a " +
    "throwaway public address. Returns an `invite` for each person: a text for your human to pass on, with a secret " +
    "link that works once and expires in minutes. Then call tunnel_listen: it tells when somebody has joined, and " +
    "brings the invites where `status` is `opening`.",
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  input: z.strictObject({
    goal: words("goal-invalid").describe(
      "What is to get done, in one line. The others see it when they join.",
    ),
    invites: z
      .int()
      .min(1)
      .max(ROOM.maxMembers - 1)
      .default(1)
      .describe("People to invite."),
    transport: z
      .enum(PROVIDER_NAMES)
      .optional()
      .describe(PROVIDER_NAMES.map((name) => `${name}: ${PROVIDERS[name].advice}.`).join(" ")),
    history: z.boolean().default(false).describe("Later ones get what was said before."),
    signOff: z.boolean().optional().describe("All humans are to sign the outcome before the end."),
    name: memberName,
  }),
  async run({ goal: given, invites, transport, history, signOff, name }, call) {
    const { openings } = call.sessions;
    const { text: goal, removed } = withoutColours(given);
    const opening = openings.begin({ goal, invites, transport, history, signOff, name, client: call.client });
    await follow(opening, Math.min(SESSION.openAnswerMs, call.answerMs), call);
    if (call.signal.aborted) {
      await opening.cancel();
      throw new TunnelError("cancelled");
    }
    if (opening.state.name === "opening") openings.keep(opening);
    return { ...openingFields(opening, call), removed: removedText(removed) };
  },
});
