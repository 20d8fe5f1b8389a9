import { noExposures } from "../../src/expose/lazy-exposures.ts";
import { Client, InMemoryTransport } from "@modelcontextprotocol/client";
import * as fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { Fence } from "../../src/mcp/results/fence.ts";
import { createServer } from "../../src/mcp/server.ts";
import { Forms } from "../../src/mcp/calls/forms.ts";
import { SharedCalls } from "../../src/mcp/calls/shared-calls.ts";
import { TOOLS } from "../../src/mcp/tools/index.ts";
import { ERRORS } from "../../src/errors/tunnel-error.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { temporaryFolders } from "../support/files/temp-folder.ts";
import { servicesOn } from "../services/services-on.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import { oddText, seeded } from "../hostile-peers/support/input.ts";
import { hostRequest, sessionsOn } from "../session/support.ts";

const answer = z.object({
  isError: z.boolean().optional(),
  content: z.tuple([z.object({ type: z.literal("text"), text: z.string() })]),
  structuredContent: z.looseObject({
    error: z
      .strictObject({
        code: z.string(),
        message: z.string().min(1),
        next: z.string().min(1),
        retryable: z.boolean(),
      })
      .optional(),
  }),
});

/** Every tool with the names of the arguments that it declares. */
const ARGUMENTS = new Map(
  TOOLS.map(({ name, input }) => [name, Object.keys(z.toJSONSchema(input).properties ?? {})] as const),
);

const value = fc.oneof(
  oddText.filter((text) => text.length < 200),
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<unknown>(-1, 0, 1, 0.5, 2 ** 53, 1e308, true, null, [], {}, "direct", "inform", "goal"),
  fc.constantFrom<unknown>("x".repeat(70_000), "\u001b[2J", "a\r\nb", "wss://a.example/t/x#1.y.z"),
);
const call = fc.constantFrom(...ARGUMENTS).chain(([tool, known]) => {
  const name = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom("tunnelId", ...known) },
    { weight: 1, arbitrary: fc.oneof(oddText, fc.constantFrom("constructor", "toString", "tunnel_id")) },
  );
  const args = fc.array(fc.tuple(name, value), { maxLength: 4 }).map((pairs) => Object.fromEntries(pairs));
  return fc.tuple(fc.constant(tool), args);
});

const folder = temporaryFolders();

class Bench {
  readonly clock = new FakeClock();
  // Transcripts are saved in the working directory.
  readonly sessions: Sessions = sessionsOn(this.clock, { idleMinutes: 1_440 }, {}, { cwd: folder() });
  readonly client = new Client({ name: "fuzz", version: "0" });

  async connect(): Promise<void> {
    const [near, far] = InMemoryTransport.createLinkedPair();
    const { clock, sessions } = this;
    await createServer("0", {
      clock,
      fence: new Fence(),
      sessions: async () => sessions,
      exposures: noExposures(),
      services: servicesOn(sessions, clock),
      calls: new SharedCalls(clock),
      forms: new Forms(),
      isUnattended: false,
      problems: async () => [],
      wake: () => ({
        by: "human",
        command: undefined,
        commandProblem: undefined,
        commandNote: undefined,
        channel: "off",
        next: "Wait.",
      }),
    }).connect(far);
    await this.client.connect(near);
  }

  /** Calls, and lets the time pass that the tool wants to wait. */
  async call(tool: string, args: Record<string, unknown>): Promise<z.infer<typeof answer>> {
    const state = { isDone: false };
    const result = this.client.callTool({ name: tool, arguments: args }).finally(() => (state.isDone = true));
    while (!state.isDone) await this.clock.advance(60_000);
    return answer.parse(await result);
  }

  async close(): Promise<void> {
    await this.client.close();
    await this.sessions.shutDown();
  }
}

let bench: Bench | undefined;
afterEach(async () => bench?.close());

/** A stable code and a next step, or success: never a protocol error, never `internal`. */
async function expectStable(on: Bench, tool: string, args: Record<string, unknown>): Promise<void> {
  const { isError, structuredContent, content } = await on.call(tool, args);
  expect(JSON.parse(content[0].text)).toEqual(structuredContent);
  expect(isError === true).toBe(structuredContent.error !== undefined);
  if (structuredContent.error === undefined) return;
  expect(Object.keys(ERRORS)).toContain(structuredContent.error.code);
  expect(structuredContent.error.code).not.toBe("internal");
}

describe("a tool, whatever its arguments", () => {
  it("is called with the arguments that it declares", () => {
    expect(ARGUMENTS.size).toBe(TOOLS.length);
    expect(ARGUMENTS.get("tunnel_receive")).toEqual(expect.arrayContaining(["fileId", "cancel", "tunnelId"]));
  });

  it("answers with success or a stable code while no tunnel is open", async () => {
    const on = (bench = new Bench());
    await on.connect();
    const quiet = call.filter(([tool]) => tool !== "tunnel_open");
    await fc.assert(
      fc.asyncProperty(quiet, ([tool, args]) => expectStable(on, tool, args)),
      seeded(61, 100),
    );
    expect(on.sessions.all).toEqual([]);
  });

  it("answers with success or a stable code with a tunnel open, and goes on working", async () => {
    const on = (bench = new Bench());
    await on.connect();
    const { hosting } = await on.sessions.host(hostRequest());
    const id = hosting.tunnelId;
    await fc.assert(
      fc.asyncProperty(call, fc.boolean(), async ([tool, args], isNamed) => {
        // Closing is tried for itself below: an ended tunnel has fewer ways to fail.
        if (tool === "tunnel_close" || tool === "tunnel_open") return;
        await expectStable(on, tool, isNamed && tool !== "tunnel_join" ? { ...args, tunnelId: id } : args);
      }),
      seeded(62, 120),
    );
    expect((await on.call("tunnel_status", {})).structuredContent["status"]).toBe("waiting_for_members");
  });

  it("opens and closes with any arguments, never more than eight at once", async () => {
    const on = (bench = new Bench());
    await on.connect();
    const both = call.filter(([tool]) => tool === "tunnel_open" || tool === "tunnel_close");
    await fc.assert(
      fc.asyncProperty(both, ([tool, args]) => expectStable(on, tool, args)),
      seeded(63, 60),
    );
    for (let turn = 0; turn < 10; turn += 1) await expectStable(on, "tunnel_open", { goal: `goal ${turn}` });
    expect(on.sessions.open).toHaveLength(8);
  });
});
