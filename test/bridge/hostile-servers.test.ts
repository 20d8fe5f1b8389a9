import { execFileSync, spawn } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { gone, isRunning, until } from "../support/processes.ts";
import {
  legacyRequest,
  realServer,
  send,
  serve,
  stdioBackend,
  type Answer,
  type Started,
} from "./support.ts";
import type { BridgeLimits } from "../../src/bridge/protocol/limits.ts";
import { survey } from "../../src/bridge/survey.ts";

const call = (url: URL, name = "echo", args: object = {}, id: unknown = 1): Promise<Answer> =>
  send(url, legacyRequest(id, "tools/call", { name, arguments: args }));
const why = ({ json }: Answer): string => json.error?.message ?? JSON.stringify(json);

async function scene(mode: string, limits: Partial<BridgeLimits> = {}) {
  const server = realServer(mode);
  const served = await serve(stdioBackend(server.start, { limits }), { limits });
  return { ...server, ...served };
}
const pids = ({ notes }: Pick<Started, "notes">): number[] => notes().map(Number);

describe("a stdio server that", () => {
  it("ends in the middle of an answer is told to each that waits, and is there again for the next call", async () => {
    const { url, notes } = await scene("both");
    await call(url, "search_books", { q: "a" });
    const waiting = [1, 2, 3].map((id) => call(url, "wait", { ms: 20_000 }, id));
    await new Promise((resolve) => setTimeout(resolve, 200));
    const [ended, ...others] = await Promise.all([call(url, "exit", {}, 9), ...waiting]);
    expect(new Set([why(ended), ...others.map(why)])).toEqual(
      new Set(["the MCP server has ended; call again to start it anew"]),
    );
    expect(others.map(({ json }) => json.id)).toEqual([1, 2, 3]);
    const again = await call(url, "search_books", { q: "b" });
    expect(again.text).toContain("found b");
    expect(notes()).toHaveLength(2);
  });

  it("never ends its line is ended, in bounded memory", async () => {
    const before = process.memoryUsage().rss;
    const limits = { resultChars: 1_000_000, skippedChars: 20_000_000 };
    const { url, notes } = await scene("endless", limits);
    expect(why(await call(url))).toBe("its answer has no end");
    await gone(pids({ notes })[0] ?? 0);
    expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000);
  });

  it("answers too much for one call is refused for that call alone", async () => {
    const { url, notes } = await scene("both", { resultChars: 100_000 });
    const waiting = call(url, "wait", { ms: 500 }, "slow");
    expect(why(await call(url, "big", { chars: 3_000_000 }))).toMatch(/too large/);
    expect((await waiting).text).toContain("done");
    expect((await call(url, "big", { chars: 50_000 })).text.length).toBeGreaterThan(50_000);
    expect(notes()).toHaveLength(1);
  });

  it("tells of changes without pause is ended, and what it tells reaches nobody", async () => {
    const { url, notes } = await scene("storm", { strayLines: 5_000 });
    const answer = await call(url);
    expect(answer.text).not.toContain("list_changed");
    await gone(pids({ notes })[0] ?? 0);
  });

  it("has no end of tools is listed page by page, and surveyed in bounds", async () => {
    const backend = stdioBackend(realServer("pages").start);
    const { tools, hasMore } = await survey(backend, new AbortController().signal);
    expect([tools.length, hasMore]).toEqual([200, true]);
    expect(tools.every(({ description }) => description.length <= 1_000)).toBe(true);
  });

  it("answers what it was not asked, twice, and asks for things, changes nothing for those who call", async () => {
    const { url } = await scene("liar");
    const answers = await Promise.all([1, 2, 3].map((id) => call(url, "echo", { id }, id)));
    expect(answers.map(({ json }) => json.id)).toEqual([1, 2, 3]);
    expect(answers.map(({ text }, at) => text.includes(String.raw`\"id\":${at + 1}`))).toEqual([
      true,
      true,
      true,
    ]);
  });

  it("prints what is no message is served all the same", async () => {
    const { url } = await scene("noise");
    expect((await call(url)).status).toBe(200);
  });

  it("does not read holds up nobody for ever, and is refused more", async () => {
    const { url } = await scene("deaf", { requestBytes: 100_000, callIdleMs: 3_000 });
    const args = { text: "x".repeat(60_000) };
    const answers = await Promise.all(Array.from({ length: 30 }, (_, id) => call(url, "echo", args, id)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 503]));
    expect(new Set(answers.map(why))).toEqual(
      new Set([
        "the MCP server has not answered in time",
        "the MCP server reads nothing at the moment; call again later",
      ]),
    );
  });

  it.each([
    ["mute", "the MCP server does not answer its first request"],
    ["dead", "the MCP server has ended before it could be used: exit code 3"],
    ["nonsense", "the MCP server has ended before it could be used: exit code 1"],
  ])("is %s is refused, and is not started without end", async (mode, words) => {
    const { url, notes } = await scene(mode, { openMs: 1_000, starts: 2 });
    const answers: string[] = [];
    for (let at = 0; at < 4; at += 1) answers.push(why(await call(url)));
    const often = "the MCP server keeps ending; call again in a minute";
    expect(answers).toEqual([words, words, often, often]);
    await Promise.all(pids({ notes }).map(gone));
  });

  it("does not answer a call is given up in time, and told so", async () => {
    const { url } = await scene("dumb", { callIdleMs: 500 });
    expect(why(await call(url))).toBe("the MCP server has not answered in time");
  });

  it.runIf(process.platform !== "win32")("has children that do not end is ended with them", async () => {
    const { url, notes, bridge } = await scene("forks");
    await call(url);
    const both = pids({ notes });
    expect(both.map(isRunning)).toEqual([true, true]);
    await bridge.close();
    await Promise.all(both.map(gone));
  });
});

