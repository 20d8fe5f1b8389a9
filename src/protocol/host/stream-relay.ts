import type { Bytes } from "../base/bytes.ts";
import type { MemberId } from "../base/ids.ts";
import { STREAM } from "../base/limits.ts";
import type { PeerLink } from "../link/peer-link.ts";
import type {
  StreamEvent,
  StreamFrame,
  StreamOpen,
  StreamRequest,
  StreamReset,
  StreamWord,
} from "../link/stream-frames.ts";
import { STREAM_PLACES, streamClass, type Arrival, type StreamClass } from "../link/streams.ts";
import { chunkPrice, type Chunk, type StreamId } from "../record/chunk.ts";
import { isObserver } from "../room/order.ts";
import { isConnected, type MemberSession, type MemberSessions } from "./member-sessions.ts";

/** One end of a stream as the host sees it: a member's, or the host's own where there is no session. */
class StreamEndpoint {
  readonly session: MemberSession | undefined;
  readonly stream: StreamId;
  /** The other end, from when they are joined on, also when the stream is over: its late chunks are that one's doing. */
  other: StreamEndpoint | undefined;
  isOver = false;
  /** Credit that the other end has granted: what this one was told of and has not used, and what it has not been told of yet. */
  told = 0;
  kept = 0;
  /** When this end was last told of credit, and how often it may be told at once: each chunk that it sends earns that. */
  passedAt = Number.NEGATIVE_INFINITY;
  promptly = 1;

  constructor(session: MemberSession | undefined, stream: StreamId) {
    this.session = session;
    this.stream = stream;
  }

  get link(): PeerLink | undefined {
    return this.session?.link;
  }
}

/** A STREAM frame or a chunk of a member, as the budgets look at it (E1). */
export interface Relayed<Kind> {
  readonly kind: Kind;
  /** Who caused it where that is not its sender; nobody where it was the host. */
  readonly causedBy: MemberSession | undefined;
}

/** `late`: about a stream that does not exist any more. */
export type FrameKind = "open" | "credit" | "word" | "late";

export interface StreamRelayOptions {
  readonly sessions: MemberSessions;
  readonly self: MemberId;
  /** Something came for the host's own end of a stream. */
  readonly onEvent: (event: StreamEvent) => void;
}

/**
 * Joins streams (PROTOCOL §6.2): the host passes chunks on from the link of one end to that of the other, and credit the other way, so
 * that nothing is kept here. Streams to the host itself end here. No member can make more wait for another one than its own places
 * and {@link STREAM.maxCreditBytes} on each of them.
 */
export class StreamRelay {
  readonly #options: StreamRelayOptions;
  readonly #ends = new WeakMap<PeerLink, Map<StreamId, StreamEndpoint>>();
  /** The host's own ends, which have numbers of their own. */
  readonly #own = new Map<StreamId, StreamEndpoint>();
  /** Ends that are to be told of credit when it is time. */
  readonly #waiting = new Set<StreamEndpoint>();
  #lastOwn = 0;

  constructor(options: StreamRelayOptions) {
    this.#options = options;
  }

  // --- from a member ---

  /** @throws {TunnelError} protocol-violation */
  frame(session: MemberSession, payload: Bytes, now: number): Relayed<FrameKind> {
    const { frame, isLive, isHeld } = session.link.takeStream(payload, now);
    const other = this.#endOf(session.link, frame.stream)?.other?.session;
    const causedBy = isOpenedByMember(frame.stream) ? session : other;
    if (isLive && frame.t === "open") this.#asked(session, frame, now);
    else if (isLive && frame.t !== "open") this.#pass(this.#endOf(session.link, frame.stream), frame, now);
    return { kind: kindOf(frame, isHeld), causedBy };
  }

  /**
   * One of a stream that is over goes nowhere.
   * @throws {TunnelError} protocol-violation for what nobody let come
   */
  chunk({ link }: MemberSession, chunk: Chunk, now: number): Relayed<Arrival> {
    const kind = link.takeChunk(chunk);
    const from = this.#endOf(link, chunk.stream);
    if (kind === "open") this.#passChunk(from, chunk, now);
    return { kind, causedBy: from?.other?.session };
  }

