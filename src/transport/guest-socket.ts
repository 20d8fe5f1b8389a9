import type { IncomingMessage } from "node:http";
import type { LookupFunction } from "node:net";
import type { WebSocket } from "ws";
import { isForbiddenDialAddress } from "../net/address.ts";
import type { ProxyAgents } from "../net/proxy.ts";
import type { Trust } from "../net/trust.ts";
import { must } from "../errors/must.ts";
import { TunnelError } from "../errors/tunnel-error.ts";
import type { RoomId, ConnectionId } from "../protocol/base/ids.ts";
import { LINK } from "../protocol/base/limits.ts";
import { dialUrl } from "../protocol/handshake/invite-link.ts";
import { CLOSE_CODE } from "../protocol/link/wire.ts";
import type { GuestEffect } from "../protocol/guest/guest-io.ts";
import type { Guest as GuestMachine } from "../protocol/guest/guest.ts";
import type { Clock } from "../runtime/clock.ts";
import { Driver } from "./driver.ts";
import { answerPings, generateMask, hangUp, messageBytes, sendBounded, SOCKET_OPTIONS } from "./sockets.ts";

/** Opens a WebSocket. */
export type Dial = (url: string, lookup: LookupFunction) => WebSocket;

/** Proxies and certificates for outgoing connections. */
export interface DialOptions {
  readonly proxies: ProxyAgents;
  readonly trust: Trust;
}

/** The `ws` package, loaded with the first tunnel and not when the process starts. Without options it dials directly. */
export async function loadDial(network?: DialOptions): Promise<Dial> {
  const { WebSocket } = await import("ws");
  return (url, lookup) => {
    const agent = network?.proxies(new URL(url));
    const options = {
      ...(agent === undefined ? {} : { agent }),
      ...(network !== undefined && url.startsWith("wss:") ? { secureContext: network.trust() } : {}),
      ...SOCKET_OPTIONS,
      lookup,
      followRedirects: false,
      handshakeTimeout: LINK.connectTimeoutMs,
      generateMask,
    };
    return new WebSocket(url, options);
  };
}

/** Effects of a guest that the socket passes on. */
export type GuestNotice = Exclude<GuestEffect, { type: "dial" | "send" | "close" }>;

export interface GuestSocketOptions {
  readonly member: GuestMachine;
  readonly room: RoomId;
  readonly clock: Clock;
  readonly dial: Dial;
  readonly lookup: LookupFunction;
  readonly onNotice: (notice: GuestNotice) => void;
  /** A connection could not be made; the machine decides whether and when to try again. */
  readonly onFailure?: (error: TunnelError) => void;
}

/** Less than the command line grants an orderly end. */
const STOP_LIMIT_MS = 4_000;
/** Bytes of streams that may wait in this process ahead of messages. */
const BULK_AHEAD_BYTES = 512 * 1024;

const NAME_ERRORS = new Set(["ENOTFOUND", "EAI_AGAIN", "EAI_NONAME", "ENODATA"]);

/** Why a connection could not be made, and whether that says that the host's process is no more. */
interface Failure {
  readonly error: TunnelError;
  readonly isGone: boolean;
  readonly isBusy?: boolean;
}

function failureOf(error: Error): Failure {
  // The lookup has refused the address itself.
  if (error instanceof TunnelError) return { error, isGone: false };
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  if (code !== undefined && NAME_ERRORS.has(code))
    return { error: new TunnelError("host-name-unknown", { cause: error }), isGone: false };
  const detail = code === undefined ? {} : { detail: code };
  // A machine that sleeps or has lost its network does not refuse: nobody listens there.
  return {
    error: new TunnelError("host-unreachable", { ...detail, cause: error }),
    isGone: code === "ECONNREFUSED",
  };
}

/** Reads an answer that is no WebSocket; its body is never read. */
function refusalOf(response: IncomingMessage): Failure {
  const status = must(response.statusCode, "the status of a response");
  const detail = `HTTP ${status}`;
  if (status === 404) return { error: new TunnelError("tunnel-gone", { detail }), isGone: true };
  // 429 is the host's or the edge's own rate limit, 5xx an edge without its tunnel: both may pass.
  const mayPass = status === 429 || status >= 500;
  const error = new TunnelError(mayPass ? "host-unreachable" : "not-a-tunnel", { detail });
  return { error, isGone: false, isBusy: status === 429 };
}

