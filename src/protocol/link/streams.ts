import { TunnelError } from "../../errors/tunnel-error.ts";
import { STREAM } from "../base/limits.ts";
import type { StreamId } from "../record/chunk.ts";
import { PORT_SERVICE } from "./stream-frames.ts";

/** Streams are counted in two classes, so that connections to services leave files their places, and the other way round (S6). */
export type StreamClass = "port" | "other";

export function streamClass(service: string): StreamClass {
  return service === PORT_SERVICE ? "port" : "other";
}

/** Places of a class: for the streams that one member opens, and for those that it serves. */
export const STREAM_PLACES = {
  port: { opened: STREAM.maxPortsOpened, served: STREAM.maxPortsServed, reserved: STREAM.portsReserved },
  other: { opened: STREAM.maxOpened, served: STREAM.maxServed, reserved: STREAM.reserved },
} as const satisfies Readonly<Record<StreamClass, object>>;

/** One stream as one end of a channel counts it: bytes that may still come and go; `undefined` for a direction that has ended. */
interface Flow {
  readonly kind: StreamClass;
  receive: number | undefined;
  send: number | undefined;
  /** Whether the end that was asked has answered. */
  isAccepted: boolean;
  /**
   * The host has reset it, and the other end may not know yet: until the PING of this number is answered the stream keeps its place, and
   * what comes goes nowhere (S6).
   */
  drainedBy: number | undefined;
}

function flow(kind: StreamClass, receive: number, send: number): Flow {
  return { kind, receive, send, isAccepted: false, drainedBy: undefined };
}

/** A chunk within credit on a stream that is open, the same on one that this end has reset, or one that comes too late for either. */
export type Arrival = "open" | "draining" | "over";

/** Odd numbers or even ones, without a gap (S2). */
function next(last: StreamId, parity: number): StreamId {
  return last === 0 ? 2 - parity : last + 2;
}

function unasked(detail: string): TunnelError {
  return new TunnelError("protocol-violation", { detail });
}

function sum(credit: number, more: number): number {
  return Math.min(credit + more, Number.MAX_SAFE_INTEGER);
}

/**
 * The streams of one channel as one of its ends counts them: which exist, which directions have ended, and how much may still
 * come or go on each (S3, S7). They end with the connection.
 */
export class Streams {
  readonly #isHost: boolean;
  readonly #ownParity: 0 | 1;
  readonly #flows = new Map<StreamId, Flow>();
  #lastOpened = 0;
  #lastAsked = 0;

  constructor(role: "host" | "member") {
    const isHost = role === "host";
    this.#isHost = isHost;
    this.#ownParity = isHost ? 0 : 1;
  }

