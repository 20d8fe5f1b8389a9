import type { Socket } from "node:net";
import { StringDecoder } from "node:string_decoder";
import * as z from "zod/mini";

/** One connection carries one request and its answer, each a line of JSON. */

/** Requests are small; whoever sends more is no command of ours. */
export const MAX_REQUEST_BYTES = 16 * 1024;
/** Answers may hold a whole conversation, which the transcript's own bounds keep below this. */
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export const requestSchema = z.strictObject({
  token: z.string(),
  action: z.string(),
  input: z.optional(z.unknown()),
});

export const answerSchema = z.union([
  z.strictObject({ ok: z.literal(true), result: z.unknown() }),
  z.strictObject({ ok: z.literal(false), code: z.string() }),
]);

export type Answer = z.infer<typeof answerSchema>;

/** The value of a line of JSON; undefined when it is none, which no message is. */
export function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The first line that arrives; undefined when the connection ends before, or the line is longer than allowed. */
export function readLine(socket: Socket, maxBytes: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const decoder = new StringDecoder("utf8");
    const parts: string[] = [];
    let size = 0;
    const finish = (line: string | undefined): void => {
      socket.off("data", take).off("close", lost).off("end", lost);
      // What follows is read and dropped: a stream at rest would never tell of its end.
      socket.resume();
      resolve(line);
    };
    const lost = (): void => finish(undefined);
    const take = (chunk: Buffer): void => {
      const end = chunk.indexOf(10);
      size += end === -1 ? chunk.length : end;
      if (size > maxBytes) return finish(undefined);
      parts.push(decoder.write(end === -1 ? chunk : chunk.subarray(0, end)));
      if (end !== -1) finish(parts.join(""));
    };
    socket.on("data", take).once("close", lost).once("end", lost);
  });
}
