import type { EndpointState } from "../control/endpoint.ts";
import type { TunnelId } from "../session/session.ts";
import { shellLine } from "../runtime/shell-line.ts";

export interface WakePaths {
  /** The path of the running program. */
  readonly bundle: string;
  readonly platform: string;
  readonly endpoint: EndpointState;
  /** `unsupported`: the user wants it, but this revision of MCP has no channels. */
  readonly channel: "off" | "declared" | "unsupported";
}

const CHANNELS: Readonly<Record<WakePaths["channel"], string>> = {
  off: "off",
  declared: "declared; delivered only if the client was started with channels for this server",
  unsupported: "off: clients take no channels in this revision of MCP",
};

/** The ways to wake an agent that has ended its turn. Each is best effort; messages wait in the inbox in any case. */
export interface WakeView {
  /** A command that ends when something is unread; left out where it cannot work. */
  readonly command: string | undefined;
  readonly commandProblem: string | undefined;
  readonly channel: string;
}

export function wakeView(tunnelId: TunnelId, { bundle, platform, endpoint, channel }: WakePaths): WakeView {
  const isUsable = endpoint === "open" || endpoint === "unopened";
  // With slashes: Git Bash takes backslashes away.
  const program = platform === "win32" ? bundle.replaceAll("\\", "/") : bundle;
  return {
    command: isUsable ? shellLine(["node", program, "wake", "--tunnel", tunnelId], platform) : undefined,
    commandProblem: isUsable ? undefined : "no private folder for the local endpoint could be made here",
    channel: CHANNELS[channel],
  };
}
