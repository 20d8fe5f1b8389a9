import type { Presence } from "../../protocol/room/participant.ts";
import { memberView, type MemberView } from "../../view/members.ts";
import { shownChars, within } from "./bounds.ts";

/** The names of members who do not fit as a whole take this part of the room, so that they can still be spoken to. */
const NAMES_SHARE = 1 / 4;

interface BoundedMembers {
  readonly members: readonly MemberView[];
  /** Names of further ones. */
  readonly otherMembers?: readonly string[];
  /** How many are left out altogether. */
  readonly membersNotShown?: number | undefined;
}

/** All members of a tunnel in so many characters. @see membersWithin */
export function membersOf(tunnel: { presence(): readonly Presence[] }, maxChars: number): BoundedMembers {
  return membersWithin(tunnel.presence().map(memberView).map(inBrief), maxChars);
}

/** All members, or this side, the host and as many others as fit; then names, then a number. */
export function membersWithin(all: readonly MemberView[], maxChars: number): BoundedMembers {
  if (shownChars(all) <= maxChars) return { members: all };
  const first = all.toSorted((one, other) => rank(one) - rank(other));
  const members = within(first, maxChars * (1 - NAMES_SHARE));
  const shown = new Set(members.map(({ id }) => id));
  const left = first.filter(({ id }) => !shown.has(id)).map(({ name }) => name);
  const names = within(left, maxChars * NAMES_SHARE);
  const missing = left.length - names.length;
  return { members, otherMembers: names, membersNotShown: missing > 0 ? missing : undefined };
}

/** Beside other things only whether an agent may speak is worth its words; tunnel_status has the budgets. */
function inBrief({ oversight, ...member }: MemberView): MemberView {
  const state = oversight?.state ?? "free";
  return state === "free" ? member : { ...member, oversight: { state } };
}

function rank({ isSelf, isHost, role, connected }: MemberView): number {
  if (isSelf) return 0;
  // An observer is to be seen before all others: what is said is read by somebody who never speaks.
  if (isHost || role !== undefined) return 1;
  return connected ? 2 : 3;
}
