import { must } from "../../errors/must.ts";
import { fromBase64url, type Bytes } from "../base/bytes.ts";
import {
  ROOM_ID_BYTES,
  roomIdFrom,
  type ConnectionId,
  type InviteId,
  type MemberId,
  type RoomId,
} from "../base/ids.ts";
import type { Oversight } from "../room/oversight.ts";
import { LINK, ROOM } from "../base/limits.ts";
import { finished, type Steps } from "../keeping/keeper.ts";
import { uniqueName } from "../base/names.ts";
import type { DhKeyPair, Primitives } from "../base/primitives.ts";
import { encodeUtf8, utf8Length } from "../base/utf8.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { DENIED } from "../handshake/handshake.ts";
import type { StreamRequest, StreamWord } from "../link/stream-frames.ts";
import { CLOSE_CODE, type SendNow } from "../link/wire.ts";
import type { Chunk, StreamId } from "../record/chunk.ts";
import type { Attestation } from "../room/audit-log.ts";
import { CLOSE } from "../room/close-reasons.ts";
import type { ChatEvent, EndCause } from "../room/frames.ts";
import { isObserver, NO_HASH, RoomOrder } from "../room/order.ts";
import { assertSayable, type OutgoingMessage, type Presence } from "../room/participant.ts";
import { Signer } from "../room/signer.ts";
import { Admission, type AuthenticatedPeer } from "./admission.ts";
import { BackPressure } from "./back-pressure.ts";
import { IdleClock } from "./idle.ts";
import { Inbound } from "./inbound.ts";
import { InviteLedger, type ObserverSeat, type PendingInvite } from "./invites.ts";
import { keptRoom, ROOM_BASE, RoomKeeping, type RoomBegun } from "./kept.ts";
import { MemberSessions, isConnected } from "./member-sessions.ts";
import { Membership } from "./membership.ts";
import { PresenceBoard, type MemberWays } from "./presence-board.ts";
import { Receipts } from "./receipts.ts";
import { RoomReplay } from "./replay.ts";
import type { RoomEffect, RoomInput, RoomOptions } from "./room-io.ts";
import { Sequencer } from "./sequencer.ts";
import { StreamRelay } from "./stream-relay.ts";
import type { SignOff } from "../sign-off/sign-offs.ts";

interface RestoreOptions extends Pick<RoomOptions, "mayEnter" | "keeper" | "keptForSec" | "rekey"> {
  readonly changes: readonly Bytes[];
  /**
   * Numbers of own messages and places up to these may have been used without a trace. With them the room goes on; without, it is
   * looked at alone.
   */
  readonly floors?: { readonly said: number; readonly placed: number };
}

/**
 * The host's machine (PROTOCOL §4 to §8): a room, its admission and its members, without sockets, timers or a clock. Feed
 * it inputs with the time, then carry out {@link takeEffects}. It owns nonce counters and keys, so it is changed in
 * place and must not be copied.
 */
export class Room {
  readonly #hostStatic: DhKeyPair;
  readonly #signer: Signer;
  readonly #order: RoomOrder;
  readonly #sequencer: Sequencer;
  readonly #ledger: InviteLedger;
  readonly #admission: Admission;
  readonly #membership: Membership;
  readonly #inbound: Inbound;
  readonly #backPressure: BackPressure;
  readonly #idle: IdleClock;
  readonly #sessions = new MemberSessions();
  readonly #receipts = new Receipts();
  readonly #presence: PresenceBoard;
  readonly #streamRelay: StreamRelay;
  #effects: RoomEffect[] = [];
  #sendNow: SendNow | undefined;
  #ended: EndCause | undefined;
  readonly #mayEnter: RoomOptions["mayEnter"];
  readonly #keeping: RoomKeeping;

  readonly #primitives: Primitives;

  readonly id: RoomId;
  readonly goal: string;
  readonly history: boolean;
  readonly idleMs: number;

