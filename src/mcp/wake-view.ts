import type { EndpointState } from "../control/endpoint.ts";
import { shellLine } from "../runtime/shell-line.ts";
import type { TunnelId } from "../session/session.ts";
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
  // Agents on Windows run it in Git Bash, too, which takes backslashes away.
  const program = platform === "win32" ? bundle.replaceAll("\\", "/") : bundle;
  return {
    command: isUsable ? shellLine(["node", program, "wake", "--tunnel", tunnelId], platform) : undefined,
    commandProblem: isUsable ? undefined : "no private folder for the local endpoint could be made here",
    channel: CHANNELS[channel],
  };
}
