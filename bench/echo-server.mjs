/** Baseline: the least that the MCP SDK can serve. One tool, which answers with what it was given. */
import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import * as z from "zod";

serveStdio(() => {
  const server = new McpServer({ name: "echo", version: "0" });
  const inputSchema = z.object({ text: z.string() });
  server.registerTool("echo", { inputSchema }, async ({ text }) => ({ content: [{ type: "text", text }] }));
  return server;
});
process.stdin.once("end", () => process.exit(0));
