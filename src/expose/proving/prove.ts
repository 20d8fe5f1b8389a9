import * as z from "zod/mini";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { deadline, orAborted } from "../../net/deadline.ts";
import type { DohResolver } from "../../net/doh.ts";
import { readBounded, type HttpsClient } from "../../net/https.ts";
import { visitor, type Visit } from "../../net/visit.ts";
import type { Clock } from "../../runtime/clock.ts";
import { wait } from "../../runtime/wait.ts";
import type { RelayProof } from "../../tunnel/provider.ts";
import { probePath, type Probe, type Probes } from "../probes.ts";
import type { OpenSocket } from "./socket.ts";
import { streamed, type Streamed } from "./stream.ts";

export interface ProveOptions {
  /** The public origin: `https://…`, or `http://…` of an address without TLS. */
  readonly origin: URL;
  /** The mark by which the gateway is told from anything else that may answer there. */
  readonly proof: RelayProof;
  readonly probes: Probes;
  /** DNS-over-HTTPS; undefined when it is switched off. */
  readonly resolver: DohResolver | undefined;
  /** Config.skipReachabilityCheck. */
  readonly isSkipped: boolean;
  readonly client: HttpsClient;
  readonly openSocket: OpenSocket;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: { readonly message: string }) => void;
}

/** The service as it answers through the public address. */
type SeenService =
  | { readonly status: number; readonly server: string | undefined }
  /** It gave no answer through it, and why. */
  | { readonly error: string };

export type Proof =
  | {
      readonly kind: "proved";
      /** From the first visit until the gateway itself had answered. */
      readonly ms: number;
      readonly service: SeenService;
      /** Whether events of a stream come one by one, by the method of the request. */
      readonly streaming: { readonly get: Streamed; readonly post: Streamed };
      readonly websocket: boolean;
    }
  /** A TCP connection from outside has reached the passage; nothing was said to the service. */
  | { readonly kind: "reached"; readonly ms: number }
  /** Nothing was visited, on somebody's wish; why, as a clause. */
  | { readonly kind: "unchecked"; readonly why: string };

/** New addresses work at some edges before they do at others. */
const GIVE_UP_MS = 30_000;
const POLL_MS = 1_000;
const VISIT_LIMIT_MS = 5_000;
/** For a probe once the address works; the service itself may be slow. */
const PROBE_LIMIT_MS = 10_000;
const MAX_ANSWER_BYTES = 4_096;

/**
 * Visits a public address from outside until the gateway itself has answered, and finds out what passes through it.
 * @throws {TunnelError} expose-unproved with the reason, cancelled
 */
export async function proveAddress(options: ProveOptions): Promise<Proof> {
  const { origin, clock, onProgress } = options;
  const why = reasonNotTo(options);
  if (why !== undefined) return { kind: "unchecked", why };
  const visit = visitor(options);
  const begun = clock.now();
  onProgress?.({ message: `visiting ${origin.host} from outside` });
  await untilOurs(visit, options);
  const ms = clock.now() - begun;
  onProgress?.({ message: "the address works; trying streams and WebSockets through it" });
  const [service, get, post, websocket] = await Promise.all([
    seenService(visit, options),
    streamThrough(visit, "GET", options),
    streamThrough(visit, "POST", options),
    socketThrough(options),
  ]);
  if (options.signal.aborted) throw new TunnelError("cancelled");
  return { kind: "proved", ms, service, streaming: { get, post }, websocket };
}

/** A name may only be asked for by DNS-over-HTTPS: a system resolver that is asked too early forgets it for half an hour. */
export function reasonNotTo({
  isSkipped,
  resolver,
  origin,
}: Pick<ProveOptions, "isSkipped" | "resolver" | "origin">): string | undefined {
  if (isSkipped) return "TUNNEL_SKIP_REACHABILITY_CHECK is set";
  const isName = /[a-z]/i.test(origin.hostname) && !origin.hostname.startsWith("[");
  const isLocal = /(?:^|\.)localhost$/.test(origin.hostname);
  return resolver === undefined && isName && !isLocal ? "TUNNEL_DOH is off" : undefined;
}

