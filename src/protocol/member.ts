import type { Arrival } from "./attempt.ts";
import type { Bytes } from "./bytes.ts";
import { Channel, CLOSE, ROOM_STREAM } from "./channel.ts";
import { Dialler, type DiallerEvent } from "./dialler.ts";
import { asTunnelError, TunnelError, type ErrorCode } from "./errors.ts";
import { FrameCodec, type HostFrame, type HostNote, type SayFrame } from "./frames.ts";
import type { MemberId } from "./ids.ts";
import { LINK, ROOM } from "./limits.ts";
import type { InviteLink } from "./link.ts";
import { RoomOrder, Signer } from "./order.ts";
import type { Primitives } from "./primitives.ts";
import { HANGUP, isPlace, systemEvent, type Presence, type Utterance } from "./participant.ts";
import type { LinkState, MemberEffect, MemberEnd, MemberInput } from "./member-io.ts";

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
  readonly #wantedName: string;
  readonly #signer: Signer;
  readonly #channel = new Channel();
  readonly #pending = new Map<number, { hash: Bytes; utterance: Utterance }>();
  readonly #dialler: Dialler;
  #membership: Membership | undefined;
  #ended: MemberEnd | undefined;
  #presence: HostNote["members"] = [];
  #presenceAt = 0;
  #effects: MemberEffect[] = [];
  #read = 0;
  #noteDueAt: number | undefined;
  #noteSentAt = Number.NEGATIVE_INFINITY;

  constructor(primitives: Primitives, options: { link: InviteLink; name: string }, now: number) {
    this.#primitives = primitives;
    this.#codec = new FrameCodec(primitives);
    this.#link = options.link;
    this.#wantedName = options.name;
    this.#signer = new Signer(primitives, primitives.generateSigningKeyPair(), options.link.room);
    this.#dialler = new Dialler(
      primitives,
      {
        link: options.link,
        codec: this.#codec,
        confirm: () => ({
          name: this.#wantedName,
          key: this.#signer.publicKey,
          received: this.#channel.received,
        }),
        emit: (effect) => this.#effects.push(effect),
      },
      now,
    );
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
    return this.#ended === undefined ? this.#dialler.link : { name: "ended", end: this.#ended };
  }

  /** When the host was last heard, in ms since the epoch. */
  get lastHeard(): number {
    return this.#channel.lastHeard ?? this.#dialler.lostAt;
  }

  takeEffects(): MemberEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  handle(input: MemberInput, now: number): void {
    if (this.#ended !== undefined) return;
    if (this.#dialler.isConnected) this.#live(input, now);
    else this.#follow(this.#dialler.handle(input, now), now);
  }

  nextDeadline(): number | undefined {
    if (this.#ended !== undefined) return undefined;
    if (!this.#dialler.isConnected) return this.#dialler.nextDeadline();
    return Math.min(
      this.#channel.nextDeadline() ?? Number.POSITIVE_INFINITY,
      this.#noteDueAt ?? Number.POSITIVE_INFINITY,
    );
  }

  // --- what this member's own agent does ---

  /**
   * A message of this member: its own number, for the `placed` effect that will name its place.
   * @throws {TunnelError} tunnel-closed, reply-unknown, outbox-full
   */
  say(utterance: Utterance, now: number): number {
    const membership = this.#membership;
    if (membership === undefined || this.#ended !== undefined) throw new TunnelError("tunnel-closed");
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
    if (this.#ended !== undefined) return;
    const isNews = read > this.#read;
    this.#read = Math.max(this.#read, read);
    if (isNews || now - this.#noteSentAt >= ROOM.activityEveryMs) this.#noteDueAt ??= now + LINK.ackDelayMs;
  }

  /** Leaves for good. */
  leave(now: number): void {
    if (this.#ended !== undefined) return;
    if (this.#dialler.isConnected) {
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
    const isLive = this.#dialler.isConnected;
    const age = now - this.#presenceAt;
    return membership.order.members.map((member) => {
      const known = this.#presence.find((entry) => entry.id === member.id);
      const isHost = member.id === membership.host;
      const isSelf = member.id === this.self;
      const hostAge = now - this.lastHeard;
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

  /** A fresh link to the same host, where the known addresses lead nowhere any more. */
  prefer(origin: string, now: number): void {
    if (this.#ended === undefined) this.#dialler.prefer(origin, now);
  }

  // --- the connection ---

  #follow(event: DiallerEvent | undefined, now: number): void {
    if (event?.type === "gave-up") this.#end({ by: "failure", error: event.error });
    if (event?.type === "arrived") this.#guarded(now, () => this.#arrived(event, now));
  }

  #arrived(arrival: Arrival, now: number): void {
    const isFirst = this.#membership === undefined;
    this.#membership ??= this.#membershipFrom(arrival);
    this.#send(this.#channel.attach(arrival.records, arrival.welcome.received, now));
    this.#effects.push({ type: "presence" });
    if (!isFirst) this.#noteDueAt = now;
  }

  #membershipFrom({ welcome, safetyCode }: Arrival): Membership {
    const isSane = welcome.self === this.self && welcome.members.some((member) => member.id === welcome.host);
    if (!isSane) throw new TunnelError("protocol-violation", { detail: "a welcome for somebody else" });
    const { goal, name, host, idleMs, view, members } = welcome;
    const order = new RoomOrder(this.#primitives, this.#link.room, members, view);
    this.#read = view.seq;
    return { goal, name, host, idleMs, safetyCode, order };
  }

  #live(input: MemberInput, now: number): void {
    if (input.type === "tick") return this.#tick(now);
    if (input.connection !== this.#dialler.connection) return;
    if (input.type === "message") this.#guarded(now, () => this.#receive(input.message, now));
    if (input.type === "closed" || input.type === "failed") this.#disconnected("host-unreachable", now);
  }

  /** What the host does wrong costs the connection, and the stay unless it may have been somebody on the path. */
  #guarded(now: number, work: () => void): void {
    try {
      work();
    } catch (thrown) {
      const error = asTunnelError(thrown);
      if (error.code === "internal") throw thrown;
      this.#hangup(HANGUP.violation);
      this.#effects.push({ type: "alarm", error });
      // A host that breaks the rules or shows its members different rooms is not to be trusted again.
      if (error.code === "integrity-failed") this.#disconnected(error.code, now);
      else this.#end({ by: "failure", error });
    }
  }

  #disconnected(reason: ErrorCode, now: number): void {
    const lastHeard = this.#channel.lastHeard ?? now;
    this.#channel.detach();
    this.#effects.push({ type: "presence" });
    this.#follow(this.#dialler.lost(reason, lastHeard, now), now);
  }

  // --- the room ---

  #receive(message: Bytes, now: number): void {
    const { event, reply } = this.#channel.receive(message, now);
    this.#send(reply);
    if (event?.type === "durable") {
      const { frame, text } = this.#codec.decodeHostFrame(event.payload);
      this.#hostFrame(frame, text);
    }
    if (event?.type === "note") {
      const { members, addresses } = this.#codec.decodeHostNote(event.payload);
      this.#presence = members;
      this.#presenceAt = now;
      this.#dialler.announced(addresses ?? []);
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

  // --- time and the end ---

  #tick(now: number): void {
    const { messages, dead } = this.#channel.tick(now);
    this.#send(messages);
    if (dead) {
      this.#hangup(HANGUP.silent);
      return this.#disconnected("host-unreachable", now);
    }
    if (this.#noteDueAt === undefined || now < this.#noteDueAt) return;
    this.#noteDueAt = undefined;
    this.#noteSentAt = now;
    this.#send(this.#channel.note(this.#codec.encodeMemberNote({ read: this.#read, active: true }), now));
  }

  #end(end: MemberEnd): void {
    this.#hangup(HANGUP.normal);
    this.#channel.detach();
    this.#dialler.stop();
    this.#ended = end;
    this.#effects.push({ type: "ended", end });
  }

  #hangup(code: number): void {
    const { connection } = this.#dialler;
    if (connection !== undefined) this.#effects.push({ type: "hangup", connection, code });
  }

  #send(messages: readonly Bytes[]): void {
    const { connection } = this.#dialler;
    if (connection === undefined) return;
    for (const message of messages) this.#effects.push({ type: "send", connection, message });
  }
}
