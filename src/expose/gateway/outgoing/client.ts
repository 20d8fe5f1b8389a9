import type { Clock } from "../../../runtime/clock.ts";
import type { RawFields } from "../../message.ts";
import type { Upstream } from "../../upstream.ts";
import {
  Connection,
  type ConnectionLimits,
  type Exchange,
  type ExchangeEvents,
  type OutgoingRequest,
} from "./connection.ts";

export interface ClientLimits extends ConnectionLimits {
  /** How long an idle connection is kept, in ms: less than servers do, whose close would otherwise meet our next request. */
  readonly keptMs: number;
}

/** Requests that may be sent twice (RFC 9110 §9.2.1, §9.2.2), and that dev servers do not count. */
const SAFE = new Set(["GET", "HEAD"]);
/** A kept connection that is younger than this is good for a request that cannot be sent twice. */
const FRESH_MS = 1_000;

interface Idle {
  readonly connection: Connection;
  readonly sinceMs: number;
}

/** Speaks HTTP/1.1 to the service, over connections that are kept while they are fresh. */
export class Client {
  readonly #clock: Clock;
  readonly #limits: ClientLimits;
  readonly #open = new Set<Connection>();
  #idle: Idle[] = [];
  /** Where the idle connections lead to. */
  #place = "";
  #stopSweep: (() => void) | undefined;

  constructor(clock: Clock, limits: ClientLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  request(upstream: Upstream, request: OutgoingRequest, events: ExchangeEvents): Exchange {
    const kept = request.upgrades ? undefined : this.#takeIdle(upstream, SAFE.has(request.method));
    if (kept === undefined) return this.#fresh(upstream, request, events);
    if (!SAFE.has(request.method) || request.body !== "none") {
      return kept.start(request, events);
    }
    return new Retried(kept, request, events, () => this.#fresh(upstream, request, events));
  }

  /** Connections that are open, in use or kept. */
  get connections(): number {
    return this.#open.size;
  }

  close(): void {
    this.#stopSweep?.();
    this.#stopSweep = undefined;
    this.#idle = [];
    for (const connection of this.#open) connection.close();
    this.#open.clear();
  }

  #fresh(upstream: Upstream, request: OutgoingRequest, events: ExchangeEvents): Exchange {
    const place = placeOf(upstream);
    const connection: Connection = new Connection(
      upstream,
      this.#clock,
      this.#limits,
      (idle) => this.#keep(place, idle),
      (gone) => this.#open.delete(gone),
    );
    this.#open.add(connection);
    return connection.start(request, events);
  }

  #takeIdle(upstream: Upstream, isSafe: boolean): Connection | undefined {
    const place = placeOf(upstream);
    if (place !== this.#place) {
      for (const { connection } of this.#idle) connection.close();
      this.#idle = [];
      this.#place = place;
    }
    const now = this.#clock.now();
    for (;;) {
      const last = this.#idle.at(-1);
      if (last === undefined) return undefined;
      const age = now - last.sinceMs;
      // The newest is the last: if it is too old for this request, all are.
      if (!isSafe && age >= FRESH_MS) return undefined;
      this.#idle.pop();
      if (last.connection.isOpen && age < this.#limits.keptMs && age < last.connection.keptMs) {
        return last.connection;
      }
      last.connection.close();
    }
  }

  #keep(place: string, connection: Connection): void {
    if (place !== this.#place || connection.keptMs <= 0) {
      connection.close();
      return;
    }
    this.#idle.push({ connection, sinceMs: this.#clock.now() });
    this.#stopSweep ??= this.#clock.after(this.#limits.keptMs, () => this.#sweep());
  }

  #sweep(): void {
    this.#stopSweep = undefined;
    const oldest = this.#clock.now() - this.#limits.keptMs;
    const kept: Idle[] = [];
    for (const idle of this.#idle) {
      if (idle.sinceMs > oldest && idle.connection.isOpen) kept.push(idle);
      else idle.connection.close();
    }
    this.#idle = kept;
    if (kept.length > 0) this.#stopSweep = this.#clock.after(this.#limits.keptMs, () => this.#sweep());
  }
}

const placeOf = ({ scheme, address, port, host }: Upstream): string =>
  `${scheme} ${address} ${port} ${scheme === "https" ? host : ""}`;

/**
 * A safe request without a body on a kept connection: if the service closed it before one byte of the response, as it may at any
 * time, the request goes out once more on a new one (RFC 9112 §9.3.1).
 */
class Retried implements Exchange {
  #at: Exchange;

  constructor(kept: Connection, request: OutgoingRequest, events: ExchangeEvents, again: () => Exchange) {
    this.#at = kept.start(request, {
      onInterim: (head) => events.onInterim(head),
      onHead: (head, framing) => events.onHead(head, framing),
      onChunk: (chunk) => events.onChunk(chunk),
      onTurn: () => events.onTurn(),
      onEnd: (trailers) => events.onEnd(trailers),
      onUpgrade: (head, socket, first) => events.onUpgrade(head, socket, first),
      onDrain: () => events.onDrain(),
      onFailure: (failure, hadBytes) => {
        if (hadBytes) events.onFailure(failure, hadBytes);
        else this.#at = again();
      },
    });
  }

  write(chunk: Buffer): boolean {
    return this.#at.write(chunk);
  }

  endBody(trailers: RawFields): void {
    this.#at.endBody(trailers);
  }

  pause(): void {
    this.#at.pause();
  }

  resume(): void {
    this.#at.resume();
  }

  abort(): void {
    this.#at.abort();
  }
}
