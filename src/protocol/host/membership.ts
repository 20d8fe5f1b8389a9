import { equalBytes, wipe, type Bytes } from "../base/bytes.ts";
import type { ConnectionId, MemberId } from "../base/ids.ts";
import { LINK, ROOM } from "../base/limits.ts";
import { isAssigned, uniqueName } from "../base/names.ts";
import type { Primitives } from "../base/primitives.ts";
import { resumeCredential } from "../handshake/keys.ts";
import { CLOSE_CODE } from "../link/wire.ts";
import { FRAME } from "../record/record.ts";
import { CLOSE, CLOSE_OF } from "../room/close-reasons.ts";
import {
  decodeHostFrame,
  encodeWelcome,
  type EndCause,
  type LeaveCause,
  type MemberRecord,
  type Welcome,
} from "../room/frames.ts";
import { isObserver, isObserverRecord, memberIdOf, type RoomOrder } from "../room/order.ts";
import type { AuthenticatedPeer, Entitlement } from "./admission.ts";
import type { InviteLedger } from "./invites.ts";
import type { RoomKeeping } from "./kept.ts";
import {
  isConnected,
  newMemberSession,
  seatOf,
  type MemberSession,
  type MemberSessions,
  type Seat,
} from "./member-sessions.ts";
import type { PresenceBoard } from "./presence-board.ts";
import type { Receipts } from "./receipts.ts";
import type { RoomEffect } from "./room-io.ts";
import type { Sequencer } from "./sequencer.ts";
import type { StreamRelay } from "./stream-relay.ts";

export interface MembershipOptions {
  readonly primitives: Primitives;
  readonly sessions: MemberSessions;
  readonly ledger: InviteLedger;
  readonly order: RoomOrder;
  readonly sequencer: Sequencer;
  readonly presence: PresenceBoard;
  readonly receipts: Receipts;
  readonly streamRelay: StreamRelay;
  readonly keeping: RoomKeeping;
  /** The part of a WELCOME that is the same for everybody. */
  readonly welcome: () => Pick<Welcome, "goal" | "host" | "idleMs" | "history" | "keptForSec">;
  readonly emit: (effect: RoomEffect) => void;
}

/** The members of the host's room: admitted, resumed, dropped and removed (PROTOCOL §4.4 and §8.2). */
export class Membership {
  readonly #options: MembershipOptions;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** Lets a peer in that has proved everything; otherwise why it is turned away all the same. */
  enter(peer: AuthenticatedPeer, connection: ConnectionId, now: number): "in" | "denied" | "outdated" {
    const { sessions, presence, emit } = this.#options;
    const { entitlement, confirm, records } = peer;
    const isNew = entitlement.kind === "invite";
    const session = isNew
      ? this.#admit(peer, entitlement, now)
      : this.#readmit(peer, entitlement.member, now);
    if (session === undefined) return "denied";
    if (session === "outdated") return session;
    // Everybody is told of an observer before a byte goes to it (Q3): what is for itself waits for its WELCOME.
    if (isNew) this.arrive(session, now);
    sessions.connected(session, connection);
    session.congestion?.away(false, now);
    emit({ type: "member", connection });
    const greeting = { type: FRAME.welcome, payload: encodeWelcome(this.#welcomeOf(session)) };
    session.link.attach(connection, { records, received: confirm.received, greeting }, now);
    // A member that comes is to know at once who is there; the others are told when it is time.
    presence.tell(session, now);
    // Its answer tells how far the clocks differ.
    session.link.ask(now);
    presence.changed(now);
    return "in";
  }

  /** The connection is over, the session stays; `code` where the socket itself still has to be closed. */
  drop(session: MemberSession, code: number | undefined, now: number): void {
    this.#disconnect(session, now, (link) => link.drop(code));
  }

  /** Takes the session of a member away for good, and tells the others. */
  remove(session: MemberSession, cause: LeaveCause, now: number): void {
    const { sessions, sequencer, receipts, emit } = this.#options;
    const reason = cause === "left" ? CLOSE.left : CLOSE.removed;
    this.#missed(session);
    this.#disconnect(session, now, (link) => link.finish(reason, now));
    wipe(session.credential.psk, session.credential.mac);
    sessions.remove(session);
    for (const seq of receipts.forget(session)) emit({ type: "unreached", seq });
    sequencer.system({ kind: "left", id: session.member.id, cause }, now);
  }

  /** Removing one member is told to the others, which may be too much for another one: until nobody is left over. */
  expel(now: number): void {
    for (;;) {
      const behind = this.#options.sessions.all.find((session) => session.fellBehind);
      if (behind === undefined) return;
      this.remove(behind, "fell-behind", now);
    }
  }

  /** The room is over: everybody is told so, behind all that still waits for them. */
  end(cause: EndCause, now: number): void {
    for (const session of this.#options.sessions.all) {
      const { credential, link } = session;
      this.#missed(session);
      wipe(credential.psk, credential.mac);
      if (!link.isConnected) continue;
      // It was there until the end.
      session.lastSeen = now;
      link.finish(CLOSE_OF[cause], now);
    }
  }

  tick(session: MemberSession, now: number): void {
    if (!session.link.tick(now)) this.drop(session, CLOSE_CODE.silent, now);
    if (now >= session.expiresAt) this.remove(session, "expired", now);
    else if (!isConnected(session) && now >= lostAt(session)) this.remove(session, "lost", now);
  }

  nextDeadline(session: MemberSession): number {
    const { link, expiresAt } = session;
    const next = isConnected(session) ? link.nextDeadline() : lostAt(session);
    return Math.min(next ?? Number.POSITIVE_INFINITY, expiresAt);
  }

  /** The first frame that it has not confirmed tells how far it came. */
  #missed({ member, link }: MemberSession): void {
    const { unconfirmed } = link;
    if (unconfirmed === undefined || isObserver(member)) return;
    const afterSeq = decodeHostFrame(unconfirmed).frame.seq - 1;
    this.#options.emit({ type: "missed", member: member.name, afterSeq });
  }

  #disconnect(
    session: MemberSession,
    now: number,
    end: (link: MemberSession["link"]) => readonly number[],
  ): void {
    const { sessions, streamRelay, presence } = this.#options;
    const { link } = session;
    const { connection, lastHeard } = link;
    if (connection === undefined) return;
    session.lastSeen = lastHeard ?? session.lastSeen;
    sessions.disconnected(connection);
    session.congestion?.away(true, now);
    streamRelay.dropped(session, end(link), now);
    presence.changed(now);
  }

