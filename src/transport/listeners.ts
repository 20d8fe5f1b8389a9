import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { BlockList, isIPv4 } from "node:net";
import type { Duplex } from "node:stream";
import { TunnelError } from "../errors/tunnel-error.ts";
import { addressKind } from "../net/address.ts";

/** One room behind a port. */
export interface Site {
  /** The path that leads to the room. */
  readonly path: string;
  /** A GET of `path` is answered with `answer`, which nobody but this process knows. */
  readonly proof: { readonly path: string; readonly answer: string };
  /** IP address on which the room may be reached, though the port may be open on more. */
  readonly bind: string;
  /** The tunnel, for an error that names who holds the port. */
  readonly owner: string;
  /** A visitor who asks for the path. The socket is the site's from here on. */
  readonly visited: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/** The place of one site behind a port. */
export interface Lease {
  readonly port: number;
  /** The listening socket, for a process that inherits it and keeps the port; undefined on Windows, and when it is closed. */
  readonly descriptor: number | undefined;
  /** Takes no visitor any more. The last lease closes the port: resolves when it is free, or at once where others go on. */
  release(): Promise<void>;
  /** With the last lease: connections of nobody are closed, so that the port gets free; `all` those of members, too. */
  closeConnections(which: "idle" | "all"): void;
}

const HTTP_LIMITS = {
  maxHeaderSize: 8 * 1024,
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 1_000,
} as const;
/** TCP connections of any kind for each room: members, pending connections, and those that have not asked for anything yet. */
const MAX_TCP_CONNECTIONS = 512;
/** The part of them that has not asked for a room yet; one more takes the place of the oldest. */
const MAX_UNDECIDED = 128;

/**
 * The ports on which this process listens. Rooms have paths of their own, so tunnels that are to have the same port share it;
 * a room is reached only through the address that was meant for it.
 */
export class Listeners {
  readonly #open = new Set<Listener>();

