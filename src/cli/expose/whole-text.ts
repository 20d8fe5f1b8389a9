import type {
  BodyView,
  DifferenceView,
  MessageView,
  ReplayView,
  WholeRequestView,
} from "../../view/expose/exposure-requests.ts";
import { sizeText } from "../../view/files.ts";
import { safeLabel, safeText, withGutter } from "../chat/terminal/safe-text.ts";
import { statusPaint, tookText, wayText, type RequestLineStyle } from "./request-line.ts";

/**
 * One request whole, and a replay beside what it repeats. Everything in it is strangers' text: it is made safe for a terminal, and stands
 * behind a gutter.
 */
export function wholeText(view: WholeRequestView, style: RequestLineStyle): string {
  const { paint } = style;
  const { id, from, visitor, why, status, headMs, ms, request, response } = view;
  const who = [from && `from ${safeLabel(from)}`, visitor && `by ${safeLabel(visitor)}`, wayText(view), why]
    .filter((part) => part !== undefined && part !== "")
    .join(", ");
  const times = [
    headMs === undefined ? "" : `head after ${tookText(headMs)}`,
    ms === undefined ? "" : `over after ${tookText(ms)}`,
  ];
  const answer =
    status === undefined
      ? paint.red("no response")
      : statusPaint(status, paint)(`${status} ${safeLabel(response?.reason ?? "")}`.trimEnd());
  if (request === undefined)
    return [
      paint.bold(`request ${id}`),
      rows(`${view.method} ${view.path}`, style),
      `${answer}  ${who}; ${times.filter((one) => one !== "").join(", ")}`,
      "Only this is kept of requests here (--no-inspect).",
    ].join("\n");
  return [
    `${paint.bold(`request ${id}`)}  ${who}`,
    rows(`${view.method} ${view.path}`, style),
    ...messageRows(request, style),
    `${answer}  ${times.filter((one) => one !== "").join(", ")}`,
    ...(response === undefined ? [] : messageRows(response, style)),
  ].join("\n");
}

/** How the service answered the second time. */
export function replayText({ original, replay, difference }: ReplayView, style: RequestLineStyle): string {
  const { paint } = style;
  const { status, same } = difference;
  const [before, after] = [status.before ?? "no answer", status.after];
  const head = same
    ? paint.green(`The same answer as before: ${after}.`)
    : paint.yellow(
        before === after ? `Again ${after}, but not the same:` : `It was ${before}, and is ${after} now:`,
      );
  return [
    `${paint.bold(`request ${replay.id}`)}  replay of ${original.id}, ${tookText(replay.ms)}`,
    head,
    ...headerChanges(difference, style),
    ...bodyChanges(difference, style),
    paint.dim(`show ${replay.id} shows it whole`),
  ].join("\n");
}

function messageRows(
  { headers, headersCut, trailers = [], body }: MessageView,
  style: RequestLineStyle,
): string[] {
  const fields = (all: MessageView["headers"]): string[] =>
    all.map(([name, value]) => rows(`${name}: ${value}`, style));
  return [
    ...fields(headers),
    ...(headersCut === true ? ["    (more headers are not kept)"] : []),
    ...(body === undefined ? [] : [rows("", style), ...bodyRows(body, style)]),
    ...(trailers.length === 0 ? [] : ["    trailers:", ...fields(trailers)]),
  ];
}

function bodyRows(
  { bytes, content, cut, decoding, contentEncoding }: BodyView,
  style: RequestLineStyle,
): string[] {
  const coded =
    contentEncoding === undefined
      ? ""
      : `, ${safeLabel(contentEncoding)}${decoding === "decoded" || decoding === "cut" ? " undone" : ""}`;
  const kept = cut === true ? [`    (not all of it: ${sizeText(bytes)} went over the wire)`] : [];
  if ("base64" in content) return [`    (${sizeText(bytes)}, no text${coded})`, ...kept];
  return [rows(content.text, style), ...kept];
}

function headerChanges({ headers }: DifferenceView, style: RequestLineStyle): string[] {
  return headers
    .filter(({ noise }) => noise === undefined)
    .flatMap(({ name, before, after }) => [
      ...before.map((value) => changed("-", `${name}: ${value}`, style)),
      ...after.map((value) => changed("+", `${name}: ${value}`, style)),
    ]);
}

function bodyChanges({ body }: DifferenceView, style: RequestLineStyle): string[] {
  switch (body.kind) {
    case "same":
      return [];
    case "json":
      return [
        ...body.changes.flatMap(({ pointer, before, after }) => [
          ...(before === undefined ? [] : [changed("-", `${pointer || "(all)"}  ${before}`, style)]),
          ...(after === undefined ? [] : [changed("+", `${pointer || "(all)"}  ${after}`, style)]),
        ]),
        ...(body.more ? ["    (and more)"] : []),
      ];
    case "text":
      return [
        ...body.lines.map((line) => changed(line.slice(0, 1), line.slice(1), style)),
        ...(body.more ? ["    (and more)"] : []),
      ];
    case "bytes":
      return [`    the body had ${sizeText(body.before.bytes)}, and has ${sizeText(body.after.bytes)} now`];
  }
}

function changed(sign: string, text: string, style: RequestLineStyle): string {
  const color = sign === "+" ? style.paint.green : sign === "-" ? style.paint.red : style.paint.dim;
  return rows(`${sign} ${text}`, style).split("\n").map(color).join("\n");
}

/** Each row behind the gutter. */
function rows(text: string, { columns }: RequestLineStyle): string {
  return withGutter("", `\n${safeText(text)}`, columns)
    .split("\n")
    .slice(1)
    .join("\n");
}
