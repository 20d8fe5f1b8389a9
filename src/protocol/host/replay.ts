import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Bytes } from "../base/bytes.ts";
import type { MemberId, RoomId } from "../base/ids.ts";
import type { Primitives } from "../base/primitives.ts";
import { decodeUtf8 } from "../base/utf8.ts";
import { CHANGES_IN_STEP, type Steps } from "../keeping/keeper.ts";
import { decodeHostFrame, type EndCause } from "../room/frames.ts";
import { messageHash, type RoomOrder } from "../room/order.ts";
import { digestsOf } from "../room/sealed-message.ts";
import type { Signer } from "../room/signer.ts";
import type { Inbound } from "./inbound.ts";
import type { InviteLedger } from "./invites.ts";
import type { RoomHappening, RoomKeeping } from "./kept.ts";
import type { MemberSession, MemberSessions } from "./member-sessions.ts";
import type { Membership } from "./membership.ts";
import type { PresenceBoard } from "./presence-board.ts";
import type { Receipts } from "./receipts.ts";
import type { Sequencer } from "./sequencer.ts";

interface ReplayOptions {
  readonly primitives: Primitives;
  readonly room: RoomId;
  readonly self: MemberId;
  readonly signer: Signer;
  readonly order: RoomOrder;
  readonly sequencer: Sequencer;
  readonly sessions: MemberSessions;
  readonly ledger: InviteLedger;
  readonly membership: Membership;
  readonly presence: PresenceBoard;
  readonly inbound: Inbound;
  readonly receipts: Receipts;
  readonly keeping: RoomKeeping;
  readonly onEnded: (cause: EndCause) => void;
}

/** Lets everything happen again in a room that an earlier process has kept, in the same order and under the same numbers. */
export class RoomReplay {
  readonly #options: ReplayOptions;
  /** The last frame of each member, while it has no place: each is placed before the next one comes, unless it breaks a rule. */
  readonly #unplaced = new Map<MemberId, { readonly frame: number; readonly payload: Bytes }>();

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  /**
   * Afterwards the room is as it was left. Its next process has still to {@link goOn}.
   * @throws {TunnelError} stay-unreadable
   */
  *replay(happened: readonly RoomHappening[], now: number): Steps<undefined> {
    const { keeping } = this.#options;
    keeping.isMuted = true;
    try {
      for (const [index, one] of happened.entries()) {
        if (index % CHANGES_IN_STEP === 0) yield;
        this.#again(one, now);
      }
    } catch (error) {
      if (!(error instanceof TunnelError)) throw error;
      throw new TunnelError("stay-unreadable", { cause: error });
    } finally {
      keeping.isMuted = false;
    }
    return undefined;
  }

  /** Tells everybody that there is another process, and does what the earlier one had no time for. */
  goOn(floor: number, now: number): void {
    const { order, sessions, sequencer } = this.#options;
    const came = sessions.all.filter(({ member }) => order.member(member.id) === undefined);
    // These have not come yet, so the room has nothing to tell them.
    for (const session of came) sessions.remove(session);
    for (const session of sessions.all) session.resumesUpTo ??= session.link.sent;
    sequencer.system({ kind: "returned" }, now, floor);
    for (const session of came) this.#letIn(session, now);
    this.#placeLast(now);
  }

