import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { must } from "../../errors/must.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Passage, PassageStats } from "../passage.ts";
import type { TcpTarget } from "../target/dial.ts";

/** Times in ms. */
interface TcpLimits {
  /** At a time; one more is closed. */
  readonly connections: number;
  /** Until a connection to the service stands. */
  readonly dialMs: number;
  /** A dead peer is found out by probes of the system. */
  readonly keepAliveMs: number;
  /** Once one side has ended, for the other without a byte: a visitor who is gone looks like one who has only said all. */
  readonly halfOpenMs: number;
  /** For a visitor of the proof to take its word and go. */
  readonly proofMs: number;
}

export const TCP_LIMITS: TcpLimits = {
  connections: 512,
  dialMs: 10_000,
  keepAliveMs: 30_000,
  halfOpenMs: 300_000,
  proofMs: 5_000,
};

export interface TcpPassageOptions {
  readonly target: TcpTarget;
  /** Said to each connection until the address is published, which proves that the address leads here. */
  readonly word: string;
  readonly clock: Clock;
  readonly limits?: Partial<TcpLimits>;
  readonly onNews?: (news: { readonly kind: "unreachable" | "back" }) => void;
}

/**
 * Connections from a public address to a TCP service, byte for byte. Nobody can be asked for a credential, since nothing is known of the
 * protocol: whoever reaches the port reaches the service.
 * @throws {TunnelError} bind-failed
 */
export async function openTcpPassage(options: TcpPassageOptions): Promise<Passage> {
  const passage = new TcpPassage(options);
  await passage.listen();
  return passage;
}

type State = "proving" | "open" | "over";

class TcpPassage implements Passage {
  readonly #options: TcpPassageOptions;
  readonly #limits: TcpLimits;
  readonly #server: Server;
  #port = 0;
  readonly #visitors = new Set<Socket>();
  #state: State = "proving";
  #isReachable = true;
  #requests = 0;
  #refused = 0;
  #closedIn = 0;
  #closedOut = 0;
  #lastRequestMs: number | undefined;

  constructor(options: TcpPassageOptions) {
    this.#options = options;
    this.#limits = { ...TCP_LIMITS, ...options.limits };
    // Its first bytes wait until the service is dialled.
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (visitor) => {
      void this.#take(visitor);
    });
  }

  async listen(): Promise<void> {
    this.#server.listen({ host: "127.0.0.1", port: 0 });
    try {
      await once(this.#server, "listening");
    } catch (cause) {
      throw new TunnelError("bind-failed", { cause });
    }
    const address = this.#server.address();
    this.#port = must(typeof address === "object" ? address?.port : undefined, "the port of a passage");
  }

  get port(): number {
    return this.#port;
  }

  get stats(): PassageStats {
    const open = [...this.#visitors];
    return {
      requests: this.#requests,
      refused: this.#refused,
      open: open.length,
      bytesIn: open.reduce((sum, { bytesRead }) => sum + bytesRead, this.#closedIn),
      bytesOut: open.reduce((sum, { bytesWritten }) => sum + bytesWritten, this.#closedOut),
      lastRequestMs: this.#lastRequestMs,
    };
  }

  publish(): void {
    if (this.#state === "proving") this.#state = "open";
  }

  /** Visitors are not told apart. */
  cut(): void {
    return undefined;
  }

  expire(): void {
    this.#state = "over";
    for (const visitor of this.#visitors) visitor.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.expire();
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  async #take(visitor: Socket): Promise<void> {
    visitor.on("error", () => visitor.destroy());
    if (this.#state === "proving") return this.#prove(visitor);
    if (this.#state === "over" || this.#visitors.size >= this.#limits.connections) {
      this.#refused += 1;
      visitor.resetAndDestroy();
      return;
    }
    this.#requests += 1;
    this.#lastRequestMs = this.#options.clock.now();
    this.#visitors.add(visitor);
    visitor.once("close", () => {
      this.#visitors.delete(visitor);
      this.#closedIn += visitor.bytesRead;
      this.#closedOut += visitor.bytesWritten;
    });
    const service = await this.#options.target.dial();
    this.#reached(service !== undefined);
    if (service === undefined || visitor.destroyed) {
      service?.destroy();
      visitor.resetAndDestroy();
      return;
    }
    this.#join(visitor, service);
  }

  /** Each direction ends for itself; a cut of one side is a cut of the other, so that no program takes it for an end. */
  #join(visitor: Socket, service: Socket): void {
    for (const [one, other] of [
      [visitor, service],
      [service, visitor],
    ] as const) {
      one.setNoDelay(true);
      one.setKeepAlive(true, this.#limits.keepAliveMs);
      one.once("close", () => {
        if (!one.readableEnded || !one.writableFinished) other.resetAndDestroy();
      });
      one.once("end", () => other.setTimeout(this.#limits.halfOpenMs, () => other.resetAndDestroy()));
      one.pipe(other);
    }
  }

  #prove(visitor: Socket): void {
    const stop = this.#options.clock.after(this.#limits.proofMs, () => visitor.destroy());
    visitor.once("close", stop);
    visitor.once("end", () => visitor.destroy());
    visitor.resume();
    visitor.end(this.#options.word);
  }

  /** Told once for each change. */
  #reached(isReachable: boolean): void {
    if (this.#isReachable === isReachable) return;
    this.#isReachable = isReachable;
    this.#options.onNews?.({ kind: isReachable ? "back" : "unreachable" });
  }
}
