import { openChunk, sealChunk, type Chunk } from "../record/chunk.ts";
import { concat, u64be, type Bytes } from "../base/bytes.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { ChannelEvent, Received } from "./channel-events.ts";
import { LINK } from "../base/limits.ts";
import { DATA_HEADER_BYTES, Outbox, type Durable } from "./outbox.ts";
import { ClockSkew, timeIn, timePayload } from "./clock-skew.ts";
import { exactly, readNumber } from "./payloads.ts";
import {
  CLOSE_PAYLOAD_BYTES,
  closeReason,
  FRAME,
  isBulk,
  isOpenBulk,
  type Frame,
  type RecordLayer,
} from "../record/record.ts";

const EMPTY = new Uint8Array(0);
const NOTHING: Received = { event: undefined, reply: [] };

/** The frames that wait for a peer's confirmation. */
export interface Load {
  /** Share of the outbox that is taken, 0 to 1: by bytes or by frames, whichever is more. */
  readonly fill: number;
  /** Of payload. */
  readonly bytes: number;
  readonly frames: number;
  /** Bytes on the wire that have ever been confirmed. */
  readonly drained: number;
}

/** What happened to the frames of an earlier process. */
export type Replayed =
  | { readonly kind: "sent"; readonly payload: Bytes }
  | { readonly kind: "received" }
  /** The peer had all frames up to this one. */
  | { readonly kind: "confirmed"; readonly number: number }
  /** So many frames had been sent, all of which the peer had, and had come. */
  | { readonly kind: "counted"; readonly sent: number; readonly received: number };

/** State that lives as long as one connection. */
interface Connection {
  readonly records: RecordLayer;
  lastHeard: number;
  lastPing: number;
  /** Since when the peer owes an answer, to a PING or to DATA, without having been heard. */
  askedAt: number | undefined;
  /** Frames received since the last acknowledgement went out, and since when. */
  unacknowledged: number;
  ackDueAt: number | undefined;
  /** Acknowledgements that may still go out without delay in the window that began then. */
  readonly prompt: { left: number; since: number };
  /** PINGs on this connection that are not answered: their numbers, and when they went out. They are answered in order. */
  readonly pings: { readonly number: number; readonly asked: number }[];
  /** The last durable frame that was put on this connection, and the bytes of those not confirmed since. */
  sentUpTo: number;
  inFlight: number;
}

/**
 * The sealed channel between the host and one member for the member's whole stay (PROTOCOL §6): frames put in at one
 * end come out at the other exactly once and in order, whatever happens to the connections below. Every method
 * returns the WebSocket messages to send now; none while no connection is attached.
 */
export class Channel {
  readonly #outbox = new Outbox();
  readonly #onFresh: (payload: Bytes) => void;
  readonly #skew = new ClockSkew();
  #connection: Connection | undefined;
  /** PINGs sent on all connections together, and the last of them that was answered. */
  #asked = 0;
  #answered = 0;

  /** @param onFresh a durable frame has come, which is not acknowledged yet: whoever keeps the stay keeps it now */
  constructor(onFresh: (payload: Bytes) => void = () => undefined) {
    this.#onFresh = onFresh;
  }

  /** Goes on from an earlier process: the frames of that one, in the order in which they were sent and came. */
  replay(frame: Replayed): void {
    switch (frame.kind) {
      case "sent":
        return this.#outbox.replay(frame.payload);
      case "received":
        this.#outbox.accept(this.#outbox.received + 1);
        return;
      case "confirmed":
        this.#outbox.confirm(frame.number);
        return;
      case "counted":
        this.#outbox.standAt(frame);
    }
  }

  /** Number of the last durable frame received: the resume point to tell the peer. */
  get received(): number {
    return this.#outbox.received;
  }

  /** Number of the last durable frame sent: the highest resume point that the peer can have. */
  get sent(): number {
    return this.#outbox.sent;
  }

  /** Number of the last durable frame that the peer has confirmed: its process has it. */
  get confirmed(): number {
    return this.#outbox.confirmed;
  }

  /** The first frame that the peer has not confirmed. */
  get unconfirmed(): Bytes | undefined {
    return this.#outbox.after(this.#outbox.confirmed)?.payload;
  }

  /** Frames that the peer has not confirmed. */
  get waiting(): number {
    return this.#outbox.waiting;
  }

  get load(): Load {
    const { bytes, waiting: frames, drained } = this.#outbox;
    const fill = Math.max(bytes / LINK.maxOutboxBytes, frames / LINK.maxOutboxFrames);
    return { fill, bytes, frames, drained };
  }

  /** When the peer was last heard on this connection, in ms since the epoch. */
  get lastHeard(): number | undefined {
    return this.#connection?.lastHeard;
  }

  /** How far the peer's clock is ahead of this one, in ms; undefined while it has told no time. */
  get clockSkew(): number | undefined {
    return this.#skew.ms;
  }

  /** Number of the last PING that went out. */
  get asked(): number {
    return this.#asked;
  }

