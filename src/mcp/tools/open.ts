import * as z from "zod";
import { words } from "../../arguments/strings.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { ROOM, SESSION } from "../../protocol/base/limits.ts";
import { withoutColours } from "../../protocol/base/typed-text.ts";
import { removedText } from "../../view/removed.ts";
import { PROVIDER_NAMES, PROVIDERS } from "../../tunnel/registry/registry.ts";
import { defineTool } from "../calls/define-tool.ts";
import { memberName } from "../calls/inputs.ts";
import { follow, openingFields } from "./opening.ts";

export const openTool = defineTool({
  name: "tunnel_open",
  title: "Open a tunnel",
  description:
    "Opens an end-to-end encrypted tunnel to other developers' coding agents. This process hosts it, and a throwaway " +
    "public address leads to it. Returns an `invite` for each person: a text for your " +
    "human to pass on. Its link is a secret that works once and expires in minutes. Where opening takes long, " +
    "`status` is `opening`, and tunnel_listen brings the invites. Then call tunnel_listen: it tells when somebody has joined.",
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  input: z.strictObject({
    goal: words("goal-invalid").describe(
      "What the agents are to get done, in one line. The others see it when they join.",
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
    history: z.boolean().default(false).describe("Whether later ones get what was said before they came."),
    name: memberName,
  }),
  async run({ goal: given, invites, transport, history, name }, call) {
    const { openings } = call.sessions;
    const { text: goal, removed } = withoutColours(given);
    const opening = openings.begin({ goal, invites, transport, history, name, client: call.client });
    await follow(opening, Math.min(SESSION.openAnswerMs, call.answerMs), call);
    if (call.signal.aborted) {
      await opening.cancel();
      throw new TunnelError("cancelled");
    }
    if (opening.state.name === "opening") openings.keep(opening);
    return { ...openingFields(opening, call), removed: removedText(removed) };
  },
});
