import type { Socket } from "node:net";
import type { StreamSocket } from "./stream-socket.ts";

/**
 * Joins a TCP connection of this machine to one through the room. Each direction ends for itself; a reset of one is a reset of the
 * other, so that neither program takes a cut for an end.
 */
export function join(local: Socket, through: StreamSocket): void {
  local.setNoDelay(true);
  local.setKeepAlive(true, 30_000);
  const quiet = (): void => undefined;
  local.on("error", quiet);
  through.on("error", quiet);
  local.once("close", () => {
    if (!local.readableEnded || !local.writableFinished) through.resetAndDestroy();
  });
  through.once("close", () => {
    if (!through.readableEnded || !through.writableFinished) local.resetAndDestroy();
  });
  local.pipe(through);
  through.pipe(local);
}
