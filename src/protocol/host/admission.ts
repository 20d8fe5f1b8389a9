import type { ConnectionId } from "../base/ids.ts";
import { equalBytes, type Bytes } from "../base/bytes.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { FailureRate } from "../pressure/failure-rate.ts";
import { decodeConfirm, type Confirm } from "../room/frames.ts";
import {
  acceptAuth,
  commitment,
  readAuth,
  verifyAuthTag,
  writeChallenge,
  type AcceptedAuth,
  type AuthMessage,
} from "../handshake/handshake.ts";
import { inviteIdFrom, roomIdFrom, type InviteId, type MemberId } from "../base/ids.ts";
import type { InviteLedger, ObserverSeat } from "./invites.ts";
import type { ObserverRole } from "../handshake/role.ts";
import { type Credential, resumeSecret } from "../handshake/keys.ts";
import { PRE_AUTH } from "../base/limits.ts";
import type { DhKeyPair, Primitives } from "../base/primitives.ts";
import type { RekeyLimits } from "../record/direction.ts";
import { FRAME, RecordLayer } from "../record/record.ts";
import { isProved } from "../room/order.ts";

/** The right of a pending connection: a new session, or the one it had. */
export type Entitlement =
  | {
      readonly kind: "invite";
      readonly inviteId: InviteId;
      readonly claim: Bytes;
      /** The seat of an observer (Q1). */
      readonly seat: ObserverSeat | undefined;
    }
  | { readonly kind: "resume"; readonly member: MemberId; readonly role: ObserverRole | undefined };

/** A socket that has not proved itself yet, by how far it came (PROTOCOL §4.1). */
type PendingConnection =
  | {
      readonly name: "challenged";
      readonly source: string;
      readonly deadline: number;
      readonly challenge: Bytes;
    }
  | {
      readonly name: "accepted";
      readonly source: string;
      readonly deadline: number;
      readonly entitlement: Entitlement;
      readonly credential: Credential;
      readonly accepted: AcceptedAuth;
      readonly records: RecordLayer;
    };

/** A peer that has proved everything and now becomes, or becomes again, a member. */
export interface AuthenticatedPeer {
  readonly source: string;
  readonly entitlement: Entitlement;
  /** The credential that was used; a resume is void when the member's session has moved on to another one meanwhile. */
  readonly credential: Credential;
  readonly confirm: Confirm;
  readonly records: RecordLayer;
  readonly handshakeHash: Bytes;
  /** For the next resume. */
  readonly resumeSecret: Bytes;
}

/** Finds the session that holds a resume credential at the moment; `mayEnter` is whether it has paid for another connection (E1). */
type SessionLookup = (
  id: string,
  now: number,
) =>
  { member: MemberId; role: ObserverRole | undefined; credential: Credential; mayEnter: boolean } | undefined;

export interface AdmissionOptions {
  readonly room: Bytes;
  readonly hostStatic: DhKeyPair;
  readonly ledger: InviteLedger;
  readonly sessionOf: SessionLookup;
  readonly rekey?: RekeyLimits | undefined;
}

/**
 * Everything that happens before membership (PROTOCOL §4): bounded, cheap, and with one answer to every failure.
 */
export class Admission {
  readonly #primitives: Primitives;
  readonly #options: AdmissionOptions;
  readonly #pendingConnections = new Map<ConnectionId, PendingConnection>();
  readonly #failures = new FailureRate();

  constructor(primitives: Primitives, options: AdmissionOptions) {
    this.#primitives = primitives;
    this.#options = options;
  }

  get pendingConnections(): number {
    return this.#pendingConnections.size;
  }

  /** Whether a further socket of this source would be served at all (A3); asked before the WebSocket exists. */
  admits(source: string, now: number): boolean {
    return this.#failures.admits(source, now);
  }

  has(connection: ConnectionId): boolean {
    return this.#pendingConnections.has(connection);
  }

  /**
   * A socket opened: the challenge to send, and which older waiting socket must make room, if any (A2).
   * `undefined` when its source has failed too often lately (A3), or when nobody can make room.
   */
  open(
    connection: ConnectionId,
    source: string,
    now: number,
  ): { challenge: Bytes; evicted: ConnectionId | undefined } | undefined {
    if (!this.admits(source, now)) return undefined;
    const evicted = this.#evict(source);
    if (this.#pendingConnections.size >= PRE_AUTH.maxSockets) return undefined;
    const challenge = writeChallenge(this.#primitives, this.#options.room);
    this.#pendingConnections.set(connection, {
      name: "challenged",
      source,
      deadline: now + PRE_AUTH.deadlineMs,
      challenge,
    });
    return { challenge, evicted };
  }

