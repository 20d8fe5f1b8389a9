import { afterEach, describe, expect, it } from "vitest";
import { DEFAULT_LIMITS } from "../../src/oversight/bounds/budgets.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { Config } from "../../src/cli/settings.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { hostRequest, joinRequest, sessionsOn } from "../session/support.ts";
import { clientOf } from "./room.ts";

const WATCH = { path: "watch" } as const;
const all: Sessions[] = [];
afterEach(() => Promise.all(all.splice(0).map((one) => one.shutDown())));

/** Ana's agent before the real tools, and a guest who talks. */
async function room(config: Partial<Config> = {}) {
  const [anas, bens] = [sessionsOn(systemClock, config), sessionsOn(systemClock)];
  all.push(anas, bens);
  const { hosting, invites } = await anas.host(hostRequest());
  const guest = await bens.join(joinRequest(invites[0]?.joinLink));
  const call = await clientOf(anas);
  await expect.poll(() => hosting.presence().length).toBe(2);
  await call("tunnel_listen", { timeoutMs: 0 });
  return { anas, hosting, guest, call };
}

const textsIn = ({ messages }: Readonly<Record<string, unknown>>): string => JSON.stringify(messages);

describe("what an agent is told of its person's decisions", () => {
  it("H16: held, with the number, the reason, and that it is not to be sent again in any form", async () => {
    const { call, anas, guest } = await room({ gates: ["hold-out"] });
    const held = await call("tunnel_say", { text: "first try" });
    expect(held).toMatchObject({ status: "held", askId: 1, gates: ["hold-out"] });
    expect(held["reason"]).toMatch(/you want to see each message before it leaves/);
    expect(held["next"]).toMatch(/tunnel-mcp watch.*Do not send it again.*reword, split or encode/);
    const waiting = await call("tunnel_listen", { timeoutMs: 0 });
    expect(waiting["next"]).toBe(held["next"]);
    const [ask] = anas.overseer.asks.waiting;
    if (ask === undefined) throw new Error("nothing waits");
    anas.overseer.asks.decide(ask.id, ask.digest, { verdict: "refuse", reason: "not to Ben" }, WATCH);
    const told = await call("tunnel_listen", { timeoutMs: 1_000 });
    expect(textsIn(told)).toMatch(/decided.*"askId":1.*"outcome":"refused".*not to Ben/);
    expect([...guest.inbox.said()]).toEqual([]);
  });

  it("H27: that its client has let a call happen opens no gate, and no argument of a call does", async () => {
    const { call, anas, guest } = await room({ gates: ["hold-out"] });
    for (const text of ["one", "two"])
      expect(await call("tunnel_say", { text })).toMatchObject({ status: "held" });
    for (const more of [{ approve: true }, { author: "human" }, { askId: 1 }])
      expect(await call("tunnel_say", { text: "three", ...more })).toMatchObject({
        error: { code: "input-invalid" },
      });
    expect(anas.overseer.asks.waiting.map(({ id }) => id)).toEqual([1, 2]);
    expect([...guest.inbox.said()]).toEqual([]);
  });

  it("that something came which its person wants to see first, without a word of it", async () => {
    const { call, guest } = await room({ gates: ["hold-in"] });
    await guest.say({ text: "look at this" });
    await expect
      .poll(async () => (await call("tunnel_status"))["oversight"])
      .toMatchObject({ heldIn: 1, gates: ["hold-in"] });
    const heard = await call("tunnel_listen", { timeoutMs: 0 });
    expect(heard["next"]).toMatch(/wants to see first/);
    expect(JSON.stringify(heard)).not.toContain("look at this");
  });

  it("H25: a pause keeps what had come before it as well, and everything comes in order after it", async () => {
    const { call, hosting, guest } = await room();
    await guest.say({ text: "before" });
    await expect.poll(() => hosting.inbox.unread).toBe(1);
    hosting.oversight.pause(WATCH);
    await guest.say({ text: "during" });
    const paused = await call("tunnel_listen", { timeoutMs: 50 });
    expect(paused).toMatchObject({ status: "open", paused: true, messages: [] });
    expect(paused["next"]).toMatch(/^Your human has paused this tunnel/);
    expect(await call("tunnel_listen", { sinceSeq: 0 })).toMatchObject({ paused: true, messages: [] });
    const held = await call("tunnel_say", { text: "mine" });
    expect(held).toMatchObject({ status: "held", paused: true, next: paused["next"] });
    expect(await call("tunnel_status")).toMatchObject({ oversight: { paused: true, heldOut: 1 } });
    expect([...guest.inbox.said()].filter(({ own }) => !own)).toEqual([]);

    const waiting = call("tunnel_listen", { timeoutMs: 8_000 });
    await expect.poll(() => hosting.oversight.heldIn).toBe(1);
    hosting.oversight.resume(WATCH);
    const told = textsIn(await waiting) + textsIn(await call("tunnel_listen", { timeoutMs: 200 }));
    expect(told).toMatch(/before.*during/);
    expect(told).toContain("resumed");
    await expect
      .poll(() => [...guest.inbox.said()].some((one) => one.kind === "chat" && one.text === "mine"))
      .toBe(true);
  });

  it("how much of its budgets is used, and why it was stopped", async () => {
    const { call, hosting } = await room({ budgets: { ...DEFAULT_LIMITS, messages: 2 } });
    await call("tunnel_say", { text: "one" });
    await call("tunnel_say", { text: "two" });
    await expect.poll(() => hosting.oversight.stopped).toBeDefined();
    expect(await call("tunnel_status")).toMatchObject({
      oversight: {
        paused: false,
        gates: [],
        heldOut: 0,
        heldIn: 0,
        stopped: { reason: "budget", budget: "messages" },
        budgets: { messages: { used: 2, limit: 2 } },
      },
    });
  });
});
