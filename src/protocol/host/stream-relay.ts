import { chunkPrice, type Chunk, type StreamId } from "../record/chunk.ts";
import type { Bytes } from "../base/bytes.ts";
import type { MemberId } from "../base/ids.ts";
import type { RoomEffect } from "./room-io.ts";
import type { MemberSession } from "./member-session.ts";
import type { MemberSessions } from "./member-sessions.ts";
import {
  decodeStreamFrame,
  encodeStreamFrame,
  type StopReason,
  type StreamFrame,
  type StreamOpen,
  type StreamRequest,
} from "../link/streams.ts";

/** One end of a stream as the host sees it: on a member's channel, or at the host itself. */
interface StreamEndpoint {
  readonly session: MemberSession | undefined;
  readonly stream: StreamId;
}

export interface StreamRelayOptions {
  readonly sessions: MemberSessions;
  readonly self: MemberId;
  readonly emit: (effect: RoomEffect) => void;
}

/**
 * Where streams meet (PROTOCOL §9): the host passes chunks on from the channel of whose file it is to that of who asked,
 * unopened, and the receiver's credit the other way, so that nothing is kept here. The host's own files end here.
 */
export class StreamRelay {
  readonly #options: StreamRelayOptions;
  /** The other end of each stream of a channel. */
  readonly #links = new WeakMap<MemberSession, Map<StreamId, StreamEndpoint>>();
  /** The same for the host's own ends, which have numbers of their own. */
  readonly #own = new Map<StreamId, StreamEndpoint>();
  #lastOwn = 0;

  constructor(options: StreamRelayOptions) {
    this.#options = options;
  }

  // --- from a member ---

  /** @throws {TunnelError} protocol-violation */
  frame(session: MemberSession, payload: Bytes, now: number): StreamFrame["t"] {
    const frame = decodeStreamFrame(payload);
    if (frame.t === "open") this.#asked(session, frame, now);
    else this.#pass({ session, stream: frame.stream }, frame, now);
    return frame.t;
  }

  /**
   * Whether the chunk was asked for; one of a stream that is over goes nowhere.
   * @throws {TunnelError} protocol-violation for what nobody let come
   */
  chunk(session: MemberSession, chunk: Chunk, now: number): boolean {
    const from = { session, stream: chunk.stream };
    const isAsked = session.streams.received(chunk.stream, chunkPrice(chunk));
    if (isAsked) this.#passChunk(from, chunk, now);
    return isAsked;
  }

  /** The connection of a member is gone: whoever it shared a stream with is told. */
  dropped(session: MemberSession, now: number): void {
    for (const stream of session.streams.live) {
      const other = this.#unlink({ session, stream });
      if (other !== undefined) this.#stop(other, "away", now);
    }
    session.streams.clear();
  }

  // --- from the host itself ---

  /** `undefined` while the owner is not connected, or serves enough already. */
  open({ file, owner, offset, credit }: StreamRequest, now: number): StreamId | undefined {
    const session = this.#options.sessions.of(owner);
    if (session?.connection === undefined || !session.streams.mayOpen) return undefined;
    this.#lastOwn += 1;
    const own = { session: undefined, stream: this.#lastOwn };
    this.#connect(own, session, { file, who: this.#options.self, offset, credit }, now);
    return own.stream;
  }

  own(frame: Exclude<StreamFrame, StreamOpen>, now: number): void {
    this.#pass({ session: undefined, stream: frame.stream }, frame, now);
  }

  /** Whether the receiver had credit left for it. */
  ownChunk(chunk: Chunk, now: number): boolean {
    const from = { session: undefined, stream: chunk.stream };
    return this.#passChunk(from, chunk, now);
  }

  // --- between ---

  #asked(session: MemberSession, { stream, file, who, offset, credit }: StreamOpen, now: number): void {
    const { sessions, self, emit } = this.#options;
    const leg = { session, stream };
    if (!session.streams.asked(stream, credit))
      return this.#send(leg, { t: "stop", stream, reason: "busy" }, now);
    if (who === self) {
      this.#lastOwn += 1;
      const own = { session: undefined, stream: this.#lastOwn };
      this.#link(leg, own);
      return emit({
        type: "stream",
        event: { t: "open", stream: own.stream, file, who: session.member.id, offset, credit },
      });
    }
    const owner = sessions.of(who);
    if (owner === undefined || owner === session) return this.#stop(leg, "unknown", now);
    if (owner.connection === undefined) return this.#stop(leg, "away", now);
    if (!owner.streams.mayOpen) return this.#stop(leg, "busy", now);
    return this.#connect(leg, owner, { file, who: session.member.id, offset, credit }, now);
  }

  /** Asks the owner for a stream that ends at `sink`. */
  #connect(
    sink: StreamEndpoint,
    owner: MemberSession,
    request: Omit<StreamOpen, "t" | "stream">,
    now: number,
  ): void {
    const source = { session: owner, stream: owner.streams.open(request.credit) };
    this.#link(sink, source);
    this.#send(source, { t: "open", stream: source.stream, ...request }, now);
  }

