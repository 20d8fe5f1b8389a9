import { startChild } from "../../children/start.ts";
import type { Clock } from "../../runtime/clock.ts";
import { commandNamed, type ServerCommand } from "./servers-file.ts";
import type { StartServer } from "./stdio-server.ts";

/** How stdio servers are found and started. */
export interface StdioMeans {
  /** @throws {TunnelError} mcp-servers-*, mcp-server-unknown */
  readonly commandNamed: (name: string) => Promise<ServerCommand>;
  readonly start: (command: ServerCommand) => StartServer;
}

/** Stdio MCP servers of the human's file, each started under a guard with all that it starts itself. */
export function stdioServers(options: {
  /** The file; undefined where none is named. */
  readonly path: string | undefined;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where names of files begin. */
  readonly cwd: string;
  readonly folders: readonly string[];
  readonly platform: string;
}): StdioMeans {
  const { path, clock, env, cwd, folders, platform } = options;
  return {
    commandNamed: (name) => commandNamed(name, { path, cwd, env, platform }),
    start: (command) => (io) =>
      startChild({ ...command, ...io, clock, withDescendants: true, recordFolders: folders }),
  };
}
