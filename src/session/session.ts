import type { TunnelError } from "../errors/tunnel-error.ts";
import type { Attestation } from "../protocol/room/audit-log.ts";
import type { MemberId } from "../protocol/base/ids.ts";
import type { Presence, OutgoingMessage } from "../protocol/room/participant.ts";
import type { Files } from "./files/files.ts";
import type { Inbox } from "./inbox.ts";

/** Names one tunnel of this process in tool calls; unguessable, and no credential. */
export type TunnelId = string;

/** Why a tunnel is over, as this side knows it. */
export type SessionEnd =
  | { readonly cause: "closed-here" | "closed-by-host" | "idle" | "host-stopped" | "removed" }
  | { readonly cause: "failed"; readonly error: TunnelError };

/** What became of a message when `say` answered: never more than is known. */
export type Sent =
  | { readonly status: "sent"; readonly seq: number }
  | { readonly status: "queued"; readonly seq: number | undefined; readonly reason: string };

/** What both roles offer to the tools. */
export interface TunnelHandle {
  readonly tunnelId: TunnelId;
  readonly role: "host" | "member";
  readonly goal: string;
  /** Whether those who join later are given what is said now. */
  readonly history: boolean;
  readonly self: MemberId;
  readonly inbox: Inbox;
  readonly files: Files;
  /** What this side can prove of the room; nothing before it is let in. */
  readonly attestation: Attestation | undefined;
  /** Milliseconds since the epoch. */
  readonly openedAt: number;
  /** Set once it is over. */
  readonly end: SessionEnd | undefined;
  /** What went wrong on the way, newest last, for humans to hear of. */
  readonly alarms: readonly TunnelError[];
  presence(): Presence[];
  /**
   * @param onConfirmed called when a message that was answered `queued` is confirmed after all
   * @throws {TunnelError} as the machine of the role says
   */
  say(outgoing: OutgoingMessage, onConfirmed?: (seq: number) => void): Promise<Sent>;
  /** Resolves when the connection or somebody's presence has changed, the time is up, or the wait is given up. */
  changed(timeoutMs: number, signal: AbortSignal): Promise<void>;
  /** A tool call concerned this tunnel: activity, and the reading position as it is now. */
  touch(): void;
  /** Ends it (host) or leaves it (member). Resolves when nothing is left running. Idempotent. */
  close(): Promise<void>;
}

/** Alarms kept for status: enough to see a pattern, bounded against a peer that makes them. */
export const MAX_ALARMS = 20;
