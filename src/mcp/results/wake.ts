import type { EndpointState } from "../../control/endpoint.ts";
import type { TunnelId } from "../../session/handle.ts";
import type { Payload } from "./result.ts";

export interface WakePaths {
  /** The path of the running program. */
  readonly bundle: string;
  readonly platform: string;
  readonly endpoint: EndpointState;
  /** `unsupported`: asked for by the user, but not to be had in this era of the protocol. */
  readonly channel: "off" | "declared" | "unsupported";
}

const CHANNELS: Readonly<Record<WakePaths["channel"], string>> = {
  off: "off",
  declared: "declared; delivered only if the client was started with channels for this server",
  unsupported: "off: clients take no channels in this revision of MCP",
};

/** What can wake an agent that has ended its turn. Each is best effort; what was said waits in the inbox in any case. */
export function wakeView(tunnelId: TunnelId, { bundle, platform, endpoint, channel }: WakePaths): Payload {
  const isUsable = endpoint === "open" || endpoint === "unopened";
  return {
    command: isUsable ? `node ${shellWord(bundle, platform)} wake --tunnel ${tunnelId}` : undefined,
    commandProblem: isUsable ? undefined : "no private folder for the local endpoint could be made here",
    channel: CHANNELS[channel],
  };
}

/** A path as every common shell takes it; on Windows with slashes, since Git Bash takes backslashes away. */
function shellWord(path: string, platform: string): string {
  const word = platform === "win32" ? path.replaceAll("\\", "/") : path;
  if (/^[\w./:@+-]+$/.test(word)) return word;
  return platform === "win32" ? `"${word}"` : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
