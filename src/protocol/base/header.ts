import * as z from "zod/mini";
import { concat, fromBase64url, toBase64url, view, type Bytes } from "./bytes.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { parseMemberId, parseRoomId } from "./ids.ts";
import { parseJson } from "./json.ts";
import { parseBoxKey, parseSigningKey } from "./public-keys.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

/** The form of every frame (F1): a JSON header, then raw bytes. The only place where JSON of a peer is parsed. */

const HEADER_LENGTH_BYTES = 2;
const MAX_HEADER_BYTES = 0xffff;
const EMPTY = new Uint8Array(0);

/** A text that stands for a value, or is malformed. */
const decoded = <Value>(read: (text: string) => Value | undefined) =>
  z.pipe(
    z.string(),
    z.transform((text, context): Value => {
      const value = read(text);
      if (value !== undefined) return value;
      context.issues.push({ code: "custom", message: "malformed", input: text });
      return z.NEVER;
    }),
  );

/** Public keys of the two kinds; a weak one is as malformed as one that is too short (K10, K11). */
export const signingKey = decoded(parseSigningKey);
export const boxKey = decoded(parseBoxKey);
export const bytesOf = (length: number) => decoded((text) => fromBase64url(text, length));
export const memberId = decoded(parseMemberId);
export const roomId = decoded(parseRoomId);
export const counter = z.int().check(z.nonnegative());
export const ordinal = z.int().check(z.positive());

/** JSON in which bytes are base64url texts. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    item instanceof Uint8Array ? toBase64url(item) : item,
  );
}

/** `undefined` for a text that is not the one JSON of a value of this form (F2). */
export function decodeJson<Schema extends z.ZodMiniType>(
  schema: Schema,
  json: string,
): z.infer<Schema> | undefined {
  const value = parseJson(json);
  const parsed = schema.safeParse(value);
  return parsed.success && isOneForm(value, json) ? parsed.data : undefined;
}

/**
 * Whether the value has no other text than this (F2), so that no two readers take one text for two values: not with a key that
 * stands twice, nor with a number that they round. For values of a known form only, since writing is recursive.
 */
function isOneForm(value: unknown, json: string): boolean {
  return JSON.stringify(value) === json;
}

const JSON_SPACE = new Set([" ", "\t", "\n", "\r"]);

function behindSpace(json: string, from: number): number {
  let at = from;
  while (JSON_SPACE.has(json.charAt(at))) at += 1;
  return at;
}

/** Whether `json` is the text `written`, but for white space between the tokens (J1). */
export function isLaidOut(written: string, json: string): boolean {
  let at = 0;
  let isInText = false;
  let isEscaped = false;
  for (let to = 0; to < written.length; to += 1) {
    const letter = written[to];
    if (!isInText) at = behindSpace(json, at);
    if (json[at] !== letter) return false;
    at += 1;
    if (letter === '"' && !isEscaped) isInText = !isInText;
    isEscaped = letter === "\\" && !isEscaped;
  }
  return behindSpace(json, at) === json.length;
}

/** @throws {RangeError} header over its limit */
export function encodeHeader(header: unknown, body: Bytes = EMPTY): Bytes {
  const json = encodeUtf8(jsonText(header));
  if (json.length > MAX_HEADER_BYTES) throw new RangeError("frame header is over its limit");
  return concat(Uint8Array.of(json.length >> 8, json.length & 0xff), json, body);
}

export function violation(): TunnelError {
  return new TunnelError("protocol-violation", { detail: "a malformed frame" });
}

/** @throws {TunnelError} protocol-violation (F2) */
export function decodeHeader<Schema extends z.ZodMiniType>(
  schema: Schema,
  payload: Bytes,
): { header: z.infer<Schema>; body: Bytes } {
  const length = payload.length >= HEADER_LENGTH_BYTES ? view(payload).getUint16(0) : payload.length;
  const end = HEADER_LENGTH_BYTES + length;
  const json = end <= payload.length ? decodeUtf8(payload.subarray(HEADER_LENGTH_BYTES, end)) : undefined;
  const header = json === undefined ? undefined : decodeJson(schema, json);
  if (header === undefined) throw violation();
  return { header, body: payload.subarray(end) };
}

/** Frames without a body must not carry one: nothing may ride along unread (F3). @throws {TunnelError} protocol-violation */
export function withoutBody<Header>(decodedFrame: { header: Header; body: Bytes }): Header {
  if (decodedFrame.body.length > 0) throw violation();
  return decodedFrame.header;
}
