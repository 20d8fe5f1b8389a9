import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ACTIONS, MAX_WAIT_MS, peekSchema, type Peek } from "../../src/control/actions.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { hostRequest, joinRequest, sessionsOn } from "../session/support.ts";
import { until } from "../support/processes.ts";

let ana: Sessions;
let ben: Sessions;
beforeEach(() => {
  ana = sessionsOn(systemClock);
  ben = sessionsOn(systemClock);
});
afterEach(async () => {
  await Promise.all([ana.shutDown(), ben.shutDown()]);
});

/** Two that talk, with nothing unread at the guest. */
async function paired() {
  const { hosting, invites } = await ana.host(hostRequest());
  const joined = await ben.join(joinRequest(invites[0]?.joinLink));
  return { hosting, joined };
}

async function act(
  action: string,
  input: object,
  sessions = ben,
  signal = new AbortController().signal,
): Promise<Peek> {
  return peekSchema.parse(
    await ACTIONS[action]?.run(input, { sessions, exposed: () => undefined, clock: systemClock, signal }),
  );
}

const looks = (unread: number, status = "open") => ({
  tunnels: [expect.objectContaining({ unread, status })],
});

describe("peek", () => {
  it("counts what is unread, reads nothing, and tells the sender of no reading", async () => {
    const { hosting, joined } = await paired();
    await hosting.say({ text: "one" });
    await until("it has come", () => joined.inbox.unread === 1);
    for (let times = 0; times < 3; times += 1) expect(await act("peek", {})).toEqual(looks(1));
    ben.callArrived();
    expect(joined.inbox.read).toBe(joined.inbox.lastSeq - 1);
    const batch = joined.inbox.take("call", 10);
    expect(batch.entries).toMatchObject([{ entry: { text: "one" }, redelivered: false }]);
    expect(await act("peek", {})).toEqual(looks(0));
  });

  it("shows ids and numbers only: no text, goal, name or link", async () => {
    const { hosting, invites } = await ana.host(hostRequest("a goal"));
    const joined = await ben.join(joinRequest(invites[0]?.joinLink));
    await hosting.say({ text: "some text" });
    await until("it has come", () => joined.inbox.unread === 1);
    const [shown] = (await act("peek", {})).tunnels;
    expect(shown).toEqual({ id: joined.tunnelId, status: "open", unread: 1, arrived: 1 });
  });
});

describe("wait", () => {
  it("answers at once when something is unread, and else when something comes", async () => {
    const { hosting, joined } = await paired();
    const waiting = act("wait", { timeoutMs: MAX_WAIT_MS });
    await hosting.say({ text: "one" });
    expect(await waiting).toEqual(looks(1));
    expect(await act("wait", { timeoutMs: MAX_WAIT_MS })).toEqual(looks(1));
    expect(joined.inbox.take("call", 10).entries).toHaveLength(1);
  });

  it("leaves what a waiting tunnel_listen takes to it", async () => {
    const { hosting, joined } = await paired();
    const gone = new AbortController();
    let answered = false;
    const waiting = act("wait", { timeoutMs: MAX_WAIT_MS }, ben, gone.signal).finally(
      () => (answered = true),
    );
    const listening = (async () => {
      await joined.inbox.wait(60_000, gone.signal);
      // A call may have some steps to go before it takes what woke it.
      for (let steps = 0; steps < 10; steps += 1) await Promise.resolve();
      return joined.inbox.take("call", 10);
    })();
    await hosting.say({ text: "one" });
    expect((await listening).entries).toHaveLength(1);
    // It has looked by now: after everything that had arrived already.
    for (let turns = 0; turns < 5; turns += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(answered).toBe(false);
    // The client gives that call up: what it took is unread again, and worth telling.
    joined.inbox.cancelled("call");
    expect(await waiting).toEqual(looks(1));
  });

  it("answers when the tunnel is over, when the time is up, and when nobody asks any more", async () => {
    const { hosting } = await paired();
    expect(await act("wait", { timeoutMs: 0 })).toEqual(looks(0));
    const gone = new AbortController();
    const given = act("wait", { timeoutMs: MAX_WAIT_MS }, ben, gone.signal);
    gone.abort();
    expect(await given).toEqual(looks(0));
    const waiting = act("wait", { timeoutMs: MAX_WAIT_MS });
    await hosting.close();
    // The end is an entry of the conversation like others.
    expect(await waiting).toEqual(looks(1, "closed"));
    expect(await act("wait", { timeoutMs: MAX_WAIT_MS }, ana)).toMatchObject({
      tunnels: [{ status: "closed-here" }],
    });
  });

  it("with what is known answers only for more than that", async () => {
    const { hosting, joined } = await paired();
    await hosting.say({ text: "one" });
    await until("it has come", () => joined.inbox.unread === 1);
    const id = joined.tunnelId;
    const known = { [id]: joined.inbox.arrived };
    expect(await act("wait", { seen: {}, timeoutMs: MAX_WAIT_MS })).toEqual(looks(1));
    const waiting = act("wait", { seen: known, timeoutMs: MAX_WAIT_MS });
    await hosting.say({ text: "two" });
    expect(await waiting).toEqual(looks(2));
  });

  it("with what is known goes on when the agent has ended its tunnel itself, and hears of a new one", async () => {
    const { hosting, invites } = await ana.host(hostRequest());
    await hosting.close();
    const waiting = act("wait", { seen: {}, timeoutMs: MAX_WAIT_MS }, ana);
    expect(invites).toHaveLength(1);
    const second = await ana.host(hostRequest());
    await ben.join(joinRequest(second.invites[0]?.joinLink));
    expect((await waiting).tunnels).toMatchObject([{ status: "closed-here" }, { status: "open", unread: 1 }]);
  });
});

describe("transcript", () => {
  const ask = async (input: object, sessions = ben): Promise<string> => {
    const signal = new AbortController().signal;
    return JSON.stringify(
      await ACTIONS["transcript"]?.run(input, {
        sessions,
        exposed: () => undefined,
        clock: systemClock,
        signal,
      }),
    );
  };

  it("gives what the agent could save, without a link, and reads nothing", async () => {
    const { hosting, joined } = await paired();
    const [fresh] = hosting.invite(1);
    await hosting.say({ text: `come by ${fresh?.joinLink ?? ""}` });
    await until("it has come", () => joined.inbox.unread === 1);
    const given = await ask({});
    expect(given).toContain("come by [tunnel link removed]");
    expect(given).not.toContain("#1.");
    expect(joined.inbox.unread).toBe(1);
    expect(await ask({ tunnelId: joined.tunnelId })).toContain("come by");
  });

  it("is refused for a tunnel that is not there, and for anything but an id", async () => {
    await paired();
    await expect(ask({ tunnelId: "none" })).rejects.toMatchObject({ code: "tunnel-unknown" });
    await expect(ask({ path: "/etc/passwd" })).rejects.toMatchObject({ code: "input-invalid" });
  });
});
