import {
  CLIENT_INFO_META_KEY,
  type McpServer,
  type ServerContext,
  type StandardSchemaWithJSON,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import type { ClientProgram } from "../../protocol/room/work-context.ts";
import { readArguments } from "../../arguments/read.ts";
import type { LazyExposures } from "../../expose/exposures/lazy-exposures.ts";
import type { LazyServices } from "../../services/tunnels/lazy-services.ts";
import type { Asks } from "../../oversight/asks/asks.ts";
import { standing } from "../../oversight/gates/gates.ts";
import { traitsOf } from "../clients/clients.ts";
import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import { SESSION } from "../../protocol/base/limits.ts";
import type { Clock } from "../../runtime/clock.ts";
import { wait } from "../../runtime/wait.ts";
import type { TunnelId } from "../../session/session.ts";
import type { Sessions } from "../../session/sessions.ts";
import type { ProblemView } from "../../view/setup/problems.ts";
import type { WakeView } from "../../view/setup/wake.ts";
import { longResultMeta, resultLimitFor, type ResultSettings } from "../results/limit.ts";
import type { Fence } from "../results/fence.ts";
import { labelled } from "../results/labels.ts";
import { resumableFields } from "../results/resumable.ts";
import { failure, success, unreadElsewhere, type Payload } from "../results/result.ts";
import type { Forms } from "./forms.ts";
import { Progress } from "./progress.ts";
import type { Caller, Outcome, SharedCalls } from "./shared-calls.ts";

/**
 * Everything that a tool may use. The first tool call loads the sessions: a client that only lists tools must not wait
 * for them.
 */
export interface ToolServices {
  readonly clock: Clock;
  readonly fence: Fence;
  readonly sessions: () => Promise<Sessions>;
  /** What this server has given a public address. */
  readonly exposures: LazyExposures;
  /** Services that this server's agent has offered to members, or uses. */
  readonly services: LazyServices;
  /** Calls that are made twice, of all servers of the connection. */
  readonly calls: SharedCalls;
  /** What a person is asked in their client. */
  readonly forms: Forms;
  /** The human has said that nobody is there to confirm a call. */
  readonly isUnattended: boolean;
  /** What is wrong with the settings and this machine at the moment, and stops nothing. */
  readonly problems: () => Promise<readonly ProblemView[]>;
  /** The ways to wake an agent that has ended its turn, for one tunnel. */
  readonly wake: (tunnelId: TunnelId) => WakeView;
  /** The line by which a person runs a command of this program in a shell of this machine. */
  readonly commandLine: (args: readonly string[]) => string;
  /** How long results may be, as far as that does not depend on the client alone. */
  readonly results?: ResultSettings;
  /** A call that takes longer is answered within so many ms, and goes on. */
  readonly answerMs?: number;
}

/** One call of a tool; where it was made several times, one for all of them. */
export interface ToolCall
  extends
    Caller,
    Omit<ToolServices, "sessions" | "calls" | "forms" | "isUnattended" | "results" | "answerMs"> {
  readonly sessions: Sessions;
  /** The calling program, by its own name. */
  readonly client: ClientProgram | undefined;
  /** Characters that the JSON of the result may have. */
  readonly limit: number;
  /** The call is answered within so many ms, also where what it has begun is not done. */
  readonly answerMs: number;
}

/**
 * The same call again, while the first one goes on or a moment after its answer: `one` has the effect once and the answer twice;
 * `waits` shares the wait and what it brings; `anew` looks again.
 */
export type Repeats = "one" | "waits" | "anew";

/** A call whose arguments are understood. */
interface Prepared {
  readonly input: Readonly<Record<string, unknown>>;
  /** It could name a tunnel and does not: it means the one there is. */
  readonly meansTheOnlyTunnel: boolean;
  readonly repeats: Repeats;
  readonly restsOn: (sessions: Sessions) => string;
  readonly run: (call: ToolCall) => Promise<Payload>;
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
  /** The client is to have a human confirm each call. A client that is known to ignore that may not call it. */
  readonly gate?: "receive" | "expose";
  /** Its results hold what others say, and may be longer than a client expects of a tool. */
  readonly isLong?: boolean;
  readonly input: z.ZodObject & StandardSchemaWithJSON;
  /** @throws {TunnelError} input-invalid, and codes of single arguments */
  readonly prepare: (input: unknown) => Prepared;
}

/** Pairs a schema with the function that takes its output. */
export function defineTool<Schema extends z.ZodObject & StandardSchemaWithJSON>(
  tool: Omit<Tool, "input" | "prepare"> & {
    readonly input: Schema;
    /** `one` where it is left out: every effect is worth having only once. */
    readonly repeats?: (input: z.infer<Schema>) => Repeats;
    /** The state beside the arguments, on this machine, that the answer rests on: another one makes it another call. */
    readonly restsOn?: (input: z.infer<Schema>, sessions: Sessions) => string;
    readonly run: (input: z.infer<Schema>, call: ToolCall) => Promise<Payload>;
  },
): Tool {
  return {
    ...tool,
    prepare: (given) => {
      const input = readArguments(tool.input, given, tool.name);
      return {
        input,
        meansTheOnlyTunnel: Object.hasOwn(tool.input.shape, "tunnelId") && !Object.hasOwn(input, "tunnelId"),
        repeats: tool.repeats?.(input) ?? "one",
        restsOn: (sessions) => tool.restsOn?.(input, sessions) ?? "",
        run: (call) => tool.run(input, call),
      };
    },
  };
}

/** A call that cannot be understood fails like every other. */
function understood(tool: Tool, given: unknown): Prepared {
  try {
    return tool.prepare(given);
  } catch (thrown) {
    return failing(asTunnelError(thrown));
  }
}

function failing(error: TunnelError): Prepared {
  const run = async (): Promise<never> => {
    throw error;
  };
  return { input: {}, meansTheOnlyTunnel: false, repeats: "anew", restsOn: () => "", run };
}

/**
 * The JSON schema of a tool, checked by {@link Tool.prepare} alone: the SDK's own refusal would reach the model without a
 * code and a next step.
 */
function advertised(schema: z.ZodType & StandardSchemaWithJSON): StandardSchemaWithJSON {
  const { vendor, version, jsonSchema } = schema["~standard"];
  const { input, output } = jsonSchema;
  const lean = { input: (options: Parameters<typeof input>[0]) => leanSchema(input(options)), output };
  return { "~standard": { vendor, version, jsonSchema: lean, validate: (value) => ({ value }) } };
}

/**
 * A schema without what says nothing: its dialect, which is that of MCP anyway, bounds that every number or list keeps that is meant
 * (a count of none, an empty list), and that names are texts. Each model pays for every byte of it. One of several types is written as a choice, since some clients take a single type
 * alone where `type` stands.
 */
function leanSchema(schema: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const isNothing = (name: string, value: unknown): boolean =>
    name === "$schema" ||
    (name === "propertyNames" && JSON.stringify(value) === '{"type":"string"}') ||
    ((name === "minimum" || name === "minItems" || name === "minLength") && (value === 0 || value === 1)) ||
    ((name === "minimum" || name === "maximum") && Math.abs(Number(value)) === Number.MAX_SAFE_INTEGER);
  const kept = Object.entries(schema).filter(([name, value]) => !isNothing(name, value));
  return Object.fromEntries(
    kept.map(([name, value]) =>
      name === "type" && Array.isArray(value)
        ? ["anyOf", value.map((type: unknown) => ({ type }))]
        : [name, lean(value)],
    ),
  );
}

function lean(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lean);
  if (typeof value !== "object" || value === null) return value;
  // At the root it is said; below, the check of a call says it with what is wrong.
  const { additionalProperties, ...rest } = leanSchema({ ...value });
  return additionalProperties === undefined || additionalProperties === false
    ? rest
    : { ...rest, additionalProperties };
}

