import { hash } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import { ipLiteral } from "../../net/address.ts";
import { splice } from "../../uplink/line/splice.ts";
import { nameOfKey } from "../claims/proof.ts";
import type { PortRange } from "../config/kinds.ts";
import type { RelayContext } from "../context.ts";
import type { VisitEnd } from "../events.ts";
import type { Arrivals } from "../hosts/arrivals.ts";
import type { PortKeeper } from "../hosts/registrar.ts";
import { Counts } from "../limits/counts.ts";
import { sourceOf } from "../rooms/source-tag.ts";

interface Lease {
  readonly port: number;
  readonly name: string;
  /** Lines of the same key: while one takes the place of another there are two. */
  lines: number;
  readonly server: Server;
}

/** TCP services: each has a port of its own, and every connection to it is a stream to its host. */
export class TcpPorts implements PortKeeper {
  readonly #context: RelayContext;
  readonly #arrivals: Arrivals;
  readonly #range: PortRange;
  readonly #bind: string;
  readonly #byPort = new Map<number, Lease>();
  readonly #perSource = new Counts();
  readonly #cuts = new Set<() => void>();

  constructor(context: RelayContext, arrivals: Arrivals, range: PortRange, bind: string) {
    this.#context = context;
    this.#arrivals = arrivals;
    this.#range = range;
    this.#bind = bind;
  }

  /** Connections that are being carried. */
  get size(): number {
    return this.#cuts.size;
  }

  async lease(key: string): Promise<{ readonly port: number; readonly free: () => void } | undefined> {
    const name = nameOfKey(key);
    const own = [...this.#byPort.values()].find((one) => one.name === name);
    const lease = own ?? (await this.#open(name, key));
    if (lease === undefined) return undefined;
    lease.lines += 1;
    return { port: lease.port, free: () => this.#free(lease) };
  }

  close(): void {
    for (const { server } of this.#byPort.values()) server.close();
    this.#byPort.clear();
    for (const cut of this.#cuts) cut();
  }

  /** A key finds its own port again where it can: the search begins at a place that is made of the key. */
  async #open(name: string, key: string): Promise<Lease | undefined> {
    const { first, last } = this.#range;
    const count = last - first + 1;
    const start = Number.parseInt(hash("sha256", key, "hex").slice(0, 8), 16) % count;
    for (let step = 0; step < count; step += 1) {
      const port = first + ((start + step) % count);
      if (this.#byPort.has(port)) continue;
      const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) =>
        this.#visit(name, socket),
      );
      const lease: Lease = { port, name, lines: 0, server };
      this.#byPort.set(port, lease);
      if (await this.#listens(server, port)) return lease;
      this.#byPort.delete(port);
    }
    return undefined;
  }

  /** False where another program of the machine has the port. */
  #listens(server: Server, port: number): Promise<boolean> {
    return new Promise((resolve) => {
      server.once("error", () => resolve(false));
      server.listen({ host: this.#bind, port, exclusive: true }, () => {
        // Out of descriptors, say: one connection less.
        server.on("error", () => undefined);
        resolve(true);
      });
    });
  }

  #free(lease: Lease): void {
    lease.lines -= 1;
    if (lease.lines > 0 || this.#byPort.get(lease.port) !== lease) return;
    this.#byPort.delete(lease.port);
    lease.server.close();
  }

  #visit(name: string, socket: Socket): void {
    const { clock, events, limits } = this.#context;
    const since = clock.now();
    const source = ipLiteral(socket.remoteAddress ?? "") ?? "unknown";
    socket.on("error", () => socket.destroy());
    const tell = (end: VisitEnd, bytesIn = 0, bytesOut = 0): void => {
      const lastedMs = clock.now() - since;
      events.emit({ type: "connection", kind: "tcp", name, end, bytesIn, bytesOut, lastedMs, source });
    };
    const refuse = (end: VisitEnd): void => {
      socket.resetAndDestroy();
      tell(end);
    };
    const ofSource = this.#perSource.take(sourceOf(source), limits.connectionsPerSource);
    if (ofSource === undefined) return refuse("too-many");
    socket.once("close", ofSource);
    const host = this.#arrivals.now({ kind: "tcp", name });
    const free = host?.visits.take("", host.maxInFlight);
    if (host === undefined || free === undefined) return refuse(host === undefined ? "no-host" : "too-many");
    const stream = host.openStream();
    if (stream === undefined) {
      free();
      return refuse("no-host");
    }
    let isRefused = false;
    stream.once("response", ({ ":status": status }) => {
      isRefused = status !== 200;
      // Nobody listens behind it: the visitor sees that as it would see it there.
      if (isRefused) socket.resetAndDestroy();
    });
    const cut = splice(socket, stream, {
      clock,
      throttle: host.throttle,
      onEnd: ({ bytesIn, bytesOut, isWhole }) => {
        free();
        gone();
        this.#cuts.delete(cut);
        host.count(bytesIn, bytesOut);
        tell(isRefused ? "no-host" : isWhole ? "done" : "cut", bytesIn, bytesOut);
      },
    });
    this.#cuts.add(cut);
    const gone = host.carry(cut);
  }
}
