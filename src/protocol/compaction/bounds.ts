import { ascii, equalBytes, u32be, concat, type Bytes } from "../base/bytes.ts";
import { ROOM } from "../base/limits.ts";
import type { Primitives } from "../base/primitives.ts";

/** How much of a room is kept one by one, as its log is (D6). */
export interface Bounds {
  readonly entries: number;
  readonly bytes: number;
}

export const LOG_BOUNDS: Bounds = { entries: ROOM.maxTranscriptEntries, bytes: ROOM.maxTranscriptBytes };

/** How many of the last of these are within the bounds: one at least. @param sizes in bytes, oldest first */
export function lastWithin(sizes: readonly number[], { entries, bytes }: Bounds): number {
  let count = 0;
  let sum = 0;
  for (const size of sizes.toReversed()) {
    sum += size;
    if (count === entries || (sum > bytes && count > 0)) break;
    count += 1;
  }
  return count;
}

const MESSAGE = ascii("tunnel-mcp/1 room-msg");
const LABEL = concat(u32be(MESSAGE.length), MESSAGE);

/** The signature of a message was verified before it was kept, which takes longer than all the rest. */
export function trusting(primitives: Primitives): Primitives {
  return {
    ...primitives,
    verifySignature: (key: Bytes, message: Bytes, signature: Bytes) =>
      equalBytes(message.subarray(0, LABEL.length), LABEL) ||
      primitives.verifySignature(key, message, signature),
  };
}
