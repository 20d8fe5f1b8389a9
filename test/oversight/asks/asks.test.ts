import { describe, expect, it } from "vitest";
import type { Decider, Decision, Outcome } from "../../../src/oversight/asks/ask.ts";
import { Asks, MAX_DECIDED, MAX_WAITING, type AskEvent } from "../../../src/oversight/asks/asks.ts";
import { digestOf, type Subject } from "../../../src/oversight/asks/subject.ts";
import type { Gate } from "../../../src/oversight/gates/gates.ts";
import { nodePrimitives } from "../../../src/runtime/primitives.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";
import { codeOf, errorOf } from "../../support/thrown.ts";

const WATCH: Decider = { path: "watch" };
const message = (text: string): Extract<Subject, { kind: "message" }> => ({
  kind: "message",
  text,
  contentHash: "00",
});

function register() {
  const clock = new FakeClock();
  const asks = new Asks({ clock, primitives: nodePrimitives });
  const events: AskEvent[] = [];
  asks.subscribe((event) => void events.push(event));
  const settled: [outcome: Outcome, decision: Decision | undefined][] = [];
  const open = (
    subject: Subject = message("hello"),
    { gates = ["hold-out"], causer = "own-agent", tunnelId = "t1" }: Partial<Ask> = {},
  ) =>
    asks.open({
      tunnelId,
      gates,
      subject,
      causer,
      settle: (outcome, decision) => void settled.push([outcome, decision]),
    });
  return { clock, asks, events, settled, open };
}

interface Ask {
  readonly gates: readonly [Gate, ...Gate[]];
  readonly causer: "own-agent" | { readonly member: string };
  readonly tunnelId: string;
}

function asked(ask: ReturnType<ReturnType<typeof register>["open"]>) {
  if (ask === undefined) throw new Error("it was turned away");
  return ask;
}

