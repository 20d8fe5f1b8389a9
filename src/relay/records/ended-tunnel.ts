import * as z from "zod/mini";
import { KINDS } from "../../uplink/messages.ts";

export const HISTORY = {
  entries: 5_000,
  /** Beyond that, before the oldest are dropped together. */
  slack: 500,
  /** Tokens whose last use is remembered. */
  tokens: 10_000,
} as const;

const count = z.number().check(z.int(), z.nonnegative());

/** One tunnel that is over, as it is kept. Times in ms since the epoch. */
export const endedTunnel = z.object({
  id: count,
  kind: z.enum(KINDS),
  name: z.string().check(z.maxLength(128)),
  url: z.string().check(z.maxLength(512)),
  tokenId: z.string().check(z.maxLength(128)),
  source: z.string().check(z.maxLength(64)),
  since: count,
  until: count,
  why: z.string().check(z.maxLength(40)),
  visits: count,
  bytesIn: count,
  bytesOut: count,
});

export type EndedTunnel = z.infer<typeof endedTunnel>;
