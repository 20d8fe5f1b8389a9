import type { InviteView } from "../../view/invites.ts";
import { SET_UP } from "../../view/setup/registration.ts";
import { boundsOf, shownChars } from "./bounds.ts";

/** The text for one of many invites; {@link SET_UP} stands beside the list once. */
function shortText({ joinLink, role }: InviteView): string {
  const how = role === undefined ? "join this tunnel with tunnel_join" : "type tunnel-mcp observe, and paste";
  return `Secret, works once: ${how}: ${joinLink}`;
}

/**
 * Each with a text of its own to pass on. The texts of very many are short, and the set-up is told once.
 * @param limit characters of the whole result
 */
export function invitesWithin<View extends InviteView>(
  views: readonly View[],
  limit: number,
): { readonly setUp?: string; readonly invites: readonly View[] } {
  if (shownChars(views) <= boundsOf(limit).inviteTexts) return { invites: views };
  return { setUp: SET_UP, invites: views.map((view) => ({ ...view, invite: shortText(view) })) };
}
