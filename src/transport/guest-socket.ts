import type { LookupFunction } from "node:net";
import type { WebSocket } from "ws";
import { isForbiddenDialAddress } from "../net/address.ts";
import type { ProxyAgents } from "../net/proxy.ts";
import type { Trust } from "../net/trust.ts";
import { TunnelError } from "../errors/tunnel-error.ts";
import type { RoomId, ConnectionId } from "../protocol/base/ids.ts";
import { LINK } from "../protocol/base/limits.ts";
import { dialUrl } from "../protocol/handshake/invite-link.ts";
import { CLOSE_CODE } from "../protocol/link/wire.ts";
import type { GuestEffect } from "../protocol/guest/guest-io.ts";
import type { Guest as GuestMachine } from "../protocol/guest/guest.ts";
import type { Clock } from "../runtime/clock.ts";
import { failureOf, forbidden, refusalOf, type DialFailure } from "./dial-failure.ts";
import { Driver } from "./driver.ts";
import {
  answerPings,
  gatherWrites,
  generateMask,
  hangUp,
  messageBytes,
  sendBounded,
  SOCKET_OPTIONS,
} from "./sockets.ts";

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
  readonly onFailure?: (error: TunnelError, mayPass: boolean) => void;
  /** See {@link Driver}. */
  readonly writeKept?: (() => void) | undefined;
}

/** Less than the command line grants an orderly end. */
const STOP_LIMIT_MS = 4_000;
/** Bytes of streams that may wait in this process ahead of messages. */
const BULK_AHEAD_BYTES = 512 * 1024;

/** A connection, open or on its way. */
interface Line {
  readonly socket: WebSocket;
  /** It ends because this side wants it to. */
  isHungUp: boolean;
}

/** A member's end of the wire: dials out when the machine says so, and runs it. */
export class GuestSocket {
  readonly #options: GuestSocketOptions;
  readonly #driver: Driver<GuestMachine, GuestEffect>;
  /** Senders that wait to send more of a stream. */
  readonly #writers: (() => void)[] = [];
  /** Open ones, and those on their way to the host. */
  readonly #lines = new Map<ConnectionId, Line>();

  constructor(options: GuestSocketOptions) {
    this.#options = options;
    this.#driver = new Driver({
      machine: options.member,
      clock: options.clock,
      perform: (effect) => this.#perform(effect),
      wake: (member, now) => member.handle({ type: "tick" }, now),
      writeKept: options.writeKept,
    });
    options.member.sendThrough((effect) => {
      options.writeKept?.();
      this.#perform(effect);
    });
  }

  run<Result>(call: (member: GuestMachine, now: number) => Result): Result {
    return this.#driver.run(call);
  }

  /** Resolves when little of a file waits to be sent: what is said meanwhile goes ahead of the rest. */
  async writable(): Promise<void> {
    while (this.#bulkWaits) await new Promise<void>((resolve) => this.#writers.push(resolve));
  }

  /** Whether a host, or whatever is in its place, has answered. */
  get isAnswered(): boolean {
    return this.#open.length > 0;
  }

  get #bulkWaits(): boolean {
    return this.#open.some(({ bufferedAmount }) => bufferedAmount > BULK_AHEAD_BYTES);
  }

  get #open(): WebSocket[] {
    const sockets = [...this.#lines.values()].map(({ socket }) => socket);
    return sockets.filter((socket) => socket.readyState === socket.OPEN);
  }

  readonly #onBulkSent = (): void => {
    if (this.#bulkWaits) return;
    // One at a time: what each adds decides whether there is room for the next.
    const next = this.#writers.shift();
    if (next === undefined) return;
    next();
    setImmediate(this.#onBulkSent);
  };

  /** Resolves when every socket is closed. */
  async stop(): Promise<void> {
    this.#driver.stop();
    await Promise.all([...this.#lines.values()].map((line) => this.#end(line)));
  }

  async #end(line: Line): Promise<void> {
    const { socket } = line;
    line.isHungUp = true;
    if (socket.readyState === socket.CLOSED) return;
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
      return this.#failed(connection, forbidden(new TunnelError("link-address")));
    }
    const socket = dial(dialUrl(origin, room), lookup);
    this.#lines.set(connection, { socket, isHungUp: false });
    answerPings(socket);
    socket.on("upgrade", (response) => gatherWrites(socket, response.socket));
    socket.on("open", () => this.run((member, now) => member.handle({ type: "opened", connection }, now)));
    socket.on("message", (data, isBinary) => {
      const message = messageBytes(data, isBinary) ?? new Uint8Array(0);
      this.run((member, now) => member.handle({ type: "message", connection, message }, now));
    });
    socket.on("unexpected-response", (request, response) => {
      this.#failed(connection, refusalOf(origin, response));
      request.destroy();
    });
    socket.on("error", (error) => this.#failed(connection, failureOf(origin, error)));
    socket.on("close", () => {
      this.#lines.delete(connection);
      this.#onBulkSent();
      this.run((member, now) => member.handle({ type: "closed", connection }, now));
    });
  }

  #failed(connection: ConnectionId, { mayPass, ...failure }: DialFailure): void {
    if (this.#lines.get(connection)?.isHungUp !== true) this.#options.onFailure?.(failure.error, mayPass);
    this.run((member, now) => member.handle({ type: "failed", connection, ...failure }, now));
  }

  #send({ connection, message, bulk = false }: Extract<GuestEffect, { type: "send" }>): void {
    const line = this.#lines.get(connection);
    if (line !== undefined) sendBounded(line.socket, message, bulk ? this.#onBulkSent : undefined);
  }

  #hangUp({ connection, code, linger }: Extract<GuestEffect, { type: "close" }>): void {
    const line = this.#lines.get(connection);
    if (line === undefined) return;
    line.isHungUp = true;
    hangUp(line.socket, code, this.#options.clock, linger);
  }

  #perform(effect: GuestEffect): void {
    switch (effect.type) {
      case "dial":
        return this.#dial(effect.connection, effect.origin);
      case "send":
        return this.#send(effect);
      case "close":
        return this.#hangUp(effect);
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
