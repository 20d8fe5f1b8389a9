import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import type { Call } from "../../src/bridge/backend.ts";
import { BRIDGE_LIMITS } from "../../src/bridge/protocol/limits.ts";
import { StdioBackend } from "../../src/bridge/stdio/stdio-backend.ts";
import type { StartServer } from "../../src/bridge/stdio/stdio-server.ts";
import type { Exit } from "../../src/children/child.ts";
import { FakeClock, settle } from "../support/fake-tunnel-clock.ts";

/** A server in memory: it answers what `answers` says, and nothing to others. */
function memory(): {
  start: StartServer;
  running: () => number;
  started: () => number;
  say: (words: object) => void;
  asked: string[];
  die: () => void;
} {
  let running = 0;
  let started = 0;
  const asked: string[] = [];
  let last: { say: (words: object) => void; die: () => void } | undefined;
  const start: StartServer = ({ stdin, stdout }) => {
    running += 1;
    started += 1;
    let exit: Exit | undefined;
    let settleExit = (_exit: Exit): void => undefined;
    const exited = new Promise<Exit>((resolve) => (settleExit = resolve));
    const end = (how: Exit): void => {
      if (exit !== undefined) return;
      exit = how;
      running -= 1;
      settleExit(how);
    };
    const say = (words: object): void => stdout?.read(`${JSON.stringify({ jsonrpc: "2.0", ...words })}\n`);
    last = { say, die: () => end({ code: 1 }) };
    let heard = "";
    (stdin as PassThrough).on("data", (chunk: Buffer) => {
      heard += String(chunk);
      for (let at = heard.indexOf("\n"); at >= 0; at = heard.indexOf("\n")) {
        const { id, method } = JSON.parse(heard.slice(0, at)) as { id?: number; method: string };
        heard = heard.slice(at + 1);
        asked.push(method);
        if (method === "initialize")
          say({
            id,
            result: {
              protocolVersion: "2025-11-25",
              capabilities: {},
              serverInfo: { name: "m", version: "1" },
            },
          });
        if (method === "tools/list") say({ id, result: { tools: [] } });
      }
    });
    (stdin as PassThrough).once("end", () => end({ code: 0 }));
    return {
      exited,
      exit: () => exit,
      stop: () => {
        end({ signal: "SIGTERM" });
        return Promise.resolve();
      },
    };
  };
  return {
    start,
    running: () => running,
    started: () => started,
    asked,
    say: (words) => last?.say(words),
    die: () => last?.die(),
  };
}

const never = new AbortController().signal;
const call = (method: string, session?: string, more: Partial<Call> = {}): Call => ({
  era: "legacy",
  method,
  params: {},
  session,
  fields: {},
  onProgress: undefined,
  signal: never,
  ...more,
});

function scene(copies: "shared" | "session" = "shared") {
  const clock = new FakeClock();
  const server = memory();
  let sessions = 0;
  const backend = new StdioBackend({
    clock,
    start: server.start,
    copies,
    newSession: () => `s${(sessions += 1)}`,
  });
  return { clock, server, backend };
}

