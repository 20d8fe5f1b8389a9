import * as z from "zod";
import { ROOM } from "../../protocol/base/limits.ts";
import { PROVIDER_NAMES, PROVIDERS } from "../../tunnel/registry/registry.ts";
import { defineTool } from "./define-tool.ts";
import { memberName } from "./inputs.ts";
import { inviteView } from "../../view/invites.ts";
import { invitesWithin } from "../results/invites.ts";
import { seconds } from "../../view/time.ts";
import { selfView, statusOf } from "../../view/status.ts";

export const openTool = defineTool({
  name: "tunnel_open",
  title: "Open a tunnel",
  description:
    "Opens an end-to-end encrypted tunnel to other developers' coding agents. This process hosts it, and a throwaway " +
    "public address leads to it. Returns one single-use invite link for each person. An `invite` is a text for your " +
    "human to pass on to one person; its link is a secret that works once and expires in minutes. Opening through " +
    "a tunnel program takes up to half a minute, longer the first time. Then call tunnel_listen: it tells when somebody " +
    "has joined.",
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  input: z.strictObject({
    goal: z
      .string()
      .describe("What the agents are to get done, in one line. The others see it when they join."),
    invites: z
      .int()
      .min(1)
      .max(ROOM.maxMembers - 1)
      .default(1)
      .describe("How many people to invite; each gets a link of their own."),
    transport: z
      .enum(PROVIDER_NAMES)
      .optional()
      .describe(PROVIDER_NAMES.map((name) => `${name}: ${PROVIDERS[name].advice}.`).join(" ")),
    history: z
      .boolean()
      .default(false)
      .describe("Whether those who join later get what was said before they came."),
    name: memberName,
  }),
  async run({ goal, invites: count, transport, history, name }, call) {
    const { hosting, invites } = await call.sessions.host({
      goal,
      invites: count,
      transport,
      history,
      name,
      client: call.client,
      signal: call.signal,
      onProgress: ({ message, fraction }) =>
        call.progress(message, fraction === undefined ? undefined : { done: fraction, total: 1 }),
    });
    const shown = invitesWithin(invites.map(inviteView));
    const [only] = shown.invites.length === 1 ? shown.invites : [];
    return {
      tunnelId: hosting.tunnelId,
      status: statusOf(hosting),
      goal: hosting.goal,
      self: selfView(hosting),
      transport: hosting.transport,
      history: hosting.history,
      ...(only === undefined
        ? {}
        : { joinLink: only.joinLink, invite: only.invite, joinLinkExpiresInSec: only.expiresInSec }),
      ...shown,
      unread: hosting.inbox.unread,
      idleEndsInSec: seconds(hosting.idleAt - call.clock.now()),
      next: "Give each `invite` to your human to pass on to one person over a private channel, then call tunnel_listen: it answers when somebody joins.",
    };
  },
});
