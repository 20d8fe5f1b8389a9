import type { Bytes } from "../base/bytes.ts";
import type { ConnectionId } from "../base/ids.ts";
import { chunkPrice, type Chunk, type StreamId } from "../record/chunk.ts";
import type { Frame, RecordLayer } from "../record/record.ts";
import type { ChannelEvent } from "../reliable/channel-events.ts";
import { Channel, type Load, type Replayed } from "../reliable/channel.ts";
import {
  decodeStreamFrame,
  encodeStreamFrame,
  type StreamFrame,
  type StreamRequest,
  type StreamWord,
} from "./stream-frames.ts";
import { streamClass, Streams, type Arrival, type StreamClass } from "./streams.ts";
import { CLOSE_CODE, type WireEffect } from "./wire.ts";

/**
 * The sealed link to one peer, for its whole stay: the channel, its streams, and the connection that carries them at the moment.
 * Both machines use it, and nothing else of them turns frames into effects on a connection.
 */
export class PeerLink {
  readonly streams: Streams;
  readonly #channel: Channel;
  readonly #emit: (effect: WireEffect) => void;
  #connection: ConnectionId | undefined;

  /**
   * `role` is that of this side: it decides whose numbers streams have (S2). `onFresh` is told of a durable frame before it is
   * acknowledged.
   */
  constructor(
    role: "host" | "member",
    emit: (effect: WireEffect) => void,
    onFresh?: (payload: Bytes) => void,
  ) {
    this.streams = new Streams(role);
    this.#emit = emit;
    this.#channel = new Channel(onFresh);
  }

  /** Goes on from an earlier process; see {@link Channel.replay}. */
  replay(frame: Replayed): void {
    this.#channel.replay(frame);
  }

  get connection(): ConnectionId | undefined {
    return this.#connection;
  }

  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  /** Number of the last durable frame received: the resume point to tell the peer. */
  get received(): number {
    return this.#channel.received;
  }

  /** Number of the last durable frame sent: the highest resume point that the peer can have. */
  get sent(): number {
    return this.#channel.sent;
  }

  /** Number of the last durable frame that the peer has confirmed. */
  get confirmed(): number {
    return this.#channel.confirmed;
  }

  /** The first durable frame that the peer has not confirmed. */
  get unconfirmed(): Bytes | undefined {
    return this.#channel.unconfirmed;
  }

  /** How much waits for the peer, and the bytes on the wire that it has ever confirmed. */
  get load(): Load {
    return this.#channel.load;
  }

  /** When the peer was last heard on this connection, in ms since the epoch. */
  get lastHeard(): number | undefined {
    return this.#channel.lastHeard;
  }

  /** How far the peer's clock is ahead of this one, in ms; undefined while it has told no time. */
  get clockSkew(): number | undefined {
    return this.#channel.clockSkew;
  }

  hasRoomFor(bytes: number): boolean {
    return this.#channel.hasRoomFor(bytes);
  }

  // --- the connection ---

  /**
   * A new connection takes over: `greeting` is its first record, `received` the peer's own resume point, and all behind that is resent (D5).
   */
  attach(
    connection: ConnectionId,
    { records, received, greeting }: { records: RecordLayer; received: number; greeting?: Frame },
    now: number,
  ): void {
    this.#connection = connection;
    if (greeting !== undefined) this.#write(records.seal(greeting, now));
    this.#write(this.#channel.attach(records, received, now));
  }

  /**
   * The connection is over, the stay goes on with another one. `code` where the socket itself still has to be closed.
   * Gives the streams that were open: they end with it.
   */
  drop(code: number | undefined): StreamId[] {
    const streams = this.streams.live;
    this.streams.clear();
    this.#channel.detach();
    if (code !== undefined) this.#close(code);
    this.#connection = undefined;
    return streams;
  }

  /** Ends the connection with an authenticated CLOSE; as {@link drop}. */
  part(reason: number, code: number, now: number): StreamId[] {
    this.#write(this.#channel.close(reason, now));
    return this.drop(code);
  }

  /** The end of the stay: what still waits goes out ahead of CLOSE, as far as a socket takes it; as {@link drop}. */
  finish(reason: number, now: number): StreamId[] {
    this.#write(this.#channel.finish(reason, now));
    this.#close(CLOSE_CODE.normal, this.#channel.waiting > 0);
    return this.drop(undefined);
  }

  // --- frames ---

  /** Durable: kept until the peer has confirmed it. @throws {TunnelError} outbox-full */
  send(payload: Bytes, now: number): void {
    this.#write(this.#channel.send(payload, now));
  }

  /** Volatile: sent now or never. */
  note(payload: Bytes, now: number): void {
    this.#write(this.#channel.note(payload, now));
  }

