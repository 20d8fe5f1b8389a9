import { chunkPrice, type Chunk, type StreamId } from "../record/chunk.ts";
import type { Bytes } from "../base/bytes.ts";
import type { MemberId } from "../base/ids.ts";
import type { Primitives } from "../base/primitives.ts";
import type { RoomEffect } from "./room-io.ts";
import type { Seat } from "./member-session.ts";
import type { Seating } from "./member-sessions.ts";
import {
  decodeStreamFrame,
  encodeStreamFrame,
  type StopReason,
  type StreamFrame,
  type StreamOpen,
  type StreamRequest,
} from "../link/streams.ts";

/** One end of a stream as the host sees it: on a member's channel, or at the host itself. */
interface Leg {
  readonly seat: Seat | undefined;
  readonly stream: StreamId;
}

export interface JunctionOptions {
  readonly primitives: Primitives;
  readonly seats: Seating;
  readonly self: MemberId;
  readonly emit: (effect: RoomEffect) => void;
}

/**
 * Where streams meet (PROTOCOL §9): the host passes chunks on from the channel of whose file it is to that of who asked,
 * unopened, and the receiver's credit the other way, so that nothing is kept here. The host's own files end here.
 */
export class Junction {
  readonly #options: JunctionOptions;
  /** The other end of each stream of a channel. */
  readonly #links = new WeakMap<Seat, Map<StreamId, Leg>>();
  /** The same for the host's own ends, which have numbers of their own. */
  readonly #own = new Map<StreamId, Leg>();
  #lastOwn = 0;

  constructor(options: JunctionOptions) {
    this.#options = options;
  }

  // --- from a member ---

  /** @throws {TunnelError} protocol-violation */
  frame(seat: Seat, payload: Bytes, now: number): StreamFrame["t"] {
    const frame = decodeStreamFrame(this.#options.primitives, payload);
    if (frame.t === "open") this.#asked(seat, frame, now);
    else this.#pass({ seat, stream: frame.stream }, frame, now);
    return frame.t;
  }

  /**
   * Whether the chunk was asked for; one of a stream that is over goes nowhere.
   * @throws {TunnelError} protocol-violation for what nobody let come
   */
  chunk(seat: Seat, chunk: Chunk, now: number): boolean {
    const from = { seat, stream: chunk.stream };
    const isAsked = seat.streams.received(chunk.stream, chunkPrice(chunk));
    if (isAsked) this.#passChunk(from, chunk, now);
    return isAsked;
  }

  /** The connection of a member is gone: whoever it shared a stream with is told. */
  dropped(seat: Seat, now: number): void {
    for (const stream of seat.streams.live) {
      const other = this.#unlink({ seat, stream });
      if (other !== undefined) this.#stop(other, "away", now);
    }
    seat.streams.clear();
  }

  // --- from the host itself ---

  /** `undefined` while the owner is not connected, or serves enough already. */
  open({ file, owner, offset, credit }: StreamRequest, now: number): StreamId | undefined {
    const seat = this.#options.seats.of(owner);
    if (seat?.connection === undefined || !seat.streams.mayOpen) return undefined;
    this.#lastOwn += 1;
    const own = { seat: undefined, stream: this.#lastOwn };
    this.#connect(own, seat, { file, who: this.#options.self, offset, credit }, now);
    return own.stream;
  }

  own(frame: Exclude<StreamFrame, StreamOpen>, now: number): void {
    this.#pass({ seat: undefined, stream: frame.stream }, frame, now);
  }

  /** Whether the receiver had credit left for it. */
  ownChunk(chunk: Chunk, now: number): boolean {
    const from = { seat: undefined, stream: chunk.stream };
    return this.#passChunk(from, chunk, now);
  }

  // --- between ---

  #asked(seat: Seat, { stream, file, who, offset, credit }: StreamOpen, now: number): void {
    const { seats, self, emit } = this.#options;
    const leg = { seat, stream };
    if (!seat.streams.asked(stream, credit))
      return this.#send(leg, { t: "stop", stream, reason: "busy" }, now);
    if (who === self) {
      this.#lastOwn += 1;
      const own = { seat: undefined, stream: this.#lastOwn };
      this.#link(leg, own);
      return emit({
        type: "stream",
        event: { t: "open", stream: own.stream, file, who: seat.member.id, offset, credit },
      });
    }
    const owner = seats.of(who);
    if (owner === undefined || owner === seat) return this.#stop(leg, "unknown", now);
    if (owner.connection === undefined) return this.#stop(leg, "away", now);
    if (!owner.streams.mayOpen) return this.#stop(leg, "busy", now);
    return this.#connect(leg, owner, { file, who: seat.member.id, offset, credit }, now);
  }

  /** Asks the owner for a stream that ends at `sink`. */
  #connect(sink: Leg, owner: Seat, request: Omit<StreamOpen, "t" | "stream">, now: number): void {
    const source = { seat: owner, stream: owner.streams.open(request.credit) };
    this.#link(sink, source);
    this.#send(source, { t: "open", stream: source.stream, ...request }, now);
  }

  #pass(from: Leg, frame: Exclude<StreamFrame, StreamOpen>, now: number): void {
    const other = this.#otherEnd(from);
    // What crossed the end of its stream on the way is nothing; a stream that never was is a lie.
    if (other === undefined) return from.seat?.streams.assertKnown(from.stream);
    if (frame.t === "credit") {
      from.seat?.streams.credited(from.stream, frame.bytes);
      other.seat?.streams.grant(other.stream, frame.bytes);
    }
    if (frame.t === "stop") this.#unlink(from);
    this.#send(other, { ...frame, stream: other.stream }, now);
  }

