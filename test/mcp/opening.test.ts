import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import type { Payload } from "../../src/mcp/results/result.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import type { TunnelOpener, TunnelProgress } from "../../src/tunnel/provider.ts";
import { createDirectOpener } from "../../src/tunnel/direct.ts";
import { sessionsOn } from "../session/support.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import { until } from "../support/processes.ts";
import { clientOf } from "./room.ts";

const direct = createDirectOpener({ bind: "127.0.0.1" });

/** A provider that takes its time: a test says when and how each opening ends. */
class SlowProvider {
  asked = 0;
  cancelled = 0;
  #end: ((error?: TunnelError) => void) | undefined;
  #report: (progress: TunnelProgress) => void = () => undefined;

  readonly open: TunnelOpener = async (request) => {
    this.asked += 1;
    this.#report = request.onProgress ?? this.#report;
    await new Promise<void>((resolve, reject) => {
      this.#end = (error) => (error === undefined ? resolve() : reject(error));
      request.signal.addEventListener("abort", () => {
        this.cancelled += 1;
        reject(new TunnelError("cancelled"));
      });
    });
    return direct(request);
  };

  report(message: string): void {
    this.#report({ message });
  }

  async end(error?: TunnelError): Promise<void> {
    await until("an opening to end", () => this.#end !== undefined);
    this.#end?.(error);
    this.#end = undefined;
  }
}

let clock: FakeClock;
let provider: SlowProvider;
let ana: Sessions;
let call: (tool: string, args?: object) => Promise<Payload>;
beforeEach(async () => {
  clock = new FakeClock();
  provider = new SlowProvider();
  ana = sessionsOn(clock, {}, { direct: provider.open });
  call = await clientOf(ana, clock);
});
afterEach(() => ana.shutDown());

/** Lets the time of a call pass, and gives its answer. */
async function after(ms: number, answer: Promise<Payload>): Promise<Payload> {
  let isAnswered = false;
  const watched = answer.finally(() => (isAnswered = true));
  await until("the provider was asked", () => provider.asked > 0);
  await clock.advance(ms - 1);
  expect(isAnswered).toBe(false);
  await clock.advance(1);
  return watched;
}

/** Answered `opening` within the time that clients give a call. */
async function opening(): Promise<string> {
  const answer = call("tunnel_open", { goal: "g", name: "ana" });
  await until("the provider was asked", () => provider.asked > 0);
  provider.report("fetching cloudflared");
  const told = await after(45_000, answer);
  expect(told).toMatchObject({ status: "opening", progress: "fetching cloudflared", unread: 0 });
  expect(told["next"]).toMatch(/tunnel_listen with this tunnelId/);
  return String(told["tunnelId"]);
}

describe("a tunnel that takes longer to open than a call may", () => {
  it("goes on after the call, and tunnel_listen brings what tunnel_open would have", async () => {
    const tunnelId = await opening();
    expect(await after(50_000, call("tunnel_listen", { tunnelId }))).toMatchObject({
      tunnelId,
      status: "opening",
    });
    expect(await call("tunnel_status")).toMatchObject({ tunnelId, status: "opening" });
    const listening = call("tunnel_listen");
    await provider.end();
    const opened = await listening;
    expect(opened).toMatchObject({
      tunnelId,
      status: "waiting_for_members",
      goal: "g",
      self: { name: "ana" },
      joinLink: expect.stringMatching(/^ws:.*#1\./),
      joinLinkExpiresInSec: 600,
    });
    expect(Object.keys(opened).toSorted()).toEqual([
      "goal",
      "history",
      "idleEndsInSec",
      "invite",
      "invites",
      "joinLink",
      "joinLinkExpiresInSec",
      "next",
      "self",
      "status",
      "transport",
      "tunnelId",
      "unread",
    ]);
    // It is told once: then it is a tunnel like others.
    expect(await call("tunnel_status")).not.toHaveProperty("joinLink");
    expect(provider.asked).toBe(1);
  });

  it("tells why it failed, once, by tunnel_status as by tunnel_listen", async () => {
    for (const tool of ["tunnel_status", "tunnel_listen"]) {
      provider.asked = 0;
      const tunnelId = await opening();
      await provider.end(new TunnelError("cloudflared-blocked"));
      await until("it has failed", () => ana.openings.find(tunnelId)?.state.name === "failed");
      expect(await call(tool, { tunnelId })).toMatchObject({ error: { code: "cloudflared-blocked" } });
      expect(await call(tool, { tunnelId })).toMatchObject({ error: { code: "tunnel-unknown" } });
    }
    expect(await call("tunnel_status")).toMatchObject({ status: "idle" });
  });

  it("gives links that work, however late they are asked for", async () => {
    const tunnelId = await opening();
    await provider.end();
    await until("it is open", () => ana.open.length === 1);
    await clock.advance(9 * 60_000);
    expect(await call("tunnel_status", { tunnelId })).toMatchObject({ joinLinkExpiresInSec: 60 });

    provider.asked = 0;
    const other = await opening();
    await provider.end();
    await until("it is open", () => ana.open.length === 2);
    await clock.advance(11 * 60_000);
    expect(await call("tunnel_listen", { tunnelId: other })).toMatchObject({ joinLinkExpiresInSec: 600 });
  });

  it("is told as ended when it has ended before anybody asked", async () => {
    const tunnelId = await opening();
    await provider.end();
    await until("it is open", () => ana.open.length === 1);
    await ana.open[0]?.close();
    const told = await call("tunnel_status", { tunnelId });
    expect(told).toMatchObject({ status: "closed", ended: { cause: "closed-here" } });
    expect(told).not.toHaveProperty("joinLink");
  });

  it("is ended by tunnel_close, with nothing left", async () => {
    const tunnelId = await opening();
    expect(await call("tunnel_close", { tunnelId })).toMatchObject({ tunnelId, status: "closed" });
    expect([provider.cancelled, ana.all, ana.openings.untold]).toEqual([1, [], []]);
    provider.asked = 0;
    await opening();
    await provider.end();
    await until("it is open", () => ana.open.length === 1);
    expect(await call("tunnel_close")).toMatchObject({ status: "closed", ended: { cause: "closed-here" } });
  });

  it("is ended with the server", async () => {
    await opening();
    await ana.shutDown();
    expect([provider.cancelled, ana.all, clock.waiting]).toEqual([1, [], 0]);
  });

  it("stands beside others, which calls without an id mean as before", async () => {
    const quick = call("tunnel_open", { goal: "quick" });
    await provider.end();
    const { tunnelId: open } = await quick;
    provider.asked = 0;
    const tunnelId = await opening();
    expect(await call("tunnel_status")).toMatchObject({ tunnelId: open, opening: [tunnelId] });
    expect(await call("tunnel_status", { tunnelId })).toMatchObject({ tunnelId, status: "opening" });
  });

  it("is nobody else's business while its own call waits", async () => {
    const answer = call("tunnel_open", { goal: "g" });
    await until("the provider was asked", () => provider.asked > 0);
    expect(await call("tunnel_status")).toMatchObject({ status: "idle" });
    await provider.end();
    expect(await answer).toMatchObject({ status: "waiting_for_members" });
  });

  it("that fails at once says so in the answer of the call itself", async () => {
    const answer = call("tunnel_open", { goal: "g" });
    await provider.end(new TunnelError("goal-invalid"));
    expect(await answer).toMatchObject({ error: { code: "goal-invalid" } });
    expect(ana.openings.untold).toEqual([]);
  });
});
