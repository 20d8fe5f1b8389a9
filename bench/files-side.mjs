/**
 * Baseline of the file transfer: the same bytes over bare `ws` with its default options (so a client masks what it sends).
 * A sender and a receiver in processes of their own; messages as long as the program's, and a bound on what waits to be sent.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { WebSocket, WebSocketServer } from "ws";
import { serve, usage } from "./side.mjs";

/** As long as the longest record of the program. */
const MESSAGE_BYTES = 128 * 1024;
/** What may wait at the sending socket: enough that it never runs dry, and no more than a file transfer should hold. */
const BUFFERED_BYTES = 1024 * 1024;

let socket;

async function send(messages) {
  let onSent = () => undefined;
  const sent = (error) => onSent(error);
  for await (const message of messages) {
    socket.send(message, sent);
    while (socket.bufferedAmount > BUFFERED_BYTES) {
      await new Promise((resolve, reject) => {
        onSent = (error) => (error ? reject(error) : resolve());
      });
    }
  }
}

function* fromMemory(bytes) {
  const message = Buffer.alloc(MESSAGE_BYTES, 7);
  for (let left = bytes; left > 0; left -= message.length)
    yield left < message.length ? message.subarray(0, left) : message;
}

/** Resolves when all bytes are there, and in the file if there is one. */
function take(bytes, file) {
  const out = file === undefined ? undefined : createWriteStream(file, { highWaterMark: BUFFERED_BYTES });
  let left = bytes;
  return new Promise((resolve, reject) => {
    out?.on("error", reject).on("drain", () => socket.resume());
    socket.on("message", function hear(data) {
      left -= data.length;
      if (out?.write(data) === false) socket.pause();
      if (left > 0) return;
      socket.off("message", hear).resume();
      if (out === undefined) resolve();
      else out.end(resolve);
    });
  });
}

serve({
  async open() {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    server.on("connection", (connected) => (socket = connected));
    await new Promise((resolve, reject) => server.once("listening", resolve).once("error", reject));
    return { url: `ws://127.0.0.1:${server.address().port}` };
  },
  async dial({ url }) {
    socket = new WebSocket(url);
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  },
  send: ({ file, bytes }) =>
    send(file === undefined ? fromMemory(bytes) : createReadStream(file, { highWaterMark: MESSAGE_BYTES })),
  receive: ({ file, bytes }) => take(bytes, file),
  usage,
});
