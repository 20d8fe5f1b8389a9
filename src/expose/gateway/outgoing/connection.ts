import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { serviceTls } from "../../../net/service-tls.ts";
import type { Clock } from "../../../runtime/clock.ts";
import { type RawFields, type ResponseHead, valuesOf } from "../../message.ts";
import type { Upstream } from "../../upstream.ts";
import type { Framing } from "./body-reader.ts";
import { Failure, failureOf } from "./failure.ts";
import { fieldLines } from "./field-lines.ts";
import { ResponseParser } from "./response-parser.ts";

/** A request as it is written: its fields are complete, with `Host`, framing and `Connection`. */
export interface OutgoingRequest {
  readonly method: string;
  readonly target: string;
  readonly fields: RawFields;
  readonly body: "none" | "length" | "chunked";
  /** Asks for another protocol, so that 101 may come. */
  readonly upgrades: boolean;
}

/** Hears of one exchange, in the order of the wire. After `onEnd`, `onUpgrade` or `onFailure` nothing more comes. */
export interface ExchangeEvents {
  onInterim(head: ResponseHead): void;
  onHead(head: ResponseHead, framing: Framing): void;
  onChunk(chunk: Buffer): void;
  /** All that came with one read has been handed on: nothing may wait longer. */
  onTurn(): void;
  onEnd(trailers: RawFields): void;
  /** 101: the socket is the listener's from now on, and `first` the first bytes of the other protocol. */
  onUpgrade(head: ResponseHead, socket: Socket, first: Buffer): void;
  /** `hadBytes`: some of the response had come. */
  onFailure(failure: Failure, hadBytes: boolean): void;
  /** More of the request's body can be written. */
  onDrain(): void;
}

/** How the owner of an exchange acts on it. Without effect once it is over. */
export interface Exchange {
  /** False: wait for `onDrain`. */
  write(chunk: Buffer): boolean;
  endBody(trailers: RawFields): void;
  pause(): void;
  resume(): void;
  /** Closes the connection: the only way to take a request back in HTTP/1.1. */
  abort(): void;
}

export interface ConnectionLimits {
  readonly connectMs: number;
  readonly responseHeadBytes: number;
}

interface Running {
  readonly events: ExchangeEvents;
  readonly request: OutgoingRequest;
  isWritten: boolean;
  hasBytes: boolean;
  switched: ResponseHead | undefined;
}

/** One connection to the service, which carries one exchange at a time. */
export class Connection {
  readonly #socket: Socket;
  readonly #parser: ResponseParser;
  readonly #onIdle: (connection: Connection) => void;
  readonly #onGone: (connection: Connection) => void;
  #running: Running | undefined;
  /** The service said how long it keeps an idle connection, in ms. */
  #keptMs = Number.POSITIVE_INFINITY;

