/** Baseline: a WebSocket server that sends every message back. Prints its port; ends with its stdin. */
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
server.on("listening", () => console.log(server.address().port));
server.on("connection", (socket) => {
  socket.on("message", (data) => socket.send(data));
});
process.stdin.once("end", () => process.exit(0)).resume();
