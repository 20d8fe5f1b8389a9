import { afterEach, describe, expect, it } from "vitest";
import type { TextScanner } from "../../src/session/saying/judging.ts";
import type { OutboundText } from "../../src/oversight/filter/filter.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { Config } from "../../src/cli/settings.ts";
import { DEFAULT_LIMITS } from "../../src/oversight/bounds/budgets.ts";
import { rejectedWith, rejection } from "../support/rejection.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { signOffView } from "../../src/view/signing/sign-off.ts";
import { signByHand } from "../../src/watch/sign-by-hand.ts";
import { hostRequest, joinRequest, NOTHING_FOUND, sessionsOn } from "./support.ts";

const WATCH = { path: "watch" } as const;
const all: Sessions[] = [];

afterEach(async () => {
  await Promise.all(all.splice(0).map((one) => one.shutDown()));
});

function side(config: Partial<Config> = {}, scanner: TextScanner = NOTHING_FOUND): Sessions {
  const sessions = sessionsOn(systemClock, config, {}, { scanner });
  all.push(sessions);
  return sessions;
}

/** A filter that takes every text with "hunter2" for a secret, and remembers what it was given. */
function filter() {
  const seen: OutboundText[] = [];
  const scanner: TextScanner = {
    ...NOTHING_FOUND,
    async scanTexts(texts) {
      seen.push(...texts);
      const hit = texts.find(({ text }) => text.includes("hunter2"));
      if (hit === undefined) return { kind: "clear", digest: "00" };
      const line = hit.text.slice(0, hit.text.indexOf("hunter2")).split("\n").length;
      const column = (hit.text.split("\n")[line - 1] ?? "").indexOf("hunter2") + 1;
      const finding = {
        rule: "a password",
        where: hit.where,
        line,
        column,
        disguise: "plain",
        isCertain: true,
      } as const;
      return { kind: "found", findings: [finding], hasMore: false, digest: "01" };
    },
  };
  return { scanner, seen };
}

async function pair(ana: Sessions, ben: Sessions) {
  const { hosting, invites } = await ana.host(hostRequest());
  const guest = await ben.join(joinRequest(invites[0]?.joinLink));
  return { host: hosting, guest };
}

function decide(sessions: Sessions, verdict: "approve" | "refuse"): void {
  const [ask] = sessions.overseer.asks.waiting;
  if (ask === undefined) throw new Error("nothing waits");
  sessions.overseer.asks.decide(ask.id, ask.digest, { verdict }, WATCH);
}

const until = (what: string, test: () => boolean) =>
  expect.poll(test, { message: what, timeout: 8_000 }).toBe(true);

describe("what leaves", () => {
  it("H19: a secret in a proposed outcome, or in a person's reason, is found as in any message", async () => {
    const { scanner, seen } = filter();
    const { host, guest } = await pair(side({}, scanner), side());
    const held = await host.signing.propose("hunter2secret is in place", undefined);
    expect(held).toMatchObject({ status: "held", why: { gates: ["secret"] } });
    expect(seen.at(-1)).toEqual({ where: "message", text: "hunter2secret is in place" });
    expect(guest.signing.standing).toBeUndefined();
    await guest.signing.propose("all is in place", undefined);
    await until("it has come", () => host.signing.isOpen);
    const view = signOffView(host);
    if (view === undefined) throw new Error("nothing stands");
    const said = { verdict: "not-done", reason: "hunter2 is still in it" } as const;
    const signed = { ...signByHand(nodePrimitives, view, said), ...said };
    expect(await host.signing.state(signed, WATCH)).toMatchObject({ status: "held" });
    // Nothing has left, so the person can say it otherwise.
    expect(host.signing.isOpen).toBe(true);
  });

  it("H21, H22: a secret is held, shown masked, and goes once a person has let exactly it go", async () => {
    const { scanner } = filter();
    const ana = side({}, scanner);
    const { host, guest } = await pair(ana, side());
    const held = await host.say({ text: "log in\nwith hunter2secret now" });
    expect(held).toMatchObject({ status: "held", askId: 1, why: { gates: ["secret"] } });
    const [ask] = ana.overseer.asks.waiting;
    expect(ask?.subject).toMatchObject({ text: "log in\nwith hunt[secret] now", contentHash: "01" });
    expect(JSON.stringify([held, ask])).not.toContain("hunter2");
    expect(guest.inbox.unread).toBe(0);
    decide(ana, "approve");
    await until("it has come", () => guest.inbox.unread > 0);
    expect(await host.say({ text: "hunter2secret" })).toMatchObject({ status: "held", askId: 2 });
  });

  it("H23: without a verdict nothing leaves", async () => {
    const broken: TextScanner = {
      ...NOTHING_FOUND,
      scanTexts: () => Promise.reject(new TunnelError("scan-failed")),
    };
    const working = side();
    const { host, guest } = await pair(working, side());
    const other = await side({}, NOTHING_FOUND).host(hostRequest());
    expect(other.hosting.end).toBeUndefined();
    expect(await rejectedWith(side({}, broken).host(hostRequest()))).toBe("scan-failed");
    expect(host.presence()).toHaveLength(2);
    expect(guest.presence()).toHaveLength(2);
  });

  it("H19: the goal and the name are searched before anybody sees them, and the work context is left out", async () => {
    const { scanner, seen } = filter();
    const sessions = side({}, scanner);
    const goal = await rejection(sessions.host(hostRequest("use hunter2")));
    expect(goal).toMatchObject({ code: "secret-found", detail: "a password, in the goal" });
    const named = await rejection(sessions.host({ ...hostRequest(), name: "hunter2" }));
    expect(named).toMatchObject({ code: "secret-found", detail: "a password, in the name" });
    const opened = await side().host(hostRequest());
    const joining = { ...joinRequest(opened.invites[0]?.joinLink), name: "hunter2" };
    expect(await rejectedWith(sessions.join(joining))).toBe("secret-found");
    expect(sessions.all).toEqual([]);
    expect(new Set(seen.map(({ where }) => where))).toEqual(new Set(["goal", "member-name"]));
  });

  it("TUNNEL_UNATTENDED opens no gate before a secret", async () => {
    const { scanner } = filter();
    const { host } = await pair(side({ unattended: true }, scanner), side());
    expect(await host.say({ text: "hunter2" })).toMatchObject({ status: "held" });
  });

  it("a person's own words are searched as well, and wait for nobody's mode", async () => {
    const { scanner } = filter();
    const ana = side({ gates: ["hold-out"] }, scanner);
    const { host, guest } = await pair(ana, side());
    expect(await host.say({ text: "typed", author: "human" })).toMatchObject({ status: "sent" });
    expect(await host.say({ text: "hunter2", author: "human" })).toMatchObject({
      why: { gates: ["secret"] },
    });
    await until("one has come", () => guest.inbox.unread === 1);
  });

  it("what is held when the tunnel ends is withdrawn, and nothing of it leaves", async () => {
    const ana = side({ gates: ["hold-out"] });
    const { host, guest } = await pair(ana, side());
    await host.say({ text: "never" });
    await host.close();
    expect(ana.overseer.asks.waiting).toEqual([]);
    expect(ana.overseer.asks.find(1)?.now).toMatchObject({ state: "withdrawn", cause: "ended" });
    await until("it is over", () => guest.end !== undefined);
    expect([...guest.inbox.said()]).toEqual([]);
  });
});

