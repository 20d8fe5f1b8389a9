import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { WebSocketServer } from "ws";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { UPLINK } from "../../uplink/limits.ts";
import { LINE_OPTIONS } from "../../uplink/line/line.ts";
import type { RelayContext } from "../context.ts";
import type { Fetches } from "../hosts/fetches.ts";
import type { Registrar } from "../hosts/registrar.ts";
import { Counts } from "../limits/counts.ts";
import type { Door } from "../rooms/door.ts";
import { sourceOf } from "../rooms/source-tag.ts";
import { refuse } from "../traffic/refusal.ts";
import type { Certificates } from "./certificates.ts";
import { askedFor, single } from "./host-names.ts";
import { behindProxy } from "./proxy-protocol.ts";
import { schemeOfRequest, sourceOfRequest, type TrustedProxies } from "./sources.ts";

/** Requests for services: the part of the relay that reads HTTP. */
export interface ServiceDoor {
  request(
    name: string,
    request: IncomingMessage,
    response: ServerResponse,
    source: string,
    expectsContinue: boolean,
  ): void;
  upgrade(name: string, request: IncomingMessage, socket: Socket, head: Buffer, source: string): void;
}

export interface FrontOptions {
  readonly context: RelayContext;
  readonly door: Door;
  readonly fetches: Fetches;
  readonly registrar: Registrar;
  readonly services: ServiceDoor;
  readonly isTrusted: TrustedProxies;
  /** Every connection of a trusted proxy begins with the PROXY protocol. */
  readonly hasProxyHeader: boolean;
  /** Undefined: TLS is the job of a proxy in front. */
  readonly certificates: Certificates | undefined;
  readonly host: string;
  readonly port: number;
}

