import { TunnelError } from "../../errors/tunnel-error.ts";
import { STREAM } from "../base/limits.ts";
import type { StreamId } from "../record/chunk.ts";

/** One stream as one end of a channel counts it: bytes that may still come and go; `undefined` for a direction that has ended. */
interface Flow {
  receive: number | undefined;
  send: number | undefined;
}

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
  readonly #ownParity: 0 | 1;
  readonly #maxOpened: number;
  readonly #maxAsked: number;
  readonly #flows = new Map<StreamId, Flow>();
  #lastOpened = 0;
  #lastAsked = 0;

  constructor(role: "host" | "member") {
    const isHost = role === "host";
    this.#ownParity = isHost ? 0 : 1;
    // The host asks a member on behalf of many, a member asks for itself alone.
    this.#maxOpened = isHost ? STREAM.maxServed : STREAM.maxOpened;
    this.#maxAsked = isHost ? STREAM.maxOpened : STREAM.maxServed;
  }

  /** Whether the other side may be asked for one more. */
  get mayOpen(): boolean {
    return this.live.filter((id) => this.#isOwn(id)).length < this.#maxOpened;
  }

  get live(): StreamId[] {
    return [...this.#flows.keys()];
  }

  isLive(id: StreamId): boolean {
    return this.#flows.has(id);
  }

  /** Begins a stream on which the other side may send so much. */
  open(credit: number): StreamId {
    this.#lastOpened = next(this.#lastOpened, this.#ownParity);
    this.#flows.set(this.#lastOpened, { receive: credit, send: 0 });
    return this.#lastOpened;
  }

  /**
   * The other side asks for a stream, on which this one may send so much; whether there is room for it.
   * @throws {TunnelError} protocol-violation for an id that is not its next one
   */
  asked(id: StreamId, credit: number): boolean {
    if (id !== next(this.#lastAsked, 1 - this.#ownParity)) throw unasked("a stream that cannot be");
    this.#lastAsked = id;
    if (this.live.filter((one) => !this.#isOwn(one)).length >= this.#maxAsked) return false;
    this.#flows.set(id, { receive: 0, send: credit });
    return true;
  }

  /** The other side serves a stream, and lets so much come. @throws {TunnelError} protocol-violation for one that it opened itself */
  accepted(id: StreamId, credit: number): void {
    if (!this.#isOwn(id)) throw unasked("an answer to its own question");
    this.credited(id, credit);
  }

  /** More credit came from the other side. @throws {TunnelError} protocol-violation for a stream that was never opened */
  credited(id: StreamId, bytes: number): void {
    const flow = this.#flows.get(id);
    if (flow === undefined) this.assertKnown(id);
    else if (flow.send !== undefined) flow.send = sum(flow.send, bytes);
  }

  /** This side lets more come. */
  grant(id: StreamId, bytes: number): void {
    const flow = this.#flows.get(id);
    if (flow?.receive !== undefined) flow.receive = sum(flow.receive, bytes);
  }

  /** Whether a chunk of this price may go out now; it counts as sent then. */
  spend(id: StreamId, price: number): boolean {
    const flow = this.#flows.get(id);
    if (flow?.send === undefined || flow.send < price) return false;
    flow.send -= price;
    return true;
  }

  /**
   * A chunk came in; `false` for one of a stream that is over, which the other side may not know yet.
   * @throws {TunnelError} protocol-violation for more than was let come, after the end of its direction, or on a stream that never was
   */
  received(id: StreamId, price: number): boolean {
    const flow = this.#flows.get(id);
    if (flow === undefined) {
      this.assertKnown(id);
      return false;
    }
    if (flow.receive === undefined) throw unasked("more after the end of a stream");
    if (price > flow.receive) throw unasked("more of a stream than was asked for");
    flow.receive -= price;
    return true;
  }

  /** This side sends nothing more on it. */
  finish(id: StreamId): void {
    const flow = this.#flows.get(id);
    if (flow === undefined) return;
    flow.send = undefined;
    if (flow.receive === undefined) this.end(id);
  }

  /** The other side sends nothing more on it. @throws {TunnelError} protocol-violation for what has ended already, or never was */
  finished(id: StreamId): void {
    const flow = this.#flows.get(id);
    if (flow === undefined) return this.assertKnown(id);
    if (flow.receive === undefined) throw unasked("a second end of a stream");
    flow.receive = undefined;
    if (flow.send === undefined) this.end(id);
  }

  /** @throws {TunnelError} protocol-violation for a stream that was never opened */
  assertKnown(id: StreamId): void {
    const last = this.#isOwn(id) ? this.#lastOpened : this.#lastAsked;
    if (id === 0 || id > last) throw unasked("a stream that was never opened");
  }

  /** It is over, both ways. */
  end(id: StreamId): void {
    this.#flows.delete(id);
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