  /**
   * @param onIdle called whenever the connection can carry another exchange
   * @param onGone called when it is closed, or has another owner
   */
  constructor(
    upstream: Upstream,
    clock: Clock,
    limits: ConnectionLimits,
    onIdle: (connection: Connection) => void,
    onGone: (connection: Connection) => void,
  ) {
    this.#onIdle = onIdle;
    this.#onGone = onGone;
    this.#parser = new ResponseParser(
      {
        onInterim: (head) => this.#running?.events.onInterim(head),
        onHead: (head, framing) => this.#head(head, framing),
        onChunk: (chunk) => this.#running?.events.onChunk(chunk),
        onComplete: (trailers, left) => this.#complete(trailers, left),
      },
      limits.responseHeadBytes,
    );
    this.#socket = dial(upstream);
    const stopWaiting = clock.after(limits.connectMs, () =>
      this.#fail(new Failure("connection_timeout", "no connection in time")),
    );
    this.#socket
      .once(upstream.scheme === "https" ? "secureConnect" : "connect", stopWaiting)
      .once("close", stopWaiting)
      .on("data", this.#onData)
      .on("end", this.#onEnd)
      .on("drain", this.#onDrain)
      .on("error", this.#onError)
      .on("close", this.#onClose);
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && !this.#socket.readableEnded;
  }

  get keptMs(): number {
    return this.#keptMs;
  }

  /** @returns the exchange, which has no effect on those that follow it on this connection */
  start(request: OutgoingRequest, events: ExchangeEvents): Exchange {
    const isWritten = request.body === "none";
    const running: Running = { events, request, isWritten, hasBytes: false, switched: undefined };
    const isOver = (): boolean => this.#running !== running;
    this.#running = running;
    this.#parser.expect(request.method, request.upgrades);
    if (!isWritten) this.#gather();
    this.#socket.write(headText(request), "latin1");
    return {
      write: (chunk) => isOver() || this.#write(running, chunk),
      endBody: (trailers) => {
        if (!isOver()) this.#endBody(running, trailers);
      },
      pause: () => {
        if (!isOver()) this.#socket.pause();
      },
      resume: () => {
        if (!isOver()) this.#socket.resume();
      },
      abort: () => {
        if (!isOver()) this.close();
      },
    };
  }

  /** Ends what runs on it without a word to anybody. */
  close(): void {
    this.#running = undefined;
    this.#socket.destroy();
  }

  #write({ request }: Running, chunk: Buffer): boolean {
    if (chunk.length === 0) return true;
    if (request.body !== "chunked") return this.#socket.write(chunk);
    this.#gather();
    this.#socket.write(`${chunk.length.toString(16)}\r\n`, "latin1");
    this.#socket.write(chunk);
    return this.#socket.write("\r\n", "latin1");
  }

  #endBody(running: Running, trailers: RawFields): void {
    running.isWritten = true;
    if (running.request.body === "chunked") {
      this.#socket.write(`0\r\n${fieldLines(trailers)}\r\n`, "latin1");
    }
  }

  /** Writes of this turn go out as one. */
  #gather(): void {
    if (this.#socket.writableCorked > 0) return;
    this.#socket.cork();
    process.nextTick(() => this.#socket.uncork());
  }

  readonly #onData = (chunk: Buffer): void => {
    const running = this.#running;
    if (running === undefined) {
      // Bytes that nobody has asked for: they could only answer a request that is not theirs.
      this.#socket.destroy();
      return;
    }
    running.hasBytes = true;
    try {
      this.#parser.feed(chunk);
    } catch (error) {
      this.#fail(asFailure(error));
      return;
    }
    if (this.#running === running) running.events.onTurn();
  };

  readonly #onEnd = (): void => {
    if (this.#running === undefined) {
      this.#socket.destroy();
      return;
    }
    try {
      this.#parser.end();
    } catch (error) {
      this.#fail(asFailure(error));
    }
  };

  readonly #onDrain = (): void => this.#running?.events.onDrain();

  readonly #onError = (error: Error): void => this.#fail(failureOf(error));

  readonly #onClose = (): void => {
    this.#onGone(this);
    this.#fail(new Failure("connection_terminated", "connection closed"));
  };

  #fail(failure: Failure): void {
    const running = this.#running;
    this.#running = undefined;
    this.#socket.destroy();
    running?.events.onFailure(failure, running.hasBytes);
  }

  #head(head: ResponseHead, framing: Framing): void {
    const running = this.#running;
    if (running === undefined) return;
    if (head.status === 101) {
      running.switched = head;
      return;
    }
    this.#keptMs = keptBy(head.fields);
    running.events.onHead(head, framing);
  }

  #complete(trailers: RawFields, left: Buffer): void {
    const running = this.#running;
    this.#running = undefined;
    if (running === undefined) return;
    if (running.switched !== undefined) {
      this.#detach();
      running.events.onUpgrade(running.switched, this.#socket, left);
      return;
    }
    // A response that comes before the request is written leaves a connection of which nobody knows the state.
    if (this.#parser.isReusable && running.isWritten && left.length === 0 && this.isOpen) {
      this.#socket.resume();
      this.#onIdle(this);
    } else {
      this.#socket.destroy();
    }
    running.events.onEnd(trailers);
  }

  #detach(): void {
    this.#onGone(this);
    this.#socket.pause();
    this.#socket
      .off("data", this.#onData)
      .off("end", this.#onEnd)
      .off("drain", this.#onDrain)
      .off("error", this.#onError)
      .off("close", this.#onClose);
  }
}

function dial(upstream: Upstream): Socket {
  const { scheme, address, port, dial: own } = upstream;
  if (own !== undefined) return own();
  const options = { host: address, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };
  if (scheme === "http") return connectTcp(options);
  return connectTls({ ...options, ...serviceTls(upstream), ALPNProtocols: ["http/1.1"] });
}

function headText({ method, target, fields }: OutgoingRequest): string {
  return `${method} ${target} HTTP/1.1\r\n${fieldLines(fields)}\r\n`;
}

/** `Keep-Alive: timeout=5` promises five seconds; the last of them is for the way (RFC 2068 §19.7.1.1). */
function keptBy(fields: RawFields): number {
  const seconds = /(?:^|[,\s])timeout=([0-9]{1,9})/i.exec(valuesOf(fields, "keep-alive").join(","))?.[1];
  return seconds === undefined ? Number.POSITIVE_INFINITY : Number(seconds) * 1_000 - 1_000;
}

function asFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  return new Failure("http_protocol_error", "the response could not be handed on", { cause: thrown });
}
