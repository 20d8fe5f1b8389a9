import { readDescriptors, type Descriptor } from "../../control/descriptor.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { every } from "../../runtime/wait.ts";
import { WatchClient } from "../../watch/client.ts";
import { agentShell } from "../io/agent-shell.ts";
import type { Server } from "./board.ts";
import { jsonFace, type Face } from "./face.ts";
import { PersonFace } from "./person-face.ts";
import type { WatchOptions } from "./watch-options.ts";
import { stayAlive } from "../io/stay.ts";

/** Servers come and go while somebody watches. */
const LOOK_MS = 1_000;

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
  const servers = new Servers(options, face);
  options.onShutdown(async () => {
    face.quit();
    await face.done;
  });
  const leave = stayAlive();
  try {
    await servers.look();
    const stop = every(options.clock, LOOK_MS, () => void servers.look());
    await face.done;
    stop();
  } finally {
    servers.close();
    leave();
  }
  return 0;
}

/** The servers that are being watched. */
class Servers {
  readonly #options: WatchOptions;
  readonly #face: Face;
  readonly #clients = new Map<string, WatchClient>();
  /** Endpoints of servers of another version. */
  readonly #others = new Set<string>();
  #isOver = false;

  constructor(options: WatchOptions, face: Face) {
    this.#options = options;
    this.#face = face;
  }

  async look(): Promise<void> {
    const { folders, platform } = this.#options;
    const found = await readDescriptors(folders, platform, undefined, "watch");
    if (!this.#isOver) for (const one of found) this.#join(one);
  }

  close(): void {
    this.#isOver = true;
    for (const client of this.#clients.values()) client.close();
  }

  #join(descriptor: Descriptor): void {
    const { endpoint, pid } = descriptor;
    if (this.#clients.has(endpoint) || this.#others.has(endpoint)) return;
    const server: Server = { name: String(pid), ask: (command) => client.ask(command) };
    const client = new WatchClient(descriptor, this.#options.version, {
      event: (event) => {
        if (event.t !== "hello" || event.server.version === this.#options.version)
          return this.#face.hear(server, event);
        this.#others.add(endpoint);
        client.close();
        this.#face.isOther(server, event.server.version);
      },
      closed: () => {
        this.#clients.delete(endpoint);
        if (!this.#others.has(endpoint)) this.#face.gone(server);
      },
    });
    this.#clients.set(endpoint, client);
  }
}