  get ports(): number[] {
    return [...new Set(Array.from(this.#open, ({ port }) => port))];
  }

  /** @throws {TunnelError} port-in-use, port-in-use-here, bind-failed */
  async lease(site: Site, port: number): Promise<Lease> {
    for (;;) {
      const shared = port === 0 ? undefined : this.#shared(site.bind, port);
      if (shared === undefined) break;
      // Two tunnels may be opened at the same moment, and one be closed at which another is opened.
      if ((await shared.isReady()) && !shared.isClosing) return shared.add(site);
    }
    const listener = new Listener(site.bind, port, () => void this.#open.delete(listener));
    this.#open.add(listener);
    try {
      await listener.listen();
    } catch (error) {
      this.#open.delete(listener);
      throw this.#ownOr(error, port);
    }
    return listener.add(site);
  }

  #shared(bind: string, port: number): Listener | undefined {
    return [...this.#open].find((one) => one.wanted === port && covers(one.bind, bind));
  }

  /** The error of a port that is taken, where this process itself has taken it, at an address that is too narrow. */
  #ownOr(error: unknown, port: number): unknown {
    const own = [...this.#open].find((one) => port !== 0 && one.port === port);
    if (own === undefined || !(error instanceof TunnelError) || error.code !== "port-in-use") return error;
    const detail = `port ${port}, at ${own.bind} for the tunnel ${own.owners.join(", ")}`;
    return new TunnelError("port-in-use-here", { detail, cause: error });
  }
}

/** Whether whoever listens at `bound` listens at `wanted` as well. */
function covers(bound: string, wanted: string): boolean {
  if (bound === wanted) return true;
  if (addressKind(bound) !== "unspecified") return sameAddress(bound, wanted);
  return isIPv4(wanted) || !isIPv4(bound);
}

/** Whether two texts are the same IP address; an IPv4 address in the form of IPv6 is the same. */
function sameAddress(one: string, other: string): boolean {
  const list = new BlockList();
  list.addAddress(one, isIPv4(one) ? "ipv4" : "ipv6");
  return list.check(other, isIPv4(other) ? "ipv4" : "ipv6");
}

class Listener {
  readonly bind: string;
  /** The port that was asked for; 0 for any free one. */
  readonly wanted: number;
  readonly #server: Server;
  readonly #sites = new Set<Site>();
  /** TCP connections that have not become WebSockets, oldest first. */
  readonly #undecided = new Set<Duplex>();
  readonly #onClosed: () => void;
  #listening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(bind: string, wanted: number, onClosed: () => void) {
    this.bind = bind;
    this.wanted = wanted;
    this.#onClosed = onClosed;
    this.#server = createServer(HTTP_LIMITS, (request, response) => this.#answer(request, response));
    this.#server.on("connection", (socket: Duplex) => this.#connected(socket));
    this.#server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#upgrade(request, socket, head),
    );
    this.#server.on("clientError", (_error, socket) => socket.destroy());
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : this.wanted;
  }

  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  get owners(): string[] {
    return Array.from(this.#sites, ({ owner }) => owner);
  }

  /** @throws {TunnelError} port-in-use, bind-failed */
  listen(): Promise<void> {
    return (this.#listening ??= new Promise((resolve, reject) => {
      const { bind: host, wanted: port } = this;
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        const isTaken = error.code === "EADDRINUSE" || (error.code === "EACCES" && port !== 0);
        const where = isTaken ? `port ${port}` : host;
        reject(new TunnelError(isTaken ? "port-in-use" : "bind-failed", { detail: where, cause: error }));
      });
      this.#server.listen({ host, port, exclusive: true }, () => {
        // Out of descriptors, say: one connection less, and no reason for a room to end.
        this.#server.on("error", () => undefined);
        resolve();
      });
    }));
  }

  /** Waits while it is being opened or closed. False where it is gone, or could not be opened. */
  async isReady(): Promise<boolean> {
    const isOpen = await this.listen().then(
      () => true,
      () => false,
    );
    if (this.#closing === undefined) return isOpen;
    await this.#closing;
    return false;
  }

  add(site: Site): Lease {
    this.#sites.add(site);
    this.#bound();
    const server = this.#server;
    return {
      port: this.port,
      get descriptor() {
        return descriptorOf(server);
      },
      release: () => this.#release(site),
      closeConnections: (which) => {
        if (this.#closing === undefined) return;
        if (which === "idle") this.#server.closeIdleConnections();
        else this.#server.closeAllConnections();
      },
    };
  }

  async #release(site: Site): Promise<void> {
    this.#sites.delete(site);
    this.#bound();
    if (this.#sites.size > 0) return;
    this.#closing ??= new Promise<void>((resolve) => this.#server.close(() => resolve())).then(
      this.#onClosed,
    );
    await this.#closing;
  }

  #bound(): void {
    this.#server.maxConnections = MAX_TCP_CONNECTIONS * Math.max(1, this.#sites.size);
  }

  /** All other requests to the port, a link preview or a scan, get the same plain answer (L4). */
  #answer({ url, socket }: IncomingMessage, response: ServerResponse): void {
    response.shouldKeepAlive = false;
    const site = [...this.#sites].find(({ proof, bind }) => proof.path === url && isMeant(bind, socket));
    response.writeHead(404, { "content-type": "text/plain" }).end(site?.proof.answer ?? "not found\n");
  }

  /** Half-sent requests must not fill the port: a guest that comes back needs one round trip to get past this. */
  #connected(socket: Duplex): void {
    this.#undecided.add(socket);
    socket.once("close", () => this.#undecided.delete(socket));
    if (this.#undecided.size <= MAX_UNDECIDED * Math.max(1, this.#sites.size)) return;
    for (const oldest of this.#undecided) {
      this.#undecided.delete(oldest);
      oldest.destroy();
      return;
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#undecided.delete(socket);
    socket.on("error", () => socket.destroy());
    const site = [...this.#sites].find(
      ({ path, bind }) => path === request.url && isMeant(bind, request.socket),
    );
    if (site === undefined) return refuse(socket, "404 Not Found");
    site.visited(request, socket, head);
  }
}

/** Node has no name for it in its interface; where it changes, nothing is held. */
function descriptorOf(server: Server): number | undefined {
  const handle: unknown = Reflect.get(server, "_handle");
  const descriptor: unknown =
    typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : undefined;
  return typeof descriptor === "number" && descriptor > 2 ? descriptor : undefined;
}

/** Whether a connection has come through the address that a room is meant to be reached by. */
function isMeant(bind: string, { localAddress }: IncomingMessage["socket"]): boolean {
  return localAddress !== undefined && covers(bind, localAddress);
}

/** Answers a request for a WebSocket with a status of HTTP. */
export function refuse(socket: Duplex, status: string): void {
  // Both directions: a pending connection that keeps its own side open must not keep the socket, nor hold up the end.
  socket.once("finish", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
