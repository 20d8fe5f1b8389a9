import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { z } from "zod";

/** The next thing that the stand-in does: a tool of this project by its plain name, another tool, or its last words. */
export type Move =
  { readonly tool: string; readonly args: Readonly<Record<string, unknown>> } | { readonly text: string };

/** One turn of a conversation, whatever API it came by. */
export interface Turn {
  /** The names under which the client offers its tools. */
  readonly tools: readonly string[];
  /** What the tools have answered so far, in order, as the model is shown it. */
  readonly results: readonly string[];
  /** The whole request, as text. */
  readonly request: string;
}

/** The move for a turn. A promise may wait for something outside, such as another client. */
export type Script = (turn: Turn) => Move | Promise<Move>;

/**
 * A stand-in for a model: it speaks the four APIs that coding agents use, and follows a script. So a real client is driven
 * through its own permissions, its own tool calls and its own way to show results, without an account.
 */
export class StandIn {
  readonly #server: Server;
  readonly turns: Turn[] = [];

  readonly #mainTool: string;

  private constructor(script: Script, mainTool: string) {
    this.#mainTool = mainTool;
    this.#server = createServer((request, response) => {
      void this.#answer(request, response, script).catch((error: unknown) => {
        response.writeHead(500).end(String(error));
      });
    });
  }

  /** @param mainTool a tool without which a question is one on the side */
  static async start(script: Script, mainTool = "tunnel_status"): Promise<StandIn> {
    const one = new StandIn(script, mainTool);
    await new Promise<void>((resolve) => void one.#server.listen(0, "127.0.0.1", () => resolve()));
    return one;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()));
  }

  async #answer(request: IncomingMessage, response: ServerResponse, script: Script): Promise<void> {
    const body = await textOf(request);
    const path = new URL(request.url ?? "/", this.url).pathname;
    const api = APIS.find(({ matches }) => matches.test(path));
    if (request.method !== "POST" || api === undefined) {
      response.writeHead(path.endsWith("/models") ? 200 : 404, JSON_TYPE).end('{"object":"list","data":[]}');
      return;
    }
    const parsed = bodySchema.parse(JSON.parse(body));
    const turn: Turn = { tools: namesIn(parsed.tools), results: api.results(parsed), request: body };
    // Side questions, such as that for a title, offer no tool.
    const isMain = turn.tools.some((name) => name.endsWith(this.#mainTool));
    if (isMain) this.turns.push(turn);
    const move = isMain ? offered(await script(turn), turn.tools) : { text: "a title" };
    const isStreamed = parsed.stream === true || path.includes(":streamGenerateContent");
    response.writeHead(200, isStreamed ? { "content-type": "text/event-stream" } : JSON_TYPE);
    response.end(isStreamed ? api.stream(move) : JSON.stringify(api.whole(move)));
  }
}

const JSON_TYPE = { "content-type": "application/json" };

interface Call {
  readonly name: string;
  readonly args: string;
  readonly namespace?: string;
}
type Answer = { readonly text: string } | Call;

interface Api {
  readonly matches: RegExp;
  readonly results: (body: Body) => string[];
  readonly whole: (answer: Answer) => unknown;
  readonly stream: (answer: Answer) => string;
}

const bodySchema = z.looseObject({
  stream: z.boolean().optional(),
  tools: z.unknown().optional(),
  messages: z.array(z.unknown()).default([]),
  input: z.unknown().optional(),
  contents: z.array(z.unknown()).default([]),
});
type Body = z.infer<typeof bodySchema>;

const toolSchema: z.ZodType<Named> = z.looseObject({
  name: z.string().optional(),
  type: z.string().optional(),
  function: z.looseObject({ name: z.string() }).optional(),
  functionDeclarations: z.array(z.looseObject({ name: z.string() })).optional(),
  get tools() {
    return z.array(toolSchema).optional();
  },
});
interface Named {
  readonly name?: string | undefined;
  readonly type?: string | undefined;
  readonly function?: { readonly name: string } | undefined;
  readonly functionDeclarations?: readonly { readonly name: string }[] | undefined;
  readonly tools?: readonly Named[] | undefined;
}

