import type { Socket } from "node:net";
import { asTunnelError } from "../errors/tunnel-error.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Sessions } from "../session/sessions.ts";
import type { Actions, ExposedHere } from "./actions.ts";
import { Watchers } from "./watchers.ts";
import { MAX_REQUEST_BYTES, parseJson, readLine, requestSchema, type Answer } from "./messages.ts";

/** Time from connecting to the end of the request. */
export const REQUEST_MS = 5_000;
/** Time for the client to read the answer. */
const READ_MS = 30_000;

interface QuestionsOptions {
  readonly sessions: Sessions;
  readonly exposed?: () => ExposedHere | undefined;
  readonly clock: Clock;
  readonly actions: Actions;
  /** Those that go on asking for as long as they run. */
  readonly watchers?: Watchers;
}

/** Answers the questions of other commands: one line in, one line out. It carries no decision of a person. */
export function answerQuestions({
  sessions,
  exposed = () => undefined,
  clock,
  actions,
  watchers = new Watchers(clock),
}: QuestionsOptions) {
  /** Never rejects. A client without the token learns nothing else. */
  const answerTo = async (
    line: string,
    isToken: (token: string) => boolean,
    signal: AbortSignal,
  ): Promise<Answer> => {
    const request = requestSchema.safeParse(parseJson(line));
    if (!request.success || !isToken(request.data.token)) return { ok: false, code: "control-failed" };
    const { action, input } = request.data;
    const known = Object.hasOwn(actions, action) ? actions[action] : undefined;
    if (known === undefined) return { ok: false, code: "control-failed" };
    try {
      const watching = (tunnelId: string | undefined) => watchers.begin(tunnelId, signal);
      return { ok: true, result: await known.run(input, { sessions, exposed, clock, signal, watching }) };
    } catch (thrown) {
      return { ok: false, code: asTunnelError(thrown).code };
    }
  };
  const serve = async (socket: Socket, isToken: (token: string) => boolean): Promise<void> => {
    const late = clock.after(REQUEST_MS, () => socket.destroy());
    const line = await readLine(socket, MAX_REQUEST_BYTES);
    late();
    if (line === undefined) return void socket.destroy();
    const gone = new AbortController();
    socket.once("close", () => gone.abort());
    const answer = await answerTo(line, isToken, gone.signal);
    if (socket.destroyed) return;
    const unread = clock.after(READ_MS, () => socket.destroy());
    socket.once("close", unread);
    socket.end(`${JSON.stringify(answer)}\n`);
  };
  return (socket: Socket, isToken: (token: string) => boolean): void => void serve(socket, isToken);
}