/** A member's end of the wire: dials out when the machine says so, and runs it. */
export class GuestSocket {
  readonly #options: GuestSocketOptions;
  readonly #driver: Driver<GuestMachine, GuestEffect>;
  /** Senders that wait to send more of a stream. */
  readonly #writers: (() => void)[] = [];
  #current: { connection: ConnectionId; socket: WebSocket } | undefined;

  constructor(options: GuestSocketOptions) {
    this.#options = options;
    this.#driver = new Driver({
      machine: options.member,
      clock: options.clock,
      perform: (effect) => this.#perform(effect),
      wake: (member, now) => member.handle({ type: "tick" }, now),
    });
    options.member.sendThrough((effect) => this.#perform(effect));
  }

  run<Result>(call: (member: GuestMachine, now: number) => Result): Result {
    return this.#driver.run(call);
  }

  /** Resolves when little of a file waits to be sent: what is said meanwhile goes ahead of the rest. */
  async writable(): Promise<void> {
    while (this.#bulkWaits) await new Promise<void>((resolve) => this.#writers.push(resolve));
  }

  get #bulkWaits(): boolean {
    const socket = this.#current?.socket;
    if (socket === undefined) return false;
    return socket.readyState === socket.OPEN && socket.bufferedAmount > BULK_AHEAD_BYTES;
  }

  readonly #onBulkSent = (): void => {
    if (this.#bulkWaits) return;
    // One at a time: what each adds decides whether there is room for the next.
    const next = this.#writers.shift();
    if (next === undefined) return;
    next();
    setImmediate(this.#onBulkSent);
  };

  /** Resolves when the socket is closed. */
  async stop(): Promise<void> {
    this.#driver.stop();
    const socket = this.#current?.socket;
    if (socket === undefined || socket.readyState === socket.CLOSED) return;
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    const { clock } = this.#options;
    hangUp(socket, CLOSE_CODE.normal, clock);
    // The last words may be on their way to nobody.
    const cancel = clock.after(STOP_LIMIT_MS, () => socket.terminate());
    await closed;
    cancel();
  }

  #dial(connection: ConnectionId, origin: string): void {
    const { room, lookup, dial } = this.#options;
    // An address may come from the host, which must neither lead anybody to a machine's own services (the lookup checks
    // names) nor be something that only our own grammar takes for an address.
    if (!URL.canParse(origin) || isForbiddenDialAddress(new URL(origin).hostname)) {
      return this.#failed(connection, { error: new TunnelError("link-address"), isGone: false });
    }
    const socket = dial(dialUrl(origin, room), lookup);
    this.#current = { connection, socket };
    answerPings(socket);
    socket.on("open", () => this.run((member, now) => member.handle({ type: "opened", connection }, now)));
    socket.on("message", (data, isBinary) => {
      const message = messageBytes(data, isBinary) ?? new Uint8Array(0);
      this.run((member, now) => member.handle({ type: "message", connection, message }, now));
    });
    socket.on("unexpected-response", (request, response) => {
      this.#failed(connection, refusalOf(response));
      request.destroy();
    });
    socket.on("error", (error) => this.#failed(connection, failureOf(error)));
    socket.on("close", () => {
      this.#onBulkSent();
      this.run((member, now) => member.handle({ type: "closed", connection }, now));
    });
  }

  #failed(connection: ConnectionId, failure: Failure): void {
    this.#options.onFailure?.(failure.error);
    this.run((member, now) => member.handle({ type: "failed", connection, ...failure }, now));
  }

  #perform(effect: GuestEffect): void {
    switch (effect.type) {
      case "dial":
        return this.#dial(effect.connection, effect.origin);
      case "send":
        if (this.#current?.connection === effect.connection)
          sendBounded(
            this.#current.socket,
            effect.message,
            effect.bulk === true ? this.#onBulkSent : undefined,
          );
        return;
      case "close":
        if (this.#current?.connection === effect.connection) {
          hangUp(this.#current.socket, effect.code, this.#options.clock, effect.linger);
        }
        return;
      case "joined":
      case "entry":
      case "placed":
      case "presence":
      case "stream":
      case "alarm":
      case "ended":
        this.#options.onNotice(effect);
    }
  }
}