  /** The connection of a member is gone with these streams: the other ends are told. */
  dropped({ link }: MemberSession, streams: readonly StreamId[], now: number): void {
    for (const stream of streams) {
      const end = this.#endOf(link, stream);
      const other = end?.isOver === false ? end.other : undefined;
      if (end === undefined || other === undefined) continue;
      this.#over(end);
      this.#tell(other, { t: "reset", stream: other.stream, code: "away" }, now);
    }
    // Those of the next connection begin anew.
    this.#ends.delete(link);
  }

  // --- from the host itself ---

  /** `undefined` while that member is not connected, or serves enough already. */
  open(request: StreamRequest, now: number): StreamId | undefined {
    const session = this.#options.sessions.of(request.who);
    if (session === undefined || isObserver(session.member)) return undefined;
    if (!session.link.mayOpen(streamClass(request.service))) return undefined;
    const own = this.#newOwn();
    this.#connect(own, session, { ...request, who: this.#options.self }, now);
    return own.stream;
  }

  own(frame: StreamWord, now: number): void {
    this.#pass(this.#own.get(frame.stream), frame, now);
  }

  /** Bytes that the receiver lets come now on a stream of the host's own. */
  sendable(stream: StreamId): number {
    const to = this.#own.get(stream)?.other;
    return to?.link?.streams.sendable(to.stream) ?? 0;
  }

  /** Whether the receiver had credit left for it. */
  ownChunk(chunk: Chunk, now: number): boolean {
    return this.#passChunk(this.#own.get(chunk.stream), chunk, now);
  }

  // --- time ---

  /** When an end is to be told of credit, in ms since the epoch. */
  get dueAt(): number {
    let dueAt = Number.POSITIVE_INFINITY;
    for (const { passedAt } of this.#waiting) dueAt = Math.min(dueAt, passedAt + STREAM.creditEveryMs);
    return dueAt;
  }

  tick(now: number): void {
    const ends = Array.from(this.#waiting);
    // One that has to wait on is put in again.
    this.#waiting.clear();
    for (const end of ends) this.#passCredit(end, now);
  }

  // --- between ---

  #asked(session: MemberSession, open: StreamOpen, now: number): void {
    const { sessions, self, onEvent } = this.#options;
    const asking = new StreamEndpoint(session, open.stream);
    const who = session.member.id;
    if (open.who === self) {
      const own = this.#newOwn();
      this.#join(asking, own);
      return onEvent({ ...open, stream: own.stream, who });
    }
    const other = sessions.of(open.who);
    // An observer is nobody to a stream (Q4).
    if (other === undefined || other === session || isObserver(other.member))
      return refuse(asking, "nobody", now);
    if (!isConnected(other)) return refuse(asking, "away", now);
    if (!this.#hasPlace(other.link, session, streamClass(open.service))) return refuse(asking, "busy", now);
    return this.#connect(asking, other, { ...open, who }, now);
  }

  /**
   * Whether a member may ask for one more stream at this link. One that opens and resets has no more under way there than any other
   * (S6), and the last places are for those who have none.
   */
  #hasPlace(link: PeerLink, asking: MemberSession, kind: StreamClass): boolean {
    const places = STREAM_PLACES[kind];
    const held = link.streams.opened(kind);
    const mine = held.filter((id) => this.#endOf(link, id)?.other?.session === asking).length;
    const most = mine === 0 ? places.served : places.served - places.reserved;
    return held.length < most && mine < places.opened;
  }

  #connect(asking: StreamEndpoint, session: MemberSession, request: StreamRequest, now: number): void {
    const credit = Math.min(request.credit, STREAM.maxCreditBytes);
    const end = new StreamEndpoint(session, session.link.openStream({ ...request, credit }, now));
    this.#join(asking, end);
    end.told = credit;
    keep(end, request.credit - credit);
  }

  #pass(from: StreamEndpoint | undefined, frame: StreamWord, now: number): void {
    const to = from?.isOver === false ? from.other : undefined;
    if (from === undefined || to === undefined) return;
    const { stream } = to;
    if (frame.t === "credit") {
      keep(to, frame.bytes);
      return this.#passCredit(to, now);
    }
    if (frame.t === "accept") {
      const credit = to.link === undefined ? frame.credit : Math.min(frame.credit, STREAM.maxCreditBytes);
      to.told += credit;
      this.#tell(to, { ...frame, stream, credit }, now);
      return keep(to, frame.credit - credit);
    }
    this.#tell(to, { ...frame, stream }, now);
    const isLive = [from, to].some((end) => end.link?.streams.isLive(end.stream) === true);
    // A reset ends both ends; after an end they are over when the other direction has ended, too: any link of theirs knows.
    if (frame.t === "reset" || !isLive) this.#over(from);
  }

