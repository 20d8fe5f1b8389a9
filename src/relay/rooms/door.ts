import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { SOURCE_FIELD } from "../../uplink/limits.ts";
import type { RelayContext } from "../context.ts";
import type { VisitEnd } from "../events.ts";
import type { Arrivals } from "../hosts/arrivals.ts";
import type { Fetches } from "../hosts/fetches.ts";
import type { Host } from "../hosts/host.ts";
import { passOn } from "../traffic/pass-on.ts";
import { refuse } from "../traffic/refusal.ts";
import { splice } from "../../uplink/line/splice.ts";
import { SourceTags } from "./source-tag.ts";

/** A guest that is on its way to a host. */
interface Guest {
  readonly host: Host;
  readonly socket: Duplex;
  /** What the host's room reads first: the guest's own request, and what came behind it. */
  readonly opening: Buffer;
  readonly source: string;
  readonly since: number;
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
  readonly #fetches: Fetches;
  readonly #tags = new SourceTags();
  readonly #cuts = new Set<() => void>();

  constructor(context: RelayContext, arrivals: Arrivals, fetches: Fetches) {
    this.#context = context;
    this.#arrivals = arrivals;
    this.#fetches = fetches;
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
    } else if (found.kind === "elsewhere") {
      this.passOn(found.connection, request, socket, head, source);
    } else {
      const [status, retry] = found.kind === "unknown" ? [404, undefined] : [503, RETRY_SECONDS];
      refuse(socket, status, retry);
      this.#tell(room, found.kind === "unknown" ? "unknown" : "no-host", source, this.#context.clock.now());
    }
  }

  /** Cuts everybody who is carried. */
  close(): void {
    for (const cut of this.#cuts) cut();
  }

  /** To the node at which the host is. */
  passOn(
    connection: Duplex,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    source: string | undefined,
  ): void {
    passOn(connection, { request, socket, head, source }, this.#context.clock, this.#cuts);
  }

  #offer(host: Host, request: IncomingMessage, socket: Duplex, head: Buffer, source: string): void {
    const { clock } = this.#context;
    const free = host.visits.take("", host.maxInFlight);
    if (free === undefined) {
      refuse(socket, 503, RETRY_SECONDS);
      return this.#tell(host.facts.name, "too-many", source, clock.now());
    }
    const tag = this.#tags.tag(host.facts.name, source, clock.now());
    const opening = Buffer.concat([Buffer.from(headFor(request, tag), "latin1"), head]);
    const guest: Guest = { host, socket, opening, source, since: clock.now(), free };
    socket.on("error", () => socket.destroy());
    if (!this.#fetches.canAsk(host)) return this.#overLine(guest);
    const withdraw = this.#fetches.ask(host, {
      onConnection: (connection, first) => {
        socket.off("close", leave);
        connection.write(opening);
        if (first.length > 0) socket.write(first);
        this.#carry(guest, connection);
      },
      onFailure: (why) => {
        socket.off("close", leave);
        if (why === "local") this.#refuse(guest);
        else this.#overLine(guest);
      },
    });
    const leave = (): void => {
      withdraw();
      free();
    };
    socket.once("close", leave);
  }

  /** The guest is not fetched: it goes over the host's line, which is slower and takes one connection less. */
  #overLine(guest: Guest): void {
    const { host, socket, opening, free } = guest;
    const stream = host.openStream();
    if (stream === undefined) return this.#refuse(guest);
    stream.write(opening);
    const leave = (): void => {
      stream.off("close", lost);
      stream.destroy();
      free();
    };
    const lost = (): void => {
      socket.off("close", leave);
      this.#refuse(guest);
    };
    socket.once("close", leave);
    stream.once("close", lost);
    stream.once("response", ({ ":status": status }) => {
      if (status !== 200) return void stream.destroy();
      socket.off("close", leave);
      stream.off("close", lost);
      this.#carry(guest, stream);
    });
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
        gone();
        this.#cuts.delete(cut);
        host.count(bytesIn, bytesOut);
        this.#tell(host.facts.name, isWhole ? "done" : "cut", source, since, bytesIn, bytesOut);
      },
    });
    this.#cuts.add(cut);
    const gone = host.carry(cut);
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
