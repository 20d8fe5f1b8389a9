import type { Socket } from "node:net";
import { must } from "../../errors/must.ts";
import { TunnelError, type ErrorCode } from "../../errors/tunnel-error.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import type { StreamEnd, StreamNews } from "../../protocol/link/service.ts";
import {
  encodePortRequest,
  PORT_SALT_BYTES,
  PORT_SERVICE,
  type PortRequest,
} from "../../protocol/services/stream.ts";
import type { Clock } from "../../runtime/clock.ts";
import { wait } from "../../runtime/wait.ts";
import type { HeardOffer } from "../../session/service-offers.ts";
import { ConnectionReset, StreamSocket } from "../connection/stream-socket.ts";
import type { SendTurns } from "../connection/turns.ts";
import type { WindowPool } from "../connection/window.ts";
import { SERVICES_LIMITS } from "../limits.ts";
import type { ServiceTunnel } from "../port.ts";
import type { Places } from "./places.ts";

export interface DiallerOptions {
  readonly tunnel: ServiceTunnel;
  readonly clock: Clock;
  readonly primitives: Primitives;
  readonly pool: WindowPool;
  readonly turns: SendTurns;
  readonly places: Places;
}

/** The answer of an owner to a knock. */
export type Knocked = "yes" | "asked" | TunnelError;

/** The meaning of a reset for the caller. */
const ERROR_OF: Readonly<Record<string, ErrorCode>> = {
  away: "service-away",
  nobody: "service-gone",
  "no-service": "service-gone",
  unknown: "service-gone",
  gone: "service-gone",
  denied: "service-denied",
  silent: "service-silent",
};

/** Connects to services of others in one tunnel. */
export class Dialler {
  readonly #options: DiallerOptions;

  constructor(options: DiallerOptions) {
    this.#options = options;
  }

  /** Asks an owner whether it would let a connection in; its person may have to be asked first. */
  async knock(heard: HeardOffer, timeoutMs: number, signal: AbortSignal): Promise<Knocked> {
    const { clock } = this.#options;
    const heardOf: { answer: Knocked | undefined; wake: () => void } = {
      answer: undefined,
      wake: () => undefined,
    };
    const stream = this.#open(heard, { ask: "knock", origin: "" }, 1, (news) => {
      if (heardOf.answer !== undefined || (news.t !== "accept" && news.t !== "reset")) return;
      heardOf.answer = news.t === "accept" ? "yes" : knockedBy(news.code);
      heardOf.wake();
    });
    if (stream === undefined) return new TunnelError("service-away");
    stream.end();
    const until = clock.now() + timeoutMs;
    while (heardOf.answer === undefined && clock.now() < until && !signal.aborted)
      await wait(clock, until - clock.now(), {
        signal,
        until: (wake) => {
          heardOf.wake = wake;
          return () => undefined;
        },
      });
    if (heardOf.answer === undefined) stream.reset("cancelled");
    return heardOf.answer ?? "asked";
  }

  /**
   * A connection to a service. It can be written to at once, and says `connect` when its owner has let it in; where it cannot be made
   * it is destroyed with a {@link ConnectionReset}.
   * @param origin of the taker's listener, where it has one
   * @param onCode called with the code of a reset before the connection was made
   */
  dial(
    heard: HeardOffer,
    about: {
      readonly origin: string;
      readonly onBytes: (direction: "in" | "out", count: number) => void;
      readonly onCode: (code: string) => void;
    },
  ): StreamSocket {
    const { clock, primitives, pool, turns, places, tunnel } = this.#options;
    const socket = new StreamSocket({
      side: "taker",
      primitives,
      clock,
      pool,
      turns,
      writable: () => tunnel.streamPort.writable(),
      onBytes: about.onBytes,
    });
    const fail = (code: string): void => {
      if (!socket.destroyed) about.onCode(code);
      socket.destroy(new ConnectionReset(code));
    };
    places.ask(
      socket,
      () => void this.#connect(socket, heard, about.origin, fail),
      () => fail("busy"),
    );
    return socket;
  }

  /** Tries until it is made, refused for good, or too late. */
  async #connect(
    socket: StreamSocket,
    heard: HeardOffer,
    origin: string,
    fail: (code: string) => void,
  ): Promise<void> {
    const { clock, tunnel } = this.#options;
    const until = clock.now() + SERVICES_LIMITS.queueMs;
    const awayUntil = clock.now() + SERVICES_LIMITS.awayMs;
    while (!socket.destroyed) {
      const code = await this.#attempt(socket, heard, origin);
      if (code === undefined) return;
      const isAway = code === "away" && clock.now() < awayUntil && tunnel.end === undefined;
      const isBusy = code === "busy" && clock.now() < until;
      if (!isAway && !isBusy) return fail(code);
      await wait(clock, SERVICES_LIMITS.retryMs);
    }
  }

  /** @returns undefined once it is made, or the code of its reset */
  #attempt(socket: StreamSocket, heard: HeardOffer, origin: string): Promise<string | undefined> {
    const { clock, primitives } = this.#options;
    const salt = primitives.random(PORT_SALT_BYTES);
    return new Promise((resolve) => {
      let stream: StreamEnd | undefined;
      // To give up before there is an answer takes the question back.
      const givenUp = (): void => {
        stream?.reset("cancelled");
        resolve(undefined);
      };
      const failed = (code: string): void => {
        socket.off("close", givenUp);
        socket.window.reset();
        resolve(code);
      };
      const credit = socket.window.begin(clock.now());
      stream = this.#open(heard, { ask: "connect", origin, salt }, credit, (news) => {
        if (socket.isConnected || socket.destroyed) return socket.heard(news);
        if (news.t === "reset") return failed(news.code);
        const isRight = news.t === "accept" && news.response.length === PORT_SALT_BYTES;
        if (!isRight) {
          stream?.reset("refused");
          return failed("refused");
        }
        socket.off("close", givenUp);
        socket.attach(must(stream, "a stream that was accepted"));
        socket.begin({ offer: heard.entry.offer, salts: [salt, news.response] });
        resolve(undefined);
      });
      if (stream === undefined) failed("away");
      else socket.once("close", givenUp);
    });
  }

  #open(
    { entry }: HeardOffer,
    asked: Pick<PortRequest, "ask" | "origin"> & { readonly salt?: Uint8Array },
    credit: number,
    listen: (news: StreamNews) => void,
  ): StreamEnd | undefined {
    const { tunnel, primitives } = this.#options;
    const { offer, from } = entry;
    const { ask, origin, salt = primitives.random(PORT_SALT_BYTES) } = asked;
    const ends = { taker: tunnel.self, owner: from };
    const request = encodePortRequest(primitives, offer, ends, { ask, service: offer.id, salt, origin });
    return tunnel.services.open({ who: from, service: PORT_SERVICE, request, credit }, listen);
  }
}

function knockedBy(code: string): Knocked {
  if (code === "asked") return "asked";
  return new TunnelError(Object.hasOwn(ERROR_OF, code) ? (ERROR_OF[code] ?? "service-busy") : "service-busy");
}

/** A socket of the room, for code that was written for those of Node: it has all of them that such code uses. */
export function asSocket(socket: StreamSocket): Socket {
  return socket as unknown as Socket;
}
