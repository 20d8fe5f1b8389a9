import * as z from "zod/mini";
import { counter, ordinal } from "../../protocol/base/header.ts";
import type { Notice } from "../notices/notice.ts";
import type { Sent } from "../saying/sent.ts";
import { errorAgain, errorKept, keptError } from "./errors.ts";

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

/** @returns `undefined` for one that is about this process alone, or that a later one finds out anew */
export function noticeKept(notice: Notice): KeptNotice | undefined {
  switch (notice.notice) {
    case "decided": {
      const { error, ...rest } = notice;
      return { ...rest, error: error && errorKept(error) };
    }
    case "file-not-offered":
    case "file-failed":
      return { ...notice, error: errorKept(notice.error) };
    case "file-offered":
    case "file-held":
    case "file-received":
    case "service-over":
      return notice;
    default:
      return undefined;
  }
}

export function noticeAgain(kept: KeptNotice): Notice {
  switch (kept.notice) {
    case "decided": {
      const { askId, outcome, reason, sent, error } = kept;
      return {
        notice: kept.notice,
        askId,
        outcome,
        reason,
        sent: sent && sentAgain(sent),
        error: error && errorAgain(error),
      };
    }
    case "file-held":
      return { notice: kept.notice, file: kept.file, askId: kept.askId };
    case "file-not-offered":
      return { notice: kept.notice, path: kept.path, error: errorAgain(kept.error) };
    case "file-failed":
      return { notice: kept.notice, file: kept.file, error: errorAgain(kept.error) };
    case "file-offered":
    case "file-received":
    case "service-over":
      return kept;
  }
}

function sentAgain(sent: NonNullable<Extract<KeptNotice, { notice: "decided" }>["sent"]>): Sent {
  if (sent.status === "sent") return sent;
  const { status, seq, ownNo, reason } = sent;
  return { status, seq, ownNo, reason };
}
