import { chunkPrice, type Chunk, type StreamId } from "../record/chunk.ts";
import { Broadcast } from "./sequencer.ts";
import { equalBytes, fromBase64url, wipe, type Bytes } from "../base/bytes.ts";
import type { ChannelEvent } from "../reliable/channel-events.ts";
import { CLOSE, CLOSE_OF } from "../room/close-reasons.ts";
import { Door, type Entrant } from "./admission.ts";
import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import type { Witness } from "../room/audit-log.ts";
import {
  FrameCodec,
  type ChatEvent,
  type EndCause,
  type HostNote,
  type LeaveCause,
  type MemberNote,
  type MemberRecord,
} from "../room/frames.ts";
import { DENIED } from "../handshake/handshake.ts";
import {
  ROOM_ID_BYTES,
  roomIdFrom,
  type InviteId,
  type MemberId,
  type RoomId,
  type ConnectionId,
} from "../base/ids.ts";
import { IdleClock } from "./idle.ts";
import { InviteLedger, type PendingInvite } from "./invites.ts";
import { resumeCredential } from "../handshake/keys.ts";
import { Junction } from "./stream-relay.ts";
import { LINK, RATE, ROOM } from "../base/limits.ts";
import { memberIdOf, RoomOrder } from "../room/order.ts";
import { HANGUP, isPlace, type Presence, type Utterance } from "../room/participant.ts";
import { PresenceBoard } from "./presence-board.ts";
import type { DhKeyPair, Primitives } from "../base/primitives.ts";
import { Receipts } from "./receipts.ts";
import { FRAME } from "../record/record.ts";
import type { RoomEffect, RoomInput, RoomOptions } from "./room-io.ts";
import { newSeat, type Seat } from "./member-session.ts";
import { Seating, uniqueName } from "./member-sessions.ts";
import { Speaker } from "../room/identity.ts";
import { type StreamFrame, type StreamOpen, type StreamRequest } from "../link/streams.ts";

/**
 * The host's machine (PROTOCOL §4 to §8): a room, its door and its members, without sockets, timers or a clock. Feed
 * it inputs with the time, then carry out {@link takeEffects}. It owns nonce counters and keys, so it is changed in
 * place and must not be copied.
 */
export class Room {
  readonly #primitives: Primitives;
  readonly #codec: FrameCodec;
  readonly #options: RoomOptions;
  readonly #hostStatic: DhKeyPair;
  readonly #speaker: Speaker;
  readonly #order: RoomOrder;
  readonly #broadcast: Broadcast;
  readonly #ledger: InviteLedger;
  readonly #door: Door;
  readonly #idle: IdleClock;
  readonly #seats = new Seating();
  readonly #receipts = new Receipts();
  readonly #presence: PresenceBoard;
  readonly #junction: Junction;
  #effects: RoomEffect[] = [];
  #addresses: readonly string[] = [];
  #ended: EndCause | undefined;

  readonly id: RoomId;

