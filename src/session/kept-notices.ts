import { errorAgain, errorKept } from "./keeping/errors.ts";
import type { KeptNotice } from "./keeping/notices.ts";
import type { Notice } from "./notice.ts";
import type { Sent } from "./saying/sent.ts";

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
