import { connect } from "node:net";
import { HttpBackend } from "../../bridge/http/http-backend.ts";
import { BRIDGE_LIMITS } from "../../bridge/protocol/limits.ts";
import { survey, type Survey } from "../../bridge/survey.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { deadline } from "../../net/deadline.ts";
import type { Clock } from "../../runtime/clock.ts";
import { SERVICES_LIMITS } from "../limits.ts";
import type { Listening } from "./listener.ts";

/** Lists of tools that are longer are none to choose from. */
const LIMITS = { ...BRIDGE_LIMITS, resultChars: 1_024 * 1_024, callIdleMs: 10_000, callMs: 15_000 };

/**
 * An MCP server of a peer in its own words, asked the way in which a client of this machine asks it. All of it is a peer's.
 * @throws {TunnelError} mcp-server-unfit, also where it is too late; cancelled
 */
export async function surveyOf(listening: Listening, clock: Clock, signal: AbortSignal): Promise<Survey> {
  const { host, port, token } = listening;
  if (token === undefined) throw new TunnelError("mcp-server-unfit");
  // Not every system looks such names up (RFC 6761 §6.3).
  const address = host.endsWith(".localhost") ? "127.0.0.1" : host;
  const place = {
    dial: () => connect({ host: address, port, noDelay: true }),
    host: `${host}:${port}`,
    path: new URL(listening.newUrl()).pathname,
    fields: { [token.field]: token.value },
  };
  const backend = new HttpBackend({ clock, limits: LIMITS, place: () => place });
  const limit = deadline(clock, SERVICES_LIMITS.surveyMs, signal);
  try {
    return await survey(backend, limit.signal);
  } catch (error) {
    if (signal.aborted) throw new TunnelError("cancelled");
    throw error;
  } finally {
    limit.clear();
    await backend.close();
  }
}
