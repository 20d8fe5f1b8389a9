import type { Clock } from "../../runtime/clock.ts";
import { deadline, orAborted } from "../../net/deadline.ts";
import type { DohResolver } from "../../net/doh.ts";
import { readBounded, type HttpsClient } from "../../net/https.ts";
import { visitor } from "../../net/visit.ts";
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
  const visit = visitor({ client, resolver });
  return async (origin, { path, answer }, outer) => {
    const limit = deadline(clock, ANSWER_TIMEOUT_MS, outer);
    const { signal } = limit;
    let hasAnswered = false;
    try {
      const response = await orAborted(signal, visit({ url: new URL(path, origin), signal }));
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
