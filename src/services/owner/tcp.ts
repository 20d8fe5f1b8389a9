import { connect, type Socket } from "node:net";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { judgeTarget, type JudgeOptions } from "../../expose/target/judge.ts";
import { targetName, type ServiceTarget } from "../../expose/target/parse.ts";
import type { Clock } from "../../runtime/clock.ts";
import { join } from "../connection/join.ts";
import { SERVICES_LIMITS } from "../limits.ts";
import type { Handler } from "./handler.ts";

/**
 * A service that speaks whatever it speaks. It is dialled by the address that was judged, and by no name.
 * @throws {TunnelError} expose-target-*, service-silent
 */
export async function tcpHandler(
  target: ServiceTarget,
  { clock, ...options }: JudgeOptions & { readonly clock: Clock },
): Promise<Handler> {
  const { addresses } = await judgeTarget(target, options);
  const { port } = target;
  let known: string | undefined;
  const dialAny = async (): Promise<Socket> => {
    const order = [...addresses].toSorted((one, other) => Number(other === known) - Number(one === known));
    for (const address of order) {
      const socket = await dial(address, port, clock);
      if (socket === undefined) continue;
      known = address;
      return socket;
    }
    throw new TunnelError("service-silent");
  };
  (await dialAny()).destroy();
  return {
    target: targetName(target).replace(/^https?:/, "tcp:"),
    port,
    warnings: [],
    async connect() {
      const socket = await dialAny();
      // Its first words wait until both ends can hear them.
      socket.pause();
      return { take: (through) => join(socket, through), drop: () => void socket.destroy() };
    },
    close: () => Promise.resolve(),
  };
}

function dial(address: string, port: number, clock: Clock): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, allowHalfOpen: true });
    const stop = clock.after(SERVICES_LIMITS.dialMs, () => end(undefined));
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