/**
 * Claude Code asks the user before every call of such a tool since 2.1.199, whatever permissions it has. Other clients
 * ignore it and go by their own approvals.
 */
const ASK_A_HUMAN = { "anthropic/requiresUserInteraction": true } as const;

export function register(server: McpServer, tool: Tool, services: ToolServices): void {
  const { name, title, description, annotations, isLong = false, gate } = tool;
  const { results = {}, answerMs = SESSION.answerMs } = services;
  const isGated = gate !== undefined && standing([gate], services).length > 0;
  const meta = {
    ...(isGated ? ASK_A_HUMAN : {}),
    ...(isLong ? longResultMeta(results) : {}),
  };
  const asks = async (): Promise<Asks> => (await services.sessions()).overseer.asks;
  server.registerTool(
    name,
    {
      title,
      description,
      annotations: { title, ...annotations },
      inputSchema: advertised(tool.input),
      ...(Object.keys(meta).length > 0 ? { _meta: meta } : {}),
    },
    async (given: unknown, context: ServerContext) => {
      const client = clientOf(server, context);
      const answered = await services.forms.answered(context, client, asks);
      if (answered !== undefined) return answered;
      // Where another face can be asked, the call is held instead.
      const asksNobody = isGated && gate === "receive" && traitsOf(client, false).ignoresHuman;
      const call = asksNobody ? failing(new TunnelError("client-asks-nobody")) : understood(tool, given);
      const { id, signal } = context.mcpReq;
      const progress = new Progress(services.clock, context);
      const caller: Caller = { id, signal, progress: progress.report };
      const limit = resultLimitFor(client, results, isLong);
      const run = (one: Caller): Promise<Outcome> =>
        perform(call, { ...one, client, limit, answerMs }, services);
      try {
        if (call.repeats === "anew") return (await run(caller)).answer({});
        // Understood arguments stand in the order of their schema, so the same ones have the same text.
        const key = `${name} ${JSON.stringify(call.input)}`;
        const keeps = call.repeats === "one";
        const { outcome, repeatOf } = await services.calls.call(key, caller, { keeps, run });
        // As the client numbers its calls.
        if (repeatOf !== undefined) return outcome.answer({ repeatOf });
        const answer = outcome.answer({});
        return (await services.forms.formFor(answer, context, client, asks)) ?? answer;
      } finally {
        progress.end();
      }
    },
  );
}

