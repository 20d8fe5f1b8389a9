import { TunnelError } from "../../../errors/tunnel-error.ts";
import type {
  BodyView,
  DifferenceView,
  HeaderChangeView,
  MessageView,
  ReplayView,
  RequestView,
  WholeRequestView,
} from "../../../view/expose/exposure-requests.ts";
import { shownLabel } from "../../../view/labels.ts";
import { boundsOf, listed, shownChars, within } from "../bounds.ts";
import { endsOfPieces } from "../cuts.ts";
import type { Fence } from "../fence.ts";
import type { Payload } from "../result.ts";

/** Characters of a value that may stand without a fence, where it reads as a name. */
const BARE_CHARS = 64;
/** Of a path, and of one header's value; more is told by its length. */
const PATH_CHARS = 1_000;
const LISTED_PATH_CHARS = 300;
const VALUE_CHARS = 2_000;

/** Shares of the room of a result. What is left takes the other fields. */
const SHARES = {
  /** Both bodies of one request together, in one part. */
  bodies: 0.55,
  /** Headers of one message, and its trailers. */
  headers: 0.12,
  trailers: 0.03,
  /** For a replay, of each response. */
  replayBody: 0.18,
  replayHeaders: 0.06,
  changedHeaders: 0.08,
  changedBody: 0.25,
} as const;

/** How results are made. */
export interface RequestShowing {
  readonly fence: Fence;
  /** Characters of the whole result. */
  readonly limit: number;
}

/** Newest first. Where not all of them fit, `more` says so. */
export function requestListFields(
  { requests, more }: { readonly requests: readonly RequestView[]; readonly more: boolean },
  { fence, limit }: RequestShowing,
): Payload {
  const fields = requests.map((request) => shortFields(request, fence, LISTED_PATH_CHARS));
  const shown = within(fields, limit - boundsOf(limit).besideMessages);
  return { requests: shown, more: more || shown.length < fields.length };
}

/**
 * One request whole. Long bodies come in parts.
 * @param part from 1
 * @throws {TunnelError} input-invalid there is no such part
 */
export function wholeRequestFields(view: WholeRequestView, showing: RequestShowing, part = 1): Payload {
  const { fence, limit } = showing;
  const { request, response } = view;
  const bodies = piecesOf([request?.body, response?.body], fence, limit * SHARES.bodies);
  const parts = Math.max(1, ...bodies.map((pieces) => pieces?.length ?? 0));
  if (!Number.isSafeInteger(part) || part < 1 || part > parts)
    throw new TunnelError("input-invalid", { detail: `part must be a whole number from 1 to ${parts}` });
  const [requestPieces, responsePieces] = bodies;
  const room = { headers: limit * SHARES.headers, trailers: limit * SHARES.trailers };
  return {
    ...shortFields(view, fence, PATH_CHARS),
    ...lifeFields(view, fence),
    request:
      request && messageFields(request, bodyFields(request.body, requestPieces, part, fence), room, fence),
    response: response && {
      reason: told(response.reason, fence),
      ...messageFields(response, bodyFields(response.body, responsePieces, part, fence), room, fence),
    },
    note: view.request === undefined ? "Only metadata is kept of this exposure (inspect: false)." : undefined,
    next:
      part < parts
        ? `The bodies are long: part ${part} of ${parts}. Call again with part ${part + 1}.`
        : undefined,
  };
}

/** Both responses and how they differ. A long body is cut: its request shows it whole. */
export function replayFields({ original, replay, difference }: ReplayView, showing: RequestShowing): Payload {
  return {
    original: responseFields(original, showing),
    replay: responseFields(replay, showing),
    difference: differenceFields(difference, showing),
  };
}

function shortFields(view: RequestView, fence: Fence, pathChars: number): Payload {
  const { method, path, ...others } = view;
  return { ...others, method: told(method, fence), path: told(path, fence, pathChars) };
}

function lifeFields({ from, visitor, why, headMs, interim }: WholeRequestView, fence: Fence): Payload {
  return {
    from,
    visitor: visitor === undefined ? undefined : told(visitor, fence),
    why,
    headMs,
    interim: interim.length === 0 ? undefined : interim,
  };
}

function responseFields(view: WholeRequestView, { fence, limit }: RequestShowing): Payload {
  const { id, status, ms, end, why, response } = view;
  const told = { id, status, ms, end, why };
  if (response === undefined) return told;
  const [pieces] = piecesOf([response.body], fence, limit * SHARES.replayBody);
  const room = { headers: limit * SHARES.replayHeaders, trailers: 0 };
  const body = bodyFields(response.body, pieces, 1, fence);
  const isCut = (pieces?.length ?? 0) > 1;
  return {
    ...told,
    ...messageFields(response, body, room, fence),
    next: isCut ? `The body is longer: expose_requests with id ${id} shows more of it.` : undefined,
  };
}

