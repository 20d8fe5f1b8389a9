import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { httpsClient } from "../../../src/net/https.ts";
import { createExecOpener, type ExecOptions } from "../../../src/tunnel/exec/exec.ts";
import type { Answer } from "../../../src/tunnel/exec/ours.ts";
import type { Tunnel, TunnelOpener } from "../../../src/tunnel/provider.ts";
import { FakeClock, settle } from "../../support/fake-tunnel-clock.ts";
import { completeLines } from "../../support/lines.ts";
import { gone, isRunning, until } from "../../support/processes.ts";
import { NO_PROOF } from "../../support/tunnels/scripted-provider.ts";

const FAKE = fileURLToPath(new URL("../../support/tunnels/fake-tunnel-command.mjs", import.meta.url));
const startSchema = z.object({
  pid: z.number(),
  args: z.array(z.string()),
  env: z.array(z.string()).optional(),
  cwd: z.string().optional(),
});
const never = new AbortController().signal;

let root = "";
let opened: Tunnel[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tunnel-exec-test-"));
  opened = [];
});
afterEach(async () => {
  await Promise.all(opened.map((tunnel) => tunnel.stop()));
  rmSync(root, { recursive: true, force: true });
});

const starts = (): z.infer<typeof startSchema>[] =>
  completeLines(join(root, "state")).map((line) => startSchema.parse(JSON.parse(line)));
const nothingRuns = (): Promise<unknown> => Promise.all(starts().map(({ pid }) => gone(pid)));

/** An opener for the fake command, whose URLs answer as the test says; `asked` is what was asked. */
function commanding(mode: readonly string[], changed: Partial<ExecOptions> = {}) {
  const clock = new FakeClock();
  const asked: string[] = [];
  const answers = new Map<string, Answer>();
  const state = { answer: "ours" as Answer };
  const open = createExecOpener({
    command: [process.execPath, FAKE, ...mode],
    commandUrl: undefined,
    doh: false,
    skipReachabilityCheck: false,
    env: { ...process.env, FAKE_STATE: join(root, "state") },
    cwd: root,
    clock,
    client: httpsClient,
    ask: (url) => {
      asked.push(url.origin);
      return Promise.resolve(answers.get(url.origin) ?? state.answer);
    },
    ...changed,
  });
  return { clock, asked, answers, state, open };
}

/** Opens with the time running by steps of half a second, since a process has a time of its own. */
async function opening(
  { open, clock }: { open: TunnelOpener; clock: FakeClock },
  { port = 4321, signal = never, messages = [] as string[], stepMs = 100 } = {},
): Promise<Tunnel> {
  let done = false;
  const onProgress = ({ message }: { message: string }): void => void messages.push(message);
  const settled = open({ port, proof: NO_PROOF, signal, onProgress }).finally(() => (done = true));
  settled.catch(() => undefined);
  await until("it is open or has failed", async () => {
    if (!done) await clock.advance(stepMs);
    return done;
  });
  const tunnel = await settled;
  opened.push(tunnel);
  return tunnel;
}

describe("a command is opened", () => {
  it.each([
    ["on standard output", ["print", "hello", "https://a.example"]],
    ["on standard error", ["complain", "your url: https://a.example/."]],
    ["byte by byte, on a line that never ends", ["slowly", "\u001b[1mhttps://a.example\u001b[0m"]],
    ["after an endless line", ["flood", "https://a.example"]],
    ["by another process behind a wrapper", ["wrapper", "https://a.example"]],
  ])("when its URL comes %s", async (_, mode) => {
    const tunnel = await opening(commanding(mode));
    expect(tunnel.url).toBe("wss://a.example");
    expect(tunnel.health()).toEqual({ state: "up" });
    await tunnel.stop();
    await nothingRuns();
  });

  it("with the port in every argument, without a shell, and says what it does", async () => {
    const messages: string[] = [];
    const made = commanding([
      "print",
      "{port}",
      "--to=127.0.0.1:{port},{port}",
      "$HOME; `id` | x",
      "https://a.example",
    ]);
    const tunnel = await opening(made, { port: 4567, messages });
    expect(starts()[0]?.args).toEqual([
      "4567",
      "--to=127.0.0.1:4567,4567",
      "$HOME; `id` | x",
      "https://a.example",
    ]);
    expect(messages).toEqual([
      "starting the tunnel command",
      "got a public address, waiting until it leads here",
    ]);
    expect(tunnel.description).not.toContain("example");
    await tunnel.stop();
    await tunnel.stop();
    expect(made.clock.waiting).toBe(0);
  });

  it("with the human's environment and folder, but without this program's settings", async () => {
    const env = { ...process.env, FAKE_STATE: join(root, "state"), NGROK_AUTHTOKEN: "x", TUNNEL_TOKEN: "x" };
    const made = commanding(["environment"], { env: { ...env, tunnel_command: "x" }, cwd: root });
    const abort = new AbortController();
    const failing = opening(made, { signal: abort.signal });
    failing.catch(() => undefined);
    await until("it has started", () => starts().length === 1);
    const [start] = starts();
    expect(start?.env).toContain("NGROK_AUTHTOKEN");
    expect(start?.env).toContain("PATH");
    expect(start?.env?.filter((name) => /^tunnel_/i.test(name))).toEqual([]);
    expect(start?.cwd).toBe(realpathSync(root));
    abort.abort();
    await expect(failing).rejects.toMatchObject({ code: "cancelled" });
  });

  it("once its URL leads here, which it is asked for every two seconds", async () => {
    const made = commanding(["print", "https://a.example"]);
    made.state.answer = "none";
    const settled = opening(made);
    await until("it was asked", () => made.asked.length === 3);
    made.state.answer = "other";
    await until("it was asked again", () => made.asked.length === 5);
    made.state.answer = "ours";
    expect((await settled).url).toBe("wss://a.example");
  });

  it("without being asked where the human has switched that off", async () => {
    const made = commanding(["print", "https://a.example"], { skipReachabilityCheck: true });
    const tunnel = await opening(made);
    await made.clock.advance(120_000);
    expect([tunnel.health(), made.asked]).toEqual([{ state: "up" }, []]);
  });

  it("on the loopback address without TLS", async () => {
    const made = commanding(["print", "at http://localhost:4000/"], { commandUrl: /http:\S+/ });
    expect((await opening(made)).url).toBe("ws://localhost:4000");
  });
});

