import { isUtf8 } from "node:buffer";
import { decodeUtf8 } from "../protocol/base/utf8.ts";

/**
 * Text from outside. Node's own decoders put U+FFFD in the place of a byte that is no UTF-8, and nobody is told that something was
 * lost. Here such a byte stays what it was: the lone surrogate U+DC00 + byte, which no UTF-8 decodes to (Python's
 * `surrogateescape`), and which every reader must refuse.
 */

const BOM = "\ufeff";
const LONGEST = 4;
const NOT_UTF8 = /[\udc80-\udcff]/u;
/** The two byte order marks of UTF-16, as they are decoded here. */
const UTF16_MARK = /^(?:\udcff\udcfe|\udcfe\udcff)/;

export function withoutBom(text: string): string {
  return text.startsWith(BOM) ? text.slice(BOM.length) : text;
}

/** The encoding of decoded text that is not UTF-8, to follow "is"; undefined for UTF-8. Positions are in UTF-16 units from 0. */
export function encodingProblem(text: string): string | undefined {
  if (UTF16_MARK.test(text)) return "UTF-16, not UTF-8";
  const found = NOT_UTF8.exec(text);
  if (found === null) return undefined;
  const byte = (found[0].charCodeAt(0) - 0xdc00).toString(16).toUpperCase();
  return `not UTF-8: byte 0x${byte} at position ${found.index}`;
}

/** A whole text, without its byte order mark. */
export function decodeInput(bytes: Uint8Array): string {
  return withoutBom(escaped(bytes));
}

/** The text of a stream, chunk by chunk, without its byte order mark. A character that is cut in two waits for its end. */
export class InputDecoder {
  #rest: Uint8Array = new Uint8Array(0);
  #isBegun = false;

  write(chunk: Uint8Array): string {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const whole = bytes.length - unfinished(bytes);
    // A copy: the chunk belongs to the stream.
    this.#rest = bytes.slice(whole);
    return this.#begun(escaped(bytes.subarray(0, whole)));
  }

  /** The bytes of a character that never came to its end. */
  end(): string {
    const rest = this.#rest;
    this.#rest = new Uint8Array(0);
    return this.#begun(escaped(rest));
  }

  #begun(text: string): string {
    if (this.#isBegun || text === "") return text;
    this.#isBegun = true;
    return withoutBom(text);
  }
}

/** Bytes at the end that may be the beginning of a character. */
export function unfinished(bytes: Uint8Array): number {
  for (let back = 1; back < LONGEST && back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : LONGEST;
    return length > back ? back : 0;
  }
  return 0;
}

function escaped(bytes: Uint8Array): string {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (isUtf8(view)) return view.toString("utf8");
  return decodeUtf8(bytes, (byte) => 0xdc00 + byte);
}