function messageFields(
  { headers, headersCut, trailers = [] }: MessageView,
  body: Payload | undefined,
  room: { readonly headers: number; readonly trailers: number },
  fence: Fence,
): Payload {
  const pairs = (fields: MessageView["headers"]): [string, string][] =>
    fields.map(([name, value]) => [told(name, fence), told(value, fence, VALUE_CHARS)]);
  return {
    ...listed("headers", within(pairs(headers), room.headers), headers.length),
    headersCut,
    ...listed("trailers", within(pairs(trailers), room.trailers), trailers.length),
    body,
  };
}

/** The text of a body in pieces; undefined for none. */
type Pieces = readonly string[] | undefined;

function piecesOf(bodies: readonly (BodyView | undefined)[], fence: Fence, room: number): readonly Pieces[] {
  const texts = bodies.map(
    (body) => body && fence.bared("text" in body.content ? body.content.text : body.content.base64),
  );
  const sizes = texts.map((text) => (text === undefined ? 0 : shownChars(text)));
  const half = room / 2;
  return texts.map((text, index) => {
    if (text === undefined) return undefined;
    const others = sizes.reduce((sum, size, other) => (other === index ? sum : sum + size), 0);
    // A short body leaves its room to the other one.
    const own = Math.floor(bodies.length === 1 ? room : Math.max(half, room - others));
    const ends = endsOfPieces(text, own);
    return ends.map((end, at) => text.slice(ends[at - 1] ?? 0, end));
  });
}

function bodyFields(
  body: BodyView | undefined,
  pieces: Pieces,
  part: number,
  fence: Fence,
): Payload | undefined {
  if (body === undefined || pieces === undefined) return undefined;
  const { content, contentEncoding, ...sizes } = body;
  const piece = pieces[part - 1];
  return {
    ...sizes,
    contentEncoding: contentEncoding === undefined ? undefined : told(contentEncoding, fence),
    ...(piece === undefined ? {} : { ["text" in content ? "text" : "base64"]: fence.enclose(piece) }),
    part: pieces.length > 1 ? { n: part, of: pieces.length } : undefined,
  };
}

function differenceFields({ same, status, headers, body }: DifferenceView, showing: RequestShowing): Payload {
  const { fence, limit } = showing;
  const told = headers.map((change) => headerFields(change, fence));
  const shown = within(told, limit * SHARES.changedHeaders);
  return {
    same,
    status,
    ...listed("headers", shown, told.length),
    body: bodyDifferenceFields(body, fence, limit * SHARES.changedBody),
  };
}

function headerFields({ change, name, before, after, noise }: HeaderChangeView, fence: Fence): Payload {
  const values = (all: readonly string[]): string[] | undefined =>
    all.length === 0 ? undefined : all.map((value) => told(value, fence, VALUE_CHARS));
  return { change, header: told(name, fence), before: values(before), after: values(after), noise };
}

function bodyDifferenceFields(body: DifferenceView["body"], fence: Fence, room: number): Payload {
  switch (body.kind) {
    case "same":
      return { kind: body.kind, partial: body.isPartial || undefined };
    case "bytes":
      return {
        kind: body.kind,
        partial: body.isPartial || undefined,
        before: body.before,
        after: body.after,
      };
    case "json": {
      const changes = body.changes.map(({ pointer, before, after }) => ({
        pointer: told(pointer, fence, VALUE_CHARS),
        before: before === undefined ? undefined : told(before, fence),
        after: after === undefined ? undefined : told(after, fence),
      }));
      const shown = within(changes, room);
      return { kind: body.kind, changes: shown, more: body.more || shown.length < changes.length };
    }
    case "text": {
      const shown = frontWithin(body.lines, room);
      return {
        kind: body.kind,
        partial: body.isPartial || undefined,
        diff: fence.wrap(shown.join("\n")),
        more: body.more || shown.length < body.lines.length,
      };
    }
  }
}

/** A line that is too long ends it: without it, what follows would be read as something else. */
function frontWithin(lines: readonly string[], maxChars: number): readonly string[] {
  let left = maxChars;
  const end = lines.findIndex((line) => (left -= shownChars(line)) < 0);
  return end < 0 ? lines : lines.slice(0, end);
}

/** A stranger's words: as they are where they read as a name, as a peer's labels do, and else in the fence. */
function told(text: string, fence: Fence, maxChars = Number.POSITIVE_INFINITY): string {
  if (text.length <= BARE_CHARS && shownLabel(text) === text) return text;
  if (text.length <= maxChars) return fence.wrap(text);
  return fence.wrap(`${fence.shortened(text, maxChars)} (${text.length} characters)`);
}
