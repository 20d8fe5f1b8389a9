import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { shellLine, shellWord } from "../../src/view/shell.ts";

const WORDS = ["plain", "/a b/c.cjs", "it's", '"$HOME" `id` \\', "é;ls", "--x=1,2@3%4:5+6", ""];

test.skipIf(process.platform === "win32")("a POSIX shell reads back every word as it was", () => {
  const line = shellLine(WORDS, "linux");
  const read = execFileSync("/bin/sh", ["-c", `printf '%s\\n' ${line}`], { encoding: "utf8" });
  expect(read.split("\n").slice(0, -1)).toEqual(WORDS);
});

test("a path of Windows stays as it is, and is put into quotes for a space", () => {
  expect(shellWord("C:\\tools\\a.cjs", "win32")).toBe("C:\\tools\\a.cjs");
  expect(shellWord("C:\\Ana B\\a.cjs", "win32")).toBe('"C:\\Ana B\\a.cjs"');
  expect(shellWord("C:\\tools\\a.cjs", "linux")).toBe("'C:\\tools\\a.cjs'");
});
