import { readDescriptors, type Descriptor } from "../../control/descriptor.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { every } from "../../runtime/wait.ts";
import { WatchClient } from "../../watch/client.ts";
import { agentShell } from "./agent-shell.ts";
import type { Server } from "./board.ts";
import { jsonFace, type Face } from "./face.ts";
import { PersonFace } from "./person-face.ts";
import type { WatchOptions } from "./watch-options.ts";

/** Servers come and go while somebody watches. */
const LOOK_MS = 1_000;

/**
 * Shows a person what happens in the tunnels of all their servers, and takes their decisions.
 * @throws {TunnelError} watch-no-terminal, watch-in-agent (H8)
 */
export async function watch(options: WatchOptions): Promise<0> {
  const client = agentShell(options.env);
  if (client !== undefined)
    throw new TunnelError("watch-in-agent", { detail: `this looks like the shell of ${client}` });
  if (!options.isJson && !options.isInteractive) throw new TunnelError("watch-no-terminal");
  const face = options.isJson ? jsonFace(options.output) : new PersonFace(options);
  const servers = new Servers(options, face);
  options.onShutdown(async () => face.quit());
  const alive = setInterval(() => undefined, 2 ** 31 - 1);
  try {
    await servers.look();
    const stop = every(options.clock, LOOK_MS, () => void servers.look());
    await face.done;
    stop();
  } finally {
    servers.close();
    clearInterval(alive);
  }
  return 0;
}

/** The servers that are being watched. */
class Servers {
  readonly #options: WatchOptions;
  readonly #face: Face;
  readonly #clients = new Map<string, WatchClient>();

  constructor(options: WatchOptions, face: Face) {
    this.#options = options;
    this.#face = face;
  }

  async look(): Promise<void> {
    const { folders, platform } = this.#options;
    for (const found of await readDescriptors(folders, platform, undefined, "watch")) this.#join(found);
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }

  #join(descriptor: Descriptor): void {
    const { endpoint, pid } = descriptor;
    if (this.#clients.has(endpoint)) return;
    const server: Server = { name: String(pid), ask: (command) => client.ask(command) };
    const client = new WatchClient(descriptor, this.#options.version, {
      event: (event) => this.#face.hear(server, event),
      closed: () => {
        this.#clients.delete(endpoint);
        this.#face.gone(server);
      },
    });
    this.#clients.set(endpoint, client);
  }
}
