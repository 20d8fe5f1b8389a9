import { describe, expect, it } from "vitest";
import { OBSERVER, ROOM } from "../../src/protocol/base/limits.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { atEnd } from "../support/at-end.ts";
import { codeOf } from "../support/thrown.ts";
import { hostRequest, sessionsOn } from "../session/support.ts";
import type { Config } from "../../src/cli/settings.ts";

const FROM_NOW = { history: false, minutes: OBSERVER.defaultMinutes };
const BY = { path: "watch" } as const;

async function opened(config: Partial<Config> = {}) {
  const ana = sessionsOn(systemClock, config);
  atEnd(() => ana.shutDown());
  const { hosting } = await ana.host(hostRequest());
  const { asks } = ana.overseer;
  const decide = (verdict: "approve" | "refuse"): void => {
    const [ask] = asks.waiting;
    if (ask === undefined) throw new Error("nothing waits");
    asks.decide(ask.id, ask.digest, { verdict }, BY);
  };
  return { hosting, asks, decide };
}

describe("the gate before observers", () => {
  it("H29: lets an agent make no link without a yes, also where nobody is meant to be there", async () => {
    const { hosting, asks } = await opened({ unattended: true });
    expect(hosting.askForObserverLinks(1, FROM_NOW)).toMatchObject({ status: "held" });
    expect(asks.waiting).toHaveLength(1);
    expect(hosting.pendingInvites().filter(({ seat }) => seat !== undefined)).toEqual([]);
  });

  it("H29: a yes is for the very links that were asked about, and for one making of them", async () => {
    const { hosting, asks, decide } = await opened();
    const first = hosting.askForObserverLinks(2, FROM_NOW);
    expect(hosting.askForObserverLinks(2, FROM_NOW)).toEqual(first);
    decide("approve");
    // Other links than those are another question.
    expect(hosting.askForObserverLinks(2, { ...FROM_NOW, minutes: 5 })).toMatchObject({ status: "held" });
    expect(hosting.askForObserverLinks(1, FROM_NOW)).toMatchObject({ status: "held" });
    expect(asks.waiting).toHaveLength(2);
    const made = hosting.askForObserverLinks(2, FROM_NOW);
    expect(made).toHaveLength(2);
    expect(hosting.oversight.allowedObservers).toEqual([]);
    expect(hosting.askForObserverLinks(2, FROM_NOW)).toMatchObject({ status: "held" });
  });

  it("H29: a no is told to the agent, and the next call asks again", async () => {
    const { hosting, asks, decide } = await opened();
    hosting.askForObserverLinks(1, FROM_NOW);
    decide("refuse");
    const { entries } = hosting.inbox.take("look", 10);
    expect(entries.map(({ entry }) => entry)).toMatchObject([
      { notice: "decided", outcome: "refused", askId: 1 },
    ]);
    expect(hosting.askForObserverLinks(1, FROM_NOW)).toMatchObject({ status: "held", askId: 2 });
    expect(asks.waiting.map(({ gates }) => gates)).toEqual([["observer"]]);
  });

  it("asks nothing about more observers than there may be, or a past that is not kept", async () => {
    const { hosting, asks } = await opened();
    const past = { ...FROM_NOW, history: true };
    expect(codeOf(() => hosting.askForObserverLinks(ROOM.maxObservers + 1, FROM_NOW))).toBe("observer-limit");
    expect(codeOf(() => hosting.askForObserverLinks(1, past))).toBe("no-history");
    expect(asks.waiting).toEqual([]);
  });

  it("a person who asks for them needs no other person", async () => {
    const { hosting, asks } = await opened();
    expect(hosting.observerLinks(1, FROM_NOW)).toHaveLength(1);
    expect(asks.waiting).toEqual([]);
  });
});
