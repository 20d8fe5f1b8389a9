import { request } from "node:http";
import type { LookupFunction } from "node:net";
import { must } from "../errors/must.ts";
import type { DohResolver } from "./doh.ts";
import type { HttpsClient, HttpsGet, HttpsResponse } from "./https.ts";

/** One request to a public address, redirects not followed. Undefined where its name has no address yet. */
export type Visit = (
  request: Pick<HttpsGet, "url" | "signal" | "method" | "accept">,
) => Promise<HttpsResponse | undefined>;

export interface VisitorOptions {
  readonly client: HttpsClient;
  /** DNS-over-HTTPS; undefined when it is switched off. */
  readonly resolver: DohResolver | undefined;
}

/** Visits addresses that are new: their names are asked for by DNS-over-HTTPS. */
export function visitor({ client, resolver }: VisitorOptions): Visit {
  return async (visit) => {
    const { url, signal } = visit;
    if (url.protocol === "http:") return plainVisit(visit);
    const addresses = await addressesOf(url.hostname, resolver, signal);
    if (addresses === undefined) return client(visit);
    const [address] = addresses;
    return address === undefined ? undefined : client({ ...visit, address });
  };
}

/**
 * The addresses of a name by DNS-over-HTTPS, for a system resolver that is asked too early may remember for half an hour
 * that there is no such name. Undefined when the system is to be asked: there is no name, or no such server answers.
 */
export async function addressesOf(
  hostname: string,
  resolver: DohResolver | undefined,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  if (isThisMachine(hostname)) return ["127.0.0.1"];
  if (resolver === undefined || !hostname.includes(".") || /^\[|^[\d.]+$/.test(hostname)) return undefined;
  return resolver(hostname, 4, signal).catch(() => undefined);
}

/** RFC 6761 §6.3: all names below `localhost` are this machine; not every resolver of a system knows it. */
const isThisMachine = (hostname: string): boolean => hostname.endsWith(".localhost");

const toThisMachine: LookupFunction = (_name, { all }, callback) => {
  if (all === true) callback(null, [{ address: "127.0.0.1", family: 4 }]);
  else callback(null, "127.0.0.1", 4);
};

/** HTTP without TLS: only for loopback addresses, and for those that a user has bound or named without TLS. */
function plainVisit({ url, signal, method = "GET", accept }: Parameters<Visit>[0]): Promise<HttpsResponse> {
  return new Promise((resolve, reject) => {
    const headers = { "user-agent": "tunnel-mcp", accept: accept ?? "*/*" };
    const lookup = isThisMachine(url.hostname) ? { lookup: toThisMachine } : {};
    const outgoing = request(url, { agent: false, signal, method, headers, ...lookup });
    outgoing.once("error", reject);
    outgoing.once("response", (response) =>
      resolve({
        status: must(response.statusCode, "the status of a response"),
        location: undefined,
        length: undefined,
        body: response,
        discard: () => response.destroy(),
      }),
    );
    outgoing.end();
  });
}
