import { equalBytes, type Bytes } from "../base/bytes.ts";
import { jsonText } from "../base/header.ts";
import type { MemberId, RoomId } from "../base/ids.ts";
import { ROOM } from "../base/limits.ts";
import { isNameFor } from "../base/names.ts";
import type { Primitives } from "../base/primitives.ts";
import { decodeUtf8 } from "../base/utf8.ts";
import type { ObserverRole } from "../handshake/role.ts";
import { must } from "../../errors/must.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { AuditLog, signedOf, type Signed } from "../room/audit-log.ts";
import {
  decodeMemberFrame,
  encodeMemberFrame,
  type ChatEvent,
  type Decoded,
  type EndCause,
  type HostFrame,
  type MemberRecord,
  type SystemRoomEvent,
  type Welcome,
  type WithheldEvent,
} from "../room/frames.ts";
import type { SpokenEntry } from "../room/log.ts";
import { messageHash, RoomOrder, type OrderStanding } from "../room/order.ts";
import {
  faultOf,
  SpokenEntries,
  systemEvent,
  type OutgoingMessage,
  type SpokenStanding,
} from "../room/participant.ts";
import { digestsOf } from "../room/sealed-message.ts";
import type { Signer } from "../room/signer.ts";
import type { SignOff } from "../sign-off/sign-offs.ts";
import { workContextBytes, type WorkContext } from "../room/work-context.ts";
import type { GuestEffect } from "./guest-io.ts";
import type { GuestPresence } from "./presence.ts";

export interface ReplicaOptions {
  readonly primitives: Primitives;
  readonly signer: Signer;
  readonly room: RoomId;
  /** The first WELCOME: what it says holds for the whole stay. */
  readonly welcome: Pick<Welcome, "host" | "name" | "idleMs" | "history">;
  /** The hash of the handshake that this member's own record names. */
  readonly hash: Bytes;
  /** As this member told it. */
  readonly workContext: WorkContext | undefined;
  /** As its link has it. */
  readonly role: ObserverRole | undefined;
  readonly order: RoomOrder;
  readonly presence: GuestPresence;
  readonly emit: (effect: GuestEffect) => void;
}

