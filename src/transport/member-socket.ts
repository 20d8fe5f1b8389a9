import type { IncomingMessage } from "node:http";
import type { LookupFunction } from "node:net";
import type { WebSocket } from "ws";
import type { ConnectionId } from "../protocol/door.ts";
import { TunnelError } from "../protocol/errors.ts";
import { LINK } from "../protocol/limits.ts";
import { HANGUP } from "../protocol/participant.ts";
import type { MemberEffect } from "../protocol/member-io.ts";
import type { Member } from "../protocol/member.ts";
import type { Clock } from "../runtime/clock.ts";
import { Driver } from "./driver.ts";
import { hangUp, messageBytes, sendBounded, SOCKET_OPTIONS } from "./sockets.ts";

/** Opens a WebSocket. */
export type Dial = (url: string, lookup: LookupFunction) => WebSocket;

/** The `ws` package, loaded with the first tunnel and not when the process starts. */
export async function loadDial(): Promise<Dial> {
  const { WebSocket } = await import("ws");
  return (url, lookup) => {
    const options = {
      ...SOCKET_OPTIONS,
      lookup,
      followRedirects: false,
      handshakeTimeout: LINK.connectTimeoutMs,
    };
    return new WebSocket(url, options);
  };
}

/** What of a member's effects is not the socket's own business. */
export type MemberNotice = Exclude<MemberEffect, { type: "dial" | "send" | "hangup" }>;

export interface MemberSocketOptions {
  readonly member: Member;
  /** The link without its fragment. */
  readonly url: string;
  readonly clock: Clock;
  readonly dial: Dial;
  readonly lookup: LookupFunction;
  readonly onNotice: (notice: MemberNotice) => void;
  /** A connection could not be made; the machine decides whether and when to try again. */
  readonly onFailure?: (error: TunnelError) => void;
}

const NAME_ERRORS = new Set(["ENOTFOUND", "EAI_AGAIN", "EAI_NONAME", "ENODATA"]);

function failureOf(error: Error): TunnelError {
  // The lookup has refused the address itself.
  if (error instanceof TunnelError) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  if (code !== undefined && NAME_ERRORS.has(code))
    return new TunnelError("host-name-unknown", { cause: error });
  return new TunnelError("host-unreachable", {
    ...(code === undefined ? {} : { detail: code }),
    cause: error,
  });
}

/** What an answer that is no WebSocket says of the other end; its body is never read. */
function refusalOf(response: IncomingMessage): TunnelError {
  const status = response.statusCode ?? 0;
  const detail = `HTTP ${status}`;
  if (status === 404) return new TunnelError("tunnel-gone", { detail });
  // 429 is the host's or the edge's own rate limit, 5xx an edge without its tunnel: both may pass.
  if (status === 429 || status >= 500) return new TunnelError("host-unreachable", { detail });
  return new TunnelError("not-a-tunnel", { detail });
}

/** A member's end of the wire: dials out when the machine says so, and runs it. */
export class MemberSocket {
  readonly #options: MemberSocketOptions;
  readonly #driver: Driver<Member, MemberEffect>;
  #current: { connection: ConnectionId; socket: WebSocket } | undefined;

  constructor(options: MemberSocketOptions) {
    this.#options = options;
    this.#driver = new Driver({
      machine: options.member,
      clock: options.clock,
      perform: (effect) => this.#perform(effect),
      wake: (member, now) => member.handle({ type: "tick" }, now),
    });
  }

  run<Result>(call: (member: Member, now: number) => Result): Result {
    return this.#driver.run(call);
  }

  /** Resolves when the socket is closed. */
  async stop(): Promise<void> {
    this.#driver.stop();
    const socket = this.#current?.socket;
    if (socket === undefined || socket.readyState === socket.CLOSED) return;
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    hangUp(socket, HANGUP.normal, this.#options.clock);
    await closed;
  }

  #dial(connection: ConnectionId): void {
    const { url, lookup, dial } = this.#options;
    const socket = dial(url, lookup);
    this.#current = { connection, socket };
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
    socket.on("close", () => this.run((member, now) => member.handle({ type: "closed", connection }, now)));
  }

  #failed(connection: ConnectionId, error: TunnelError): void {
    this.#options.onFailure?.(error);
    this.run((member, now) => member.handle({ type: "failed", connection, error }, now));
  }

  #perform(effect: MemberEffect): void {
    switch (effect.type) {
      case "dial":
        return this.#dial(effect.connection);
      case "send":
        if (this.#current?.connection === effect.connection)
          sendBounded(this.#current.socket, effect.message);
        return;
      case "hangup":
        if (this.#current?.connection === effect.connection) {
          hangUp(this.#current.socket, effect.code, this.#options.clock);
        }
        return;
      case "joined":
      case "entry":
      case "placed":
      case "presence":
      case "alarm":
      case "ended":
        this.#options.onNotice(effect);
    }
  }
}
