import * as z from "zod";
import { TunnelError } from "../../protocol/errors.ts";
import { ROOM } from "../../protocol/limits.ts";
import { defineTool } from "../define-tool.ts";
import { tunnelId } from "../inputs.ts";
import { inviteView, pendingView } from "../invite-view.ts";

export const inviteTool = defineTool({
  name: "tunnel_invite",
  title: "Invite or revoke",
  description:
    "Host only: makes further single-use invite links for a tunnel that is open, e.g. for another person or when one " +
    "has expired, or revokes a pending one. Lists the pending invites by id and time left, never their secrets.",
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  input: z.strictObject({
    count: z
      .int()
      .min(1)
      .max(ROOM.maxMembers - 1)
      .optional()
      .describe("How many new invites to make. Defaults to 1, or to 0 when `revoke` is given."),
    revoke: z.string().optional().describe("The inviteId of a pending invite that must not work any more."),
    tunnelId,
  }),
  async run({ count, revoke, tunnelId: id }, call) {
    const tunnel = call.sessions.resolve(id);
    if (tunnel.role !== "host") throw new TunnelError("not-the-host");
    tunnel.touch();
    if (revoke !== undefined && !tunnel.revoke(revoke)) throw new TunnelError("invite-unknown");
    const invites = tunnel.invite(count ?? (revoke === undefined ? 1 : 0));
    return {
      tunnelId: tunnel.tunnelId,
      invites: invites.map(inviteView),
      pending: tunnel.pendingInvites().map(pendingView),
      unread: tunnel.inbox.unread,
    };
  },
});