  #pass(from: StreamEndpoint, frame: Exclude<StreamFrame, StreamOpen>, now: number): void {
    const other = this.#otherEnd(from);
    // What crossed the end of its stream on the way is nothing; a stream that never was is a lie.
    if (other === undefined) return from.session?.streams.assertKnown(from.stream);
    if (frame.t === "credit") {
      from.session?.streams.credited(from.stream, frame.bytes);
      other.session?.streams.grant(other.stream, frame.bytes);
    }
    if (frame.t === "stop") this.#unlink(from);
    this.#send(other, { ...frame, stream: other.stream }, now);
  }

  #passChunk(from: StreamEndpoint, chunk: Chunk, now: number): boolean {
    const { emit } = this.#options;
    const to = this.#otherEnd(from);
    if (to === undefined) return false;
    const passed = { ...chunk, stream: to.stream };
    if (to.session === undefined) emit({ type: "stream", event: { t: "chunk", ...passed } });
    else {
      // Its own sender counts as well: what goes on beyond that is the source's doing.
      if (!to.session.streams.spend(to.stream, chunkPrice(chunk))) return false;
      this.#sendTo(to.session, to.session.channel.chunk(passed, now), true);
    }
    if (chunk.final) this.#unlink(from);
    return true;
  }

  #stop(leg: StreamEndpoint, reason: StopReason, now: number): void {
    this.#send(leg, { t: "stop", stream: leg.stream, reason }, now);
    leg.session?.streams.end(leg.stream);
  }

  #send(to: StreamEndpoint, frame: StreamFrame, now: number): void {
    const { emit } = this.#options;
    if (to.session === undefined) emit({ type: "stream", event: frame });
    else this.#sendTo(to.session, to.session.channel.stream(encodeStreamFrame(frame), now), false);
  }

  #sendTo({ connection }: MemberSession, messages: readonly Bytes[], bulk: boolean): void {
    if (connection === undefined) return;
    for (const message of messages)
      this.#options.emit({ type: "send", connection, message, ...(bulk ? { bulk } : {}) });
  }

  // --- which end belongs to which ---

  #of(session: MemberSession): Map<StreamId, StreamEndpoint> {
    const known = this.#links.get(session);
    if (known !== undefined) return known;
    const links = new Map<StreamId, StreamEndpoint>();
    this.#links.set(session, links);
    return links;
  }

  #ends(leg: StreamEndpoint): Map<StreamId, StreamEndpoint> {
    return leg.session === undefined ? this.#own : this.#of(leg.session);
  }

  #otherEnd(leg: StreamEndpoint): StreamEndpoint | undefined {
    return this.#ends(leg).get(leg.stream);
  }

  #link(one: StreamEndpoint, other: StreamEndpoint): void {
    this.#ends(one).set(one.stream, other);
    this.#ends(other).set(other.stream, one);
  }

  /** Both ends are over; gives the other one. */
  #unlink(leg: StreamEndpoint): StreamEndpoint | undefined {
    const other = this.#otherEnd(leg);
    for (const end of other === undefined ? [leg] : [leg, other]) {
      this.#ends(end).delete(end.stream);
      end.session?.streams.end(end.stream);
    }
    return other;
  }
}
