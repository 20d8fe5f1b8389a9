import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocket, WebSocketServer } from "ws";
import { addressKind } from "../net/address.ts";
import type { Bytes } from "../protocol/base/bytes.ts";
import type { ConnectionId } from "../protocol/base/ids.ts";
import { PRE_AUTH } from "../protocol/base/limits.ts";
import { CLOSE_CODE } from "../protocol/link/wire.ts";
import type { RoomEffect } from "../protocol/host/room-io.ts";
import type { Room } from "../protocol/host/room.ts";
import type { Clock } from "../runtime/clock.ts";
import { Driver } from "./driver.ts";
import { Listeners, refuse, type Lease } from "./listeners.ts";
import { Turns } from "./turns.ts";
import { answerPings, gatherWrites, hangUp, messageBytes, sendBounded, SOCKET_OPTIONS } from "./sockets.ts";

/** Effects of a room that the relay passes on. */
export type RoomNotice = Exclude<RoomEffect, { type: "send" | "close" | "member" | "pause" }>;

export interface RelayOptions {
  readonly room: Room;
  readonly clock: Clock;
  /** IP address to listen on. */
  readonly bind: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** The ports of this process, where it has several rooms. */
  readonly listeners?: Listeners;
  /** The tunnel, for an error that names who holds the port; the room where left out. */
  readonly owner?: string;
  /** Header, in lower case, in which a tunnel's edge names the source; believed on loopback connections alone. */
  readonly sourceHeader: string | undefined;
  readonly onNotice: (notice: RoomNotice) => void;
  /** See {@link Driver}. */
  readonly writeKept?: (() => void) | undefined;
}

/** The host's end of the wire: one path behind a port, and the driver that runs the room. */
export interface Relay {
  readonly port: number;
  /** See Lease.descriptor. */
  readonly descriptor: number | undefined;
  /** A GET of `path` is answered with `answer`, which nobody but this relay knows. */
  readonly proof: { readonly path: string; readonly answer: string };
  /** For a provider that leads to the room by its id. */
  readonly purpose: { readonly kind: "room"; readonly room: string; readonly seed: Bytes };
  /** Calls the room and carries out what comes of it. */
  run<Result>(call: (room: Room, now: number) => Result): Result;
  /** Resolves when no socket is left and the port is free, or held by other rooms alone. Idempotent. */
  stop(): Promise<void>;
}

const STOP_GRACE_MS = 1_000;

/** @throws {TunnelError} port-in-use, port-in-use-here, bind-failed */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const { room, bind, port, listeners = new Listeners(), owner = room.id } = options;
  const proof = { path: `/${randomBytes(32).toString("hex")}`, answer: randomBytes(32).toString("hex") };
  const { WebSocketServer } = await import("ws");
  const upgrader = new WebSocketServer({ noServer: true, clientTracking: false, ...SOCKET_OPTIONS });
  // Nobody is let in before the port is known to be this one's.
  let relay: RelayServer | undefined;
  const lease = await listeners.lease(
    {
      path: `/t/${room.id}`,
      proof,
      bind,
      owner,
      visited: (request, socket, head) =>
        relay === undefined ? socket.destroy() : relay.visited(request, socket, head),
    },
    port,
  );
  relay = new RelayServer(lease, upgrader, proof, options);
  return relay;
}

