import type { Socket } from "node:net";
import { StringDecoder } from "node:string_decoder";
import * as z from "zod/mini";

/** One connection carries one request and its answer, each a line of JSON. */

/** Requests are small: a longer one is from no command of this program. */
export const MAX_REQUEST_BYTES = 16 * 1024;
/** An answer may hold a whole conversation. The bounds of transcripts keep it below this. */
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

/** The value of a line of JSON. Undefined stands for a line that is none: no message is undefined. */
export function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The first line that arrives. Undefined when the connection ends before it, or when it is too long. */
export function readLine(socket: Socket, maxBytes: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const decoder = new StringDecoder("utf8");
    const parts: string[] = [];
    let size = 0;
    const finish = (line: string | undefined): void => {
      socket.off("data", take).off("close", lost).off("end", lost);
      // Further bytes are read and dropped: a paused stream would never tell of its end.
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
