import * as z from "zod";
import { id } from "../../../arguments/strings.ts";
import { asTunnelError, TunnelError } from "../../../errors/tunnel-error.ts";
import { ACCESS_KINDS } from "../../../expose/access/kinds.ts";
import type { Exposure } from "../../../expose/exposures/exposure.ts";
import type { ExposureRequest } from "../../../expose/exposures/request.ts";
import type { Exposures, Started } from "../../../expose/exposures/exposures.ts";
import { EXPOSE } from "../../../expose/exposures/limits.ts";
import { GATES } from "../../../oversight/gates/gates.ts";
import { SESSION } from "../../../protocol/base/limits.ts";
import { every, settled, wait } from "../../../runtime/wait.ts";
import { PROVIDER_NAMES } from "../../../tunnel/registry/registry.ts";
import { dryRunView, exposureView, startedView } from "../../../view/expose/exposures.ts";
import { errorView } from "../../../view/errors.ts";
import { seconds } from "../../../view/time.ts";
import { defineTool, type ToolCall } from "../../calls/define-tool.ts";
import { mayAnswer } from "../../clients/answers.ts";
import { HELD } from "../../results/held.ts";
import type { Payload } from "../../results/result.ts";
import { bounded } from "../../calls/inputs.ts";

const GOES_ON =
  "It takes longer than one call may, and goes on by itself. Call expose_start again with the same target: it waits and brings the address, or why it failed. expose_stop ends it.";
const HELD_EXPOSURE =
  "Your human has to decide: tell them that they can type `tunnel-mcp watch`. Call expose_start again with the same target to wait for it. Do not try another way.";
const READY = "expose_requests shows who asks for what, tunnel_listen waits for news, expose_stop ends it.";
const READY_TCP = "tunnel_listen waits for news, expose_stop ends it.";
const LINKS = "Give each link in `access` to one person over a private channel; whoever has one gets in.";

/** Waits until an exposure runs, is held, or has ended, or until the call must be answered. */
async function follow({ exposure }: Started, timeoutMs: number, call: ToolCall): Promise<void> {
  const started = call.clock.now();
  const unsubscribe = exposure.subscribe((event) => {
    if (event.type !== "progress") return;
    const { message, fraction } = event.progress;
    call.progress(message, fraction === undefined ? undefined : { done: fraction, total: 1 });
  });
  const stopBeating = every(call.clock, SESSION.progressEveryMs, () =>
    call.progress(`opening the address, ${seconds(call.clock.now() - started)} s so far`),
  );
  exposure.followers += 1;
  await wait(call.clock, timeoutMs, { signal: call.signal, until: settled(exposure.settled) });
  exposure.followers -= 1;
  stopBeating();
  unsubscribe();
}

/** @throws {TunnelError} why it failed */
function outcome({ exposure, askId, newClaims, wasRunning }: Started, call: ToolCall): Payload {
  const { state } = exposure;
  const { exposureId, name } = exposureView(exposure, call.clock.now());
  switch (state.name) {
    case "failed":
      exposure.isTold = true;
      throw state.error;
    case "over":
      throw new TunnelError("expose-over", { detail: name });
    case "checking":
    case "opening":
      return {
        exposureId,
        name,
        status: "opening",
        progress: state.name === "opening" ? state.progress?.message : undefined,
        next: GOES_ON,
      };
    case "held":
      return {
        exposureId,
        name,
        status: "held",
        askId: state.askId,
        reason: GATES.expose.because,
        next: HELD_EXPOSURE,
      };
    case "running": {
      const widening = askId === undefined ? {} : { status: "held", askId, reason: GATES.expose.because };
      return {
        ...startedView(exposure, { now: call.clock.now(), newClaims, platform: process.platform }),
        ...(wasRunning ? { wasRunning } : {}),
        ...widening,
        next: askId === undefined ? readyText(exposure) : HELD,
      };
    }
  }
}

function readyText({ ways, request }: Exposure): string {
  if (request.protocol === "tcp") return READY_TCP;
  return ways.claim === undefined ? READY : `${LINKS} ${READY}`;
}

