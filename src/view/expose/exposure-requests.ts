import { Buffer } from "node:buffer";
import { contentOf, type CodingState } from "../../expose/inspector/content.ts";
import type { Exchange, KeptMessage } from "../../expose/inspector/exchange.ts";
import type { BodyDifference, Difference, FieldChange } from "../../expose/inspector/replay/difference.ts";
import type { Replayed } from "../../expose/inspector/replay/replay.ts";
import type { Redactor, ShownFields } from "../../expose/inspector/secrets.ts";
import type { ExchangeEnd } from "../../expose/recorder.ts";
import type { WayIn } from "../../expose/gate.ts";
import { isoTime } from "../time.ts";

/**
 * Requests that came through an exposure. Methods, paths, headers and bodies are strangers' text: not safe for a terminal,
 * and not fenced for a model. Credentials are taken out of everything but bodies, which are what one looks for.
 */
export interface RequestView {
  readonly id: number;
  /** When it began, ISO 8601. */
  readonly at: string;
  /** Stranger's text. */
  readonly method: string;
  /** Path and query. Stranger's text. */
  readonly path: string;
  /** Undefined where no response has come. */
  readonly status: number | undefined;
  /** Until its end; undefined while it runs. */
  readonly ms: number | undefined;
  /** True sizes of the bodies, also of what is not kept, and of both directions of a WebSocket. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** How the gate let it in; undefined where it did not, and for a replay. */
  readonly way: WayIn | undefined;
  /** Why the gate did not let it in, in one word of ours. */
  readonly refused: string | undefined;
  /** The id of the request that it repeats. */
  readonly replayOf: number | undefined;
  readonly end: ExchangeEnd | "running";
  readonly websocket: true | undefined;
}

export interface WholeRequestView extends RequestView {
  /** IP address of the visitor, as far as the hop before us can be believed; undefined for a replay. */
  readonly from: string | undefined;
  /** The claim by which it came. */
  readonly visitor: string | undefined;
  /** More about the end, in a word of ours. */
  readonly why: string | undefined;
  /** Until the head of the response. */
  readonly headMs: number | undefined;
  /** Statuses of interim responses. */
  readonly interim: readonly number[];
  /** Undefined where only metadata is kept. */
  readonly request: MessageView | undefined;
  readonly response: (MessageView & { readonly reason: string }) | undefined;
}

export interface MessageView {
  /** Strangers' text, but for marks in the place of credentials. */
  readonly headers: ShownFields;
  readonly headersCut: true | undefined;
  /** Strangers' text. */
  readonly trailers: ShownFields | undefined;
  /** Undefined where it has none. */
  readonly body: BodyView | undefined;
}

export interface BodyView {
  /** True size as it went over the wire. */
  readonly bytes: number;
  /** As much is kept; undefined where all is. */
  readonly keptBytes: number | undefined;
  /** What follows is not all of it. */
  readonly cut: true | undefined;
  /** The `Content-Encoding`, which is undone unless the state says otherwise; strangers' text. */
  readonly contentEncoding: string | undefined;
  readonly decoding: CodingState | undefined;
  /** Size of what is shown, where an encoding was undone. */
  readonly decodedBytes: number | undefined;
  /** One of both. Strangers' text. */
  readonly content: { readonly text: string } | { readonly base64: string };
}

export function requestView(exchange: Exchange, redactor: Redactor): RequestView {
  const { id, startedAt, method, target, request, response, decided, end, upgraded } = exchange;
  return {
    id,
    at: isoTime(startedAt),
    method,
    path: redactor.address(target),
    status: response?.status,
    ms: end?.ms,
    requestBytes: request.body.bytes + (upgraded?.bytesIn ?? 0),
    responseBytes: (response?.body.bytes ?? 0) + (upgraded?.bytesOut ?? 0),
    way: "way" in decided ? decided.way : undefined,
    refused: "refused" in decided ? decided.refused : undefined,
    replayOf: "replayOf" in decided ? decided.replayOf : undefined,
    end: end?.how ?? "running",
    websocket: upgraded === undefined ? undefined : true,
  };
}

export function wholeRequestView(exchange: Exchange, redactor: Redactor): WholeRequestView {
  const { source, decided, end, response, interim, request, isWhole } = exchange;
  return {
    ...requestView(exchange, redactor),
    from: source?.address,
    visitor: "way" in decided ? decided.visitor : undefined,
    why: end?.why,
    headMs: response?.headMs,
    interim,
    request: isWhole ? messageView(request, redactor) : undefined,
    response:
      isWhole && response !== undefined
        ? { reason: response.reason, ...messageView(response, redactor) }
        : undefined,
  };
}

function messageView(message: KeptMessage, redactor: Redactor): MessageView {
  const { fields, areFieldsCut, trailers, body } = message;
  return {
    headers: redactor.fields(fields),
    headersCut: areFieldsCut ? true : undefined,
    trailers: trailers.length === 0 ? undefined : redactor.fields(trailers),
    body: body.bytes === 0 ? undefined : bodyView(message),
  };
}

function bodyView(message: KeptMessage): BodyView {
  const { body } = message;
  const { bytes, text, isWhole, coding } = contentOf(message);
  const isDecoded = coding?.state === "decoded" || coding?.state === "cut";
  return {
    bytes: body.bytes,
    keptBytes: body.isCut ? body.kept.length : undefined,
    cut: isWhole ? undefined : true,
    contentEncoding: coding?.names.join(", "),
    decoding: coding?.state,
    decodedBytes: isDecoded ? bytes.length : undefined,
    content: text === undefined ? { base64: Buffer.from(bytes).toString("base64") } : { text },
  };
}

/** A replay beside what it repeats. */
export interface ReplayView {
  readonly original: WholeRequestView;
  readonly replay: WholeRequestView;
  readonly difference: DifferenceView;
}

export interface DifferenceView {
  /** Nothing differs but fields that do so each time. */
  readonly same: boolean;
  readonly status: Difference["status"];
  /** Strangers' text, but for `change` and `noise`. */
  readonly headers: readonly HeaderChangeView[];
  /** Strangers' text in pointers, values and lines. */
  readonly body: BodyDifference;
}

export interface HeaderChangeView extends Pick<FieldChange, "change" | "name" | "before" | "after"> {
  /** It differs each time, as `Date` does. */
  readonly noise: true | undefined;
}

export function replayView({ original, replay, difference }: Replayed, redactor: Redactor): ReplayView {
  return {
    original: wholeRequestView(original, redactor),
    replay: wholeRequestView(replay, redactor),
    difference: differenceView(difference, redactor),
  };
}

function differenceView({ isSame, status, fields, body }: Difference, redactor: Redactor): DifferenceView {
  const headers = fields.map(({ change, name, before, after, isNoise }) => {
    const shown = (value: string): string => redactor.value(name, value);
    return { change, name, before: before.map(shown), after: after.map(shown), noise: isNoise || undefined };
  });
  return { same: isSame, status, headers, body };
}