describe("budgets and loops (H24)", () => {
  it("hold this side's agent at the limit, tell the peer, and let it go on by its person alone", async () => {
    const budgets = { ...DEFAULT_LIMITS, messages: 4 };
    const ana = side({ budgets });
    const { host, guest } = await pair(ana, side());
    for (const text of ["one", "two", "three", "four"])
      expect(await host.say({ text })).toMatchObject({ status: "sent" });
    expect(await host.say({ text: "five" })).toMatchObject({ status: "held", why: { gates: ["budget"] } });
    const told = () => guest.presence().find(({ isHost }) => isHost)?.oversight;
    await until("the peer sees it", () => told()?.state === "held");
    expect(told()?.budgets?.messages).toEqual({ used: 4, limit: 4 });
    await guest.say({ text: "I am a person, go on", author: "human" });
    expect(ana.overseer.asks.waiting).toHaveLength(1);
    host.oversight.goOn(WATCH);
    await until("it has left", () =>
      [...guest.inbox.said()].some((one) => one.kind === "chat" && one.text === "five"),
    );
    await until("the peer sees that", () => told()?.state === "free");
    const notices = host.inbox
      .take("look", 50)
      .entries.flatMap(({ entry }) => (entry.kind === "notice" ? [entry.notice] : []));
    expect(notices).toEqual(["budget-warning", "decided"]);
  });

  it("stop two agents that thank each other, on the side that has a guard", async () => {
    const ana = side({ budgets: DEFAULT_LIMITS });
    const { host, guest } = await pair(ana, side());
    let said = 0;
    for (; said < 40; said += 1) {
      if ((await host.say({ text: "Thank you, I am waiting for you." })).status === "held") break;
      await guest.say({ text: "You are welcome, I am waiting for you." });
    }
    expect(said).toBeGreaterThan(3);
    expect(said).toBeLessThan(20);
    expect(host.oversight.stopped).toMatchObject({ reason: "loop" });
  });
});

describe("a new member", () => {
  it("[I9] waits where a person wants to be asked, and comes in with the same link once they say so", async () => {
    const ana = side({ gates: ["new-member"] });
    const { hosting, invites } = await ana.host(hostRequest());
    const joining = side().join(joinRequest(invites[0]?.joinLink));
    await until("the person is asked", () => ana.overseer.asks.waiting.length === 1);
    expect(ana.overseer.asks.waiting[0]?.subject).toMatchObject({ kind: "member", name: "ben" });
    expect(hosting.presence()).toHaveLength(1);
    decide(ana, "approve");
    expect((await joining).presence()).toHaveLength(2);
  });

  it("stays out with a link that is void when it is refused", async () => {
    const ana = side({ gates: ["new-member"] });
    const { hosting, invites } = await ana.host(hostRequest());
    const joining = rejectedWith(side().join(joinRequest(invites[0]?.joinLink)));
    await until("the person is asked", () => ana.overseer.asks.waiting.length === 1);
    decide(ana, "refuse");
    expect(await joining).toBe("invite-refused");
    expect(hosting.pendingInvites()).toEqual([]);
  });
});
