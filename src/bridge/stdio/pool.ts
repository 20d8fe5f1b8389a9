import { asTunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { BridgeRefusal } from "../backend.ts";
import type { BridgeLimits } from "../protocol/limits.ts";
import { StdioServer, type StartServer } from "./stdio-server.ts";

interface Kept {
  readonly server: StdioServer;
  readonly startedAt: number;
  usedAt: number;
  cancelTimer: () => void;
}

/** The running copies of one stdio server: one that all share, under no name, or one for each session. */
export class ServerPool {
  readonly #clock: Clock;
  readonly #limits: BridgeLimits;
  readonly #start: StartServer;
  readonly #kept = new Map<string, Kept>();
  /** Those that were replaced, and have calls that wait. */
  readonly #retired = new Set<Kept>();
  /** Those that are being ended. */
  readonly #ending = new Set<Promise<void>>();
  readonly #starts: number[] = [];
  #isClosed = false;

  constructor(clock: Clock, limits: BridgeLimits, start: StartServer) {
    this.#clock = clock;
    this.#limits = limits;
    this.#start = start;
  }

  get size(): number {
    return this.#kept.size;
  }

  has(name: string): boolean {
    return this.#kept.get(name)?.server.isOver === false;
  }

  /**
   * The server of this name, which is started where it does not run, and has opened.
   * @throws {BridgeRefusal} where it cannot be started, or was too often
   */
  async get(name: string): Promise<StdioServer> {
    const server = this.start(name);
    try {
      await server.opening;
    } catch (thrown) {
      throw new BridgeRefusal(asTunnelError(thrown).message);
    }
    return server;
  }

  /** The server of this name, which may not have opened yet. @throws {BridgeRefusal} as {@link get} */
  start(name: string): StdioServer {
    const kept = this.#running(name) ?? this.#begin(name);
    kept.usedAt = this.#clock.now();
    return kept.server;
  }

  /** @returns false where there is none */
  end(name: string): boolean {
    const kept = this.#kept.get(name);
    if (kept === undefined) return false;
    this.#retire(name, kept);
    return true;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const kept of [...this.#kept.values(), ...this.#retired]) void this.#stop(kept);
    this.#kept.clear();
    await Promise.all(this.#ending);
  }

  /** One that is old takes no new calls: it is replaced, and ends with its last one. */
  #running(name: string): Kept | undefined {
    const kept = this.#kept.get(name);
    if (kept === undefined || kept.server.isOver) return undefined;
    if (this.#clock.now() - kept.startedAt < this.#limits.lifeMs) return kept;
    this.#kept.delete(name);
    this.#lastCalls(kept);
    return undefined;
  }

  #begin(name: string): Kept {
    if (this.#isClosed) throw new BridgeRefusal("the MCP server is no longer offered", { status: 503 });
    const now = this.#clock.now();
    const { starts, startsMs, sessions } = this.#limits;
    while ((this.#starts[0] ?? now) <= now - startsMs) this.#starts.shift();
    const isSession = name !== "";
    if (isSession && this.#kept.size >= sessions)
      throw new BridgeRefusal("too many sessions; end one first", { status: 503 });
    // Sessions are begun by clients, and each is the first of its name: a server that keeps ending is one that is started again.
    if (!isSession && this.#starts.length >= starts)
      throw new BridgeRefusal("the MCP server keeps ending; call again in a minute", { status: 503 });
    if (!isSession) this.#starts.push(now);
    const server = new StdioServer(this.#clock, this.#limits, this.#start);
    const kept: Kept = { server, startedAt: now, usedAt: now, cancelTimer: () => undefined };
    this.#kept.set(name, kept);
    this.#watch(name, kept);
    void server.ended.then(() => this.#forget(name, kept));
    return kept;
  }

  /** Ends it when nobody has called it for long enough. */
  #watch(name: string, kept: Kept): void {
    const { idleMs } = this.#limits;
    const isUsed = kept.server.waiting > 0;
    const left = isUsed ? idleMs : kept.usedAt + idleMs - this.#clock.now();
    if (left <= 0) return this.#retire(name, kept);
    kept.cancelTimer = this.#clock.after(left, () => this.#watch(name, kept));
  }

  #lastCalls(kept: Kept): void {
    kept.cancelTimer();
    this.#retired.add(kept);
    const look = (): void => {
      if (kept.server.waiting === 0) void this.#stop(kept);
      else kept.cancelTimer = this.#clock.after(this.#limits.keepAliveMs, look);
    };
    look();
  }

  #retire(name: string, kept: Kept): void {
    if (this.#kept.get(name) === kept) this.#kept.delete(name);
    void this.#stop(kept);
  }

  #stop(kept: Kept): Promise<void> {
    kept.cancelTimer();
    this.#retired.delete(kept);
    const ending = kept.server.stop();
    this.#ending.add(ending);
    return ending.finally(() => this.#ending.delete(ending));
  }

  #forget(name: string, kept: Kept): void {
    kept.cancelTimer();
    this.#retired.delete(kept);
    if (this.#kept.get(name) === kept) this.#kept.delete(name);
  }
}