describe("asks", () => {
  it("H9: a decision must name what was shown, and other bytes are another ask", () => {
    const { asks, open, settled } = register();
    const ask = asked(open(message("send 5")));
    const other = digestOf(nodePrimitives, message("send 50"));
    expect(codeOf(() => asks.decide(ask.id, other, { verdict: "approve" }, WATCH))).toBe("ask-changed");
    expect(settled).toEqual([]);
    expect(asks.decide(ask.id, ask.digest, { verdict: "approve" }, WATCH).now.state).toBe("approved");
  });

  it("H9, P12: the digest covers every field that is shown, and the bytes that would go", () => {
    const whole = { ...message("a"), to: ["Bo"], intent: "request", replyTo: 3 } as const;
    const changed: Subject[] = [
      { ...whole, text: "b" },
      { ...whole, contentHash: "01" },
      { ...whole, to: ["Cy"] },
      { ...whole, to: ["Bo", "Cy"] },
      { ...whole, intent: "inform" },
      { ...whole, replyTo: 4 },
      message("a"),
      { kind: "file", name: "a", path: "/a", bytes: 1, contentHash: "00" },
    ];
    const digests = [whole, ...changed].map((subject) => digestOf(nodePrimitives, subject));
    expect(new Set(digests).size).toBe(digests.length);
    expect(digestOf(nodePrimitives, { replyTo: 3, intent: "request", to: ["Bo"], ...message("a") })).toBe(
      digests[0],
    );
  });

  it("H10: the first answer counts, and the second is told who was first", () => {
    const { asks, open, settled, events } = register();
    const ask = asked(open());
    asks.decide(ask.id, ask.digest, { verdict: "refuse", reason: "not today" }, { path: "terminal" });
    const late = errorOf(() => asks.decide(ask.id, ask.digest, { verdict: "approve" }, WATCH));
    expect(late?.code).toBe("ask-decided");
    expect(late?.message).toContain("refused in the terminal chat");
    expect(settled).toHaveLength(1);
    expect(settled[0]?.[0]).toMatchObject({ state: "refused", reason: "not today" });
    expect(events.map(({ type }) => type)).toEqual(["asked", "decided"]);
  });

  it("H10: an answer that comes from within the first one finds it decided", () => {
    const { asks, open } = register();
    const ask = asked(open());
    let second: string | undefined;
    asks.subscribe(({ type }) => {
      if (type !== "decided") return;
      second = codeOf(() => asks.decide(ask.id, ask.digest, { verdict: "refuse" }, WATCH));
    });
    asks.decide(ask.id, ask.digest, { verdict: "approve" }, WATCH);
    expect(second).toBe("ask-decided");
    expect(asks.find(ask.id)?.now.state).toBe("approved");
  });

  it("H11: time makes it expire, which is not a refusal, and nothing of it is left to decide", async () => {
    const { asks, open, settled, clock } = register();
    const ask = asked(open(message("x"), { gates: ["secret"] }));
    await clock.advance(60 * 60_000 - 1);
    expect(asks.waiting).toHaveLength(1);
    await clock.advance(1);
    expect(asks.waiting).toEqual([]);
    expect(settled[0]?.[0].state).toBe("expired");
    const late = errorOf(() => asks.decide(ask.id, ask.digest, { verdict: "approve" }, WATCH));
    expect(late?.message).toContain("nobody decided in time");
  });

  it("expires with the first of its gates", async () => {
    const { asks, open, clock } = register();
    open(message("x"), { gates: ["hold-out", "secret"] });
    await clock.advance(60 * 60_000);
    expect(asks.waiting).toEqual([]);
  });

  it("H12: a face that comes later finds what waits, oldest first", () => {
    const { asks, open } = register();
    const ids = ["a", "b", "c"].map((text) => asked(open(message(text))).id);
    expect(asks.waiting.map(({ id }) => id)).toEqual(ids);
  });

  it("H15: a message can be edited, and nothing else", () => {
    const { asks, open, settled } = register();
    const text = asked(open());
    const file = asked(open({ kind: "file", name: "a", path: "/a", bytes: 1, contentHash: "00" }));
    const edit = { verdict: "edit", text: "in my words" } as const;
    expect(codeOf(() => asks.decide(file.id, file.digest, edit, WATCH))).toBe("ask-not-text");
    asks.decide(text.id, text.digest, edit, WATCH);
    expect(settled).toEqual([[expect.objectContaining({ state: "approved", isEdited: true }), edit]]);
  });

  it("withdraws what a tunnel that is over has asked for, and nothing of others", () => {
    const { asks, open, settled } = register();
    open();
    const other = asked(open(message("y"), { tunnelId: "t2" }));
    asks.withdrawAll("t1", "ended");
    expect(asks.waiting.map(({ id }) => id)).toEqual([other.id]);
    expect(settled[0]?.[0]).toMatchObject({ state: "withdrawn", cause: "ended" });
  });

  it("names an unknown number", () => {
    const { asks } = register();
    expect(codeOf(() => asks.decide(7, "", { verdict: "approve" }, WATCH))).toBe("ask-unknown");
  });

  it("H30, P14: 10,000 asks of one member are bounded, and told once until one is decided", () => {
    const { asks, events, open } = register();
    const causer = { member: "m1" };
    const ids = Array.from({ length: 10_000 }, (_, at) => open(message(`${at}`), { causer })?.id);
    expect(asks.waiting).toHaveLength(MAX_WAITING.member);
    expect(events.filter(({ type }) => type === "crowded")).toHaveLength(1);
    expect(open(message("from another"), { causer: { member: "m2" } })).toBeDefined();
    const first = asked(asks.find(ids[0] ?? 0));
    asks.decide(first.id, first.digest, { verdict: "refuse" }, WATCH);
    expect(open(message("one more"), { causer })).toBeDefined();
    expect(open(message("too many"), { causer })).toBeUndefined();
    expect(events.filter(({ type }) => type === "crowded")).toHaveLength(2);
  });

  it("keeps a bounded number of those decided", () => {
    const { asks, open } = register();
    const first = asked(open());
    asks.withdraw(first.id, "agent");
    for (let at = 0; at < MAX_DECIDED; at += 1) asks.withdraw(asked(open()).id, "agent");
    expect(asks.find(first.id)).toBeUndefined();
    expect(asks.find(first.id + 1)).toBeDefined();
  });
});
