import { chunkPrice, type Chunk, type StreamId } from "../record/chunk.ts";
import { Sequencer } from "./sequencer.ts";
import { equalBytes, fromBase64url, wipe, type Bytes } from "../base/bytes.ts";
import type { ChannelEvent } from "../reliable/channel-events.ts";
import { CLOSE, CLOSE_OF } from "../room/close-reasons.ts";
import { Admission, type AuthenticatedPeer } from "./admission.ts";
import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import type { Attestation } from "../room/audit-log.ts";
import {
  decodeMemberFrame,
  decodeMemberNote,
  encodeWelcome,
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
import { StreamRelay } from "./stream-relay.ts";
import { LINK, RATE, ROOM } from "../base/limits.ts";
import { memberIdOf, RoomOrder } from "../room/order.ts";
import { CLOSE_CODE, isPlace, type Presence, type OutgoingMessage } from "../room/participant.ts";
import { PresenceBoard } from "./presence-board.ts";
import type { DhKeyPair, Primitives } from "../base/primitives.ts";
import { Receipts } from "./receipts.ts";
import { FRAME } from "../record/record.ts";
import type { RoomEffect, RoomInput, RoomOptions } from "./room-io.ts";
import { newMemberSession, type MemberSession } from "./member-session.ts";
import { MemberSessions, uniqueName } from "./member-sessions.ts";
import { Signer } from "../room/identity.ts";
import { type StreamFrame, type StreamOpen, type StreamRequest } from "../link/streams.ts";
import { utf8Length } from "../base/utf8.ts";

/**
 * The host's machine (PROTOCOL §4 to §8): a room, its admission and its members, without sockets, timers or a clock. Feed
 * it inputs with the time, then carry out {@link takeEffects}. It owns nonce counters and keys, so it is changed in
 * place and must not be copied.
 */
export class Room {
  readonly #primitives: Primitives;
  readonly #options: RoomOptions;
  readonly #hostStatic: DhKeyPair;
  readonly #signer: Signer;
  readonly #order: RoomOrder;
  readonly #sequencer: Sequencer;
  readonly #ledger: InviteLedger;
  readonly #admission: Admission;
  readonly #idle: IdleClock;
  readonly #sessions = new MemberSessions();
  readonly #receipts = new Receipts();
  readonly #presence: PresenceBoard;
  readonly #streamRelay: StreamRelay;
  #effects: RoomEffect[] = [];
  #addresses: readonly string[] = [];
  #ended: EndCause | undefined;

  readonly id: RoomId;

  constructor(primitives: Primitives, options: RoomOptions, now: number) {
    this.#primitives = primitives;
    this.#options = options;
    this.#idle = new IdleClock(options.idleMs, now);
    this.id = roomIdFrom(primitives.random(ROOM_ID_BYTES));
    this.#hostStatic = primitives.generateDhKeyPair();
    this.#signer = new Signer(primitives, this.id);
    const { id, key, box } = this.#signer;
    const { hostName: name, workContext } = options;
    const host = { id, name, key, box, ...(workContext === undefined ? {} : { workContext }) };
    this.#order = RoomOrder.genesis(primitives, this.id, host);
    this.#sequencer = new Sequencer({
      primitives,
      sessions: this.#sessions,
      order: this.#order,
      signer: this.#signer,
      history: options.history,
      emit: (effect) => this.#effects.push(effect),
    });
    this.#streamRelay = new StreamRelay({
      sessions: this.#sessions,
      self: id,
      emit: (effect) => this.#effects.push(effect),
    });
    this.#presence = new PresenceBoard({ order: this.#order, sessions: this.#sessions });
    this.#ledger = new InviteLedger(primitives, options.inviteMs);
    this.#admission = new Admission(primitives, {
      room: fromBase64url(this.id, ROOM_ID_BYTES) ?? new Uint8Array(ROOM_ID_BYTES),
      hostStatic: this.#hostStatic,
      ledger: this.#ledger,
      sessionOf: (id) => this.#sessions.resumedBy(id),
    });
  }

  /** For the link (L1). */
  get hostKey(): Bytes {
    return this.#hostStatic.publicKey;
  }

  get self(): MemberId {
    return this.#signer.id;
  }

  get lastSeq(): number {
    return this.#order.view.seq;
  }

  get attestation(): Attestation {
    const { log } = this.#sequencer;
    const attest = (transcript: Bytes): Bytes => this.#signer.attest(transcript);
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
    return this.#ended === undefined && this.#admission.admits(source, now);
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
      this.#admission.nextDeadline(),
      this.#presence.dueAt,
      ...this.#sessions.all.map((session) => this.#seatDeadline(session)),
    ];
    return Math.min(...deadlines.map((deadline) => deadline ?? Number.POSITIVE_INFINITY));
  }

  // --- what the host's own agent does ---

  /** @throws {TunnelError} invite-limit: member sessions and pending invites together are bounded */
  mint(now: number): { inviteId: InviteId; key: Bytes; expiresInMs: number } {
    this.#assertOpen();
    const taken = 1 + this.#sessions.size + this.#ledger.pending(now).length;
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
  say(outgoing: OutgoingMessage, now: number): number {
    this.#assertOpen();
    if (this.#sessions.size === 0) throw new TunnelError("nobody-joined");
    this.#assertReply(outgoing.replyTo);
    const { to } = outgoing;
    if (to?.some((id) => this.#sessions.of(id) === undefined)) throw new TunnelError("member-unknown");
    const bytes = utf8Length(outgoing.text);
    // Whoever is away may lose its member's session by it, but not all of them, and nobody who is only slow.
    const hasRoom = ({ channel }: MemberSession): boolean => channel.hasRoomFor(bytes + ROOM.maxTextBytes);
    const audience = this.#sessions.all.filter(({ member }) => to?.includes(member.id) !== false);
    const connected = audience.filter(isConnected);
    if (!audience.some(hasRoom) || !connected.every(hasRoom)) {
      this.#watch(connected, now);
      throw new TunnelError("outbox-full");
    }
    this.#idle.touch(now);
    const { fields, body, hash } = this.#signer.say(outgoing, this.#order.view, this.#order.members);
    const event: ChatEvent = { kind: "chat", from: this.self, ...fields };
    this.#sequencer.chat(event, body, hash, now);
    this.#sequencer.show(event, outgoing.text, now);
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
    return this.#isOpen() ? this.#streamRelay.open(request, now) : undefined;
  }

  /** Of the host's own end of a stream; nothing once that is over. */
  stream(frame: Exclude<StreamFrame, StreamOpen>, now: number): void {
    if (this.#isOpen()) this.#streamRelay.own(frame, now);
  }

  /** Whether there was credit left for it. */
  sendChunk(chunk: Chunk, now: number): boolean {
    if (!this.#isOpen() || !this.#streamRelay.ownChunk(chunk, now)) return false;
    this.#idle.touch(now);
    return true;
  }

  /**
   * Takes a member's member's session away for good (G9): it is told if it can be, its secrets are void, and the others see it.
   * @throws {TunnelError} tunnel-closed, member-unknown
   */
  remove(id: MemberId, now: number): void {
    this.#assertOpen();
    const session = this.#sessions.of(id);
    if (session === undefined) throw new TunnelError("member-unknown");
    this.#idle.touch(now);
    this.#remove(session, "removed", now);
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
    this.#sequencer.system({ kind: "ended", cause }, now);
    this.#ended = cause;
    for (const session of this.#sessions.all) {
      wipe(session.credential.psk, session.credential.mac);
      const { connection } = session;
      if (connection === undefined) continue;
      this.#send(connection, session.channel.finish(CLOSE_OF[cause], now));
      this.#close(connection, CLOSE_CODE.normal, session.channel.waiting > 0);
    }
    this.#ledger.wipe();
    this.#effects.push({ type: "ended", cause });
  }

  presence(now: number): Presence[] {
    return this.#presence.list(now);
  }

  // --- connections ---

  #opened(connection: ConnectionId, source: string, now: number): void {
    const opened = this.#admission.open(connection, source, now);
    if (opened === undefined) return this.#close(connection, CLOSE_CODE.denied);
    if (opened.evicted !== undefined) this.#close(opened.evicted, CLOSE_CODE.late);
    this.#send(connection, [opened.challenge]);
  }

  #message(connection: ConnectionId, message: Bytes, now: number): void {
    const session = this.#sessions.at(connection);
    if (session !== undefined) return this.#memberMessage(session, connection, message, now);
    if (!this.#admission.has(connection)) return;
    const answer = this.#admission.receive(connection, message, now);
    if (answer !== undefined && "accept" in answer) {
      if (answer.evicted !== undefined) this.#close(answer.evicted, CLOSE_CODE.late);
      return this.#send(connection, [answer.accept]);
    }
    if (answer !== undefined && this.#enter(answer.peer, connection, now)) return;
    this.#send(connection, [DENIED]);
    this.#close(connection, CLOSE_CODE.denied);
  }

  /** What arrives has its price; a member that is in debt is not read from until it has earned it back (E1). */
  #spend(connection: ConnectionId, frames: number, bytes: number, now: number): void {
    const ms = this.#sessions.at(connection)?.rateLimiter.spend(frames, bytes, now) ?? 0;
    if (ms > 0) this.#effects.push({ type: "pause", connection, ms });
  }

  /** What a member says goes out to all: it has the price of its copies, and waits for those who cannot keep up (E1, E3). */
  #spendCopies({ connection }: MemberSession, bytes: number, now: number): void {
    if (connection === undefined) return;
    const shares = Math.floor(this.#sessions.size / RATE.membersPerShare);
    this.#spend(connection, shares, shares * bytes, now);
    const connected = this.#sessions.all.filter(isConnected);
    this.#watch(connected, now);
    const fullest = Math.max(0, ...connected.map(({ channel }) => channel.load.fill));
    const ms = RATE.congestionMs.findLast(([fill]) => fullest >= fill)?.[1];
    if (ms !== undefined) this.#effects.push({ type: "pause", connection, ms });
  }

  /** Whoever slows the others down must at least take in what is meant to wait for it: else it has fallen behind (E3). */
  #watch(connected: readonly MemberSession[], now: number): void {
    for (const session of connected) {
      const { fill, drained } = session.channel.load;
      const { congestion } = session;
      if (fill < RATE.congestedFill) session.congestion = undefined;
      else if (congestion === undefined) session.congestion = { at: now, drained };
      else if (now - congestion.at >= RATE.catchUpMs) {
        session.fellBehind ||= drained - congestion.drained < RATE.catchUpBytes;
        session.congestion = { at: now, drained };
      }
    }
  }

  #enter(peer: AuthenticatedPeer, connection: ConnectionId, now: number): boolean {
    const { entitlement } = peer;
    const session =
      entitlement.kind === "invite"
        ? this.#admit(peer, entitlement, now)
        : this.#readmit(peer, entitlement.member, now);
    if (session === undefined) return false;
    this.#sessions.connect(session, connection);
    this.#effects.push({ type: "member", connection });
    const welcome = encodeWelcome({
      goal: this.#options.goal,
      self: session.member.id,
      name: session.member.name,
      host: this.self,
      members: [...session.entry.members],
      received: session.channel.received,
      view: session.entry.view,
      idleMs: this.#options.idleMs,
      history: this.#options.history,
      addresses: [...this.#addresses],
    });
    this.#send(connection, peer.records.seal({ type: FRAME.welcome, payload: welcome }, now));
    this.#send(connection, session.channel.attach(peer.records, peer.confirm.received, now));
    // Whoever comes is to know at once who is there; the others are told when it is time.
    this.#send(connection, session.channel.note(this.#presence.note(now), now));
    if (entitlement.kind === "invite") {
      this.#sequencer.replay(session, now);
      this.#sequencer.system({ kind: "joined", member: session.member }, now);
    }
    this.#idle.touch(now);
    this.#schedulePresence(now);
    return true;
  }

  #admit(
    peer: AuthenticatedPeer,
    invite: { inviteId: InviteId; claim: Bytes },
    now: number,
  ): MemberSession | undefined {
    const { key, box, name, workContext, received } = peer.confirm;
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
      ...(workContext === undefined ? {} : { workContext }),
    };
    const session = newMemberSession(this.#primitives, {
      peer,
      member,
      entry: this.#sequencer.beginning,
      now,
    });
    this.#sessions.add(session);
    return session;
  }

  /** The same member on a new connection: it replaces the old one, and its secret moves on (K3, D5). */
  #readmit(peer: AuthenticatedPeer, id: MemberId, now: number): MemberSession | undefined {
    const session = this.#sessions.of(id);
    if (session === undefined || session.credential !== peer.credential) return undefined;
    const { key, box } = session.member;
    if (!equalBytes(key, peer.confirm.key) || !equalBytes(box, peer.confirm.box)) return undefined;
    if (peer.confirm.received > session.channel.sent) return undefined;
    if (session.connection !== undefined) {
      this.#send(session.connection, session.channel.close(CLOSE.replaced, now));
      this.#drop(session, CLOSE_CODE.replaced, now);
    }
    wipe(session.credential.psk, session.credential.mac);
    session.credential = resumeCredential(this.#primitives, peer.resumeSecret);
    session.lastSeen = now;
    return session;
  }

  #memberMessage(session: MemberSession, connection: ConnectionId, message: Bytes, now: number): void {
    try {
      const { event, reply, isAnswer } = session.channel.receive(message, now);
      if (event?.type === "chunk") return this.#chunk(session, connection, event.chunk, now);
      const isCredit =
        event?.type === "stream" && this.#streamRelay.frame(session, event.payload, now) === "credit";
      this.#spend(connection, isAnswer || isCredit ? RATE.answerPrice : 1, message.length, now);
      this.#send(connection, reply);
      for (const seq of this.#receipts.confirmed(session)) this.#effects.push({ type: "reached", seq });
      if (event !== undefined) this.#channelEvent(session, event, message.length, now);
    } catch (thrown) {
      const error = asTunnelError(thrown);
      if (error.code === "internal") throw thrown;
      this.#effects.push({ type: "alarm", error, member: session.member.id });
      this.#drop(session, CLOSE_CODE.violation, now);
    }
  }

  #channelEvent(session: MemberSession, event: ChannelEvent, bytes: number, now: number): void {
    if (event.type === "durable") {
      this.#memberFrame(session, event.payload, now);
      this.#spendCopies(session, bytes, now);
    }
    if (event.type === "note") this.#memberNote(session, decodeMemberNote(event.payload), now);
    // A full window may have kept the frame back that says so.
    if (event.type === "close" && event.reason === CLOSE.left) this.#remove(session, "left", now);
    else if (event.type === "close") this.#drop(session, CLOSE_CODE.normal, now);
  }

  /** The bytes that a receiver has let come cost nothing: its credit is the limit (S3). Other chunks cost what any message does. */
  #chunk(session: MemberSession, connection: ConnectionId, chunk: Chunk, now: number): void {
    const isAsked = this.#streamRelay.chunk(session, chunk, now);
    if (isAsked) this.#idle.touch(now);
    this.#spend(connection, isAsked ? RATE.chunkPrice : 1, isAsked ? 0 : chunkPrice(chunk), now);
  }

  #memberFrame(session: MemberSession, payload: Bytes, now: number): void {
    const { frame, body, text } = decodeMemberFrame(payload);
    this.#idle.touch(now);
    if (frame.t === "leave") return this.#remove(session, "left", now);
    const { t: _, ...fields } = frame;
    const event: ChatEvent = { kind: "chat", from: session.member.id, ...fields };
    const hash = this.#order.verify(event, body);
    if ((frame.replyTo ?? 0) > this.lastSeq) {
      throw new TunnelError("protocol-violation", { detail: "a message that refers to nothing" });
    }
    this.#sequencer.chat(event, body, hash, now);
    // The host is a participant like the others: what is not for it, its agent does not see (O10).
    if (event.to?.includes(this.self) !== false)
      this.#hear(event, text ?? this.#signer.open(event, body), now);
  }

  #hear(event: ChatEvent, text: string | undefined, now: number): void {
    if (text !== undefined && this.#sequencer.show(event, text, now)) return;
    const error = new TunnelError("message-unreadable");
    this.#effects.push({ type: "alarm", error, member: event.from });
  }

  #memberNote(session: MemberSession, note: MemberNote, now: number): void {
    if (note.active) this.#idle.touch(now);
    if (note.read <= session.read || note.read > this.lastSeq) return;
    session.read = note.read;
    this.#schedulePresence(now);
  }

  #closed(connection: ConnectionId, now: number): void {
    if (this.#admission.has(connection)) return this.#admission.close(connection);
    const session = this.#sessions.at(connection);
    if (session?.connection === connection) this.#drop(session, undefined, now);
  }

  /** The connection is over, the member's session stays; `code` when the socket itself still has to be closed. */
  #drop(session: MemberSession, code: number | undefined, now: number): void {
    if (session.connection === undefined) return;
    session.lastSeen = session.channel.lastHeard ?? session.lastSeen;
    session.channel.detach();
    this.#streamRelay.dropped(session, now);
    if (code !== undefined) this.#close(session.connection, code);
    this.#sessions.disconnect(session);
    this.#schedulePresence(now);
  }

  #remove(session: MemberSession, cause: LeaveCause, now: number): void {
    if (session.connection !== undefined) {
      this.#send(
        session.connection,
        session.channel.finish(cause === "left" ? CLOSE.left : CLOSE.removed, now),
      );
      this.#close(session.connection, CLOSE_CODE.normal, session.channel.waiting > 0);
      this.#drop(session, undefined, now);
    }
    wipe(session.credential.psk, session.credential.mac);
    this.#sessions.remove(session);
    this.#sequencer.system({ kind: "left", id: session.member.id, cause }, now);
  }

  /** Removing one member is told to the others, which may be too much for another one: until nobody is left over. */
  #expel(now: number): void {
    for (;;) {
      const behind = this.#sessions.all.find((session) => session.fellBehind);
      if (behind === undefined) return;
      this.#remove(behind, "fell-behind", now);
    }
  }

  // --- time ---

  #tick(now: number): void {
    for (const connection of this.#admission.expire(now)) this.#close(connection, CLOSE_CODE.late);
    for (const session of this.#sessions.all) this.#tickSeat(session, now);
    if (now >= (this.#presence.dueAt ?? Number.POSITIVE_INFINITY)) this.#sendPresence(now);
    if (this.#idle.takeWarning(now)) {
      this.#sequencer.system({ kind: "idle-warning", endsInMs: Math.max(0, this.idleAt - now) }, now);
    }
    if (now >= this.idleAt) this.end("idle", now);
  }

  #tickSeat(session: MemberSession, now: number): void {
    const { messages, dead } = session.channel.tick(now);
    if (session.connection !== undefined) this.#send(session.connection, messages);
    if (dead) this.#drop(session, CLOSE_CODE.silent, now);
    if (isConnected(session)) this.#watch([session], now);
    if (session.connection === undefined && now >= this.#lostAt(session)) this.#remove(session, "lost", now);
  }

  #seatDeadline(session: MemberSession): number | undefined {
    if (session.connection === undefined) return this.#lostAt(session);
    const catchUpAt = session.congestion === undefined ? undefined : session.congestion.at + RATE.catchUpMs;
    return Math.min(
      session.channel.nextDeadline() ?? Number.POSITIVE_INFINITY,
      catchUpAt ?? Number.POSITIVE_INFINITY,
    );
  }

  #lostAt(session: MemberSession): number {
    return session.lastSeen + LINK.giveUpMs;
  }

  #schedulePresence(now: number): void {
    this.#presence.changed(now);
    this.#effects.push({ type: "presence" });
  }

  #sendPresence(now: number, news: Pick<HostNote, "addresses"> = {}): void {
    const note = this.#presence.note(now, news);
    this.#presence.told(now);
    for (const session of this.#sessions.all) {
      if (session.connection !== undefined) this.#send(session.connection, session.channel.note(note, now));
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

  #close(connection: ConnectionId, code: number, linger = false): void {
    this.#effects.push({ type: "close", connection, code, ...(linger ? { linger } : {}) });
  }
}

function isConnected({ connection }: MemberSession): boolean {
  return connection !== undefined;
}
