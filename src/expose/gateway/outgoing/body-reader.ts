import type { RawFields } from "../../message.ts";
import { Failure } from "./failure.ts";
import { parseFields } from "./field-lines.ts";

/** How the end of a message is told (RFC 9112 §6.3). */
export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  /** By the end of the connection: a cut cannot be told from it. */
  | { readonly kind: "close" };

/** Digits of a chunk size with leading zeros; 2^53 has 14. */
const MAX_SIZE_DIGITS = 16;
/** Chunk extensions have no meaning here; they are read over. */
const MAX_SIZE_LINE = 4_096;

type State =
  | { readonly kind: "data"; left: number }
  | { readonly kind: "until-close" }
  /** Lines are gathered as text, since they are short and may come in pieces. */
  | { readonly kind: "size" | "after-chunk" | "trailers"; line: string };

/** Takes the framing off a body. */
export class BodyReader {
  readonly #isChunked: boolean;
  readonly #maxTrailerBytes: number;
  #state: State;
  #trailerLines: string[] = [];
  #trailerBytes = 0;
  #trailers: RawFields = [];

  constructor(framing: Exclude<Framing, { kind: "none" }>, maxTrailerBytes: number) {
    this.#isChunked = framing.kind === "chunked";
    this.#maxTrailerBytes = maxTrailerBytes;
    if (framing.kind === "length") this.#state = { kind: "data", left: framing.bytes };
    else this.#state = framing.kind === "close" ? { kind: "until-close" } : { kind: "size", line: "" };
  }

  get trailers(): RawFields {
    return this.#trailers;
  }

  get endsByClosing(): boolean {
    return this.#state.kind === "until-close";
  }

  /**
   * Hands on the content of these bytes. The result is what is left after the end of the body, or nothing before the end.
   * @throws {Failure} the framing is broken
   */
  read(bytes: Buffer, to: { onChunk(chunk: Buffer): void }): Buffer | undefined {
    let at = 0;
    for (;;) {
      const state = this.#state;
      if (state.kind === "until-close") {
        if (at < bytes.length) to.onChunk(bytes.subarray(at));
        return undefined;
      }
      if (state.kind === "data") {
        const taken = Math.min(state.left, bytes.length - at);
        if (taken > 0) to.onChunk(bytes.subarray(at, at + taken));
        at += taken;
        state.left -= taken;
        if (state.left > 0) return undefined;
        if (!this.#isChunked) return bytes.subarray(at);
        this.#state = { kind: "after-chunk", line: "" };
        continue;
      }
      const end = bytes.indexOf(0x0a, at);
      const piece = bytes.toString("latin1", at, end === -1 ? bytes.length : end);
      state.line += piece;
      if (state.line.length > (state.kind === "trailers" ? this.#maxTrailerBytes : MAX_SIZE_LINE)) {
        throw new Failure("http_protocol_error", "a line of the chunked body is too long");
      }
      if (end === -1) return undefined;
      at = end + 1;
      if (!state.line.endsWith("\r")) throw new Failure("http_protocol_error", "bare LF in the chunked body");
      if (this.#endLine(state.kind, state.line.slice(0, -1))) return bytes.subarray(at);
    }
  }

  /** Whether the body has ended. */
  #endLine(kind: "size" | "after-chunk" | "trailers", line: string): boolean {
    if (kind === "after-chunk") {
      if (line !== "") throw new Failure("http_protocol_error", "a chunk is longer than it says");
      this.#state = { kind: "size", line: "" };
    } else if (kind === "size") {
      const left = chunkSize(line);
      this.#state = left === 0 ? { kind: "trailers", line: "" } : { kind: "data", left };
    } else {
      if (line === "") {
        this.#trailers = parseFields(this.#trailerLines);
        return true;
      }
      this.#trailerBytes += line.length;
      if (this.#trailerBytes > this.#maxTrailerBytes) {
        throw new Failure("http_response_header_section_size", "trailers too long");
      }
      this.#trailerLines.push(line);
      this.#state = { kind: "trailers", line: "" };
    }
    return false;
  }
}

function chunkSize(line: string): number {
  const digits = /^([0-9A-Fa-f]+)[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/.exec(line)?.[1];
  const size = digits === undefined ? Number.NaN : Number.parseInt(digits, 16);
  if (digits === undefined || digits.length > MAX_SIZE_DIGITS || !Number.isSafeInteger(size)) {
    throw new Failure("http_protocol_error", "no chunk size");
  }
  return size;
}
