import * as z from "zod/mini";
import { asTunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Tunnel } from "../provider.ts";
import { supervise, type Assessment } from "../supervise.ts";
import type { ReadyProbe } from "./ready.ts";
import { quickTunnelUrl } from "./log.ts";
import { exitError, type Run } from "./run.ts";

export interface WatchOptions {
  /** Origin for the members: `wss://…`. */
  readonly url: string;
  readonly description: string;
  readonly clock: Clock;
  readonly probe: ReadyProbe;
}

const POLL_MS = 5_000;
/** After a line about the edge: cloudflared writes it a moment before `/ready` answers otherwise, so it is asked twice. */
const RECHECK_MS = 500;

const REASONS = {
  "not-ready": "cloudflared has lost its connection to Cloudflare's edge and is trying to get it back",
  "no-answer": "cloudflared does not tell whether it is connected",
} as const;

/** A run that was ready, as a Tunnel: asked every few seconds, and whenever its log tells of the edge, how it is. */
export function watchRun(run: Run, { url, description, clock, probe }: WatchOptions): Tunnel {
  async function assess(): Promise<Assessment> {
    const { metricsPort } = run.facts();
    const answer = metricsPort === undefined ? "no-answer" : await probe(metricsPort);
    return answer === "ready" ? "up" : { reason: REASONS[answer] };
  }
  let isLeft = false;
  const supervised = supervise({
    url,
    description,
    clock,
    assess,
    pollMs: { up: POLL_MS, degraded: POLL_MS },
    recheckMs: RECHECK_MS,
    onChange: (listener) => run.onEdgeChange(listener),
    ended: run.exited.then((exit) => exitError(exit, run.facts(), true), asTunnelError),
    stop: () => (isLeft ? Promise.resolve(run.leave()) : run.stop()),
  });
  return {
    ...supervised,
    handover() {
      const found = run.handover();
      const { url: address, metricsPort } = run.facts();
      return found && { ...found, facts: JSON.stringify({ url: address, metricsPort, description }) };
    },
    leave() {
      isLeft = true;
      void supervised.stop();
    },
  };
}

const factsSchema = z.object({
  url: z.string().check(z.refine((url) => quickTunnelUrl(url) === url)),
  metricsPort: z.int().check(z.positive(), z.maximum(65_535)),
  description: z.string().check(z.maxLength(200), z.regex(/^[\x20-\x7e]*$/)),
});

/** The facts that `handover` of a watched run has told another process; undefined for anything else. */
export function heldFacts(text: string): z.infer<typeof factsSchema> | undefined {
  try {
    return factsSchema.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
