import { Buffer } from "node:buffer";
import { TunnelError } from "../../../errors/tunnel-error.ts";
import { REPLAY_INPUT } from "../limits.ts";
import { REDACTED } from "../secrets.ts";

/** A value of a field; null takes the field out. */
type Value = string | null;

/** A replay as it is asked for: everything that is left out stays as it was recorded. */
export interface ReplayInput {
  readonly id: number;
  readonly method?: string | undefined;
  /** Path and query. */
  readonly path?: string | undefined;
  /** By name, or as pairs. A field that is named stands in the place of all recorded ones of that name. */
  readonly headers?:
    | Readonly<Record<string, Value | readonly string[]>>
    | readonly (readonly [name: string, value: Value])[]
    | undefined;
  /** Text, or bytes; null for none. */
  readonly body?: string | { readonly base64: string } | null | undefined;
}

/** The same, checked. */
export interface Overrides {
  readonly method: string | undefined;
  readonly target: string | undefined;
  /** New values by name in lower case, with the name as it was given; an empty list takes the field out. */
  readonly fields: ReadonlyMap<string, { readonly name: string; readonly values: readonly string[] }>;
  /** `undefined`: as recorded. */
  readonly body: Uint8Array | undefined;
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Field content (RFC 9110 §5.5): a character is one byte, and none is a control but the tab. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Origin-form (RFC 9112 §3.2.1), byte for byte: no space, no control, no fragment, nothing that needs an escape. */
const TARGET = /^\/[\x21\x22\x24-\x7e]*$/;

/** Methods that a gateway never passes on (RFC 9110 §9.3.6, §9.3.8). */
const REFUSED_METHODS: ReadonlySet<string> = new Set(["CONNECT", "TRACE"]);

/** Set by whoever sends: where it goes, and how the body is framed (RFC 9110 §7.2, §7.6.1, RFC 9112 §6). */
export const SENDERS_FIELDS: ReadonlySet<string> = new Set([
  "host",
  "connection",
  "proxy-connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "content-length",
  "upgrade",
  "expect",
  "http2-settings",
  "proxy-authorization",
]);

/** @throws {TunnelError} input-invalid */
export function overridesOf({ method, path, headers, body }: ReplayInput): Overrides {
  return {
    method: method === undefined ? undefined : checkedMethod(method),
    target: path === undefined ? undefined : checkedTarget(path),
    fields: checkedFields(headers),
    body: body === undefined ? undefined : checkedBody(body),
  };
}

function checkedMethod(method: string): string {
  if (!TOKEN.test(method) || method.length > 64) throw invalid('method must be one word, such as "POST"');
  if (REFUSED_METHODS.has(method.toUpperCase())) throw invalid("method must not be CONNECT or TRACE");
  return method;
}

function checkedTarget(path: string): string {
  refuseRedacted("path", path);
  if (!path.startsWith("/"))
    throw invalid(
      'path must begin with a /: a replay goes to the exposed service alone, such as "/hooks/pay?x=1"',
    );
  if (path.includes("#")) throw invalid("path must not contain a #: a fragment is never sent");
  if (!TARGET.test(path))
    throw invalid("path must not contain spaces, line breaks or other characters that a URL escapes with %");
  if (path.length > REPLAY_INPUT.pathChars)
    throw invalid(`path must have at most ${REPLAY_INPUT.pathChars} characters`);
  return path;
}

function checkedFields(headers: ReplayInput["headers"]): Overrides["fields"] {
  const fields = new Map<string, { name: string; values: string[] }>();
  const pairs = pairsOf(headers);
  if (pairs.length > REPLAY_INPUT.fields) throw invalid(`headers must be at most ${REPLAY_INPUT.fields}`);
  for (const [name, value] of pairs) {
    if (!TOKEN.test(name) || name.length > 256)
      throw invalid("headers must have names of letters, digits and hyphens");
    const key = name.toLowerCase();
    if (SENDERS_FIELDS.has(key)) throw invalid(`headers must not contain ${key}: it is set for each replay`);
    const field = fields.get(key) ?? { name, values: [] };
    fields.set(key, field);
    if (value !== null) field.values.push(checkedValue(value, key));
  }
  return fields;
}

type Pair = readonly [name: string, value: Value];

function pairsOf(headers: ReplayInput["headers"]): readonly Pair[] {
  if (headers === undefined) return [];
  if (isPairs(headers)) return headers;
  return Object.entries(headers).flatMap(([name, value]): Pair[] => {
    if (value === null || typeof value === "string") return [[name, value]];
    return value.length === 0 ? [[name, null]] : value.map((one): Pair => [name, one]);
  });
}

function isPairs(headers: NonNullable<ReplayInput["headers"]>): headers is readonly Pair[] {
  return Array.isArray(headers);
}

function checkedValue(value: string, name: string): string {
  const trimmed = value.replace(/^[\t ]+|[\t ]+$/g, "");
  if (!FIELD_VALUE.test(trimmed))
    throw invalid(`headers must not contain line breaks, controls or characters beyond Latin-1: see ${name}`);
  if (trimmed.length > REPLAY_INPUT.fieldChars)
    throw invalid(`headers must have at most ${REPLAY_INPUT.fieldChars} characters each: see ${name}`);
  refuseRedacted(name, trimmed);
  return trimmed;
}

/** What is shown in the place of a secret is not the secret. */
function refuseRedacted(where: string, value: string): void {
  if (REDACTED.test(value))
    throw invalid(`${where} contains a redacted value: leave it out, and the recorded one is sent`);
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

function checkedBody(body: NonNullable<ReplayInput["body"]> | null): Uint8Array {
  if (body === null) return new Uint8Array(0);
  if (typeof body !== "string" && (!BASE64.test(body.base64) || body.base64.length % 4 !== 0))
    throw invalid("body.base64 must be base64 with padding");
  const bytes = typeof body === "string" ? Buffer.from(body, "utf8") : Buffer.from(body.base64, "base64");
  if (bytes.length > REPLAY_INPUT.bodyBytes)
    throw invalid(`body must have at most ${REPLAY_INPUT.bodyBytes} bytes`);
  return bytes;
}

function invalid(detail: string): TunnelError {
  return new TunnelError("input-invalid", { detail: `replay: ${detail}` });
}