/** The public listener: hosts, guests and visitors of services come in here. */
export class Front {
  readonly #options: FrontOptions;
  readonly #server: Server;
  readonly #upgrader = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    ...LINE_OPTIONS,
  });
  readonly #sockets = new Set<Socket>();
  readonly perSource = new Counts();
  /** What Node's server does with a connection. */
  readonly #serve: readonly Function[];
  #isLeaving = false;

  constructor(options: FrontOptions) {
    this.#options = options;
    const { limits } = options.context;
    this.#server = createServer({
      maxHeaderSize: limits.head.bytes,
      headersTimeout: limits.head.ms,
      // Bodies have limits of their own: a long upload is none.
      requestTimeout: 0,
      connectionsCheckingInterval: 1_000,
      keepAliveTimeout: limits.keptMs,
      noDelay: true,
    });
    const server = this.#server;
    server.maxConnections = limits.connections;
    this.#serve = server.listeners("connection");
    server.removeAllListeners("connection");
    server.on("connection", (socket: Socket) => this.#connected(socket));
    server.on("request", (request, response) => this.#request(request, response, false));
    server.on("checkContinue", (request, response) => this.#request(request, response, true));
    server.on("upgrade", (request, socket: Socket, head: Buffer) => this.#upgrade(request, socket, head));
    server.on("connect", (_request, socket: Socket) => refuse(socket, 405));
    server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
      if (!socket.writable || error.code === "ECONNRESET") socket.destroy();
      else refuse(socket, error.code === "HPE_HEADER_OVERFLOW" ? 431 : 400);
    });
  }

  get port(): number {
    const address: AddressInfo | string | null = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : this.#options.port;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** @throws {TunnelError} port-in-use, bind-failed */
  listen(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        const isTaken = error.code === "EADDRINUSE" || (error.code === "EACCES" && port !== 0);
        const detail = isTaken ? `port ${port}` : host;
        reject(new TunnelError(isTaken ? "port-in-use" : "bind-failed", { detail, cause: error }));
      });
      this.#server.listen({ host, port, backlog: 4_096 }, () => {
        // Out of descriptors, say: one connection less, and no reason to end.
        this.#server.on("error", () => undefined);
        resolve();
      });
    });
  }

  /** No new connections; those that are there go on, and close after their answer. */
  leave(): void {
    this.#isLeaving = true;
    this.#server.close();
    this.#server.closeIdleConnections();
  }

  /** Resolves when no connection is left. */
  async close(): Promise<void> {
    this.#isLeaving = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #connected(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    const { isTrusted, hasProxyHeader, context } = this.#options;
    const address = socket.remoteAddress ?? "";
    if (!isTrusted(address)) return this.#counted(socket, address);
    // A proxy's own connections are not one visitor's.
    if (!hasProxyHeader) return this.#secure(socket, undefined);
    const limits = { clock: context.clock, limitMs: context.limits.head.ms };
    behindProxy(socket, limits, (source) => {
      if (source === undefined) this.#secure(socket, undefined);
      else this.#counted(socket, source);
    });
  }

  #counted(socket: Socket, source: string): void {
    const free = this.perSource.take(sourceOf(source), this.#options.context.limits.connectionsPerSource);
    if (free === undefined) return void socket.destroy();
    socket.once("close", free);
    this.#secure(socket, source === socket.remoteAddress ? undefined : source);
  }

  /** @param source of a connection that a proxy has told of */
  #secure(socket: Socket, source: string | undefined): void {
    const { certificates, context } = this.#options;
    if (certificates === undefined) {
      this.#hand(socket, source);
      // Where a header was taken off it, it is paused.
      return void socket.resume();
    }
    const secure = new TLSSocket(socket, {
      isServer: true,
      secureContext: certificates.context,
      ALPNProtocols: ["http/1.1"],
    });
    const stop = context.clock.after(context.limits.head.ms, () => socket.destroy());
    secure.on("error", () => socket.destroy()).once("close", stop);
    socket.once("close", () => secure.destroy());
    secure.once("secure", () => {
      stop();
      this.#hand(secure, source ?? socket.remoteAddress);
    });
  }

  #hand(socket: Socket, source: string | undefined): void {
    if (source !== undefined) Object.defineProperty(socket, "remoteAddress", { value: source });
    for (const serve of this.#serve) Reflect.apply(serve, this.#server, [socket]);
  }

  #request(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const { context, services, isTrusted } = this.#options;
    if (this.#isLeaving) response.shouldKeepAlive = false;
    const asked = askedFor(single(request.rawHeaders, "host"), context.domain);
    if (asked.kind !== "service") return answer(response, asked.kind === "none" ? 400 : 404, context.contact);
    const source = sourceOfRequest(request, isTrusted);
    services.request(asked.name, request, response, source, expectsContinue);
  }

  /** A host has come for a guest, to any node. */
  #fetched(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const { context, fetches } = this.#options;
    const { elsewhere } = context;
    const ticket = (request.url ?? "").slice(UPLINK.guestPath.length);
    const node = nodeOf(ticket);
    if (elsewhere === undefined || node === context.node || !/^[A-Za-z0-9]{1,64}$/.test(node))
      return fetches.fetched(request, socket, head);
    socket.pause();
    void this.#handOn(node, ticket, { request, socket, head });
  }

  /** To the node that has asked the host to come. */
  async #handOn(
    node: string,
    ticket: string,
    {
      request,
      socket,
      head,
    }: { readonly request: IncomingMessage; readonly socket: Socket; readonly head: Buffer },
  ): Promise<void> {
    const { context, door } = this.#options;
    const connection = await context.elsewhere?.reachTicket(node, ticket);
    if (connection === undefined) refuse(socket, 404);
    else door.passOn(connection, request, socket, head, undefined);
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const { context, door, registrar, services, isTrusted } = this.#options;
    const authority = single(request.rawHeaders, "host");
    const asked = askedFor(authority, context.domain);
    if (asked.kind === "none" || authority === undefined) return refuse(socket, 400);
    const source = sourceOfRequest(request, isTrusted);
    if (asked.kind === "service") return services.upgrade(asked.name, request, socket, head, source);
    if (this.#isLeaving && !isFetch(request)) return refuse(socket, 503, 1);
    if (request.method !== "GET") return refuse(socket, 405);
    if (isFetch(request)) return this.#fetched(request, socket, head);
    if (request.url !== UPLINK.hostPath) return door.visit(request, socket, head, source);
    // A page in a browser has no business here, whoever is signed in behind it.
    if (request.headers.origin !== undefined) return refuse(socket, 403);
    const scheme = schemeOfRequest(request, isTrusted);
    this.#upgrader.handleUpgrade(request, socket, head, (webSocket) =>
      registrar.accept(webSocket, { source, authority, scheme }),
    );
  }
}

/** The node of a ticket: NODE.RANDOM. */
const nodeOf = (ticket: string): string => ticket.slice(0, Math.max(0, ticket.indexOf(".")));

const isFetch = ({ url }: IncomingMessage): boolean => url?.startsWith(UPLINK.guestPath) === true;

/** Rooms serve no pages, and the relay has none: the same plain answer for everything. */
function answer(response: ServerResponse, status: number, contact: string | undefined): void {
  response.writeHead(status, {
    "content-type": "text/plain; charset=utf-8",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
    "cache-control": "no-store",
  });
  const complaints = contact === undefined ? "" : `complaints: ${contact}\n`;
  response.end(Buffer.from(`${STATUS_CODES[status]?.toLowerCase() ?? ""}\n${complaints}`));
}
