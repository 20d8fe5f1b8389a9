import { randomInt } from "node:crypto";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { every, wait } from "../../runtime/wait.ts";
import { proofText } from "../../uplink/claim-proof.ts";
import { CLOSE } from "../../uplink/close-codes.ts";
import { UPLINK } from "../../uplink/limits.ts";
import { takeStreams } from "../../uplink/line/http2.ts";
import { Line } from "../../uplink/line/line.ts";
import { splice } from "../../uplink/line/splice.ts";
import { parseFromRelay, type ClaimKind, type Registered } from "../../uplink/messages.ts";
import { dialForGuest, dialRelay } from "./dial.ts";
import { closedFailure, dialFailure, foreignFailure, type LineFailure } from "./failure.ts";
import type { ClaimKey } from "./keys.ts";
import type { RelaySettings } from "./settings.ts";

export interface UplinkOptions {
  readonly origin: URL;
  readonly network: RelaySettings["network"];
  readonly clock: Clock;
  readonly kind: ClaimKind;
  readonly name: string | undefined;
  readonly key: ClaimKey;
  /** Asked for every registration, since it may be changed. @throws {TunnelError} */
  readonly token: () => Promise<string | undefined>;
  /** Where visitors are led to on this machine. */
  readonly target: { readonly address: string; readonly port: number };
  readonly events: UplinkEvents;
}

export interface UplinkEvents {
  /** The claim is ours, at first or again. */
  onConnected(registered: Registered): void;
  /** It is tried again by itself. */
  onDisconnected(failure: LineFailure): void;
  /** Nothing more is tried. Called once, and not after `stop`. */
  onOver(failure: LineFailure): void;
}

const BACKOFF = { firstMs: 100, factor: 2, maxMs: 10_000 } as const;
/** Visitors at once. */
const MAX_VISITORS = 1_024;
const STOP_GRACE_MS = 1_000;

/** A line to the relay and what it has come to. */
interface Attempt {
  readonly line: Line;
  state: "dialling" | "claiming" | "live" | "leaving" | "over";
}

/** This side's place at a relay: registers, comes back by itself, and leads visitors to a local port. */
export class Uplink {
  readonly #options: UplinkOptions;
  readonly #cuts = new Set<() => void>();
  readonly #lines = new Set<Attempt>();
  #failures = 0;
  #cancelRetry: () => void = () => undefined;
  #isOver = false;

  constructor(options: UplinkOptions) {
    this.#options = options;
  }

  start(): void {
    void this.#attempt();
  }