it.runIf(process.platform !== "win32")(
  "kill -9 of the process leaves no server behind, nor its children",
  async () => {
    const server = realServer("both");
    const script = join(server.folder, "owner.mjs");
    const root = new URL("../../", import.meta.url);
    const support = fileURLToPath(new URL("test/support/mcp-server.mjs", root));
    const notes = join(server.folder, "notes");
    writeFileSync(
      script,
      `
    import { StdioBackend } from ${JSON.stringify(fileURLToPath(new URL("src/bridge/stdio/stdio-backend.ts", root)))};
    import { startChild } from ${JSON.stringify(fileURLToPath(new URL("src/children/start.ts", root)))};
    import { systemClock as clock } from ${JSON.stringify(fileURLToPath(new URL("src/runtime/clock.ts", root)))};
    const start = (io) => startChild({ ...io, file: process.execPath, args: [${JSON.stringify(support)}, "forks", ${JSON.stringify(notes)}],
      env: { PATH: process.env.PATH }, cwd: ${JSON.stringify(server.folder)}, clock, withDescendants: true, recordFolders: [] });
    await new StdioBackend({ clock, start, copies: "shared", newSession: () => "s" }).tryOut();
    console.log("ready");
    setInterval(() => 0, 1000);
    `,
    );
    const bundle = join(server.folder, "owner.cjs.mjs");
    execFileSync(
      process.execPath,
      [
        fileURLToPath(new URL("node_modules/esbuild/bin/esbuild", root)),
        script,
        "--bundle",
        "--platform=node",
        "--format=esm",
        `--outfile=${bundle}`,
      ],
      { stdio: "ignore" },
    );
    const owner = spawn(process.execPath, [bundle], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => owner.stdout.once("data", resolve));
    const both = server.notes().map(Number);
    expect(both.map(isRunning)).toEqual([true, true]);
    owner.kill("SIGKILL");
    await until("all are gone", () => !both.some(isRunning));
    expect(readdirSync(server.folder)).not.toContain("records");
  },
);