/** Names of offered tools. Those of a namespace are written `namespace/name`. */
function namesIn(tools: unknown): string[] {
  const list = z.array(toolSchema).safeParse(tools);
  if (!list.success) return [];
  return list.data.flatMap((one) => {
    if (one.type === "namespace") return (one.tools ?? []).map(({ name }) => `${one.name}/${name}`);
    if (one.functionDeclarations !== undefined) return one.functionDeclarations.map(({ name }) => name);
    const name = one.function?.name ?? one.name;
    return name === undefined ? [] : [name];
  });
}

/** The call under the name that the client gives the tool: each puts its own prefix in front. */
function offered(move: Move, tools: readonly string[]): Answer {
  if ("text" in move) return move;
  const full = tools.find((name) => name === move.tool) ?? tools.find((name) => name.endsWith(move.tool));
  if (full === undefined) throw new Error(`no tool ${move.tool} among ${tools.join(", ")}`);
  const [namespace, name] = full.includes("/") ? full.split("/") : [undefined, full];
  return {
    name: name ?? full,
    args: JSON.stringify(move.args),
    ...(namespace === undefined ? {} : { namespace }),
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString("utf8");
}

let ids = 0;
const newId = (prefix: string): string => `${prefix}_${(ids += 1)}`;
const events = (list: readonly ({ type: string } & Record<string, unknown>)[]): string =>
  list.map((one) => `event: ${one.type}\ndata: ${JSON.stringify(one)}\n\n`).join("");
const lines = (list: readonly unknown[]): string =>
  list.map((one) => `data: ${typeof one === "string" ? one : JSON.stringify(one)}\n\n`).join("");

/** The text in a result, which is a string, a list of parts, or an object. */
function plain(content: unknown): string {
  if (typeof content === "string") return content;
  if (Array.isArray(content)) return content.map(plain).join("\n");
  const part = z.looseObject({ text: z.string() }).safeParse(content);
  return part.success ? part.data.text : JSON.stringify(content);
}

const anthropicBlock = z.looseObject({ type: z.literal("tool_result"), content: z.unknown() });
const anthropicMessage = z.looseObject({ role: z.literal("user"), content: z.array(z.unknown()) });

const anthropic: Api = {
  matches: /\/v1\/messages$/,
  results: ({ messages }) =>
    messages.flatMap((message) => {
      const parsed = anthropicMessage.safeParse(message);
      if (!parsed.success) return [];
      return parsed.data.content.flatMap((block) => {
        const result = anthropicBlock.safeParse(block);
        return result.success ? [plain(result.data.content)] : [];
      });
    }),
  whole: (answer) => ({
    ...anthropicMessageOf(),
    content: [
      "text" in answer
        ? { type: "text", text: answer.text }
        : { type: "tool_use", id: newId("toolu"), name: answer.name, input: JSON.parse(answer.args) },
    ],
    stop_reason: "text" in answer ? "end_turn" : "tool_use",
  }),
  stream: (answer) =>
    events([
      { type: "message_start", message: { ...anthropicMessageOf(), content: [], stop_reason: null } },
      ...("text" in answer
        ? [
            { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
            { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: answer.text } },
          ]
        : [
            {
              type: "content_block_start",
              index: 0,
              content_block: { type: "tool_use", id: newId("toolu"), name: answer.name, input: {} },
            },
            {
              type: "content_block_delta",
              index: 0,
              delta: { type: "input_json_delta", partial_json: answer.args },
            },
          ]),
      { type: "content_block_stop", index: 0 },
      {
        type: "message_delta",
        delta: { stop_reason: "text" in answer ? "end_turn" : "tool_use", stop_sequence: null },
        usage: { output_tokens: 1 },
      },
      { type: "message_stop" },
    ]),
};

function anthropicMessageOf() {
  return {
    id: newId("msg"),
    type: "message",
    role: "assistant",
    model: "claude-sonnet-4-5",
    stop_sequence: null,
    usage: { input_tokens: 1, output_tokens: 1 },
  };
}

const responsesItem = z.looseObject({ type: z.literal("function_call_output"), output: z.unknown() });

const responses: Api = {
  matches: /\/responses$/,
  results: ({ input }) =>
    (Array.isArray(input) ? input : []).flatMap((item) => {
      const result = responsesItem.safeParse(item);
      return result.success ? [plain(result.data.output)] : [];
    }),
  whole: (answer) => ({ id: newId("resp"), object: "response", output: [responsesOutput(answer)] }),
  stream: (answer) => {
    const id = newId("resp");
    return events([
      { type: "response.created", response: { id } },
      { type: "response.output_item.done", item: responsesOutput(answer) },
      {
        type: "response.completed",
        response: { id, usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 } },
      },
    ]);
  },
};

