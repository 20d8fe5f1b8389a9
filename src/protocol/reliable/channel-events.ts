import type { Chunk } from "../record/chunk.ts";
import type { Bytes } from "../base/bytes.ts";

/** What a channel hands to the layer above it. */
export type ChannelEvent =
  | { readonly type: "durable"; readonly payload: Bytes }
  | { readonly type: "note"; readonly payload: Bytes }
  /** Opens, feeds or stops a stream. */
  | { readonly type: "stream"; readonly payload: Bytes }
  | { readonly type: "chunk"; readonly chunk: Chunk }
  | { readonly type: "close"; readonly reason: number };

/** What an arriving frame has led to: what is for the layer above, and what to answer. */
export interface Received {
  readonly event: ChannelEvent | undefined;
  readonly reply: readonly Bytes[];
}
