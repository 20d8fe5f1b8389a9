import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TOOLS } from "../../src/mcp/tools/index.ts";
import { BUNDLE } from "../support/agent.ts";
import { AppServer } from "./app-server.ts";
import { Home, installAll, ROOT } from "./client.ts";

const names = TOOLS.map(({ name }) => name).sort();

let home: Home;
let servers: AppServer[];
beforeEach(() => {
  home = new Home();
  servers = [];
});
afterEach(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  home.remove();
});

async function started(script: string, env: Record<string, string> = {}): Promise<AppServer> {
  const server = await AppServer.start(script, home, env);
  servers.push(server);
  return server;
}

/** Codex hands no variable of its own environment to a server, so the settings belong into its configuration. */
async function register(script: string): Promise<void> {
  const settings = ["TUNNEL_TRANSPORT=direct", "TUNNEL_DOH=off", "TUNNEL_KEEP_MINUTES=0"].flatMap((pair) => [
    "--env",
    pair,
  ]);
  await home.run(script, "mcp", "add", "tunnel", ...settings, "--", "node", BUNDLE);
}

for (const codex of installAll("@openai/codex"))
  describe.skipIf(!codex.ok)(codex.label, () => {
    const script = codex.ok ? path.join(codex.folder, "bin", "codex.js") : "";

    it("lists the server that was registered with it, and finds every tool", async () => {
      await register(script);
      expect(await home.run(script, "mcp", "list")).toContain(BUNDLE);
      const server = await started(script);
      expect((await server.tools()).get("tunnel")).toEqual(names);
    });

    it("carries a whole conversation between two of its sessions", async () => {
      await register(script);
      const [ana, ben] = [await started(script), await started(script)];
      const opened = await ana.call("tunnel_open", { goal: "agree on GET /orders", name: "ana" });
      const joined = await ben.call("tunnel_join", { joinLink: opened["joinLink"], name: "ben" });
      expect(joined).toMatchObject({ goal: "agree on GET /orders" });
      await ben.call("tunnel_say", { text: "An object with a cursor?", intent: "request" });
      const heard = await ana.call("tunnel_listen", { timeoutMs: 20_000 });
      expect(JSON.stringify(heard["messages"])).toContain("An object with a cursor?");
    });

    it("takes the plugin, and hands its server the settings it was started with", async () => {
      await home.run(script, "plugin", "marketplace", "add", ROOT);
      await home.run(script, "plugin", "add", "tunnel@tunnel-mcp");
      const server = await started(script, { TUNNEL_TRANSPORT: "direct", TUNNEL_NAME: "ana of codex" });
      expect((await server.tools()).get("tunnel")).toEqual(names);
      const opened = await server.call("tunnel_open", { goal: "be seen by a name from the environment" });
      expect(opened).toMatchObject({ transport: "direct", self: { name: "ana of codex" } });
    });
  });