  /** Whether the other side may be asked for one more of this class. The host asks a member on behalf of many. */
  mayOpen(kind: StreamClass = "other"): boolean {
    const { opened, served } = STREAM_PLACES[kind];
    return this.opened(kind).length < (this.#isHost ? served : opened);
  }

  /** Those of a class that this end has opened and that take up a place. */
  opened(kind: StreamClass = "other"): StreamId[] {
    return this.#placed(kind, true);
  }

  #placed(kind: StreamClass, isOwn: boolean): StreamId[] {
    const ids: StreamId[] = [];
    for (const [id, flow] of this.#flows) if (flow.kind === kind && this.#isOwn(id) === isOwn) ids.push(id);
    return ids;
  }

  get live(): StreamId[] {
    return [...this.#flows.keys()].filter((id) => this.isLive(id));
  }

  isLive(id: StreamId): boolean {
    const found = this.#flows.get(id);
    return found !== undefined && found.drainedBy === undefined;
  }

  /** Whether it takes up a place: it is live, or the host has reset it and waits for the other end. */
  isHeld(id: StreamId): boolean {
    return this.#flows.has(id);
  }

  /** Begins a stream on which the other side may send so much. */
  open(credit: number, kind: StreamClass = "other"): StreamId {
    this.#lastOpened = next(this.#lastOpened, this.#ownParity);
    this.#flows.set(this.#lastOpened, flow(kind, credit, 0));
    return this.#lastOpened;
  }

  /**
   * The other side asks for a stream, on which this one may send so much; whether there is room for it.
   * @throws {TunnelError} protocol-violation for an id that is not its next one
   */
  asked(id: StreamId, credit: number, kind: StreamClass = "other"): boolean {
    if (id !== next(this.#lastAsked, 1 - this.#ownParity)) throw unasked("a stream that cannot be");
    this.#lastAsked = id;
    const { opened, served } = STREAM_PLACES[kind];
    if (this.#placed(kind, false).length >= (this.#isHost ? opened : served)) return false;
    this.#flows.set(id, flow(kind, 0, credit));
    return true;
  }

  /** The other side serves a stream, and lets so much come. @throws {TunnelError} protocol-violation for one that it opened itself, or has answered before */
  accepted(id: StreamId, credit: number): void {
    if (!this.#isOwn(id)) throw unasked("an answer to its own question");
    const found = this.#flows.get(id);
    if (found?.isAccepted === true) throw unasked("a second answer");
    if (found !== undefined) found.isAccepted = true;
    this.credited(id, credit);
  }

  /** More credit came from the other side. @throws {TunnelError} protocol-violation for a stream that was never opened */
  credited(id: StreamId, bytes: number): void {
    const found = this.#flows.get(id);
    if (found === undefined) this.assertKnown(id);
    else if (found.send !== undefined) found.send = sum(found.send, bytes);
  }

  /** This side lets more come. */
  grant(id: StreamId, bytes: number): void {
    const found = this.#flows.get(id);
    if (found?.receive !== undefined) found.receive = sum(found.receive, bytes);
  }

  /** Bytes that may go out now on a stream. */
  sendable(id: StreamId): number {
    const found = this.#flows.get(id);
    return found?.send === undefined || found.drainedBy !== undefined ? 0 : found.send;
  }

  /** Whether a chunk of this price may go out now; it counts as sent then. */
  spend(id: StreamId, price: number): boolean {
    const found = this.#flows.get(id);
    if (found?.send === undefined || found.drainedBy !== undefined || found.send < price) return false;
    found.send -= price;
    return true;
  }

  /**
   * A chunk came in.
   * @throws {TunnelError} protocol-violation for more than was let come, after the end of its direction, or on a stream that never was
   */
  received(id: StreamId, price: number): Arrival {
    const found = this.#flows.get(id);
    if (found === undefined) {
      this.assertKnown(id);
      return "over";
    }
    if (found.receive === undefined) throw unasked("more after the end of a stream");
    if (price > found.receive) throw unasked("more of a stream than was asked for");
    found.receive -= price;
    return found.drainedBy === undefined ? "open" : "draining";
  }

  /** This side sends nothing more on it. */
  finish(id: StreamId): void {
    const found = this.#flows.get(id);
    if (found === undefined) return;
    found.send = undefined;
    if (found.receive === undefined) this.#flows.delete(id);
  }

  /** The other side sends nothing more on it. @throws {TunnelError} protocol-violation for what has ended already, or never was */
  finished(id: StreamId): void {
    const found = this.#flows.get(id);
    if (found === undefined) return this.assertKnown(id);
    if (found.receive === undefined) throw unasked("a second end of a stream");
    found.receive = undefined;
    // Nothing comes behind an end, so nothing is waited for.
    if (found.send === undefined || found.drainedBy !== undefined) this.#flows.delete(id);
  }

  /**
   * This side ends it both ways. At the host it keeps its place where something may still come: `true` then, and the answer to the PING of
   * this number is to be waited for ({@link settle}).
   */
  reset(id: StreamId, ping: number): boolean {
    const found = this.#flows.get(id);
    if (found === undefined) return false;
    const isDraining = this.#isHost && found.receive !== undefined && found.receive > 0;
    if (isDraining) found.drainedBy = ping;
    else this.#flows.delete(id);
    return isDraining;
  }

  /** So many PINGs have been answered: what was reset ahead of them is over at the other end as well. */
  settle(pings: number): void {
    for (const [id, { drainedBy }] of this.#flows)
      if (drainedBy !== undefined && drainedBy <= pings) this.#flows.delete(id);
  }

  /** It is over, both ways. */
  end(id: StreamId): void {
    this.#flows.delete(id);
  }

  /** @throws {TunnelError} protocol-violation for a stream that was never opened */
  assertKnown(id: StreamId): void {
    const last = this.#isOwn(id) ? this.#lastOpened : this.#lastAsked;
    if (id === 0 || id > last) throw unasked("a stream that was never opened");
  }

  /** The connection is gone, and with it every stream: the next one counts from the beginning. */
  clear(): void {
    this.#flows.clear();
    this.#lastOpened = 0;
    this.#lastAsked = 0;
  }

  #isOwn(id: StreamId): boolean {
    return id % 2 === this.#ownParity;
  }
}
