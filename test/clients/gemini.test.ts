import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BUNDLE } from "../support/agent.ts";
import { Home, installAll, PLUGIN } from "./client.ts";

let home: Home;
beforeEach(() => {
  home = new Home();
  // In a folder that its user has not called trusted it starts no server at all.
  home.env["GEMINI_CLI_TRUST_WORKSPACE"] = "true";
});
afterEach(() => home.remove());

for (const gemini of installAll("@google/gemini-cli"))
  describe.skipIf(!gemini.ok)(gemini.label, () => {
    const script = gemini.ok ? path.join(gemini.folder, "bundle", "gemini.js") : "";
    /** Its commands answer on standard error. */
    const said = async (...args: string[]): Promise<string> => {
      const { stdout, stderr } = await home.runBy(process.execPath, script, ...args);
      return stdout + stderr;
    };

    it("connects to the server that was registered with it", async () => {
      await said("mcp", "add", "--scope", "user", "tunnel", "node", BUNDLE);
      expect(await said("mcp", "list")).toMatch(/tunnel: node .*tunnel-mcp\.cjs \(stdio\) - Connected/);
    });

    it("takes the extension with its server and its skill", async () => {
      expect(await said("extensions", "validate", PLUGIN)).toContain("successfully validated");
      await said("extensions", "link", PLUGIN, "--consent");
      expect(await said("mcp", "list")).toMatch(/tunnel \(from tunnel\): .* - Connected/);
      expect(await said("skills", "list")).toContain("tunnel-etiquette [Enabled]");
    });
  });
