import * as z from "zod/mini";
import type { Bytes } from "../base/bytes.ts";
import {
  counter,
  decodeHeader,
  encodeHeader,
  memberId,
  ordinal,
  violation,
  withoutBody,
} from "../base/header.ts";
import type { MemberId } from "../base/ids.ts";
import { STREAM } from "../base/limits.ts";
import type { Chunk } from "../record/chunk.ts";

/** Why the stream layer itself ends a stream (S7). Services have codes of their own beside these. */
export const RESETS = [
  /** This end does not want it any more. */
  "cancelled",
  /** The other end is not connected, or was cut off. */
  "away",
  /** Enough other streams are open there. */
  "busy",
  /** Nobody of that id is in the room, or it is the asking member itself. */
  "nobody",
  /** The other end has no such service. */
  "no-service",
] as const;
export type StreamReset = (typeof RESETS)[number];

/** The service of connections to services (PROTOCOL §9.1): its streams are counted apart, since they are many and small (S6). */
export const PORT_SERVICE = "port";

const LABEL = /^[a-z][a-z0-9-]{0,31}$/;

/** The name of a service, and of a code with which it refuses (S1). */
function isStreamLabel(text: string): boolean {
  return LABEL.test(text);
}

const label = z.string().check(z.refine(isStreamLabel));
const stream = ordinal.check(z.lte(0xffff_ffff));

/** Headers of frames of type STREAM: volatile, they and their streams go with the connection. */
const streamHeader = z.discriminatedUnion("t", [
  /** Begins a stream. `who` is the other end towards the host, and the asking member towards that end. The request is the body. */
  z.strictObject({ t: z.literal("open"), stream, service: label, who: memberId, credit: ordinal }),
  /** The other end serves it. The response is the body. */
  z.strictObject({ t: z.literal("accept"), stream, credit: counter }),
  /** So many more bytes of bulk messages may come. */
  z.strictObject({ t: z.literal("credit"), stream, bytes: ordinal }),
  /** Nothing more comes this way; the other way goes on. */
  z.strictObject({ t: z.literal("end"), stream }),
  /** The last of this stream, both ways. */
  z.strictObject({ t: z.literal("reset"), stream, code: label }),
]);

type Header = z.infer<typeof streamHeader>;
export type StreamOpen = Extract<Header, { t: "open" }> & { readonly request: Bytes };
type StreamAccept = Extract<Header, { t: "accept" }> & { readonly response: Bytes };
export type StreamFrame = StreamOpen | StreamAccept | Exclude<Header, { t: "open" | "accept" }>;
/** A frame about a stream that exists. */
export type StreamWord = Exclude<StreamFrame, StreamOpen>;
/** All that the end of a stream gets to see. */
export type StreamEvent = StreamFrame | ({ readonly t: "chunk" } & Chunk);

/** Asks for a stream to somebody in the room. */
export interface StreamRequest {
  readonly who: MemberId;
  readonly service: string;
  /** Bytes of the service, at most {@link STREAM.maxRequestBytes}. */
  readonly request: Bytes;
  /** Bytes of bulk messages that may come unasked, at least 1. */
  readonly credit: number;
}

function bounded(body: Bytes): Bytes {
  if (body.length > STREAM.maxRequestBytes) throw new RangeError("a request over its limit");
  return body;
}

/** @throws {RangeError} a request or a response over its limit */
export function encodeStreamFrame(frame: StreamFrame): Bytes {
  if (frame.t === "open") {
    const { request, ...header } = frame;
    return encodeHeader(header, bounded(request));
  }
  if (frame.t === "accept") {
    const { response, ...header } = frame;
    return encodeHeader(header, bounded(response));
  }
  return encodeHeader(frame);
}

/** @throws {TunnelError} protocol-violation (F2, F3) */
export function decodeStreamFrame(payload: Bytes): StreamFrame {
  const decoded = decodeHeader(streamHeader, payload);
  const { header, body } = decoded;
  if (header.t !== "open" && header.t !== "accept") {
    withoutBody(decoded);
    return header;
  }
  if (body.length > STREAM.maxRequestBytes) throw violation();
  return header.t === "open" ? { ...header, request: body } : { ...header, response: body };
}
