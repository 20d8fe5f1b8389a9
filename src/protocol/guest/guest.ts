import type { Bytes } from "../base/bytes.ts";
import type { MemberId } from "../base/ids.ts";
import type { Oversight } from "../room/oversight.ts";
import { CHANGES_IN_STEP, finished, type Keeper, type Steps } from "../keeping/keeper.ts";
import { LINK } from "../base/limits.ts";
import type { Primitives } from "../base/primitives.ts";
import { encodeUtf8, utf8Length } from "../base/utf8.ts";
import { asTunnelError, TunnelError, type ErrorCode } from "../../errors/tunnel-error.ts";
import { KEY_BYTES, type InviteLink } from "../handshake/invite-link.ts";
import type { ObserverRole } from "../handshake/role.ts";
import { PeerLink } from "../link/peer-link.ts";
import type { StreamRequest, StreamWord } from "../link/stream-frames.ts";
import { streamClass } from "../link/streams.ts";
import { CLOSE_CODE, type SendNow } from "../link/wire.ts";
import type { Chunk, StreamId } from "../record/chunk.ts";
import type { RekeyLimits } from "../record/direction.ts";
import type { Attestation } from "../room/audit-log.ts";
import { CAUSE_OF, CLOSE } from "../room/close-reasons.ts";
import {
  decodeHostFrame,
  decodeHostNote,
  encodeMemberFrame,
  type EndCause,
  type HostFrame,
  type Welcome,
} from "../room/frames.ts";
import { assertSayable, type OutgoingMessage, type Presence } from "../room/participant.ts";
import type { RoomOrder } from "../room/order.ts";
import { Signer } from "../room/signer.ts";
import type { WorkContext } from "../room/work-context.ts";
import type { Arrival } from "./attempt.ts";
import type { Pairing } from "./candidates.ts";
import { Connector, type ConnectorEvent } from "./connector.ts";
import type { ConnectionState, GuestEffect, GuestEnd, GuestInput } from "./guest-io.ts";
import { GUEST_CHANGE, keptGuest, type KeptGuest } from "./kept.ts";
import { GuestPresence } from "./presence.ts";
import { isSameWelcome, orderFrom, Replica, type Unplaced } from "./replica.ts";
import type { SignOff } from "../sign-off/sign-offs.ts";

/** Known once the first WELCOME has arrived. */
interface Membership extends Pick<Welcome, "goal" | "name" | "host" | "idleMs" | "history"> {
  readonly welcome: Welcome;
  readonly safetyCode: string;
  readonly order: RoomOrder;
  readonly replica: Replica;
}

export interface GuestOptions {
  readonly link: InviteLink;
  readonly name: string;
  readonly workContext?: WorkContext | undefined;
  /** When a connection gets new keys; as the specification has it (R5) when left out. */
  readonly rekey?: RekeyLimits | undefined;
  /** Keeps the stay from the first WELCOME on; nothing is kept when left out. */
  readonly keeper?: Keeper | undefined;
}

interface RestoreOptions extends Pick<GuestOptions, "rekey" | "keeper"> {
  readonly changes: readonly Bytes[];
  /** Numbers of own messages up to this one may have been used without a trace. */
  readonly floor: number;
}

/**
 * The guest's machine (PROTOCOL §4 to §8): joins with a link, keeps the stay alive across connections, and holds what
 * it says until the host has it. No sockets, timers or clock: feed it inputs with the time, then carry out
 * {@link takeEffects}. It owns nonce counters and keys, so it is changed in place and must not be copied.
 */
export class Guest {
  readonly #primitives: Primitives;
  readonly #options: GuestOptions;
  readonly #signer: Signer;
  readonly #link: PeerLink;
  readonly #connector: Connector;
  readonly #presence: GuestPresence;
  #membership: Membership | undefined;
  #ended: GuestEnd | undefined;
  /** When the host was last heard, once the stay is over. */
  #heardAtEnd: number | undefined;
  #effects: GuestEffect[] = [];
  #sendNow: SendNow | undefined;
  /** An earlier process had this stay, and no more than this was known as sent when this one took it up. */
  #resumesUpTo: number | undefined;

