import { TunnelError } from "../errors/tunnel-error.ts";
import { Feed } from "./feed.ts";
import { helloOf, type Watched } from "./hello.ts";
import { obey } from "./obey.ts";
import type { Hearing, Server } from "./servers.ts";

/** Whatever tells a view of what happens, for as long as somebody looks. */
export interface Source {
  start(): Promise<void>;
  /** Resolves once everything that is there has been told. */
  ready(): Promise<void>;
  close(): void;
}

/** The tunnels of this very process, for a view that only looks on: whoever reads along has no verb, and asks for earlier entries alone. */
export function watchHere(watched: Watched, hearing: Hearing): Source {
  const server: Server = {
    name: String(process.pid),
    async ask(command) {
      if (command.do !== "earlier") throw new TunnelError("observer-spoke");
      return obey({ ...command, id: 1 }, watched, { path: "page" });
    },
  };
  let feed: Feed | undefined;
  return {
    start: () => {
      hearing.hear(server, helloOf(watched));
      feed = new Feed({ ...watched, emit: (event) => hearing.hear(server, event) });
      return Promise.resolve();
    },
    ready: () => Promise.resolve(),
    close: () => feed?.stop(),
  };
}
