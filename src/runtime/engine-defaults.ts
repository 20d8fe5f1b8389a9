import { setFlagsFromString } from "node:v8";

/**
 * Takes back what lean-heap.ts has set for the start. A server with a tunnel answers many calls, and an exchange takes a
 * tenth less time with code that is optimised as usual; it costs about 2 MB (bench/exchange.mjs, bench/memory.mjs).
 */
export function restoreEngineDefaults(): void {
  setFlagsFromString("--semi-space-growth-factor=2");
  if (process.versions.v8.startsWith("11.")) setFlagsFromString("--interrupt-budget=135168");
}
