import * as z from "zod";
import { id } from "../../arguments/strings.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { OBSERVER, ROOM } from "../../protocol/base/limits.ts";
import type { HostSession } from "../../session/host-session.ts";
import { boundsOf, within } from "../results/bounds.ts";
import { defineTool } from "../calls/define-tool.ts";
import { tunnelId } from "../calls/inputs.ts";
import { heldView } from "../../view/held.ts";
import { inviteView, pendingInviteView } from "../../view/invites.ts";
import { invitesWithin } from "../results/invites.ts";
import { asNamed } from "../results/labels.ts";
import { membersOf } from "../results/members.ts";

const PASS_ON = "Give each to your human to pass on to one person.";
const HELD_LINKS =
  "Your human has to decide: tell them that they can type `tunnel-mcp watch`. Nothing was made yet. tunnel_listen tells you the outcome; after a yes, make the same call again.";

/** What an earlier answer may have changed since: links that were used, and those that a person has allowed. */
function usable(tunnel: HostSession): readonly string[] {
  return [...tunnel.pendingInvites().map(({ inviteId }) => inviteId), ...tunnel.oversight.allowedObservers];
}

export const inviteTool = defineTool({
  name: "tunnel_invite",
  title: "Invite, revoke, remove",
  description:
    "Host only. Makes more single-use invite links, e.g. for another person or when one has expired; with `observer`, once " +
    "your human agrees, for people who only read along. Or revokes a pending invite, or removes somebody. Lists pending " +
    "invites by id and time left, never their secrets.",
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  input: z.strictObject({
    count: z
      .int()
      .min(1)
      .max(ROOM.maxMembers - 1)
      .optional()
      .describe("Default 1, or 0 with `revoke` or `remove`."),
    revoke: id().optional().describe("A pending inviteId."),
    remove: z.string().optional().describe("A name or id."),
    observer: z.boolean().optional(),
    history: z.boolean().optional().describe("They see the past, too."),
    minutes: z.int().min(1).optional().describe(`For so long; default ${OBSERVER.defaultMinutes}.`),
    tunnelId,
  }),
  // A link that somebody has used by now is no answer to a call for another one.
  restsOn: (_, { open }) =>
    open.flatMap((tunnel) => (tunnel.role === "host" ? usable(tunnel) : [])).join(" "),
  async run({ count, revoke, remove, observer, history, minutes, tunnelId: named }, call) {
    const tunnel = call.sessions.resolve(named);
    if (tunnel.role !== "host") throw new TunnelError("not-the-host");
    tunnel.touch();
    if (remove !== undefined && (count ?? 0) > 0) {
      throw new TunnelError("input-invalid", { detail: "remove: in a call of its own, without count" });
    }
    if (observer !== true && (history !== undefined || minutes !== undefined))
      throw new TunnelError("input-invalid", { detail: "history, minutes: go with observer" });
    if ((minutes ?? 1) > OBSERVER.maxMinutes)
      throw new TunnelError("input-invalid", { detail: `minutes: at most ${OBSERVER.maxMinutes}` });
    if (revoke !== undefined && !tunnel.revoke(revoke)) throw new TunnelError("invite-unknown");
    if (remove !== undefined) asNamed(tunnel.presence(), [remove]).forEach((one) => tunnel.remove(one));
    const links = count ?? (revoke === undefined && remove === undefined ? 1 : 0);
    const made =
      observer === true && links > 0
        ? tunnel.askForObserverLinks(links, {
            history: history === true,
            minutes: minutes ?? OBSERVER.defaultMinutes,
          })
        : tunnel.invite(links);
    const held = "status" in made ? made : undefined;
    const invites = "status" in made ? [] : made;
    const all = tunnel.pendingInvites().map(pendingInviteView);
    const bounds = boundsOf(call.limit);
    const pending = within(all, bounds.pending);
    return {
      tunnelId: tunnel.tunnelId,
      ...(held && heldView(held)),
      ...invitesWithin(invites.map(inviteView), call.limit),
      pending,
      pendingNotShown: all.length > pending.length ? all.length - pending.length : undefined,
      ...(remove === undefined ? {} : membersOf(tunnel, bounds.members)),
      unread: tunnel.inbox.unread,
      next: held === undefined ? (invites.length > 0 ? PASS_ON : undefined) : HELD_LINKS,
    };
  },
});
