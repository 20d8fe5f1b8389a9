import { request as requestHttp, type ClientRequest, type IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import { TunnelError } from "../../../errors/tunnel-error.ts";
import { deadline } from "../../../net/deadline.ts";
import { serviceTls } from "../../../net/service-tls.ts";
import type { Clock } from "../../../runtime/clock.ts";
import type { ResponseHead } from "../../message.ts";
import type { Recording } from "../../recorder.ts";
import type { Upstream } from "../../upstream.ts";
import type { ReplayLimits } from "../limits.ts";
import type { OutgoingRequest } from "./request.ts";

export interface Sending {
  readonly clock: Clock;
  readonly limits: ReplayLimits;
  readonly signal: AbortSignal;
}

/** As much as is kept of a head. */
const MAX_HEADER_BYTES = 64 * 1024;

/**
 * Sends a request to the service, and takes down both sides. Redirects are not followed. It is done when the response has
 * ended, was cut, or has reached a limit: `end` of the recording says so.
 * @throws {TunnelError} replay-failed no response has begun; cancelled
 */
export async function send(
  request: OutgoingRequest,
  upstream: Upstream,
  recording: Recording,
  { clock, limits, signal: outer }: Sending,
): Promise<void> {
  const time = deadline(clock, limits.timeMs, outer);
  let outgoing: ClientRequest | undefined;
  try {
    outgoing = begun(request, upstream, recording, time.signal);
    const incoming = await headOf(outgoing);
    recording.responseHead(headIn(incoming));
    await read(incoming, recording, limits.responseBytes);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const why = outer.aborted ? "cancelled" : time.signal.aborted ? "time" : whyOf(error);
    const how = outer.aborted ? "visitor-left" : time.signal.aborted ? "limit" : "service-cut";
    recording.end(how, why);
    if (outer.aborted) throw new TunnelError("cancelled", { cause: error });
    if (error instanceof Cut) return;
    const detail = time.signal.aborted ? `no answer within ${limits.timeMs / 1000} s` : why;
    throw new TunnelError("replay-failed", { detail, cause: error });
  } finally {
    time.clear();
    outgoing?.destroy();
  }
}

function begun(
  { method, target, fields, body }: OutgoingRequest,
  upstream: Upstream,
  recording: Recording,
  signal: AbortSignal,
): ClientRequest {
  const { scheme, address, port, dial } = upstream;
  const options = {
    // With an agent, the connection would be that agent's.
    ...(dial === undefined ? { agent: false } : { createConnection: () => dial() }),
    method,
    host: address,
    port,
    path: target,
    headers: [...fields],
    maxHeaderSize: MAX_HEADER_BYTES,
    signal,
  };
  const outgoing =
    scheme === "https" ? requestHttps({ ...options, ...serviceTls(upstream) }) : requestHttp(options);
  outgoing.on("information", ({ statusCode, statusMessage, rawHeaders }) =>
    recording.responseHead({ status: statusCode, reason: statusMessage, fields: rawHeaders }),
  );
  outgoing.end(body);
  if (body.length > 0) recording.requestChunk(body);
  return outgoing;
}

function headOf(outgoing: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once("response", resolve);
    // It stays: a response that was cut is reported by the response, and once more here.
    outgoing.on("error", reject);
  });
}

function headIn({ statusCode = 0, statusMessage = "", rawHeaders }: IncomingMessage): ResponseHead {
  return { status: statusCode, reason: statusMessage, fields: rawHeaders };
}

/** The response has begun, but not come to its end. */
class Cut extends Error {
  override readonly name = "Cut";
}

async function read(incoming: IncomingMessage, recording: Recording, maxBytes: number): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of incoming as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      recording.responseChunk(chunk);
      if (bytes > maxBytes) return recording.end("limit", "size");
    }
  } catch (error) {
    throw new Cut("the response was cut", { cause: error });
  }
  if (!incoming.complete) throw new Cut("the response was cut");
  if (incoming.rawTrailers.length > 0) recording.trailers("response", incoming.rawTrailers);
  recording.end("complete");
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ["ECONNREFUSED", "it refuses the connection"],
  ["ECONNRESET", "it closed the connection"],
  ["EPIPE", "it closed the connection"],
  ["ETIMEDOUT", "it cannot be reached"],
  ["EHOSTUNREACH", "it cannot be reached"],
  ["ENETUNREACH", "it cannot be reached"],
]);

/** No text of the service: it stands in an error. */
function whyOf(error: Error): string {
  if (error instanceof Cut) return "the response was cut";
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (code.startsWith("HPE_")) return "its answer is no valid HTTP";
  return REASONS.get(code) ?? "the connection failed";
}