  /**
   * A message of a waiting socket: ACCEPT to send and which socket makes room for this one, or an authenticated peer, or `undefined` for the one generic denial, after
   * which the socket must be closed (H6). One attempt per socket: whatever fails here forgets the pending connection first (H8).
   */
  receive(
    connection: ConnectionId,
    message: Bytes,
    now: number,
  ): { accept: Bytes; evicted: ConnectionId | undefined } | { peer: AuthenticatedPeer } | undefined {
    const pending = this.#pendingConnections.get(connection);
    this.#pendingConnections.delete(connection);
    if (pending === undefined) return undefined;
    if (pending.name === "accepted") {
      const peer = this.#confirm(pending, message, now);
      if (peer === undefined) this.#failures.record(pending.source, now);
      return peer;
    }
    const next = this.#authenticate(pending, message, now);
    if (next === undefined) {
      this.#failures.record(pending.source, now);
      return undefined;
    }
    const evicted = this.#acceptedWith(next.credential);
    if (evicted !== undefined) this.#pendingConnections.delete(evicted);
    this.#pendingConnections.set(connection, next);
    return { accept: next.accepted.message, evicted };
  }

  /** One credential holds one pending connection: a peer that comes again with it has given the other one up (A2). */
  #acceptedWith(credential: Credential): ConnectionId | undefined {
    for (const [connection, pending] of this.#pendingConnections)
      if (pending.name === "accepted" && pending.credential === credential) return connection;
    return undefined;
  }

  /** A peer that has proved everything cannot be let in all the same: that is a failure like any other (A3, I5). */
  refused({ source, entitlement }: AuthenticatedPeer, now: number): void {
    this.#failures.record(source, now);
    this.#release(entitlement);
  }

  /** A peer that has proved everything has to wait for a person. That is no failure, and its invite is free again (I9). */
  postponed({ entitlement }: AuthenticatedPeer): void {
    this.#release(entitlement);
  }

  /** A waiting socket closed: a claim it held is free again (I5). */
  close(connection: ConnectionId): void {
    const pending = this.#pendingConnections.get(connection);
    this.#pendingConnections.delete(connection);
    if (pending?.name === "accepted") this.#release(pending.entitlement);
  }

