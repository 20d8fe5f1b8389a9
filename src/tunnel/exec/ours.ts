import { get } from "node:http";
import { must } from "../../errors/must.ts";
import type { Clock } from "../../runtime/clock.ts";
import { deadline, orAborted } from "../../net/deadline.ts";
import type { DohResolver } from "../../net/doh.ts";
import { readBounded, type HttpsClient, type HttpsGet, type HttpsResponse } from "../../net/https.ts";
import type { RelayProof } from "../provider.ts";

/** The server behind a URL: our relay, something else that answers, or nothing. */
export type Answer = "ours" | "other" | "none";

/** Asks a URL for the proof that it leads to our relay. Never rejects; `none` when the signal aborts. */
export type Ask = (url: URL, proof: RelayProof, signal: AbortSignal) => Promise<Answer>;

export interface AskOptions {
  readonly clock: Clock;
  readonly client: HttpsClient;
  /** DNS-over-HTTPS; undefined when it is switched off. */
  readonly resolver: DohResolver | undefined;
}

const ANSWER_TIMEOUT_MS = 5_000;
const MAX_ANSWER_BYTES = 1_024;

export function askWith({ clock, client, resolver }: AskOptions): Ask {
  async function visit(url: URL, signal: AbortSignal): Promise<HttpsResponse | undefined> {
    if (url.protocol === "http:") return plainGet(url, signal);
    const addresses = await addressesOf(url.hostname, resolver, signal);
    if (addresses === undefined) return client({ url, signal });
    const [address] = addresses;
    return address === undefined ? undefined : client({ url, address, signal });
  }
  return async (origin, { path, answer }, outer) => {
    const limit = deadline(clock, ANSWER_TIMEOUT_MS, outer);
    const { signal } = limit;
    let hasAnswered = false;
    try {
      const response = await orAborted(signal, visit(new URL(path, origin), signal));
      if (response === undefined) return "none";
      hasAnswered = true;
      const body = await orAborted(signal, readBounded(response, MAX_ANSWER_BYTES));
      return response.status === 404 && Buffer.from(body).toString("utf8") === answer ? "ours" : "other";
    } catch {
      return hasAnswered && !outer.aborted ? "other" : "none";
    } finally {
      limit.clear();
    }
  };
}

/**
 * The addresses of a name by DNS-over-HTTPS, for a system resolver that is asked too early may remember for half an hour
 * that there is no such name. Undefined when the system is to be asked: there is no name, or no such server answers.
 */
async function addressesOf(
  hostname: string,
  resolver: DohResolver | undefined,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  if (resolver === undefined || !hostname.includes(".") || /^\[|^[\d.]+$/.test(hostname)) return undefined;
  return resolver(hostname, 4, signal).catch(() => undefined);
}

/** HTTP without TLS; only ever for loopback addresses. */
function plainGet(url: URL, signal: HttpsGet["signal"]): Promise<HttpsResponse> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, signal });
    request.once("error", reject);
    request.once("response", (response) =>
      resolve({
        status: must(response.statusCode, "the status of a response"),
        location: undefined,
        length: undefined,
        body: response,
        discard: () => response.destroy(),
      }),
    );
  });
}
