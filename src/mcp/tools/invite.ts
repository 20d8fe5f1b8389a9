import * as z from "zod";
import { id } from "../../arguments/strings.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { ROOM } from "../../protocol/base/limits.ts";
import type { HostSession } from "../../session/host-session.ts";
import { boundsOf, within } from "../results/bounds.ts";
import { defineTool } from "../calls/define-tool.ts";
import { tunnelId } from "../calls/inputs.ts";
import { inviteView, pendingInviteView } from "../../view/invites.ts";
import { invitesWithin } from "../results/invites.ts";
import { asNamed } from "../results/labels.ts";
import { membersOf } from "../results/members.ts";

function usable(tunnel: HostSession): readonly string[] {
  return tunnel.pendingInvites().map(({ inviteId }) => inviteId);
}

export const inviteTool = defineTool({
  name: "tunnel_invite",
  title: "Invite, revoke, remove",
  description:
    "Host only. Makes further single-use invite links; or revokes a pending one; or removes a member, who is told and " +
    "needs a new invite to come back. Lists pending invites by id and time left, never their secrets.",
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  input: z.strictObject({
    count: z
      .int()
      .min(1)
      .max(ROOM.maxMembers - 1)
      .optional()
      .describe("Default 1, or 0 with `revoke` or `remove`."),
    revoke: id().optional().describe("A pending inviteId."),
    remove: z.string().optional().describe("A member's name or id."),
    tunnelId,
  }),
  // A link that somebody has used by now is no answer to a call for another one.
  restsOn: (_, { open }) =>
    open.flatMap((tunnel) => (tunnel.role === "host" ? usable(tunnel) : [])).join(" "),
  async run({ count, revoke, remove, tunnelId: named }, call) {
    const tunnel = call.sessions.resolve(named);
    if (tunnel.role !== "host") throw new TunnelError("not-the-host");
    tunnel.touch();
    if (remove !== undefined && (count ?? 0) > 0) {
      throw new TunnelError("input-invalid", { detail: "remove: in a call of its own, without count" });
    }
    if (revoke !== undefined && !tunnel.revoke(revoke)) throw new TunnelError("invite-unknown");
    if (remove !== undefined) asNamed(tunnel.presence(), [remove]).forEach((one) => tunnel.remove(one));
    const invites = tunnel.invite(count ?? (revoke === undefined && remove === undefined ? 1 : 0));
    const all = tunnel.pendingInvites().map(pendingInviteView);
    const bounds = boundsOf(call.limit);
    const pending = within(all, bounds.pending);
    return {
      tunnelId: tunnel.tunnelId,
      ...invitesWithin(invites.map(inviteView), call.limit),
      pending,
      pendingNotShown: all.length > pending.length ? all.length - pending.length : undefined,
      ...(remove === undefined ? {} : membersOf(tunnel, bounds.members)),
      unread: tunnel.inbox.unread,
      next: invites.length > 0 ? "Give each to your human to pass on to one person." : undefined,
    };
  },
});