describe("one server for all", () => {
  it("is started with the first call, ended when nobody has called it for long enough, and started anew", async () => {
    const { clock, server, backend } = scene();
    expect(server.started()).toBe(0);
    await backend.call(call("tools/list"));
    await clock.advance(BRIDGE_LIMITS.idleMs - 1_000);
    await backend.call(call("tools/list"));
    await clock.advance(BRIDGE_LIMITS.idleMs - 1_000);
    expect(server.running()).toBe(1);
    await clock.advance(2_000);
    expect(server.running()).toBe(0);
    await backend.call(call("tools/list"));
    expect([server.running(), server.started()]).toEqual([1, 2]);
    await backend.close();
    expect([server.running(), clock.waiting]).toEqual([0, 0]);
  });

  it("is not idle while a call waits, which is given up in its own time and cancelled", async () => {
    const { clock, server, backend } = scene();
    const waiting = backend.call(call("tools/call"));
    waiting.catch(() => undefined);
    await clock.advance(BRIDGE_LIMITS.callIdleMs - 1);
    expect(server.running()).toBe(1);
    await clock.advance(1);
    await expect(waiting).rejects.toThrow("has not answered in time");
    expect(server.asked).toContain("notifications/cancelled");
    await backend.close();
  });

  it("goes on with a call whose progress comes, but not for ever", async () => {
    const { clock, server, backend } = scene();
    const notes: unknown[] = [];
    const onProgress = (note: unknown): void => void notes.push(note);
    const waiting = backend.call(call("tools/call", undefined, { onProgress }));
    waiting.catch(() => undefined);
    await settle();
    let isOver = false;
    waiting.catch(() => (isOver = true));
    const step = BRIDGE_LIMITS.callIdleMs / 2;
    for (let at = 0; at * step < BRIDGE_LIMITS.callMs - step; at += 1) {
      server.say({ method: "notifications/progress", params: { progressToken: 2, progress: at } });
      await clock.advance(step);
      expect(isOver).toBe(false);
    }
    server.say({ method: "notifications/progress", params: { progressToken: 2, progress: 99 } });
    await clock.advance(step + 1);
    expect(isOver).toBe(true);
    expect(notes.length).toBeGreaterThan(5);
    await backend.close();
  });

  it("is replaced after its life; calls that wait keep the old one until they are over", async () => {
    const { clock, server, backend } = scene();
    const day = BRIDGE_LIMITS.lifeMs;
    for (let at = 0; at < day; at += BRIDGE_LIMITS.idleMs / 2) {
      await backend.call(call("tools/list"));
      await clock.advance(BRIDGE_LIMITS.idleMs / 2);
    }
    expect(server.started()).toBe(1);
    await backend.call(call("tools/list"));
    await clock.advance(BRIDGE_LIMITS.keepAliveMs);
    expect([server.started(), server.running()]).toEqual([2, 1]);
    await backend.close();
    expect(clock.waiting).toBe(0);
  });

  it("that keeps ending is not started without end, and again later", async () => {
    const { clock, server, backend } = scene();
    for (let at = 0; at < BRIDGE_LIMITS.starts; at += 1) {
      await backend.call(call("tools/list"));
      server.die();
      await settle();
    }
    await expect(backend.call(call("tools/list"))).rejects.toMatchObject({ status: 503 });
    expect(server.started()).toBe(BRIDGE_LIMITS.starts);
    await clock.advance(BRIDGE_LIMITS.startsMs);
    await backend.call(call("tools/list"));
    await backend.close();
  });

  it("is not started any more once all is closed", async () => {
    const { server, backend } = scene();
    await backend.close();
    await expect(backend.call(call("tools/list"))).rejects.toMatchObject({ status: 503 });
    expect(server.started()).toBe(0);
  });
});

describe("one server for each session", () => {
  it("begins with initialize, and is told apart by the session's name alone", async () => {
    const { server, backend } = scene("session");
    await expect(backend.call(call("tools/list"))).rejects.toMatchObject({ status: 400 });
    await expect(backend.call(call("tools/list", "s1"))).rejects.toMatchObject({ status: 404 });
    await expect(backend.call(call("tools/list", ""))).rejects.toMatchObject({ status: 404 });
    const first = await backend.call(call("initialize"));
    const second = await backend.call(call("initialize", "s1"));
    expect([first.session, second.session]).toEqual(["s1", "s2"]);
    expect(server.running()).toBe(2);
    expect((await backend.call(call("tools/list", "s1"))).session).toBeUndefined();
    expect([backend.endSession("s1"), backend.endSession("s1"), backend.endSession("")]).toEqual([
      true,
      false,
      false,
    ]);
    await settle();
    await expect(backend.call(call("tools/list", "s1"))).rejects.toMatchObject({ status: 404 });
    await backend.call(call("tools/list", "s2"));
    await backend.close();
    expect(server.running()).toBe(0);
  });

  it("is bounded in number, and ends when it is idle: its client begins anew", async () => {
    const { clock, server, backend } = scene("session");
    for (let at = 0; at < BRIDGE_LIMITS.sessions; at += 1) await backend.call(call("initialize"));
    await expect(backend.call(call("initialize"))).rejects.toMatchObject({ status: 503 });
    expect(server.running()).toBe(BRIDGE_LIMITS.sessions);
    await clock.advance(BRIDGE_LIMITS.idleMs);
    expect(server.running()).toBe(0);
    await expect(backend.call(call("tools/list", "s1"))).rejects.toMatchObject({ status: 404 });
    await backend.call(call("initialize"));
    await backend.close();
  });

  it("is shared by clients of 2026-07-28, which have no sessions", async () => {
    const { server, backend } = scene("session");
    await backend.call(call("tools/list", "stolen", { era: "modern" }));
    await backend.call(call("tools/list", undefined, { era: "modern" }));
    expect(server.running()).toBe(1);
    await backend.close();
  });
});
