import { lookup as systemLookup, type LookupAddress } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { callbackify } from "node:util";
import type { Clock } from "../runtime/clock.ts";
import { addressKind, ipLiteral } from "./address.ts";
import { deadline, orAborted } from "./deadline.ts";
import { readBounded, type HttpsClient } from "./https.ts";

export interface PublicDocument {
  readonly status: number;
  /** Content-Type as it was sent. */
  readonly type: string | undefined;
  readonly body: Uint8Array;
}

/**
 * One GET of a URL that a stranger has named. Only public addresses are dialled, redirects are not followed, and size and time
 * are bounded. Rejects where nothing whole has come.
 */
export type PublicGet = (url: URL, signal: AbortSignal) => Promise<PublicDocument>;

export interface PublicGetOptions {
  /** Without a proxy: that one would resolve the name anew, to wherever it then leads. */
  readonly client: HttpsClient;
  readonly clock: Clock;
  readonly maxBytes: number;
  /** From the first step to the last byte. */
  readonly timeoutMs: number;
  readonly accept: string;
  readonly resolve?: (name: string) => Promise<readonly LookupAddress[]>;
}

export function createPublicGet(options: PublicGetOptions): PublicGet {
  const { client, clock, maxBytes, timeoutMs, accept, resolve = systemAddresses } = options;
  const lookup = publicLookup(resolve);
  return async (url, outer) => {
    // No name is looked up for an address, so none would be judged.
    if (ipLiteral(url.hostname) !== undefined) throw new Error("an address, not a name");
    const limit = deadline(clock, timeoutMs, outer);
    const { signal } = limit;
    try {
      const response = await orAborted(signal, client({ url, lookup, accept, signal }));
      const { status, type } = response;
      return { status, type, body: await orAborted(signal, readBounded(response, maxBytes)) };
    } finally {
      limit.clear();
    }
  };
}

/** The address that was judged is the one that is dialled: a name that is made to change in between changes nothing. */
function publicLookup(resolve: NonNullable<PublicGetOptions["resolve"]>): LookupFunction {
  const withCallback = callbackify(async (name: string) => {
    const found = [...(await resolve(name))];
    const [first] = found;
    if (first === undefined || !found.every(({ address }) => isPublicAddress(address)))
      throw new Error("not a public address");
    return { first, found };
  });
  return (name, { all }, callback) => {
    withCallback(name, (error, result) => {
      if (error !== null) callback(error, "");
      else if (all === true) callback(null, result.found);
      else callback(null, result.first.address, result.first.family);
    });
  };
}

function systemAddresses(name: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(name, { all: true }, (error, found) => (error === null ? resolve(found) : reject(error)));
  });
}

/** Ranges of no public host beside those of {@link addressKind} (IANA special-purpose registries, RFC 6890). */
const SPECIAL: readonly (readonly [address: string, prefix: number])[] = [
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["240.0.0.0", 4],
  ["192.88.99.0", 24],
  // Documentation, discard, Teredo, 6to4, site-local, and IPv4-compatible addresses: a tunnel may lead inside by them.
  ["2001::", 23],
  ["2001:db8::", 32],
  ["100::", 64],
  ["2002::", 16],
  ["fec0::", 10],
  ["64:ff9b:1::", 48],
  ["::", 96],
];

let special: BlockList | undefined;

/** Whether an IP literal is one that hosts of the internet have. */
export function isPublicAddress(host: string): boolean {
  const literal = ipLiteral(host);
  if (literal === undefined) return false;
  const address = embedded(literal) ?? literal;
  special ??= listOf(SPECIAL);
  return addressKind(address) === "public" && !special.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}

/** The IPv4 address in one of NAT64 (RFC 6052 §2.1): networks without IPv4 reach all of it so. */
function embedded(address: string): string | undefined {
  const match = /^64:ff9b::(?:(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,4}))?$/.exec(address);
  if (match === null) return undefined;
  const halves = [match[1] ?? "0", match[2] ?? "0"].map((group) => Number.parseInt(group, 16));
  return halves.flatMap((half) => [half >> 8, half & 255]).join(".");
}

function listOf(ranges: typeof SPECIAL): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of ranges)
    list.addSubnet(address, prefix, isIP(address) === 6 ? "ipv6" : "ipv4");
  return list;
}
