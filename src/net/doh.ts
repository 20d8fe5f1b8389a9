import { isIP } from "node:net";
import * as z from "zod/mini";
import { systemClock, type Clock } from "../runtime/clock.ts";
import { settled, wait } from "../runtime/wait.ts";
import { deadline, orAborted } from "./deadline.ts";
import { httpsClient, readBounded, type HttpsClient } from "./https.ts";

/** A DNS-over-HTTPS server that speaks the JSON form, reached by address so that no name has to be resolved first. */
export interface DohServer {
  readonly address: string;
  readonly url: string;
}

export const CLOUDFLARE_DOH: readonly DohServer[] = [
  { address: "1.1.1.1", url: "https://cloudflare-dns.com/dns-query" },
  { address: "1.0.0.1", url: "https://cloudflare-dns.com/dns-query" },
  { address: "2606:4700:4700::1111", url: "https://cloudflare-dns.com/dns-query" },
];

export const GOOGLE_DOH: readonly DohServer[] = [
  { address: "8.8.8.8", url: "https://dns.google/resolve" },
  { address: "8.8.4.4", url: "https://dns.google/resolve" },
  { address: "2001:4860:4860::8888", url: "https://dns.google/resolve" },
];

/** An answer to a question is a list of addresses, empty when the name has none; a failure is no answer. */
export type DohResolver = (name: string, family: 4 | 6, signal: AbortSignal) => Promise<readonly string[]>;

export interface DohOptions {
  readonly servers: readonly DohServer[];
  /**
   * Whether "no such record" from the first server that answers settles it. False asks the other operators too, which
   * costs them a negative answer in their cache: right for a guest that dials, wrong for polling until a name appears.
   */
  readonly negativeIsFinal: boolean;
  readonly client?: HttpsClient;
  readonly clock?: Clock;
}

/** For one server, from dial to the last byte. */
const QUERY_TIMEOUT_MS = 5_000;
/** When the next server is asked although the last one has not failed yet. */
const STAGGER_MS = 700;
/** An answer to an address question is some hundred bytes. */
const MAX_ANSWER_BYTES = 16 * 1024;
const MAX_NAME_CHARS = 253;

const RECORD_TYPE = { 4: 1, 6: 28 } as const;
const NO_ERROR = 0;
const NAME_ERROR = 3;

const answerSchema = z.object({
  Status: z.int(),
  Answer: z.optional(z.array(z.object({ type: z.int(), data: z.string() })).check(z.maxLength(100))),
});

/** Asks the servers one after the other, each a little after the one before or as soon as that failed. */
export function createDohResolver(options: DohOptions): DohResolver {
  const { servers, negativeIsFinal, client = httpsClient, clock = systemClock } = options;
  return async (name, family, signal) => {
    if (name.length > MAX_NAME_CHARS) throw new Error("name too long");
    const race = new AbortController();
    const stop = (): void => race.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    try {
      return await firstAnswer(servers, negativeIsFinal, clock, race.signal, (server) =>
        queryServer({ server, name, family, client, clock, signal: race.signal }),
      );
    } finally {
      signal.removeEventListener("abort", stop);
      race.abort(new Error("settled"));
    }
  };
}

type Ask = (server: DohServer) => Promise<readonly string[]>;

async function firstAnswer(
  servers: readonly DohServer[],
  negativeIsFinal: boolean,
  clock: Clock,
  signal: AbortSignal,
  ask: Ask,
): Promise<readonly string[]> {
  const waiting = [...servers];
  const asked = new Set<Promise<Outcome>>();
  let failure: unknown = new Error("no DNS-over-HTTPS server to ask");
  let negative = false;
  while (waiting.length > 0 || asked.size > 0) {
    signal.throwIfAborted();
    const server = waiting.shift();
    if (server !== undefined) asked.add(outcomeOf(ask(server)));
    const next = await orAborted(signal, nextOutcome(asked, clock, waiting.length > 0));
    if (next === undefined) continue;
    asked.delete(next.from);
    if (next.outcome.kind === "failed") failure = next.outcome.error;
    else if (next.outcome.addresses.length > 0 || negativeIsFinal) return next.outcome.addresses;
    else negative = true;
  }
  if (negative) return [];
  throw new Error("no DNS-over-HTTPS server answered", { cause: failure });
}

type Outcome =
  | { readonly kind: "answered"; readonly addresses: readonly string[] }
  | { readonly kind: "failed"; readonly error: unknown };

function outcomeOf(query: Promise<readonly string[]>): Promise<Outcome> {
  return query.then(
    (addresses): Outcome => ({ kind: "answered", addresses }),
    (error: unknown): Outcome => ({ kind: "failed", error }),
  );
}

/** The first outcome not yet looked at; undefined when it is time to ask one more server instead. */
async function nextOutcome(
  asked: ReadonlySet<Promise<Outcome>>,
  clock: Clock,
  othersWait: boolean,
): Promise<{ from: Promise<Outcome>; outcome: Outcome } | undefined> {
  const outcomes = [...asked].map(async (from) => ({ from, outcome: await from }));
  const first = Promise.race(outcomes);
  if (!othersWait) return first;
  return (await wait(clock, STAGGER_MS, { until: settled(first) })) === "woken" ? first : undefined;
}

interface Query {
  readonly server: DohServer;
  readonly name: string;
  readonly family: 4 | 6;
  readonly client: HttpsClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

async function queryServer({
  server,
  name,
  family,
  client,
  clock,
  signal,
}: Query): Promise<readonly string[]> {
  const url = new URL(server.url);
  url.searchParams.set("name", name);
  url.searchParams.set("type", family === 4 ? "A" : "AAAA");
  const limit = deadline(clock, QUERY_TIMEOUT_MS, signal);
  try {
    const get = { url, address: server.address, accept: "application/dns-json", signal: limit.signal };
    const response = await orAborted(limit.signal, client(get));
    if (response.status !== 200) {
      response.discard();
      throw new Error(`HTTP status ${response.status}`);
    }
    return decodeAnswer(await orAborted(limit.signal, readBounded(response, MAX_ANSWER_BYTES)), family);
  } finally {
    limit.clear();
  }
}

/** The addresses in a JSON answer; throws when it is not an answer. Records of other types (CNAME) are passed over. */
export function decodeAnswer(body: Uint8Array, family: 4 | 6): readonly string[] {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
  const answer = answerSchema.parse(JSON.parse(text));
  if (answer.Status === NAME_ERROR) return [];
  if (answer.Status !== NO_ERROR) throw new Error(`DNS status ${answer.Status}`);
  return (answer.Answer ?? [])
    .filter(({ type, data }) => type === RECORD_TYPE[family] && isIP(data) === family)
    .map(({ data }) => data);
}
