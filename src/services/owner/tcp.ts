import type { Socket } from "node:net";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { tcpTarget } from "../../expose/target/dial.ts";
import type { JudgeOptions } from "../../expose/target/judge.ts";
import { targetName, type ServiceTarget } from "../../expose/target/parse.ts";
import type { Clock } from "../../runtime/clock.ts";
import { join } from "../connection/join.ts";
import { SERVICES_LIMITS } from "../limits.ts";
import type { Handler } from "./handler.ts";

/**
 * A service that speaks whatever it speaks.
 * @throws {TunnelError} expose-target-*, service-silent
 */
export async function tcpHandler(
  target: ServiceTarget,
  options: JudgeOptions & { readonly clock: Clock },
): Promise<Handler> {
  const { dialMs } = SERVICES_LIMITS;
  const { dial } = await tcpTarget(target, { ...options, dialMs });
  const dialled = async (): Promise<Socket> => {
    const socket = await dial();
    if (socket === undefined) throw new TunnelError("service-silent");
    return socket;
  };
  (await dialled()).destroy();
  return {
    target: targetName(target, "tcp"),
    port: target.port,
    warnings: [],
    async connect() {
      const socket = await dialled();
      // Its first words wait until both ends can hear them.
      socket.pause();
      return { take: (through) => join(socket, through), drop: () => void socket.destroy() };
    },
    close: () => Promise.resolve(),
  };
}