  /** Number of the last PING that was answered: all that was put on the connection before it has arrived. */
  get answered(): number {
    return this.#answered;
  }

  /** A PING now. Gives its number, for {@link answered}. */
  ask(now: number): { number: number; messages: Bytes[] } {
    const connection = this.#connection;
    if (connection === undefined) return { number: this.#asked, messages: [] };
    const messages = this.#ping(connection, now);
    return { number: this.#asked, messages };
  }

  hasRoomFor(bytes: number): boolean {
    return this.#outbox.hasRoomFor(bytes);
  }

  /**
   * A new connection takes over; `peerReceived` is the peer's own resume point, the rest is resent (D5).
   * @throws {TunnelError} protocol-violation for a point that was never sent, or before one that it has confirmed
   */
  attach(records: RecordLayer, peerReceived: number, now: number): Bytes[] {
    if (peerReceived < this.#outbox.confirmed)
      throw new TunnelError("protocol-violation", { detail: "a resume point that goes back" });
    this.#outbox.confirm(peerReceived);
    this.#connection?.records.wipe();
    this.#connection = {
      records,
      lastHeard: now,
      lastPing: now,
      askedAt: undefined,
      unacknowledged: 0,
      ackDueAt: undefined,
      prompt: { left: 0, since: Number.NEGATIVE_INFINITY },
      pings: [],
      sentUpTo: peerReceived,
      inFlight: 0,
    };
    return this.#pump(now);
  }

  detach(): void {
    this.#connection?.records.wipe();
    this.#connection = undefined;
  }

  /** @throws {TunnelError} outbox-full */
  send(payload: Bytes, now: number): Bytes[] {
    this.#outbox.push(payload);
    return this.#pump(now);
  }

  /** Volatile: sent now or never. */
  note(payload: Bytes, now: number): Bytes[] {
    return this.#seal({ type: FRAME.note, payload }, now);
  }

  /** Volatile like {@link note}: about a stream of bulk messages, which ends with the connection. */
  stream(payload: Bytes, now: number): Bytes[] {
    return this.#seal({ type: FRAME.stream, payload }, now);
  }

  /** A bulk message: never kept here, since its sender can read it again. */
  chunk(chunk: Chunk, now: number): Bytes[] {
    return this.#connection === undefined ? [] : sealChunk(this.#connection.records, chunk, now);
  }

  /**
   * Acknowledges what has come without delay, because somebody waits to hear that it did (D8). Where much comes at once, all
   * that is there is read first: so many at once are no conversation.
   */
  acknowledge(now: number): Bytes[] {
    const connection = this.#connection;
    if (connection === undefined || connection.unacknowledged === 0) return [];
    const { prompt } = connection;
    if (now - prompt.since >= LINK.ackDelayMs) {
      prompt.since = now;
      prompt.left = LINK.promptAcks;
    }
    prompt.left -= 1;
    if (prompt.left >= 0) return this.#sealAck(now);
    connection.ackDueAt = now;
    return [];
  }

  /** Authenticated end of this connection; the stay may go on with another one. */
  close(reason: number, now: number): Bytes[] {
    const messages = this.#connection?.records.sealClose(reason, now) ?? [];
    this.detach();
    return messages;
  }

  /** The last word: what still waits goes out first, as far as a socket takes it, since no acknowledgement will come. */
  finish(reason: number, now: number): Bytes[] {
    return [...this.#pump(now, LINK.maxSendBufferBytes / 2), ...this.close(reason, now)];
  }

  /**
   * A WebSocket message arrived. `isAnswer` for what only answers our own frames, and so cannot be more than these.
   * @throws {TunnelError} integrity-failed, protocol-violation: the connection must be cut, the stay survives
   */
  receive(message: Bytes, now: number): Received & { isAnswer: boolean } {
    const connection = this.#connection;
    if (connection === undefined) return { ...NOTHING, isAnswer: false };
    const event: ChannelEvent | undefined =
      isBulk(message) || isOpenBulk(message)
        ? { type: "chunk", chunk: openChunk(connection.records, message) }
        : undefined;
    const frame = event === undefined ? connection.records.open(message, now) : undefined;
    connection.lastHeard = now;
    connection.askedAt = undefined;
    const received = frame === undefined ? { event, reply: [] } : this.#received(connection, frame, now);
    if (connection.inFlight > 0) connection.askedAt ??= now;
    return { ...received, isAnswer: frame?.type === FRAME.ack || frame?.type === FRAME.pong };
  }

  #received(connection: Connection, frame: Frame, now: number): Received {
    switch (frame.type) {
      case FRAME.data:
        return this.#receiveData(connection, frame.payload, now);
      case FRAME.ack:
        this.#confirm(connection, readNumber(exactly(8, frame.payload), 0));
        return { event: undefined, reply: this.#pump(now) };
      case FRAME.ping:
        exactly(0, frame.payload);
        return { event: undefined, reply: this.#seal({ type: FRAME.pong, payload: timePayload(now) }, now) };
      case FRAME.pong: {
        const time = timeIn(frame.payload);
        const ping = connection.pings.shift();
        // A PONG that nobody has asked for says nothing.
        if (ping === undefined) return NOTHING;
        this.#answered = ping.number;
        this.#skew.told(time, { asked: ping.asked, now });
        return NOTHING;
      }
      case FRAME.note:
        return { event: { type: "note", payload: frame.payload }, reply: [] };
      case FRAME.stream:
        return { event: { type: "stream", payload: frame.payload }, reply: [] };
      case FRAME.close:
        return {
          event: { type: "close", reason: closeReason(exactly(CLOSE_PAYLOAD_BYTES, frame.payload)) },
          reply: [],
        };
      default:
        throw new TunnelError("protocol-violation", { detail: "a frame of unknown type" });
    }
  }

  /** Acknowledgements and pings that are due. `dead` when the peer has been silent for too long (D7). */
  tick(now: number): { messages: Bytes[]; dead: boolean } {
    const connection = this.#connection;
    if (connection === undefined) return { messages: [], dead: false };
    if (now >= this.#deadAt(connection)) return { messages: [], dead: true };
    const messages: Bytes[] = [];
    if (connection.ackDueAt !== undefined && now >= connection.ackDueAt) messages.push(...this.#sealAck(now));
    if (now - connection.lastPing >= LINK.pingEveryMs) messages.push(...this.#ping(connection, now));
    return { messages, dead: false };
  }

  #ping(connection: Connection, now: number): Bytes[] {
    this.#asked += 1;
    connection.pings.push({ number: this.#asked, asked: now });
    connection.lastPing = now;
    connection.askedAt ??= now;
    return this.#seal({ type: FRAME.ping, payload: EMPTY }, now);
  }

  /** When {@link tick} has something to do next. */
  nextDeadline(): number | undefined {
    const connection = this.#connection;
    if (connection === undefined) return undefined;
    return Math.min(
      this.#deadAt(connection),
      connection.lastPing + LINK.pingEveryMs,
      connection.ackDueAt ?? Number.POSITIVE_INFINITY,
    );
  }

  /** The second term is for a machine that slept: its pings did not go out, so nobody owes it an answer (D7). */
  #deadAt({ askedAt, lastHeard }: Connection): number {
    const asleep = lastHeard + LINK.pingEveryMs + LINK.answerMs;
    return Math.min(askedAt === undefined ? asleep : askedAt + LINK.answerMs, asleep);
  }

  #receiveData(connection: Connection, payload: Bytes, now: number): Received {
    const number = readNumber(payload, 0);
    this.#confirm(connection, readNumber(payload, 8));
    if (payload.length < DATA_HEADER_BYTES)
      throw new TunnelError("protocol-violation", { detail: "a short frame" });
    const fresh = this.#outbox.accept(number);
    const content = payload.subarray(DATA_HEADER_BYTES);
    if (fresh) this.#onFresh(content);
    connection.unacknowledged += 1;
    connection.ackDueAt ??= now + LINK.ackDelayMs;
    // A frame for which the acknowledgement made room may carry ours.
    const pumped = this.#pump(now);
    const reply =
      connection.unacknowledged >= LINK.ackEveryFrames ? [...pumped, ...this.#sealAck(now)] : pumped;
    const event = fresh ? ({ type: "durable", payload: content } as const) : undefined;
    return { event, reply };
  }

  /** @throws {TunnelError} protocol-violation for a frame that was not put on this connection */
  #confirm(connection: Connection, number: number): void {
    if (number > connection.sentUpTo) {
      throw new TunnelError("protocol-violation", { detail: "acknowledged the unsent" });
    }
    connection.inFlight -= this.#outbox.confirm(number);
  }

  /** Puts as many of the waiting frames on the connection as its window has room for (D10), one at least. */
  #pump(now: number, windowBytes: number = LINK.windowBytes): Bytes[] {
    const connection = this.#connection;
    if (connection === undefined) return [];
    const messages: Bytes[] = [];
    while (connection.inFlight < windowBytes) {
      const frame = this.#outbox.after(connection.sentUpTo);
      if (frame === undefined) break;
      connection.sentUpTo = frame.number;
      connection.inFlight += frame.wireBytes;
      connection.askedAt ??= now;
      messages.push(...this.#sealData(frame, now));
    }
    return messages;
  }

  #sealData(frame: Durable, now: number): Bytes[] {
    const header = concat(u64be(frame.number), u64be(this.#outbox.received));
    const messages = this.#seal({ type: FRAME.data, payload: concat(header, frame.payload) }, now);
    this.#acknowledged();
    return messages;
  }

  #sealAck(now: number): Bytes[] {
    this.#acknowledged();
    return this.#seal({ type: FRAME.ack, payload: u64be(this.#outbox.received) }, now);
  }

  #acknowledged(): void {
    if (this.#connection === undefined) return;
    this.#connection.unacknowledged = 0;
    this.#connection.ackDueAt = undefined;
  }

  #seal(frame: Frame, now: number): Bytes[] {
    return this.#connection?.records.seal(frame, now) ?? [];
  }
}
