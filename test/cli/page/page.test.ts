import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { brotliCompressSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { page, type PageCommandOptions } from "../../../src/cli/page/page.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { ASSETS } from "../../page/support.ts";
import { rejectedWith } from "../../support/rejection.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "page-cli-"));
  const texts = Object.fromEntries([...ASSETS].map(([name, { text }]) => [name, text]));
  writeFileSync(path.join(folder, "page.br"), brotliCompressSync(JSON.stringify(texts)));
});
afterEach(() => rmSync(folder, { recursive: true }));

function run(over: Partial<PageCommandOptions> = {}) {
  let out = "";
  let shutDown = (): Promise<void> => Promise.resolve();
  const input = new PassThrough();
  const done = page({
    folders: [path.join(folder, "control")],
    platform: process.platform,
    clock: systemClock,
    env: { SSH_CONNECTION: "10.0.0.9 50000 10.0.0.2 22" },
    version: "0",
    output: { out: (text) => void (out += text), err: () => undefined, color: false },
    bundle: path.join(folder, "tunnel-mcp.cjs"),
    input,
    isInteractive: true,
    onShutdown: (hook) => (shutDown = hook),
    ...over,
  });
  return { done, input, out: () => out, shutDown: () => shutDown() };
}

describe("tunnel-mcp page", () => {
  it("H8, P13: is for a terminal with a person, and not for an agent's shell", async () => {
    expect(await rejectedWith(run({ isInteractive: false }).done)).toBe("page-no-terminal");
    for (const name of ["CLAUDECODE", "CURSOR_AGENT", "GEMINI_CLI", "CODEX_SANDBOX", "AI_AGENT", "AGENT"])
      expect(await rejectedWith(run({ env: { [name]: "1" } }).done)).toBe("page-in-agent");
  });

  it("prints the line for SSH, and an address for each Enter, which lets one in", async () => {
    const { done, input, out, shutDown } = run();
    await expect.poll(out).toContain("press Enter here");
    const [, port] = /ssh -L (\d+):127\.0\.0\.1:\1 \S+@10\.0\.0\.2/.exec(out()) ?? [];
    expect(Number(port)).toBeGreaterThan(0);
    expect(out()).not.toContain("#");
    input.write("\n");
    await expect.poll(out).toContain("works once");
    const [url = ""] = /http:\S+/.exec(out()) ?? [];
    expect(new URL(url).host).toBe(`127.0.0.1:${port}`);
    const enter = () =>
      fetch(new URL("/enter", url), {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ code: new URL(url).hash.slice(1) }),
      });
    expect((await enter()).status).toBe(200);
    await expect.poll(out).toContain("A page was opened: 1 in all.");
    expect((await enter()).status).toBe(401);
    await expect.poll(out).toContain("used a second time");
    input.write("\n");
    await expect.poll(() => out().match(/http:\S+/g)?.length).toBe(2);
    await shutDown();
    expect(await done).toBe(0);
    await expect(fetch(url)).rejects.toThrow();
  });

  it("says that its files are missing", async () => {
    expect(await rejectedWith(run({ bundle: "/nowhere/tunnel-mcp.cjs" }).done)).toBe("page-missing");
  });
});
