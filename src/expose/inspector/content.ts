import { TextDecoder } from "node:util";
import { brotliDecompressSync, constants, gunzipSync, inflateRawSync, inflateSync } from "node:zlib";
import { valuesOf } from "../message.ts";
import type { KeptMessage } from "./exchange.ts";
import { CONTENT } from "./limits.ts";

/** A body as people read it: with its `Content-Encoding` undone (RFC 9110 §8.4), and as text where it is one. */
export interface Content {
  /** As far as they are kept and could be decoded. */
  readonly bytes: Uint8Array;
  /** Undefined where the bytes are no text in their charset. */
  readonly text: string | undefined;
  /** `bytes` are all of it. */
  readonly isWhole: boolean;
  /** What was done about encodings; undefined where there is none. */
  readonly coding: { readonly names: readonly string[]; readonly state: CodingState } | undefined;
}

/** `cut`: only the beginning was decoded. The other two: `bytes` are as they went over the wire. */
export type CodingState = "decoded" | "cut" | "unknown" | "broken";

type Decode = (bytes: Uint8Array) => Uint8Array;

const maxOutputLength = CONTENT.decodedBytes;
// A body that is kept in part ends in the middle of its encoding: what there is of it is decoded all the same.
const zlib = { maxOutputLength, finishFlush: constants.Z_SYNC_FLUSH };

const DECODERS: Readonly<Record<string, Decode>> = {
  gzip: (bytes) => gunzipSync(bytes, zlib),
  "x-gzip": (bytes) => gunzipSync(bytes, zlib),
  // Some send it without the header that the standard wants (RFC 9110 §8.4.1.2).
  deflate: (bytes) =>
    ((bytes[0] ?? 0) & 0x0f) === 8 ? inflateSync(bytes, zlib) : inflateRawSync(bytes, zlib),
  br: (bytes) =>
    brotliDecompressSync(bytes, { maxOutputLength, finishFlush: constants.BROTLI_OPERATION_FLUSH }),
};

export function contentOf({ fields, body }: Pick<KeptMessage, "fields" | "body">): Content {
  const names = codingsOf(fields);
  const raw = { bytes: body.kept, isWhole: !body.isCut };
  const undone = names.length === 0 || body.kept.length === 0 ? undefined : decoded(body.kept, names);
  const state = undone?.state === "decoded" && body.isCut ? "cut" : undone?.state;
  const { bytes, isWhole } =
    undone?.bytes === undefined ? raw : { bytes: undone.bytes, isWhole: state === "decoded" };
  return {
    bytes,
    text: textOf(bytes, isWhole, charsetOf(fields)),
    isWhole,
    coding: state === undefined ? undefined : { names, state },
  };
}

function codingsOf(fields: KeptMessage["fields"]): string[] {
  return valuesOf(fields, "content-encoding")
    .flatMap((value) => value.split(","))
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "" && name !== "identity");
}

interface Undone {
  readonly bytes?: Uint8Array;
  readonly state: CodingState;
}

/** The encodings undone from the last one to the first. */
function decoded(bytes: Uint8Array, names: readonly string[]): Undone {
  const decoders = names
    .toReversed()
    .map((name) => (Object.hasOwn(DECODERS, name) ? DECODERS[name] : undefined));
  if (decoders.length > CONTENT.codings) return { state: "unknown" };
  let undone: Undone & { readonly bytes: Uint8Array } = { bytes, state: "decoded" };
  for (const decoder of decoders) {
    if (decoder === undefined) return { state: "unknown" };
    const next = beginningOf(undone.bytes, decoder);
    if (next === undefined) return { state: "broken" };
    undone = { bytes: next.bytes, state: next.isCut ? "cut" : undone.state };
  }
  return undone;
}

/** As much as may be taken: less of the input, until what comes out of it is not too large. */
function beginningOf(bytes: Uint8Array, decode: Decode): { bytes: Uint8Array; isCut: boolean } | undefined {
  for (let length = bytes.length; length > 0; length >>= 1) {
    try {
      return { bytes: decode(bytes.subarray(0, length)), isCut: length < bytes.length };
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if ("code" in error && error.code === "ERR_BUFFER_TOO_LARGE") continue;
      return undefined;
    }
  }
  return undefined;
}

const CHARSET = /;\s*charset\s*=\s*"?([^\s";,]{1,40})/i;

function charsetOf(fields: KeptMessage["fields"]): string {
  return CHARSET.exec(valuesOf(fields, "content-type")[0] ?? "")?.[1] ?? "utf-8";
}

/** Controls that no text has; form feed and escape stand in some. */
const NO_TEXT = new RegExp(String.raw`[\u0000-\u0006\u000e-\u001a\u001c-\u001f]`);

/** Only where each byte of it is valid, and none is a control: else a reader would take for text what is none. */
function textOf(bytes: Uint8Array, isWhole: boolean, charset: string): string | undefined {
  try {
    const decoder = decoderFor(charset);
    // A cut may go through a character.
    const text = decoder.decode(bytes, { stream: !isWhole });
    return NO_TEXT.test(text) ? undefined : text;
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** An unknown charset is read as UTF-8, which it may well be. */
function decoderFor(charset: string): TextDecoder {
  try {
    return new TextDecoder(charset, { fatal: true });
  } catch (error) {
    if (error instanceof RangeError) return new TextDecoder("utf-8", { fatal: true });
    throw error;
  }
}
