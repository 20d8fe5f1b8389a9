import { createConnection } from "node:net";
import type * as z from "zod/mini";
import { ERRORS, TunnelError, type ErrorCode } from "../errors/tunnel-error.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Descriptor } from "./descriptor.ts";
import { answerSchema, MAX_ANSWER_BYTES, parseJson, readLine } from "./messages.ts";

/** Added to the time of the action itself: a local server answers at once, or hangs. */
const ANSWER_MS = 10_000;

interface Question<Schema extends z.ZodMiniType> {
  readonly action: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** The schema of the answer. */
  readonly result: Schema;
  /** The time that the action itself may take, in ms. */
  readonly takesMs?: number;
}

/**
 * Asks a running server of this user.
 * @throws {TunnelError} control-failed when it is gone, hangs or answers nonsense; else the error of the server
 */
export async function ask<Schema extends z.ZodMiniType>(
  { endpoint, token }: Descriptor,
  { action, input, result, takesMs = 0 }: Question<Schema>,
  clock: Clock,
): Promise<z.infer<Schema>> {
  const socket = createConnection(endpoint);
  // A failed connection is closed as well, which ends the reading below.
  socket.on("error", () => socket.destroy());
  const hung = clock.after(takesMs + ANSWER_MS, () => socket.destroy());
  try {
    socket.write(`${JSON.stringify({ token, action, input })}\n`);
    const line = await readLine(socket, MAX_ANSWER_BYTES);
    const answer = answerSchema.safeParse(line === undefined ? undefined : parseJson(line));
    if (!answer.success) throw new TunnelError("control-failed");
    if (!answer.data.ok) {
      const { code } = answer.data;
      throw new TunnelError(isErrorCode(code) ? code : "control-failed");
    }
    const parsed = result.safeParse(answer.data.result);
    if (!parsed.success) throw new TunnelError("control-failed");
    return parsed.data;
  } finally {
    hung();
    socket.destroy();
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}
