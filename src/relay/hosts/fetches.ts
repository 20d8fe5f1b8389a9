import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { UPLINK } from "../../uplink/limits.ts";
import type { RelayContext } from "../context.ts";
import { refuse } from "../traffic/refusal.ts";
import type { Host } from "./host.ts";

export interface FetchEvents {
  /** The host has come; `first` are bytes of its side that came at once. */
  onConnection(connection: Socket, first: Buffer): void;
  /** `local`: what is behind the host does not answer. `relay`: the host cannot come in this way. */
  onFailure(why: "local" | "relay"): void;
}

interface Fetch {
  readonly host: Host;
  readonly events: FetchEvents;
  readonly cancel: () => void;
}

/** Connections that hosts make on notice: each of them bare bytes to what is behind the host. */
export class Fetches {
  readonly #context: RelayContext;
  readonly #waiting = new Map<string, Fetch>();

  constructor(context: RelayContext) {
    this.#context = context;
  }

  /** Whether it is worth while to ask this host. */
  canAsk(host: Host): boolean {
    return host.isReady && !host.cannotFetch && !this.#context.isCrowded();
  }

  /** Tells the host to come. One of the events is called, once. @returns withdraws it, and then neither is */
  ask(host: Host, events: FetchEvents): () => void {
    const { node, clock } = this.#context;
    // Of this node, so that another one knows where to hand it on.
    const ticket = `${node}.${randomBytes(UPLINK.ticketBytes).toString("base64url")}`;
    const cancel = clock.after(UPLINK.fetchMs, () => this.#take(ticket)?.events.onFailure("relay"));
    this.#waiting.set(ticket, { host, events, cancel });
    host.offerGuest(ticket);
    return () => void this.#take(ticket);
  }

  /** The host comes. Whoever knows the ticket is the host: nobody else was told. */
  fetched(request: IncomingMessage, socket: Socket, first: Buffer): void {
    const key = request.headers["sec-websocket-key"];
    const fetch =
      typeof key === "string" ? this.#take((request.url ?? "").slice(UPLINK.guestPath.length)) : undefined;
    if (fetch === undefined) return refuse(socket, 404);
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    fetch.events.onConnection(socket, first);
  }

  unfetched(host: Host, ticket: string, isLocal: boolean): void {
    if (this.#waiting.get(ticket)?.host !== host) return;
    if (!isLocal) host.cannotFetch = true;
    this.#take(ticket)?.events.onFailure(isLocal ? "local" : "relay");
  }

  /** Nobody comes any more. */
  close(): void {
    for (const ticket of this.#waiting.keys()) this.#take(ticket)?.events.onFailure("local");
  }

  #take(ticket: string): Fetch | undefined {
    const fetch = this.#waiting.get(ticket);
    this.#waiting.delete(ticket);
    fetch?.cancel();
    return fetch;
  }
}
