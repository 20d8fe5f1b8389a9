import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Backend } from "../../bridge/backend.ts";
import { HttpBackend } from "../../bridge/http/http-backend.ts";
import type { BridgeLimits } from "../../bridge/protocol/limits.ts";
import { AllowedTools, isToolPattern, MAX_PATTERNS } from "../../bridge/protocol/tools.ts";
import { StdioBackend, type StdioOptions } from "../../bridge/stdio/stdio-backend.ts";
import type { StdioMeans } from "../../bridge/stdio/stdio-servers.ts";
import { survey, type Survey } from "../../bridge/survey.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { deadline } from "../../net/deadline.ts";
import { serviceTls } from "../../net/service-tls.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Upstream } from "../upstream.ts";

/** A server may take so long to say what it is and which tools it has, in ms. */
const SURVEY_MS = 20_000;

/**
 * A stdio server of the file, which has opened: one that cannot run is noticed before anybody calls.
 * @throws {TunnelError} mcp-servers-*, mcp-server-*
 */
export async function openedStdio(
  name: string,
  { stdio, ...options }: Omit<StdioOptions, "start"> & { readonly stdio: StdioMeans },
): Promise<StdioBackend> {
  const command = await stdio.commandNamed(name);
  const backend = new StdioBackend({ ...options, start: stdio.start(command) });
  try {
    await backend.tryOut();
  } catch (error) {
    await backend.close();
    throw error;
  }
  return backend;
}

/** A server that speaks HTTP, dialled by the address that was judged, and by no name. */
export function httpBackend(
  upstream: Upstream,
  path: string,
  options: { readonly clock: Clock; readonly limits?: BridgeLimits; readonly lendsSession?: boolean },
): HttpBackend {
  const place = { dial: () => dialled(upstream), host: upstream.host, path };
  return new HttpBackend({ ...options, place: () => place });
}

/** @throws {TunnelError} mcp-tools-invalid */
export function allowedTools(patterns: readonly string[] | undefined): AllowedTools {
  const isList = patterns === undefined || (patterns.length > 0 && patterns.length <= MAX_PATTERNS);
  if (!isList || patterns?.every(isToolPattern) === false) throw new TunnelError("mcp-tools-invalid");
  return new AllowedTools(patterns);
}

/**
 * What a server says of itself, and the names of its tools that may be called.
 * @throws {TunnelError} mcp-server-unfit, cancelled
 */
export async function surveyed(
  backend: Backend,
  allowed: AllowedTools,
  {
    clock,
    signal,
    ms = SURVEY_MS,
  }: { readonly clock: Clock; readonly signal: AbortSignal; readonly ms?: number },
): Promise<Survey & { readonly open: readonly string[]; readonly isNoneOpen: boolean }> {
  const limit = deadline(clock, ms, signal);
  try {
    const found = await survey(backend, limit.signal);
    const open = found.tools.map(({ name }) => name).filter((name) => allowed.has(name));
    return { ...found, open, isNoneOpen: open.length === 0 && !found.hasMore };
  } catch (error) {
    if (signal.aborted) throw new TunnelError("cancelled");
    throw error;
  } finally {
    limit.clear();
  }
}

function dialled(upstream: Upstream): Socket {
  const { scheme, address, port } = upstream;
  if (scheme === "http") return connectPlain({ host: address, port, noDelay: true });
  return connectTls({ host: address, port, ...serviceTls(upstream), ALPNProtocols: ["http/1.1"] });
}
