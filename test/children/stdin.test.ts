import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Child } from "../../src/children/child.ts";
import { startDirect } from "../../src/children/direct-child.ts";
import { startChild } from "../../src/children/start.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { until } from "../support/processes.ts";

let root = "";
let child: Child | undefined;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tunnel-stdin-test-"));
});
afterEach(async () => {
  await child?.stop();
  rmSync(root, { recursive: true, force: true });
});

describe.each([
  ["under a guard", startChild],
  ["without one", startDirect],
])("a child %s", (_how, start) => {
  function run(script: string): { stdin: PassThrough; out: () => string } {
    let out = "";
    const stdin = new PassThrough();
    child = start({
      file: process.execPath,
      args: ["-e", script],
      env: { PATH: process.env["PATH"] ?? "" },
      cwd: root,
      clock: systemClock,
      stdin,
      stdout: { read: (chunk) => void (out += chunk), end: () => undefined },
      stderr: { read: () => undefined, end: () => undefined },
      withDescendants: true,
      recordFolders: [join(root, "records")],
    });
    return { stdin, out: () => out };
  }

  it("reads all that is written, also before it runs, and ends with its input", async () => {
    const { stdin, out } = run(
      'let n = 0; process.stdin.on("data", (d) => { n += d.length; }).on("end", () => console.log(n))',
    );
    stdin.write(Buffer.alloc(3_000_000, "a"));
    stdin.end("b");
    expect(await child?.exited).toEqual({ code: 0 });
    expect(out()).toBe("3000001\n");
  });

  it("that is gone takes nothing of what is still written, and disturbs nobody", async () => {
    const { stdin, out } = run(
      'console.log("x"); process.stdin.destroy(); setTimeout(() => process.exit(3), 200)',
    );
    await until("it runs", () => out() === "x\n");
    for (let at = 0; at < 50; at += 1) stdin.write(Buffer.alloc(100_000));
    expect(await child?.exited).toEqual({ code: 3 });
    stdin.write("more");
    await until("it is thrown away", () => stdin.readableLength === 0);
  });

  it("holds its writer back while it does not read", async () => {
    const { stdin, out } = run('console.log("x"); setTimeout(() => 0, 60000)');
    await until("it runs", () => out() === "x\n");
    for (let at = 0; at < 20; at += 1) stdin.write(Buffer.alloc(100_000));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(stdin.writableLength + stdin.readableLength).toBeGreaterThan(1_000_000);
  });
});
