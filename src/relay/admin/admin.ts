import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Api, Answer } from "./api.ts";
import type { Callers } from "./callers.ts";
import { wrongWith } from "./guard.ts";
import { FAILURES, ROUTES, routeFor, type FailureCode } from "./routes.ts";

export interface AdminOptions {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly isLoopback: boolean;
  readonly api: Api;
  readonly callers: Callers;
  readonly onTrouble: (what: string) => void;
}

const LIMITS = {
  connections: 256,
  headBytes: 8 * 1024,
  headMs: 5_000,
  requestMs: 10_000,
  keptMs: 5_000,
  /** A reader that takes nothing for so long is cut. */
  idleMs: 30_000,
} as const;

/** The operator's listener: health, figures, and the API. It shares no port with hosts and visitors. */
export class Admin {
  readonly #options: AdminOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(options: AdminOptions) {
    this.#options = options;
    const server = createServer(
      {
        maxHeaderSize: LIMITS.headBytes,
        headersTimeout: LIMITS.headMs,
        requestTimeout: LIMITS.requestMs,
        keepAliveTimeout: LIMITS.keptMs,
        connectionsCheckingInterval: 1_000,
      },
      (request, response) => void this.#request(request, response),
    );
    server.maxConnections = LIMITS.connections;
    server.setTimeout(LIMITS.idleMs, (socket) => socket.destroy());
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket)).on("error", () => socket.destroy());
    });
    server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
      if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
      const code = CLIENT_ERRORS[error.code ?? ""] ?? "bad-request";
      const body = bodyOf(code);
      socket.end(
        `HTTP/1.1 ${FAILURES[code]} ${REASON_PHRASE}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      );
    });
    this.#server = server;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : this.#options.port;
  }

  /** @throws {TunnelError} port-in-use, bind-failed */
  listen(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        const isTaken = error.code === "EADDRINUSE" || (error.code === "EACCES" && port !== 0);
        const detail = `admin-listen, ${isTaken ? `port ${port}` : host}`;
        reject(new TunnelError(isTaken ? "port-in-use" : "bind-failed", { detail, cause: error }));
      });
      this.#server.listen({ host, port }, () => {
        this.#server.on("error", () => undefined);
        resolve();
      });
    });
  }

  /** At once: whoever is waiting is cut. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = await this.#answerTo(request, response).catch((): Answer => {
      this.#options.onTrouble("a question at the admin listener has failed");
      return { kind: "failed", code: "internal" };
    });
    send(response, answer);
  }

  async #answerTo(request: IncomingMessage, response: ServerResponse): Promise<Answer> {
    const { isLoopback, callers, api } = this.#options;
    const wrong = wrongWith(request, isLoopback);
    if (wrong !== undefined) {
      // What it sends besides is not read.
      response.shouldKeepAlive = false;
      return { kind: "failed", code: wrong };
    }
    const [path = "", ...query] = (request.url ?? "").split("?");
    const found = routeFor(request.method ?? "", path);
    if (found.kind === "not-found") return { kind: "failed", code: "not-found" };
    if (found.kind === "wrong-method") {
      response.setHeader("Allow", found.allowed.join(", "));
      return { kind: "failed", code: "wrong-method" };
    }
    const { name, id } = found;
    const caller = await callers.callerFor(ROUTES[name].access, request.headers.authorization);
    if (typeof caller !== "string")
      return api.answer({ name, id, query: new URLSearchParams(query.join("?")), caller });
    if (FAILURES[caller] === 401) response.setHeader("WWW-Authenticate", 'Bearer realm="tunnel-mcp relay"');
    return { kind: "failed", code: caller };
  }
}

/** One reason phrase for all: clients go by the number (RFC 9112 §4). */
const REASON_PHRASE = "Refused";

const CLIENT_ERRORS: Readonly<Record<string, FailureCode>> = {
  HPE_HEADER_OVERFLOW: "head-too-long",
  ERR_HTTP_REQUEST_TIMEOUT: "too-slow",
};

const MESSAGES: Readonly<Record<FailureCode, string>> = {
  "bad-request": "the request is not as it must be",
  "token-missing": "this needs the field Authorization: Bearer TOKEN",
  "token-wrong": "the token is none of the operator's and none of this relay",
  "not-allowed": "this is for the operator's token alone",
  "wrong-host": "a listener on loopback answers under the names of this machine alone",
  "no-pages": "pages in a browser are not served",
  "no-admin-token": "no token of the operator is set (admin-token-file), so only health is answered here",
  "not-found": "nothing is here",
  "wrong-method": "this method is not possible here",
  "too-slow": "the request took too long",
  "body-unwanted": "no body is read here",
  "head-too-long": "the head of the request is too long",
  internal: "this has failed here",
  "host-away": "its host is at a node that cannot be reached now",
};

const bodyOf = (code: FailureCode, message: string = MESSAGES[code]): string =>
  `${JSON.stringify({ error: { code, message } })}\n`;

const FIELDS = {
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
} as const;

function send(response: ServerResponse, answer: Answer): void {
  if (answer.kind === "done") {
    response.writeHead(204, FIELDS).end();
    return;
  }
  const [status, type, text] = contentOf(answer);
  const bytes = Buffer.from(text);
  // Node leaves the body out where the method is HEAD.
  response.writeHead(status, { ...FIELDS, "Content-Type": type, "Content-Length": bytes.length }).end(bytes);
}

function contentOf(answer: Exclude<Answer, { kind: "done" }>): [status: number, type: string, text: string] {
  switch (answer.kind) {
    case "text":
      return [200, answer.type, answer.text];
    case "json":
      return [answer.status, "application/json", `${JSON.stringify(answer.body)}\n`];
    case "failed":
      return [FAILURES[answer.code], "application/json", bodyOf(answer.code, answer.detail)];
  }
}
