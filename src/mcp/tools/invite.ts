import * as z from "zod";
import { id } from "../../arguments/strings.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { OBSERVER, ROOM } from "../../protocol/base/limits.ts";
import type { Held } from "../../oversight/lanes/held.ts";
import type { HostSession, Observing } from "../../session/host-session.ts";
import type { Invite } from "../../session/issued-invites.ts";
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

/** The links, or why they wait for this side's person. @throws {TunnelError} as the session says */
function made(
  tunnel: HostSession,
  links: number,
  observing: Observing | undefined,
): { readonly invites: readonly Invite[]; readonly held: Held | undefined } {
  if (observing === undefined || links === 0) return { invites: tunnel.invite(links), held: undefined };
  const asked = tunnel.askForObserverLinks(links, observing);
  return "status" in asked ? { invites: [], held: asked } : { invites: asked, held: undefined };
}

function nextOf(made: number, isHeld: boolean): string | undefined {
  if (isHeld) return HELD_LINKS;
  return made > 0 ? PASS_ON : undefined;
}

/** The observers that are asked for; undefined for members. @throws {TunnelError} input-invalid */
function observingIn(input: {
  observer?: boolean | undefined;
  history?: boolean | undefined;
  minutes?: number | undefined;
}): Observing | undefined {
  const { observer = false, history, minutes = OBSERVER.defaultMinutes } = input;
  if (!observer && (history !== undefined || input.minutes !== undefined))
    throw new TunnelError("input-invalid", { detail: "history, minutes: go with observer" });
  if (minutes > OBSERVER.maxMinutes)
    throw new TunnelError("input-invalid", { detail: `minutes: at most ${OBSERVER.maxMinutes}` });
  return observer ? { history: history === true, minutes } : undefined;
}

/** Parts of an earlier answer that may have changed since: links that were used, and those that a person has allowed. */
function usable(tunnel: HostSession): readonly string[] {
  return [...tunnel.pendingInvites().map(({ inviteId }) => inviteId), ...tunnel.oversight.allowedObservers];
}

export const inviteTool = defineTool({
  name: "tunnel_invite",
  title: "Invite, revoke, remove",
  description:
    "Host only. Makes further single-use invite links; with `observer`, once your human agrees, for people who only read " +
    "along; or revokes a pending one; or removes somebody. Lists pending invites, never their secrets.",
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
    observer: z.boolean().optional().describe("They only read along."),
    history: z.boolean().optional().describe("They see the past, too."),
    minutes: z.int().min(1).optional().describe(`For so long; default ${OBSERVER.defaultMinutes}.`),
    tunnelId,
  }),
  // A link that somebody has used by now is no answer to a call for another one.
  restsOn: (_, { open }) =>
    open.flatMap((tunnel) => (tunnel.role === "host" ? usable(tunnel) : [])).join(" "),
  async run(input, call) {
    const { count, revoke, remove, tunnelId: named } = input;
    const tunnel = call.sessions.resolve(named);
    if (tunnel.role !== "host") throw new TunnelError("not-the-host");
    tunnel.touch();
    if (remove !== undefined && (count ?? 0) > 0) {
      throw new TunnelError("input-invalid", { detail: "remove: in a call of its own, without count" });
    }
    const observing = observingIn(input);
    if (revoke !== undefined && !tunnel.revoke(revoke)) throw new TunnelError("invite-unknown");
    if (remove !== undefined) asNamed(tunnel.presence(), [remove]).forEach((one) => tunnel.remove(one));
    const links = count ?? (revoke === undefined && remove === undefined ? 1 : 0);
    const { invites, held } = made(tunnel, links, observing);
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
      next: nextOf(invites.length, held !== undefined),
    };
  },
});