  #welcomeOf({ member, link, beginning }: MemberSession): Welcome {
    const all = this.#options.welcome();
    return {
      ...all,
      // An observer that begins with its arrival is told of nothing before it (Q6).
      history: all.history && member.role !== "observer",
      addresses: [...this.#options.presence.addresses],
      self: member.id,
      name: member.name,
      members: [...beginning.members],
      view: beginning.view,
      received: link.received,
    };
  }

  #admit(
    peer: AuthenticatedPeer,
    invite: Extract<Entitlement, { kind: "invite" }>,
    now: number,
  ): MemberSession | undefined {
    const { primitives, order, ledger, sequencer, keeping } = this.#options;
    const { key, box, proof, name: wanted, workContext, received } = peer.confirm;
    const id = memberIdOf(primitives, key);
    const { seat } = invite;
    // Somebody who is or was here comes back by a resume, or not at all (O11).
    if (order.hasHad(id) || received !== 0 || !isAssigned(wanted)) return undefined;
    if (seat !== undefined && !isObserverRecord({ name: wanted, workContext })) return undefined;
    if (!ledger.consume(invite.inviteId, invite.claim, now)) return undefined;
    const taken = order.members.map((one) => one.name);
    const name = uniqueName(
      wanted,
      taken,
      seat === undefined ? ROOM.maxNameChars : ROOM.maxObserverNameChars,
    );
    const member: MemberRecord = {
      id,
      name,
      key,
      box,
      hash: peer.handshakeHash,
      proof,
      ...(workContext === undefined ? {} : { workContext }),
      ...(seat === undefined ? {} : { role: seat.role }),
    };
    const place = seatOf(primitives, peer, {
      member,
      invite: invite.inviteId,
      beginning: sequencer.beginningFor(member),
      joinedAt: order.view.seq,
      expiresAt: seat === undefined ? Number.POSITIVE_INFINITY : now + seat.lifeMs,
    });
    keeping.seat(place);
    return this.take(place, now);
  }

  /** Gives a member a session, which is not connected. */
  take(seat: Seat, now: number): MemberSession {
    const { sessions, keeping, emit } = this.#options;
    const onFresh = (session: MemberSession, payload: Bytes): void => keeping.got(session, payload);
    const session = newMemberSession(seat, { emit, onFresh, now });
    sessions.add(session);
    return session;
  }

  /** A member of which the order does not tell yet. */
  arrive(session: MemberSession, now: number): void {
    const { sequencer } = this.#options;
    sequencer.replay(session, now);
    sequencer.system({ kind: "joined", member: session.member }, now);
  }

  /** The same member on a new connection: it replaces the old one, and its secret moves on (K3, D5). */
  #readmit(peer: AuthenticatedPeer, id: MemberId, now: number): MemberSession | "outdated" | undefined {
    const { sessions, primitives } = this.#options;
    const session = sessions.of(id);
    if (session === undefined || session.credential !== peer.credential) return undefined;
    const { key, box } = session.member;
    if (!equalBytes(key, peer.confirm.key) || !equalBytes(box, peer.confirm.box)) return undefined;
    const { received } = peer.confirm;
    const { sent, confirmed } = session.link;
    if (received > (session.resumesUpTo ?? sent) || received < confirmed) return "outdated";
    this.#disconnect(session, now, (link) => link.part(CLOSE.replaced, CLOSE_CODE.replaced, now));
    wipe(session.credential.psk, session.credential.mac);
    session.credential = resumeCredential(primitives, peer.resumeSecret);
    session.lastSeen = now;
    session.resumesUpTo = undefined;
    this.#options.keeping.resumed(session);
    return session;
  }
}

/** When the session of a member that is not connected is over (G2). */
function lostAt(session: MemberSession): number {
  return session.lastSeen + LINK.giveUpMs;
}
