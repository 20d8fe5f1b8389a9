import * as z from "zod";
import { KINDS } from "../../uplink/messages.ts";

export const HISTORY = {
  entries: 5_000,
  /** Beyond that, before the oldest are dropped together. */
  slack: 500,
  /** Tokens whose last use is remembered. */
  tokens: 10_000,
} as const;

const count = z.number().int().nonnegative();

/** One tunnel that is over, as it is kept. Times in ms since the epoch. */
export const endedTunnel = z.object({
  id: count,
  kind: z.enum(KINDS),
  name: z.string().max(128),
  url: z.string().max(512),
  tokenId: z.string().max(128),
  source: z.string().max(64),
  since: count,
  until: count,
  why: z.string().max(40),
  visits: count,
  bytesIn: count,
  bytesOut: count,
});

export type EndedTunnel = z.infer<typeof endedTunnel>;
