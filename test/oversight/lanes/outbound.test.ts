import { describe, expect, it } from "vitest";
import { Asks } from "../../../src/oversight/asks/asks.ts";
import type { Decision } from "../../../src/oversight/asks/ask.ts";
import type { Gate } from "../../../src/oversight/gates/gates.ts";
import { MAX_QUEUED, Outbound, type Released } from "../../../src/oversight/lanes/outbound.ts";
import { TunnelError } from "../../../src/errors/tunnel-error.ts";
import { nodePrimitives } from "../../../src/runtime/primitives.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";
import { rejectedWith } from "../../support/rejection.ts";

interface Sent {
  readonly status: "sent";
  readonly text: string;
}

/** A way out of which every text with "secret" in it stands before a gate. */
function lane() {
  const clock = new FakeClock();
  const asks = new Asks({ clock, primitives: nodePrimitives });
  const mode = { standing: [] as Gate[], isPaused: false };
  const left: string[] = [];
  const released: Released<Sent>[] = [];
  const approved: Gate[] = [];
  const outbound = new Outbound<Sent>({
    tunnelId: "t",
    asks,
    closed: (gates) => gates,
    standing: () => mode.standing,
    isPaused: () => mode.isPaused,
    onApproved: (gates) => void approved.push(...gates),
    onReleased: (one) => void released.push(one),
  });
  const say = (text: string, judgeMs?: Promise<void>) =>
    outbound.submit({
      judge: async (edited) => {
        await judgeMs;
        const shown = edited ?? text;
        if (shown === "unreadable") throw new TunnelError("internal");
        return {
          gates: shown.includes("secret") ? ["secret"] : [],
          subject: { kind: "message", text: shown, contentHash: "" },
        };
      },
      send: async (edited) => {
        if (text === "nobody") throw new TunnelError("nobody-joined");
        left.push(edited ?? text);
        return { status: "sent", text: edited ?? text };
      },
    });
  const decide = (id: number, decision: Decision): void => {
    const ask = asks.find(id);
    if (ask === undefined) throw new Error("no ask");
    asks.decide(id, ask.digest, decision, { path: "watch" });
  };
  return { clock, asks, mode, left, released, approved, outbound, say, decide };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
const approve = { verdict: "approve" } as const;

describe("the way out", () => {
  it("lets pass what stands before no gate, in order, and waits for no confirmation of it", async () => {
    const { say, left } = lane();
    let open: () => void = () => undefined;
    const slow = new Promise<void>((resolve) => (open = resolve));
    const all = [say("one", slow), say("two"), say("three")];
    await settle();
    expect(left).toEqual([]);
    open();
    expect((await Promise.all(all)).map(({ status }) => status)).toEqual(["sent", "sent", "sent"]);
    expect(left).toEqual(["one", "two", "three"]);
  });

  it("H15: answers at once that it is held, and lets nothing that was said later go ahead of it", async () => {
    const { say, left, decide, released } = lane();
    expect(await say("my secret")).toEqual({
      status: "held",
      askId: 1,
      why: { reason: "gates", gates: ["secret"] },
    });
    expect(await say("did you get it?")).toEqual({ status: "held", askId: 1, why: { reason: "behind" } });
    expect(left).toEqual([]);
    decide(1, approve);
    await settle();
    expect(left).toEqual(["my secret", "did you get it?"]);
    expect(released.map(({ askId, result }) => [askId, result])).toEqual([
      [1, { sent: { status: "sent", text: "my secret" } }],
      [undefined, { sent: { status: "sent", text: "did you get it?" } }],
    ]);
    expect(await say("free again")).toMatchObject({ status: "sent" });
  });

  it("H15: keeps the order whichever ask is decided first", async () => {
    const { say, left, mode, decide } = lane();
    mode.standing = ["hold-out"];
    const held = await Promise.all(["one", "two", "three"].map((text) => say(text)));
    expect(held.map((one) => "askId" in one && one.askId)).toEqual([1, 2, 3]);
    decide(3, approve);
    decide(2, { verdict: "refuse" });
    await settle();
    expect(left).toEqual([]);
    decide(1, approve);
    await settle();
    expect(left).toEqual(["one", "three"]);
  });

  it("asks once for all gates of a message", async () => {
    const { say, mode, asks, approved, decide } = lane();
    mode.standing = ["hold-out"];
    await say("secret");
    expect(asks.waiting.map(({ gates }) => gates)).toEqual([["secret", "hold-out"]]);
    decide(1, approve);
    expect(approved).toEqual(["secret", "hold-out"]);
  });

  it("H15: sends a person's own words in place of the agent's, and searches them again", async () => {
    const { say, left, decide, asks, mode } = lane();
    mode.standing = ["hold-out"];
    await say("the secret");
    decide(1, { verdict: "edit", text: "another secret" });
    await settle();
    expect(left).toEqual([]);
    expect(
      asks.waiting.map(({ id, gates, subject }) => [id, gates, subject.kind === "message" && subject.text]),
    ).toEqual([[2, ["secret"], "another secret"]]);
    decide(2, { verdict: "edit", text: "nothing of that" });
    await settle();
    expect(left).toEqual(["nothing of that"]);
  });

  it("H11: drops what nobody has decided in time, says so, and lets the rest go", async () => {
    const { say, left, clock, released } = lane();
    await say("secret");
    await say("later");
    await clock.advance(60 * 60_000);
    expect(released[0]).toMatchObject({ askId: 1, outcome: { state: "expired" }, result: undefined });
    expect(left).toEqual(["later"]);
  });

  it("H25: a pause stops the next message, and the end of it lets all go in order", async () => {
    const { say, left, mode, outbound } = lane();
    mode.isPaused = true;
    expect(await say("one")).toEqual({ status: "held", askId: undefined, why: { reason: "paused" } });
    expect(await say("two")).toMatchObject({ status: "held", why: { reason: "paused" } });
    mode.isPaused = false;
    outbound.look();
    await settle();
    expect(left).toEqual(["one", "two"]);
  });

  it("H25: a yes during a pause lets nothing go before its end", async () => {
    const { say, left, mode, outbound, decide } = lane();
    await say("secret");
    mode.isPaused = true;
    decide(1, approve);
    await settle();
    expect(left).toEqual([]);
    mode.isPaused = false;
    outbound.look();
    await settle();
    expect(left).toEqual(["secret"]);
  });

  it("asks at a gate that was closed while a message waited", async () => {
    const { say, left, mode, decide, asks } = lane();
    await say("secret");
    await say("plain");
    mode.standing = ["budget"];
    decide(1, approve);
    await settle();
    expect(left).toEqual([]);
    expect(asks.waiting.map(({ gates }) => gates)).toEqual([["budget"]]);
    decide(2, approve);
    mode.standing = [];
    await settle();
    decide(3, approve);
    await settle();
    expect(left).toEqual(["secret", "plain"]);
  });

  it("H23: does not send what cannot be judged, and goes on with the rest", async () => {
    const { say, left } = lane();
    expect(await rejectedWith(say("unreadable"))).toBe("internal");
    await say("plain");
    expect(left).toEqual(["plain"]);
  });

  it("gives the room's own error where nothing was held, and tells it later where it was", async () => {
    const { say, decide, released } = lane();
    expect(await rejectedWith(say("nobody"))).toBe("nobody-joined");
    await say("secret");
    void say("nobody");
    await settle();
    decide(1, approve);
    await settle();
    expect(released[1]).toMatchObject({ result: { error: { code: "nobody-joined" } } });
  });

  it("is bounded, and withdraws everything at the end", async () => {
    const { say, asks, outbound, released } = lane();
    await say("secret");
    for (let at = 1; at < MAX_QUEUED; at += 1) await say("plain");
    expect(await rejectedWith(say("one too many"))).toBe("asks-crowded");
    outbound.end();
    asks.withdrawAll("t", "ended");
    expect(released).toHaveLength(MAX_QUEUED);
    expect(outbound.held).toBe(0);
    expect(await rejectedWith(say("after the end"))).toBe("tunnel-closed");
  });
});
