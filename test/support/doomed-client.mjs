/**
 * An MCP client that owns a server and is to be killed: starts `argv[2]` with Node over pipes, opens a tunnel, prints
 * one line of JSON about it, and stays. With HOLD=1 another process keeps the server's stdin open for ever.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const [, , bundle] = process.argv;
const server = spawn(process.execPath, [bundle], { stdio: ["pipe", "pipe", "inherit"], env: process.env });
let holder;
if (process.env.HOLD === "1") {
  // Given the writing end of the pipe as its own standard input, and nothing to do.
  const idle = "setInterval(() => {}, 1e6)";
  holder = spawn(process.execPath, ["-e", idle], { stdio: [server.stdin, "ignore", "ignore"] });
}
const send = (message) => server.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
createInterface({ input: server.stdout }).on("line", (line) => {
  const { id, result } = JSON.parse(line);
  if (id === 1) {
    send({ method: "notifications/initialized" });
    send({ id: 2, method: "tools/call", params: { name: "tunnel_open", arguments: { goal: "doomed" } } });
  }
  if (id === 2) {
    const { joinLink } = result.structuredContent;
    process.stdout.write(`${JSON.stringify({ server: server.pid, holder: holder?.pid, joinLink })}\n`);
  }
});
send({
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "doomed", version: "0" } },
});
