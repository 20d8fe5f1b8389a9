/** A TCP service in a process of its own, as the benchmark of services wants it: an echo, a source without end, or a source and sink of so many bytes. */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { serve } from "./side.mjs";

const BLOCK = Buffer.alloc(64 * 1024, 7);

const listen = (onSocket) =>
  new Promise((resolve) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      socket.on("error", () => undefined);
      onSocket(socket);
    });
    server.listen(0, "127.0.0.1", () => resolve(server.address().port));
  });

function give(socket, bytes) {
  let left = bytes;
  const fill = () => {
    while (left > 0 && !socket.destroyed) {
      const block = left >= BLOCK.length ? BLOCK : BLOCK.subarray(0, left);
      left -= block.length;
      if (!socket.write(block)) return;
    }
    if (left <= 0) socket.end();
  };
  socket.on("drain", fill);
  fill();
}

async function dialled(port) {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true, allowHalfOpen: true });
  await once(socket, "connect");
  return socket;
}

const held = [];

serve({
  /** So many clients of an echo at once, each of which says a word and hears it. */
  async many({ port, count }) {
    await Promise.all(
      Array.from({ length: count }, async () => {
        const socket = await dialled(port);
        socket.end("hello");
        let came = "";
        for await (const chunk of socket) came += String(chunk);
        if (came !== "hello") throw new Error("not what was said");
      }),
    );
  },
  /** So many clients that never read. */
  async hold({ port, count }) {
    const dial = async () => (await dialled(port)).on("error", () => undefined).pause();
    held.push(...(await Promise.all(Array.from({ length: count }, dial))));
  },
  letGo() {
    for (const socket of held.splice(0)) socket.destroy();
  },
  echo: () => listen((socket) => socket.pipe(socket)),
  /** Eight bytes say how many to give, as a number; what comes behind them is taken in, and its end is answered. */
  source: () =>
    listen((socket) =>
      socket.once("data", (asked) => {
        give(socket, asked.readDoubleBE(0));
        socket.resume();
      }),
    ),
  endless: () => listen((socket) => give(socket, Number.POSITIVE_INFINITY)),
});
