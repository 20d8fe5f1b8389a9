import { isUtf8 } from "node:buffer";
import { unfinished } from "../runtime/utf8-input.ts";

const BOM = Buffer.from("\ufeff");
const NEWLINE = 10;
/** No JSON has it raw, so that the SDK takes the line for none. */
const NO_JSON = 0x01;
/** JSON-RPC 2.0 §5.1: the line could not be parsed. */
const PARSE_ERROR = -32_700;

/** The answer to a line that is not UTF-8, as JSON-RPC wants it. */
export interface Refusal {
  readonly jsonrpc: "2.0";
  readonly id: string | number | null;
  readonly error: { readonly code: number; readonly message: string };
}

/**
 * Stands between stdin and the SDK, which would read U+FFFD for bytes that are no UTF-8 and send that to a peer, and would drop a
 * first line that begins with a byte order mark without a word. Holds back a few bytes at most.
 */
export class CheckedInput {
  readonly #refuse: (refusal: Refusal) => void;
  /** The part of the line that has come, and whether some of it is no UTF-8. */
  #line: Buffer[] = [];
  #isBad = false;
  /** The beginning of a character, or of a byte order mark. */
  #held: Buffer = Buffer.alloc(0);
  #isBegun = false;

  constructor(refuse: (refusal: Refusal) => void) {
    this.#refuse = refuse;
  }

  /** @returns the bytes that the SDK may read now */
  take(chunk: Buffer): Buffer {
    let bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = Buffer.alloc(0);
    if (!this.#isBegun) {
      if (bytes.length < BOM.length && BOM.subarray(0, bytes.length).equals(bytes)) {
        this.#held = Buffer.from(bytes);
        return Buffer.alloc(0);
      }
      this.#isBegun = true;
      if (bytes.subarray(0, BOM.length).equals(BOM)) bytes = bytes.subarray(BOM.length);
    }
    const whole = bytes.length - unfinished(bytes);
    this.#held = Buffer.from(bytes.subarray(whole));
    const parts: Buffer[] = [];
    for (let from = 0; from < whole;) {
      const at = bytes.indexOf(NEWLINE, from);
      const to = at === -1 || at >= whole ? whole : at + 1;
      parts.push(...this.#checked(bytes.subarray(from, to)));
      if (to > from && bytes[to - 1] === NEWLINE) this.#lineEnds();
      from = to;
    }
    return parts.length === 1 ? (parts[0] ?? bytes) : Buffer.concat(parts);
  }

  #checked(part: Buffer): Buffer[] {
    this.#line.push(part);
    if (isUtf8(part)) return [part];
    this.#isBad = true;
    return [Buffer.from([NO_JSON]), part];
  }

  #lineEnds(): void {
    const line = this.#line;
    const isBad = this.#isBad;
    this.#line = [];
    this.#isBad = false;
    if (!isBad) return;
    const message =
      "Parse error: this line is not UTF-8, so nothing of it was carried out. Send it in UTF-8.";
    this.#refuse({ jsonrpc: "2.0", id: idIn(line), error: { code: PARSE_ERROR, message } });
  }
}

/** The id of the request, where it can be read all the same: its caller would wait for an answer without end. */
function idIn(line: readonly Buffer[]): string | number | null {
  try {
    const value: unknown = JSON.parse(Buffer.concat(line).toString("utf8"));
    const id: unknown = typeof value === "object" && value !== null && "id" in value ? value.id : null;
    return typeof id === "string" || typeof id === "number" ? id : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