  constructor(primitives: Primitives, options: RoomOptions, now: number) {
    this.#primitives = primitives;
    this.#codec = new FrameCodec(primitives);
    this.#options = options;
    this.#idle = new IdleClock(options.idleMs, now);
    this.id = roomIdFrom(primitives.random(ROOM_ID_BYTES));
    this.#hostStatic = primitives.generateDhKeyPair();
    this.#speaker = new Speaker(primitives, this.id);
    const { id, key, box } = this.#speaker;
    const { hostName: name, card } = options;
    const host = { id, name, key, box, ...(card === undefined ? {} : { card }) };
    this.#order = RoomOrder.genesis(primitives, this.id, host);
    this.#broadcast = new Broadcast({
      primitives,
      codec: this.#codec,
      seats: this.#seats,
      order: this.#order,
      speaker: this.#speaker,
      history: options.history,
      emit: (effect) => this.#effects.push(effect),
    });
    this.#junction = new Junction({
      primitives,
      seats: this.#seats,
      self: id,
      emit: (effect) => this.#effects.push(effect),
    });
    this.#presence = new PresenceBoard({ codec: this.#codec, order: this.#order, seats: this.#seats });
    this.#ledger = new InviteLedger(primitives, options.inviteMs);
    this.#door = new Door(primitives, this.#codec, {
      room: fromBase64url(this.id, ROOM_ID_BYTES) ?? new Uint8Array(ROOM_ID_BYTES),
      hostStatic: this.#hostStatic,
      ledger: this.#ledger,
      seatOf: (id) => this.#seats.resumedBy(id),
    });
  }

  /** For the link (L1). */
  get hostKey(): Bytes {
    return this.#hostStatic.publicKey;
  }

  get self(): MemberId {
    return this.#speaker.id;
  }

  get lastSeq(): number {
    return this.#order.view.seq;
  }

  get witness(): Witness {
    const { log } = this.#broadcast;
    const attest = (transcript: Bytes): Bytes => this.#speaker.attest(transcript);
    return { room: this.id, host: this.self, self: this.self, log, attest };
  }

  get ended(): EndCause | undefined {
    return this.#ended;
  }

  /** When the room ends if nobody does anything. */
  get idleAt(): number {
    return this.#idle.endsAt;
  }

  takeEffects(): RoomEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** Whether a new socket of this source may be upgraded at all. */
  admits(source: string, now: number): boolean {
    return this.#ended === undefined && this.#door.admits(source, now);
  }

  handle(input: RoomInput, now: number): void {
    if (this.#ended !== undefined) return;
    this.#dispatch(input, now);
    // Nothing may come after the end, which the call above can have been.
    if (this.#isOpen()) this.#expel(now);
  }

  #dispatch(input: RoomInput, now: number): void {
    switch (input.type) {
      case "opened":
        return this.#opened(input.connection, input.source, now);
      case "message":
        return this.#message(input.connection, input.message, now);
      case "control":
        return this.#spend(input.connection, 1, 0, now);
      case "closed":
        return this.#closed(input.connection, now);
      case "tick":
        return this.#tick(now);
    }
  }

  nextDeadline(): number | undefined {
    if (this.#ended !== undefined) return undefined;
    const deadlines = [
      this.#idle.nextDeadline(),
      this.#door.nextDeadline(),
      this.#presence.dueAt,
      ...this.#seats.all.map((seat) => this.#seatDeadline(seat)),
    ];
    return Math.min(...deadlines.map((deadline) => deadline ?? Number.POSITIVE_INFINITY));
  }

  // --- what the host's own agent does ---

  /** @throws {TunnelError} invite-limit: seats and pending invites together are bounded */
  mint(now: number): { inviteId: InviteId; key: Bytes; expiresInMs: number } {
    this.#assertOpen();
    const taken = 1 + this.#seats.size + this.#ledger.pending(now).length;
    if (taken >= ROOM.maxMembers) throw new TunnelError("invite-limit");
    return this.#ledger.mint(now);
  }

  revoke(inviteId: string, now: number): boolean {
    const pending = this.#ledger.pending(now).find((invite) => invite.inviteId === inviteId);
    return pending !== undefined && this.#ledger.revoke(pending.inviteId, now);
  }

  pendingInvites(now: number): PendingInvite[] {
    return this.#ledger.pending(now);
  }

  /**
   * A message of the host: its place in the room's order, at once.
   * @throws {TunnelError} tunnel-closed, nobody-joined, reply-unknown, member-unknown, outbox-full
   */
  say(utterance: Utterance, now: number): number {
    this.#assertOpen();
    if (this.#seats.size === 0) throw new TunnelError("nobody-joined");
    this.#assertReply(utterance.replyTo);
    const { to } = utterance;
    if (to?.some((id) => this.#seats.of(id) === undefined)) throw new TunnelError("member-unknown");
    const bytes = this.#primitives.encodeUtf8(utterance.text).length;
    // Whoever is away may lose its seat by it, but not all of them, and nobody who is only slow.
    const hasRoom = ({ channel }: Seat): boolean => channel.hasRoomFor(bytes + ROOM.maxTextBytes);
    const audience = this.#seats.all.filter(({ member }) => to?.includes(member.id) !== false);
    const connected = audience.filter(isConnected);
    if (!audience.some(hasRoom) || !connected.every(hasRoom)) {
      this.#watch(connected, now);
      throw new TunnelError("outbox-full");
    }
    this.#idle.touch(now);
    const { fields, body, hash } = this.#speaker.say(utterance, this.#order.view, this.#order.members);
    const event: ChatEvent = { kind: "chat", from: this.self, ...fields };
    this.#broadcast.chat(event, body, hash, now);
    this.#broadcast.show(event, utterance.text, now);
    this.#watch(connected, now);
    const seq = this.lastSeq;
    this.#receipts.expect(seq, connected);
    this.#expel(now);
    return seq;
  }

  /** The host's agent has read up to `seq`, or merely done something in the room. */
  touch(read: number, now: number): void {
    if (this.#ended !== undefined) return;
    this.#idle.touch(now);
    if (this.#presence.hostRead(read)) this.#schedulePresence(now);
  }

  // --- files, on streams of their own (PROTOCOL §9) ---

  /** Asks whose file it is for it; `undefined` while that cannot be asked. */
  openStream(request: StreamRequest, now: number): StreamId | undefined {
    return this.#isOpen() ? this.#junction.open(request, now) : undefined;
  }

  /** Of the host's own end of a stream; nothing once that is over. */
  stream(frame: Exclude<StreamFrame, StreamOpen>, now: number): void {
    if (this.#isOpen()) this.#junction.own(frame, now);
  }

  /** Whether there was credit left for it. */
  sendChunk(chunk: Chunk, now: number): boolean {
    if (!this.#isOpen() || !this.#junction.ownChunk(chunk, now)) return false;
    this.#idle.touch(now);
    return true;
  }

  /**
   * Takes a member's seat away for good (G9): it is told if it can be, its secrets are void, and the others see it.
   * @throws {TunnelError} tunnel-closed, member-unknown
   */
  remove(id: MemberId, now: number): void {
    this.#assertOpen();
    const seat = this.#seats.of(id);
    if (seat === undefined) throw new TunnelError("member-unknown");
    this.#idle.touch(now);
    this.#remove(seat, "removed", now);
    this.#expel(now);
  }

  /** Where members find this room from now on, as origins, best first; told to those who are connected, sealed (U1). */
  setAddresses(origins: readonly string[], now: number): void {
    if (this.#ended !== undefined) return;
    this.#addresses = origins.slice(0, LINK.maxAddresses);
    // At once: the address in use may be lost next.
    this.#sendPresence(now, { addresses: [...this.#addresses] });
  }

  /** Ends the room for everyone; every member is told why, in order and sealed. */
  end(cause: EndCause, now: number): void {
    if (this.#ended !== undefined) return;
    this.#broadcast.system({ kind: "ended", cause }, now);
    this.#ended = cause;
    for (const seat of this.#seats.all) {
      wipe(seat.credential.psk, seat.credential.mac);
      const { connection } = seat;
      if (connection === undefined) continue;
      this.#send(connection, seat.channel.finish(CLOSE_OF[cause], now));
      this.#hangup(connection, HANGUP.normal, seat.channel.waiting > 0);
    }
    this.#ledger.wipe();
    this.#effects.push({ type: "ended", cause });
  }

  presence(now: number): Presence[] {
    return this.#presence.list(now);
  }

  // --- connections ---

  #opened(connection: ConnectionId, source: string, now: number): void {
    const opened = this.#door.open(connection, source, now);
    if (opened === undefined) return this.#hangup(connection, HANGUP.denied);
    if (opened.evicted !== undefined) this.#hangup(opened.evicted, HANGUP.late);
    this.#send(connection, [opened.challenge]);
  }

  #message(connection: ConnectionId, message: Bytes, now: number): void {
    const seat = this.#seats.at(connection);
    if (seat !== undefined) return this.#memberMessage(seat, connection, message, now);
    if (!this.#door.has(connection)) return;
    const answer = this.#door.receive(connection, message, now);
    if (answer !== undefined && "accept" in answer) {
      if (answer.evicted !== undefined) this.#hangup(answer.evicted, HANGUP.late);
      return this.#send(connection, [answer.accept]);
    }
    if (answer !== undefined && this.#enter(answer.entrant, connection, now)) return;
    this.#send(connection, [DENIED]);
    this.#hangup(connection, HANGUP.denied);
  }

  /** What arrives has its price; a member that is in debt is not read from until it has earned it back (E1). */
  #spend(connection: ConnectionId, frames: number, bytes: number, now: number): void {
    const ms = this.#seats.at(connection)?.budget.spend(frames, bytes, now) ?? 0;
    if (ms > 0) this.#effects.push({ type: "pause", connection, ms });
  }

  /** What a member says goes out to all: it has the price of its copies, and waits for those who cannot keep up (E1, E3). */
  #spendCopies({ connection }: Seat, bytes: number, now: number): void {
    if (connection === undefined) return;
    const shares = Math.floor(this.#seats.size / RATE.membersPerShare);
    this.#spend(connection, shares, shares * bytes, now);
    const connected = this.#seats.all.filter(isConnected);
    this.#watch(connected, now);
    const fullest = Math.max(0, ...connected.map(({ channel }) => channel.load.fill));
    const ms = RATE.congestionMs.findLast(([fill]) => fullest >= fill)?.[1];
    if (ms !== undefined) this.#effects.push({ type: "pause", connection, ms });
  }

  /** Whoever slows the others down must at least take in what is meant to wait for it: else it has fallen behind (E3). */
  #watch(connected: readonly Seat[], now: number): void {
    for (const seat of connected) {
      const { fill, drained } = seat.channel.load;
      const { congestion } = seat;
      if (fill < RATE.congestedFill) seat.congestion = undefined;
      else if (congestion === undefined) seat.congestion = { at: now, drained };
      else if (now - congestion.at >= RATE.catchUpMs) {
        seat.fellBehind ||= drained - congestion.drained < RATE.catchUpBytes;
        seat.congestion = { at: now, drained };
      }
    }
  }

  #enter(entrant: Entrant, connection: ConnectionId, now: number): boolean {
    const { entitlement } = entrant;
    const seat =
      entitlement.kind === "invite"
        ? this.#admit(entrant, entitlement, now)
        : this.#readmit(entrant, entitlement.member, now);
    if (seat === undefined) return false;
    this.#seats.connect(seat, connection);
    this.#effects.push({ type: "member", connection });
    const welcome = this.#codec.encodeWelcome({
      goal: this.#options.goal,
      self: seat.member.id,
      name: seat.member.name,
      host: this.self,
      members: [...seat.entry.members],
      received: seat.channel.received,
      view: seat.entry.view,
      idleMs: this.#options.idleMs,
      history: this.#options.history,
      addresses: [...this.#addresses],
    });
    this.#send(connection, entrant.records.seal({ type: FRAME.welcome, payload: welcome }, now));
    this.#send(connection, seat.channel.attach(entrant.records, entrant.confirm.received, now));
    // Whoever comes is to know at once who is there; the others are told when it is time.
    this.#send(connection, seat.channel.note(this.#presence.note(now), now));
    if (entitlement.kind === "invite") {
      this.#broadcast.replay(seat, now);
      this.#broadcast.system({ kind: "joined", member: seat.member }, now);
    }
    this.#idle.touch(now);
    this.#schedulePresence(now);
    return true;
  }

  #admit(entrant: Entrant, invite: { inviteId: InviteId; claim: Bytes }, now: number): Seat | undefined {
    const { key, box, name, card, received } = entrant.confirm;
    const id = memberIdOf(this.#primitives, key);
    if (this.#order.member(id) !== undefined || received !== 0) {
      this.#ledger.release(invite.inviteId, invite.claim);
      return undefined;
    }
    if (!this.#ledger.consume(invite.inviteId, invite.claim, now)) return undefined;
    const member: MemberRecord = {
      id,
      name: uniqueName(
        name,
        this.#order.members.map((one) => one.name),
      ),
      key,
      box,
      ...(card === undefined ? {} : { card }),
    };
    const seat = newSeat(this.#primitives, { entrant, member, entry: this.#broadcast.beginning, now });
    this.#seats.add(seat);
    return seat;
  }

  /** The same member on a new connection: it replaces the old one, and its secret moves on (K3, D5). */
  #readmit(entrant: Entrant, id: MemberId, now: number): Seat | undefined {
    const seat = this.#seats.of(id);
    if (seat === undefined || seat.credential !== entrant.credential) return undefined;
    const { key, box } = seat.member;
    if (!equalBytes(key, entrant.confirm.key) || !equalBytes(box, entrant.confirm.box)) return undefined;
    if (entrant.confirm.received > seat.channel.sent) return undefined;
    if (seat.connection !== undefined) {
      this.#send(seat.connection, seat.channel.close(CLOSE.replaced, now));
      this.#drop(seat, HANGUP.replaced, now);
    }
    wipe(seat.credential.psk, seat.credential.mac);
    seat.credential = resumeCredential(this.#primitives, entrant.resumeSecret);
    seat.lastSeen = now;
    return seat;
  }

  #memberMessage(seat: Seat, connection: ConnectionId, message: Bytes, now: number): void {
    try {
      const { event, reply, isAnswer } = seat.channel.receive(message, now);
      if (event?.type === "chunk") return this.#chunk(seat, connection, event.chunk, now);
      const isCredit =
        event?.type === "stream" && this.#junction.frame(seat, event.payload, now) === "credit";
      this.#spend(connection, isAnswer || isCredit ? RATE.answerPrice : 1, message.length, now);
      this.#send(connection, reply);
      for (const seq of this.#receipts.confirmed(seat)) this.#effects.push({ type: "reached", seq });
      if (event !== undefined) this.#channelEvent(seat, event, message.length, now);
    } catch (thrown) {
      const error = asTunnelError(thrown);
      if (error.code === "internal") throw thrown;
      this.#effects.push({ type: "alarm", error, member: seat.member.id });
      this.#drop(seat, HANGUP.violation, now);
    }
  }

  #channelEvent(seat: Seat, event: ChannelEvent, bytes: number, now: number): void {
    if (event.type === "durable") {
      this.#memberFrame(seat, event.payload, now);
      this.#spendCopies(seat, bytes, now);
    }
    if (event.type === "note") this.#memberNote(seat, this.#codec.decodeMemberNote(event.payload), now);
    // A full window may have kept the frame back that says so.
    if (event.type === "close" && event.reason === CLOSE.left) this.#remove(seat, "left", now);
    else if (event.type === "close") this.#drop(seat, HANGUP.normal, now);
  }

  /** The bytes that a receiver has let come cost nothing: its credit is the limit (S3). Other chunks cost what any message does. */
  #chunk(seat: Seat, connection: ConnectionId, chunk: Chunk, now: number): void {
    const isAsked = this.#junction.chunk(seat, chunk, now);
    if (isAsked) this.#idle.touch(now);
    this.#spend(connection, isAsked ? RATE.chunkPrice : 1, isAsked ? 0 : chunkPrice(chunk), now);
  }

  #memberFrame(seat: Seat, payload: Bytes, now: number): void {
    const { frame, body, text } = this.#codec.decodeMemberFrame(payload);
    this.#idle.touch(now);
    if (frame.t === "leave") return this.#remove(seat, "left", now);
    const { t: _, ...fields } = frame;
    const event: ChatEvent = { kind: "chat", from: seat.member.id, ...fields };
    const hash = this.#order.verify(event, body);
    if ((frame.replyTo ?? 0) > this.lastSeq) {
      throw new TunnelError("protocol-violation", { detail: "a message that refers to nothing" });
    }
    this.#broadcast.chat(event, body, hash, now);
    // The host is a participant like the others: what is not for it, its agent does not see (O10).
    if (event.to?.includes(this.self) !== false)
      this.#hear(event, text ?? this.#speaker.open(event, body), now);
  }

  #hear(event: ChatEvent, text: string | undefined, now: number): void {
    if (text !== undefined && this.#broadcast.show(event, text, now)) return;
    const error = new TunnelError("message-unreadable");
    this.#effects.push({ type: "alarm", error, member: event.from });
  }

  #memberNote(seat: Seat, note: MemberNote, now: number): void {
    if (note.active) this.#idle.touch(now);
    if (note.read <= seat.read || note.read > this.lastSeq) return;
    seat.read = note.read;
    this.#schedulePresence(now);
  }

  #closed(connection: ConnectionId, now: number): void {
    if (this.#door.has(connection)) return this.#door.close(connection);
    const seat = this.#seats.at(connection);
    if (seat?.connection === connection) this.#drop(seat, undefined, now);
  }

  /** The connection is over, the seat stays; `code` when the socket itself still has to be closed. */
  #drop(seat: Seat, code: number | undefined, now: number): void {
    if (seat.connection === undefined) return;
    seat.lastSeen = seat.channel.lastHeard ?? seat.lastSeen;
    seat.channel.detach();
    this.#junction.dropped(seat, now);
    if (code !== undefined) this.#hangup(seat.connection, code);
    this.#seats.disconnect(seat);
    this.#schedulePresence(now);
  }

  #remove(seat: Seat, cause: LeaveCause, now: number): void {
    if (seat.connection !== undefined) {
      this.#send(seat.connection, seat.channel.finish(cause === "left" ? CLOSE.left : CLOSE.removed, now));
      this.#hangup(seat.connection, HANGUP.normal, seat.channel.waiting > 0);
      this.#drop(seat, undefined, now);
    }
    wipe(seat.credential.psk, seat.credential.mac);
    this.#seats.remove(seat);
    this.#broadcast.system({ kind: "left", id: seat.member.id, cause }, now);
  }

  /** Removing one member is told to the others, which may be too much for another one: until nobody is left over. */
  #expel(now: number): void {
    for (;;) {
      const behind = this.#seats.all.find((seat) => seat.fellBehind);
      if (behind === undefined) return;
      this.#remove(behind, "fell-behind", now);
    }
  }

  // --- time ---

  #tick(now: number): void {
    for (const connection of this.#door.expire(now)) this.#hangup(connection, HANGUP.late);
    for (const seat of this.#seats.all) this.#tickSeat(seat, now);
    if (now >= (this.#presence.dueAt ?? Number.POSITIVE_INFINITY)) this.#sendPresence(now);
    if (this.#idle.takeWarning(now)) {
      this.#broadcast.system({ kind: "idle-warning", endsInMs: Math.max(0, this.idleAt - now) }, now);
    }
    if (now >= this.idleAt) this.end("idle", now);
  }

  #tickSeat(seat: Seat, now: number): void {
    const { messages, dead } = seat.channel.tick(now);
    if (seat.connection !== undefined) this.#send(seat.connection, messages);
    if (dead) this.#drop(seat, HANGUP.silent, now);
    if (isConnected(seat)) this.#watch([seat], now);
    if (seat.connection === undefined && now >= this.#lostAt(seat)) this.#remove(seat, "lost", now);
  }

  #seatDeadline(seat: Seat): number | undefined {
    if (seat.connection === undefined) return this.#lostAt(seat);
    const catchUpAt = seat.congestion === undefined ? undefined : seat.congestion.at + RATE.catchUpMs;
    return Math.min(
      seat.channel.nextDeadline() ?? Number.POSITIVE_INFINITY,
      catchUpAt ?? Number.POSITIVE_INFINITY,
    );
  }

  #lostAt(seat: Seat): number {
    return seat.lastSeen + LINK.giveUpMs;
  }

  #schedulePresence(now: number): void {
    this.#presence.changed(now);
    this.#effects.push({ type: "presence" });
  }

  #sendPresence(now: number, news: Pick<HostNote, "addresses"> = {}): void {
    const note = this.#presence.note(now, news);
    this.#presence.told(now);
    for (const seat of this.#seats.all) {
      if (seat.connection !== undefined) this.#send(seat.connection, seat.channel.note(note, now));
    }
  }

  // --- small things ---

  #isOpen(): boolean {
    return this.#ended === undefined;
  }

  #assertOpen(): void {
    if (!this.#isOpen()) throw new TunnelError("tunnel-closed");
  }

  #assertReply(replyTo: number | undefined): void {
    if (replyTo !== undefined && !isPlace(replyTo, this.lastSeq)) throw new TunnelError("reply-unknown");
  }

  #send(connection: ConnectionId, messages: readonly Bytes[]): void {
    for (const message of messages) this.#effects.push({ type: "send", connection, message });
  }

  #hangup(connection: ConnectionId, code: number, linger = false): void {
    this.#effects.push({ type: "hangup", connection, code, ...(linger ? { linger } : {}) });
  }
}

function isConnected({ connection }: Seat): boolean {
  return connection !== undefined;
}
