import * as z from "zod";
import { BRIDGE_LIMITS } from "../../bridge/protocol/limits.ts";
import { StdioServer } from "../../bridge/stdio/stdio-server.ts";
import { startChild } from "../../children/start.ts";
import { must } from "../../errors/must.ts";
import type { Clock } from "../../runtime/clock.ts";

/** Opening through cloudflared may first have to download it. */
const LIMITS = { ...BRIDGE_LIMITS, callIdleMs: 180_000 };
/** How long one `tunnel_listen` waits, and how often the demo asks before it gives a message up for lost. */
const LISTEN_MS = 10_000;
const MAX_LISTENS = 6;

const messageSchema = z.object({
  seq: z.number(),
  fromName: z.string().nullish(),
  kind: z.string(),
  event: z.string().nullish(),
  text: z.string().nullish(),
  intent: z.string().nullish(),
});
const listenSchema = z.object({ messages: z.array(messageSchema) });
const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

type DemoMessage = z.infer<typeof messageSchema>;

/** A tool answered with an error. */
export class ToolRefused extends Error {
  override readonly name = "ToolRefused";
  readonly code: string;

  constructor(tool: string, code: string, message: string) {
    super(`${tool} answered ${code}: ${message}`);
    this.code = code;
  }
}

export interface AgentOptions {
  readonly name: string;
  /** The server to run, as an absolute path. */
  readonly bundle: string;
  readonly env: Record<string, string>;
  readonly cwd: string;
  readonly clock: Clock;
  /** Private folders in which a child is noted. */
  readonly folders: readonly string[];
  /** Takes the server's words for people. */
  readonly err: (text: string) => void;
}

/** One developer's side: a server process of its own, driven over stdio as a client drives it. */
export interface DemoAgent {
  readonly name: string;
  /** Starts the process and completes the MCP handshake with it. */
  readonly start: () => Promise<void>;
  /** Calls a tool. @throws ToolRefused when the tool answers with an error; another error when the shape is wrong */
  call<T>(tool: string, args: Record<string, unknown>, schema: z.ZodType<T>): Promise<T>;
  /** Everything unread, waiting until `wanted` accepts one of the messages; that one is returned. */
  hear(wanted: (message: DemoMessage) => boolean): Promise<DemoMessage>;
  /** Ends the process. */
  stop(): Promise<void>;
}

const resultSchema = z.object({
  isError: z.boolean().optional(),
  structuredContent: z.unknown(),
  content: z.array(z.object({ text: z.string().optional() })),
});

/** An agent whose process is not running yet. */
export function createAgent({ name, bundle, env, cwd, clock, folders, err }: AgentOptions): DemoAgent {
  let server: StdioServer | undefined;

  async function call<T>(tool: string, args: Record<string, unknown>, schema: z.ZodType<T>): Promise<T> {
    const running = must(server, "the server of an agent");
    const answer = await running.call({ method: "tools/call", params: { name: tool, arguments: args } });
    if ("error" in answer) throw new ToolRefused(tool, String(answer.error.code), answer.error.message);
    const result = resultSchema.parse(answer.result);
    if (result.isError === true) throw refusal(tool, result);
    return schema.parse(result.structuredContent);
  }

  return {
    name,
    async start() {
      server = new StdioServer(clock, LIMITS, ({ stderr, ...io }) =>
        startChild({
          ...io,
          file: process.execPath,
          args: [bundle],
          env: { ...env, TUNNEL_NAME: name },
          cwd,
          clock,
          recordFolders: folders,
          stderr: {
            read(text) {
              err(text);
              stderr.read(text);
            },
            end: () => stderr.end(),
          },
        }),
      );
      await server.opening;
    },
    call,
    async hear(wanted) {
      for (let listens = 0; listens < MAX_LISTENS; listens += 1) {
        const { messages } = await call("tunnel_listen", { timeoutMs: LISTEN_MS }, listenSchema);
        const found = messages.find(wanted);
        if (found !== undefined) return found;
      }
      throw new Error(`${name} was not told in ${(MAX_LISTENS * LISTEN_MS) / 1000} s`);
    },
    async stop() {
      await server?.stop();
    },
  };
}

function refusal(tool: string, result: z.infer<typeof resultSchema>): ToolRefused {
  const structured = errorSchema.safeParse(result.structuredContent);
  if (structured.success)
    return new ToolRefused(tool, structured.data.error.code, structured.data.error.message);
  const text = result.content.map((part) => part.text ?? "").join(" ");
  return new ToolRefused(tool, "unknown", text);
}

/** A peer's text without the marker lines of the fence. */
export function withoutFence(text: string): string {
  const lines = text.split("\n");
  return lines.length >= 3 ? lines.slice(1, -1).join("\n") : text;
}