/** @throws {TunnelError} expose-unproved, cancelled */
async function untilOurs(visit: Visit, options: ProveOptions): Promise<void> {
  const { clock, signal } = options;
  const giveUpAt = clock.now() + GIVE_UP_MS;
  for (;;) {
    const fault = await faultOf(visit, options);
    if (signal.aborted) throw new TunnelError("cancelled");
    if (fault === undefined) return;
    if (clock.now() >= giveUpAt) throw new TunnelError("expose-unproved", { detail: fault });
    await wait(clock, POLL_MS, { signal });
  }
}

/** One visit: undefined when the gateway has answered, or else what stands in the way. */
async function faultOf(visit: Visit, options: ProveOptions): Promise<string | undefined> {
  const { origin, proof, clock, signal } = options;
  const limit = deadline(clock, VISIT_LIMIT_MS, signal);
  try {
    const url = new URL(proof.path, origin);
    const response = await orAborted(limit.signal, visit({ url, signal: limit.signal }));
    if (response === undefined) return "its name has no address yet";
    const { status } = response;
    const body = await orAborted(limit.signal, readBounded(response, MAX_ANSWER_BYTES)).catch(
      () => undefined,
    );
    const isOurs =
      status === 404 && body !== undefined && Buffer.from(body).toString("utf8") === proof.answer;
    return isOurs ? undefined : `something else answers there, with HTTP ${status}`;
  } catch (error) {
    return error instanceof TunnelError ? error.message : `nothing answers there${codeIn(error)}`;
  } finally {
    limit.clear();
  }
}

/** The code of a system error, which names nothing; anything else says nothing. */
function codeIn(error: unknown): string {
  const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^[A-Z0-9_]{2,40}$/.test(code) ? ` (${code})` : "";
}

const reportSchema = z.union([
  z.object({ status: z.int(), server: z.optional(z.string()) }),
  z.object({ error: z.string() }),
]);

async function seenService(visit: Visit, options: ProveOptions): Promise<SeenService> {
  const limit = deadline(options.clock, PROBE_LIMIT_MS, options.signal);
  try {
    const request = { url: urlOf(options, "service"), signal: limit.signal };
    const response = await orAborted(limit.signal, visit(request));
    if (response?.status !== 200) {
      response?.discard();
      return { error: response === undefined ? "no address" : `HTTP ${response.status} on the way` };
    }
    const body = await orAborted(limit.signal, readBounded(response, MAX_ANSWER_BYTES));
    const report = reportSchema.parse(JSON.parse(Buffer.from(body).toString("utf8")));
    return "error" in report ? report : { status: report.status, server: report.server };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { error: `no answer in time${codeIn(error)}` };
  } finally {
    limit.clear();
  }
}

async function streamThrough(visit: Visit, method: "GET" | "POST", options: ProveOptions): Promise<Streamed> {
  const { clock, signal } = options;
  const url = urlOf(options, "stream");
  const once = (): Promise<Streamed> =>
    streamed({ visit, url, method, clock, signal, limitMs: PROBE_LIMIT_MS });
  const first = await once();
  // A busy line can gather what was sent apart, and an edge can have a bad moment: what passes once is known to pass.
  return first === "live" || signal.aborted ? first : once();
}

async function socketThrough(options: ProveOptions): Promise<boolean> {
  const { openSocket, clock, signal, resolver } = options;
  const url = urlOf(options, "socket");
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  for (const isLast of [false, true]) {
    const limit = deadline(clock, PROBE_LIMIT_MS, signal);
    const does = await openSocket(url, { resolver, signal: limit.signal });
    limit.clear();
    if (does || isLast || signal.aborted) return does;
  }
  return false;
}

function urlOf({ origin, probes }: ProveOptions, probe: Probe): URL {
  return new URL(probePath(probes, probe), origin);
}
