import type { Bytes } from "../base/bytes.ts";
import type { MemberId } from "../base/ids.ts";
import type { PeerLink } from "../link/peer-link.ts";
import type {
  StreamEvent,
  StreamFrame,
  StreamOpen,
  StreamRequest,
  StreamReset,
  StreamWord,
} from "../link/stream-frames.ts";
import { type Chunk, type StreamId } from "../record/chunk.ts";
import { isConnected, type MemberSession, type MemberSessions } from "./member-sessions.ts";

/** One end of a stream as the host sees it: on a member's link, or at the host itself. */
interface StreamEndpoint {
  readonly link: PeerLink | undefined;
  readonly stream: StreamId;
}

export interface StreamRelayOptions {
  readonly sessions: MemberSessions;
  readonly self: MemberId;
  /** Something came for the host's own end of a stream. */
  readonly onEvent: (event: StreamEvent) => void;
}

/**
 * Joins streams (PROTOCOL §6.2): the host passes chunks on from the link of one end to that of the other, and credit the other way, so
 * that nothing is kept here. Streams to the host itself end here.
 */
export class StreamRelay {
  readonly #options: StreamRelayOptions;
  /** The other end of each stream of a link. */
  readonly #ends = new WeakMap<PeerLink, Map<StreamId, StreamEndpoint>>();
  /** The same for the host's own ends, which have numbers of their own. */
  readonly #own = new Map<StreamId, StreamEndpoint>();
  #lastOwn = 0;

  constructor(options: StreamRelayOptions) {
    this.#options = options;
  }

  // --- from a member ---

  /** @throws {TunnelError} protocol-violation */
  frame(session: MemberSession, payload: Bytes, now: number): StreamFrame["t"] {
    const { frame, isLive } = session.link.takeStream(payload, now);
    if (isLive && frame.t === "open") this.#asked(session, frame, now);
    else if (isLive && frame.t !== "open")
      this.#pass({ link: session.link, stream: frame.stream }, frame, now);
    return frame.t;
  }

  /**
   * Whether the chunk was asked for, and has a receiver; one of a stream that is over goes nowhere.
   * @throws {TunnelError} protocol-violation for what nobody let come
   */
  chunk({ link }: MemberSession, chunk: Chunk, now: number): boolean {
    const isAsked = link.takeChunk(chunk);
    if (isAsked) this.#passChunk({ link, stream: chunk.stream }, chunk, now);
    return isAsked;
  }

  /** The connection of a member is gone with these streams: the other ends are told. */
  dropped({ link }: MemberSession, streams: readonly StreamId[], now: number): void {
    for (const stream of streams) {
      const other = this.#otherEnd({ link, stream });
      if (other === undefined) continue;
      this.#unjoin({ link, stream });
      this.#tell(other, { t: "reset", stream: other.stream, code: "away" }, now);
    }
  }

  // --- from the host itself ---

  /** `undefined` while that member is not connected, or serves enough already. */
  open(request: StreamRequest, now: number): StreamId | undefined {
    const session = this.#options.sessions.of(request.who);
    if (session?.link.mayOpen !== true) return undefined;
    const own = this.#newOwn();
    this.#connect(own, session, { ...request, who: this.#options.self }, now);
    return own.stream;
  }

  own(frame: StreamWord, now: number): void {
    this.#pass({ link: undefined, stream: frame.stream }, frame, now);
  }

  /** Whether the receiver had credit left for it. */
  ownChunk(chunk: Chunk, now: number): boolean {
    return this.#passChunk({ link: undefined, stream: chunk.stream }, chunk, now);
  }

  // --- between ---

  #asked(session: MemberSession, open: StreamOpen, now: number): void {
    const { sessions, self, onEvent } = this.#options;
    const asking = { link: session.link, stream: open.stream };
    const who = session.member.id;
    if (open.who === self) {
      const own = this.#newOwn();
      this.#join(asking, own);
      return onEvent({ ...open, stream: own.stream, who });
    }
    const other = sessions.of(open.who);
    if (other === undefined || other === session) return this.#refuse(asking, "nobody", now);
    if (!isConnected(other)) return this.#refuse(asking, "away", now);
    if (!other.link.mayOpen) return this.#refuse(asking, "busy", now);
    return this.#connect(asking, other, { ...open, who }, now);
  }

  /** Asks `other` for a stream that ends at `asking`. */
  #connect(asking: StreamEndpoint, { link }: MemberSession, request: StreamRequest, now: number): void {
    this.#join(asking, { link, stream: link.openStream(request, now) });
  }

  #refuse({ link, stream }: StreamEndpoint, code: StreamReset, now: number): void {
    link?.tellStream({ t: "reset", stream, code }, now);
  }

  #pass(from: StreamEndpoint, frame: StreamWord, now: number): void {
    const other = this.#otherEnd(from);
    if (other === undefined) return;
    this.#tell(other, { ...frame, stream: other.stream }, now);
    if (frame.t === "end" || frame.t === "reset") this.#forgetIfOver(from, other, frame.t);
  }

  #passChunk(from: StreamEndpoint, chunk: Chunk, now: number): boolean {
    const to = this.#otherEnd(from);
    if (to === undefined) return false;
    const passed = { ...chunk, stream: to.stream };
    if (to.link !== undefined) return to.link.sendChunk(passed, now);
    this.#options.onEvent({ t: "chunk", ...passed });
    return true;
  }

  #tell({ link }: StreamEndpoint, frame: StreamWord, now: number): void {
    if (link === undefined) this.#options.onEvent(frame);
    else link.tellStream(frame, now);
  }

  // --- which end belongs to which ---

  #newOwn(): StreamEndpoint {
    this.#lastOwn += 1;
    return { link: undefined, stream: this.#lastOwn };
  }

  #of({ link }: StreamEndpoint): Map<StreamId, StreamEndpoint> {
    if (link === undefined) return this.#own;
    const known = this.#ends.get(link) ?? new Map<StreamId, StreamEndpoint>();
    this.#ends.set(link, known);
    return known;
  }

  #otherEnd(end: StreamEndpoint): StreamEndpoint | undefined {
    return this.#of(end).get(end.stream);
  }

  #join(one: StreamEndpoint, other: StreamEndpoint): void {
    this.#of(one).set(one.stream, other);
    this.#of(other).set(other.stream, one);
  }

  #unjoin(end: StreamEndpoint): void {
    const other = this.#otherEnd(end);
    this.#of(end).delete(end.stream);
    if (other !== undefined) this.#of(other).delete(other.stream);
  }

  /** A reset ends both ends; after an end they are over when the other direction has ended, too: any link of theirs knows. */
  #forgetIfOver(one: StreamEndpoint, other: StreamEndpoint, t: "end" | "reset"): void {
    const isLive = [one, other].some(({ link, stream }) => link?.streams.isLive(stream) === true);
    if (t === "reset" || !isLive) this.#unjoin(one);
  }
}
