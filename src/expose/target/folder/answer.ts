import { lookup } from "mrmime";
import type { IncomingHttpHeaders } from "node:http";

/** A file as far as HTTP knows it. */
export interface Representation {
  readonly name: string;
  readonly size: number;
  readonly mtimeMs: number;
  /** Strong: another one for every change of the file. */
  readonly etag: string;
}

/** The head of an answer, and the part of the file that follows it: both ends count. */
export interface FileAnswer {
  readonly status: 200 | 206 | 304 | 412 | 416;
  readonly fields: Readonly<Record<string, string>>;
  readonly part: { readonly first: number; readonly last: number } | undefined;
}

/** The answer to a GET or HEAD of a file: preconditions in the order of RFC 9110 §13.2.2, then the range (§14.2). */
export function answerFor(headers: IncomingHttpHeaders, file: Representation): FileAnswer {
  const { size, mtimeMs, etag } = file;
  const modified = Math.floor(mtimeMs / 1_000) * 1_000;
  const validators = { etag, "last-modified": new Date(modified).toUTCString(), "cache-control": "no-cache" };
  const condition = conditionOf(headers, { etag, modified });
  if (condition === "changed") return { status: 412, fields: {}, part: undefined };
  if (condition === "same") return { status: 304, fields: validators, part: undefined };
  const fields = {
    ...validators,
    "content-type": typeOf(file.name),
    "accept-ranges": "bytes",
    "x-content-type-options": "nosniff",
  };
  const range = isRangeCurrent(headers["if-range"], validators) ? rangeOf(headers.range, size) : undefined;
  if (range === "unsatisfiable")
    return { status: 416, fields: { "content-range": `bytes */${size}` }, part: undefined };
  if (range === undefined)
    return {
      status: 200,
      fields: { ...fields, "content-length": String(size) },
      part: { first: 0, last: size - 1 },
    };
  const { first, last } = range;
  return {
    status: 206,
    fields: {
      ...fields,
      "content-length": String(last - first + 1),
      "content-range": `bytes ${first}-${last}/${size}`,
    },
    part: range,
  };
}

function conditionOf(
  headers: IncomingHttpHeaders,
  { etag, modified }: { readonly etag: string; readonly modified: number },
): "changed" | "same" | "none" {
  const match = headers["if-match"];
  if (match !== undefined) {
    if (!lists(match, etag, "strong")) return "changed";
  } else if (modified > dateOf(headers["if-unmodified-since"], Infinity)) return "changed";
  const noneMatch = headers["if-none-match"];
  if (noneMatch !== undefined) return lists(noneMatch, etag, "weak") ? "same" : "none";
  return modified <= dateOf(headers["if-modified-since"], -Infinity) ? "same" : "none";
}

/** Whether a list of entity tags holds this strong one (RFC 9110 §8.8.3.2); `*` holds every one. */
function lists(list: string, etag: string, comparison: "strong" | "weak"): boolean {
  if (list.trim() === "*") return true;
  const tags = list.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return tags.some((tag) => tag === etag || (comparison === "weak" && tag === `W/${etag}`));
}

function dateOf(text: string | undefined, otherwise: number): number {
  const date = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(date) ? otherwise : date;
}

/** RFC 9110 §13.1.5: a range is of use only to whoever has the same file. */
function isRangeCurrent(
  condition: string | readonly string[] | undefined,
  validators: { readonly etag: string; readonly "last-modified": string },
): boolean {
  const given = [condition].flat()[0]?.trim();
  return given === undefined || given === validators.etag || given === validators["last-modified"];
}

/** One range. Several at once, and what is no range, are not looked at (RFC 9110 §14.2). */
function rangeOf(
  header: string | undefined,
  size: number,
): { readonly first: number; readonly last: number } | "unsatisfiable" | undefined {
  const [, from, to] = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(header ?? "") ?? [];
  if (from === undefined || to === undefined || (from === "" && to === "")) return undefined;
  if (from === "") {
    const length = Math.min(Number(to), size);
    return length === 0 ? "unsatisfiable" : { first: size - length, last: size - 1 };
  }
  const first = Number(from);
  if (to !== "" && Number(to) < first) return undefined;
  if (first >= size) return "unsatisfiable";
  return { first, last: to === "" ? size - 1 : Math.min(Number(to), size - 1) };
}

/** Text is UTF-8, as almost everywhere; a file of an unknown kind is bytes, and no browser may guess. */
function typeOf(name: string): string {
  const type = lookup(name) ?? "application/octet-stream";
  return type.startsWith("text/") ? `${type};charset=utf-8` : type;
}