  get isLive(): boolean {
    return [...this.#lines].some(({ state }) => state === "live");
  }

  /** Gives the claim back. Resolves when nothing is left running. Idempotent. */
  async stop(): Promise<void> {
    this.#end();
    for (const { line } of this.#lines) line.close(CLOSE.released, "");
    // What was said last gets a moment.
    const until = this.#options.clock.now() + STOP_GRACE_MS;
    while (this.#lines.size + this.#cuts.size > 0 && this.#options.clock.now() < until)
      await wait(this.#options.clock, 20);
    for (const cut of this.#cuts) cut();
    for (const { line } of this.#lines) line.terminate();
  }

  #end(): void {
    this.#isOver = true;
    this.#cancelRetry();
  }

  async #attempt(): Promise<void> {
    const { clock, origin, network, token } = this.#options;
    let secret: string | undefined;
    try {
      secret = await token();
    } catch (error) {
      if (!(error instanceof TunnelError)) throw error;
      return this.#failed({ error, comesBack: "changed", waitMs: 0 });
    }
    if (this.#isOver) return;
    const socket = dialRelay(origin, network);
    let failure: LineFailure | undefined;
    socket.once("error", (error) => (failure ??= dialFailure(error)));
    socket.once("unexpected-response", (_request, { statusCode = 0 }) => {
      failure = foreignFailure(statusCode);
      // Whoever listens for this has to end it: the end of the request alone tells the socket nothing.
      socket.terminate();
    });
    const line = new Line(socket, () => clock.now(), {
      onText: (text) => this.#told(attempt, text, secret),
      onClose: (code, reason) => {
        stopBeating();
        cancel();
        this.#closed(attempt, failure ?? closedFailure(code, reason));
      },
    });
    const attempt: Attempt = { line, state: "dialling" };
    this.#lines.add(attempt);
    const cancel = clock.after(UPLINK.registerMs, () => {
      if (attempt.state === "dialling" || attempt.state === "claiming") line.terminate();
    });
    const stopBeating = every(clock, UPLINK.pingMs, () => {
      if (line.silentMs > UPLINK.silentMs) line.terminate();
      else line.ping();
    });
  }

  #told(attempt: Attempt, text: string, token: string | undefined): void {
    const message = parseFromRelay(text);
    const { line, state } = attempt;
    if (message?.type === "hello" && state === "dialling") {
      if (!message.versions.includes(UPLINK.version)) return line.close(CLOSE.never, "wrong-version");
      const { kind, name, key, origin } = this.#options;
      const { nonce } = message;
      const signature = key.sign(proofText({ nonce, authority: origin.host, kind, name }));
      attempt.state = "claiming";
      line.send({
        type: "register",
        version: UPLINK.version,
        kind,
        name,
        key: key.publicKey,
        signature,
        token,
      });
    } else if (message?.type === "registered" && state === "claiming") {
      this.#registered(attempt, message);
    } else if (message?.type === "guest" && (state === "live" || state === "leaving")) {
      this.#fetch(line, message.ticket);
    } else if (message?.type === "going-away" && state === "live") {
      attempt.state = "leaving";
      this.#retryIn(message.afterMs);
    } else {
      line.terminate();
    }
  }

  #registered(attempt: Attempt, registered: Registered): void {
    const { events } = this.#options;
    attempt.state = "live";
    this.#failures = 0;
    // Before the relay can send its first byte, or that is lost.
    takeStreams(attempt.line, MAX_VISITORS).on("stream", (stream, headers) => this.#take(stream, headers));
    attempt.line.send({ type: "ready" });
    events.onConnected(registered);
  }

  #closed(attempt: Attempt, failure: LineFailure): void {
    const { state } = attempt;
    attempt.state = "over";
    this.#lines.delete(attempt);
    // Another line of ours may be there, or on its way: that one counts. One that is leaving has no future.
    if (this.#isOver || [...this.#lines].some((other) => other.state !== "leaving")) return;
    // It has said that it comes back, and when; that is waited for.
    if (state === "leaving") return this.#options.events.onDisconnected(failure);
    this.#failed(failure);
  }

  #failed(failure: LineFailure): void {
    const { events } = this.#options;
    if (failure.comesBack !== "later") {
      this.#end();
      return events.onOver(failure);
    }
    events.onDisconnected(failure);
    if (this.#isOver) return;
    const { firstMs, factor, maxMs } = BACKOFF;
    const most = Math.min(maxMs, firstMs * factor ** this.#failures);
    this.#failures += 1;
    // Hosts that lost the same relay do not all come back at once.
    this.#retryIn(Math.max(failure.waitMs, most / 2) + randomInt(Math.ceil(most / 2)));
  }

  #retryIn(ms: number): void {
    this.#cancelRetry();
    this.#cancelRetry = this.#options.clock.after(ms, () => void this.#attempt());
  }

  /** A guest of a room waits at the relay. */
  #fetch(line: Line, ticket: string): void {
    const { origin, network } = this.#options;
    const failed = (isLocal: boolean): void => line.send({ type: "unfetched", ticket, isLocal });
    if (this.#cuts.size >= MAX_VISITORS) return failed(true);
    let remote: Duplex | undefined;
    let first: Buffer = Buffer.alloc(0);
    let isUnreached = false;
    const local = this.#connect(
      () => join(),
      () => {
        asked.destroy();
        remote?.destroy();
        if (!isUnreached) failed(true);
      },
    );
    const asked = dialForGuest(origin, ticket, network, (connection, bytes) => {
      if (connection === undefined) {
        isUnreached = true;
        failed(false);
        return void local.destroy();
      }
      remote = connection;
      first = bytes;
      // Whoever breaks off before both are there.
      connection.on("error", () => connection.destroy());
      join();
    });
    const join = (): void => {
      if (remote === undefined || local.connecting) return;
      if (first.length > 0) local.write(first);
      this.#splice(remote, local);
    };
  }

  /** A visitor of a service comes by a stream of this line. */
  #take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on("error", () => stream.destroy());
    if (headers[":method"] !== "CONNECT" || this.#cuts.size >= MAX_VISITORS) {
      stream.respond({ ":status": 503 }, { endStream: true });
      return;
    }
    const local = this.#connect(
      () => {
        if (stream.destroyed) return void local.destroy();
        stream.respond({ ":status": 200 });
        this.#splice(stream, local);
      },
      () => {
        if (!stream.destroyed && !stream.headersSent) stream.respond({ ":status": 502 }, { endStream: true });
      },
    );
    stream.once("close", () => {
      if (local.connecting) local.destroy();
    });
  }

  #connect(onOpen: () => void, onFailure: () => void): Socket {
    const { address: host, port } = this.#options.target;
    const local = connect({ host, port, allowHalfOpen: true, noDelay: true });
    let isOpen = false;
    local.once("connect", () => {
      isOpen = true;
      onOpen();
    });
    local.on("error", () => local.destroy());
    local.once("close", () => {
      if (!isOpen) onFailure();
    });
    return local;
  }

  #splice(remote: Duplex, local: Duplex): void {
    const cut = splice(remote, local, {
      clock: this.#options.clock,
      throttle: undefined,
      onEnd: () => void this.#cuts.delete(cut),
    });
    this.#cuts.add(cut);
  }
}
