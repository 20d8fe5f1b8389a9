import type { Bytes } from "../base/bytes.ts";
import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import { CLOSE_CODE } from "../link/wire.ts";
import { chunkPrice, type Chunk } from "../record/chunk.ts";
import type { ChannelEvent } from "../reliable/channel-events.ts";
import { CLOSE } from "../room/close-reasons.ts";
import { decodeMemberFrame, decodeMemberNote, type ChatEvent } from "../room/frames.ts";
import { isObserver, type RoomOrder } from "../room/order.ts";
import { faultOf } from "../room/participant.ts";
import type { Signer } from "../room/signer.ts";
import type { BackPressure } from "./back-pressure.ts";
import type { IdleClock } from "./idle.ts";
import type { RoomKeeping } from "./kept.ts";
import type { MemberSession } from "./member-sessions.ts";
import type { Membership } from "./membership.ts";
import type { PresenceBoard } from "./presence-board.ts";
import type { Receipts } from "./receipts.ts";
import type { RoomEffect } from "./room-io.ts";
import type { Sequencer } from "./sequencer.ts";
import type { StreamRelay } from "./stream-relay.ts";

export interface InboundOptions {
  readonly order: RoomOrder;
  /** The keys of the host itself. */
  readonly signer: Signer;
  readonly sequencer: Sequencer;
  readonly membership: Membership;
  readonly presence: PresenceBoard;
  readonly backPressure: BackPressure;
  readonly receipts: Receipts;
  readonly streamRelay: StreamRelay;
  readonly idle: IdleClock;
  readonly keeping: RoomKeeping;
  readonly emit: (effect: RoomEffect) => void;
}

/** Takes the messages of members: opens them, lets them pay, and leads each to its part of the room. A member that breaks a rule loses its connection (G8). */
export class Inbound {
  readonly #options: InboundOptions;

  constructor(options: InboundOptions) {
    this.#options = options;
  }

  message(session: MemberSession, message: Bytes, now: number): void {
    const { membership, emit } = this.#options;
    try {
      this.#take(session, message, now);
    } catch (thrown) {
      const error = asTunnelError(thrown);
      if (error.code === "internal") throw thrown;
      emit({ type: "alarm", error, member: session.member.id });
      // Its program is none of an observer, so that no other one of its messages is waited for (Q4).
      if (error.code === "observer-spoke") membership.remove(session, "removed", now);
      else membership.drop(session, CLOSE_CODE.violation, now);
    }
  }

  /** Tells of the host's own messages that this member's process is the first to have. */
  confirmed(session: MemberSession | undefined): void {
    const { receipts, keeping, emit } = this.#options;
    if (session === undefined) return;
    keeping.confirmed(session);
    for (const seq of receipts.confirmed(session)) emit({ type: "reached", seq });
  }

  #take(session: MemberSession, message: Bytes, now: number): void {
    const { streamRelay, backPressure } = this.#options;
    const { event, isAnswer } = session.link.receive(message, now);
    if (isObserver(session.member)) return this.#observed(session, { event, isAnswer }, message.length, now);
    if (event?.type === "chunk") return this.#chunk(session, event.chunk, now);
    if (event?.type === "stream") {
      const relayed = streamRelay.frame(session, event.payload, now);
      return backPressure.chargeStream(session, relayed, message.length, now);
    }
    if (event?.type !== "durable") backPressure.chargeFrame(session, isAnswer, message.length, now);
    this.confirmed(session);
    if (event !== undefined) this.#event(session, event, message.length, now);
  }

  /**
   * From an observer nothing is taken but that its link is alive, and that it goes (Q4).
   * @throws {TunnelError} observer-spoke
   */
  #observed(
    session: MemberSession,
    { event, isAnswer }: { readonly event: ChannelEvent | undefined; readonly isAnswer: boolean },
    bytes: number,
    now: number,
  ): void {
    const { membership, backPressure } = this.#options;
    backPressure.chargeFrame(session, isAnswer, bytes, now);
    if (event === undefined) return;
    const goes =
      event.type === "durable"
        ? decodeMemberFrame(event.payload).frame.t === "leave"
        : event.type === "close";
    if (!goes) throw new TunnelError("observer-spoke");
    const isOver = event.type === "durable" || (event.type === "close" && event.reason === CLOSE.left);
    if (isOver) membership.remove(session, "left", now);
    else membership.drop(session, CLOSE_CODE.normal, now);
  }

  #event(session: MemberSession, event: ChannelEvent, bytes: number, now: number): void {
    const { membership, presence, backPressure, idle } = this.#options;
    if (event.type === "durable") {
      this.#frame(session, event.payload, now);
      backPressure.chargeMessage(session, bytes, now);
    }
    if (event.type === "note") {
      const { read, active, oversight } = decodeMemberNote(event.payload);
      if (active) idle.touch(now);
      presence.memberRead(session, read, now);
      presence.memberOverseen(session, oversight, now);
    }
    // A full window may have kept the frame back that says so.
    if (event.type === "close" && event.reason === CLOSE.left) membership.remove(session, "left", now);
    else if (event.type === "close") membership.drop(session, CLOSE_CODE.normal, now);
  }

  #chunk(session: MemberSession, chunk: Chunk, now: number): void {
    const { streamRelay, backPressure, idle } = this.#options;
    const relayed = streamRelay.chunk(session, chunk, now);
    if (relayed.kind === "open") idle.touch(now);
    backPressure.chargeChunk(session, relayed, chunkPrice(chunk), now);
  }

  #frame(session: MemberSession, payload: Bytes, now: number): void {
    this.#options.idle.touch(now);
    this.place(session, payload, now);
  }

  /**
   * Gives what a member says its place, or ends its membership.
   * @throws {TunnelError} protocol-violation, order-broken, host-equivocation
   */
  place(session: MemberSession, payload: Bytes, now: number): void {
    const { order, membership, sequencer } = this.#options;
    const { frame, body, text } = decodeMemberFrame(payload);
    if (frame.t === "leave") return membership.remove(session, "left", now);
    const { t: _, ...fields } = frame;
    const event: ChatEvent = { kind: "chat", from: session.member.id, ...fields };
    if ((frame.replyTo ?? 0) > order.view.seq)
      throw new TunnelError("protocol-violation", { detail: "a message that refers to nothing" });
    const hash = order.verify(event, body);
    sequencer.chat(event, body, { hash, source: session }, now);
    this.#hear(event, body, text);
  }

  /** The host is a participant like the others: its agent sees the messages that are for it, and no others (O10). */
  #hear(event: ChatEvent, body: Bytes, plain: string | undefined): void {
    const { signer, sequencer, emit } = this.#options;
    if (event.to?.includes(signer.id) === false) return sequencer.unread();
    const text = plain ?? signer.open(event, body);
    if (text === undefined) sequencer.unread();
    const fault = text === undefined ? "message-unreadable" : faultOf(sequencer.show(event, text));
    if (fault !== undefined) emit({ type: "alarm", error: new TunnelError(fault), member: event.from });
  }
}
