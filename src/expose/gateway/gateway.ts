import { createServer, type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { valuesOf } from "../message.ts";
import type { Visit } from "./forward.ts";
import { GATEWAY_LIMITS, type GatewayLimits } from "./limits.ts";
import { lastWord } from "./lingering.ts";
import type { Gateway, GatewayOptions, GatewayPlace, SocketGateway } from "./options.ts";
import { fieldLines } from "./outgoing/field-lines.ts";
import { OWN, ownAnswerBytes, sendOwnAnswer } from "./rules/own-answers.ts";
import { Reception } from "./reception.ts";

/**
 * One server of HTTP/1.1 in front of one local service. Every request passes the rules of the wire and the gate before one byte of
 * it reaches the service.
 * @throws {TunnelError} `port-in-use`, `bind-failed`, or `expose-target-invalid` for a `hostHeader` that is none
 */
export async function openGateway(options: GatewayOptions & GatewayPlace): Promise<Gateway> {
  const { server, reception, upgraded } = partsOf(options);
  await listen(server, options);
  const { port } = server.address() as AddressInfo;
  return {
    ...controlsOf(reception),
    get stats() {
      return reception.stats;
    },
    port,
    async close() {
      reception.expire();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      for (const socket of upgraded) socket.destroy();
      await closed;
    },
  };
}

/**
 * The same without a port, for connections that come another way.
 * @throws {TunnelError} `expose-target-invalid` for a `hostHeader` that is none
 */
export function socketGateway(options: GatewayOptions): SocketGateway {
  const { server, reception, limits } = partsOf(options);
  // A server that does not listen measures no time by itself.
  const waiting = new Map<Duplex, () => void>();
  const sockets = new Set<Duplex>();
  const begun = (socket: Duplex): void => {
    waiting.get(socket)?.();
    waiting.delete(socket);
  };
  server.on("request", ({ socket }: IncomingMessage) => begun(socket));
  server.on("upgrade", ({ socket }: IncomingMessage) => begun(socket));
  return {
    ...controlsOf(reception),
    get stats() {
      return reception.stats;
    },
    accept(socket) {
      sockets.add(socket);
      waiting.set(
        socket,
        options.clock.after(limits.requestHeadMs, () => socket.destroy()),
      );
      socket.once("close", () => {
        begun(socket);
        sockets.delete(socket);
      });
      server.emit("connection", socket);
    },
    close() {
      reception.expire();
      for (const socket of sockets) socket.destroy();
      return Promise.resolve();
    },
  };
}

function controlsOf(
  reception: Reception,
): Pick<Gateway, "publish" | "endProbes" | "fieldsFor" | "cut" | "expire"> {
  return {
    publish: (origin) => reception.publish(origin),
    endProbes: () => reception.endProbes(),
    fieldsFor: (fields, source) => reception.fieldsFor(fields, source),
    cut: (visitor) => reception.cut(visitor),
    expire: () => reception.expire(),
  };
}

interface Parts {
  readonly server: Server;
  readonly reception: Reception;
  readonly limits: GatewayLimits;
  readonly upgraded: ReadonlySet<Socket>;
}

function partsOf(options: GatewayOptions): Parts {
  checkHostHeader(options.hostHeader);
  const limits = { ...GATEWAY_LIMITS, ...options.limits };
  const reception = new Reception(options, limits);
  const server = createServer({
    maxHeaderSize: limits.requestHeadBytes,
    headersTimeout: limits.requestHeadMs,
    // A slow upload is no fault: what stands still is cut by the limits of each exchange.
    requestTimeout: 0,
    keepAliveTimeout: limits.visitorKeptMs,
    // Ours is said, and marked as ours.
    requireHostHeader: false,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
  });
  // All lines count, up to the bytes of a head: a second Host behind two thousand others is a second Host.
  server.maxHeadersCount = 0;
  server.maxConnections = limits.connections;
  const upgraded = new Set<Socket>();
  receive(server, reception, options.clock, limits, upgraded);
  return { server, reception, limits, upgraded };
}

function receive(
  server: Server,
  reception: Reception,
  clock: Clock,
  limits: GatewayLimits,
  upgraded: Set<Socket>,
): void {
  const pending = new PendingResponses();
  const visit = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void => {
    pending.add(request.socket, response);
    reception.visit({ request, response, upgrade: undefined }, expectsContinue);
  };
  server.on("request", (request, response) => visit(request, response, false));
  server.on("checkContinue", (request, response) => visit(request, response, true));
  server.on("checkExpectation", (_request, response) => sendOwnAnswer(response, OWN.expectation, true));
  server.on("connect", (_request, socket: Socket) =>
    lastWord(socket, ownAnswerBytes(OWN.method), clock, limits.lingerMs),
  );
  server.on("upgrade", (request, socket: Socket, first: Buffer) => {
    if (pending.has(socket)) {
      // Another protocol cannot begin in the middle of a response.
      socket.destroy();
    } else if (isWebSocket(request)) {
      upgraded.add(socket);
      socket.once("close", () => upgraded.delete(socket));
      reception.visit(upgradeVisit(request, socket, first), false);
    } else {
      serveWithoutUpgrade(server, request, socket, first);
    }
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    // In the middle of a response nothing can be said.
    if (!socket.writable || error.code === "ECONNRESET" || pending.hasBegun(socket)) socket.destroy();
    else lastWord(socket, ownAnswerBytes(answerTo(error.code)), clock, limits.lingerMs);
  });
}

function answerTo(code: string | undefined): (typeof OWN)[keyof typeof OWN] {
  if (code === "HPE_HEADER_OVERFLOW") return OWN.headTooLong;
  return code === "ERR_HTTP_REQUEST_TIMEOUT" ? OWN.headTimeout : OWN.badFraming;
}

/** Responses under way on each connection: a visitor may send its next request before it has the last answer. */
class PendingResponses {
  readonly #bySocket = new WeakMap<Socket, Set<ServerResponse>>();

  add(socket: Socket, response: ServerResponse): void {
    const known = this.#bySocket.get(socket);
    const responses = known ?? new Set<ServerResponse>();
    if (known === undefined) {
      this.#bySocket.set(socket, responses);
      // Node tells the end of a connection to the response whose turn it is; those behind it would wait forever.
      socket.once("close", () => {
        for (const one of responses) one.emit("close");
      });
    }
    responses.add(response);
    response.once("close", () => responses.delete(response));
  }

  has(socket: Socket): boolean {
    return (this.#bySocket.get(socket)?.size ?? 0) > 0;
  }

  hasBegun(socket: Socket): boolean {
    return [...(this.#bySocket.get(socket) ?? [])].some((response) => response.headersSent);
  }
}

/** RFC 6455 §4.1. */
function isWebSocket({ method, httpVersion, rawHeaders }: IncomingMessage): boolean {
  const protocols = valuesOf(rawHeaders, "upgrade").flatMap((value) => value.split(","));
  const asksForIt = protocols.some((one) => one.trim().toLowerCase() === "websocket");
  return method === "GET" && httpVersion === "1.1" && asksForIt;
}

/** A response of Node's own on the bare socket: the service may well answer without an upgrade. */
function upgradeVisit(request: IncomingMessage, socket: Socket, first: Buffer): Visit {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.once("finish", () => socket.end());
  socket.on("error", () => socket.destroy());
  return { request, response, upgrade: { socket, first } };
}

const OF_UPGRADE: ReadonlySet<string> = new Set(["upgrade", "http2-settings"]);

/**
 * RFC 9110 §7.8: a server may ignore `Upgrade`, and here it must, or a visitor could speak to the service past the gate. Node has
 * given the connection away by now, so the request is put back without those fields and read once more, body and all.
 */
function serveWithoutUpgrade(server: Server, request: IncomingMessage, socket: Socket, first: Buffer): void {
  const { method = "", url = "", httpVersion, rawHeaders } = request;
  const kept: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    const value = rawHeaders[index + 1] ?? "";
    const lower = name.toLowerCase();
    if (OF_UPGRADE.has(lower)) continue;
    if (lower !== "connection") kept.push(name, value);
    else {
      const options = value.split(",").filter((one) => !OF_UPGRADE.has(one.trim().toLowerCase()));
      if (options.length > 0) kept.push(name, options.join(","));
    }
  }
  const head = `${method} ${url} HTTP/${httpVersion}\r\n${fieldLines(kept)}\r\n`;
  socket.unshift(Buffer.concat([Buffer.from(head, "latin1"), first]));
  server.emit("connection", socket);
}

function checkHostHeader(value: string | undefined): void {
  if (value === undefined || /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?$/.test(value)) return;
  throw new TunnelError("expose-target-invalid", {
    detail: "hostHeader is a name or an address, and perhaps a port",
  });
}

async function listen(server: Server, { bind, port }: GatewayPlace): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) =>
      reject(new TunnelError(cause.code === "EADDRINUSE" ? "port-in-use" : "bind-failed", { cause })),
    );
    server.listen({ host: bind, port }, resolve);
  });
}
