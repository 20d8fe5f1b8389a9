import type { PendingInvite } from "../protocol/host/invites.ts";
import type { Invite } from "../session/issued-invites.ts";
import { BOUNDS, shownBytes } from "../mcp/results/bounds.ts";
import { SET_UP } from "./registration.ts";
import type { Payload } from "../mcp/results/result.ts";
import { seconds } from "./time.ts";

/** One text that a human can paste to the other one: set-up, link, how long it lives, and that it is a secret. */
export function inviteText(joinLink: string, expiresInSec: number): string {
  const minutes = Math.max(1, Math.round(expiresInSec / 60));
  return [
    "Let your coding agent join mine in an end-to-end-encrypted tunnel (tunnel-mcp).",
    "",
    `1. Set it up once, if you have not: ${SET_UP}`,
    "2. Tell your agent: Join this tunnel with tunnel_join:",
    "",
    joinLink,
    "",
    `The link works once, for one person, within ${minutes} ${minutes === 1 ? "minute" : "minutes"}.` +
      " It is a secret: whoever has it can join in your place, so do not post it where others read.",
  ].join("\n");
}

/** A type and not an interface, so that it is a payload as well. */
type InviteView = {
  readonly inviteId: string;
  readonly joinLink: string;
  readonly invite: string;
  readonly expiresInSec: number;
};

/** The same for a list of many, where {@link SET_UP} stands beside it once. */
function shortText(joinLink: string): string {
  return `Secret, works once: join this tunnel with tunnel_join: ${joinLink}`;
}

export function inviteView({ inviteId, joinLink, expiresInMs }: Invite): InviteView {
  const expiresInSec = seconds(expiresInMs);
  return { inviteId, joinLink, invite: inviteText(joinLink, expiresInSec), expiresInSec };
}

/** Each with a text of its own to pass on; of very many these are short, and how to set it up is told once. */
export function invitesView(invites: readonly Invite[]): { invites: InviteView[]; setUp?: string } {
  const views = invites.map((invite) => inviteView(invite));
  if (shownBytes(views) <= BOUNDS.inviteTextsBytes) return { invites: views };
  return { setUp: SET_UP, invites: views.map((view) => ({ ...view, invite: shortText(view.joinLink) })) };
}

/** Ids and time left, never secrets. */
export function pendingView({ inviteId, expiresInMs, claimed }: PendingInvite): Payload {
  return { inviteId, expiresInSec: seconds(expiresInMs), claimed };
}
