import { CLIENT_CAPABILITIES_META_KEY } from "@modelcontextprotocol/server";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { Forms } from "../../src/mcp/calls/forms.ts";
import { CLIENT_ANSWERS, mayAnswer } from "../../src/mcp/clients/answers.ts";
import { Asks } from "../../src/oversight/asks/asks.ts";
import { GATE_NAMES, GATES } from "../../src/oversight/gates/gates.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { handClock } from "../cli/support.ts";

const CLAUDE = { name: "claude-code", version: "2.1.332" };
const ENVELOPE = { [CLIENT_CAPABILITIES_META_KEY]: { elicitation: { form: {} } } };
const YES = { decision: { action: "accept", content: { decision: "approve" } } };

const raised = z.object({ requestState: z.string() });

/** A message that is held, and the form about it. */
async function held() {
  const asks = new Asks({ clock: handClock(), primitives: nodePrimitives });
  const forms = new Forms();
  const outcomes: string[] = [];
  const open = () =>
    asks.open({
      tunnelId: "1",
      gates: ["hold-out"],
      subject: { kind: "message", text: "hello", contentHash: "00" },
      causer: "own-agent",
      settle: ({ state }) => void outcomes.push(state),
    });
  const ask = open();
  if (ask === undefined) throw new Error("no ask");
  const put = async (askId = ask.id): Promise<string> => {
    const payload = { status: "held", askId, gates: ["hold-out"], unread: 3 };
    const answer = { content: [], structuredContent: payload };
    const mcpReq = { envelope: ENVELOPE, requestState: () => undefined };
    return raised.parse(await forms.formFor(answer, { mcpReq }, CLAUDE, async () => asks)).requestState;
  };
  const answer = async (state: unknown, inputResponses: Record<string, unknown> | undefined) => {
    const mcpReq = {
      envelope: ENVELOPE,
      ...(inputResponses === undefined ? {} : { inputResponses }),
      requestState: <State>(): State => state as State,
    };
    return (await forms.answered({ mcpReq }, CLAUDE, async () => asks))?.structuredContent;
  };
  return { asks, ask, open, outcomes, put, answer };
}

describe("a form that comes back", () => {
  it("decides what it was about, once", async () => {
    const { asks, ask, outcomes, put, answer } = await held();
    const state = await put();
    expect(await answer(state, YES)).toMatchObject({ status: "approved", askId: ask.id, unread: 3 });
    expect(asks.find(ask.id)?.now).toMatchObject({ by: { path: "client", client: "claude-code" } });
    expect(await answer(state, YES)).toMatchObject({ status: "held" });
    expect(outcomes).toEqual(["approved"]);
  });

  it.each<readonly [string, unknown]>([
    ["none", undefined],
    ["one that was never given out", "f3a1"],
    ["no text", { askId: 1 }],
  ])("decides nothing with %s for its state, and runs nothing", async (_, state) => {
    const { outcomes, put, answer } = await held();
    await put();
    expect(await answer(state, YES)).toMatchObject({ status: "held" });
    expect(outcomes).toEqual([]);
  });

  it("is no form at all where a call has neither state nor answers", async () => {
    const { answer } = await held();
    expect(await answer(undefined, undefined)).toBeUndefined();
  });

  it("comes too late once another face has decided, and is told so (H10)", async () => {
    const { asks, ask, outcomes, put, answer } = await held();
    const state = await put();
    asks.decide(ask.id, ask.digest, { verdict: "refuse" }, { path: "watch" });
    expect(await answer(state, YES)).toMatchObject({ status: "refused" });
    expect(outcomes).toEqual(["refused"]);
  });

  it("leaves it waiting while the answer is anything else", async () => {
    const { asks, ask, put, answer } = await held();
    for (const given of [
      undefined,
      {},
      { decision: { action: "decline" } },
      { decision: "approve" },
      { other: YES.decision },
    ])
      expect(await answer(await put(), given)).toMatchObject({ status: "held", askId: ask.id });
    expect(asks.find(ask.id)?.now).toEqual({ state: "waiting" });
  });

  it("is forgotten after others, so that forms without an answer cost little", async () => {
    const { outcomes, put, answer } = await held();
    const first = await put();
    for (let more = 0; more < 64; more += 1) await put();
    expect(await answer(first, YES)).toMatchObject({ status: "held" });
    expect(outcomes).toEqual([]);
  });
});

describe("the table of clients (H27)", () => {
  it("names for each row a client, a version and a source", () => {
    for (const { client, since, source } of CLIENT_ANSWERS) {
      expect(since).toMatch(/^\d+\.\d+\.\d+$/);
      expect(source).toMatch(/^https:\/\//);
      expect(mayAnswer({ name: client, version: "0.0.1" }, "form", ["hold-out"])).toBe(false);
    }
  });

  it("gives no client a say at a budget, or about what others do", () => {
    const silent = GATE_NAMES.filter((gate) => GATES[gate].byClient === "nothing");
    expect(silent).toEqual(["visit-service", "observer", "budget", "new-member", "hold-in"]);
    for (const gate of silent) expect(mayAnswer(CLAUDE, "form", [gate])).toBe(false);
    expect(mayAnswer(CLAUDE, "form", ["hold-out", "budget"])).toBe(false);
  });

  it("takes the question before a call for receiving alone", () => {
    expect(mayAnswer(CLAUDE, "call", ["receive"])).toBe(true);
    expect(mayAnswer(CLAUDE, "call", ["secret"])).toBe(false);
    expect(mayAnswer({ name: "codex-mcp-client", version: "9.0.0" }, "call", ["receive"])).toBe(false);
    expect(mayAnswer({ name: "claude-code", version: "?" }, "call", ["receive"])).toBeUndefined();
    expect(mayAnswer(undefined, "call", ["receive"])).toBe(false);
  });
});