/** An own message that the host has not placed; `n` counts own ones from 1. */
export type Unplaced = { readonly n: number } & (
  | Pick<Extract<SpokenEntry, { kind: "chat" }>, "kind" | "text" | "to">
  | Pick<Extract<SpokenEntry, { kind: "file" }>, "kind" | "offer" | "to">
  | Pick<Extract<SpokenEntry, { kind: "service" }>, "kind" | "offer" | "to">
  | Pick<Extract<SpokenEntry, { kind: "withdrawal" }>, "kind" | "service" | "to">
  | Pick<Extract<SpokenEntry, { kind: "proposal" }>, "kind" | "outcome" | "to">
  | Pick<Extract<SpokenEntry, { kind: "statement" }>, "kind" | "statement" | "to">
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
  readonly #spoken: SpokenEntries;
  /** Until its own arrival, all that a member is told is of the time before it. */
  #past: { readonly past?: true } = { past: true };
  /** Entries of the time before its arrival so far. */
  #toldOfPast = 0;

  constructor(options: ReplicaOptions) {
    this.#options = options;
    const { view, members } = options.order;
    this.#spoken = new SpokenEntries(options.primitives);
    this.log = new AuditLog({ view, members });
  }

  /** Whether this member's own arrival is in the order. */
  get hasArrived(): boolean {
    return this.#past.past === undefined;
  }

  /** The proposal that stands. */
  get signOff(): SignOff | undefined {
    return this.#spoken.signOff;
  }

  get standing(): SpokenStanding {
    return this.#spoken.standing;
  }

  /** Goes on from where an earlier process was, which had come into the room by then. */
  standAt(order: OrderStanding, spoken: SpokenStanding): void {
    this.#options.order.standAt(order);
    this.#spoken.standAt(spoken);
    this.log.standAt(order, []);
    this.#past = {};
  }

  /** Own messages that the host has not placed. */
  get unplaced(): number {
    return this.#unplaced.size;
  }

  /** These messages, in the order in which they were said. Their numbers have no gaps. */
  get waiting(): Unplaced[] {
    const { order, signer } = this.#options;
    return [...this.#unplaced].flatMap(([n, { outgoing }]) => {
      const entry = this.#spoken.of(NO_PLACE, { ...outgoing, from: signer.id, own: true }, order);
      return entry === undefined ? [] : [{ ...entry, n }];
    });
  }

  /** Signs a message and keeps it until it is placed: its number, and the frame that carries it. */
  say(outgoing: OutgoingMessage): { readonly n: number; readonly payload: Bytes } {
    const { primitives, signer, order } = this.#options;
    const { fields, body, hash } = signer.sign(outgoing, order.view, order.members);
    const digests = digestsOf(primitives, fields.seal, body);
    const signed = signedOf({ ...fields, from: signer.id }, digests);
    this.#spoken.saying(outgoing);
    this.#unplaced.set(fields.n, { hash, signed, outgoing });
    return { n: fields.n, payload: encodeMemberFrame({ t: "say", ...fields }, body) };
  }

  /** A message of an earlier process, as its frame was made. @throws {TunnelError} protocol-violation for what is none */
  sayAgain(payload: Bytes, sealedText: Bytes | undefined): void {
    const { primitives, signer, room } = this.#options;
    const { frame, body, text: shown } = decodeMemberFrame(payload);
    const text = shown ?? (sealedText === undefined ? undefined : decodeUtf8(sealedText));
    if (frame.t !== "say" || text === undefined) throw violation("no message");
    const { t: _, ...fields } = frame;
    const { what, intent, author, replyTo, to } = fields;
    const outgoing: OutgoingMessage = {
      text,
      ...(what && { what }),
      ...(intent && { intent }),
      ...(author && { author }),
      ...(replyTo !== undefined && { replyTo }),
      ...(to && { to }),
    };
    const digests = digestsOf(primitives, fields.seal, body);
    const hash = messageHash(primitives, room, signer.id, { fields, digests });
    this.#spoken.saying(outgoing);
    this.#unplaced.set(fields.n, {
      hash,
      signed: signedOf({ ...fields, from: signer.id }, digests),
      outgoing,
    });
    signer.continueAfter({ n: fields.n, hash });
  }

  /**
   * The next entry of the order; gives the cause where it is the end of the room.
   * @throws {TunnelError} order-broken, host-equivocation
   */
  take({ frame, body, text }: Decoded<HostFrame>, now: number): EndCause | undefined {
    const at = { seq: frame.seq, ts: frame.ts };
    if (!this.hasArrived && !this.#isOwnArrival(frame)) this.#assertHistory();
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
    const entry = this.#spoken.of(at, { ...said.outgoing, from: signer.id, own: true }, order);
    if (entry !== undefined) emit({ type: "entry", entry });
    emit({ type: "placed", n, seq: at.seq });
  }

  #said(at: At, event: ChatEvent, body: Bytes, plain: string | undefined): void {
    const { primitives, order, signer, emit } = this.#options;
    this.#assertNotOwn(event.from);
    if (event.to?.includes(signer.id) === false) throw broken("a message for others, as if it were for us");
    order.appendChat(at.seq, at.ts, event, order.verify(event, body));
    this.log.message(order.view, at.ts, signedOf(event, digestsOf(primitives, event.seal, body)));
    const text = plain ?? signer.open(event, body);
    const spoken = { ...event, own: false, text: text ?? "" };
    const entry = text === undefined ? undefined : this.#spoken.of({ ...at, ...this.#past }, spoken, order);
    if (entry !== undefined) emit({ type: "entry", entry });
    if (text === undefined) this.#spoken.unread();
    const fault = text === undefined ? "message-unreadable" : faultOf(entry);
    if (fault === undefined) return;
    // Its sender's doing, who signed it: no reason to leave the others.
    const error = new TunnelError(fault);
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
    this.#spoken.unread();
  }

  #happened(at: At, event: SystemRoomEvent, now: number): void {
    const { order, signer, welcome, presence, emit } = this.#options;
    const isOwnArrival = event.kind === "joined" && event.member.id === signer.id;
    if (isOwnArrival) this.#assertOwnRecord(event.member);
    // A warning comes at half time at the earliest (G3).
    if (event.kind === "idle-warning" && 2 * event.endsInMs > welcome.idleMs)
      throw broken("a warning of an end that is not near");
    // A member that leaves is not told so by an event, and with the host the room ends.
    if (event.kind === "left" && (event.id === signer.id || event.id === welcome.host))
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

  #isOwnArrival(frame: HostFrame): boolean {
    const event = frame.t === "event" ? frame.event : undefined;
    return event?.kind === "joined" && event.member.id === this.#options.signer.id;
  }

  /** Only a host that keeps a history tells what was before, and so much of it at most (O8, O9). */
  #assertHistory(): void {
    const most = this.#options.welcome.history ? ROOM.maxHistoryEntries : 0;
    this.#toldOfPast += 1;
    if (this.#toldOfPast > most) throw broken("more than it may tell of the time before this member came");
  }

  /**
   * The others are told of us what we have said. They seal to the keys that they were told are ours, and take them for
   * proved in the handshake that they were told (O7).
   */
  #assertOwnRecord(member: MemberRecord): void {
    const { signer, hash, welcome, workContext, role } = this.#options;
    const own = { key: signer.key, box: signer.box, hash, proof: signer.prove(hash, role) };
    const isOwn = (["key", "box", "hash", "proof"] as const).every((field) =>
      equalBytes(member[field], own[field]),
    );
    if (!isOwn) throw broken("a member whose keys are not its own");
    const isAsTold = equalBytes(workContextBytes(member.workContext), workContextBytes(workContext));
    if (member.name !== welcome.name || member.role !== role || !isAsTold)
      throw broken("a member that is not as it came");
  }

  #assertNotOwn(from: MemberId): void {
    if (from === this.#options.signer.id) throw broken("words put into our mouth");
  }
}

