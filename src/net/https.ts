import { request } from "node:https";
import type { LookupFunction } from "node:net";
import type { SecureContext } from "node:tls";
import { must } from "../errors/must.ts";
import { NO_PROXIES, type ProxyAgents } from "./proxy.ts";
import type { Trust } from "./trust.ts";

export interface HttpsGet {
  readonly url: URL;
  /** GET when absent. A POST has no body. */
  readonly method?: "GET" | "POST";
  /** Dial this IP literal instead of resolving the URL's name; TLS and the Host header still use the name. */
  readonly address?: string;
  /** Resolves the URL's name; the system resolver when absent. Not used together with `address`. */
  readonly lookup?: LookupFunction;
  readonly accept?: string;
  /** Extra trust anchor, for tests. */
  readonly ca?: string;
  readonly port?: number;
  readonly signal: AbortSignal;
}

export interface HttpsResponse {
  readonly status: number;
  readonly location: string | undefined;
  /** Content-Type as it was sent; left out where a client does not tell it. */
  readonly type?: string | undefined;
  /** Content-Length in bytes, when the server told one. */
  readonly length: number | undefined;
  readonly body: AsyncIterable<Uint8Array>;
  /** Drops the connection; needed when `body` is not read to its end. */
  discard(): void;
}

/** One request over TLS, redirects not followed. Rejects when no response begins; the body may still fail while read. */
export type HttpsClient = (get: HttpsGet) => Promise<HttpsResponse>;

export interface HttpsOptions {
  readonly proxies: ProxyAgents;
  /** Node's own list of certificates when absent. */
  readonly trust?: Trust;
}

export const createHttpsClient =
  ({ proxies, trust }: HttpsOptions): HttpsClient =>
  (get) =>
    new Promise((resolve, reject) => {
      if (get.url.protocol !== "https:") return reject(new Error("not an https URL"));
      const agent = proxies(get.url);
      // A proxy resolves names itself: this machine may be unable to, and a proxy may refuse bare addresses.
      const host = agent === undefined ? (get.address ?? get.url.hostname) : get.url.hostname;
      const outgoing = request({
        host,
        port: get.port ?? (get.url.port === "" ? 443 : Number(get.url.port)),
        method: get.method ?? "GET",
        servername: get.url.hostname,
        path: `${get.url.pathname}${get.url.search}`,
        headers: { host: get.url.host, accept: get.accept ?? "*/*", "user-agent": "tunnel-mcp" },
        agent: agent ?? false,
        signal: get.signal,
        ...(get.lookup === undefined ? {} : { lookup: get.lookup }),
        ...(get.ca === undefined ? trusted(trust) : { ca: get.ca }),
      });
      outgoing.once("error", reject);
      outgoing.once("response", (incoming) => {
        const length = Number(incoming.headers["content-length"] ?? Number.NaN);
        resolve({
          status: must(incoming.statusCode, "the status of a response"),
          location: incoming.headers.location,
          type: incoming.headers["content-type"],
          length: Number.isSafeInteger(length) ? length : undefined,
          body: incoming,
          discard: () => incoming.destroy(),
        });
      });
      outgoing.end();
    });

function trusted(trust: Trust | undefined): { secureContext?: SecureContext } {
  return trust === undefined ? {} : { secureContext: trust() };
}

/** Without a proxy and with Node's own certificates. */
export const httpsClient = createHttpsClient({ proxies: NO_PROXIES });

/** The whole body, or a rejection once it exceeds `maxBytes`. */
export async function readBounded(response: HttpsResponse, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body) {
      size += chunk.length;
      if (size > maxBytes) throw new Error(`response over ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } finally {
    response.discard();
  }
  return Buffer.concat(chunks);
}
