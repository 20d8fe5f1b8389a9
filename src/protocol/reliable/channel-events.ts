import type { Chunk } from "../record/chunk.ts";
import type { Bytes } from "../base/bytes.ts";

/** Events that a channel hands to the layer above it. */
export type ChannelEvent =
  | { readonly type: "durable"; readonly payload: Bytes }
  | { readonly type: "note"; readonly payload: Bytes }
  /** About a stream. */
  | { readonly type: "stream"; readonly payload: Bytes }
  | { readonly type: "chunk"; readonly chunk: Chunk }
  | { readonly type: "close"; readonly reason: number };

/** The outcome of an arriving frame: an event for the layer above, and the answer to send. */
export interface Received {
  readonly event: ChannelEvent | undefined;
  readonly reply: readonly Bytes[];
}
