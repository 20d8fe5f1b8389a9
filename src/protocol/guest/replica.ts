import { equalBytes, type Bytes } from "../base/bytes.ts";
import type { MemberId } from "../base/ids.ts";
import type { Primitives } from "../base/primitives.ts";
import { must } from "../../errors/must.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { AuditLog, signedOf, type Signed } from "../room/audit-log.ts";
import {
  encodeMemberFrame,
  type ChatEvent,
  type Decoded,
  type EndCause,
  type HostFrame,
  type SystemRoomEvent,
  type Welcome,
  type WithheldEvent,
} from "../room/frames.ts";
import type { SpokenEntry } from "../room/log.ts";
import { RoomOrder } from "../room/order.ts";
import { spokenEntry, systemEvent, type OutgoingMessage } from "../room/participant.ts";
import { digestsOf } from "../room/sealed-message.ts";
import type { Signer } from "../room/signer.ts";
import type { GuestEffect } from "./guest-io.ts";
import type { GuestPresence } from "./presence.ts";

export interface ReplicaOptions {
  readonly primitives: Primitives;
  readonly signer: Signer;
  readonly host: MemberId;
  readonly order: RoomOrder;
  readonly presence: GuestPresence;
  readonly emit: (effect: GuestEffect) => void;
}

/** An own message that the host has not placed; `n` counts own ones from 1. */
export type Unplaced = { readonly n: number } & (
  | Pick<Extract<SpokenEntry, { kind: "chat" }>, "kind" | "text" | "to">
  | Pick<Extract<SpokenEntry, { kind: "file" }>, "kind" | "offer" | "to">
);

/** A sequence number of the room, and the host's time. */
interface At {
  readonly seq: number;
  readonly ts: number;
}

const NO_PLACE: At = { seq: 0, ts: 0 };

function broken(detail: string): TunnelError {
  return new TunnelError("order-broken", { detail });
}

/**
 * A member's replica of the room (PROTOCOL §8): the order and the roster, the proofs of it, and its own messages until they are in the
 * order. Everything the host tells is checked here before anybody sees it.
 */
export class Replica {
  readonly #options: ReplicaOptions;
  /** The proof of the order to others. */
  readonly log: AuditLog;
  /** Own messages that are not in the order yet, in the order in which they were said. */
  readonly #unplaced = new Map<number, { hash: Bytes; signed: Signed; outgoing: OutgoingMessage }>();
  /** Until its own arrival, all that a member is told is of the time before it. */
  #past: { readonly past?: true } = { past: true };

  constructor(options: ReplicaOptions) {
    this.#options = options;
    const { view, members } = options.order;
    this.log = new AuditLog({ view, members });
  }

  /** Whether this member's own arrival is in the order. */
  get hasArrived(): boolean {
    return this.#past.past === undefined;
  }

  /** Own messages that the host has not placed. */
  get unplaced(): number {
    return this.#unplaced.size;
  }