  constructor(primitives: Primitives, options: GuestOptions, now: number, kept?: KeptGuest) {
    this.#primitives = primitives;
    this.#options = options;
    this.#signer = new Signer(primitives, options.link.room, kept?.secrets);
    this.#presence = new GuestPresence(this.#signer.id, { owesNotes: options.link.role === undefined });
    const emit = (effect: GuestEffect): void => {
      if (effect.type === "send" && this.#sendNow !== undefined) this.#sendNow(effect);
      else this.#effects.push(effect);
    };
    this.#link = new PeerLink("member", emit, (payload) =>
      this.#keep(GUEST_CHANGE.heard(payload, this.#link.confirmed)),
    );
    const { link, rekey } = options;
    const confirm = (hash: Bytes) => this.#confirm(hash);
    const onChange = (what: "secrets" | "addresses") => this.#keepWays(what);
    this.#connector = new Connector(
      primitives,
      { link, rekey, confirm, emit, onChange, kept: kept?.ways },
      now,
    );
  }

  /**
   * The stay of an earlier process, on its way back to the host. Everything that one was told comes once more as effects.
   * @throws {TunnelError} stay-unreadable
   */
  static restore(primitives: Primitives, options: RestoreOptions, now: number): Guest {
    return finished(Guest.restoring(primitives, options, now));
  }

  /** The same a little at a time. */
  static *restoring(
    primitives: Primitives,
    { changes, floor, rekey, keeper }: RestoreOptions,
    now: number,
  ): Steps<Guest> {
    const kept = yield* keptGuest(changes);
    const { name, workContext, link } = kept;
    // The invite is used up, and its key is gone.
    const options = { link: { ...link, key: new Uint8Array(KEY_BYTES) }, name, workContext, rekey, keeper };
    const guest = new Guest(primitives, options, now, kept);
    yield* guest.#replay(kept, now);
    guest.#signer.skipTo(floor);
    guest.#resumesUpTo = kept.resumesUpTo ?? guest.#link.sent;
    guest.#keep(GUEST_CHANGE.returned(guest.#resumesUpTo));
    return guest;
  }

  /** The room, and the key of its host, as the link named them. */
  get target(): Pick<InviteLink, "room" | "hostKey"> {
    return this.#options.link;
  }

  get self(): MemberId {
    return this.#signer.id;
  }

  /** Undefined for a member; an observer says nothing and asks for nothing (Q4). */
  get role(): ObserverRole | undefined {
    return this.#options.link.role;
  }

  get membership(): Membership | undefined {
    return this.#membership;
  }

  get lastSeq(): number {
    return this.#membership?.order.view.seq ?? 0;
  }

  get attestation(): Attestation | undefined {
    if (this.#membership === undefined) return undefined;
    const { host, replica } = this.#membership;
    return this.#signer.attestation(host, replica.log);
  }

  /** The proposal that stands. */
  get signOff(): SignOff | undefined {
    return this.#membership?.replica.signOff;
  }

  /** Own messages that the host has not confirmed yet. */
  get unplaced(): number {
    return this.#membership?.replica.unplaced ?? 0;
  }

  /** These messages; at the end of the stay they have most likely not arrived. */
  get waiting(): readonly Unplaced[] {
    return this.#membership?.replica.waiting ?? [];
  }

  /** How the connection to the host stands. */
  get connection(): ConnectionState {
    return this.#ended === undefined ? this.#connector.connection : { name: "ended", end: this.#ended };
  }

  /** When the host was last heard, in ms since the epoch. */
  get lastHeard(): number {
    return this.#heardAtEnd ?? this.#link.lastHeard ?? this.#connector.lostAt;
  }

  /** How far the host's clock is ahead of this one, in ms; undefined while nothing is known. */
  get hostClockSkew(): number | undefined {
    return this.#link.clockSkew;
  }

  /** Hands messages over as soon as they are sealed, ahead of every other effect: somebody waits for them. */
  sendThrough(send: SendNow): void {
    this.#sendNow = send;
  }

  takeEffects(): GuestEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  handle(input: GuestInput, now: number): void {
    if (this.#ended !== undefined) return;
    if (this.#link.isConnected) this.#live(input, now);
    else this.#follow(this.#connector.handle(input, now), now);
  }

  nextDeadline(): number | undefined {
    if (this.#ended !== undefined) return undefined;
    if (!this.#link.isConnected) return this.#connector.nextDeadline();
    return Math.min(this.#link.nextDeadline() ?? Number.POSITIVE_INFINITY, this.#presence.dueAt);
  }

  // --- what this member's own agent does ---

  /**
   * A message of this member; gives its own number, by which the `placed` effect names its sequence number.
   * @throws {TunnelError} observer-spoke, tunnel-closed, reply-unknown, member-unknown, outbox-full
   */
  say(outgoing: OutgoingMessage, now: number): number {
    if (this.role !== undefined) throw new TunnelError("observer-spoke");
    const { replica, order } = this.#membership ?? {};
    // A member says nothing before its own arrival is in the order.
    if (replica?.hasArrived !== true || order === undefined || this.#ended !== undefined)
      throw new TunnelError("tunnel-closed");
    assertSayable(outgoing, order, this.self);
    // Messages that a host acknowledges and never places must not pile up, either.
    const isFull = replica.unplaced >= LINK.maxOutboxFrames;
    if (isFull || !this.#link.hasRoomFor(utf8Length(outgoing.text) + LINK.frameAllowanceBytes))
      throw new TunnelError("outbox-full");
    this.#options.keeper?.reserve("said", this.#signer.next);
    const { n, payload } = replica.say(outgoing);
    const isSealed = outgoing.to !== undefined;
    this.#keep(GUEST_CHANGE.said(payload, isSealed ? encodeUtf8(outgoing.text) : undefined));
    this.#link.send(payload, now);
    return n;
  }

  /** This member's agent has read up to `read`, or merely done something in the room. */
  touch(read: number, now: number): void {
    if (this.#ended === undefined) this.#presence.touch(read, now);
  }

  /** How this member's own agent is bounded, for the others to know. */
  overseen(oversight: Oversight | undefined, now: number): void {
    if (this.#ended === undefined) this.#presence.overseen(oversight, now);
  }

  /** Leaves for good. */
  leave(now: number): void {
    if (this.#ended !== undefined) return;
    const payload = encodeMemberFrame({ t: "leave" });
    // A full outbox cannot keep anybody in: the authenticated CLOSE says the same.
    if (this.#link.isConnected && this.#link.hasRoomFor(payload.length)) this.#link.send(payload, now);
    this.#end({ by: "self" }, now);
  }

  presence(now: number): Presence[] {
    if (this.#membership === undefined) return [];
    const { lastHeard, hostClockSkew: clockSkew } = this;
    const connection = { isUp: this.#link.isConnected, lastHeard, clockSkew };
    return this.#presence.list(this.#membership, connection, now);
  }

  /** A fresh link to the same host, where the known addresses lead nowhere any more. */
  prefer(origin: string, now: number): void {
    if (this.#ended === undefined) this.#connector.prefer(origin, now);
  }

  // --- streams of this member's own (PROTOCOL §6.2) ---

  /** Asks somebody in the room for a stream; `undefined` while that cannot be asked. */
  openStream(request: StreamRequest, now: number): StreamId | undefined {
    const mayOpen = this.role === undefined && this.#link.mayOpen(streamClass(request.service));
    return mayOpen ? this.#link.openStream(request, now) : undefined;
  }

  /** Says something about a stream of this member's own; nothing once that is over. */
  stream(frame: StreamWord, now: number): void {
    this.#link.tellStream(frame, now);
  }

  /** Bytes that the other end lets come now. */
  sendable(stream: StreamId): number {
    return this.#link.streams.sendable(stream);
  }

  /** Whether the other end had let it come. */
  sendChunk(chunk: Chunk, now: number): boolean {
    return this.#link.sendChunk(chunk, now);
  }

  // --- a stay that is kept ---

  #keep(change: Bytes, how: "written" | "synced" = "written"): void {
    this.#options.keeper?.keep(change, how);
  }

  /** A change that says what this stay is now, but for own messages without a place; undefined before its arrival. */
  get base(): Bytes | undefined {
    const { replica, order } = this.#membership ?? {};
    if (replica?.hasArrived !== true || order === undefined) return undefined;
    const { standing } = order;
    const last = standing.senders.find(({ id }) => id === this.self);
    return GUEST_CHANGE.moved({
      order: standing,
      spoken: replica.standing,
      sent: this.#link.sent - replica.unplaced,
      received: this.#link.received,
      said: last && { n: last.n, hash: last.hash },
    });
  }

  /** What leads back to the host. Before the first WELCOME there is no stay to come back to. */
  #keepWays(what: "secrets" | "addresses"): void {
    if (this.#membership === undefined) return;
    const { candidates, addresses } = this.#connector.ways;
    if (what === "secrets") this.#keep(GUEST_CHANGE.secrets(candidates), "synced");
    else this.#keep(GUEST_CHANGE.addresses(addresses));
  }

  #keepBeginning(welcome: Welcome, pairing: Pairing): void {
    if (this.#options.keeper === undefined) return;
    const { link, name, workContext } = this.#options;
    const { secrets } = this.#signer;
    const { claim } = this.#connector.ways;
    this.#keep(GUEST_CHANGE.begun({ link, claim, name, workContext, secrets, pairing, welcome }));
    this.#keepWays("addresses");
    this.#keepWays("secrets");
  }

  /** @throws {TunnelError} stay-unreadable */
  *#replay({ welcome, pairing, frames }: KeptGuest, now: number): Steps<undefined> {
    try {
      const { replica } = this.#begin(welcome, pairing, now);
      let cause: EndCause | undefined;
      for (const [index, frame] of frames.entries()) {
        if (index % CHANGES_IN_STEP === 0) yield;
        if (frame.kind === "moved") {
          replica.standAt(frame.order, frame.spoken);
          this.#link.replay({ kind: "counted", sent: frame.sent, received: frame.received });
          if (frame.said !== undefined) this.#signer.continueAfter(frame.said);
        } else if (frame.kind === "said") {
          this.#link.replay({ kind: "sent", payload: frame.payload });
          replica.sayAgain(frame.payload, frame.text);
        } else {
          this.#link.replay({ kind: "confirmed", number: frame.confirmed });
          this.#link.replay({ kind: "received" });
          cause = replica.take(decodeHostFrame(frame.payload), now);
        }
      }
      if (cause !== undefined) this.#end({ by: "host", cause }, now);
    } catch (error) {
      if (!(error instanceof TunnelError)) throw error;
      throw new TunnelError("stay-unreadable", { cause: error });
    }
    // Those who were told of it then need not hear of it again.
    this.#effects = this.#effects.filter(({ type }) => type !== "alarm");
    return undefined;
  }

  // --- the connection ---

  #confirm(hash: Bytes): ReturnType<ConstructorParameters<typeof Connector>[1]["confirm"]> {
    const { name, workContext } = this.#options;
    const { key, box } = this.#signer;
    // The roster has the work context from the first time on.
    const told = workContext === undefined || this.#membership !== undefined ? {} : { workContext };
    return {
      name,
      key,
      box,
      proof: this.#signer.prove(hash, this.role),
      ...told,
      received: this.#link.received,
    };
  }

  #follow(event: ConnectorEvent | undefined, now: number): void {
    if (event?.type === "gave-up") this.#end({ by: "failure", error: event.error }, now);
    if (event?.type === "arrived") this.#guarded(now, () => this.#arrived(event, now));
  }

  #arrived({ connection, welcome, records, pairing }: Arrival, now: number): void {
    const first = this.#membership?.welcome;
    // The host has more of this member than it remembers: what was kept is an old copy, and must not be gone on from.
    if (welcome.received > (this.#resumesUpTo ?? Number.POSITIVE_INFINITY))
      throw new TunnelError("stay-outdated");
    if (this.#resumesUpTo !== undefined) this.#keep(GUEST_CHANGE.arrived());
    this.#resumesUpTo = undefined;
    this.#link.attach(connection, { records, received: welcome.received }, now);
    // Its answer tells how far the clocks differ.
    this.#link.ask(now);
    if (first === undefined) {
      this.#begin(welcome, pairing, now);
      this.#keepBeginning(welcome, pairing);
    } else {
      if (!isSameWelcome(first, welcome))
        throw new TunnelError("protocol-violation", { detail: "another welcome than the first one" });
      this.#presence.resumed(now);
    }
    this.#effects.push({ type: "presence" });
  }

  /** The stay begins with the first WELCOME. @throws {TunnelError} protocol-violation, order-broken */
  #begin(welcome: Welcome, { safetyCode, hash }: Pairing, now: number): Membership {
    const { name: wanted, workContext, link } = this.#options;
    const { goal, name, host, idleMs, history, view } = welcome;
    const { role } = link;
    const order = orderFrom(this.#primitives, this.#signer, link.room, welcome, { wanted, role });
    const replica = new Replica({
      primitives: this.#primitives,
      signer: this.#signer,
      room: link.room,
      hash,
      welcome,
      workContext,
      role,
      order,
      presence: this.#presence,
      emit: (effect) => this.#effects.push(effect),
    });
    const membership = { welcome, goal, name, host, idleMs, history, safetyCode, order, replica };
    this.#membership = membership;
    this.#presence.begin(view.seq, now);
    return membership;
  }

  #live(input: GuestInput, now: number): void {
    if (input.type === "tick") return this.#tick(now);
    if (input.connection !== this.#link.connection) return;
    if (input.type === "message") this.#guarded(now, () => this.#receive(input.message, now));
    if (input.type === "closed" || input.type === "failed")
      this.#disconnected("host-unreachable", undefined, now);
  }

  /** A fault of the host costs the connection, and the stay unless it may have been somebody on the path. */
  #guarded(now: number, work: () => void): void {
    try {
      work();
    } catch (thrown) {
      const error = asTunnelError(thrown);
      if (error.code === "internal") throw thrown;
      this.#effects.push({ type: "alarm", error, member: undefined });
      // A host that breaks the rules or shows its members different rooms is not to be trusted again.
      if (error.code === "integrity-failed") this.#disconnected(error.code, CLOSE_CODE.violation, now);
      else this.#end({ by: "failure", error }, now);
    }
  }

  /** `code` where the socket itself still has to be closed. */
  #disconnected(reason: ErrorCode, code: number | undefined, now: number): void {
    const lastHeard = this.#link.lastHeard ?? now;
    this.#dropped(this.#link.drop(code));
    this.#effects.push({ type: "presence" });
    this.#follow(this.#connector.lost(reason, lastHeard, now), now);
  }

  /** Streams end with the connection; what they carried is asked for again. */
  #dropped(streams: readonly StreamId[]): void {
    for (const stream of streams)
      this.#effects.push({ type: "stream", event: { t: "reset", stream, code: "away" } });
  }

  // --- what the host says ---

  #receive(message: Bytes, now: number): void {
    const { event } = this.#link.receive(message, now);
    switch (event?.type) {
      case undefined:
        return;
      case "durable":
        return this.#hostFrame(event.payload, now);
      case "note":
        return this.#hostNote(event.payload, now);
      case "stream":
        return this.#streamFrame(event.payload, now);
      case "chunk":
        return this.#chunk(event.chunk);
      case "close":
        return this.#closedByHost(event.reason, now);
    }
  }

  #hostFrame(payload: Bytes, now: number): void {
    const decoded = decodeHostFrame(payload);
    // The host's agent waits to hear whether its words have come; checking them takes longer than all the rest.
    if (isSaidBy(decoded.frame, this.#membership?.host)) this.#link.acknowledge(now);
    const cause = this.#membership?.replica.take(decoded, now);
    if (cause !== undefined) this.#end({ by: "host", cause }, now);
  }

  #hostNote(payload: Bytes, now: number): void {
    const { members, addresses } = decodeHostNote(payload);
    this.#presence.told(members, now);
    this.#connector.announced(addresses ?? []);
    this.#effects.push({ type: "presence" });
  }

  #streamFrame(payload: Bytes, now: number): void {
    if (this.role !== undefined)
      throw new TunnelError("protocol-violation", { detail: "a stream to one who only reads along" });
    const { frame, isLive } = this.#link.takeStream(payload, now);
    if (isLive) this.#effects.push({ type: "stream", event: frame });
  }

  #chunk(chunk: Chunk): void {
    if (this.#link.takeChunk(chunk) === "open")
      this.#effects.push({ type: "stream", event: { t: "chunk", ...chunk } });
  }

  #closedByHost(reason: number, now: number): void {
    if (reason === CLOSE.removed) return this.#end({ by: "removal" }, now);
    const cause = CAUSE_OF.get(reason);
    if (cause !== undefined) return this.#end({ by: "host", cause }, now);
    this.#disconnected("host-unreachable", undefined, now);
  }

  // --- time and the end ---

  #tick(now: number): void {
    if (!this.#link.tick(now)) return this.#disconnected("host-unreachable", CLOSE_CODE.silent, now);
    const note = this.#presence.takeNote(now);
    if (note !== undefined) this.#link.note(note, now);
  }

  #end(end: GuestEnd, now: number): void {
    const isViolation = end.by === "failure";
    // A host that is connected is there until the end, unless it was not to be believed.
    this.#heardAtEnd = this.#link.isConnected && !isViolation ? now : this.lastHeard;
    const streams =
      end.by === "self"
        ? this.#link.finish(CLOSE.left, now)
        : this.#link.drop(isViolation ? CLOSE_CODE.violation : CLOSE_CODE.normal);
    this.#connector.stop();
    this.#dropped(streams);
    this.#ended = end;
    this.#effects.push({ type: "ended", end });
  }
}

function isSaidBy(frame: HostFrame, host: MemberId | undefined): boolean {
  return frame.t === "event" && frame.event.kind === "chat" && frame.event.from === host;
}
