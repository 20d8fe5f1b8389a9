/**
 * Baseline of a refused stranger: the same bytes to and fro, by bare node:http and ws, with nothing checked. Everything
 * is 404, an upgrade of /refused is 429, and any other WebSocket gets 50 bytes, and for whatever it answers one byte and
 * the end.
 */
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { serve, usage } from "./side.mjs";

const CHALLENGE_BYTES = 50;
const DENIED_CODE = 4001;

serve({
  async open() {
    const server = createServer((_request, response) => {
      response.shouldKeepAlive = false;
      response.writeHead(404, { "content-type": "text/plain" }).end("not found\n");
    });
    const upgrader = new WebSocketServer({ noServer: true, perMessageDeflate: false });
    server.on("upgrade", (request, socket, head) => {
      socket.on("error", () => socket.destroy());
      if (request.url === "/refused") {
        socket.once("finish", () => socket.destroy());
        socket.end("HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        return;
      }
      upgrader.handleUpgrade(request, socket, head, talk);
    });
    await new Promise((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
    return { origin: `ws://127.0.0.1:${server.address().port}` };
  },
  usage,
});

function talk(socket) {
  socket.on("error", () => socket.terminate());
  socket.once("message", () => {
    socket.send(new Uint8Array(1));
    socket.close(DENIED_CODE);
  });
  socket.send(new Uint8Array(CHALLENGE_BYTES));
}
