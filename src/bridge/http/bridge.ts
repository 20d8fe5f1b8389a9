import { createServer, type Server } from "node:http";
import type { Duplex } from "node:stream";
import type { Clock } from "../../runtime/clock.ts";
import type { Backend } from "../backend.ts";
import { Reception, type ReceptionOptions, type VisitorPlace } from "./reception.ts";
import { BRIDGE_LIMITS, type BridgeLimits } from "../protocol/limits.ts";

export interface BridgeOptions extends Pick<ReceptionOptions, "tools" | "outbound" | "onCall"> {
  readonly clock: Clock;
  readonly backend: Backend;
  readonly limits?: BridgeLimits;
}

/** The way of one visitor to the server. */
export interface BridgeVisitor {
  /** A connection, which is the bridge's from now on. */
  accept(socket: Duplex): void;
  /** Cuts all connections. */
  close(): void;
}

/** One MCP server for many visitors over Streamable HTTP, in the eras of both. It listens nowhere: connections are given to it. */
export class Bridge {
  readonly #options: BridgeOptions;
  readonly #limits: BridgeLimits;
  readonly #visitors = new Set<BridgeVisitor>();
  #calls = 0;
  #unread = 0;
  #bodies = 0;

  constructor(options: BridgeOptions) {
    this.#options = options;
    this.#limits = options.limits ?? BRIDGE_LIMITS;
  }

  /** Calls under way. */
  get calls(): number {
    return this.#calls;
  }

  visitor(place: VisitorPlace): BridgeVisitor {
    const { clock } = this.#options;
    const limits = this.#limits;
    const means = {
      place: () => this.#place(),
      keep: (chars: number) => this.#keep(chars),
      hold: (bytes: number) => this.#hold(bytes),
    };
    const reception = new Reception({ ...this.#options, ...means, limits }, place);
    const server = createServer({ requireHostHeader: false, requestTimeout: 0, noDelay: true });
    server.on("request", (request, response) => void reception.visit({ request, response }));
    server.on("clientError", (_error, socket) => void socket.destroy());
    const visitor = acceptOn(server, clock, limits);
    this.#visitors.add(visitor);
    return {
      accept: (socket) => visitor.accept(socket),
      close: () => {
        this.#visitors.delete(visitor);
        visitor.close();
      },
    };
  }

  /** Ends all visits and the server behind them; resolves when nothing is left. Idempotent. */
  async close(): Promise<void> {
    for (const visitor of this.#visitors) visitor.close();
    this.#visitors.clear();
    await this.#options.backend.close();
  }

  #keep(chars: number): (() => void) | undefined {
    // A single one is kept however long: it is bounded itself.
    if (this.#unread > 0 && this.#unread + chars > this.#limits.unreadChars) return undefined;
    this.#unread += chars;
    return () => void (this.#unread -= chars);
  }

  #hold(bytes: number): boolean {
    if (bytes > 0 && this.#bodies + bytes > this.#limits.bodiesBytes) return false;
    this.#bodies += bytes;
    return true;
  }

  #place(): (() => void) | undefined {
    if (this.#calls >= this.#limits.calls) return undefined;
    this.#calls += 1;
    return () => void (this.#calls -= 1);
  }
}

/** A server that does not listen measures no time by itself: a connection that says nothing whole is cut. */
function acceptOn(server: Server, clock: Clock, limits: BridgeLimits): BridgeVisitor {
  const waiting = new Map<Duplex, () => void>();
  const sockets = new Set<Duplex>();
  const begun = (socket: Duplex): void => {
    waiting.get(socket)?.();
    waiting.delete(socket);
  };
  server.on("request", ({ socket }) => begun(socket));
  return {
    accept(socket) {
      sockets.add(socket);
      waiting.set(
        socket,
        clock.after(limits.bodyMs, () => socket.destroy()),
      );
      socket.on("error", () => undefined);
      socket.once("close", () => {
        begun(socket);
        sockets.delete(socket);
      });
      server.emit("connection", socket);
    },
    close() {
      for (const socket of sockets) socket.destroy();
    },
  };
}
