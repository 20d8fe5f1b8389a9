/**
 * Baseline of a burst: the least that a program of this kind can do. An MCP server of the SDK with one tool, which sends its text
 * over a bare WebSocket to the other process and answers when that process has confirmed it. Nothing is sealed, signed or ordered.
 */
import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { WebSocket, WebSocketServer } from "ws";
import * as z from "zod";

const OPTIONS = { perMessageDeflate: false };
const heard = [];
const waiting = new Map();
let socket;
let last = 0;

function speakOver(opened) {
  socket = opened;
  socket.on("message", (data) => {
    const { id, text } = JSON.parse(data);
    if (text === undefined) return confirmed(id);
    heard.push(text);
    socket.send(JSON.stringify({ id }));
  });
}

function confirmed(id) {
  waiting.get(id)();
  waiting.delete(id);
}

function listen() {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, ...OPTIONS });
  server.on("connection", speakOver);
  return new Promise((resolve) => server.once("listening", () => resolve(server.address().port)));
}

function dial(port) {
  const dialled = new WebSocket(`ws://127.0.0.1:${port}`, OPTIONS);
  speakOver(dialled);
  return new Promise((resolve, reject) => dialled.once("open", resolve).once("error", reject));
}

function say(text) {
  last += 1;
  const id = last;
  return new Promise((resolve) => {
    waiting.set(id, resolve);
    socket.send(JSON.stringify({ id, text }));
  });
}

const TOOLS = {
  listen: { input: z.object({}), run: async () => ({ port: await listen() }) },
  dial: { input: z.object({ port: z.int() }), run: async ({ port }) => void (await dial(port)) },
  say: { input: z.object({ text: z.string() }), run: async ({ text }) => void (await say(text)) },
  heard: { input: z.object({}), run: async () => ({ count: heard.length }) },
};

serveStdio(() => {
  const server = new McpServer({ name: "bare", version: "0" });
  for (const [name, { input, run }] of Object.entries(TOOLS)) {
    server.registerTool(name, { inputSchema: input }, async (given) => {
      const structuredContent = { status: "sent", ...(await run(given)) };
      return { content: [{ type: "text", text: JSON.stringify(structuredContent) }], structuredContent };
    });
  }
  return server;
});
// The SDK listens once for each answer that its client has not read yet.
process.stdout.setMaxListeners(0);
process.stdin.once("end", () => process.exit(0));