  /** Asks the peer for a sign of life. Gives the number of the question, for {@link answered}. */
  ask(now: number): number {
    const { number, messages } = this.#channel.ask(now);
    this.#write(messages);
    return number;
  }

  /** Number of the last question that the peer has answered: it has had all that was sent before that. */
  get answered(): number {
    return this.#channel.answered;
  }

  /** Acknowledges without delay what has come (D8). */
  acknowledge(now: number): void {
    this.#write(this.#channel.acknowledge(now));
  }

  /**
   * A message of the connection: answers it as the channel has to, and gives what is for the layer above.
   * @throws {TunnelError} integrity-failed, protocol-violation: the connection must be cut, the stay survives
   */
  receive(message: Bytes, now: number): { event: ChannelEvent | undefined; isAnswer: boolean } {
    const { reply, ...rest } = this.#channel.receive(message, now);
    this.#write(reply);
    if (rest.isAnswer) this.streams.settle(this.#channel.answered);
    return rest;
  }

  /** Sends what is due; `false` when the peer has been silent for too long (D7). */
  tick(now: number): boolean {
    const { messages, dead } = this.#channel.tick(now);
    this.#write(messages);
    return !dead;
  }

  nextDeadline(): number | undefined {
    return this.#channel.nextDeadline();
  }

  // --- streams ---

  /** Whether a stream of this class could be opened now. */
  mayOpen(kind: StreamClass): boolean {
    return this.isConnected && this.streams.mayOpen(kind);
  }

  openStream({ service, who, credit, request }: StreamRequest, now: number): StreamId {
    const stream = this.streams.open(credit, streamClass(service));
    this.#writeStream({ t: "open", stream, service, who, credit, request }, now);
    return stream;
  }

  /** Says something about a stream; nothing once that is over. */
  tellStream(frame: StreamWord, now: number): void {
    const { stream } = frame;
    if (!this.streams.isLive(stream)) return;
    if (frame.t === "accept") this.streams.grant(stream, frame.credit);
    if (frame.t === "credit") this.streams.grant(stream, frame.bytes);
    if (frame.t === "end") this.streams.finish(stream);
    this.#writeStream(frame, now);
    if (frame.t !== "reset" || !this.streams.reset(stream, this.#channel.asked + 1)) return;
    // Its answer comes behind everything that was under way.
    this.#write(this.#channel.ask(now).messages);
  }

  /** Tells of credit that was granted before ({@link Streams.grant}). */
  tellCredit(stream: StreamId, bytes: number, now: number): void {
    if (this.streams.isLive(stream)) this.#writeStream({ t: "credit", stream, bytes }, now);
  }

  /** Whether the other side had let it come. */
  sendChunk(chunk: Chunk, now: number): boolean {
    if (!this.streams.spend(chunk.stream, chunkPrice(chunk))) return false;
    this.#write(this.#channel.chunk(chunk, now), true);
    return true;
  }

  /**
   * A STREAM frame of the peer, accounted for: gives it, and whether it concerns a stream that is open, or at least one that keeps its
   * place. A stream for which there is no room is refused here (S6); what crossed the end of its stream on the way is nothing.
   * @throws {TunnelError} protocol-violation
   */
  takeStream(payload: Bytes, now: number): { frame: StreamFrame; isLive: boolean; isHeld: boolean } {
    const frame = decodeStreamFrame(payload);
    const { stream } = frame;
    const isLive = this.streams.isLive(stream);
    const isHeld = this.streams.isHeld(stream);
    switch (frame.t) {
      case "open": {
        const hasRoom = this.streams.asked(stream, frame.credit, streamClass(frame.service));
        if (!hasRoom) this.#writeStream({ t: "reset", stream, code: "busy" }, now);
        return { frame, isLive: hasRoom, isHeld: hasRoom };
      }
      case "accept":
        this.streams.accepted(stream, frame.credit);
        break;
      case "credit":
        this.streams.credited(stream, frame.bytes);
        break;
      case "end":
        this.streams.finished(stream);
        break;
      case "reset":
        this.streams.assertKnown(stream);
        this.streams.end(stream);
    }
    return { frame, isLive, isHeld };
  }

  /** A chunk of the peer, accounted for. @throws {TunnelError} protocol-violation for what nobody let come */
  takeChunk(chunk: Chunk): Arrival {
    return this.streams.received(chunk.stream, chunkPrice(chunk));
  }

  #writeStream(frame: StreamFrame, now: number): void {
    this.#write(this.#channel.stream(encodeStreamFrame(frame), now));
  }

  #write(messages: readonly Bytes[], bulk = false): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    for (const message of messages)
      this.#emit({ type: "send", connection, message, ...(bulk ? { bulk } : {}) });
  }

  #close(code: number, linger = false): void {
    const connection = this.#connection;
    if (connection !== undefined)
      this.#emit({ type: "close", connection, code, ...(linger ? { linger } : {}) });
  }
}
