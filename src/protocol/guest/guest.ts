import { chunkPrice, type Chunk, type StreamId } from "../record/chunk.ts";
import type { Arrival } from "./attempt.ts";
import { digestsOf } from "../room/sealed-message.ts";
import { equalBytes, type Bytes } from "../base/bytes.ts";
import type { WorkContext } from "../room/work-context.ts";
import { Channel, ROOM_STREAM } from "../reliable/channel.ts";
import { CAUSE_OF, CLOSE } from "../room/close-reasons.ts";
import { Connector, type ConnectorEvent } from "./connector.ts";
import { asTunnelError, TunnelError, type ErrorCode } from "../../errors/tunnel-error.ts";
import { AuditLog, signedOf, type Signed, type Attestation } from "../room/audit-log.ts";
import {
  decodeHostFrame,
  decodeHostNote,
  encodeMemberFrame,
  encodeMemberNote,
  type ChatEvent,
  type Decoded,
  type HostFrame,
  type HostNote,
  type SayFrame,
  type SystemRoomEvent,
} from "../room/frames.ts";
import type { MemberId } from "../base/ids.ts";
import { LINK, ROOM } from "../base/limits.ts";
import type { InviteLink } from "../handshake/invite-link.ts";
import { RoomOrder } from "../room/order.ts";
import type { Primitives } from "../base/primitives.ts";
import {
  CLOSE_CODE,
  isPlace,
  spokenEntry,
  systemEvent,
  type Presence,
  type OutgoingMessage,
} from "../room/participant.ts";
import { Signer } from "../room/identity.ts";
import {
  decodeStreamFrame,
  encodeStreamFrame,
  Streams,
  type StreamFrame,
  type StreamOpen,
  type StreamRequest,
} from "../link/streams.ts";
import type { LinkState, MemberEffect, MemberEnd, MemberInput } from "./guest-io.ts";
import { utf8Length } from "../base/utf8.ts";

/** What exists once the first WELCOME has arrived. */
interface Membership {
  readonly goal: string;
  readonly name: string;
  readonly host: MemberId;
  readonly idleMs: number;
  /** Whether those who come later are given what is said now. */
  readonly history: boolean;
  readonly safetyCode: string;
  readonly order: RoomOrder;
  readonly log: AuditLog;
}

/**
 * The guest's machine (PROTOCOL §4 to §8): joins with a link, keeps the stay alive across connections, and holds what
 * it says until the host has it. No sockets, timers or clock: feed it inputs with the time, then carry out
 * {@link takeEffects}. It owns nonce counters and keys, so it is changed in place and must not be copied.
 */
export class Member {
  readonly #primitives: Primitives;
  readonly #link: InviteLink;
  readonly #wantedName: string;
  readonly #signer: Signer;
  readonly #channel = new Channel();
  readonly #streams = new Streams("member");
  readonly #pending = new Map<number, { hash: Bytes; signed: Signed; outgoing: OutgoingMessage }>();
  readonly #connector: Connector;
  #membership: Membership | undefined;
  #ended: MemberEnd | undefined;
  #presence: HostNote["members"] = [];
  #presenceAt = 0;
  #effects: MemberEffect[] = [];
  #read = 0;
  /** Until its own arrival, what a member is told is of the time before it. */
  #past: { readonly past?: true } = { past: true };
  #noteDueAt: number | undefined;
  #noteSentAt = Number.NEGATIVE_INFINITY;

