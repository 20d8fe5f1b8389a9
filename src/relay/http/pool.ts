import { Agent } from "node:http";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { Clock } from "../../runtime/clock.ts";
import type { Fetches } from "../hosts/fetches.ts";
import type { Host } from "../hosts/host.ts";

/** A gateway keeps an idle connection for longer, so that no request meets its close. */
const IDLE_MS = 30_000;
const MAX_IDLE = 32;
/** Connections that the host has been asked for and that have not come. */
const MAX_ASKED = 4;
/** One that has come and that no request wants. */
const SPARE_MS = IDLE_MS;

/**
 * Connections to one host's gateway, each used for one request after the other. The first request takes a stream of the host's line,
 * which is there at once; meanwhile the host is asked for a connection of its own, which costs far less for each request that follows.
 */
export class HostPool extends Agent {
  readonly #host: Host;
  readonly #fetches: Fetches;
  readonly #clock: Clock;
  readonly #spares = new Set<Socket>();
  #asked = 0;

  constructor(host: Host, fetches: Fetches, clock: Clock) {
    super({ keepAlive: true, maxFreeSockets: MAX_IDLE, timeout: IDLE_MS, scheduling: "lifo" });
    this.#host = host;
    this.#fetches = fetches;
    this.#clock = clock;
  }

  override createConnection(
    _options: object,
    onFailure: (error: Error | null, stream: Duplex) => void,
  ): Duplex | undefined {
    for (const spare of this.#spares) {
      this.#spares.delete(spare);
      if (!spare.destroyed && spare.writable) return spare;
    }
    this.#ask();
    const stream = this.#host.openStream();
    if (stream === undefined) {
      // Never thrown: a request of a stranger would end the relay.
      onFailure(new Error("the host's line is gone"), NO_STREAM);
      return undefined;
    }
    stream.once("response", ({ ":status": status }) => {
      if (status !== 200) stream.destroy();
    });
    // Node's agent asks a socket for these; a stream holds no process open, and its line is pinged.
    return Object.assign(stream, { ref: nothing, unref: nothing, setKeepAlive: nothing });
  }

  /** A stream makes place for a connection, where one can be had. */
  override keepSocketAlive(connection: Duplex): boolean {
    if (this.#spares.size > 0 && !("remoteAddress" in connection)) return false;
    // It says by `false` that the gateway is about to close it, whatever its types say.
    const isKept: unknown = super.keepSocketAlive(connection);
    return isKept !== false;
  }

  #ask(): void {
    if (this.#asked >= MAX_ASKED || !this.#fetches.canAsk(this.#host)) return;
    this.#asked += 1;
    this.#fetches.ask(this.#host, {
      onConnection: (connection) => {
        this.#asked -= 1;
        this.#spares.add(connection);
        const stop = this.#clock.after(SPARE_MS, () => {
          if (this.#spares.delete(connection)) connection.destroy();
        });
        connection.once("close", () => {
          stop();
          this.#spares.delete(connection);
        });
      },
      onFailure: () => void (this.#asked -= 1),
    });
  }
}

/** Goes with an error, and is not used. */
const NO_STREAM = new Duplex();
const nothing = (): void => undefined;