  /** These messages, in the order in which they were said. Their numbers have no gaps. */
  get waiting(): Unplaced[] {
    const { order, signer } = this.#options;
    return [...this.#unplaced].flatMap(([n, { outgoing }]) => {
      const entry = spokenEntry(NO_PLACE, { ...outgoing, from: signer.id, own: true }, order);
      return entry === undefined ? [] : [{ ...entry, n }];
    });
  }

  /** Signs a message and keeps it until it is placed: its number, and the frame that carries it. */
  say(outgoing: OutgoingMessage): { readonly n: number; readonly payload: Bytes } {
    const { primitives, signer, order } = this.#options;
    const { fields, body, hash } = signer.sign(outgoing, order.view, order.members);
    const digests = digestsOf(primitives, fields.seal, body);
    const signed = signedOf({ ...fields, from: signer.id }, digests);
    this.#unplaced.set(fields.n, { hash, signed, outgoing });
    return { n: fields.n, payload: encodeMemberFrame({ t: "say", ...fields }, body) };
  }

  /**
   * The next entry of the order; gives the cause where it is the end of the room.
   * @throws {TunnelError} order-broken, host-equivocation
   */
  take({ frame, body, text }: Decoded<HostFrame>, now: number): EndCause | undefined {
    const at = { seq: frame.seq, ts: frame.ts };
    if (frame.t === "own") this.#placed(at, frame.n);
    else if (frame.event.kind === "chat") this.#said(at, frame.event, body, text);
    else if (frame.event.kind === "withheld") this.#withheld(at, frame.event);
    else {
      this.#happened(at, frame.event, now);
      return frame.event.kind === "ended" ? frame.event.cause : undefined;
    }
    return undefined;
  }

  #placed(at: At, n: number): void {
    const { order, signer, emit } = this.#options;
    const said = this.#unplaced.get(n);
    // The map keeps the order in which they were said.
    const [next] = this.#unplaced.keys();
    if (said === undefined || n !== next) throw broken("an own message out of its turn");
    this.#unplaced.delete(n);
    order.appendChat(at.seq, at.ts, { from: signer.id, n }, said.hash);
    this.log.message(order.view, at.ts, said.signed);
    const entry = spokenEntry(at, { ...said.outgoing, from: signer.id, own: true }, order);
    if (entry !== undefined) emit({ type: "entry", entry });
    emit({ type: "placed", n, seq: at.seq });
  }

  #said(at: At, event: ChatEvent, body: Bytes, plain: string | undefined): void {
    const { primitives, order, signer, emit } = this.#options;
    this.#assertNotOwn(event.from);
    order.appendChat(at.seq, at.ts, event, order.verify(event, body));
    this.log.message(order.view, at.ts, signedOf(event, digestsOf(primitives, event.seal, body)));
    const text = plain ?? signer.open(event, body);
    const entry =
      text === undefined
        ? undefined
        : spokenEntry({ ...at, ...this.#past }, { ...event, own: false, text }, order);
    if (entry !== undefined) return emit({ type: "entry", entry });
    // Its sender's doing, who signed it: no reason to leave the others.
    const error = new TunnelError("message-unreadable");
    const sender = must(order.member(event.from), "the sender of a verified message");
    emit({ type: "alarm", error, member: sender.name });
  }

  #withheld(at: At, event: WithheldEvent): void {
    const { order, signer } = this.#options;
    this.#assertNotOwn(event.from);
    if (event.to.includes(signer.id)) throw broken("a message kept back from one whom it is for");
    order.appendChat(at.seq, at.ts, event, order.verifyWithheld(event));
    const { kind: _, ...signed } = event;
    this.log.message(order.view, at.ts, signed);
  }

  #happened(at: At, event: SystemRoomEvent, now: number): void {
    const { order, signer, host, presence, emit } = this.#options;
    const isOwnArrival = event.kind === "joined" && event.member.id === signer.id;
    if (isOwnArrival) this.#assertOwnKeys(event.member);
    // A member that leaves is not told so by an event, and with the host the room ends.
    if (event.kind === "left" && (event.id === signer.id || event.id === host))
      throw broken("somebody left who cannot");
    const entry = systemEvent(event, order);
    order.appendSystem(at.seq, at.ts, event);
    this.log.event(order.view, at.ts, event);
    if (isOwnArrival) this.#past = {};
    else if (event.kind === "joined") presence.joined(event.member.id, now);
    if (event.kind === "left") presence.left(event.id);
    emit({ type: "entry", entry: { kind: "system", ...at, ...this.#past, ...entry } });
    if (isOwnArrival) emit({ type: "joined" });
  }

  /** Others seal to the keys that they were told are ours. */
  #assertOwnKeys(member: { readonly key: Bytes; readonly box: Bytes }): void {
    const { key, box } = this.#options.signer;
    if (!equalBytes(member.key, key) || !equalBytes(member.box, box))
      throw broken("a member whose keys are not its own");
  }

  #assertNotOwn(from: MemberId): void {
    if (from === this.#options.signer.id) throw broken("words put into our mouth");
  }
}

/** A roster and a chain to begin with, as WELCOME tells them. @throws {TunnelError} protocol-violation, order-broken */
export function orderFrom(
  primitives: Primitives,
  { id: self }: Signer,
  room: ConstructorParameters<typeof RoomOrder>[1],
  { self: named, host, members, view }: Welcome,
): RoomOrder {
  if (named !== self || !members.some(({ id }) => id === host))
    throw new TunnelError("protocol-violation", { detail: "a welcome for somebody else" });
  return new RoomOrder(primitives, room, members, view);
}
