import { connect } from "node:net";
import type { Clock } from "../../runtime/clock.ts";
import { every } from "../../runtime/wait.ts";
import type { Upstream } from "../upstream.ts";

/** A connection is opened and closed again: nothing is sent, so no service does anything for it. */
const LOOK_MS = 10_000;
const CONNECT_MS = 3_000;
/** A dev server that restarts is away for a moment. */
const MISSES = 2;

/** Tells when a service stops to take connections, and when it does so again, also while nobody visits. @returns ends it */
export function watchService(
  takesConnections: () => Promise<boolean>,
  { clock, onChange }: { readonly clock: Clock; readonly onChange: (isThere: boolean) => void },
): () => void {
  let misses = 0;
  let isOver = false;
  const look = async (): Promise<void> => {
    const does = await takesConnections();
    if (isOver) return;
    misses = does ? 0 : misses + 1;
    if (does || misses === MISSES) onChange(does);
  };
  const stop = every(clock, LOOK_MS, () => void look());
  return () => {
    isOver = true;
    stop();
  };
}

/** Whether a connection can be opened there. */
export function connects({ address, port }: Upstream): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const end = (does: boolean): void => {
      socket.destroy();
      resolve(does);
    };
    socket.setTimeout(CONNECT_MS, () => end(false));
    socket.once("connect", () => end(true)).once("error", () => end(false));
  });
}