class RelayServer implements Relay {
  readonly proof: Relay["proof"];
  readonly purpose: Relay["purpose"];
  readonly #lease: Lease;
  readonly #options: RelayOptions;
  readonly #sockets = new Map<ConnectionId, WebSocket>();
  /** Undoes the byte budget of a socket that has not proved itself. */
  readonly #budgets = new Map<ConnectionId, () => void>();
  /** Undoes the wait of a connection that is not read from for a while. */
  readonly #resumes = new Map<ConnectionId, { readonly until: number; readonly cancel: () => void }>();
  readonly #turns = new Turns<ConnectionId, Bytes>(
    (connection, message) =>
      this.run((room, now) => room.handle({ type: "message", connection, message }, now)),
    (connection, isWaiting) => this.#waits(connection, isWaiting),
  );
  readonly #upgrader: WebSocketServer;
  readonly #driver: Driver<Room, RoomEffect>;
  /** The TCP connections under the sockets. */
  readonly #raw = new Set<Duplex>();
  #onEmpty = (): void => undefined;
  #lastConnection: ConnectionId = 0;
  #stopping: Promise<void> | undefined;

  constructor(lease: Lease, upgrader: WebSocketServer, proof: Relay["proof"], options: RelayOptions) {
    this.proof = proof;
    this.purpose = { kind: "room", room: options.room.id, seed: options.room.addressSeed };
    this.#lease = lease;
    this.#upgrader = upgrader;
    this.#options = options;
    this.#driver = new Driver({
      machine: options.room,
      clock: options.clock,
      perform: (effect) => this.#perform(effect),
      wake: (room, now) => room.handle({ type: "tick" }, now),
      writeKept: options.writeKept,
    });
    options.room.sendThrough((effect) => {
      options.writeKept?.();
      this.#perform(effect);
    });
  }

  get port(): number {
    return this.#lease.port;
  }

  get descriptor(): number | undefined {
    return this.#lease.descriptor;
  }

  run<Result>(call: (room: Room, now: number) => Result): Result {
    return this.#driver.run(call);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#driver.stop();
    const isEmpty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
      if (this.#raw.size === 0) resolve();
    });
    const released = this.#lease.release();
    for (const socket of this.#sockets.values()) hangUp(socket, CLOSE_CODE.normal, this.#options.clock);
    // The last messages, the end of the room above all, get a moment to leave the buffers.
    const cancel = this.#options.clock.after(STOP_GRACE_MS, () => {
      for (const raw of this.#raw) raw.destroy();
      this.#lease.closeConnections("all");
    });
    this.#lease.closeConnections("idle");
    await Promise.all([isEmpty, released]);
    cancel();
  }

  /** Somebody asks for the room. */
  visited(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const status = this.#refusal(request);
    if (status !== undefined) return refuse(socket, status);
    this.#raw.add(socket);
    socket.once("close", () => {
      this.#raw.delete(socket);
      if (this.#raw.size === 0) this.#onEmpty();
    });
    this.#upgrader.handleUpgrade(request, socket, head, (webSocket) =>
      this.#accept(webSocket, socket, request),
    );
  }

  /** The HTTP status to refuse with; browsers always send Origin, members never do (A1). */
  #refusal(request: IncomingMessage): string | undefined {
    const { room, clock } = this.#options;
    if (this.#stopping !== undefined) return "404 Not Found";
    if (request.headers.origin !== undefined) return "403 Forbidden";
    if (!room.admits(this.#source(request), clock.now())) return "429 Too Many Requests";
    return undefined;
  }

  #source(request: IncomingMessage): string {
    const { sourceHeader } = this.#options;
    const { remoteAddress = "unknown" } = request.socket;
    // A tunnel's program dials from this machine; from elsewhere the header is a visitor's own.
    if (sourceHeader === undefined || addressKind(remoteAddress) !== "loopback") return remoteAddress;
    const reported = request.headers[sourceHeader];
    return typeof reported === "string" ? reported.slice(0, 64) : remoteAddress;
  }

  #accept(socket: WebSocket, raw: Duplex, request: IncomingMessage): void {
    this.#lastConnection += 1;
    const connection = this.#lastConnection;
    this.#sockets.set(connection, socket);
    this.#limitBytes(connection, raw);
    gatherWrites(socket, raw);
    socket.on("message", (data, isBinary) => {
      const message = messageBytes(data, isBinary);
      if (message === undefined) return hangUp(socket, CLOSE_CODE.violation, this.#options.clock);
      this.#turns.add(connection, message);
    });
    answerPings(socket);
    const control = (): void => this.run((room, now) => room.handle({ type: "control", connection }, now));
    socket.on("ping", control);
    socket.on("pong", control);
    // ws reports a broken peer here and closes by itself; "close" follows.
    socket.on("error", () => socket.terminate());
    socket.on("close", () => {
      this.#turns.finish(connection);
      this.#sockets.delete(connection);
      this.#budgets.delete(connection);
      this.#resumes.get(connection)?.cancel();
      this.#resumes.delete(connection);
      this.run((room, now) => room.handle({ type: "closed", connection }, now));
    });
    const source = this.#source(request);
    this.run((room, now) => room.handle({ type: "opened", connection, source }, now));
  }

  /**
   * Before a member is proved, all bytes on its socket together are bounded, whatever frames, fragments or pings they
   * form (A1): counted ahead of the WebSocket parser, so nothing is collected first.
   */
  #limitBytes(connection: ConnectionId, raw: Duplex): void {
    let total = 0;
    const count = (chunk: Buffer): void => {
      total += chunk.length;
      if (total > PRE_AUTH.maxTotalBytes) raw.destroy();
    };
    raw.prependListener("data", count);
    this.#budgets.set(connection, () => raw.off("data", count));
  }

  /** Its own socket fills up then, and TCP slows its sender down. */
  #pause(connection: ConnectionId, ms: number): void {
    const { clock } = this.#options;
    const socket = this.#sockets.get(connection);
    const until = clock.now() + ms;
    const before = this.#resumes.get(connection);
    // The longest of several reasons counts.
    if (socket === undefined || (before !== undefined && before.until >= until)) return;
    before?.cancel();
    socket.pause();
    // One read of the socket may have brought hundreds of messages.
    this.#turns.hold(connection);
    const cancel = clock.after(ms, () => {
      this.#resumes.delete(connection);
      this.#turns.release(connection);
      if (!this.#turns.isWaiting(connection)) socket.resume();
    });
    this.#resumes.set(connection, { until, cancel });
  }

  /** Nothing more is read of it while it has messages that wait for their turn. */
  #waits(connection: ConnectionId, isWaiting: boolean): void {
    const socket = this.#sockets.get(connection);
    if (isWaiting) socket?.pause();
    else if (!this.#resumes.has(connection)) socket?.resume();
  }

  #perform(effect: RoomEffect): void {
    switch (effect.type) {
      case "send": {
        const socket = this.#sockets.get(effect.connection);
        if (socket !== undefined) sendBounded(socket, effect.message);
        return;
      }
      case "close": {
        const socket = this.#sockets.get(effect.connection);
        if (socket !== undefined) hangUp(socket, effect.code, this.#options.clock, effect.linger);
        return;
      }
      case "pause":
        return this.#pause(effect.connection, effect.ms);
      case "member":
        this.#budgets.get(effect.connection)?.();
        this.#budgets.delete(effect.connection);
        return;
      case "entry":
      case "reached":
      case "missed":
      case "unreached":
      case "presence":
      case "stream":
      case "alarm":
      case "ended":
        this.#options.onNotice(effect);
    }
  }
}
