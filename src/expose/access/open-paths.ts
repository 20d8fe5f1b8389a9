import { isUtf8 } from "node:buffer";
import { TunnelError } from "../../errors/tunnel-error.ts";

/** A path that is open to requests of some methods without a credential. */
export interface OpenPath {
  /** In capitals; undefined for any method. */
  readonly methods: readonly string[] | undefined;
  /** As in a request, percent-encoded with capital digits; without the `*` at its end. */
  readonly path: string;
  /** Whether anything may follow the path. */
  readonly isStart: boolean;
  /** In one form, such as `POST /hooks/*`. */
  readonly text: string;
}

/** A path is decoded so many times at most; one that goes on changing is none that anybody sends in earnest. */
const MAX_DECODINGS = 4;

/** Only dots, and blanks that Windows drops at the end of a name. */
const DOTS = /^\s*\.[.\s]*$/;

/**
 * Reads `POST /hooks/*`: one method, several with commas, or `*` for any; then a path, exact or with a `*` at its end.
 * @throws {TunnelError} expose-path-invalid
 */
export function parseOpenPath(text: string): OpenPath {
  const [, methods, shown] = /^\s*(\S+)\s+(\S+)\s*$/.exec(text) ?? [];
  if (methods === undefined || shown === undefined)
    throw invalid("it needs a method, a space and a path, and nothing else");
  const isStart = shown.endsWith("*");
  const path = parsePath(isStart ? shown.slice(0, -1) : shown);
  const open = parseMethods(methods);
  return { methods: open, path, isStart, text: `${open?.join(",") ?? "*"} ${path}${isStart ? "*" : ""}` };
}

/**
 * Whether one of the paths lets this request in. The target counts as it stands and must not have another reading in which it leaves
 * the path: one with a dot segment in any spelling, a control character, or bytes that are no UTF-8 matches nothing.
 * @param target path and query as they were sent
 */
export function isOpenTo(paths: readonly OpenPath[], method: string, target: string): boolean {
  const open = paths.filter(({ methods }) => methods === undefined || hasMethod(methods, method));
  if (open.length === 0) return false;
  const path = withCapitals(target.split("?", 1)[0] ?? "");
  if (!open.some((one) => (one.isStart ? path.startsWith(one.path) : path === one.path))) return false;
  return isPlain(path);
}

function hasMethod(methods: readonly string[], method: string): boolean {
  // HEAD asks for the head of what GET gives (RFC 9110 §9.3.2).
  return methods.includes(method) || (method === "HEAD" && methods.includes("GET"));
}

function parseMethods(text: string): readonly string[] | undefined {
  if (text === "*") return undefined;
  const methods = text.toUpperCase().split(",");
  for (const method of methods) {
    if (!/^[A-Z][A-Z-]{0,31}$/.test(method)) throw invalid("a method is a word, such as GET or POST");
    if (method === "CONNECT" || method === "TRACE") throw invalid(`${method} is never let through`);
  }
  return [...new Set(methods)];
}

function parsePath(text: string): string {
  if (!text.startsWith("/")) throw invalid("a path begins with /");
  if (text.includes("*")) throw invalid("a * stands at the end alone");
  if (/[?#\\]|\p{C}/u.test(text)) throw invalid("a path has no query, no fragment and no backslash");
  const path = withCapitals(text.replace(/[^!-~]+/gu, encodeURIComponent));
  if (!isPlain(path)) throw invalid("a path has no . or .. in it, and each % has two digits behind it");
  if (path === "/.tunnel" || path.startsWith("/.tunnel/"))
    throw invalid("/.tunnel/ is for the exposure itself");
  return path;
}

/** Hexadecimal digits of escapes in capitals, which mean the same (RFC 3986 §6.2.2.1). */
function withCapitals(path: string): string {
  return path.replace(/%[0-9a-f]{2}/gi, (escape) => escape.toUpperCase());
}

/** Whether the path names the same place for every server: those that decode it once, twice or never, that take `\` for `/`, or drop what follows `;`. */
function isPlain(path: string): boolean {
  if (/%(?![0-9A-F]{2})/.test(path)) return false;
  let reading = path;
  for (let decodings = 0; decodings <= MAX_DECODINGS; decodings += 1) {
    if (!isPlainReading(reading)) return false;
    const next = decodedOnce(reading);
    if (next === reading) return true;
    reading = next;
  }
  return false;
}

function isPlainReading(reading: string): boolean {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(reading) || !isUtf8(Buffer.from(reading, "latin1"))) return false;
  return !reading.split(/[/\\]/).some((segment) => DOTS.test(segment.split(";", 1)[0] ?? ""));
}

/** Each character is a byte, before and after. */
function decodedOnce(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}

function invalid(detail: string): TunnelError {
  return new TunnelError("expose-path-invalid", { detail });
}