function responsesOutput(answer: Answer): Record<string, unknown> {
  if ("text" in answer)
    return {
      type: "message",
      role: "assistant",
      id: newId("msg"),
      content: [{ type: "output_text", text: answer.text }],
    };
  const { name, args, namespace } = answer;
  return {
    type: "function_call",
    call_id: newId("call"),
    name,
    arguments: args,
    ...(namespace === undefined ? {} : { namespace }),
  };
}

const chatMessage = z.looseObject({ role: z.literal("tool"), content: z.unknown() });

const chat: Api = {
  matches: /\/chat\/completions$/,
  results: ({ messages }) =>
    messages.flatMap((message) => {
      const result = chatMessage.safeParse(message);
      return result.success ? [plain(result.data.content)] : [];
    }),
  whole: (answer) => ({
    id: newId("chatcmpl"),
    object: "chat.completion",
    created: 0,
    model: "stand-in",
    choices: [
      { index: 0, message: { role: "assistant", ...chatDelta(answer) }, finish_reason: chatEnd(answer) },
    ],
    usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
  }),
  stream: (answer) => {
    const chunk = { id: newId("chatcmpl"), object: "chat.completion.chunk", created: 0, model: "stand-in" };
    return lines([
      {
        ...chunk,
        choices: [{ index: 0, delta: { role: "assistant", ...chatDelta(answer) }, finish_reason: null }],
      },
      {
        ...chunk,
        choices: [{ index: 0, delta: {}, finish_reason: chatEnd(answer) }],
        usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
      },
      "[DONE]",
    ]);
  },
};

function chatDelta(answer: Answer): Record<string, unknown> {
  if ("text" in answer) return { content: answer.text };
  const call = {
    index: 0,
    id: newId("call"),
    type: "function",
    function: { name: answer.name, arguments: answer.args },
  };
  return { content: null, tool_calls: [call] };
}

function chatEnd(answer: Answer): string {
  return "text" in answer ? "stop" : "tool_calls";
}

const geminiPart = z.looseObject({ functionResponse: z.looseObject({ response: z.unknown() }) });
const geminiContent = z.looseObject({ parts: z.array(z.unknown()) });
const geminiOutput = z.looseObject({ output: z.string() });

const gemini: Api = {
  matches: /:(?:streamG|g)enerateContent$/,
  results: ({ contents }) =>
    contents.flatMap((content) => {
      const parsed = geminiContent.safeParse(content);
      if (!parsed.success) return [];
      return parsed.data.parts.flatMap((part) => {
        const result = geminiPart.safeParse(part);
        if (!result.success) return [];
        const { response } = result.data.functionResponse;
        const output = geminiOutput.safeParse(response);
        return [output.success ? output.data.output : JSON.stringify(response)];
      });
    }),
  whole: geminiResponse,
  stream: (answer) => lines([geminiResponse(answer)]),
};

function geminiResponse(answer: Answer): unknown {
  const part =
    "text" in answer
      ? { text: answer.text }
      : { functionCall: { name: answer.name, args: JSON.parse(answer.args) as unknown } };
  return {
    candidates: [{ content: { role: "model", parts: [part] }, finishReason: "STOP", index: 0 }],
    usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 },
  };
}

const APIS: readonly Api[] = [anthropic, responses, chat, gemini];
