import { TunnelError } from "../../errors/tunnel-error.ts";
import { Servers } from "../../watch/servers.ts";
import { agentShell } from "../io/agent-shell.ts";
import { jsonFace } from "./face.ts";
import { PersonFace } from "./person-face.ts";
import type { WatchOptions } from "./watch-options.ts";
import { stayAlive } from "../io/stay.ts";

/**
 * Shows a person what happens in the tunnels of all their servers, and takes their decisions.
 * @throws {TunnelError} watch-no-terminal, watch-in-agent
 */
export async function watch(options: WatchOptions): Promise<0> {
  const client = agentShell(options.env);
  if (client !== undefined)
    throw new TunnelError("watch-in-agent", { detail: `this looks like the shell of ${client}` });
  if (!options.isJson && !options.isInteractive) throw new TunnelError("watch-no-terminal");
  const face = options.isJson ? jsonFace(options.output) : new PersonFace(options);
  const servers = new Servers({ ...options, face: "watch" }, face);
  options.onShutdown(async () => {
    face.quit();
    await face.done;
  });
  const leave = stayAlive();
  try {
    await servers.start();
    await face.done;
  } finally {
    servers.close();
    leave();
  }
  return 0;
}
