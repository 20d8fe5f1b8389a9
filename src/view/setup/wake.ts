import type { EndpointState } from "../../control/endpoint.ts";
import type { TunnelId } from "../../session/session.ts";
import { shellLine } from "../../runtime/shell-line.ts";

/** How an agent that has ended its turn is woken. `human`: by nothing in this client, so somebody must tell it. */
type WokenBy = "monitor" | "command" | "human";

/** Facts about the client and its surroundings that decide it. */
export interface WakeFacts {
  /** See {@link ClientTraits}. */
  readonly wokenBy: "command" | "nothing" | "unknown";
  /** A program watches the tunnel all the time, and its client shows the agent what it prints. */
  readonly isWatched: boolean;
  /** The session ends with the turn, and the tunnel with it. */
  readonly isHeadless: boolean;
}

export interface WakePaths extends WakeFacts {
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
  readonly by: WokenBy;
  /** A command that ends when something is unread; left out where it cannot work, or would wake nobody or twice. */
  readonly command: string | undefined;
  readonly commandProblem: string | undefined;
  /** What is to be known of the command in a client that nobody has tried. */
  readonly commandNote: string | undefined;
  readonly channel: string;
  /** For an agent with nothing else to do: what it then does, as a sentence of a result. */
  readonly next: string;
}

function idleAdvice(by: WokenBy, isHeadless: boolean): string {
  switch (by) {
    case "monitor":
      return "With nothing else to do, end your turn: a monitor of this server wakes you. Run no command for it.";
    case "command":
      return "With nothing else to do, run wake.command (tunnel_status) in the background, one at a time, and end your turn: its end wakes you.";
    case "human":
      return isHeadless
        ? "Nothing wakes you here, and the tunnel may end with your turn: while you wait for something, listen again."
        : "Nothing wakes you here. With nothing else to do, listen again; or tell your human, end your turn, and have them say when to listen.";
  }
}

/** How an agent is woken, by the facts. */
function wokenByOf({ wokenBy: known, isWatched }: WakeFacts): WokenBy {
  if (isWatched) return "monitor";
  return known === "command" ? "command" : "human";
}

const IF_REPORTED = "it wakes you only in a client that itself tells you when a background command ends";
const IF_CHANNEL = " If a <channel> event of this server has come before, leave the command out.";

export function wakeView(tunnelId: TunnelId, paths: WakePaths): WakeView {
  const { bundle, platform, endpoint, channel, isHeadless } = paths;
  const isUsable = endpoint === "open" || endpoint === "unopened";
  const found = wokenByOf(paths);
  const by = found === "command" && !isUsable ? "human" : found;
  const isOffered = found === "command" || (found === "human" && paths.wokenBy === "unknown");
  // With slashes: Git Bash takes backslashes away.
  const program = platform === "win32" ? bundle.replaceAll("\\", "/") : bundle;
  return {
    by,
    command:
      isOffered && isUsable
        ? shellLine(["node", program, "wake", "--tunnel", tunnelId], platform)
        : undefined,
    commandProblem:
      isOffered && !isUsable ? "no private folder for the local endpoint could be made here" : undefined,
    commandNote: by === "human" && isOffered && isUsable ? IF_REPORTED : undefined,
    channel: CHANNELS[channel],
    next: idleAdvice(by, isHeadless) + (by === "command" && channel === "declared" ? IF_CHANNEL : ""),
  };
}
