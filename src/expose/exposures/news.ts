import type { TunnelError } from "../../errors/tunnel-error.ts";
import { Emitter } from "../../runtime/emitter.ts";
import type { Exchange } from "../inspector/exchange.ts";
import type { Redactor } from "../inspector/secrets.ts";

/** News of an exposure, of which an agent is told without having asked. */
export type ExposureNewsEvent =
  /** It is open, though the call that asked for it was answered before. */
  | { readonly notice: "opened"; readonly publicUrl: string }
  /** It could not be opened, after the call was answered. */
  | { readonly notice: "failed"; readonly error: TunnelError }
  /** A person has decided whether it may be open for longer or for more people. */
  | { readonly notice: "widened"; readonly isDone: boolean }
  /** The first use of a claim link. */
  | { readonly notice: "first-visitor"; readonly claim: string }
  /** Requests that came by an open path, together. */
  | {
      readonly notice: "webhooks";
      readonly count: number;
      /** Without a response, or with one of 400 and more. */
      readonly failed: number;
      readonly firstId: number;
      readonly lastId: number;
      /** Method and path of some. Strangers' text. */
      readonly paths: readonly string[];
      readonly morePaths: boolean;
    }
  /** The service stopped to answer, or does so again; `changes` since this was told last. */
  | { readonly notice: "service"; readonly isThere: boolean; readonly changes: number }
  /** Another address leads to it from now on, or none does. */
  | { readonly notice: "address"; readonly publicUrl: string | undefined }
  /** ms since the epoch */
  | { readonly notice: "ends-soon"; readonly endsAt: number }
  | { readonly notice: "over"; readonly why: string };

export type ExposureNotice =
  | (ExposureNewsEvent & { readonly exposureId: string; readonly name: string; readonly at: number })
  /** Others before these were not read in time. */
  | { readonly notice: "left-out"; readonly count: number; readonly at: number };

type NoticeOfOne = Exclude<ExposureNotice, { notice: "left-out" }>;

const LIMITS = {
  /** Kinds of notices that wait, each of one exposure. */
  kinds: 32,
  paths: 5,
  pathChars: 200,
} as const;

/** News that no longer matter once an exposure is over. */
const PASSED: readonly NoticeOfOne["notice"][] = ["opened", "ends-soon", "service", "address"];

/**
 * Notices that wait for the agent. Those of one kind and one exposure become one, so that a thousand webhooks take as much
 * room as one; what is read is gone.
 */
export class ExposureNews {
  /** By kind and exposure; the one that changed last comes last. */
  readonly #waiting = new Map<string, NoticeOfOne>();
  readonly #added = new Emitter<void>();
  #leftOut = 0;

  get unread(): number {
    return this.#waiting.size;
  }

  add(notice: NoticeOfOne): void {
    if (notice.notice === "over") for (const kind of PASSED) this.withdraw(notice.exposureId, kind);
    const key = keyOf(notice.exposureId, notice.notice);
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    this.#waiting.set(key, waiting === undefined ? notice : together(waiting, notice));
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size > LIMITS.kinds && oldest !== undefined) {
      this.#waiting.delete(oldest);
      this.#leftOut += 1;
    }
    this.#added.emit();
  }

  /** It is no longer true, such as a warning about the end of one that goes on. */
  withdraw(exposureId: string, kind: NoticeOfOne["notice"]): void {
    this.#waiting.delete(keyOf(exposureId, kind));
  }

  /** All that wait, the oldest first. Nothing is told twice. */
  take(): readonly ExposureNotice[] {
    const notices: ExposureNotice[] = [...this.#waiting.values()];
    const [first] = notices;
    if (this.#leftOut > 0 && first !== undefined)
      notices.unshift({ notice: "left-out", count: this.#leftOut, at: first.at });
    this.#waiting.clear();
    this.#leftOut = 0;
    return notices;
  }

  /** Wakes with each notice. @returns ends it */
  onNews(wake: () => void): () => void {
    return this.#added.subscribe(wake);
  }
}

const keyOf = (exposureId: string, kind: NoticeOfOne["notice"]): string => `${kind} ${exposureId}`;

function together(earlier: NoticeOfOne, later: NoticeOfOne): NoticeOfOne {
  if (earlier.notice === "first-visitor") return earlier;
  if (earlier.notice === "webhooks" && later.notice === "webhooks") {
    const paths = [...new Set([...earlier.paths, ...later.paths])];
    return {
      ...later,
      count: earlier.count + later.count,
      failed: earlier.failed + later.failed,
      firstId: Math.min(earlier.firstId, later.firstId),
      lastId: Math.max(earlier.lastId, later.lastId),
      paths: paths.slice(0, LIMITS.paths),
      morePaths: earlier.morePaths || later.morePaths || paths.length > LIMITS.paths,
    };
  }
  if (earlier.notice === "service" && later.notice === "service")
    return { ...later, changes: earlier.changes + later.changes };
  return later;
}

/** A request that has ended as news; undefined for one that did not come by an open path. */
export function webhookNews(exchange: Exchange, redactor: Redactor): ExposureNewsEvent | undefined {
  const { id, method, target, decided, response } = exchange;
  if (!("way" in decided) || decided.way !== "path") return undefined;
  // Without the query: a sender that numbers its calls there still calls one path.
  const [path = ""] = redactor.address(target).split("?");
  return {
    notice: "webhooks",
    count: 1,
    failed: response === undefined || response.status >= 400 ? 1 : 0,
    firstId: id,
    lastId: id,
    paths: [`${method} ${path}`.slice(0, LIMITS.pathChars)],
    morePaths: false,
  };
}
