import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../runtime/clock.ts";

/**
 * Takes in what is left of a body whose answer has been given, for a while. Closing at once would reset the connection, and the
 * visitor might lose the answer that is under way (RFC 9112 §9.6).
 */
export function lingerOver(request: IncomingMessage, clock: Clock, ms: number): void {
  if (request.complete) return;
  request.removeAllListeners("data");
  request.resume();
  const stop = clock.after(ms, () => request.socket.destroy());
  request.once("end", stop).once("close", stop);
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