  constructor(
    primitives: Primitives,
    options: { link: InviteLink; name: string; workContext?: WorkContext | undefined },
    now: number,
  ) {
    this.#primitives = primitives;
    this.#link = options.link;
    this.#wantedName = options.name;
    this.#signer = new Signer(primitives, options.link.room);
    this.#connector = new Connector(
      primitives,
      {
        link: options.link,
        confirm: () => ({
          name: this.#wantedName,
          key: this.#signer.key,
          box: this.#signer.box,
          // The roster has it from then on.
          ...(options.workContext === undefined || this.#membership !== undefined
            ? {}
            : { workContext: options.workContext }),
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

  get attestation(): Attestation | undefined {
    if (this.#membership === undefined) return undefined;
    const { host, log } = this.#membership;
    const attest = (transcript: Bytes): Bytes => this.#signer.attest(transcript);
    return { room: this.#link.room, host, self: this.self, log, attest };
  }

  /** Own messages that the host has not confirmed yet. */
  get unplaced(): number {
    return this.#pending.size;
  }

  get link(): LinkState {
    return this.#ended === undefined ? this.#connector.link : { name: "ended", end: this.#ended };
  }

  /** When the host was last heard, in ms since the epoch. */
  get lastHeard(): number {
    return this.#channel.lastHeard ?? this.#connector.lostAt;
  }

  takeEffects(): MemberEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  handle(input: MemberInput, now: number): void {
    if (this.#ended !== undefined) return;
    if (this.#connector.isConnected) this.#live(input, now);
    else this.#follow(this.#connector.handle(input, now), now);
  }

  nextDeadline(): number | undefined {
    if (this.#ended !== undefined) return undefined;
    if (!this.#connector.isConnected) return this.#connector.nextDeadline();
    return Math.min(
      this.#channel.nextDeadline() ?? Number.POSITIVE_INFINITY,
      this.#noteDueAt ?? Number.POSITIVE_INFINITY,
    );
  }

  // --- what this member's own agent does ---

  /**
   * A message of this member: its own number, for the `placed` effect that will name its place.
   * @throws {TunnelError} tunnel-closed, reply-unknown, member-unknown, outbox-full
   */
  say(outgoing: OutgoingMessage, now: number): number {
    const membership = this.#membership;
    // Before its own arrival a member has no place from which to speak.
    const isHere = membership !== undefined && this.#past.past === undefined;
    if (!isHere || this.#ended !== undefined) throw new TunnelError("tunnel-closed");
    const { replyTo } = outgoing;
    if (replyTo !== undefined && !isPlace(replyTo, this.lastSeq)) throw new TunnelError("reply-unknown");
    const { view, members } = membership.order;
    const isKnown = (id: MemberId): boolean => id !== this.self && membership.order.member(id) !== undefined;
    if (outgoing.to?.every(isKnown) === false) throw new TunnelError("member-unknown");
    const bytes = utf8Length(outgoing.text);
    // What a host acknowledges and never places must not pile up, either.
    const isFull = this.#pending.size >= LINK.maxOutboxFrames;
    if (isFull || !this.#channel.hasRoomFor(bytes + LINK.frameAllowanceBytes))
      throw new TunnelError("outbox-full");
    const { fields, body, hash } = this.#signer.say(outgoing, view, members);
    const digests = digestsOf(this.#primitives, fields.seal, body);
    this.#pending.set(fields.n, {
      hash,
      signed: signedOf({ ...fields, from: this.self }, digests),
      outgoing,
    });
    const payload = encodeMemberFrame({ t: "say", ...fields } satisfies SayFrame, body);
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
    if (this.#connector.isConnected) {
      const payload = encodeMemberFrame({ t: "leave" });
      // A full outbox cannot keep anybody in: the authenticated CLOSE says the same.
      if (this.#channel.hasRoomFor(payload.length)) this.#send(this.#channel.send(ROOM_STREAM, payload, now));
      this.#send(this.#channel.finish(CLOSE.left, now));
    }
    this.#end({ by: "self" });
  }

  presence(now: number): Presence[] {
    const membership = this.#membership;
    if (membership === undefined) return [];
    const isLive = this.#connector.isConnected;
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
        workContext: member.workContext,
        lastSeenMs: Math.max(0, lastSeenMs),
        read: isSelf ? this.#read : (known?.read ?? 0),
        safetyCode: isHost ? membership.safetyCode : undefined,
      };
    });
  }

  /** A fresh link to the same host, where the known addresses lead nowhere any more. */
  prefer(origin: string, now: number): void {
    if (this.#ended === undefined) this.#connector.prefer(origin, now);
  }

  // --- files, on streams of their own (PROTOCOL §9) ---

  /** Asks whose file it is for it; `undefined` while that cannot be asked. */
  openStream({ file, owner, offset, credit }: StreamRequest, now: number): StreamId | undefined {
    if (!this.#connector.isConnected || this.#ended !== undefined || !this.#streams.mayOpen) return undefined;
    const stream = this.#streams.open(credit);
    this.#sendStream({ t: "open", stream, file, who: owner, offset, credit }, now);
    return stream;
  }

  /** Of this member's own end of a stream; nothing once that is over. */
  stream(frame: Exclude<StreamFrame, StreamOpen>, now: number): void {
    if (!this.#streams.isLive(frame.stream)) return;
    if (frame.t === "credit") this.#streams.grant(frame.stream, frame.bytes);
    if (frame.t === "stop") this.#streams.end(frame.stream);
    this.#sendStream(frame, now);
  }

  /** Whether there was credit left for it. */
  sendChunk(chunk: Chunk, now: number): boolean {
    if (!this.#streams.spend(chunk.stream, chunkPrice(chunk))) return false;
    if (chunk.final) this.#streams.end(chunk.stream);
    this.#send(this.#channel.chunk(chunk, now), true);
    return true;
  }

  #sendStream(frame: StreamFrame, now: number): void {
    this.#send(this.#channel.stream(encodeStreamFrame(frame), now));
  }

  #streamFrame(payload: Bytes, now: number): void {
    const frame = decodeStreamFrame(payload);
    const { stream } = frame;
    if (frame.t === "open" && !this.#streams.asked(stream, frame.credit))
      return this.#sendStream({ t: "stop", stream, reason: "busy" }, now);
    if (frame.t !== "open" && !this.#streams.isLive(stream)) return this.#streams.assertKnown(stream);
    if (frame.t === "credit") this.#streams.credited(stream, frame.bytes);
    if (frame.t === "stop") this.#streams.end(stream);
    this.#effects.push({ type: "stream", event: frame });
  }

  #chunk(chunk: Chunk): void {
    if (!this.#streams.received(chunk.stream, chunkPrice(chunk))) return;
    if (chunk.final) this.#streams.end(chunk.stream);
    this.#effects.push({ type: "stream", event: { t: "chunk", ...chunk } });
  }

  /** Streams end with the connection; what they carried is asked for again. */
  #endStreams(): void {
    for (const stream of this.#streams.live)
      this.#effects.push({ type: "stream", event: { t: "stop", stream, reason: "away" } });
    this.#streams.clear();
  }

  // --- the connection ---

  #follow(event: ConnectorEvent | undefined, now: number): void {
    if (event?.type === "gave-up") this.#end({ by: "failure", error: event.error });
    if (event?.type === "arrived") this.#guarded(now, () => this.#arrived(event, now));
  }

  #arrived(arrival: Arrival, now: number): void {
    const isFirst = this.#membership === undefined;
    this.#membership ??= this.#membershipFrom(arrival);
    // Until the first NOTE, which follows, nothing is known of the others.
    if (isFirst) this.#presenceAt = now;
    this.#send(this.#channel.attach(arrival.records, arrival.welcome.received, now));
    this.#effects.push({ type: "presence" });
    if (!isFirst) this.#noteDueAt = now;
  }

  #membershipFrom({ welcome, safetyCode }: Arrival): Membership {
    const isSane = welcome.self === this.self && welcome.members.some((member) => member.id === welcome.host);
    if (!isSane) throw new TunnelError("protocol-violation", { detail: "a welcome for somebody else" });
    const { goal, name, host, idleMs, history, view, members } = welcome;
    const order = new RoomOrder(this.#primitives, this.#link.room, members, view);
    this.#read = view.seq;
    const log = new AuditLog({ view, members });
    return { goal, name, host, idleMs, history, safetyCode, order, log };
  }

  #live(input: MemberInput, now: number): void {
    if (input.type === "tick") return this.#tick(now);
    if (input.connection !== this.#connector.connection) return;
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
      this.#close(CLOSE_CODE.violation);
      this.#effects.push({ type: "alarm", error, member: undefined });
      // A host that breaks the rules or shows its members different rooms is not to be trusted again.
      if (error.code === "integrity-failed") this.#disconnected(error.code, now);
      else this.#end({ by: "failure", error });
    }
  }

  #disconnected(reason: ErrorCode, now: number): void {
    const lastHeard = this.#channel.lastHeard ?? now;
    this.#channel.detach();
    this.#endStreams();
    this.#effects.push({ type: "presence" });
    this.#follow(this.#connector.lost(reason, lastHeard, now), now);
  }

  // --- the room ---

  #receive(message: Bytes, now: number): void {
    const { event, reply } = this.#channel.receive(message, now);
    this.#send(reply);
    if (event?.type === "durable") {
      const decoded = decodeHostFrame(event.payload);
      // The host's agent waits to hear whether its words have come; checking them takes longer than all the rest.
      if (speakerOf(decoded.frame) === this.#membership?.host) this.#send(this.#channel.acknowledge(now));
      this.#hostFrame(decoded, now);
    }
    if (event?.type === "note") {
      const { members, addresses } = decodeHostNote(event.payload);
      this.#presence = members;
      this.#presenceAt = now;
      this.#connector.announced(addresses ?? []);
      this.#effects.push({ type: "presence" });
    }
    if (event?.type === "stream") this.#streamFrame(event.payload, now);
    if (event?.type === "chunk") this.#chunk(event.chunk);
    if (event?.type === "close") this.#closedByHost(event.reason, now);
  }

  #hostFrame({ frame, body, text }: Decoded<HostFrame>, now: number): void {
    const membership = this.#membership;
    if (membership === undefined) return;
    const { order } = membership;
    const { seq, ts } = frame;
    if (frame.t === "own") return this.#placed(order, seq, ts, frame.n);
    const { event } = frame;
    if (event.kind === "chat") return this.#said(order, { seq, ts, event, body, text });
    if (event.kind === "withheld") {
      this.#assertNotOwn(event.from);
      if (event.to.includes(this.self))
        throw new TunnelError("order-broken", { detail: "a message kept back from one whom it is for" });
      order.appendChat(seq, ts, event, order.verifyWithheld(event));
      const { kind: _, ...signed } = event;
      return membership.log.message(order.view, ts, signed);
    }
    this.#happened(order, { seq, ts, event }, now);
  }

  #said(
    order: RoomOrder,
    said: { seq: number; ts: number; event: ChatEvent; body: Bytes; text: string | undefined },
  ): void {
    const { seq, ts, event, body } = said;
    const { from } = event;
    this.#assertNotOwn(from);
    order.appendChat(seq, ts, event, order.verify(event, body));
    const digests = digestsOf(this.#primitives, event.seal, body);
    this.#membership?.log.message(order.view, ts, signedOf(event, digests));
    const text = said.text ?? this.#signer.open(event, body);
    const entry =
      text === undefined
        ? undefined
        : spokenEntry({ seq, ts, ...this.#past }, { ...event, own: false, text }, order);
    if (entry !== undefined) return void this.#effects.push({ type: "entry", entry });
    // Its sender's doing, who signed it: no reason to leave the others.
    const error = new TunnelError("message-unreadable");
    this.#effects.push({ type: "alarm", error, member: order.member(from)?.name ?? "" });
  }

  #happened(
    order: RoomOrder,
    { seq, ts, event }: { seq: number; ts: number; event: SystemRoomEvent },
    now: number,
  ): void {
    const isSelf = event.kind === "joined" && event.member.id === this.self;
    if (isSelf) {
      const { key, box } = this.#signer;
      // Others seal to what they were told of us.
      if (!equalBytes(event.member.key, key) || !equalBytes(event.member.box, box))
        throw new TunnelError("order-broken", { detail: "a member whose keys are not its own" });
    }
    const { host } = this.#membership ?? {};
    // Whoever leaves is not told so by an event, and with the host ends the room.
    if (event.kind === "left" && (event.id === this.self || event.id === host))
      throw new TunnelError("order-broken", { detail: "somebody left who cannot" });
    const entry = systemEvent(event, order);
    order.appendSystem(seq, ts, event);
    this.#membership?.log.event(order.view, ts, event);
    if (isSelf) this.#past = {};
    // Whoever comes is there; the NOTE that says so follows later.
    else if (event.kind === "joined") {
      const heardAgoMs = this.#presenceAt - now;
      this.#presence.push({ id: event.member.id, connected: true, heardAgoMs, read: 0 });
    }
    if (event.kind === "left") this.#presence = this.#presence.filter(({ id }) => id !== event.id);
    this.#effects.push({ type: "entry", entry: { kind: "system", seq, ts, ...this.#past, ...entry } });
    if (isSelf) this.#effects.push({ type: "joined" });
    if (event.kind === "ended") this.#end({ by: "host", cause: event.cause });
  }

  #assertNotOwn(from: MemberId): void {
    if (from === this.self) throw new TunnelError("order-broken", { detail: "words put into our mouth" });
  }

  #placed(order: RoomOrder, seq: number, ts: number, n: number): void {
    const pending = this.#pending.get(n);
    // Placed in the order in which it was said: the map keeps that.
    const [next] = this.#pending.keys();
    if (pending === undefined || n !== next)
      throw new TunnelError("order-broken", { detail: "an own message out of its turn" });
    this.#pending.delete(n);
    order.appendChat(seq, ts, { from: this.self, n }, pending.hash);
    this.#membership?.log.message(order.view, ts, pending.signed);
    const entry = spokenEntry({ seq, ts }, { ...pending.outgoing, from: this.self, own: true }, order);
    if (entry !== undefined) this.#effects.push({ type: "entry", entry });
    this.#effects.push({ type: "placed", n, seq });
  }

  #closedByHost(reason: number, now: number): void {
    if (reason === CLOSE.removed) return this.#end({ by: "removal" });
    const cause = CAUSE_OF.get(reason);
    if (cause !== undefined) return this.#end({ by: "host", cause });
    this.#disconnected("host-unreachable", now);
  }

  // --- time and the end ---

  #tick(now: number): void {
    const { messages, dead } = this.#channel.tick(now);
    this.#send(messages);
    if (dead) {
      this.#close(CLOSE_CODE.silent);
      return this.#disconnected("host-unreachable", now);
    }
    if (this.#noteDueAt === undefined || now < this.#noteDueAt) return;
    this.#noteDueAt = undefined;
    this.#noteSentAt = now;
    this.#send(this.#channel.note(encodeMemberNote({ read: this.#read, active: true }), now));
  }

  #end(end: MemberEnd): void {
    this.#close(CLOSE_CODE.normal, end.by === "self" && this.#channel.waiting > 0);
    this.#channel.detach();
    this.#connector.stop();
    this.#endStreams();
    this.#ended = end;
    this.#effects.push({ type: "ended", end });
  }

  #close(code: number, linger = false): void {
    const { connection } = this.#connector;
    if (connection !== undefined)
      this.#effects.push({ type: "close", connection, code, ...(linger ? { linger } : {}) });
  }

  #send(messages: readonly Bytes[], bulk = false): void {
    const { connection } = this.#connector;
    if (connection === undefined) return;
    for (const message of messages)
      this.#effects.push({ type: "send", connection, message, ...(bulk ? { bulk } : {}) });
  }
}

function speakerOf(frame: HostFrame): MemberId | undefined {
  return frame.t === "event" && frame.event.kind === "chat" ? frame.event.from : undefined;
}
