import type { ClientProgram } from "../../protocol/room/work-context.ts";
import { mayAnswer } from "./answers.ts";
import { isAtLeast } from "./version.ts";

/**
 * The programs whose ways are known, by the name in their `clientInfo`. Each value was seen with the real program
 * (test/clients), or stands in its documentation; docs/DECISIONS.md names the source of each.
 */
interface KnownClient {
  /**
   * Set where the versions before those that ask (src/mcp/clients/answers.ts) are known to run a tool unasked that is marked with
   * `anthropic/requiresUserInteraction`. Others go by their own approvals.
   */
  readonly ignoredBefore?: true;
  /** The first version in which the end of a background command starts a turn, with a person there and without. */
  readonly commandsWakeSince?: { readonly attended: string; readonly headless: string };
  /** The first version in which a plugin's monitor was seen to start a turn. */
  readonly monitorsSince?: string;
  /** Whether it takes events of channels from a server that speaks the 2025 era. */
  readonly takesChannels?: true;
}

const CLIENTS: Readonly<Record<string, KnownClient>> = {
  "claude-code": {
    ignoredBefore: true,
    commandsWakeSince: { attended: "2.1.197", headless: "2.1.332" },
    monitorsSince: "2.1.332",
    takesChannels: true,
  },
  "codex-mcp-client": {},
  "copilot-cli": { commandsWakeSince: { attended: "1.0.102", headless: "1.0.102" } },
  "gemini-cli-mcp-client": {},
  opencode: {},
};

/** The ways of the client at the other end of stdio. A value that is not known is the safe one. */
export interface ClientTraits {
  /** It runs `tunnel_receive` without the human's consent that the tool asks for, as far as is known. */
  readonly ignoresHuman: boolean;
  /** `nothing`: no background command starts a turn in it. `unknown`: nobody has seen whether one does. */
  readonly wokenBy: "command" | "nothing" | "unknown";
  /** It runs the monitors of its plugins, and shows its agent what they print. */
  readonly runsMonitors: boolean;
  readonly takesChannels: boolean;
}

const UNKNOWN: ClientTraits = {
  ignoresHuman: false,
  wokenBy: "unknown",
  runsMonitors: false,
  takesChannels: false,
};

/** @param isHeadless whether its session ends with its turn, as far as the environment tells */
export function traitsOf(client: ClientProgram | undefined, isHeadless: boolean): ClientTraits {
  const known =
    client !== undefined && Object.hasOwn(CLIENTS, client.name) ? CLIENTS[client.name] : undefined;
  if (client === undefined || known === undefined) return UNKNOWN;
  const { ignoredBefore, commandsWakeSince, monitorsSince, takesChannels } = known;
  const is = (since: string | undefined): boolean | undefined =>
    since === undefined ? undefined : isAtLeast(client.version, since);
  return {
    ignoresHuman: ignoredBefore === true && mayAnswer(client, "call", ["receive"]) === false,
    wokenBy: is(commandsWakeSince?.[isHeadless ? "headless" : "attended"]) === true ? "command" : "nothing",
    runsMonitors: !isHeadless && is(monitorsSince) === true,
    takesChannels: takesChannels === true,
  };
}