/**
 * A roster and a chain to begin with, as the first WELCOME tells them to one who asked for a name.
 * @throws {TunnelError} protocol-violation, order-broken
 */
export function orderFrom(
  primitives: Primitives,
  { id: self }: Signer,
  room: ConstructorParameters<typeof RoomOrder>[1],
  { self: named, name, host, members, view }: Welcome,
  { wanted, role }: { readonly wanted: string; readonly role: ObserverRole | undefined },
): RoomOrder {
  const isIn = (id: MemberId): boolean => members.some((member) => member.id === id);
  // Its own arrival comes as an event (O8).
  if (named !== self || !isIn(host) || isIn(self)) throw violation("a welcome for somebody else");
  if (!isNameFor(wanted, name, role === undefined ? ROOM.maxNameChars : ROOM.maxObserverNameChars))
    throw violation("a name that nobody asked for");
  if (view.seq === 0 && !RoomOrder.isGenesis(primitives, room, host, { view, members }))
    throw broken("a room that does not begin like this one");
  return new RoomOrder(primitives, room, host, { members, view });
}

/** A later WELCOME repeats the first one: only the addresses, the resume point and the time for which the room is kept change (§4.4). */
export function isSameWelcome(first: Welcome, again: Welcome): boolean {
  const lasting = (welcome: Welcome): string =>
    jsonText({ ...welcome, addresses: undefined, received: undefined, keptForSec: undefined });
  return lasting(first) === lasting(again);
}

function violation(detail: string): TunnelError {
  return new TunnelError("protocol-violation", { detail });
}
