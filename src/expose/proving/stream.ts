import { deadline, orAborted } from "../../net/deadline.ts";
import type { Visit } from "../../net/visit.ts";
import type { Clock } from "../../runtime/clock.ts";
import { STREAM_PROBE } from "../probes.ts";

/** How a stream of events comes through: one by one, all at its end, or not at all. */
export type Streamed = "live" | "held" | "blocked";

export interface StreamProbe {
  readonly visit: Visit;
  readonly url: URL;
  readonly method: "GET" | "POST";
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly limitMs: number;
}

const MAX_BYTES = 4_096;
/** Events that were sent this far apart came one by one; half of it allows for a line of changing speed. */
const SPREAD_MS = ((STREAM_PROBE.events - 1) * STREAM_PROBE.apartMs) / 2;

/** Asks the gateway for its stream of events, and notes when they come. Never rejects. */
export async function streamed({
  visit,
  url,
  method,
  clock,
  signal,
  limitMs,
}: StreamProbe): Promise<Streamed> {
  const limit = deadline(clock, limitMs, signal);
  let discard = (): void => undefined;
  try {
    const request = { url, method, accept: "text/event-stream", signal: limit.signal };
    const response = await orAborted(limit.signal, visit(request));
    if (response === undefined) return "blocked";
    discard = () => response.discard();
    if (response.status !== 200) return "blocked";
    return await orAborted(limit.signal, spreadOf(response.body, clock));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return "blocked";
  } finally {
    limit.clear();
    discard();
  }
}

async function spreadOf(body: AsyncIterable<Uint8Array>, clock: Clock): Promise<Streamed> {
  let text = "";
  let firstAt: number | undefined;
  for await (const chunk of body) {
    text += Buffer.from(chunk).toString("latin1");
    if (text.length > MAX_BYTES) return "blocked";
    if (text.includes("data: 1\n")) firstAt ??= clock.now();
    if (firstAt !== undefined && text.includes(`data: ${STREAM_PROBE.events}\n`))
      return clock.now() - firstAt >= SPREAD_MS ? "live" : "held";
  }
  return "blocked";
}
