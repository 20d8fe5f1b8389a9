import { setFlagsFromString } from "node:v8";

/**
 * Takes back the large budget that lean-heap.ts has set for the start. A server with a tunnel answers many calls, and its code
 * is to be optimised as usual (bench/exchange.mjs). The nursery stays small: a larger one makes files a third slower, since
 * their blocks are copied between its halves (bench/files.mjs).
 */
export function restoreEngineDefaults(): void {
  // The default of Node 20; newer engines do not know the flag.
  if (process.versions.v8.startsWith("11.")) setFlagsFromString("--interrupt-budget=135168");
}
