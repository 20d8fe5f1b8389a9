import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { z } from "zod";
import type { Home } from "./client.ts";

const messageSchema = z.looseObject({
  id: z.number().optional(),
  result: z.unknown().optional(),
  error: z.unknown().optional(),
});
const threadSchema = z.looseObject({ thread: z.looseObject({ id: z.string() }) });
const statusSchema = z.looseObject({
  data: z.array(z.looseObject({ name: z.string(), tools: z.record(z.string(), z.unknown()) })),
});
const resultSchema = z.looseObject({ structuredContent: z.record(z.string(), z.unknown()) });

/** Codex without its screen and without a model: the same MCP client, driven over its app-server protocol. */
export class AppServer {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, (message: z.infer<typeof messageSchema>) => void>();
  #id = 0;
  #thread = "";

  private constructor(script: string, home: Home, env: Record<string, string>) {
    const options = { cwd: home.project, env: { ...home.env, ...env } };
    this.#child = spawn(process.execPath, [script, "app-server"], options);
    this.#child.stderr.resume();
    createInterface(this.#child.stdout).on("line", (line) => {
      const message = messageSchema.parse(JSON.parse(line));
      if (message.id !== undefined) this.#waiting.get(message.id)?.(message);
    });
  }

  static async start(script: string, home: Home, env: Record<string, string> = {}): Promise<AppServer> {
    const server = new AppServer(script, home, env);
    await server.#request("initialize", { clientInfo: { name: "test", version: "0" } });
    server.#write({ method: "initialized" });
    const started = await server.#request("thread/start", { cwd: home.project });
    server.#thread = threadSchema.parse(started).thread.id;
    return server;
  }

  /** The names of the tools that Codex has found, by server. */
  async tools(): Promise<Map<string, readonly string[]>> {
    const { data } = statusSchema.parse(await this.#request("mcpServerStatus/list", {}));
    return new Map(data.map(({ name, tools }) => [name, Object.keys(tools).sort()]));
  }

  /** What a tool of the server `tunnel` answers, as the model would be given it. */
  async call(tool: string, args: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const params = { threadId: this.#thread, server: "tunnel", tool, arguments: args };
    return resultSchema.parse(await this.#request("mcpServer/tool/call", params)).structuredContent;
  }

  async stop(): Promise<void> {
    const gone = new Promise<void>((resolve) => void this.#child.once("exit", () => resolve()));
    this.#child.stdin.end();
    this.#child.kill();
    await gone;
  }

  #write(message: Record<string, unknown>): void {
    this.#child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  async #request(method: string, params: Record<string, unknown>): Promise<unknown> {
    this.#id += 1;
    const id = this.#id;
    const answered = new Promise<z.infer<typeof messageSchema>>(
      (resolve) => void this.#waiting.set(id, resolve),
    );
    this.#write({ id, method, params });
    const { result, error } = await answered;
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result;
  }
}
