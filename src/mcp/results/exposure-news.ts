import type { ExposureNotice } from "../../expose/exposures/news.ts";
import { exposureNewsView } from "../../view/expose/exposure-news.ts";
import type { Fence } from "./fence.ts";
import type { Payload } from "./result.ts";

/** News of an exposure for a model: paths are strangers' words. */
export function exposureNoticeFields(
  notice: ExposureNotice,
  { fence, now }: { readonly fence: Fence; readonly now: number },
): Payload {
  const view = exposureNewsView(notice, now);
  return view.notice === "webhooks"
    ? { ...view, paths: view.paths.map((path) => fence.wrap(path)) }
    : { ...view };
}
