import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { registration } from "../../src/view/setup/registration.ts";
import { BUNDLE } from "../support/agent.ts";
import { Home, installAll, ROOT } from "./client.ts";

let home: Home;
beforeEach(() => void (home = new Home()));
afterEach(() => home.remove());

for (const claude of installAll("@anthropic-ai/claude-code"))
  describe.skipIf(!claude.ok)(claude.label, () => {
    // The bin is put in place by an install script; this starts the same program without one.
    const script = claude.ok ? path.join(claude.folder, "cli-wrapper.cjs") : "";

    it("connects to the server that was registered with the line of --help", async () => {
      const [program, ...args] = registration(BUNDLE, process.platform).split(" ");
      expect(program).toBe("claude");
      await home.run(script, ...args);
      expect(await home.run(script, "mcp", "list")).toMatch(
        /^tunnel: node .*tunnel-mcp\.cjs - ✔ Connected$/m,
      );
    });

    it.each(["dist/plugin", ".claude-plugin/marketplace.json"])(
      "finds nothing wrong with %s",
      async (place) => {
        expect(await home.run(script, "plugin", "validate", "--strict", path.join(ROOT, place))).toContain(
          "Validation passed",
        );
      },
    );

    it("takes the plugin with its server, its skill and its commands", async () => {
      await home.run(script, "plugin", "marketplace", "add", ROOT);
      await home.run(script, "plugin", "install", "tunnel@tunnel-mcp");
      expect(await home.run(script, "mcp", "list")).toMatch(/^plugin:tunnel:tunnel: .* - ✔ Connected$/m);
      const details = await home.run(script, "plugin", "details", "tunnel");
      expect(details).toContain("handover, join, pair, tunnel-etiquette");
    });
  });
