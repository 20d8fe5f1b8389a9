/**
 * Baseline of a folder: `tar` of it over bare `ws` with its default options, unpacked at the other end. A sender and a receiver in
 * processes of their own, with a bound on what waits to be sent.
 */
import { spawn } from "node:child_process";
import { WebSocket, WebSocketServer } from "ws";
import { serve, usage } from "./side.mjs";

/** What may wait at the sending socket: enough that it never runs dry. */
const BUFFERED_BYTES = 1024 * 1024;

let socket;

const ended = (child) =>
  new Promise((resolve, reject) =>
    child
      .once("error", reject)
      .once("close", (code) => (code === 0 ? resolve() : reject(new Error(`tar has ended with ${code}`)))),
  );

async function send(folder) {
  const tar = spawn("tar", ["-cf", "-", "-C", folder, "."], { stdio: ["ignore", "pipe", "inherit"] });
  const done = ended(tar);
  let onSent = () => undefined;
  const sent = (error) => onSent(error);
  for await (const message of tar.stdout) {
    socket.send(message, sent);
    while (socket.bufferedAmount > BUFFERED_BYTES) {
      await new Promise((resolve, reject) => {
        onSent = (error) => (error ? reject(error) : resolve());
      });
    }
  }
  await done;
  // An empty message is the end.
  socket.send(Buffer.alloc(0));
}

/** Resolves when everything is unpacked. */
async function take(folder) {
  const tar = spawn("tar", ["-xf", "-", "-C", folder], { stdio: ["pipe", "ignore", "inherit"] });
  const done = ended(tar);
  tar.stdin.on("drain", () => socket.resume());
  socket.on("message", function hear(data) {
    if (data.length === 0) {
      socket.off("message", hear).resume();
      tar.stdin.end();
    } else if (!tar.stdin.write(data)) socket.pause();
  });
  socket.resume();
  await done;
}

serve({
  async open() {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    server.on("connection", (connected) => {
      socket = connected;
      // Nothing is read before somebody takes it.
      socket.pause();
    });
    await new Promise((resolve, reject) => server.once("listening", resolve).once("error", reject));
    return { url: `ws://127.0.0.1:${server.address().port}` };
  },
  async dial({ url }) {
    socket = new WebSocket(url);
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    socket.pause();
  },
  send: ({ folder }) => send(folder),
  receive: ({ folder }) => take(folder),
  usage,
});
