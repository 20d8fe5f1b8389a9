import type { RawFields, ResponseHead } from "../../message.ts";
import { valuesOf } from "../../message.ts";
import { BodyReader, type Framing } from "./body-reader.ts";
import { Failure } from "./failure.ts";
import { parseFields } from "./field-lines.ts";

/** Takes what is read from the service, in the order of the wire. */
export interface ResponseEvents {
  /** An interim response (RFC 9110 §15.2), never 101. */
  onInterim(head: ResponseHead): void;
  onHead(head: ResponseHead, framing: Framing): void;
  onChunk(chunk: Buffer): void;
  /** `left`: bytes after the message, which nobody asked for, or the first ones of another protocol after 101. */
  onComplete(trailers: RawFields, left: Buffer): void;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const PROTOCOL = "HTTP/1.";
const HEAD_END = Buffer.from("\r\n\r\n");
const NOTHING: Buffer = Buffer.alloc(0);

/**
 * Reads responses of HTTP/1.1 (RFC 9112). Field lines stay pairs, in their order and case, each character one byte. A
 * message whose end is not certain is a {@link Failure} and never a guess.
 */
export class ResponseParser {
  readonly #events: ResponseEvents;
  readonly #maxHeadBytes: number;
  /** The part of a head that has come so far. */
  #pending: Buffer = NOTHING;
  #method = "";
  #mayUpgrade = false;
  #body: BodyReader | undefined;
  #isReusable = false;

  constructor(events: ResponseEvents, maxHeadBytes: number) {
    this.#events = events;
    this.#maxHeadBytes = maxHeadBytes;
  }

  /** Whether the connection can carry another message after the one that is complete (RFC 9112 §9.3). */
  get isReusable(): boolean {
    return this.#isReusable;
  }

  /** The request whose response comes next: a response to HEAD has no body, and only an upgrade may be answered with 101. */
  expect(method: string, mayUpgrade: boolean): void {
    this.#method = method;
    this.#mayUpgrade = mayUpgrade;
    this.#body = undefined;
    this.#isReusable = false;
  }

  /** @throws {Failure} the service does not speak HTTP, or not clearly enough */
  feed(chunk: Buffer): void {
    let rest = chunk;
    while (this.#body === undefined) {
      const head = this.#takeHead(rest);
      if (head === undefined) return;
      if (this.#begin(head.text, head.rest)) return;
      rest = head.rest;
    }
    this.#readBody(this.#body, rest);
  }

  /**
   * The service has sent its last byte.
   * @throws {Failure} in the middle of a message
   */
  end(): void {
    if (this.#body === undefined) throw new Failure("http_response_incomplete", "closed before the response");
    if (!this.#body.endsByClosing) throw new Failure("http_response_incomplete", "closed in the middle");
    this.#events.onComplete([], NOTHING);
  }

  #readBody(body: BodyReader, chunk: Buffer): void {
    const left = body.read(chunk, this.#events);
    if (left !== undefined) this.#events.onComplete(body.trailers, left);
  }

  /** The next head when it is whole. */
  #takeHead(chunk: Buffer): { readonly text: string; readonly rest: Buffer } | undefined {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const end = bytes.indexOf(HEAD_END);
    if (end === -1 ? bytes.length > this.#maxHeadBytes : end > this.#maxHeadBytes) {
      throw new Failure("http_response_header_section_size", "head of the response too long");
    }
    if (end === -1) {
      refuseOtherProtocols(bytes);
      this.#pending = bytes;
      return undefined;
    }
    this.#pending = NOTHING;
    return { text: bytes.toString("latin1", 0, end), rest: bytes.subarray(end + HEAD_END.length) };
  }

  /** Whether that was all: another protocol follows, or there is no body. */
  #begin(text: string, rest: Buffer): boolean {
    const { version, head } = parseHead(text);
    if (head.status === 101) {
      if (!this.#mayUpgrade) throw new Failure("http_protocol_error", "101 to a request without Upgrade");
      this.#events.onHead(head, { kind: "none" });
      this.#events.onComplete([], rest);
      return true;
    }
    if (head.status < 200) {
      this.#events.onInterim(head);
      return false;
    }
    const framing = framingOf(this.#method, version, head);
    this.#isReusable = framing.kind !== "close" && staysOpen(version, head.fields);
    this.#events.onHead(head, framing);
    if (framing.kind === "none") {
      this.#events.onComplete([], rest);
      return true;
    }
    this.#body = new BodyReader(framing, this.#maxHeadBytes);
    return false;
  }
}

/** Tells at the first bytes, not after a time-out, that this is no HTTP/1.1. */
function refuseOtherProtocols(bytes: Buffer): void {
  const start = bytes.toString("latin1", 0, PROTOCOL.length);
  if (!PROTOCOL.startsWith(start)) throw new Failure("http_protocol_error", "no HTTP/1.1 response");
  const line = bytes.indexOf(0x0a);
  if (line > 0 && bytes[line - 1] !== 0x0d) throw new Failure("http_protocol_error", "bare LF in the head");
}

function parseHead(text: string): { readonly version: "0" | "1"; readonly head: ResponseHead } {
  const [statusLine = "", ...lines] = text.split("\r\n");
  const found = STATUS_LINE.exec(statusLine);
  if (found === null) throw new Failure("http_protocol_error", "no status line");
  const [, minor, status, reason = ""] = found;
  return {
    version: minor === "0" ? "0" : "1",
    head: { status: Number(status), reason, fields: parseFields(lines) },
  };
}

/** Where the message ends (RFC 9112 §6.3). */
function framingOf(method: string, version: "0" | "1", { status, fields }: ResponseHead): Framing {
  if (method === "HEAD" || status === 204 || status === 304) return { kind: "none" };
  const codings = valuesOf(fields, "transfer-encoding").join(",").toLowerCase().trim();
  if (codings !== "") {
    if (version === "0" || codings !== "chunked") {
      throw new Failure("http_response_transfer_coding", "a transfer coding other than chunked");
    }
    return { kind: "chunked" };
  }
  const bytes = contentLength(fields);
  return bytes === undefined ? { kind: "close" } : { kind: "length", bytes };
}

/**
 * The one length that all `Content-Length` lines say.
 * @throws {Failure} they differ, or one is no number
 */
function contentLength(fields: RawFields): number | undefined {
  const values = valuesOf(fields, "content-length");
  if (values.length === 0) return undefined;
  const lengths = new Set(values.flatMap((value) => value.split(",")).map((value) => value.trim()));
  const [first = ""] = lengths;
  const bytes = Number(first);
  if (lengths.size > 1 || !/^[0-9]+$/.test(first) || !Number.isSafeInteger(bytes)) {
    throw new Failure("http_protocol_error", "no single Content-Length");
  }
  return bytes;
}

function staysOpen(version: "0" | "1", fields: RawFields): boolean {
  // With both, someone on the way has taken one for the other (RFC 9112 §6.3).
  const [coded, measured] = [valuesOf(fields, "transfer-encoding"), valuesOf(fields, "content-length")];
  if (coded.length > 0 && measured.length > 0) return false;
  const options = valuesOf(fields, "connection").join(",").toLowerCase().split(",");
  const has = (option: string): boolean => options.some((one) => one.trim() === option);
  return version === "1" ? !has("close") : has("keep-alive");
}