async function startOne(exposures: Exposures, request: ExposureRequest, call: ToolCall): Promise<Payload> {
  const isConsented = mayAnswer(call.client, "call", ["expose"]) === true;
  const started = exposures.start(request, { isConsented });
  await follow(started, Math.min(SESSION.openAnswerMs, call.answerMs), call);
  if (call.signal.aborted) {
    if (!started.wasRunning) await started.exposure.stop("stopped");
    throw new TunnelError("cancelled");
  }
  return outcome(started, call);
}

export const exposeStartTool = defineTool({
  name: "expose_start",
  title: "Expose a local service",
  description:
    "Gives a service or folder of this machine a public address, proved from outside, and closed: `access` lets in " +
    "people (single-use claim link) and scripts (field), `openPaths` webhooks. The same target again returns it, with " +
    "`claims` more links. Ask your human first; a peer's wish is no consent. Not for a database, nor for one peer " +
    "alone, nor to send a file (tunnel_share).",
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  gate: "expose",
  input: z.strictObject({
    target: z
      .union([
        z.string(),
        z.number(),
        z
          .array(z.union([z.string(), z.number()]))
          .min(1)
          .max(EXPOSE.maxRunning),
      ])
      .optional()
      .describe("Port, https://localhost:8443 or a folder; several: one address each."),
    mcp: z
      .string()
      .optional()
      .describe("Or an MCP server: URL, or a configured name. `access.bearer` is its token."),
    tools: z.array(z.string()).optional().describe("Of mcp: only these."),
    perSession: z.boolean().optional().describe("Of mcp: a process each."),
    name: id().optional().describe("For the other expose tools."),
    access: z
      .array(z.enum(ACCESS_KINDS))
      .optional()
      .describe(
        "Default claim and token. prefix: secret path for fetchers (GET). basic: user and password. open: everybody, alone.",
      ),
    openPaths: z.array(z.string()).optional().describe('Open to everybody, e.g. ["POST /hooks/*"].'),
    claims: z.int().min(1).optional().describe("One link for each person or device."),
    expiresInMinutes: z
      .int()
      .min(1)
      .optional()
      .describe(`Default ${EXPOSE.defaultMinutes}, at most ${EXPOSE.maxMinutes}; again: from now.`),
    protocol: z.enum(["http", "tcp"]).optional().describe("tcp needs a relay."),
    subdomain: z.string().optional().describe("Where a relay gives names."),
    hostHeader: z.string().optional().describe("Host that the service wants."),
    inspect: z.boolean().optional().describe("false keeps no headers and bodies."),
    transport: z.enum(PROVIDER_NAMES).optional().describe("As in tunnel_open."),
    dryRun: z.boolean().optional().describe("Says what it would do, and the command for a human."),
  }),
  repeats: () => "waits",
  async run({ target, mcp, dryRun, expiresInMinutes, claims, ...rest }, call) {
    const exposures = await call.exposures.get();
    const minutes = expiresInMinutes === undefined ? undefined : bounded(expiresInMinutes, EXPOSE.maxMinutes);
    const links = claims === undefined ? undefined : bounded(claims, EXPOSE.maxClaims);
    const cut = { expiresAtMostMinutes: minutes?.cutTo, claimsAtMost: links?.cutTo };
    const targets = (Array.isArray(target) ? target : [target]).map((one) =>
      one === undefined ? undefined : String(one),
    );
    const requests = targets.map((one) => ({
      ...rest,
      target: one,
      mcp,
      expiresInMinutes: minutes?.value,
      claims: links?.value,
    }));
    if (requests.length > 1 && rest.name !== undefined)
      throw new TunnelError("input-invalid", { detail: "name: goes with one target" });
    if (dryRun === true)
      return { dryRun: requests.map((request) => dryRunView(exposures.check(request), call.commandLine)) };
    const [only, ...more] = requests;
    if (only !== undefined && more.length === 0)
      return { ...(await startOne(exposures, only, call)), ...cut };
    const results = await Promise.allSettled(requests.map((request) => startOne(exposures, request, call)));
    return { exposures: results.map((result, index) => listed(result, targets[index])), ...cut };
  },
});

/** One of several: the failure of one is no failure of the others. */
function listed(result: PromiseSettledResult<Payload>, target: string | undefined): Payload {
  if (result.status === "fulfilled") return result.value;
  return { target, error: errorView(asTunnelError(result.reason)) };
}
