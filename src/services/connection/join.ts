import type { Socket } from "node:net";
import type { Transform } from "node:stream";
import type { StreamSocket } from "./stream-socket.ts";

/**
 * Joins a TCP connection of this machine to one through the room. Each direction ends for itself; a reset of one is a reset of the
 * other, so that neither program takes a cut for an end.
 * @param guard what goes from this machine's side passes it
 */
export function join(local: Socket, through: StreamSocket, guard?: Transform): void {
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
  if (guard === undefined) local.pipe(through);
  else local.pipe(guard).pipe(through);
  through.pipe(local);
}
