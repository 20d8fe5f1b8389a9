import { get } from "node:http";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { settled, wait } from "../../runtime/wait.ts";
import { exitError, type Run } from "./run.ts";
import { throwIfCancelled } from "../wait.ts";

/** Asks cloudflared's metrics server on a loopback port whether it is connected to the edge. Never rejects. */
export type ReadyProbe = (port: number) => Promise<"ready" | "not-ready" | "no-answer">;

const PROBE_TIMEOUT_MS = 2_000;
const POLL_MS = 200;

export const probeReady: ReadyProbe = (port) =>
  new Promise((resolve) => {
    const request = get({ host: "127.0.0.1", port, path: "/ready", agent: false, timeout: PROBE_TIMEOUT_MS });
    request.once("response", (response) => {
      response.destroy();
      resolve(response.statusCode === 200 ? "ready" : "not-ready");
    });
    request.once("timeout", () => request.destroy(new Error("timeout")));
    request.once("error", () => resolve("no-answer"));
  });

export interface ReadyOptions {
  readonly clock: Clock;
  readonly probe: ReadyProbe;
  /** From now until `/ready` must have answered 200. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onUrl: () => void;
}

/**
 * The URL of a run once it carries traffic. The banner with the URL proves nothing: it is printed before the edge is
 * contacted.
 * @throws {TunnelError} cloudflared-blocked or cloudflared-not-ready after the time limit, or the error of the process's end
 */
export async function untilReady(run: Run, options: ReadyOptions): Promise<string> {
  const { clock, probe, timeoutMs, signal, onUrl } = options;
  const giveUpAt = clock.now() + timeoutMs;
  let told = false;
  for (;;) {
    throwIfCancelled(signal);
    const exit = run.exit();
    if (exit !== undefined) throw exitError(exit, run.facts(), false);
    const { url, metricsPort, dialFailed } = run.facts();
    if (url !== undefined && !told) {
      told = true;
      onUrl();
    }
    if (url !== undefined && metricsPort !== undefined && (await probe(metricsPort)) === "ready") return url;
    if (clock.now() >= giveUpAt)
      throw new TunnelError(dialFailed ? "cloudflared-blocked" : "cloudflared-not-ready");
    await wait(clock, POLL_MS, { signal, until: settled(run.exited) });
  }
}