describe("a command fails with a code of its own, and nothing is left running", () => {
  it.each([
    ["exec-no-url", "no URL", ["silent"], { detail: "within 60 s" }],
    ["exec-no-url", "garbage", ["print", "\u0001\u001b]8;;\u001b[", "https://", "http://a.example"], {}],
    ["exec-exited", "its end", ["exit", "3", "your authtoken abc is wrong"], { detail: "exit code 3" }],
    ["exec-exited", "its end in peace", ["exit", "0", "done"], { detail: "exit code 0" }],
  ])("%s for %s", async (code, _, mode, more) => {
    const made = commanding(mode);
    // The time must not outrun the start of a process.
    const stepMs = code === "exec-no-url" ? 500 : 100;
    await expect(opening(made, { stepMs })).rejects.toMatchObject({ code, ...more });
    await nothingRuns();
    expect(made.clock.waiting).toBe(0);
  });

  it.each<[string, Answer]>([
    ["exec-unreachable", "none"],
    ["exec-not-ours", "other"],
  ])("%s when its URL answers with %s for too long", async (code, answer) => {
    const made = commanding(["print", "https://a.example"]);
    made.state.answer = answer;
    await expect(opening(made, { stepMs: 500 })).rejects.toMatchObject({ code });
    expect(made.asked.length).toBeGreaterThan(30);
    await nothingRuns();
  });

  it("exec-insecure-url for an address without TLS, which is not asked", async () => {
    const made = commanding(["print", "http://192.0.2.1:80"], { commandUrl: /http:\S+/ });
    await expect(opening(made)).rejects.toMatchObject({ code: "exec-insecure-url" });
    expect(made.asked).toEqual([]);
    await nothingRuns();
  });

  it.each([
    ["exec-no-command", undefined],
    ["exec-no-command", []],
    ["exec-missing", ["no-such-program-anywhere", "{port}"]],
    ["exec-missing", [join("/", "nonexistent", "program")]],
    ["exec-missing", [process.execPath, "a\u0000b"]],
  ])("%s for the command %j", async (code, command) => {
    const made = commanding([], { command });
    await expect(opening(made)).rejects.toMatchObject({ code });
    expect(made.clock.waiting).toBe(0);
  });

  it("no error repeats what a command has printed, for that may hold a token", async () => {
    const failure: unknown = await opening(commanding(["exit", "1", "authtoken 2abcDEF"])).catch(
      (error: unknown) => error,
    );
    expect(`${String(failure)} ${JSON.stringify(failure)}`).not.toContain("2abcDEF");
  });

  it("cancelled, while it waits for the URL or for the address", async () => {
    for (const mode of [["silent"], ["print", "https://a.example"]]) {
      const abort = new AbortController();
      const waiting = commanding(mode, {
        ask: (_, __, signal) =>
          new Promise((resolve) => signal.addEventListener("abort", () => resolve("none"), { once: true })),
      });
      const before = starts().length;
      const settled = opening(waiting, { signal: abort.signal });
      settled.catch(() => undefined);
      await until("it runs", () => starts().length === before + 1);
      await settle();
      abort.abort();
      await expect(settled).rejects.toMatchObject({ code: "cancelled" });
    }
    await nothingRuns();
    const none = commanding(["silent"]);
    await expect(opening(none, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "cancelled" });
  });

  it("its end, while the address is being asked", async () => {
    const made = commanding(["print", "https://a.example"], {
      ask: (_, __, signal) => {
        process.kill(starts()[0]?.pid ?? 0, "SIGKILL");
        return new Promise((resolve) =>
          signal.addEventListener("abort", () => resolve("none"), { once: true }),
        );
      },
    });
    await expect(opening(made)).rejects.toMatchObject({ code: "exec-exited" });
  });
});

