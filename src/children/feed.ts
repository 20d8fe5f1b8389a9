import type { Readable, Writable } from "node:stream";

/** Gives a program its input. One that ends, or reads no more, does not disturb whoever writes. */
export function feed(source: Readable, input: Writable): void {
  // Bytes that cannot be written any more are dropped: its end is told by the exit of the program.
  input.on("error", () => source.unpipe(input).resume());
  source.on("error", () => input.destroy());
  source.pipe(input);
}
