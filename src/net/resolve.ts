import { lookup as systemLookup, type LookupAddress } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { callbackify } from "node:util";
import { TunnelError } from "../errors/tunnel-error.ts";
import { isForbiddenDialAddress } from "./address.ts";
import type { HttpsClient } from "./https.ts";
import { CLOUDFLARE_DOH, createDohResolver, GOOGLE_DOH, type DohResolver } from "./doh.ts";

export interface LookupOptions {
  /** Whether a name that the system resolver cannot resolve may be asked for by DNS-over-HTTPS. */
  readonly doh: boolean;
  readonly system?: (name: string, family: Family) => Promise<LookupAddress[]>;
  readonly resolver?: DohResolver;
  /** Asks by DNS-over-HTTPS, where there is no `resolver`. */
  readonly client?: HttpsClient;
}

type Family = 0 | 4 | 6;

/** Names that no public resolver may learn of, since they only mean something on this machine or network. */
const LOCAL_NAME =
  /(?:^|\.)(?:localhost|local|internal|intranet|lan|home|corp|test|invalid|onion|home\.arpa)$/i;

/**
 * A `lookup` for net.connect, http.request and ws: the system resolver first, then DNS-over-HTTPS. A Quick Tunnel that a
 * system resolver was asked for too early stays unknown to it for half an hour; the fallback is for that.
 *
 * Fails with the system resolver's own error (`ENOTFOUND`, `EAI_AGAIN`) when nothing knows the name, and with
 * TunnelError `link-address` when the name leads only to addresses that are never a tunnel.
 */
export function createLookup(options: LookupOptions): LookupFunction {
  const system = options.system ?? systemAddresses;
  const resolver =
    options.resolver ??
    createDohResolver({
      servers: alternated(CLOUDFLARE_DOH, GOOGLE_DOH),
      negativeIsFinal: false,
      ...(options.client === undefined ? {} : { client: options.client }),
    });

  async function resolve(name: string, family: Family): Promise<LookupAddress[]> {
    try {
      return await system(name, family);
    } catch (systemError) {
      if (!options.doh || !isPublicName(name)) throw systemError;
      const found = await resolveByDoh(resolver, name, family);
      if (found.length === 0) throw systemError;
      return found;
    }
  }

  async function resolveAllowed(name: string, family: Family): Promise<[LookupAddress, ...LookupAddress[]]> {
    const literal = isIP(name);
    return allowed(literal === 0 ? await resolve(name, family) : [{ address: name, family: literal }]);
  }

  const withCallback = callbackify(resolveAllowed);
  return (name, { all, family }, callback) => {
    withCallback(name, familyNumber(family), (error: Error | null, found) => {
      if (error !== null) callback(error, "");
      else if (all === true) callback(null, found);
      else callback(null, found[0].address, found[0].family);
    });
  };
}

function systemAddresses(name: string, family: Family): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(name, { all: true, family }, (error, found) =>
      error === null ? resolve(found) : reject(error),
    );
  });
}

/** The addresses that may be dialled, at least one. Guards against a public name that is made to point inside. */
function allowed(found: readonly LookupAddress[]): [LookupAddress, ...LookupAddress[]] {
  const [first, ...rest] = found.filter(({ address }) => !isForbiddenDialAddress(address));
  if (first === undefined)
    throw new TunnelError("link-address", { detail: "its name resolves to such an address" });
  return [first, ...rest];
}

async function resolveByDoh(resolver: DohResolver, name: string, family: Family): Promise<LookupAddress[]> {
  const families: readonly (4 | 6)[] = family === 0 ? [4, 6] : [family];
  const signal = new AbortController().signal;
  const settled = await Promise.allSettled(
    families.map(async (one) =>
      (await resolver(name, one, signal)).map((address) => ({ address, family: one })),
    ),
  );
  return settled.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
}

function isPublicName(name: string): boolean {
  const bare = name.replace(/\.$/, "");
  return bare.includes(".") && !LOCAL_NAME.test(bare);
}

function familyNumber(family: number | "IPv4" | "IPv6" | undefined): Family {
  if (family === 4 || family === "IPv4") return 4;
  return family === 6 || family === "IPv6" ? 6 : 0;
}

/** One of each operator in turn, so that one operator's outage costs one step. */
function alternated<T>(left: readonly T[], right: readonly T[]): T[] {
  return left.flatMap((one, index) => [one, ...right.slice(index, index + 1)]);
}
