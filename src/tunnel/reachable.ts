import { deadline, orAborted } from "../net/deadline.ts";
import type { DohResolver } from "../net/doh.ts";
import type { HttpsClient } from "../net/https.ts";
import { TunnelError } from "../errors/tunnel-error.ts";
import type { Clock } from "../runtime/clock.ts";
import { sleep, throwIfCancelled } from "./wait.ts";

export interface ReachableOptions {
  readonly resolver: DohResolver;
  readonly client: HttpsClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** The record takes a moment, and a question asked too early puts a negative answer into a resolver's cache. */
const FIRST_LOOK_MS = 2_000;
const POLL_MS = 2_000;
/** New names take 8 to 25 s. */
const GIVE_UP_MS = 75_000;
const VISIT_TIMEOUT_MS = 5_000;

/**
 * Waits until a new public name resolves and the edge knows its tunnel. Only DNS-over-HTTPS is asked: the zone lets a
 * negative answer live for 30 minutes, so one early question would blind this machine's resolver for the whole session.
 */
export async function untilReachable(url: URL, options: ReachableOptions): Promise<void> {
  const { resolver, clock, signal } = options;
  const giveUpAt = clock.now() + GIVE_UP_MS;
  let answered = false;
  await sleep(clock, FIRST_LOOK_MS, signal);
  for (;;) {
    const addresses = await resolver(url.hostname, 4, signal).catch(() => undefined);
    throwIfCancelled(signal);
    answered ||= addresses !== undefined;
    const [address] = addresses ?? [];
    if (address !== undefined && (await edgeKnowsTunnel(url, address, options))) return;
    if (clock.now() >= giveUpAt) {
      const detail = answered ? "its DNS record has not appeared" : "no DNS-over-HTTPS server answers";
      throw new TunnelError("address-not-live", {
        detail: address === undefined ? detail : "the edge does not serve it",
      });
    }
    await sleep(clock, POLL_MS, signal);
  }
}

/**
 * One visit through the edge. Only a server error counts against the tunnel: the edge answers 530 for a name without
 * one. No answer at all is a fault of this machine's way out, not of the tunnel: `/ready` has said that it is connected.
 */
async function edgeKnowsTunnel(url: URL, address: string, options: ReachableOptions): Promise<boolean> {
  const limit = deadline(options.clock, VISIT_TIMEOUT_MS, options.signal);
  try {
    const response = await orAborted(limit.signal, options.client({ url, address, signal: limit.signal }));
    response.discard();
    return response.status < 500;
  } catch {
    throwIfCancelled(options.signal);
    return true;
  } finally {
    limit.clear();
  }
}