  /**
   * Tells an end of the credit that the other one has granted. It is told of little at a time, and of small grants it is told together
   * while it sends nothing: whoever grants byte by byte, or more than any line holds, makes no more frames or chunks than others (S5).
   */
  #passCredit(end: StreamEndpoint, now: number): void {
    const { link, stream, kept } = end;
    this.#waiting.delete(end);
    if (link === undefined) {
      end.kept = 0;
      return this.#options.onEvent({ t: "credit", stream, bytes: kept });
    }
    const room = STREAM.maxCreditBytes - end.told;
    const bytes = Math.min(kept, room);
    // It has enough for now, and its chunks will ask for more.
    if (bytes <= 0 || (kept > room && room < STREAM.maxCreditBytes / 2)) return;
    const isTime = end.promptly > 0 || now - end.passedAt >= STREAM.creditEveryMs;
    if (!isTime && bytes < STREAM.creditLumpBytes) {
      this.#waiting.add(end);
      return;
    }
    end.kept -= bytes;
    end.told += bytes;
    end.passedAt = now;
    end.promptly = Math.max(0, end.promptly - 1);
    link.tellCredit(stream, bytes, now);
  }

  #passChunk(from: StreamEndpoint | undefined, chunk: Chunk, now: number): boolean {
    const to = from?.isOver === false ? from.other : undefined;
    if (from === undefined || to === undefined) return false;
    const passed = { ...chunk, stream: to.stream };
    const isSent = to.link?.sendChunk(passed, now) ?? true;
    if (to.link === undefined) this.#options.onEvent({ t: "chunk", ...passed });
    from.told = Math.max(0, from.told - chunkPrice(chunk));
    from.promptly += 1;
    if (from.kept > 0) this.#passCredit(from, now);
    return isSent;
  }

  #tell({ link }: StreamEndpoint, frame: StreamWord, now: number): void {
    if (link === undefined) this.#options.onEvent(frame);
    else link.tellStream(frame, now);
  }

  // --- which end belongs to which ---

  #newOwn(): StreamEndpoint {
    this.#lastOwn += 1;
    return new StreamEndpoint(undefined, this.#lastOwn);
  }

  #endOf(link: PeerLink, stream: StreamId): StreamEndpoint | undefined {
    return this.#ends.get(link)?.get(stream);
  }

  #join(one: StreamEndpoint, other: StreamEndpoint): void {
    one.other = other;
    other.other = one;
    for (const end of [one, other]) this.#remember(end);
  }

  #remember(end: StreamEndpoint): void {
    const { link, stream } = end;
    if (link === undefined) return void this.#own.set(stream, end);
    const known = this.#ends.get(link) ?? new Map<StreamId, StreamEndpoint>();
    this.#ends.set(link, known);
    for (const id of known.keys()) if (!link.streams.isHeld(id)) known.delete(id);
    known.set(stream, end);
  }

  #over(end: StreamEndpoint): void {
    for (const one of [end, end.other]) {
      if (one === undefined) continue;
      one.isOver = true;
      this.#waiting.delete(one);
      if (one.link === undefined) this.#own.delete(one.stream);
    }
  }
}

/** Credit that an end has from now on, and is told of later. */
function keep(end: StreamEndpoint, bytes: number): void {
  end.kept = Math.min(end.kept + bytes, Number.MAX_SAFE_INTEGER);
  end.link?.streams.grant(end.stream, bytes);
}

function refuse({ link, stream }: StreamEndpoint, code: StreamReset, now: number): void {
  link?.tellStream({ t: "reset", stream, code }, now);
}

/** The host's own numbers are even (S2). */
function isOpenedByMember(stream: StreamId): boolean {
  return stream % 2 === 1;
}

function kindOf({ t }: StreamFrame, isHeld: boolean): FrameKind {
  if (t === "open" || t === "credit") return t;
  return isHeld ? "word" : "late";
}
