/** A service of this machine that a relay leads the world to. */
export interface ExposeOptions {
  /** TCP port on this machine on which the service listens: HTTP/1.1, with WebSockets and streams. */
  readonly port: number;
  /** Address of the relay: `https://HOST`, or `http://` on this machine and on private addresses. */
  readonly relay: string | URL;
  /** Token for the relay. It goes to the relay and nowhere else. */
  readonly token?: string | undefined;
  /** Label in front of the relay's domain. Without one the relay gives a random one, the same whenever this folder exposes this port. */
  readonly subdomain?: string | undefined;
  /** Closes it, like `close()`. */
  readonly signal?: AbortSignal | undefined;
  /** The address leads here: at first, and again after each interruption. */
  readonly onConnected?: ((url: string) => void) | undefined;
  /**
   * The address leads here no more. With `willReconnect` it comes back by itself; without it somebody has to do something first, and
   * it is over.
   */
  readonly onDisconnected?:
    ((error: ExposeError, about: { readonly willReconnect: boolean }) => void) | undefined;
  /** Another process with the same key has taken the address. It is over here, or the two would go on for ever. */
  readonly onEvicted?: (() => void) | undefined;
}

/** An address that leads to the service. */
export interface Exposed {
  /** Origin without a trailing slash. A relay that keeps no names may give another one after its restart. */
  readonly url: string;
  /** Gives the address back. Resolves when nothing is left running. May be called again. */
  close(): Promise<void>;
}

/** An error with a stable code, and the next step in words. */
export interface ExposeError extends Error {
  /** Such as `relay-token`, `relay-name`, `relay-unreachable`, `relay-untrusted`, `relay-busy`, `cancelled`. */
  readonly code: string;
  /** The next step for a person. */
  readonly nextForPerson: string;
  /** Whether the same call may work later. */
  readonly retryable: boolean;
}

/**
 * Makes a local HTTP service reachable at a relay, and keeps it reachable until it is closed.
 *
 * The address is open to anybody who knows it: the service has to check its visitors itself. It sees `X-Forwarded-For`, `-Proto` and
 * `-Host`. Resolves with the first registration, and rejects with an {@link ExposeError} where that fails for good or for 12 seconds.
 */
export type Expose = (options: ExposeOptions) => Promise<Exposed>;
