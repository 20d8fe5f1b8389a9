import type { McpServer, ServerContext, StandardSchemaWithJSON } from "@modelcontextprotocol/server";
import * as z from "zod";
import { asTunnelError, TunnelError } from "../protocol/errors.ts";
import type { Clock } from "../runtime/clock.ts";
import type { TunnelId } from "../session/handle.ts";
import type { Sessions } from "../session/sessions.ts";
import type { Fence } from "./fence.ts";
import { failure, success, type Payload } from "./result.ts";

/** What every tool may use. Sessions are loaded on first use: a client that only lists tools must not pay for them. */
export interface ToolServices {
  readonly clock: Clock;
  readonly fence: Fence;
  readonly sessions: () => Promise<Sessions>;
  /** What can wake an agent that has ended its turn, for one tunnel. */
  readonly wake: (tunnelId: TunnelId) => Payload;
}

/** One call. */
export interface ToolCall extends Omit<ToolServices, "sessions"> {
  readonly id: string | number;
  readonly signal: AbortSignal;
  readonly sessions: Sessions;
  /** Tells a client that asked for progress how it is going; `fraction` is 0 to 1 when known. */
  readonly progress: (message: string, fraction?: number) => void;
}

export interface Tool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly annotations: {
    readonly readOnlyHint: boolean;
    readonly destructiveHint: boolean;
    readonly idempotentHint: boolean;
    readonly openWorldHint: boolean;
  };
  readonly input: z.ZodType & StandardSchemaWithJSON;
  readonly run: (input: unknown, call: ToolCall) => Promise<Payload>;
}

/** Pairs a schema with the function that takes what it lets through. */
export function defineTool<Schema extends z.ZodType & StandardSchemaWithJSON>(
  tool: Omit<Tool, "input" | "run"> & {
    readonly input: Schema;
    readonly run: (input: z.infer<Schema>, call: ToolCall) => Promise<Payload>;
  },
): Tool {
  return { ...tool, run: async (input, call) => tool.run(parseInput(tool.input, input), call) };
}

/** @throws {TunnelError} input-invalid, naming every argument that is wrong and how */
function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(input ?? {});
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) =>
    [path.join("."), message].filter(Boolean).join(": "),
  );
  throw new TunnelError("input-invalid", { detail: problems.join("; ") });
}

/**
 * The JSON schema of a tool, with the checking left to {@link parseInput}: the SDK's own refusal would reach the model
 * without a code and without a next step.
 */
function advertised(schema: z.ZodType & StandardSchemaWithJSON): StandardSchemaWithJSON {
  const { vendor, version, jsonSchema } = schema["~standard"];
  return { "~standard": { vendor, version, jsonSchema, validate: (value) => ({ value }) } };
}

export function register(server: McpServer, tool: Tool, services: ToolServices): void {
  const { name, title, description, annotations } = tool;
  server.registerTool(
    name,
    { title, description, annotations: { title, ...annotations }, inputSchema: advertised(tool.input) },
    async (input: unknown, context: ServerContext) => {
      let unread: number | undefined;
      let undo = (): void => undefined;
      try {
        const sessions = await services.sessions();
        undo = () => sessions.callCancelled(context.mcpReq.id);
        // Its arrival is the proof that the results of earlier calls have been received.
        sessions.callArrived();
        unread = sessions.unread;
        const { clock, fence, wake } = services;
        const { id, signal } = context.mcpReq;
        const payload = await tool.run(input, {
          id,
          signal,
          sessions,
          clock,
          fence,
          wake,
          progress: progressOf(context),
        });
        return success(payload);
      } catch (thrown) {
        // What it has taken from an inbox reaches nobody: it comes again.
        undo();
        return failure(asTunnelError(thrown), { unread });
      }
    },
  );
}

/** Without a token the client has not asked, and must not be sent any (MCP, Progress). */
function progressOf(context: ServerContext): ToolCall["progress"] {
  const progressToken = context.mcpReq._meta?.progressToken;
  if (progressToken === undefined) return () => undefined;
  let progress = 0;
  return (message, fraction) => {
    // Must grow with every notification, also where a step does not know how far it is.
    progress = Math.max(progress + 0.001, fraction ?? 0);
    const params = { progressToken, progress, ...(fraction === undefined ? {} : { total: 1 }), message };
    // A client that is gone will not miss it.
    context.mcpReq.notify({ method: "notifications/progress", params }).catch(() => undefined);
  };
}
