import type { ExposureNotice } from "../../../expose/exposures/news.ts";
import { exposureNewsView, type ExposureNewsView } from "../../../view/expose/exposure-news.ts";
import type { Fence } from "../fence.ts";
import type { Payload } from "../result.ts";

/** Fixed sentences: a stranger's words never stand in one. */
function textOf(view: ExposureNewsView): string {
  switch (view.notice) {
    case "opened":
      return "It is open: expose_list shows the address, expose_start with the same target every way in.";
    case "failed":
      return "It could not be opened: `error` says why.";
    case "widened":
      return view.isDone
        ? "Your human has allowed it: expose_start with the same target shows the new links."
        : "Your human has not allowed it: all stays as it was.";
    case "first-visitor":
      return "The first visitor has used a claim link and is in.";
    case "webhooks":
      return view.failed === 0
        ? "Requests came in on open paths: expose_requests shows each, from firstId to lastId."
        : "Requests came in on open paths, and the service failed some (`failed`). Look at them with expose_requests, from firstId to lastId; mend the service, then replay one.";
    case "service":
      if (!view.isThere) return "The service does not answer any more; visitors get an error until it does.";
      return view.changes > 1
        ? "The service did not answer for a while, and does so again."
        : "The service answers again.";
    case "address":
      return view.publicUrl === undefined
        ? "No public address leads here at the moment; a new one is tried by itself."
        : "The public address is another one now: pass on the new one, the old one is dead.";
    case "ends-soon":
      return "Its time is nearly over. If your human still needs it, call expose_start with the same target and expiresInMinutes.";
    case "over":
      return "It is over: its address leads nowhere.";
    case "left-out":
      return "Earlier news were not read in time and are gone: expose_list shows how everything stands.";
  }
}

/** One notice to this agent alone, as those of a tunnel are, with a sentence that says what it means. Paths are strangers' words. */
export function exposureNoticeFields(
  notice: ExposureNotice,
  { fence, now }: { readonly fence: Fence; readonly now: number },
): Payload {
  const view = exposureNewsView(notice, now);
  const { notice: event, ...fields } = view;
  return {
    event,
    local: true,
    ...fields,
    ...("paths" in view ? { paths: view.paths.map((path) => fence.wrap(path)) } : {}),
    text: textOf(view),
  };
}
