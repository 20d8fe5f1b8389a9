import { CLAUDE_CODE_ASKS_SINCE } from "../../errors/base/clients.ts";
import { GATES, type Gate } from "../../oversight/gates/gates.ts";
import type { ClientProgram } from "../../protocol/room/work-context.ts";
import { isAtLeast } from "./version.ts";

/** A prompt of a client that counts as a person's answer. */
interface ClientAnswer {
  /** Its question before a call, or a form that it draws; see {@link GateEntry.byClient}. */
  readonly by: "call" | "form";
  /** The name in its `clientInfo`. */
  readonly client: string;
  /** The first version that is known to do so. */
  readonly since: string;
  readonly source: string;
}

/**
 * The clients whose prompts count, each with its source. A client without a row has no say: its person answers in
 * `tunnel-mcp watch`. Gates that are to come (exposing, offering, a first connection) are covered by a row of GATES alone.
 */
export const CLIENT_ANSWERS: readonly ClientAnswer[] = [
  {
    by: "call",
    client: "claude-code",
    since: CLAUDE_CODE_ASKS_SINCE,
    source:
      "https://code.claude.com/docs/en/mcp (anthropic/requiresUserInteraction); 2.1.197 to .199 and .332 were run",
  },
  {
    by: "form",
    client: "claude-code",
    since: "2.1.332",
    source:
      "https://code.claude.com/docs/en/mcp (elicitation); 2.1.332 was run in a terminal: it draws the form, and accepts none whose required field is not set",
  },
];

/**
 * Whether the prompt of this client is an answer at all of these gates.
 * @returns undefined where its version says nothing
 */
export function mayAnswer(
  client: ClientProgram | undefined,
  by: ClientAnswer["by"],
  gates: readonly Gate[],
): boolean | undefined {
  if (client === undefined || !gates.every((gate) => GATES[gate].byClient === by)) return false;
  const row = CLIENT_ANSWERS.find((one) => one.by === by && one.client === client.name);
  return row === undefined ? false : isAtLeast(client.version, row.since);
}
