import type { Socket } from "node:net";
import type { Clock } from "../../runtime/clock.ts";
import type { ExchangeEnd } from "../recorder.ts";
import type { GatewayLimits } from "./limits.ts";
import { Patience } from "./patience.ts";

export interface SpliceEvents {
  onChunk(from: "visitor" | "service", chunk: Buffer): void;
  onEnd(how: ExchangeEnd, why?: string): void;
}

/**
 * Carries bytes between two sockets, as they are, until either ends. What a side has sent before it ended still arrives.
 * @returns cuts both
 */
export function splice(
  visitor: Socket,
  service: Socket,
  clock: Clock,
  limits: Pick<GatewayLimits, "socketIdleMs" | "stallMs" | "lingerMs">,
  events: SpliceEvents,
): () => void {
  let isOver = false;
  const end = (how: ExchangeEnd, why?: string): void => {
    if (isOver) return;
    isOver = true;
    patience.stop();
    visitor.destroy();
    service.destroy();
    events.onEnd(how, why);
  };
  const patience = new Patience(clock, limits.socketIdleMs, () => end("limit", "idle"));

  function carry(from: Socket, to: Socket, name: "visitor" | "service"): void {
    from.on("data", (chunk: Buffer) => {
      events.onChunk(name, chunk);
      patience.progress();
      if (to.write(chunk)) return;
      from.pause();
      patience.wait(limits.stallMs);
    });
    to.on("drain", () => {
      patience.wait(limits.socketIdleMs);
      from.resume();
    });
    from.on("end", () => {
      to.end();
      patience.wait(limits.lingerMs);
    });
    const gone = name === "visitor" ? "visitor-left" : "service-cut";
    from.on("error", () => end(gone));
    from.on("close", () => {
      // Node closes a socket by itself when both of its sides have ended; the other one still has to send what is written.
      if (from.readableEnded && !to.destroyed && to.writableLength > 0)
        to.once("finish", () => end("complete"));
      else end(from.readableEnded ? "complete" : gone);
    });
    from.setNoDelay(true);
    from.setKeepAlive(true, 30_000);
    from.resume();
  }

  carry(visitor, service, "visitor");
  carry(service, visitor, "service");
  return () => end("stopped");
}
