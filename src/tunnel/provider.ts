import type { TunnelError } from "../errors/tunnel-error.ts";

/** What is known of the public address, measured and not assumed. */
export type TunnelHealth =
  | { readonly state: "up" }
  | { readonly state: "degraded"; readonly reason: string; readonly sinceMs: number }
  | { readonly state: "down"; readonly error: TunnelError };

/** A public URL for a local port. A provider knows nothing of rooms. */
export interface Tunnel {
  readonly provider: "cloudflared" | "direct";
  /** Origin without a path or trailing slash, e.g. `wss://a-b-c.trycloudflare.com` or `ws://127.0.0.1:4000`. */
  readonly url: string;
  /** One line on what carries it, e.g. the program's version and where it was found; safe to show. */
  readonly description: string;
  health(): TunnelHealth;
  /** Called at most once, when the address is lost for good; the returned function unsubscribes. */
  onDown(listener: (error: TunnelError) => void): () => void;
  /** Resolves when nothing is left running. Idempotent. */
  stop(): Promise<void>;
}

/** A step of a long opening, for progress notifications: `fraction` is 0 to 1 when known. */
export interface TunnelProgress {
  readonly message: string;
  readonly fraction?: number;
}

export interface TunnelRequest {
  /** The local TCP port the tunnel leads to; it listens on the loopback address already. */
  readonly port: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: TunnelProgress) => void;
}

/** Opens a public address. Rejects with a TunnelError whose code names the known failure. */
export type TunnelProvider = (request: TunnelRequest) => Promise<Tunnel>;
