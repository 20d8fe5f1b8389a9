import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../runtime/clock.ts";

/**
 * Takes in what is left of a body whose answer has been given, for a while, and closes no earlier than that. Closing at once would
 * reset the connection, and the visitor might lose the answer that is under way (RFC 9112 §9.6).
 */
export function lingerOver(request: IncomingMessage, clock: Clock, ms: number): void {
  if (request.complete) return;
  const { socket } = request;
  request.removeAllListeners("data");
  request.resume();
  const stop = clock.after(ms, () => socket.destroy());
  // Node calls this behind an answer with `Connection: close`.
  socket.destroySoon = (): void => void socket.end();
  request.once("end", () => {
    Reflect.deleteProperty(socket, "destroySoon");
    socket.off("close", stop);
    stop();
    if (socket.writableEnded) socket.destroySoon();
  });
  socket.once("close", stop);
}

/** Says a last word on a connection that nobody can read any more, and closes it. */
export function lastWord(socket: Socket, bytes: Buffer, clock: Clock, ms: number): void {
  socket.removeAllListeners("data");
  socket.on("data", () => undefined).on("error", () => socket.destroy());
  socket.resume();
  socket.end(bytes);
  const stop = clock.after(ms, () => socket.destroy());
  socket.once("end", () => socket.destroy()).once("close", stop);
}
