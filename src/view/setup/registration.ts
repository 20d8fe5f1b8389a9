import { shellLine } from "../../runtime/shell-line.ts";

/**
 * How the other human sets tunnel-mcp up, once. The npm name `tunnel-mcp` is not this project's until it has been
 * published under it: until then nobody may be told to fetch it, since they would get somebody else's program
 * (docs/DECISIONS.md). `npx -y tunnel-mcp` becomes the command here on the day of publication.
 */
export const PUBLISHED = false;

/** How a client starts the server. */
export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
}

/** The command to register for a copy of the program. @param bundle absolute path */
export function serverCommand(bundle: string): ServerCommand {
  return PUBLISHED ? { command: "npx", args: ["-y", "tunnel-mcp"] } : { command: "node", args: [bundle] };
}

/** The words that a person types before a command of this program. @param bundle absolute path */
export function programOf(bundle: string): readonly string[] {
  const { command, args } = serverCommand(bundle);
  return [command, ...args];
}

/** The line that registers the server with Claude Code for all folders, as `setup` does, for a shell of `platform`; `bundle` as for {@link serverCommand}. */
export function registration(bundle: string, platform: string): string {
  const { command, args } = serverCommand(bundle);
  return shellLine(["claude", "mcp", "add", "--scope", "user", "tunnel", "--", command, ...args], platform);
}

/** The line for a machine whose paths are not known here. */
export const REGISTRATION = registration("/path/to/tunnel-mcp/dist/tunnel-mcp.cjs", "linux");

/** The same as one instruction to somebody who has nothing yet. */
export const SET_UP = PUBLISHED
  ? REGISTRATION
  : `in a clone of tunnel-mcp: npm ci && npm run build, then ${REGISTRATION} (with the clone's own path; not the npm package of that name, which is somebody else's)`;
