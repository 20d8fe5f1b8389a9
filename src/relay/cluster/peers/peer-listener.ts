import { createServer as createHttpServer, type IncomingMessage, type Server } from "node:http";
import { createServer, type AddressInfo, type Server as TcpServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { TunnelError } from "../../../errors/tunnel-error.ts";
import { SOURCE_FIELD, UPLINK } from "../../../uplink/limits.ts";
import type { RelayContext } from "../../context.ts";
import type { ServiceDoor } from "../../front/front.ts";
import { single } from "../../front/host-names.ts";
import type { Fetches } from "../../hosts/fetches.ts";
import type { Hosts } from "../../hosts/hosts.ts";
import type { Door } from "../../rooms/door.ts";
import { refuse } from "../../traffic/refusal.ts";
import type { NodeTls } from "./node-tls.ts";
import type { Questions } from "./questions.ts";
import { firstLine, Greetings, type Wanted } from "./greeting.ts";

export interface PeerListenerOptions {
  readonly context: RelayContext;
  readonly hosts: Hosts;
  readonly door: Door;
  readonly fetches: Fetches;
  readonly services: ServiceDoor;
  readonly questions: Questions;
  readonly key: Buffer;
  readonly versions: readonly number[];
  /** The register's answer to a message of another node. */
  readonly answer: (text: string) => string | undefined;
  /** Undefined on loopback alone. */
  readonly tls: NodeTls | undefined;
  readonly host: string;
  readonly port: number;
}

/** Another node has so long to say what it wants. */
const GREETING_MS = 5_000;

/** The listener for other nodes, apart from the public one: a connection is for one claim, and serves that alone. */
export class PeerListener {
  readonly #options: PeerListenerOptions;
  readonly #greetings: Greetings;
  readonly #listener: TcpServer;
  readonly #http: Server;
  readonly #wanted = new WeakMap<object, Wanted>();
  readonly #sockets = new Set<Socket>();

  constructor(options: PeerListenerOptions) {
    this.#options = options;
    const { context, key, tls, versions } = options;
    this.#greetings = new Greetings({ key, node: context.node, clock: context.clock, versions });
    const accept = (socket: Socket): void => void this.#accept(socket);
    const shape = { allowHalfOpen: true, noDelay: true };
    this.#listener =
      tls === undefined
        ? createServer(shape, accept)
        : createTlsServer({ ...shape, ...tls, requestCert: true, rejectUnauthorized: true }, accept);
    const { head } = context.limits;
    // The other node adds fields of its own.
    this.#http = createHttpServer({
      maxHeaderSize: 2 * head.bytes,
      headersTimeout: 0,
      requestTimeout: 0,
      keepAliveTimeout: 0,
    });
    this.#http.on("request", (request, response) => {
      const wanted = this.#wanted.get(request.socket);
      if (wanted !== undefined && "isAdmin" in wanted)
        return void options.questions.answer(request, response);
      const name = this.#serviceOf(request);
      // No answer is better than one of an owner that is over: the other node looks again.
      if (name === undefined) request.socket.destroy();
      else options.services.request(name, request, response, sourceIn(request), false);
    });
    this.#http.on("checkContinue", (request, response) => {
      const name = this.#serviceOf(request);
      if (name === undefined) request.socket.destroy();
      else options.services.request(name, request, response, sourceIn(request), true);
    });
    this.#http.on("upgrade", (request, socket: Socket, first: Buffer) =>
      this.#upgrade(request, socket, first),
    );
    this.#http.on("clientError", (_error, socket) => socket.destroy());
  }

  get port(): number {
    const address: AddressInfo | string | null = this.#listener.address();
    return typeof address === "object" && address !== null ? address.port : this.#options.port;
  }

  /** @throws {TunnelError} port-in-use, bind-failed */
  listen(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#listener.once("error", (error: NodeJS.ErrnoException) => {
        const isTaken = error.code === "EADDRINUSE";
        reject(
          new TunnelError(isTaken ? "port-in-use" : "bind-failed", {
            detail: isTaken ? `port ${port}` : host,
            cause: error,
          }),
        );
      });
      this.#listener.listen({ host, port, backlog: 4_096 }, () => {
        this.#listener.on("error", () => undefined);
        resolve();
      });
    });
  }

  /** No new ones. */
  leave(): void {
    this.#listener.close();
  }

  close(): void {
    this.#listener.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #accept(socket: Socket): Promise<void> {
    socket.on("error", () => socket.destroy());
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    const line = await firstLine(socket, this.#options.context.clock, GREETING_MS);
    const greeted = line === undefined ? undefined : this.#greetings.read(line);
    if (typeof greeted === "string") return void socket.end(`${greeted}\n`);
    // Nothing is said to strangers, nor to a node that has to look again.
    if (greeted === undefined || !this.#isHere(greeted.wanted)) return void socket.destroy();
    const { wanted, answer, say } = greeted;
    if ("message" in wanted) {
      const text = this.#options.answer(wanted.message);
      return void socket.end(`${answer}\n${text === undefined ? "" : `${say(text)}\n`}`);
    }
    this.#wanted.set(socket, wanted);
    socket.write(`${answer}\n`);
    this.#http.emit("connection", socket);
  }

  /** Whether this node serves it, under that epoch and beyond doubt. */
  #isHere(wanted: Wanted): boolean {
    if (!("kind" in wanted)) return true;
    const { context, hosts } = this.#options;
    const host = hosts.get(wanted);
    return host?.isReady === true && host.facts.epoch === wanted.epoch && context.claims.isProven;
  }

  /** The service of a connection; undefined where it is for something else, or not here any more. */
  #serviceOf({ socket }: IncomingMessage): string | undefined {
    const wanted = this.#wanted.get(socket);
    if (wanted === undefined || !("kind" in wanted) || wanted.kind !== "http") return undefined;
    return this.#isHere(wanted) ? wanted.name : undefined;
  }

  #upgrade(request: IncomingMessage, socket: Socket, first: Buffer): void {
    const { door, fetches, services } = this.#options;
    const wanted = this.#wanted.get(socket);
    if (wanted === undefined || !this.#isHere(wanted)) return refuse(socket, 421);
    if ("ticket" in wanted) {
      if (request.url !== `${UPLINK.guestPath}${wanted.ticket}`) return refuse(socket, 421);
      return fetches.fetched(request, socket, first);
    }
    if (!("kind" in wanted)) return refuse(socket, 421);
    const source = sourceIn(request);
    if (wanted.kind === "http") return services.upgrade(wanted.name, request, socket, first, source);
    if (wanted.kind === "room" && request.url === `/t/${wanted.name}`)
      return door.visit(request, socket, first, source);
    refuse(socket, 421);
  }
}

/** The visitor, as the node has seen it to which it has come. */
const sourceIn = ({ rawHeaders }: IncomingMessage): string => single(rawHeaders, SOURCE_FIELD) ?? "unknown";
