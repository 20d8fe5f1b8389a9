import type { InviteId } from "../protocol/base/ids.ts";
import type { ObserverRole } from "../protocol/handshake/role.ts";
import type { ObserverSeat, PendingInvite } from "../protocol/host/invites.ts";
import type { Invite } from "../session/issued-invites.ts";
import type { Reissued, WayBack } from "../session/notices/notice.ts";
import { SET_UP } from "./setup/registration.ts";
import { seconds } from "./time.ts";

/** An invite for the one who passes it on. `joinLink` and `invite` are secrets. */
export interface InviteView {
  readonly inviteId: InviteId;
  readonly joinLink: string;
  /** A text to paste to the other human. */
  readonly invite: string;
  readonly expiresInSec: number;
  /** It makes an observer; a member where left out. */
  readonly role?: ObserverRole;
  /** An observer may read along so long. */
  readonly readsForMinutes?: number;
}

function seatView(seat: ObserverSeat | undefined): Pick<InviteView, "role" | "readsForMinutes"> {
  return seat === undefined ? {} : { role: seat.role, readsForMinutes: Math.round(seat.lifeMs / 60_000) };
}

function worksOnce(expiresInSec: number): string {
  const minutes = Math.max(1, Math.round(expiresInSec / 60));
  return `The link works once, for one person, within ${minutes} ${minutes === 1 ? "minute" : "minutes"}`;
}

/** One text that a human can paste to the other one: set-up, link, how long it lives, and that it is a secret. */
function inviteText(joinLink: string, expiresInSec: number): string {
  return [
    "Let your coding agent join mine in an end-to-end-encrypted tunnel (tunnel-mcp).",
    "",
    `1. Set it up once, if you have not: ${SET_UP}`,
    "2. Tell your agent: Join this tunnel with tunnel_join:",
    "",
    joinLink,
    "",
    `${worksOnce(expiresInSec)}.` +
      " It is a secret: anybody who has it can join in your place, so do not post it where others read.",
  ].join("\n");
}

/** The same for a person who only reads along: no agent of theirs has anything to do with it. */
function observerText(joinLink: string, expiresInSec: number, { role, lifeMs }: ObserverSeat): string {
  return [
    "Read along in our agents' end-to-end-encrypted tunnel (tunnel-mcp). You can say nothing in it, and everybody there is told.",
    "",
    `1. Set it up once, if you have not: ${SET_UP}`,
    "2. In a terminal of your own, type: tunnel-mcp observe",
    "3. Paste this link when it asks for it:",
    "",
    joinLink,
    "",
    `${worksOnce(expiresInSec)}; then you read along for ${Math.round(lifeMs / 60_000)} minutes, ` +
      `${role === "observer" ? "from your arrival on" : "from the beginning"}. It is a secret: do not post it where others read.`,
  ].join("\n");
}

export function inviteView({ inviteId, joinLink, expiresInMs, seat }: Invite): InviteView {
  const expiresInSec = seconds(expiresInMs);
  const invite =
    seat === undefined ? inviteText(joinLink, expiresInSec) : observerText(joinLink, expiresInSec, seat);
  return { inviteId, joinLink, invite, expiresInSec, ...seatView(seat) };
}

/** An invite in place of one whose address is gone. */
export interface ReissuedView extends InviteView {
  readonly replaces: InviteId;
}

/** Those that still work at `now`, in ms since the epoch: a notice may be read long after it was made. */
export function reissuedViews(reissued: readonly Reissued[], now: number): ReissuedView[] {
  return reissued
    .filter(({ expiresAt }) => expiresAt > now)
    .map(({ replaces, expiresAt, ...invite }) => ({
      replaces,
      ...inviteView({ ...invite, expiresInMs: expiresAt - now }),
    }));
}

/** A link for a member that cannot come back without it. `joinLink` is a secret. */
export interface WayBackView {
  readonly memberName: string;
  readonly joinLink: string;
  /** Left out where the link lets nobody in but that member. */
  readonly inviteId?: InviteId;
}

export function wayBackView({ memberName, joinLink, inviteId }: WayBack): WayBackView {
  return { memberName, joinLink, ...(inviteId !== undefined && { inviteId }) };
}

/** An invite that nobody has used yet: id and time left, never the secret. */
export interface PendingInviteView {
  readonly inviteId: InviteId;
  readonly expiresInSec: number;
  /** Somebody who holds the link is in the middle of joining. */
  readonly claimed: boolean;
  /** It makes an observer; a member where left out. */
  readonly role?: ObserverRole;
  readonly readsForMinutes?: number;
}

export function pendingInviteView({
  inviteId,
  expiresInMs,
  claimed,
  seat,
}: PendingInvite): PendingInviteView {
  return { inviteId, expiresInSec: seconds(expiresInMs), claimed, ...seatView(seat) };
}
