import {
  CLIENT_INFO_META_KEY,
  type McpServer,
  type ServerContext,
  type StandardSchemaWithJSON,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import type { ClientProgram } from "../../protocol/room/work-context.ts";
import { traitsOf } from "../clients/clients.ts";
import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { TunnelId } from "../../session/session.ts";
import type { Sessions } from "../../session/sessions.ts";
import type { WakeView } from "../../view/wake.ts";
import type { Fence } from "../results/fence.ts";
import { labelled } from "../results/labels.ts";
import { failure, success, unreadElsewhere, type Payload } from "../results/result.ts";

/**
 * Everything that a tool may use. The first tool call loads the sessions: a client that only lists tools must not wait
 * for them.
 */
export interface ToolServices {
  readonly clock: Clock;
  readonly fence: Fence;
  readonly sessions: () => Promise<Sessions>;
  /** The human has said that nobody is there to confirm a call. */
  readonly isUnattended: boolean;
  /** Settings that were ignored, and what they must be. */
  readonly problems: readonly string[];
  /** The ways to wake an agent that has ended its turn, for one tunnel. */
  readonly wake: (tunnelId: TunnelId) => WakeView;
}

/** One call of a tool. */
export interface ToolCall extends Omit<ToolServices, "sessions" | "isUnattended"> {
  readonly id: string | number;
  readonly signal: AbortSignal;
  readonly sessions: Sessions;
  /** The calling program, by its own name. */
  readonly client: ClientProgram | undefined;
  /** Reports progress to a client that has asked for it, with the share that is done where that is known. */
  readonly progress: (message: string, part?: { readonly done: number; readonly total: number }) => void;
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
  /** Asks the client to have a human confirm each call. A client that is known to ignore that may not call it. */
  readonly forHumans?: boolean;
  readonly input: z.ZodType & StandardSchemaWithJSON;
  readonly run: (input: unknown, call: ToolCall) => Promise<Payload>;
}

/** Pairs a schema with the function that takes its output. */
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
 * The JSON schema of a tool, checked by {@link parseInput} alone: the SDK's own refusal would reach the model without a
 * code and a next step.
 */
function advertised(schema: z.ZodType & StandardSchemaWithJSON): StandardSchemaWithJSON {
  const { vendor, version, jsonSchema } = schema["~standard"];
  return { "~standard": { vendor, version, jsonSchema, validate: (value) => ({ value }) } };
}

/**
 * Claude Code asks the user before every call of such a tool since 2.1.199, whatever permissions it has. Other clients
 * ignore it and go by their own approvals.
 */
const ASK_A_HUMAN = { "anthropic/requiresUserInteraction": true } as const;

export function register(server: McpServer, tool: Tool, services: ToolServices): void {
  const { name, title, description, annotations } = tool;
  server.registerTool(
    name,
    {
      title,
      description,
      annotations: { title, ...annotations },
      inputSchema: advertised(tool.input),
      ...(tool.forHumans === true && !services.isUnattended ? { _meta: ASK_A_HUMAN } : {}),
    },
    async (input: unknown, context: ServerContext) => {
      let unread: number | undefined;
      let undo = (): void => undefined;
      const fence = services.fence.forResult();
      try {
        const sessions = await services.sessions();
        undo = () => sessions.callCancelled(context.mcpReq.id);
        // A new call proves that the client has received the results of the earlier ones.
        sessions.callArrived();
        unread = sessions.unread;
        const client = clientOf(server, context);
        if (tool.forHumans === true && !services.isUnattended && traitsOf(client, false).ignoresHuman)
          throw new TunnelError("client-asks-nobody");
        const { clock, wake, problems } = services;
        const { id, signal } = context.mcpReq;
        const payload = await tool.run(input, {
          id,
          signal,
          sessions,
          client,
          clock,
          fence,
          wake,
          problems,
          progress: progressOf(context),
        });
        return success(fence.guard(labelled({ ...payload, ...unreadElsewhere(payload, sessions.all) })));
      } catch (thrown) {
        // The failed call has delivered nothing: the messages that it took come again.
        undo();
        return failure(asTunnelError(thrown), fence, unread);
      }
    },
  );
}

/** The 2025 era names the client once, the later one with every request. */
function clientOf(server: McpServer, { mcpReq }: ServerContext): ClientProgram | undefined {
  const envelope = envelopeSchema.safeParse(mcpReq.envelope);
  const told = envelope.success ? envelope.data[CLIENT_INFO_META_KEY] : server.server.getClientVersion();
  return told && { name: told.name, version: told.version };
}

const envelopeSchema = z.looseObject({
  [CLIENT_INFO_META_KEY]: z.looseObject({ name: z.string(), version: z.string() }),
});

/** Without a token the client has not asked for progress, and must not get any (MCP, Progress). */
function progressOf(context: ServerContext): ToolCall["progress"] {
  const progressToken = context.mcpReq._meta?.progressToken;
  if (progressToken === undefined) return () => undefined;
  let progress = 0;
  return (message, part) => {
    // Must grow with every notification, also where the share that is done is not known.
    progress = Math.max(progress + 0.001, part?.done ?? 0);
    const params = { progressToken, progress, ...(part === undefined ? {} : { total: part.total }), message };
    // A client that is gone will not miss it.
    context.mcpReq.notify({ method: "notifications/progress", params }).catch(() => undefined);
  };
}
