import { type McpServer, ProtocolError, ProtocolErrorCode } from "@modelcontextprotocol/server";
import * as z from "zod";
import { readArguments } from "../arguments/read.ts";
import { asTunnelError } from "../errors/tunnel-error.ts";
import { RESULT } from "../protocol/base/limits.ts";

/** Prompts that a human picks from a menu. Each says only what the human wants. */

const asked = (text: string) => ({
  messages: [{ role: "user" as const, content: { type: "text" as const, text } }],
});

/** Far more than any goal or invite has: a prompt fits wherever a result does, whatever a human has pasted by mistake. */
const GIVEN = z
  .string()
  .max(RESULT.minChars / 2)
  .optional();

const given = (value: string | undefined): string => value?.trim() ?? "";

/**
 * The arguments of a prompt; a refusal is one that the SDK passes on.
 * @throws {ProtocolError} naming the argument that is wrong, and those that there are
 */
function read<Schema extends z.ZodObject>(schema: Schema, values: unknown): z.infer<Schema> {
  try {
    return readArguments(schema, values);
  } catch (thrown) {
    const { code, message, next } = asTunnelError(thrown);
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, `${message}. ${next}`, { code });
  }
}

const OPEN = z.strictObject({ goal: GIVEN.describe("What the agents are to get done.") });
const JOIN = z.strictObject({
  link: GIVEN.describe("The link, wss://…#1.…, or the whole invite."),
});

function openText(goal: string): string {
  const what =
    goal === ""
      ? "Ask me in one line what the agents are to get done, then open a tunnel for it"
      : `Open a tunnel with this goal: ${goal}`;
  return `${what} (tunnel_open). Give me the invite to pass on, as it is. Then wait with tunnel_listen until the other side has joined, show me the safety code, and begin.`;
}

function joinText(link: string): string {
  const what =
    link === ""
      ? "Go on with a tunnel that tunnel_status lists as `resumable`, where I mean that; else ask me for the invite link, then join that tunnel"
      : `Join this tunnel: ${link}`;
  return `${what} (tunnel_join). Show me its goal and the safety code, and ask me whether the goal is what I want before you work on it.`;
}

const HANDOVER =
  "Write a handover of what this tunnel has come to: what was agreed, what was decided and by whom, what is open and whose turn it is, with the numbers (seq) of the messages that say so. Keep apart what I have confirmed and what only the other agent says. Look the conversation up with tunnel_listen and `sinceSeq` where you are not sure. Show it to me first; send it to the other side (tunnel_say) only when I say so.";

export function registerPrompts(server: McpServer): void {
  server.registerPrompt(
    "open",
    {
      title: "Open a tunnel",
      description: "Open a tunnel to another developer's agent, and get the invite to pass on.",
      // Loose for the SDK alone, which would drop in silence what it does not know.
      argsSchema: OPEN.loose(),
    },
    (values) => asked(openText(given(read(OPEN, values).goal))),
  );
  server.registerPrompt(
    "join",
    {
      title: "Join a tunnel",
      description: "Join another developer's tunnel with the invite link that they sent.",
      argsSchema: JOIN.loose(),
    },
    (values) => asked(joinText(given(read(JOIN, values).link))),
  );
  server.registerPrompt(
    "handover",
    {
      title: "Write a handover",
      description:
        "Sum up what the tunnel has come to: agreed, decided, open, with the messages that say so.",
    },
    () => asked(HANDOVER),
  );
}
