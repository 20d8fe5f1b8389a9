import * as z from "zod";
import type { DemoAgent } from "./agent.ts";

export const GOAL = "Agree on the shape of GET /orders before both sides build it";

const openSchema = z.union([
  z.object({ joinLink: z.string() }),
  z.object({ status: z.literal("opening"), tunnelId: z.string() }),
]);
export const joinSchema = z.object({ goal: z.string(), safetyCode: z.string() });

/** Opens a tunnel, however long that takes, and gives the link to it. */
export async function openTunnel(agent: DemoAgent): Promise<string> {
  let answer = await agent.call("tunnel_open", { goal: GOAL }, openSchema);
  while (!("joinLink" in answer))
    answer = await agent.call("tunnel_listen", { tunnelId: answer.tunnelId }, openSchema);
  return answer.joinLink;
}

/** The link without its secret, safe to be shown. */
export function withoutSecret(joinLink: string): string {
  return joinLink.replace(/#.*$/s, "#1.(secret key)");
}