  /** Waiting sockets whose time is over; they are forgotten here and must be closed (A4). */
  expire(now: number): ConnectionId[] {
    const late = [...this.#pendingConnections]
      .filter(([, pending]) => now >= pending.deadline)
      .map(([id]) => id);
    for (const connection of late) this.close(connection);
    return late;
  }

  nextDeadline(): number | undefined {
    let next: number | undefined;
    for (const { deadline } of this.#pendingConnections.values()) next = Math.min(next ?? deadline, deadline);
    return next;
  }

  #authenticate(
    pending: Extract<PendingConnection, { name: "challenged" }>,
    message: Bytes,
    now: number,
  ): Extract<PendingConnection, { name: "accepted" }> | undefined {
    const auth = readAuth(message);
    if (auth === undefined) return undefined;
    const found = this.#find(auth, now);
    // An unknown id is checked against a random key: the same work, and the same answer (H4, H6).
    const mac = found?.credential.mac ?? this.#primitives.random(32);
    if (!verifyAuthTag(this.#primitives, pending.challenge, auth, mac) || found === undefined)
      return undefined;
    const { challenge, source, deadline } = pending;
    const { credential } = found;
    const { hostStatic } = this.#options;
    const accepted = acceptAuth(this.#primitives, { challenge, auth, credential, hostStatic });
    if (accepted === undefined) return undefined;
    const entitlement: Entitlement =
      found.kind === "invite" ? { ...found.entitlement, claim: accepted.claim } : found.entitlement;
    if (
      entitlement.kind === "invite" &&
      !this.#options.ledger.claim(entitlement.inviteId, accepted.claim, now)
    ) {
      return undefined;
    }
    const { initiatorToResponder: receive, responderToInitiator: send } = accepted.result;
    const records = new RecordLayer(this.#primitives, { send, receive }, now, this.#options.rekey);
    return { name: "accepted", source, deadline, entitlement, credential, accepted, records };
  }

  #find(
    auth: AuthMessage,
    now: number,
  ):
    | {
        kind: "invite";
        credential: Credential;
        entitlement: Omit<Extract<Entitlement, { kind: "invite" }>, "claim">;
      }
    | { kind: "resume"; credential: Credential; entitlement: Extract<Entitlement, { kind: "resume" }> }
    | undefined {
    const inviteId = inviteIdFrom(auth.id);
    const invite = this.#options.ledger.live(inviteId, now);
    if (invite !== undefined) {
      const { credential, seat } = invite;
      return { kind: "invite", credential, entitlement: { kind: "invite", inviteId, seat } };
    }
    const session = this.#options.sessionOf(inviteId, now);
    if (session?.mayEnter !== true) return undefined;
    return {
      kind: "resume",
      credential: session.credential,
      entitlement: { kind: "resume", member: session.member, role: session.role },
    };
  }

  #confirm(
    pending: Extract<PendingConnection, { name: "accepted" }>,
    message: Bytes,
    now: number,
  ): { peer: AuthenticatedPeer } | undefined {
    const { source, entitlement, credential, accepted, records } = pending;
    const { hash: handshakeHash, exporter } = accepted.result;
    const confirm = this.#readConfirm(records, message, now);
    if (
      confirm === undefined ||
      !this.#isCommitted(confirm, accepted) ||
      !this.#isOwn(confirm, entitlement, handshakeHash)
    ) {
      this.#release(entitlement);
      return undefined;
    }
    const secret = resumeSecret(this.#primitives, exporter);
    const peer = { source, entitlement, credential, confirm, records, handshakeHash, resumeSecret: secret };
    return { peer };
  }

  /** Whether its sender owns the keys that it names, here and now (H13), and brings them for this very seat (Q1). */
  #isOwn(confirm: Confirm, entitlement: Entitlement, hash: Bytes): boolean {
    const role = entitlement.kind === "invite" ? entitlement.seat?.role : entitlement.role;
    return isProved(this.#primitives, roomIdFrom(this.#options.room), { ...confirm, hash, role });
  }

  #isCommitted(confirm: Confirm, accepted: AcceptedAuth): boolean {
    return equalBytes(commitment(this.#primitives, confirm.share), accepted.commitment);
  }

  #readConfirm(records: RecordLayer, message: Bytes, now: number): Confirm | undefined {
    if (message.length > PRE_AUTH.maxFrameBytes) return undefined;
    try {
      const frame = records.open(message, now);
      return frame?.type === FRAME.confirm ? decodeConfirm(frame.payload) : undefined;
    } catch (error) {
      // Whatever is wrong with a stranger's record, the answer is the one generic denial (H6).
      if (error instanceof TunnelError) return undefined;
      throw error;
    }
  }

  /** Unless the same guest has come again meanwhile: then the claim is held for its newer connection (I3). */
  #release(entitlement: Entitlement): void {
    if (entitlement.kind !== "invite") return;
    const { inviteId, claim } = entitlement;
    for (const pending of this.#pendingConnections.values()) {
      const other = pending.name === "accepted" ? pending.entitlement : undefined;
      if (other?.kind === "invite" && other.inviteId === inviteId) return;
    }
    this.#options.ledger.release(inviteId, claim);
  }

  /**
   * Makes room for one more: from the same source first, else from the source that holds most. Those who have proved
   * a key are never evicted by those who have not.
   */
  #evict(source: string): ConnectionId | undefined {
    const waiting = [...this.#pendingConnections].filter(([, pending]) => pending.name === "challenged");
    const held = new Map<string, number>();
    for (const [, pending] of waiting) held.set(pending.source, (held.get(pending.source) ?? 0) + 1);
    let from: string | undefined;
    if ((held.get(source) ?? 0) >= PRE_AUTH.maxSocketsPerSource) from = source;
    else if (this.#pendingConnections.size >= PRE_AUTH.maxSockets)
      from = [...held].toSorted((a, b) => b[1] - a[1])[0]?.[0];
    const oldest = waiting.find(([, pending]) => pending.source === from)?.[0];
    if (oldest !== undefined) this.#pendingConnections.delete(oldest);
    return oldest;
  }
}
