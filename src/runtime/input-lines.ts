import { InputDecoder } from "./utf8-input.ts";

/**
 * The lines of an input, without their ends (LF or CR LF) and without a byte order mark. Bytes that are no UTF-8 come as
 * {@link InputDecoder} gives them. `return` stops reading and leaves the input open.
 */
export function inputLines(input: NodeJS.ReadableStream): AsyncIterator<string, undefined> {
  const decoder = new InputDecoder();
  const lines: string[] = [];
  let line = "";
  let isOver = false;
  let wake = (): void => undefined;
  function take(text: string): void {
    const [first = "", ...more] = text.split("\n");
    line += first;
    for (const next of more) {
      lines.push(line);
      line = next;
    }
    if (lines.length > 0) input.pause();
    wake();
  }
  const onData = (chunk: Buffer | string): void =>
    take(typeof chunk === "string" ? chunk : decoder.write(chunk));
  const onEnd = (): void => {
    if (isOver) return;
    stop();
    take(decoder.end());
    if (line !== "") lines.push(line);
    wake();
  };
  function stop(): void {
    isOver = true;
    input.removeListener("data", onData).removeListener("end", onEnd).removeListener("close", onEnd);
    input.removeListener("error", onEnd);
  }
  input.on("data", onData).once("end", onEnd).once("close", onEnd).once("error", onEnd);
  async function next(): Promise<IteratorResult<string, undefined>> {
    for (;;) {
      const found = lines.shift();
      if (found !== undefined)
        return { done: false, value: found.endsWith("\r") ? found.slice(0, -1) : found };
      if (isOver) return { done: true, value: undefined };
      const waiting = new Promise<void>((resolve) => (wake = resolve));
      input.resume();
      await waiting;
    }
  }
  return {
    next,
    return() {
      if (!isOver) {
        stop();
        input.pause();
      }
      lines.length = 0;
      wake();
      return Promise.resolve({ done: true, value: undefined });
    },
  };
}
