import type { ExposureNewsEvent, ExposureNotice } from "../../expose/exposures/news.ts";
import { errorView, type ErrorView } from "../errors.ts";
import { isoTime, seconds } from "../time.ts";

type EventView =
  | Exclude<ExposureNewsEvent, { notice: "ends-soon" | "failed" }>
  | { readonly notice: "failed"; readonly error: ErrorView }
  | { readonly notice: "ends-soon"; readonly endsInSec: number }
  | { readonly notice: "left-out"; readonly count: number };

/** Something that happened to an exposure. `paths` are strangers' text: not safe for a terminal, and not fenced for a model. */
export type ExposureNewsView = EventView & {
  /** ISO 8601. */
  readonly ts: string;
  readonly ageSec: number;
  /** Undefined where it is about none in particular. */
  readonly exposureId: string | undefined;
  readonly name: string | undefined;
};

/** @param now ms since the epoch */
export function exposureNewsView(notice: ExposureNotice, now: number): ExposureNewsView {
  const { at } = notice;
  const when = { ts: isoTime(at), ageSec: seconds(now - at) };
  if (notice.notice === "left-out")
    return { notice: notice.notice, count: notice.count, ...when, exposureId: undefined, name: undefined };
  const { at: _, exposureId, name, ...event } = notice;
  const about = { ...when, exposureId, name };
  if (event.notice === "failed") return { notice: event.notice, error: errorView(event.error), ...about };
  if (event.notice !== "ends-soon") return { ...event, ...about };
  return { notice: event.notice, endsInSec: seconds(event.endsAt - now), ...about };
}
