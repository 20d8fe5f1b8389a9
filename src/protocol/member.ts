import { fromBase64url, wipe, type Bytes } from "./bytes.ts";
import { Channel, CLOSE, ROOM_STREAM } from "./channel.ts";
import type { ConnectionId } from "./door.ts";
import { asTunnelError, TunnelError, type ErrorCode } from "./errors.ts";
import { FrameCodec, type HostFrame, type HostNote, type SayFrame, type Welcome } from "./frames.ts";
import { CLAIM_BYTES, GuestHandshake } from "./handshake.ts";
import { ROOM_ID_BYTES, type MemberId } from "./ids.ts";
import { resumeSecret } from "./keys.ts";
import { LINK, ROOM } from "./limits.ts";
import type { InviteLink } from "./link.ts";
import { RoomOrder, Signer } from "./order.ts";
import type { Primitives } from "./primitives.ts";
import { FRAME, RecordLayer } from "./record.ts";
import { HANGUP, isPlace, systemEvent, type Presence, type Utterance } from "./participant.ts";
import { backoffMs, Candidates, type Candidate } from "./reconnect.ts";
import type { LinkState, MemberEffect, MemberEnd, MemberInput } from "./member-io.ts";
import { safetyCode } from "./safety.ts";

/** One attempt to connect, from dialling to WELCOME. */
interface Attempt {
  readonly connection: ConnectionId;
  readonly candidate: Candidate;
  readonly handshake: GuestHandshake;
  readonly deadline: number;
}

type State =
  | { readonly name: "dialling" | "challenge" | "accept"; readonly attempt: Attempt }
  | {
      readonly name: "welcome";
      readonly attempt: Attempt;
      readonly records: RecordLayer;
      readonly secret: Bytes;
      readonly safetyCode: string;
    }
  | { readonly name: "live"; readonly connection: ConnectionId }
  | { readonly name: "waiting"; readonly retryAt: number; readonly reason: ErrorCode }
  | { readonly name: "ended"; readonly end: MemberEnd };

/** What exists once the first WELCOME has arrived. */
interface Membership {
  readonly goal: string;
  readonly name: string;
  readonly host: MemberId;
  readonly idleMs: number;
  readonly safetyCode: string;
  readonly order: RoomOrder;
}

/**
 * The guest's machine (PROTOCOL §4 to §8): joins with a link, keeps the stay alive across connections, and holds what
 * it says until the host has it. No sockets, timers or clock: feed it inputs with the time, then carry out
 * {@link takeEffects}. It owns nonce counters and keys, so it is changed in place and must not be copied.
 */
export class Member {
  readonly #primitives: Primitives;
  readonly #codec: FrameCodec;
  readonly #link: InviteLink;
  readonly #room: Bytes;
  readonly #claim: Bytes;
  readonly #wantedName: string;
  readonly #signer: Signer;
  readonly #channel = new Channel();
  readonly #pending = new Map<number, { hash: Bytes; utterance: Utterance }>();
  readonly #candidates: Candidates;
  #state: State;
  #membership: Membership | undefined;
  #presence: HostNote["members"] = [];
  #presenceAt = 0;
  #effects: MemberEffect[] = [];
  #connections = 0;
  #failures = 0;
  #denials = 0;
  #lostAt: number;
  #read = 0;
  #noteDueAt: number | undefined;
  #noteSentAt = Number.NEGATIVE_INFINITY;

  constructor(primitives: Primitives, options: { link: InviteLink; name: string }, now: number) {
    this.#primitives = primitives;
    this.#codec = new FrameCodec(primitives);
    this.#link = options.link;
    this.#room = fromBase64url(options.link.room, ROOM_ID_BYTES) ?? new Uint8Array(ROOM_ID_BYTES);
    this.#claim = primitives.random(CLAIM_BYTES);
    this.#wantedName = options.name;
    this.#signer = new Signer(primitives, primitives.generateSigningKeyPair(), options.link.room);
    this.#candidates = new Candidates(primitives, options.link.key);
    this.#lostAt = now;
    this.#state = { name: "waiting", retryAt: now, reason: "host-unreachable" };
    this.#redial(now);
  }

