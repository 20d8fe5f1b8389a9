import { connect, type Socket } from "node:net";
import type { Clock } from "../../runtime/clock.ts";
import { judgeTarget, type JudgeOptions } from "./judge.ts";
import type { ServiceTarget } from "./parse.ts";

/** A service that speaks whatever it speaks. */
export interface TcpTarget {
  /** A connection to it, or undefined where nobody takes one. The address that answered last is tried first. */
  readonly dial: () => Promise<Socket | undefined>;
}

/**
 * Dialled by the addresses that were judged, and by no name.
 * @throws {TunnelError} expose-target-not-local, -refused, -own, -forbidden
 */
export async function tcpTarget(
  target: ServiceTarget,
  { clock, dialMs, ...options }: JudgeOptions & { readonly clock: Clock; readonly dialMs: number },
): Promise<TcpTarget> {
  const { addresses } = await judgeTarget(target, options);
  let known: string | undefined;
  return {
    async dial() {
      const order = addresses.toSorted((one, other) => Number(other === known) - Number(one === known));
      for (const address of order) {
        const socket = await dial(address, target.port, { clock, dialMs });
        if (socket === undefined) continue;
        known = address;
        return socket;
      }
      return undefined;
    },
  };
}

function dial(
  address: string,
  port: number,
  { clock, dialMs }: { readonly clock: Clock; readonly dialMs: number },
): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, allowHalfOpen: true });
    const stop = clock.after(dialMs, () => end(undefined));
    const failed = (): void => end(undefined);
    function end(found: Socket | undefined): void {
      stop();
      socket.off("error", failed);
      // A reset in between has nobody to tell yet: the close that follows tells.
      socket.on("error", () => undefined);
      if (found === undefined) socket.destroy();
      resolve(found);
    }
    socket.once("connect", () => end(socket)).once("error", failed);
  });
}
