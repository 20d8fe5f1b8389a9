import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { SOURCE_FIELD, UPLINK } from "../../uplink/limits.ts";
import type { RelayContext } from "../context.ts";
import type { VisitEnd } from "../events.ts";
import type { Arrivals } from "../hosts/arrivals.ts";
import type { Host } from "../hosts/host.ts";
import { refuse } from "../traffic/refusal.ts";
import { splice } from "../../uplink/line/splice.ts";
import { SourceTags } from "./source-tag.ts";

/** A guest that its host has been told of and has not fetched yet. */
interface Guest {
  readonly host: Host;
  readonly socket: Duplex;
  /** What the host's room reads first: the guest's own request, and what came behind it. */
  readonly opening: Buffer;
  readonly source: string;
  readonly since: number;
  readonly cancel: () => void;
  readonly leave: () => void;
  /** Gives its place among the visitors of this host back. */
  readonly free: () => void;
}

const ROOM_PATH = /^\/t\/([A-Za-z0-9_-]{22})$/;
const RETRY_SECONDS = 2;
/** Of a guest's request: nothing else of it is the host's business, and some of it would tell who the guest is. */
const PASSED: ReadonlySet<string> = new Set(["host", "connection", "upgrade", "origin"]);
const isPassed = (name: string): boolean => PASSED.has(name) || name.startsWith("sec-websocket-");

/**
 * Leads guests to their rooms, as bytes that nobody here reads: each by a connection that its host makes for it, or where that does not
 * go by a stream of the host's line.
 */
export class Door {
  readonly #context: RelayContext;
  readonly #arrivals: Arrivals;
  readonly #tags = new SourceTags();
  readonly #guests = new Map<string, Guest>();
  readonly #cuts = new Set<() => void>();

  constructor(context: RelayContext, arrivals: Arrivals) {
    this.#context = context;
    this.#arrivals = arrivals;
  }

  /** Guests that are being carried. */
  get size(): number {
    return this.#cuts.size;
  }

  /** A request for an upgrade at this relay's own name. */
  visit(request: IncomingMessage, socket: Duplex, head: Buffer, source: string): void {
    const room = ROOM_PATH.exec(request.url ?? "")?.[1];
    if (room === undefined || request.headers.upgrade?.toLowerCase() !== "websocket")
      return refuse(socket, 404);
    socket.pause();
    const host = this.#arrivals.now({ kind: "room", name: room });
    if (host !== undefined) return this.#offer(host, request, socket, head, source);
    void this.#visitLater(room, request, socket, head, source);
  }

