import {
  CLIENT_CAPABILITIES_META_KEY,
  inputRequired,
  inputResponse,
  type CallToolResult,
  type InputRequiredResult,
  type ServerContext,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import { asTunnelError } from "../../errors/tunnel-error.ts";
import type { Ask } from "../../oversight/asks/ask.ts";
import type { Asks } from "../../oversight/asks/asks.ts";
import { GATES } from "../../oversight/gates/gates.ts";
import type { Subject } from "../../oversight/asks/subject.ts";
import { replaceHidden } from "../../protocol/base/hidden-text.ts";
import { codePointName } from "../../protocol/base/text.ts";
import type { ClientProgram } from "../../protocol/room/work-context.ts";
import { mayAnswer } from "../clients/answers.ts";
import { result, type Payload } from "../results/result.ts";

/** Its name among the inputs of a call. */
const INPUT = "decision";

/** A choice that is not made is no choice: some programs accept a form by themselves, empty as it is. */
const FIELD = { type: "string" as const, title: "Your decision", enum: ["approve", "refuse"] };
const chosenSchema = z.looseObject({ [INPUT]: z.enum(["approve", "refuse"]) });

/** What is decided is read to its end first, and a form that is higher than the screen cannot be answered. */
const MOST = { lines: 12, chars: 800 };
/** Forms that nobody answers leave nothing behind. */
const MAX_OPEN = 64;

interface CallContext {
  readonly mcpReq: Pick<ServerContext["mcpReq"], "envelope" | "inputResponses" | "requestState">;
}

/** A call that was answered `held` wherever nobody chooses. */
interface Open {
  readonly askId: number;
  /** Of what the form shows. */
  readonly digest: string;
  readonly held: Payload;
}

const heldSchema = z.looseObject({
  status: z.literal("held"),
  askId: z.number(),
  gates: z.array(z.string()),
});
const capableSchema = z.looseObject({
  [CLIENT_CAPABILITIES_META_KEY]: z.looseObject({
    elicitation: z
      .looseObject({ form: z.unknown().optional(), url: z.unknown().optional() })
      // The revision before knew forms alone, and had no name for them.
      .refine(({ form, url }) => form !== undefined || url === undefined),
  }),
});

/**
 * Asks a person in their own client, beside the other faces, where the client is known to draw a form. Only in the revision
 * 2026-07-28, in which a form is an answer to the call: the call is made again with what the person has chosen. In the 2025 era a form
 * would keep the call open, or come after its end. The first answer wins, wherever it is given.
 */
export class Forms {
  readonly #open = new Map<string, Open>();

  /**
   * The form for a call that was held.
   * @returns undefined where the client is not known to draw it, or what is decided does not fit on it
   */
  async formFor(
    answer: CallToolResult,
    { mcpReq }: CallContext,
    client: ClientProgram | undefined,
    asksOf: () => Promise<Asks>,
  ): Promise<InputRequiredResult | undefined> {
    const held = heldSchema.safeParse(answer.structuredContent);
    if (!held.success || !capableSchema.safeParse(mcpReq.envelope).success) return undefined;
    const asks = await asksOf();
    const ask = asks.find(held.data.askId);
    if (ask?.now.state !== "waiting" || mayAnswer(client, "form", ask.gates) !== true) return undefined;
    const message = questionOf(ask);
    if (message === undefined) return undefined;
    // Known to this process alone, and good once: nothing else names the ask that a choice is about.
    const requestState = globalThis.crypto.randomUUID();
    this.#open.set(requestState, { askId: ask.id, digest: ask.digest, held: held.data });
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= MAX_OPEN) break;
      this.#open.delete(oldest);
    }
    const requestedSchema = {
      type: "object" as const,
      properties: { [INPUT]: FIELD },
      required: [INPUT],
    };
    const form = inputRequired.elicit({ mode: "form", message, requestedSchema });
    return inputRequired({ requestState, inputRequests: { [INPUT]: form } });
  }

  /**
   * The answer to a call that was made again with what a person has chosen. It never runs the tool a second time.
   * @returns undefined for any other call
   */
  async answered(
    { mcpReq }: CallContext,
    client: ClientProgram | undefined,
    asksOf: () => Promise<Asks>,
  ): Promise<CallToolResult | undefined> {
    const state = mcpReq.requestState();
    if (state === undefined && mcpReq.inputResponses === undefined) return undefined;
    const open = typeof state === "string" ? this.#open.get(state) : undefined;
    if (typeof state !== "string" || open === undefined) return result(UNKNOWN);
    this.#open.delete(state);
    const asks = await asksOf();
    const { askId, digest, held } = open;
    const verdict = verdictIn(mcpReq.inputResponses);
    if (verdict !== undefined && asks.find(askId)?.now.state === "waiting") {
      try {
        asks.decide(askId, digest, { verdict }, { path: "client", client: client?.name ?? "" });
      } catch (thrown) {
        return result({ ...held, next: asTunnelError(thrown).next });
      }
    }
    const now = asks.find(askId)?.now.state ?? "expired";
    // Declined, dismissed, failed or silent: nobody has decided.
    return result(now === "waiting" ? held : { ...held, status: now, next: NEXT[now] });
  }
}

