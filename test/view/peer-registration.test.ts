import { describe, expect, it } from "vitest";
import { peerRegistration } from "../../src/view/setup/peer-registration.ts";

const server = {
  name: "Ana's docs",
  url: "http://127.3.4.5:3000/mcp",
  header: { field: "X-Tunnel-Token", value: "s3cret" },
};
const line = (client: string | undefined, platform = "linux"): string =>
  peerRegistration(client, server, platform);

describe("the registration of a peer's MCP server", () => {
  it("is the line of Claude Code, for the shell of the platform", () => {
    expect(line("claude-code")).toBe(
      "claude mcp add --transport http peer-ana-s-docs http://127.3.4.5:3000/mcp --header 'X-Tunnel-Token: s3cret'",
    );
    expect(line("claude-code", "win32")).toBe(
      'claude mcp add --transport http peer-ana-s-docs http://127.3.4.5:3000/mcp --header "X-Tunnel-Token: s3cret"',
    );
  });

  it("is what other clients read", () => {
    expect(line("gemini-cli-mcp-client")).toBe(
      "gemini mcp add --transport http --header 'X-Tunnel-Token: s3cret' peer-ana-s-docs http://127.3.4.5:3000/mcp",
    );
    expect(line("codex-mcp-client")).toBe(
      '[mcp_servers.peer-ana-s-docs]\nurl = "http://127.3.4.5:3000/mcp"\nhttp_headers = { "X-Tunnel-Token" = "s3cret" }',
    );
    const headers = { "X-Tunnel-Token": "s3cret" };
    expect(JSON.parse(line(undefined))).toEqual({
      mcpServers: { "peer-ana-s-docs": { type: "http", url: server.url, headers } },
    });
  });

  it.each(["$(id)", "; rm -rf /", "--scope", "`x`\n", "", "workspace", "日本", "x".repeat(64), "'\"\\"])(
    "takes nothing of a label but letters: %j",
    (name) => {
      const made = peerRegistration("claude-code", { ...server, name }, "linux");
      expect(made).toMatch(/^claude mcp add --transport http peer-[a-z0-9][a-z0-9_-]{0,39} http:/);
    },
  );
});