  async #visitLater(
    room: string,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    source: string,
  ): Promise<void> {
    const left = new AbortController();
    const leave = (): void => left.abort();
    socket.on("error", leave).once("close", leave);
    const found = await this.#arrivals.find({ kind: "room", name: room }, source, left.signal);
    socket.off("close", leave);
    if (left.signal.aborted) {
      socket.destroy();
    } else if (found.kind === "host") {
      this.#offer(found.host, request, socket, head, source);
    } else {
      const [status, retry] = found.kind === "unknown" ? [404, undefined] : [503, RETRY_SECONDS];
      refuse(socket, status, retry);
      this.#tell(room, found.kind === "unknown" ? "unknown" : "no-host", source, this.#context.clock.now());
    }
  }

  /** The host comes for a guest. Whoever knows the ticket is the host: nobody else was told. */
  fetched(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const ticket = (request.url ?? "").slice(UPLINK.guestPath.length);
    const guest = this.#take(ticket);
    const key = request.headers["sec-websocket-key"];
    if (guest === undefined || typeof key !== "string") return refuse(socket, 404);
    guest.socket.off("close", guest.leave);
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.write(guest.opening);
    if (head.length > 0) guest.socket.write(head);
    this.#carry(guest, socket);
  }

  /** The host says that it cannot. */
  unfetched(host: Host, ticket: string, isLocal: boolean): void {
    if (this.#guests.get(ticket)?.host !== host) return;
    if (!isLocal) {
      host.cannotFetch = true;
      return this.#giveUp(ticket);
    }
    const guest = this.#take(ticket);
    guest?.socket.off("close", guest.leave);
    if (guest !== undefined) this.#refuse(guest);
  }

  /** Cuts everybody who is carried. */
  close(): void {
    for (const ticket of this.#guests.keys()) {
      const guest = this.#take(ticket);
      if (guest !== undefined) this.#refuse(guest);
    }
    for (const cut of this.#cuts) cut();
  }

  #offer(host: Host, request: IncomingMessage, socket: Duplex, head: Buffer, source: string): void {
    const { clock, node } = this.#context;
    const free = host.visits.take("", host.maxInFlight);
    if (free === undefined) {
      refuse(socket, 503, RETRY_SECONDS);
      return this.#tell(host.facts.name, "too-many", source, clock.now());
    }
    const ticket = `${node}.${randomBytes(UPLINK.ticketBytes).toString("base64url")}`;
    const leave = (): void => {
      if (this.#take(ticket) !== undefined) free();
      socket.destroy();
    };
    socket.on("error", leave).once("close", leave);
    const tag = this.#tags.tag(host.facts.name, source, clock.now());
    const opening = Buffer.concat([Buffer.from(headFor(request, tag), "latin1"), head]);
    const since = clock.now();
    const cancel = clock.after(UPLINK.fetchMs, () => this.#giveUp(ticket));
    this.#guests.set(ticket, { host, socket, opening, source, since, cancel, leave, free });
    if (host.cannotFetch || this.#context.isCrowded()) this.#giveUp(ticket);
    else host.offerGuest(ticket);
  }

  /** The guest is not fetched: it goes over the host's line, which is slower and takes one connection less. */
  #giveUp(ticket: string): void {
    const guest = this.#take(ticket);
    if (guest === undefined) return;
    guest.socket.off("close", guest.leave);
    const stream = guest.host.openStream();
    if (stream === undefined) return this.#refuse(guest);
    stream.write(guest.opening);
    const leave = (): void => {
      stream.destroy();
      guest.free();
    };
    guest.socket.once("close", leave);
    stream.once("response", ({ ":status": status }) => {
      guest.socket.off("close", leave);
      stream.off("close", lost);
      if (status === 200) return this.#carry(guest, stream);
      stream.destroy();
      this.#refuse(guest);
    });
    const lost = (): void => {
      guest.socket.off("close", leave);
      if (!guest.socket.destroyed) this.#refuse(guest);
    };
    stream.once("close", lost);
  }

  #refuse({ host, socket, source, since, free }: Guest): void {
    free();
    refuse(socket, 503, RETRY_SECONDS);
    this.#tell(host.facts.name, "no-host", source, since);
  }

  #carry({ host, socket, since, source, free }: Guest, connection: Duplex): void {
    const cut = splice(socket, connection, {
      clock: this.#context.clock,
      throttle: host.throttle,
      onEnd: ({ bytesIn, bytesOut, isWhole }) => {
        free();
        this.#cuts.delete(cut);
        host.count(bytesIn, bytesOut);
        this.#tell(host.facts.name, isWhole ? "done" : "cut", source, since, bytesIn, bytesOut);
      },
    });
    this.#cuts.add(cut);
  }

  #take(ticket: string): Guest | undefined {
    const guest = this.#guests.get(ticket);
    if (guest === undefined) return undefined;
    this.#guests.delete(ticket);
    guest.cancel();
    return guest;
  }

  #tell(name: string, end: VisitEnd, source: string, since: number, bytesIn = 0, bytesOut = 0): void {
    const { events, clock } = this.#context;
    const lastedMs = clock.now() - since;
    events.emit({ type: "connection", kind: "room", name, end, bytesIn, bytesOut, lastedMs, source });
  }
}

function headFor({ url = "", rawHeaders }: IncomingMessage, tag: string): string {
  let text = `GET ${url} HTTP/1.1\r\n`;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    if (isPassed(name.toLowerCase())) text += `${name}: ${rawHeaders[index + 1] ?? ""}\r\n`;
  }
  return `${text}${SOURCE_FIELD}: ${tag}\r\n\r\n`;
}
