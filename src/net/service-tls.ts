import { isIP } from "node:net";
import type { SecureContext } from "node:tls";
import { addressKind } from "./address.ts";
import type { Trust } from "./trust.ts";

/** A service that is dialled by a checked address and proves itself by the name that it is known by. */
interface Dialled {
  /** IP literal, without brackets. */
  readonly address: string;
  /** Its authority: a name or an address, and perhaps a port. */
  readonly host: string;
  /** Certificates that it needs on another machine; Node's own when absent. */
  readonly trust?: Trust | undefined;
}

/**
 * How a service proves who it is. On this machine it may have signed its certificate itself: nobody else can stand at a loopback
 * address.
 */
export function serviceTls({ address, host, trust }: Dialled): {
  servername: string;
  rejectUnauthorized: boolean;
  secureContext?: SecureContext;
} {
  const isLocal = addressKind(address) === "loopback";
  return {
    servername: serverName(host),
    rejectUnauthorized: !isLocal,
    ...(isLocal || trust === undefined ? {} : { secureContext: trust() }),
  };
}

/** The name in an authority; an address is none (RFC 6066 §3). */
export function serverName(authority: string): string {
  const name = authority.replace(/:\d+$/, "");
  return isIP(name.replace(/^\[|\]$/g, "")) === 0 ? name : "";
}
