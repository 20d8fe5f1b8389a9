import {
  CLIENT_INFO_META_KEY,
  type McpServer,
  type ServerContext,
  type StandardSchemaWithJSON,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import { SESSION } from "../../protocol/base/limits.ts";
import type { ClientProgram } from "../../protocol/room/work-context.ts";
import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { TunnelId } from "../../session/session.ts";
import type { Sessions } from "../../session/sessions.ts";
import type { ProblemView } from "../../view/problems.ts";
import type { WakeView } from "../../view/wake.ts";
import { longResultMeta, resultLimitFor, type ResultSettings } from "../results/limit.ts";
import type { Fence } from "../results/fence.ts";
import { labelled } from "../results/labels.ts";
import { failure, success, unreadElsewhere, type Payload } from "../results/result.ts";
import { Progress, type Report } from "./progress.ts";

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
  /** What is wrong with the settings and this machine at the moment, and stops nothing. */
  readonly problems: () => Promise<readonly ProblemView[]>;
  /** The ways to wake an agent that has ended its turn, for one tunnel. */
  readonly wake: (tunnelId: TunnelId) => WakeView;
  /** How long results may be, as far as that does not depend on the client alone. */
  readonly results?: ResultSettings;
  /** A call that takes longer is answered within so many ms, and goes on. */
  readonly answerMs?: number;
}

/** One call of a tool. */
export interface ToolCall extends Omit<ToolServices, "sessions" | "isUnattended" | "results" | "answerMs"> {
  readonly id: string | number;
  readonly signal: AbortSignal;
  readonly sessions: Sessions;
  /** The calling program, by its own name. */
  readonly client: ClientProgram | undefined;
  /** Characters that the JSON of the result may have. */
  readonly limit: number;
  /** The call is answered within so many ms, also where what it has begun is not done. */
  readonly answerMs: number;
  /** Reports progress to a client that has asked for it, with the share that is done where that is known. */
  readonly progress: Report;
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
  /** Asks the client to have a human confirm each call, where it can. */
  readonly forHumans?: boolean;
  /** Its results hold what others say, and may be longer than a client expects of a tool. */
  readonly isLong?: boolean;
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

/** Claude Code asks the user before every call of such a tool, whatever permissions it has; other clients ignore it. */
const ASK_A_HUMAN = { "anthropic/requiresUserInteraction": true } as const;

export function register(server: McpServer, tool: Tool, services: ToolServices): void {
  const { name, title, description, annotations, isLong = false } = tool;
  const { results = {}, answerMs = SESSION.answerMs } = services;
  const meta = {
    ...(tool.forHumans === true && !services.isUnattended ? ASK_A_HUMAN : {}),
    ...(isLong ? longResultMeta(results) : {}),
  };
  server.registerTool(
    name,
    {
      title,
      description,
      annotations: { title, ...annotations },
      inputSchema: advertised(tool.input),
      ...(Object.keys(meta).length > 0 ? { _meta: meta } : {}),
    },
    async (input: unknown, context: ServerContext) => {
      let unread: number | undefined;
      let undo = (): void => undefined;
      const fence = services.fence.forResult();
      const client = clientOf(server, context);
      const limit = resultLimitFor(client, results, isLong);
      const progress = new Progress(services.clock, context);
      try {
        const sessions = await services.sessions();
        undo = () => sessions.callCancelled(context.mcpReq.id);
        // A new call proves that the client has received the results of the earlier ones.
        sessions.callArrived();
        unread = sessions.unread;
        const { clock, wake, problems } = services;
        const { id, signal } = context.mcpReq;
        const payload = await tool.run(input, {
          id,
          signal,
          sessions,
          client,
          limit,
          answerMs,
          clock,
          fence,
          wake,
          problems,
          progress: progress.report,
        });
        const whole = labelled({ ...payload, ...unreadElsewhere(payload, sessions.all) });
        return success(fence.guard(whole), fence, limit);
      } catch (thrown) {
        // The failed call has delivered nothing: the messages that it took come again.
        undo();
        return failure(asTunnelError(thrown), { fence, unread, limit });
      } finally {
        progress.end();
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
