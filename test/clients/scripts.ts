import type { Move, Script, Turn } from "./model.ts";

/** A conversation of the stand-in, written as it goes: each `yield` is a move and gives what the tool answered. */
export type Conversation = AsyncGenerator<Move, void, string>;

/**
 * The script of a conversation. A client may ask the same again, for a side question or after an error of its own: then the
 * same move is made again. What comes after the last move is the end of the turn.
 */
export function scripted(conversation: Conversation): Script {
  let answered = -1;
  let move: Promise<Move> | undefined;
  return ({ results }: Turn) => {
    if (move !== undefined && results.length === answered) return move;
    answered = results.length;
    move = conversation
      .next(results.at(-1) ?? "")
      .then(({ value }): Move => value ?? { text: "That is all." });
    return move;
  };
}

export const call = (tool: string, args: Readonly<Record<string, unknown>> = {}): Move => ({ tool, args });

/** What a field of a result says, through whatever the client has put around the JSON or into it. */
export function field(result: string, name: string): string {
  const found = new RegExp(`\\\\*"${name}\\\\*":\\s*\\\\*"((?:[^"\\\\]|\\\\\\\\.)*)`).exec(result);
  if (found?.[1] === undefined) throw new Error(`no ${name} in ${result.slice(0, 1_000)}`);
  return found[1];
}

/** Listens until a result says what is waited for. @throws {Error} when the tunnel is over before */
export async function* heard(pattern: RegExp): AsyncGenerator<Move, string, string> {
  for (;;) {
    const result = yield call("tunnel_listen", { timeoutMs: 20_000 });
    if (pattern.test(result)) return result;
    if (/"ended\\*":/.test(result)) throw new Error(`the tunnel is over: ${result.slice(0, 1_000)}`);
  }
}

/** The arguments by which an offered file is received, at the place that its message proposes. */
export function receiving(heard: string): Record<string, unknown> {
  // Its sender stands before the id, behind those of earlier messages.
  const before = heard.slice(0, heard.indexOf("fileId"));
  const offer = heard.slice(heard.indexOf("fileId"));
  const from = field(before.slice(before.lastIndexOf("fromName") - 3), "fromName");
  return {
    fileId: field(heard, "fileId"),
    name: field(offer, "name"),
    from,
    savePath: field(offer, "savePath"),
  };
}
