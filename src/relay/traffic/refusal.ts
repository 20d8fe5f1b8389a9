import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";

/** Answers a request for an upgrade with a status, and closes. */
export function refuse(socket: Duplex, status: number, retryAfterSeconds?: number): void {
  // Both directions: who keeps its own side open must not keep the socket.
  socket.once("finish", () => socket.destroy());
  socket.on("error", () => socket.destroy());
  const retry = retryAfterSeconds === undefined ? "" : `Retry-After: ${retryAfterSeconds}\r\n`;
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${retry}`;
  socket.end(`${head}X-Robots-Tag: noindex\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
