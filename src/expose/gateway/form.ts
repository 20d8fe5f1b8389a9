import type { IncomingMessage } from "node:http";
import type { Clock } from "../../runtime/clock.ts";

/**
 * Reads a small body, such as a form of ours.
 * @returns its text, or what is wrong with it; nothing if the visitor left
 */
export function readForm(
  request: IncomingMessage,
  maxBytes: number,
  clock: Clock,
  ms: number,
  then: (body: { readonly text: string } | "too-long" | "too-late") => void,
): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let isOver = false;
  const end = (body: { readonly text: string } | "too-long" | "too-late"): void => {
    if (isOver) return;
    isOver = true;
    stop();
    then(body);
  };
  const stop = clock.after(ms, () => end("too-late"));
  request
    .on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) end("too-long");
      else chunks.push(chunk);
    })
    .once("end", () => end({ text: Buffer.concat(chunks).toString("utf8") }))
    .once("close", () => {
      isOver = true;
      stop();
    });
}