  constructor(primitives: Primitives, options: RoomOptions, now: number, kept?: RoomBegun) {
    const { goal, hostName, workContext, idleMs, history, rekey, keptForSec = () => 0 } = options;
    const room = kept === undefined ? primitives.random(ROOM_ID_BYTES) : bytesOfRoom(kept.room);
    const keeping = new RoomKeeping(options.keeper);
    this.#keeping = keeping;
    this.#primitives = primitives;
    this.goal = goal;
    this.history = history;
    this.idleMs = idleMs;
    this.id = roomIdFrom(room);
    this.#mayEnter = options.mayEnter;
    this.#hostStatic =
      kept === undefined ? primitives.generateDhKeyPair() : primitives.importDhKeyPair(kept.hostStatic);
    this.#signer = new Signer(primitives, this.id, kept?.secrets);
    const { id, key, box } = this.#signer;
    const name = uniqueName(hostName, []);
    const proof = this.#signer.prove(NO_HASH);
    const host = {
      id,
      name,
      key,
      box,
      hash: NO_HASH,
      proof,
      ...(workContext === undefined ? {} : { workContext }),
    };
    const sessions = this.#sessions;
    const signer = this.#signer;
    const order = RoomOrder.genesis(primitives, this.id, host);
    const emit = (effect: RoomEffect): void => this.#emit(effect);
    this.#order = order;
    this.#idle = new IdleClock(idleMs, now);
    this.#backPressure = new BackPressure({ sessions, order, emit });
    this.#sequencer = new Sequencer({ primitives, sessions, order, signer, history, keeping, emit });
    this.#streamRelay = new StreamRelay({
      sessions,
      self: id,
      onEvent: (event) => emit({ type: "stream", event }),
    });
    this.#presence = new PresenceBoard({ self: id, order, sessions, emit });
    this.#ledger = new InviteLedger(primitives, options.inviteMs);
    this.#admission = new Admission(primitives, {
      room,
      hostStatic: this.#hostStatic,
      ledger: this.#ledger,
      sessionOf: (id, now) => sessions.resumedBy(id, now),
      rekey,
    });
    this.#membership = new Membership({
      primitives,
      sessions,
      ledger: this.#ledger,
      order,
      sequencer: this.#sequencer,
      presence: this.#presence,
      receipts: this.#receipts,
      streamRelay: this.#streamRelay,
      keeping,
      welcome: () => ({ goal, host: id, idleMs, history, keptForSec: keptForSec() }),
      emit,
    });
    this.#inbound = new Inbound({
      order,
      signer,
      sequencer: this.#sequencer,
      membership: this.#membership,
      presence: this.#presence,
      backPressure: this.#backPressure,
      receipts: this.#receipts,
      streamRelay: this.#streamRelay,
      idle: this.#idle,
      keeping,
      emit,
    });
    if (kept === undefined) this.#keepBeginning(options);
  }

  /**
   * The room of an earlier process, in which nobody is connected. Everything that one was told comes once more as effects.
   * @throws {TunnelError} stay-unreadable
   */
  static restore(primitives: Primitives, options: RestoreOptions, now: number): Room {
    return finished(Room.restoring(primitives, options, now));
  }

  /** The same a little at a time. */
  static *restoring(
    primitives: Primitives,
    { changes, floors, ...options }: RestoreOptions,
    now: number,
  ): Steps<Room> {
    const { begun, happened } = yield* keptRoom(changes);
    const room = new Room(primitives, { ...begun, ...options }, now, begun);
    const replay = new RoomReplay({
      primitives,
      room: room.id,
      self: room.self,
      signer: room.#signer,
      order: room.#order,
      sequencer: room.#sequencer,
      sessions: room.#sessions,
      ledger: room.#ledger,
      membership: room.#membership,
      presence: room.#presence,
      inbound: room.#inbound,
      receipts: room.#receipts,
      keeping: room.#keeping,
      onEnded: (cause) => void (room.#ended = cause),
    });
    yield* replay.replay(happened, now);
    if (floors !== undefined && room.#isOpen()) {
      room.#signer.skipTo(floors.said);
      replay.goOn(floors.placed, now);
    }
    // Those who were told of it then need not hear of it again.
    room.#effects = room.#effects.filter(({ type }) => type === "entry" || type === "ended");
    return room;
  }

  /** So many of the last places a later process has to go through one by one: those that wait for a member, or for newcomers. */
  get lastNeeded(): number {
    const waiting = this.#sessions.all.map(({ link }) => link.sent - link.confirmed);
    return Math.max(this.#sequencer.log.pastFrames.length, ...waiting);
  }

  /**
   * Changes that say, behind the one of its beginning, what this room is now, where its members have confirmed everything.
   * @param unplaced those of whom the last frame has no place yet, which then comes behind these changes
   */
  base(unplaced: ReadonlySet<MemberId>, now: number): Bytes[] {
    const changes: Bytes[] = [];
    const keeping = new RoomKeeping({
      keep: (change) => void changes.push(change),
      reserve: () => undefined,
    });
    const { standing } = this.#order;
    const last = standing.senders.find(({ id }) => id === this.self);
    const past = this.#sequencer.log.pastFrames.map(({ payload }) => payload);
    const said = last && { n: last.n, hash: last.hash };
    changes.push(ROOM_BASE.moved(standing, this.#sequencer.standing, said, past));
    for (const { inviteId } of this.#ledger.pending(now))
      keeping.invite(must(this.#ledger.live(inviteId, now), "a pending invite"));
    for (const session of this.#sessions.all) {
      const { member, link, resumesUpTo } = session;
      keeping.seat(session);
      const received = link.received - (unplaced.has(member.id) ? 1 : 0);
      changes.push(ROOM_BASE.counted(member.id, { sent: link.sent, received, resumesUpTo }));
    }
    keeping.addresses(this.#presence.addresses);
    return changes;
  }

  #keepBeginning(options: RoomOptions): void {
    const { goal, hostName, workContext, idleMs, inviteMs, history } = options;
    this.#keeping.begun({
      room: this.id,
      hostStatic: this.#hostStatic.exportSecret(),
      secrets: this.#signer.secrets,
      goal,
      hostName,
      workContext,
      idleMs,
      inviteMs,
      history,
    });
  }

  /** For the link (L1). */
  get hostKey(): Bytes {
    return this.#hostStatic.publicKey;
  }

  /**
   * 32 secret bytes of which a provider can make a key of its own, by which it knows this room: the same after a return. They tell
   * nothing of any other key.
   */
  get addressSeed(): Bytes {
    const secret = this.#hostStatic.exportSecret();
    return this.#primitives.hkdfSha256(secret, new Uint8Array(0), encodeUtf8("tunnel-mcp/1 address"), 32);
  }

  get self(): MemberId {
    return this.#signer.id;
  }

  get lastSeq(): number {
    return this.#order.view.seq;
  }

  get attestation(): Attestation {
    return this.#signer.attestation(this.self, this.#sequencer.log);
  }

  /** The proposal that stands. */
  get signOff(): SignOff | undefined {
    return this.#sequencer.signOff;
  }

  get ended(): EndCause | undefined {
    return this.#ended;
  }

  /** The times of the room are its host's own. */
  get hostClockSkew(): number {
    return 0;
  }

  /** When the room ends if nobody does anything. */
  get idleAt(): number {
    return this.#idle.endsAt;
  }

  /** Hands messages over as soon as they are sealed, ahead of every other effect: somebody waits for them. */
  sendThrough(send: SendNow): void {
    this.#sendNow = send;
  }

  takeEffects(): RoomEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** Whether a new socket of this source may be upgraded at all. */
  admits(source: string, now: number): boolean {
    return this.#isOpen() && this.#admission.admits(source, now);
  }

  handle(input: RoomInput, now: number): void {
    if (!this.#isOpen()) return;
    this.#dispatch(input, now);
    // Nothing may come after the end, which the call above can have been.
    if (this.#isOpen()) this.#membership.expel(now);
  }

  #dispatch(input: RoomInput, now: number): void {
    switch (input.type) {
      case "opened":
        return this.#opened(input.connection, input.source, now);
      case "message":
        return this.#message(input.connection, input.message, now);
      case "control":
        return this.#backPressure.chargeControl(input.connection, now);
      case "closed":
        return this.#closed(input.connection, now);
      case "tick":
        return this.#tick(now);
    }
  }

  nextDeadline(): number | undefined {
    if (!this.#isOpen()) return undefined;
    let next = Math.min(
      this.#idle.nextDeadline(),
      this.#admission.nextDeadline() ?? Number.POSITIVE_INFINITY,
      this.#presence.dueAt,
      this.#streamRelay.dueAt,
    );
    for (const session of this.#sessions.all) {
      next = Math.min(next, this.#membership.nextDeadline(session));
      if (isConnected(session)) next = Math.min(next, this.#backPressure.nextDeadline(session));
    }
    return next;
  }

  // --- what the host's own agent does ---

  /**
   * @param seat of an observer; the invite makes a member where left out
   * @throws {TunnelError} as {@link assertMintable}
   */
  mint(now: number, seat?: ObserverSeat): { inviteId: InviteId; key: Bytes; expiresInMs: number } {
    this.assertMintable(1, now, seat);
    const minted = this.#ledger.mint(now, seat);
    this.#keeping.invite(must(this.#ledger.live(minted.inviteId, now), "a new invite"));
    return minted;
  }

  /**
   * Whether so many invites could be minted now.
   * @throws {TunnelError} tunnel-closed; invite-limit: member sessions and pending invites together are bounded (I8), and members
   *   ever (O11); observer-limit, no-history (Q6)
   */
  assertMintable(count: number, now: number, seat?: ObserverSeat): void {
    this.#assertOpen();
    const pending = this.#ledger.pending(now);
    const likewise = pending.filter((one) => (one.seat === undefined) === (seat === undefined)).length;
    if (seat?.role === "observer-history" && !this.history) throw new TunnelError("no-history");
    const { members, observers } = this.#sessions;
    if (seat !== undefined && observers.length + likewise + count > ROOM.maxObservers)
      throw new TunnelError("observer-limit");
    const isFull = seat === undefined && 1 + members.length + likewise + count > ROOM.maxMembers;
    if (isFull || this.#order.everybodySoFar + pending.length + count > ROOM.maxMembersEver)
      throw new TunnelError("invite-limit");
  }

  revoke(inviteId: string, now: number): boolean {
    const pending = this.#ledger.pending(now).find((invite) => invite.inviteId === inviteId);
    if (pending === undefined) return false;
    this.#keeping.revoked(pending.inviteId);
    return this.#ledger.revoke(pending.inviteId, now);
  }

  pendingInvites(now: number): PendingInvite[] {
    return this.#ledger.pending(now);
  }

  /**
   * A message of the host; gives its sequence number in the room, which it has at once.
   * @throws {TunnelError} tunnel-closed, nobody-joined, reply-unknown, member-unknown, outbox-full
   */
  say(outgoing: OutgoingMessage, now: number): number {
    this.#assertOpen();
    const { members } = this.#sessions;
    if (members.length === 0) throw new TunnelError("nobody-joined");
    assertSayable(outgoing, this.#order, this.self);
    const { to, text } = outgoing;
    const audience = members.filter(({ member }) => to?.includes(member.id) !== false);
    this.#backPressure.assertRoom(this.self, audience, utf8Length(text), now);
    this.#idle.touch(now);
    this.#keeping.reserve("said", this.#signer.next);
    const { fields, body, hash } = this.#signer.sign(outgoing, this.#order.view, this.#order.members);
    const event: ChatEvent = { kind: "chat", from: this.self, ...fields };
    this.#sequencer.chat(event, body, { hash, source: { text } }, now);
    this.#sequencer.show(event, text);
    this.#backPressure.hostSaid(this.self, body.length, now);
    const seq = this.lastSeq;
    this.#receipts.expect(seq, audience);
    this.#membership.expel(now);
    return seq;
  }

  /** The host's agent has read up to `seq`, or merely done something in the room. */
  touch(read: number, now: number): void {
    if (!this.#isOpen()) return;
    this.#idle.touch(now);
    this.#presence.hostRead(read, now);
  }

  /** How the host's own agent is bounded, for the members to know. */
  overseen(oversight: Oversight | undefined, now: number): void {
    if (this.#isOpen()) this.#presence.hostOverseen(oversight, now);
  }

  /**
   * Takes the session of a member away for good (G9): it is told if it can be, its secrets are void, and the others see it.
   * @throws {TunnelError} tunnel-closed, member-unknown
   */
  remove(id: MemberId, now: number): void {
    this.#assertOpen();
    const session = this.#sessions.of(id);
    if (session === undefined) throw new TunnelError("member-unknown");
    this.#idle.touch(now);
    this.#membership.remove(session, "removed", now);
    this.#membership.expel(now);
  }

  /** Where members find this room from now on, as origins, best first; told to those who are connected, sealed (U1). */
  setAddresses(origins: readonly string[], now: number): void {
    if (!this.#isOpen()) return;
    const addresses = origins.slice(0, LINK.maxAddresses);
    this.#keeping.addresses(addresses);
    this.#presence.setAddresses(addresses, now);
  }

  /** Where each member may look for this room, should it lose its connection. */
  ways(now: number): MemberWays[] {
    return this.#presence.ways(now);
  }

  /** Ends the room for everyone; every member is told why, in order and sealed. */
  end(cause: EndCause, now: number): void {
    if (!this.#isOpen()) return;
    this.#sequencer.system({ kind: "ended", cause }, now);
    this.#ended = cause;
    this.#membership.end(cause, now);
    this.#ledger.wipe();
    this.#effects.push({ type: "ended", cause });
  }

  presence(now: number): Presence[] {
    return this.#presence.list(now);
  }

  // --- streams of the host's own (PROTOCOL §6.2) ---

  /** Asks a member for a stream; `undefined` while it cannot be asked. */
  openStream(request: StreamRequest, now: number): StreamId | undefined {
    return this.#isOpen() ? this.#streamRelay.open(request, now) : undefined;
  }

  /** Says something about a stream of the host's own; nothing once that is over. */
  stream(frame: StreamWord, now: number): void {
    if (this.#isOpen()) this.#streamRelay.own(frame, now);
  }

  /** Bytes that the other end lets come now. */
  sendable(stream: StreamId): number {
    return this.#isOpen() ? this.#streamRelay.sendable(stream) : 0;
  }

  /** Whether the other end had let it come. */
  sendChunk(chunk: Chunk, now: number): boolean {
    if (!this.#isOpen() || !this.#streamRelay.ownChunk(chunk, now)) return false;
    this.#idle.touch(now);
    return true;
  }

  // --- connections ---

  #opened(connection: ConnectionId, source: string, now: number): void {
    const opened = this.#admission.open(connection, source, now);
    if (opened === undefined) return this.#close(connection, CLOSE_CODE.denied);
    if (opened.evicted !== undefined) this.#close(opened.evicted, CLOSE_CODE.late);
    this.#send(connection, opened.challenge);
  }

  #message(connection: ConnectionId, message: Bytes, now: number): void {
    const session = this.#sessions.at(connection);
    if (session !== undefined) return this.#inbound.message(session, message, now);
    if (!this.#admission.has(connection)) return;
    const answer = this.#admission.receive(connection, message, now);
    if (answer !== undefined && "accept" in answer) {
      if (answer.evicted !== undefined) this.#close(answer.evicted, CLOSE_CODE.late);
      return this.#send(connection, answer.accept);
    }
    if (answer !== undefined) {
      if (this.#isAskedAbout(answer.peer)) return this.#postpone(answer.peer, connection, now);
      const outcome = this.#membership.enter(answer.peer, connection, now);
      if (outcome === "in") {
        const session = this.#sessions.at(connection);
        this.#backPressure.chargeConnection(connection, now);
        // A resume point confirms what an acknowledgement lost in the cut would have (D5).
        this.#inbound.confirmed(session);
        // Reading along keeps no room open (Q5).
        return isObserver(session?.member) ? undefined : this.#idle.touch(now);
      }
      this.#admission.refused(answer.peer, now);
      if (outcome === "outdated") return this.#partFrom(answer.peer, connection, now);
    }
    this.#send(connection, DENIED);
    this.#close(connection, CLOSE_CODE.denied);
  }

  /** Whether the host's person has still to say that whoever comes with this invite may enter (I9). */
  #isAskedAbout({ entitlement, confirm }: AuthenticatedPeer): boolean {
    if (entitlement.kind !== "invite") return false;
    return this.#mayEnter?.(entitlement.inviteId, confirm.name) === "asked";
  }

  /** It may come again with the same link: nothing of it is used up. */
  #postpone(peer: AuthenticatedPeer, connection: ConnectionId, now: number): void {
    for (const message of peer.records.sealClose(CLOSE.asked, now)) this.#send(connection, message);
    this.#admission.postponed(peer);
    this.#close(connection, CLOSE_CODE.normal);
  }

  /** A member that has heard what this host does not remember, or does not remember what it has confirmed (D5). */
  #partFrom({ records, entitlement }: AuthenticatedPeer, connection: ConnectionId, now: number): void {
    for (const message of records.sealClose(CLOSE.outdated, now)) this.#send(connection, message);
    this.#close(connection, CLOSE_CODE.denied);
    const session = entitlement.kind === "resume" ? this.#sessions.of(entitlement.member) : undefined;
    // Elsewhere it is a fault of that member alone.
    if (session?.resumesUpTo !== undefined)
      this.#emit({ type: "alarm", error: new TunnelError("stay-outdated"), member: session.member.id });
  }

  #closed(connection: ConnectionId, now: number): void {
    if (this.#admission.has(connection)) return this.#admission.close(connection);
    const session = this.#sessions.at(connection);
    if (session !== undefined) this.#membership.drop(session, undefined, now);
  }

  // --- time ---

  #tick(now: number): void {
    for (const connection of this.#admission.expire(now)) this.#close(connection, CLOSE_CODE.late);
    for (const session of this.#sessions.all) {
      this.#membership.tick(session, now);
      if (isConnected(session)) this.#backPressure.tick(session, now);
    }
    this.#streamRelay.tick(now);
    if (now >= this.#presence.dueAt) this.#presence.tellAll(now);
    if (this.#idle.takeWarning(now)) {
      this.#sequencer.system({ kind: "idle-warning", endsInMs: Math.max(0, this.idleAt - now) }, now);
    }
    if (now >= this.idleAt) this.end("idle", now);
  }

  // --- small things ---

  #isOpen(): boolean {
    return this.#ended === undefined;
  }

  #assertOpen(): void {
    if (!this.#isOpen()) throw new TunnelError("tunnel-closed");
  }

  #emit(effect: RoomEffect): void {
    if (effect.type === "send" && this.#sendNow !== undefined) this.#sendNow(effect);
    else this.#effects.push(effect);
  }

  /** Before there is a link: messages of the handshake, and sockets that are turned away. */
  #send(connection: ConnectionId, message: Bytes): void {
    this.#emit({ type: "send", connection, message });
  }

  #close(connection: ConnectionId, code: number): void {
    this.#effects.push({ type: "close", connection, code });
  }
}

function bytesOfRoom(room: RoomId): Bytes {
  return must(fromBase64url(room, ROOM_ID_BYTES), "the bytes of a room's id");
}
