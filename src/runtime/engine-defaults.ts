import { setFlagsFromString } from "node:v8";

/**
 * Takes back the large budget that lean-heap.ts has set for the start. A server with a tunnel answers many calls, and its code
 * is to be optimised as usual (bench/exchange.mjs). The nursery stays small: a larger one makes files a third slower, since
 * their blocks are copied between its halves (bench/files.mjs).
 */
export function restoreEngineDefaults(): void {
  // The default of Node 20.
  setInterruptBudget(135_168);
}

/**
 * For tunnels in which something is said: each message runs through much code a few times, and with the default most of it is
 * not optimised before hundreds of messages. Not for a tunnel that only waits, for which it costs 6 MB (bench/memory.mjs).
 */
export function favourSpeed(): void {
  setInterruptBudget(8_000);
}

/** Bytes of bytecode that a function may run before it is looked at for optimising. Newer engines do not know the flag. */
function setInterruptBudget(bytes: number): void {
  if (process.versions.v8.startsWith("11.")) setFlagsFromString(`--interrupt-budget=${bytes}`);
}
