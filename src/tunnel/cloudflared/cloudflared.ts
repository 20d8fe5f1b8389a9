import { CLOUDFLARE_DOH, createDohResolver, GOOGLE_DOH, type DohResolver } from "../../net/doh.ts";
import { httpsClient } from "../../net/https.ts";

import { asTunnelError, TunnelError, type ErrorCode } from "../../errors/tunnel-error.ts";
import { systemClock } from "../../runtime/clock.ts";
import { acquireBinary, type BinaryOptions } from "./binary.ts";
import type { Binary } from "./find.ts";
import { untilReachable } from "../reachable.ts";
import { probeReady, untilReady, type ReadyProbe } from "./ready.ts";
import { adoptRun, exitError, startRun, type Protocol, type Run } from "./run.ts";
import type { Tunnel, TunnelOpener, TunnelRequest } from "../provider.ts";
import { throwIfCancelled } from "../wait.ts";
import { heldFacts, watchRun } from "./watch.ts";

export { proxyVariable } from "../../net/proxy.ts";

/** `client` and `clock` of BinaryOptions are used for everything else, too. */
export interface CloudflaredOptions extends BinaryOptions {
  /** Config.doh: without it the public name cannot be checked safely, so it is not checked. */
  readonly doh: boolean;
  /** Config.skipReachabilityCheck. */
  readonly skipReachabilityCheck: boolean;
  /** Names the proxy of this network, where there is one. */
  readonly proxyVariable?: string | undefined;
  readonly resolver?: DohResolver;
  readonly probe?: ReadyProbe;
}

/**
 * QUIC first, with cloudflared's own fallback; where that hangs nevertheless, once more with TCP only. The times are from
 * the start of the process until it carries traffic. Getting a name alone may take cloudflared 15 s; all together, with 2 s
 * for each to end, must be over before a person or a client gives up.
 */
const ATTEMPTS: readonly Attempt[] = [
  { protocol: "auto", readyMs: 26_000 },
  { protocol: "http2", readyMs: 16_000 },
];

/** Quick Tunnels by cloudflared. Whatever goes wrong while opening, no process and no file is left behind. */
export function createCloudflaredOpener(options: CloudflaredOptions): TunnelOpener {
  return async (request) => {
    const { signal, onProgress = () => undefined } = request;
    throwIfCancelled(signal);
    const adopted = await adopt(options, request);
    if (adopted !== undefined) return adopted;
    const binary = await acquireBinary(options, signal, onProgress);
    let failure = new TunnelError("cloudflared-not-ready");
    for (const each of ATTEMPTS) {
      try {
        return await attempt(options, request, binary, each);
      } catch (error) {
        failure = asTunnelError(error);
        if (failure.code !== "cloudflared-not-ready" && failure.code !== "cloudflared-blocked") break;
      }
    }
    throw proxyExplained(failure, options.proxyVariable);
  };
}

/** The tunnel of an earlier process, if it is one that this version understands and it is still there. */
async function adopt(options: CloudflaredOptions, { taken }: TunnelRequest): Promise<Tunnel | undefined> {
  if (taken === undefined) return undefined;
  const { clock = systemClock, probe = probeReady } = options;
  const facts = heldFacts(taken.facts);
  try {
    if (facts !== undefined) {
      const { description, url } = facts;
      const run = adoptRun(taken, facts, clock);
      return watchRun(run, { url: memberUrl(new URL(url)), description, clock, probe });
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
  await taken.letGo();
  return undefined;
}

/** How a network that lets nothing out but through its proxy looks to cloudflared, which asks a service, then DNS, then the edge. */
const LOOKS_CLOSED: ReadonlySet<ErrorCode> = new Set([
  "cloudflared-api-down",
  "cloudflared-edge-unknown",
  "cloudflared-blocked",
  "cloudflared-not-ready",
]);

/** cloudflared reaches the edge directly or not at all, so a network that wants a proxy looks like a closed one to it. */
function proxyExplained(failure: TunnelError, variable: string | undefined): TunnelError {
  if (variable === undefined || !LOOKS_CLOSED.has(failure.code)) return failure;
  const detail =
    `${variable} is set, and cloudflared cannot pass a proxy; ` +
    "TUNNEL_TRANSPORT=exec with a program that can, or direct within the network, does without it";
  return new TunnelError(failure.code, { detail, cause: failure });
}

interface Attempt {
  readonly protocol: Protocol;
  readonly readyMs: number;
}

async function attempt(
  options: CloudflaredOptions,
  request: TunnelRequest,
  binary: Binary,
  { protocol, readyMs }: Attempt,
): Promise<Tunnel> {
  const { environment, clock = systemClock, probe = probeReady } = options;
  const { port, stay, signal, onProgress = () => undefined } = request;
  throwIfCancelled(signal);
  onProgress({
    message: protocol === "auto" ? "starting cloudflared" : "starting cloudflared again, over TCP only",
  });
  const run = startRun({ binary: binary.path, port, protocol, environment, clock, stay });
  try {
    const onUrl = (): void => onProgress({ message: "got a public name, connecting to Cloudflare's edge" });
    const url = new URL(await untilReady(run, { clock, probe, timeoutMs: readyMs, signal, onUrl }));
    if (options.doh && !options.skipReachabilityCheck) {
      onProgress({ message: "connected, waiting until the public name resolves" });
      await reachableOrGone(run, url, options, signal);
    }
    return watchRun(run, { url: memberUrl(url), description: describe(binary), clock, probe });
  } catch (error) {
    await run.stop();
    throw error;
  }
}

function memberUrl({ host }: URL): string {
  return `wss://${host}`;
}

/** The reachability check, given up at once when the process ends meanwhile. */
async function reachableOrGone(
  run: Run,
  url: URL,
  options: CloudflaredOptions,
  outer: AbortSignal,
): Promise<void> {
  const { client = httpsClient, clock = systemClock } = options;
  const resolver =
    options.resolver ?? createDohResolver({ servers: PROBED, negativeIsFinal: true, client, clock });
  const over = new AbortController();
  const signal = AbortSignal.any([outer, over.signal]);
  try {
    const gone = run.exited.then((exit) => Promise.reject(exitError(exit, run.facts(), true)));
    await Promise.race([untilReachable(url, { resolver, client, clock, signal }), gone]);
  } finally {
    over.abort();
  }
}

/** Cloudflare's servers first, since the zone is theirs; the others only when these do not answer at all. */
const PROBED = [...CLOUDFLARE_DOH, ...GOOGLE_DOH];

const ORIGIN_TEXT = {
  explicit: "from TUNNEL_CLOUDFLARED, not verified",
  cache: "own copy",
  path: "from PATH, not verified",
  npm: "from the npm package, not verified",
} as const;

function describe({ version, origin, verified }: Binary): string {
  return `cloudflared ${version} (${verified ? "SHA-256 verified" : ORIGIN_TEXT[origin]})`;
}
