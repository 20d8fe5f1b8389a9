import type { Clock } from "../../runtime/clock.ts";
import { BridgeRefusal, type Answered, type Backend, type Call } from "../backend.ts";
import { BRIDGE_LIMITS, type BridgeLimits } from "../protocol/limits.ts";
import { discoverResult, initializeResult, outcomeFor } from "../protocol/adapt.ts";
import { CODE } from "../protocol/frames.ts";
import { ServerPool } from "./pool.ts";
import type { StartServer } from "./stdio-server.ts";

export interface StdioOptions {
  readonly clock: Clock;
  readonly start: StartServer;
  /** `session`: a client of the 2025 era has a copy of its own, from `initialize` on. Later clients have no sessions and share one. */
  readonly copies: "shared" | "session";
  /** A session's name, which cannot be guessed. */
  readonly newSession: () => string;
  readonly limits?: BridgeLimits;
}

/** The one that all share. */
const SHARED = "";

/** A stdio server, whatever its era, for clients of any: openings are answered from its own, and calls are put into its form. */
export class StdioBackend implements Backend {
  readonly #pool: ServerPool;
  readonly #options: StdioOptions;

  constructor(options: StdioOptions) {
    this.#options = options;
    this.#pool = new ServerPool(options.clock, options.limits ?? BRIDGE_LIMITS, options.start);
  }

  /** Starts it, so that one that cannot run is noticed before anybody calls. @throws {TunnelError} mcp-server-* */
  async tryOut(): Promise<void> {
    await this.#pool.start(SHARED).opening;
  }

  async call(call: Call): Promise<Answered> {
    const { era, method, params, signal, onProgress } = call;
    const { name, session } = this.#copyOf(call);
    const server = await this.#pool.get(name);
    const opening = await server.opening;
    switch (method) {
      case "initialize":
        return { outcome: { result: initializeResult(opening, params) }, session };
      case "server/discover":
        return { outcome: outcomeFor(era, method, { result: discoverResult(opening) }) };
      case "ping":
        return { outcome: { result: {} } };
    }
    const outcome = await server.call({ method, params }, { onProgress, signal });
    return { outcome: outcomeFor(era, method, outcome) };
  }

  /** It has been told all that counts: cancellations come with the call, and the rest belongs to a state that is not kept. */
  notify(): Promise<void> {
    return Promise.resolve();
  }

  endSession(session: string): boolean {
    return session !== SHARED && this.#pool.end(session);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  #copyOf({ era, method, session }: Call): { readonly name: string; readonly session: string | undefined } {
    const { copies, newSession } = this.#options;
    if (copies === "shared" || era === "modern") return { name: SHARED, session: undefined };
    if (method === "initialize") {
      const name = newSession();
      return { name, session: name };
    }
    if (session === undefined)
      throw new BridgeRefusal("Mcp-Session-Id is missing", { status: 400, code: CODE.invalidRequest });
    if (session === SHARED || !this.#pool.has(session))
      throw new BridgeRefusal("there is no such session; begin with initialize", {
        status: 404,
        code: CODE.invalidRequest,
      });
    return { name: session, session: undefined };
  }
}