/** Statuses of work that goes on: the same call again joins it and has news of it. */
const UNFINISHED: ReadonlySet<unknown> = new Set(["preparing", "receiving", "joining", "opening"]);

/** Errors of a caller that may have had its tunnel in an earlier process. */
const MISSES_A_TUNNEL: ReadonlySet<string> = new Set(["no-tunnel", "tunnel-unknown"]);

/** Runs a call to its end, whatever that is. */
async function perform(
  prepared: Prepared,
  caller: Caller & Pick<ToolCall, "client" | "limit" | "answerMs">,
  services: ToolServices,
): Promise<Outcome> {
  let unread: number | undefined;
  let undo = (): void => undefined;
  const fence = services.fence.forResult();
  const { limit } = caller;
  try {
    const sessions = await services.sessions();
    undo = () => sessions.callCancelled(caller.id);
    // A new call proves that the client has received the results of the earlier ones.
    sessions.callArrived();
    unread = sessions.unread;
    const { clock, wake, commandLine, problems, exposures, services: memberServices } = services;
    // An answer at once would come before the same call a second time, and that one would wait for more.
    if (prepared.repeats === "waits" && unread > 0)
      await wait(clock, SESSION.twinMs, { signal: caller.signal });
    const payload = await prepared.run({
      ...caller,
      sessions,
      exposures,
      services: memberServices,
      clock,
      fence,
      wake,
      commandLine,
      problems,
    });
    const shown = fence.guard(labelled({ ...payload, ...unreadElsewhere(payload, sessions.all) }));
    const { status } = payload;
    const state = stateOf(sessions, payload, prepared);
    return {
      answer: (more) => success({ ...shown, ...more }, fence, limit),
      holds: () => !UNFINISHED.has(status) && stateOf(sessions, payload, prepared) === state,
    };
  } catch (thrown) {
    // The failed call has delivered nothing: the messages that it took come again.
    undo();
    // It has done nothing, either: the same call again is a new try.
    const error = asTunnelError(thrown);
    const resumable = MISSES_A_TUNNEL.has(error.code)
      ? await resumableFields(await services.sessions(), services.clock)
      : {};
    const beside = { unread, ...resumable };
    return { answer: (more) => failure(error, fence, limit, { ...beside, ...more }), holds: () => false };
  }
}

/** What the same call would meet: once its tunnel has ended, or is another one, it means something else. */
function stateOf(
  sessions: Sessions,
  { tunnelId }: Payload,
  { meansTheOnlyTunnel, restsOn }: Prepared,
): string {
  const opening = sessions.openings.untold.find((one) => one.tunnelId === tunnelId);
  const isThere =
    opening?.state.name === "opening" || sessions.open.some((tunnel) => tunnel.tunnelId === tunnelId);
  const others = meansTheOnlyTunnel ? sessions.open.filter((tunnel) => tunnel.tunnelId !== tunnelId) : [];
  return [restsOn(sessions), isThere, ...others.map((tunnel) => tunnel.tunnelId)].join(" ");
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