  get self(): MemberId {
    return this.#signer.id;
  }

  get membership(): Membership | undefined {
    return this.#membership;
  }

  get lastSeq(): number {
    return this.#membership?.order.view.seq ?? 0;
  }

  /** Own messages that the host has not confirmed yet. */
  get unplaced(): number {
    return this.#pending.size;
  }

  get link(): LinkState {
    const state = this.#state;
    if (state.name === "live") return { name: "connected" };
    if (state.name === "ended") return { name: "ended", end: state.end };
    if (state.name !== "waiting") return { name: "connecting", attempt: this.#failures + 1 };
    return { name: "waiting", attempt: this.#failures, retryAt: state.retryAt, reason: state.reason };
  }

  takeEffects(): MemberEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  handle(input: MemberInput, now: number): void {
    if (this.#state.name === "ended") return;
    if (input.type === "tick") return this.#tick(now);
    if (input.connection !== this.#current()) return;
    switch (input.type) {
      case "opened":
        if (this.#state.name === "dialling") this.#state = { ...this.#state, name: "challenge" };
        return;
      case "message":
        return this.#message(input.message, now);
      case "closed":
        return this.#disconnected("host-unreachable", now);
      case "failed":
        return this.#disconnected(input.error.code, now);
    }
  }

  nextDeadline(): number | undefined {
    const state = this.#state;
    switch (state.name) {
      case "ended":
        return undefined;
      case "waiting":
        return state.retryAt;
      case "live":
        return Math.min(
          this.#channel.nextDeadline() ?? Number.POSITIVE_INFINITY,
          this.#noteDueAt ?? Number.POSITIVE_INFINITY,
        );
      case "dialling":
      case "challenge":
      case "accept":
      case "welcome":
        return state.attempt.deadline;
    }
  }

  // --- what this member's own agent does ---

  /**
   * A message of this member: its own number, for the `placed` effect that will name its place.
   * @throws {TunnelError} tunnel-closed, reply-unknown, outbox-full
   */
  say(utterance: Utterance, now: number): number {
    const membership = this.#membership;
    if (membership === undefined || this.#state.name === "ended") throw new TunnelError("tunnel-closed");
    const { replyTo } = utterance;
    if (replyTo !== undefined && !isPlace(replyTo, this.lastSeq)) throw new TunnelError("reply-unknown");
    const bytes = this.#primitives.encodeUtf8(utterance.text).length;
    if (!this.#channel.hasRoomFor(bytes + ROOM.maxNameChars * LINK.ackEveryFrames))
      throw new TunnelError("outbox-full");
    const { fields, hash } = this.#signer.sign({ ...utterance, view: membership.order.view });
    this.#pending.set(fields.n, { hash, utterance });
    const payload = this.#codec.encodeMemberFrame({ t: "say", ...fields } satisfies SayFrame, utterance.text);
    this.#send(this.#channel.send(ROOM_STREAM, payload, now));
    return fields.n;
  }

  /** This member's agent has read up to `read`, or merely done something in the room. */
  touch(read: number, now: number): void {
    if (this.#state.name === "ended") return;
    const isNews = read > this.#read;
    this.#read = Math.max(this.#read, read);
    if (isNews || now - this.#noteSentAt >= ROOM.activityEveryMs) this.#noteDueAt ??= now + LINK.ackDelayMs;
  }

  /** Leaves for good. */
  leave(now: number): void {
    if (this.#state.name === "ended") return;
    if (this.#state.name === "live") {
      const payload = this.#codec.encodeMemberFrame({ t: "leave" });
      // A full outbox cannot keep anybody in: the authenticated CLOSE says the same.
      if (this.#channel.hasRoomFor(payload.length)) this.#send(this.#channel.send(ROOM_STREAM, payload, now));
      this.#send(this.#channel.close(CLOSE.left, now));
    }
    this.#end({ by: "self" });
  }

  presence(now: number): Presence[] {
    const membership = this.#membership;
    if (membership === undefined) return [];
    const isLive = this.#state.name === "live";
    const age = now - this.#presenceAt;
    return membership.order.members.map((member) => {
      const known = this.#presence.find((entry) => entry.id === member.id);
      const isHost = member.id === membership.host;
      const isSelf = member.id === this.self;
      const hostAge = now - (this.#channel.lastHeard ?? this.#lostAt);
      const lastSeenMs = isSelf ? 0 : isHost ? hostAge : (known?.heardAgoMs ?? 0) + age;
      return {
        id: member.id,
        name: member.name,
        isHost,
        isSelf,
        connected: isLive && (isSelf || isHost || known?.connected === true),
        lastSeenMs: Math.max(0, lastSeenMs),
        read: isSelf ? this.#read : (known?.read ?? 0),
        safetyCode: isHost ? membership.safetyCode : undefined,
      };
    });
  }

  // --- connecting ---

  #current(): ConnectionId | undefined {
    const state = this.#state;
    if (state.name === "live") return state.connection;
    return state.name === "waiting" || state.name === "ended" ? undefined : state.attempt.connection;
  }

  /** Tries every credential the host may hold, likeliest first, before a round counts as refused (K7). */
  #redial(now: number): void {
    const candidate = this.#candidates.next();
    if (candidate === undefined) return;
    this.#connections += 1;
    const attempt: Attempt = {
      connection: this.#connections,
      candidate,
      handshake: new GuestHandshake(this.#primitives, {
        room: this.#room,
        hostKey: this.#link.hostKey,
        credential: candidate.credential,
        claim: this.#claim,
      }),
      deadline: now + LINK.connectTimeoutMs,
    };
    this.#state = { name: "dialling", attempt };
    this.#effects.push({ type: "dial", connection: attempt.connection });
  }

  #message(message: Bytes, now: number): void {
    try {
      this.#step(message, now);
    } catch (thrown) {
      const error = asTunnelError(thrown);
      if (error.code === "internal") throw thrown;
      this.#failed(error, now);
    }
  }

  #step(message: Bytes, now: number): void {
    const state = this.#state;
    switch (state.name) {
      case "dialling":
      case "challenge":
        this.#state = { name: "accept", attempt: state.attempt };
        return this.#send([state.attempt.handshake.answer(message)]);
      case "accept":
        return this.#accepted(state.attempt, message, now);
      case "welcome":
        return this.#welcomed(state, message, now);
      case "live":
        return this.#receive(message, now);
      case "waiting":
      case "ended":
        return;
    }
  }

  #accepted(attempt: Attempt, message: Bytes, now: number): void {
    const {
      initiatorToResponder: send,
      responderToInitiator: receive,
      hash,
      exporter,
    } = attempt.handshake.finish(message);
    const records = new RecordLayer(this.#primitives, { send, receive }, now);
    const secret = resumeSecret(this.#primitives, exporter);
    this.#candidates.offer(secret, attempt.candidate);
    this.#denials = 0;
    const code = safetyCode(this.#primitives, hash, attempt.handshake.share);
    this.#state = { name: "welcome", attempt, records, secret, safetyCode: code };
    const confirm = this.#codec.encodeConfirm({
      share: attempt.handshake.share,
      name: this.#wantedName,
      key: this.#signer.publicKey,
      received: this.#channel.received,
    });
    this.#send(records.seal({ type: FRAME.confirm, payload: confirm }, now));
  }

  #welcomed(state: Extract<State, { name: "welcome" }>, message: Bytes, now: number): void {
    // A denial may come as late as this: the seat moved on to another credential meanwhile.
    if (message.length === 1) throw new TunnelError("invite-refused");
    const frame = state.records.open(message, now);
    if (frame?.type !== FRAME.welcome)
      throw new TunnelError("protocol-violation", { detail: "no welcome came" });
    const welcome = this.#codec.decodeWelcome(frame.payload);
    const isFirst = this.#membership === undefined;
    if (isFirst) this.#membership = this.#membershipFrom(welcome, state);
    this.#candidates.settle();
    this.#failures = 0;
    this.#denials = 0;
    this.#state = { name: "live", connection: state.attempt.connection };
    this.#send(this.#channel.attach(state.records, welcome.received, now));
    this.#effects.push({ type: "presence" });
    if (!isFirst) this.#noteDueAt = now;
  }

  #membershipFrom(welcome: Welcome, state: { safetyCode: string; attempt: Attempt }): Membership {
    const isSane = welcome.self === this.self && welcome.members.some((member) => member.id === welcome.host);
    if (!isSane) throw new TunnelError("protocol-violation", { detail: "a welcome for somebody else" });
    const { goal, name, host, idleMs, view, members } = welcome;
    const order = new RoomOrder(this.#primitives, this.#link.room, members, view);
    this.#read = view.seq;
    return { goal, name, host, idleMs, safetyCode: this.#safetyCode(state), order };
  }

  /** The code of the pairing itself; a WELCOME lost on the way is made up for by a resume with a code of its own. */
  #safetyCode(state: { safetyCode: string; attempt: Attempt }): string {
    if (state.attempt.candidate.kind === "invite") this.#pairingCode = state.safetyCode;
    return this.#pairingCode ?? state.safetyCode;
  }
  #pairingCode: string | undefined;

  // --- the room ---

  #receive(message: Bytes, now: number): void {
    const { event, reply } = this.#channel.receive(message, now);
    this.#send(reply);
    if (event?.type === "durable") {
      const { frame, text } = this.#codec.decodeHostFrame(event.payload);
      this.#hostFrame(frame, text);
    }
    if (event?.type === "note") {
      this.#presence = this.#codec.decodeHostNote(event.payload).members;
      this.#presenceAt = now;
      this.#effects.push({ type: "presence" });
    }
    if (event?.type === "close") this.#closedByHost(event.reason, now);
  }

  #hostFrame(frame: HostFrame, text: string): void {
    const membership = this.#membership;
    if (membership === undefined) return;
    const { order } = membership;
    const { seq, ts } = frame;
    if (frame.t === "own") return this.#placed(order, seq, ts, frame.n);
    const { event } = frame;
    if (event.kind !== "chat") {
      const entry = systemEvent(event, order);
      order.appendSystem(seq, ts, event);
      this.#effects.push({ type: "entry", entry: { kind: "system", seq, ts, ...entry } });
      if (event.kind === "joined" && event.member.id === this.self) this.#effects.push({ type: "joined" });
      if (event.kind === "ended") this.#end({ by: "host", cause: event.cause });
      return;
    }
    if (event.from === this.self)
      throw new TunnelError("protocol-violation", { detail: "words put into our mouth" });
    order.appendChat(seq, ts, event, order.verify(event, text));
    const { from, intent, replyTo } = event;
    const fromName = order.member(from)?.name ?? "";
    this.#effects.push({
      type: "entry",
      entry: { kind: "chat", seq, ts, from, fromName, own: false, text, intent, replyTo },
    });
  }

  #placed(order: RoomOrder, seq: number, ts: number, n: number): void {
    const pending = this.#pending.get(n);
    if (pending === undefined) throw new TunnelError("protocol-violation", { detail: "a place for nothing" });
    this.#pending.delete(n);
    order.appendChat(seq, ts, { from: this.self, n }, pending.hash);
    const { text, intent, replyTo } = pending.utterance;
    const fromName = order.member(this.self)?.name ?? this.#wantedName;
    this.#effects.push({
      type: "entry",
      entry: { kind: "chat", seq, ts, from: this.self, fromName, own: true, text, intent, replyTo },
    });
    this.#effects.push({ type: "placed", n, seq });
  }

  #closedByHost(reason: number, now: number): void {
    if (reason === CLOSE.removed) return this.#end({ by: "removal" });
    if (reason === CLOSE.ended) return this.#end({ by: "host", cause: "closed" });
    this.#disconnected("host-unreachable", now);
  }

  // --- failure and time ---

  /** The other end did something wrong: cut the connection; what follows depends on what it was. */
  #failed(error: TunnelError, now: number): void {
    const connection = this.#current();
    if (connection !== undefined) this.#effects.push({ type: "hangup", connection, code: HANGUP.violation });
    const wasLive = this.#state.name === "live";
    if (wasLive) this.#effects.push({ type: "alarm", error });
    if (error.code === "invite-refused") return this.#refused(error, now);
    if (this.#isFinal(error)) return this.#end({ by: "failure", error });
    this.#disconnected(error.code, now);
  }

  #isFinal(error: TunnelError): boolean {
    const { name } = this.#state;
    // Tampering is the path's doing and not the host's. Coming back is worth it as soon as there may be a seat.
    if (error.code === "integrity-failed") return this.#membership === undefined && name !== "welcome";
    // A host that breaks the rules or shows its members different rooms is not to be trusted again; what goes wrong in a
    // later handshake may be somebody else answering in its place.
    return name === "live" || this.#membership === undefined;
  }

  #refused(error: TunnelError, now: number): void {
    if (this.#candidates.isRoundOpen) return this.#redial(now);
    if (this.#membership === undefined) return this.#end({ by: "failure", error });
    // Anybody on the path can deny, or spoil what the host then denies; only the same answer time and again counts.
    this.#denials += 1;
    if (this.#denials < LINK.deniedRounds) return this.#disconnected("host-unreachable", now);
    // No seat under any credential any more: the host has given it away, or is another process.
    this.#end({ by: "failure", error: new TunnelError("tunnel-gone") });
  }

  #disconnected(reason: ErrorCode, now: number): void {
    if (this.#state.name === "live") {
      this.#lostAt = this.#channel.lastHeard ?? now;
      this.#effects.push({ type: "presence" });
    }
    this.#channel.detach();
    this.#candidates.endRound();
    if (this.#membership !== undefined && now - this.#lostAt >= LINK.giveUpMs) {
      return this.#end({ by: "failure", error: new TunnelError("host-unreachable") });
    }
    this.#state = { name: "waiting", retryAt: now + backoffMs(this.#primitives, this.#failures), reason };
    this.#failures += 1;
  }

  #tick(now: number): void {
    const state = this.#state;
    switch (state.name) {
      case "waiting":
        if (now >= state.retryAt) this.#redial(now);
        return;
      case "live":
        return this.#tickLive(state.connection, now);
      case "dialling":
      case "challenge":
      case "accept":
      case "welcome":
        if (now < state.attempt.deadline) return;
        this.#effects.push({ type: "hangup", connection: state.attempt.connection, code: HANGUP.late });
        return this.#disconnected(state.name === "dialling" ? "host-unreachable" : "handshake-timeout", now);
      case "ended":
        return;
    }
  }

  #tickLive(connection: ConnectionId, now: number): void {
    const { messages, dead } = this.#channel.tick(now);
    this.#send(messages);
    if (dead) {
      this.#effects.push({ type: "hangup", connection, code: HANGUP.silent });
      return this.#disconnected("host-unreachable", now);
    }
    if (this.#noteDueAt === undefined || now < this.#noteDueAt) return;
    this.#noteDueAt = undefined;
    this.#noteSentAt = now;
    this.#send(this.#channel.note(this.#codec.encodeMemberNote({ read: this.#read, active: true }), now));
  }

  #end(end: MemberEnd): void {
    const connection = this.#current();
    if (connection !== undefined) this.#effects.push({ type: "hangup", connection, code: HANGUP.normal });
    this.#channel.detach();
    this.#candidates.wipe();
    wipe(this.#link.key);
    this.#state = { name: "ended", end };
    this.#effects.push({ type: "ended", end });
  }

  #send(messages: readonly Bytes[]): void {
    const connection = this.#current();
    if (connection === undefined) return;
    for (const message of messages) this.#effects.push({ type: "send", connection, message });
  }
}