  #passChunk(from: Leg, chunk: Chunk, now: number): boolean {
    const { emit } = this.#options;
    const to = this.#otherEnd(from);
    if (to === undefined) return false;
    const passed = { ...chunk, stream: to.stream };
    if (to.seat === undefined) emit({ type: "stream", event: { t: "chunk", ...passed } });
    else {
      // Its own sender counts as well: what goes on beyond that is the source's doing.
      if (!to.seat.streams.spend(to.stream, chunkPrice(chunk))) return false;
      this.#sendTo(to.seat, to.seat.channel.chunk(passed, now), true);
    }
    if (chunk.final) this.#unlink(from);
    return true;
  }

  #stop(leg: Leg, reason: StopReason, now: number): void {
    this.#send(leg, { t: "stop", stream: leg.stream, reason }, now);
    leg.seat?.streams.end(leg.stream);
  }

  #send(to: Leg, frame: StreamFrame, now: number): void {
    const { primitives, emit } = this.#options;
    if (to.seat === undefined) emit({ type: "stream", event: frame });
    else this.#sendTo(to.seat, to.seat.channel.stream(encodeStreamFrame(primitives, frame), now), false);
  }

  #sendTo({ connection }: Seat, messages: readonly Bytes[], bulk: boolean): void {
    if (connection === undefined) return;
    for (const message of messages)
      this.#options.emit({ type: "send", connection, message, ...(bulk ? { bulk } : {}) });
  }

  // --- which end belongs to which ---

  #of(seat: Seat): Map<StreamId, Leg> {
    const known = this.#links.get(seat);
    if (known !== undefined) return known;
    const links = new Map<StreamId, Leg>();
    this.#links.set(seat, links);
    return links;
  }

  #ends(leg: Leg): Map<StreamId, Leg> {
    return leg.seat === undefined ? this.#own : this.#of(leg.seat);
  }

  #otherEnd(leg: Leg): Leg | undefined {
    return this.#ends(leg).get(leg.stream);
  }

  #link(one: Leg, other: Leg): void {
    this.#ends(one).set(one.stream, other);
    this.#ends(other).set(other.stream, one);
  }

  /** Both ends are over; gives the other one. */
  #unlink(leg: Leg): Leg | undefined {
    const other = this.#otherEnd(leg);
    for (const end of other === undefined ? [leg] : [leg, other]) {
      this.#ends(end).delete(end.stream);
      end.seat?.streams.end(end.stream);
    }
    return other;
  }
}
