import { TunnelError, type ErrorCode } from "../../../src/errors/tunnel-error.ts";
import { cloudflared } from "../../../src/tunnel/cloudflared/declaration.ts";
import type {
  Provider,
  RelayProof,
  Tunnel,
  TunnelHealth,
  TunnelOpener,
} from "../../../src/tunnel/provider.ts";

/** For providers that ask nobody. */
export const NO_PROOF: RelayProof = { path: "/none", answer: "none" };

/** A tunnel that is how the test says it is. */
export class ScriptedTunnel implements Tunnel {
  readonly description = "scripted";
  readonly url: string;
  stops = 0;
  /** Whether being down is told, as it should be; a test may want it to be seen only. */
  isTold = true;
  #health: TunnelHealth = { state: "up" };
  readonly #listeners = new Set<(error: TunnelError) => void>();

  constructor(name: string) {
    this.url = `wss://${name}.example`;
  }

  get isStopped(): boolean {
    return this.stops > 0;
  }

  health(): TunnelHealth {
    return this.#health;
  }

  onDown(listener: (error: TunnelError) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  stop(): Promise<void> {
    this.stops += 1;
    return Promise.resolve();
  }

  up(): void {
    this.#health = { state: "up" };
  }

  degrade(): void {
    this.#health = { state: "degraded", reason: "scripted", sinceMs: 0 };
  }

  /** May be called again: an unruly provider tells twice. */
  down(): void {
    const error = new TunnelError("cloudflared-exited");
    this.#health = { state: "down", error };
    if (this.isTold) for (const listener of this.#listeners) listener(error);
  }
}

interface Request {
  readonly name: string;
  readonly port: number;
  readonly signal: AbortSignal;
  /** Under a name of its own, or under the given one. */
  readonly succeed: (name?: string) => ScriptedTunnel;
  readonly fail: (error: unknown) => void;
}

/** Opens nothing until the test says how each opening ends. A cancelled one fails by itself, unless `isDeaf`. */
export class ScriptedProvider {
  /** Openings that have not ended. */
  readonly pending: Request[] = [];
  readonly tunnels: ScriptedTunnel[] = [];
  requests = 0;
  isDeaf = false;

  readonly provide: TunnelOpener = ({ port, signal }) =>
    new Promise((resolve, reject) => {
      this.requests += 1;
      const name = `t${this.requests}`;
      const end = (): void => void this.pending.splice(this.pending.indexOf(request), 1);
      const request: Request = {
        name,
        port,
        signal,
        succeed: (given = name) => {
          end();
          const tunnel = new ScriptedTunnel(given);
          this.tunnels.push(tunnel);
          resolve(tunnel);
          return tunnel;
        },
        fail: (error) => {
          end();
          reject(error);
        },
      };
      this.pending.push(request);
      if (!this.isDeaf) signal.addEventListener("abort", () => request.fail(new TunnelError("cancelled")));
    });

  /** With the traits of cloudflared. */
  get provider(): Provider {
    return { ...cloudflared, open: this.provide };
  }

  /** The only opening in flight. */
  get request(): Request {
    const [request, ...others] = this.pending;
    if (request === undefined || others.length > 0)
      throw new Error(`${this.pending.length} openings in flight`);
    return request;
  }

  fail(code: ErrorCode): void {
    this.request.fail(new TunnelError(code));
  }
}