const NEXT = {
  approved: "It goes now, in its place. Do not send it again; tunnel_listen tells you how it went.",
  refused: "Your human has said no. Do not send it again, and do not reword, split or encode it.",
  expired: "Nobody decided in time, and it was not sent. Ask your human.",
  withdrawn: "It is no longer asked, and was not sent.",
} as const;

const UNKNOWN = {
  status: "held",
  next: "This form is not open any more, and nothing was decided by it. Do not send anything again: tunnel_listen tells you the outcome.",
};

/** What a person has chosen. @returns undefined for everything that is no choice: declined, dismissed, empty, of another form */
function verdictIn(responses: CallContext["mcpReq"]["inputResponses"]): "approve" | "refuse" | undefined {
  const response = inputResponse(responses, INPUT);
  if (response.kind !== "elicit" || response.action !== "accept") return undefined;
  const chosen = chosenSchema.safeParse(response.content);
  return chosen.success ? chosen.data[INPUT] : undefined;
}

/** @returns undefined where it does not fit */
function questionOf({ id, gates, subject }: Ask): string | undefined {
  const shown = shownOf(subject);
  if (shown === undefined) return undefined;
  const because = gates.map((gate) => GATES[gate].because).join("; ");
  const findings = "findings" in subject ? (subject.findings ?? []) : [];
  const lines = [
    `Ask ${id} of tunnel-mcp: your agent wants to send this, and it is held, since ${because}.`,
    ...findings.map(({ rule, where, line }) => `Found: ${rule}, in ${where}, line ${line}`),
    ...shown
      .flatMap((one) => one.split("\n"))
      .map((line) => `| ${replaceHidden(line, (hidden) => `<${codePointName(hidden)}>`)}`),
  ];
  const text = lines.join("\n");
  return lines.length > MOST.lines || text.length > MOST.chars ? undefined : text;
}

function shownOf(subject: Subject): readonly string[] | undefined {
  const to = "to" in subject && subject.to !== undefined ? [`to ${subject.to.join(", ")}`] : [];
  switch (subject.kind) {
    case "message":
      return [subject.text, ...to];
    case "file":
      return [
        `${subject.name} (${subject.bytes} bytes), SHA-256 ${subject.contentHash}`,
        `from ${subject.path}`,
        ...(subject.note === undefined ? [] : [subject.note]),
        ...to,
      ];
    case "service":
      return [...serviceLines(subject), ...to];
    case "incoming":
    case "member":
    case "observer":
    case "visit":
    case "result":
    case "exposure":
    case "budget":
      return undefined;
  }
}

function serviceLines(service: Extract<Subject, { kind: "service" }>): readonly string[] {
  return [
    `the service ${service.name} (${service.service}) at ${service.target}`,
    ...(service.readOnly === true ? ["read only"] : []),
    ...(service.tools === undefined ? [] : [`tools: ${service.tools.join(", ")}`]),
    `at most ${service.maxConnections} connections`,
    ...(service.minutes === undefined ? [] : [`for ${service.minutes} minutes`]),
    ...(service.note === undefined ? [] : [service.note]),
  ];
}