  #again(one: RoomHappening, now: number): void {
    const { ledger, presence } = this.#options;
    switch (one.t) {
      case "invite":
        return ledger.restore(one.inviteId, one.live);
      case "revoked":
        ledger.revoke(one.inviteId, now);
        return;
      case "moved":
        return this.#moved(one);
      case "counted": {
        const session = this.#session(one.member);
        session.link.replay({ kind: "counted", sent: one.sent, received: one.received });
        session.resumesUpTo = one.resumesUpTo;
        return;
      }
      case "seat":
        return this.#seat(one, now);
      case "resumed": {
        const session = this.#session(one.member);
        session.credential = one.credential;
        session.resumesUpTo = undefined;
        return;
      }
      case "got":
        return this.#got(one);
      case "placed":
        return this.#placed(one);
      case "said":
        return this.#said(one);
      case "event":
        return this.#event(one);
      case "confirmed":
        return this.#session(one.member).link.replay({ kind: "confirmed", number: one.number });
      case "addresses":
        return presence.setAddresses(one.origins, now);
    }
  }

  #moved({ order: standing, spoken, said, past }: Extract<RoomHappening, { t: "moved" }>): void {
    const { order, sequencer, signer } = this.#options;
    order.standAt(standing);
    const frames = past.map((payload) => ({ seq: decodeHostFrame(payload).frame.seq, payload }));
    sequencer.standAt(spoken, frames);
    if (said !== undefined) signer.continueAfter(said);
  }

  #seat({ seat }: Extract<RoomHappening, { t: "seat" }>, now: number): void {
    const { ledger, membership, sessions } = this.#options;
    // The invite is used up, however long ago it would have run out.
    ledger.revoke(seat.invite, now);
    // It was given anew after a return that came before its arrival.
    const earlier = sessions.of(seat.member.id);
    if (earlier !== undefined) sessions.remove(earlier);
    membership.take(seat, now);
  }

  #got({ from, confirmed, payload }: Extract<RoomHappening, { t: "got" }>): void {
    const session = this.#session(from);
    session.link.replay({ kind: "confirmed", number: confirmed });
    session.link.replay({ kind: "received" });
    this.#unplaced.set(from, { frame: session.link.received, payload });
  }

  #placed({ from, frame, ts }: Extract<RoomHappening, { t: "placed" }>): void {
    const unplaced = this.#unplaced.get(from);
    if (unplaced?.frame !== frame) throw unreadable();
    this.#unplaced.delete(from);
    this.#options.inbound.place(this.#session(from), unplaced.payload, ts);
  }

  #said({ ts, payload, text: sealed }: Extract<RoomHappening, { t: "said" }>): void {
    const { primitives, room, self, signer, order, sequencer, sessions, receipts } = this.#options;
    const { frame, body, text: shown } = decodeHostFrame(payload);
    const text = shown ?? (sealed === undefined ? undefined : decodeUtf8(sealed));
    if (frame.t !== "event" || frame.event.kind !== "chat" || text === undefined) throw unreadable();
    const { event } = frame;
    const { kind: _, from: __, ...fields } = event;
    const digests = digestsOf(primitives, event.seal, body);
    const hash = messageHash(primitives, room, self, { fields, digests });
    signer.continueAfter({ n: event.n, hash });
    sequencer.chat(event, body, { hash, source: { text } }, ts);
    sequencer.show(event, text);
    const audience = sessions.members.filter(({ member }) => event.to?.includes(member.id) !== false);
    receipts.expect(order.view.seq, audience);
  }

  #event({ ts, payload }: Extract<RoomHappening, { t: "event" }>): void {
    const { sequencer, sessions, onEnded } = this.#options;
    const { frame } = decodeHostFrame(payload);
    if (frame.t !== "event" || frame.event.kind === "chat" || frame.event.kind === "withheld")
      throw unreadable();
    const { event } = frame;
    if (event.kind === "returned")
      for (const session of sessions.all) session.resumesUpTo ??= session.link.sent;
    if (event.kind === "left") {
      const session = sessions.of(event.id);
      if (session !== undefined) sessions.remove(session);
      this.#unplaced.delete(event.id);
    }
    const joining = event.kind === "joined" ? sessions.of(event.member.id) : undefined;
    if (joining !== undefined) sequencer.replay(joining, ts);
    sequencer.system(event, ts, event.kind === "returned" ? frame.seq - 1 : 0);
    if (event.kind === "ended") onEnded(event.cause);
  }

  /** Somebody was given a seat, of which the order does not tell yet: its part of the room begins here. */
  #letIn({ member, invite, expiresAt, safetyCode, credential }: MemberSession, now: number): void {
    const { order, sequencer, membership, keeping } = this.#options;
    const beginning = sequencer.beginningFor(member);
    const joinedAt = order.view.seq;
    const seat = { member, invite, beginning, joinedAt, expiresAt, safetyCode, credential };
    keeping.seat(seat);
    membership.arrive(membership.take(seat, now), now);
  }

  /** What members have said, and was acknowledged, has a place. */
  #placeLast(now: number): void {
    const { inbound } = this.#options;
    for (const [from, { payload }] of this.#unplaced) {
      try {
        inbound.place(this.#session(from), payload, now);
      } catch (error) {
        // It was against the rules then as well, and cost its member the connection.
        if (!(error instanceof TunnelError) || error.code === "internal") throw error;
      }
    }
  }

  #session(id: MemberId): MemberSession {
    const session = this.#options.sessions.of(id);
    if (session === undefined) throw unreadable();
    return session;
  }
}

function unreadable(): TunnelError {
  return new TunnelError("stay-unreadable");
}
