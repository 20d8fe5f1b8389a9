import * as z from "zod/mini";
import { counter, ordinal } from "../../protocol/base/header.ts";
import { keptError } from "./errors.ts";

/** Notices that tell how something ended which an agent was told to wait for. Until it has read one, a later process tells it again. */

const offered = z.strictObject({ fileId: z.string(), name: z.string(), size: counter });
const received = z.strictObject({
  fileId: z.string(),
  name: z.string(),
  size: counter,
  target: z.string(),
});
const place = { seq: z.optional(ordinal), ownNo: z.optional(ordinal) };

export const keptNotice = z.discriminatedUnion("notice", [
  z.strictObject({
    notice: z.literal("decided"),
    askId: z.optional(ordinal),
    outcome: z.enum(["approved", "edited", "refused", "expired", "withdrawn", "released"]),
    reason: z.optional(z.string()),
    sent: z.optional(
      z.discriminatedUnion("status", [
        z.strictObject({ status: z.literal("sent"), seq: ordinal }),
        z.strictObject({ status: z.enum(["queued", "unconfirmed"]), reason: z.string(), ...place }),
      ]),
    ),
    error: z.optional(keptError),
  }),
  z.strictObject({
    notice: z.literal("service-over"),
    serviceId: z.string(),
    name: z.string(),
    why: z.enum(["withdrawn", "expired", "owner-left", "denied", "restarted"]),
  }),
  z.strictObject({ notice: z.literal("file-offered"), file: offered }),
  z.strictObject({ notice: z.literal("file-held"), file: offered, askId: z.optional(ordinal) }),
  z.strictObject({ notice: z.literal("file-not-offered"), path: z.optional(z.string()), error: keptError }),
  z.strictObject({ notice: z.literal("file-received"), file: received }),
  z.strictObject({ notice: z.literal("file-failed"), file: received, error: keptError }),
]);
export type KeptNotice = z.infer<typeof keptNotice>;
