import type { MemberId } from "../protocol/base/ids.ts";
import { peersAmong } from "../protocol/room/peers.ts";
import type { SessionEnd, TunnelId } from "../session/session.ts";
import type { HostSession } from "../session/host-session.ts";
import type { GuestSession } from "../session/guest-session.ts";
import type { OwnMessage } from "../session/saying/own-messages.ts";
import type { Session } from "../session/sessions.ts";
import { errorView, type ErrorView } from "./errors.ts";
import { filesView, type FilesView } from "./files.ts";
import { connectionView, healthView, type ConnectionView, type HealthView } from "./health.ts";
import { pendingInviteView, type PendingInviteView } from "./invites.ts";
import { memberView, safetyCodesView, type MemberView, type SafetyCodeView } from "./members.ts";
import { oversightView, type OversightView } from "./oversight.ts";
import { isoTime, seconds } from "./time.ts";

export type TunnelStatus = "waiting_for_members" | "open" | "reconnecting" | "closed";

export function statusOf(tunnel: Session): TunnelStatus {
  if (tunnel.end !== undefined) return "closed";
  if (tunnel.role === "member") return tunnel.connection.name === "connected" ? "open" : "reconnecting";
  return peersAmong(tunnel.presence()).length > 0 ? "open" : "waiting_for_members";
}

/** Until when a host whose program seems to have ended may come back, in ms since the epoch; undefined while it is there. */
export function hostKeptUntil(tunnel: Session): number | undefined {
  if (tunnel.end !== undefined || tunnel.role === "host") return undefined;
  const { connection } = tunnel;
  return connection.name === "waiting" || connection.name === "connecting"
    ? connection.hostKeptUntil
    : undefined;
}

/** Why a tunnel is over. */
export interface EndView {
  /** An error code where it failed. */
  readonly cause: string;
  /** The same as half a sentence. */
  readonly because: string;
  /** Own messages of a member that the host has not confirmed; the notice `undelivered` names them. */
  readonly undelivered?: number;
}

const END_TEXTS: Readonly<Record<SessionEnd["cause"], string>> = {
  "closed-here": "this side has closed it",
  "closed-by-host": "the host has closed it",
  idle: "nobody did anything in it for too long",
  "host-stopped": "the host's session has ended",
  removed: "the host has removed this side from it",
  failed: "it failed",
};

/** How a tunnel has ended; undefined while it is open. */
export function endOf(tunnel: Session): EndView | undefined {
  if (tunnel.end === undefined) return undefined;
  const undelivered = tunnel.role === "member" ? tunnel.unplaced : 0;
  return { ...endView(tunnel.end), ...(undelivered > 0 ? { undelivered } : {}) };
}

export function endView(end: SessionEnd): EndView {
  if (end.cause !== "failed") return { cause: end.cause, because: END_TEXTS[end.cause] };
  return { cause: end.error.code, because: `${END_TEXTS.failed}: ${end.error.message}` };
}

/** A message of this side, and what became of it so far. */
interface OwnMessageView {
  /** Left out while it has no place in the room. */
  readonly seq: number | undefined;
  /** In its stead, of a member's message: it counts that member's own ones from 1. */
  readonly ownNo: number | undefined;
  /** The beginning of a text, or the name of a file. */
  readonly firstWords: string;
  readonly kind: OwnMessage["kind"];
  readonly state: OwnMessage["state"];
  readonly ageSec: number;
}

function ownMessageView(message: OwnMessage, now: number): OwnMessageView {
  const { seq, ownNo, firstWords, kind, state, saidAt } = message;
  return {
    seq,
    ownNo: seq === undefined ? ownNo : undefined,
    firstWords,
    kind,
    state,
    ageSec: seconds(now - saidAt),
  };
}

/** This side in a tunnel. */
interface SelfView {
  readonly id: MemberId;
  readonly name: string | undefined;
}

export function selfView(tunnel: Pick<Session, "self" | "presence">): SelfView {
  return { id: tunnel.self, name: tunnel.presence().find(({ isSelf }) => isSelf)?.name };
}

interface TunnelView {
  readonly tunnelId: TunnelId;
  readonly status: TunnelStatus;
  readonly self: SelfView;
  /** The host's words. */
  readonly goal: string;
  /** ISO 8601. */
  readonly openedAt: string;
  readonly lastSeq: number;
  readonly unread: number;
  readonly members: readonly MemberView[];
  /** Whether those who join later are given what was said before. */
  readonly history: boolean;
  /** One for each pairing of this side. */
  readonly safetyCodes: readonly SafetyCodeView[];
  readonly files: FilesView;
  readonly oversight: OversightView;
  /** The last ones, the newest last. */
  readonly ownMessages: readonly OwnMessageView[];
  /** The newest last. */
  readonly alarms: readonly ErrorView[];
  /** Undefined while it is open. */
  readonly ended: EndView | undefined;
}

/** A member that comes back by itself once an address that it knows works again, or only with a link. */
interface CutOffView {
  readonly memberName: string;
  readonly needsLink: boolean;
}

export interface HostStatusView extends TunnelView {
  readonly role: "host";
  readonly transport: string;
  readonly transportDetail: string;
  readonly health: HealthView;
  readonly pendingInvites: readonly PendingInviteView[];
  /** Members that are away and cannot come now, though an address may work. */
  readonly cutOff: readonly CutOffView[];
  /** Until it ends by itself, if nobody does anything. */
  readonly idleEndsInSec: number;
}

export interface GuestStatusView extends TunnelView {
  readonly role: "member";
  readonly connection: ConnectionView;
  /** Messages that the host has not given a number yet. */
  readonly queued: number;
  readonly safetyCode: string;
}

/** Everything that there is to show of one tunnel; the renderers choose and cut. */
export type StatusView = HostStatusView | GuestStatusView;

/** @param now ms since the epoch */
export function statusView(tunnel: Session, now: number): StatusView {
  return tunnel.role === "host" ? hostStatusView(tunnel, now) : guestStatusView(tunnel, now);
}

export function hostStatusView(tunnel: HostSession, now: number): HostStatusView {
  return {
    ...tunnelView(tunnel, now),
    role: tunnel.role,
    transport: tunnel.transport,
    transportDetail: tunnel.transportDetail,
    health: healthView(tunnel.health, now),
    pendingInvites: tunnel.pendingInvites().map(pendingInviteView),
    cutOff: tunnel.cutOff.map(({ name, needsLink }) => ({ memberName: name, needsLink })),
    idleEndsInSec: seconds(tunnel.idleAt - now),
  };
}

export function guestStatusView(tunnel: GuestSession, now: number): GuestStatusView {
  return {
    ...tunnelView(tunnel, now),
    role: tunnel.role,
    connection: connectionView(tunnel.connection, tunnel.lastHeard, now),
    queued: tunnel.unplaced,
    safetyCode: tunnel.safetyCode,
  };
}

function tunnelView(tunnel: Session, now: number): TunnelView {
  const present = tunnel.presence();
  return {
    tunnelId: tunnel.tunnelId,
    status: statusOf(tunnel),
    self: selfView(tunnel),
    goal: tunnel.goal,
    openedAt: isoTime(tunnel.openedAt),
    lastSeq: tunnel.inbox.lastSeq,
    unread: tunnel.inbox.unread,
    members: present.map(memberView),
    history: tunnel.history,
    safetyCodes: safetyCodesView(present),
    files: filesView(tunnel),
    oversight: oversightView(tunnel),
    ownMessages: tunnel.own.last.map((message) => ownMessageView(message, now)),
    alarms: tunnel.alarms.map(errorView),
    ended: endOf(tunnel),
  };
}
