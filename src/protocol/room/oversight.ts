import * as z from "zod/mini";
import { counter } from "../base/header.ts";

/**
 * How a member's own person bounds its agent, told to the others as it is now (PROTOCOL §7): whether the agent may speak, and how much
 * of its budgets is used. It is that side's own word, and bounds nobody else.
 */
const gauge = z.strictObject({ used: counter, limit: counter });

export const oversightSchema = z.strictObject({
  /** `held`: it has to stop until its person lets it go on. `paused`: its person has stopped it, and nothing is delivered to it. */
  state: z.enum(["free", "held", "paused"]),
  /** Left out where that side has none. */
  budgets: z.optional(z.strictObject({ messages: gauge, bytes: gauge, files: gauge, minutes: gauge })),
});

export type Oversight = z.infer<typeof oversightSchema>;
