import type { RawFields, RequestHead, ResponseHead } from "./message.ts";
import type { Source, WayIn } from "./gate.ts";

/** How an exchange ended. */
export type ExchangeEnd =
  /** The whole response has gone to the visitor; a close-delimited one may have been cut, which nobody can tell (RFC 9112 §6.3). */
  | "complete"
  /** We answered ourselves: the gate, or an error of ours. */
  | "own-answer"
  | "visitor-left"
  /** The service ended in the middle. */
  | "service-cut"
  /** A limit of ours: time, size, a visitor that does not read. */
  | "limit"
  /** The exposure was stopped or is over. */
  | "stopped";

export interface RecordedRequest extends RequestHead {
  readonly source: Source;
  /** How it got in, or why not. */
  readonly decided:
    { readonly way: WayIn; readonly visitor: string | undefined } | { readonly refused: string };
}

/** Takes down exchanges as they pass. It must not throw, and copies what it keeps: chunks belong to the caller. */
export interface Recorder {
  begin(request: RecordedRequest): Recording;
}

/** One exchange. Every method is called in the order of the wire; `end` once and last. */
export interface Recording {
  requestChunk(chunk: Uint8Array): void;
  /** An interim response (RFC 9110 §15.2), or the final one. */
  responseHead(head: ResponseHead): void;
  responseChunk(chunk: Uint8Array): void;
  trailers(from: "request" | "response", fields: RawFields): void;
  /** 101: from here on bytes are counted, not kept. */
  upgraded(): void;
  end(how: ExchangeEnd, why?: string): void;
}
