import { describe, expect, it } from "vitest";
import type { Exit } from "../../src/children/child.ts";
import { exitOf, parseGuardLine } from "../../src/children/guard-report.ts";

function exit(line: string, hasRemarked = false): Exit {
  const parsed = parseGuardLine(line);
  if (parsed.kind !== "exit") throw new Error("it is no exit");
  return exitOf(parsed, { file: "program", hasRemarked });
}

describe("the report of a guard", () => {
  it.each([
    // dash and busybox remark on signals, so that a code above 128 is one.
    ["exit 0  ", false, { code: 0 }],
    ["exit 137  ", true, { signal: "SIGKILL" }],
    ["exit 137  ", false, { code: 137 }],
    ["exit 130  ", false, { signal: "SIGINT" }],
    ["exit 141  ", false, { signal: "SIGPIPE" }],
    ["exit 200  ", false, { code: 200 }],
    ["exit 3  ", true, { code: 3 }],
    // bash, zsh and ksh say nothing: by convention it was a signal.
    ["exit 137  unclear", false, { signal: "SIGKILL" }],
    ["exit 200  unclear", false, { code: 200 }],
    ["exit 1  unclear", false, { code: 1 }],
    // Shells in which a signal has numbers of its own.
    ["exit 265  ", false, { signal: "SIGKILL" }],
    ["exit 393  ", false, { signal: "SIGKILL" }],
  ])("%j (a remark: %s) is %j", (line, hasRemarked, expected) => {
    expect(exit(line, hasRemarked)).toEqual(expected);
  });

  it("of a program that could not be started carries the code of Node", () => {
    expect(exit("exit 127 failed ")).toMatchObject({ failure: { code: "ENOENT", path: "program" } });
    expect(exit("exit 126 failed unclear")).toMatchObject({ failure: { code: "EACCES" } });
    expect(exit("exit 127  ")).toEqual({ code: 127 });
  });

  it("is anything else a remark", () => {
    expect(parseGuardLine("pid 42")).toEqual({ kind: "pid", pid: 42 });
    for (const line of [
      "",
      "pid",
      "pid 0",
      "pid -1",
      "pid 1e3",
      "pid 12345678901",
      "exit",
      "exit x",
      "Killed",
    ])
      expect(parseGuardLine(line)).toEqual({ kind: "remark" });
  });
});
