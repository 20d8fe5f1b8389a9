import type { Ask } from "../oversight/asks/ask.ts";
import { GATES } from "../oversight/gates/gates.ts";
import type { Session, Sessions } from "../session/sessions.ts";
import { errorView } from "../view/errors.ts";
import { pendingInviteView } from "../view/invites.ts";
import { memberView, safetyCodesView } from "../view/members.ts";
import { signOffView } from "../view/signing/sign-off.ts";
import { oversightView } from "../view/oversight.ts";
import { endOf, hostKeptUntil, statusOf } from "../view/status.ts";
import { isoTime } from "../view/time.ts";
import { entryView } from "../view/entries.ts";
import type { Entry } from "../protocol/room/log.ts";
import type { LazyServices } from "../services/tunnels/lazy-services.ts";
import { servicesView } from "../view/services.ts";
import type { AskView, KeptTunnel, TunnelView, WatchedEntry, WatchedServices } from "./protocol.ts";

export function askView(ask: Ask, sessions: Pick<Sessions, "all">): AskView {
  const { id, tunnelId, gates, subject, digest, causer, askedAt, expiresAt, now } = ask;
  const { state } = now;
  return {
    ask: id,
    tunnelId,
    gates,
    because: gates.map((gate) => GATES[gate].because),
    subject,
    digest,
    member: causer === "own-agent" ? undefined : nameOf(sessions, tunnelId, causer.member),
    askedAt: isoTime(askedAt),
    expiresAt: isoTime(expiresAt),
    state: state === "approved" && now.isEdited ? "edited" : state,
    by: state === "approved" || state === "refused" ? now.by.path : undefined,
  };
}

/** The name of a member that is there; its id where it has gone. */
export function nameOf(sessions: Pick<Sessions, "all">, tunnelId: string, member: string): string {
  const tunnel = sessions.all.find((one) => one.tunnelId === tunnelId);
  return tunnel?.presence().find(({ id }) => id === member)?.name ?? member;
}

export function tunnelView(tunnel: Session): TunnelView {
  const present = tunnel.presence();
  return {
    tunnelId: tunnel.tunnelId,
    role: tunnel.role,
    status: statusOf(tunnel),
    hostKeptUntil: hostKeptUntil(tunnel),
    goal: tunnel.goal,
    self: present.find(({ isSelf }) => isSelf)?.name,
    members: present.map(memberView),
    oversight: oversightView(tunnel),
    signOff: signOffView(tunnel),
    safetyCodes: safetyCodesView(present),
    invites: tunnel.role === "host" ? tunnel.pendingInvites().map(pendingInviteView) : [],
    alarms: tunnel.alarms.map(errorView),
    ended: endOf(tunnel),
  };
}

/** @param at its place in the log of the tunnel @param now ms since the epoch */
export function watchedEntry(
  { tunnelId }: Pick<Session, "tunnelId">,
  [at, entry]: readonly [at: number, entry: Entry],
  now: number,
): WatchedEntry {
  const isOwn = entry.kind !== "system" && entry.own;
  return { tunnelId, at, isOwn, entry: entryView(entry, now) };
}

/** @param now ms since the epoch */
export function watchedServices(tunnel: Session, services: LazyServices, now: number): WatchedServices {
  const { tunnelId } = tunnel;
  return { tunnelId, services: servicesView(tunnel, services.loaded?.known(tunnelId), now) };
}

/** A tunnel whose program has ended, as programs get it. */
export interface KeptView extends Omit<KeptTunnel, "keptUntil"> {
  /** ISO 8601 */
  readonly keptUntil: string;
}

export function keptView({ keptUntil, ...facts }: KeptTunnel): KeptView {
  return { ...facts, keptUntil: isoTime(keptUntil) };
}