describe("a command that runs", () => {
  it("is asked every half minute, and every five seconds while it does not answer", async () => {
    const made = commanding(["print", "https://a.example"]);
    const tunnel = await opening(made);
    made.asked.length = 0;
    await made.clock.advance(60_000);
    expect(made.asked).toHaveLength(2);
    made.state.answer = "none";
    await made.clock.advance(30_000);
    const sinceMs = made.clock.now();
    await made.clock.advance(10_000);
    expect(tunnel.health()).toEqual({ state: "degraded", reason: "the address does not answer", sinceMs });
    expect(made.asked).toHaveLength(5);
    made.state.answer = "other";
    await made.clock.advance(5_000);
    expect(tunnel.health()).toMatchObject({ reason: "the address leads somewhere else", sinceMs });
    made.state.answer = "ours";
    await made.clock.advance(5_000);
    expect(tunnel.health()).toEqual({ state: "up" });
  });

  it("is down when it ends, and says so once", async () => {
    const tunnel = await opening(commanding(["print", "https://a.example"]));
    const seen: string[] = [];
    tunnel.onDown(({ code }) => seen.push(code));
    process.kill(starts()[0]?.pid ?? 0, "SIGKILL");
    await until("down", () => tunnel.health().state === "down");
    await tunnel.stop();
    expect(seen).toEqual(["exec-exited"]);
  });

  it.skipIf(process.platform === "win32")(
    "is killed with all that it has started when it ignores SIGTERM, where there is that signal",
    async () => {
      const made = commanding(["wrapper", "https://a.example"]);
      const tunnel = await opening(made);
      expect(starts()).toHaveLength(2);
      const stopping = tunnel.stop();
      await made.clock.advance(2_000);
      await stopping;
      await nothingRuns();
    },
  );

  it.skipIf(process.platform === "win32")(
    "does not leave behind what it has started when it ends, where processes have groups",
    async () => {
      const tunnel = await opening(commanding(["wrapper", "https://a.example"]));
      const [wrapper, inner] = starts();
      process.kill(wrapper?.pid ?? 0, "SIGKILL");
      await until("down", () => tunnel.health().state === "down");
      await gone(inner?.pid ?? 0);
    },
  );

  it("is down when another URL that it printed leads here and the first one does not", async () => {
    // One write, so that both lines have come when it is open.
    const made = commanding(["print", "https://a.example\nsee https://b.example"]);
    const tunnel = await opening(made);
    await made.clock.advance(60_000);
    // A URL in a log is not asked while the first one works.
    expect(made.asked).not.toContain("https://b.example");
    made.answers.set("https://a.example", "none");
    made.answers.set("https://b.example", "other");
    await made.clock.advance(30_000);
    expect(tunnel.health()).toMatchObject({ state: "degraded" });
    made.answers.set("https://b.example", "ours");
    await made.clock.advance(5_000);
    expect(tunnel.health()).toMatchObject({ state: "down", error: { code: "exec-moved" } });
    expect(isRunning(starts()[0]?.pid ?? 0)).toBe(true);
    await tunnel.stop();
    await nothingRuns();
  });
});

describe("a command that gives the same address every time", () => {
  it("has no spare one, and the second process is ended", async () => {
    const made = commanding(["print", "https://a.example"]);
    const first = await opening(made);
    await expect(opening(made)).rejects.toMatchObject({ code: "exec-same-url", retryable: false });
    expect(first.health()).toEqual({ state: "up" });
    await gone(starts()[1]?.pid ?? 0);
    expect(isRunning(starts()[0]?.pid ?? 0)).toBe(true);
  });

  it("takes the place of the one that does not answer, and of the one that was stopped", async () => {
    const made = commanding(["print", "https://a.example"]);
    const first = await opening(made);
    made.state.answer = "none";
    await made.clock.advance(30_000);
    made.state.answer = "ours";
    // Fast enough that the first one is not asked again in between.
    const second = await opening(made, { stepMs: 1 });
    expect(first.health()).toMatchObject({ state: "down", error: { code: "exec-silent" } });
    await first.stop();
    await second.stop();
    expect((await opening(made)).health()).toEqual({ state: "up" });
  });
});
