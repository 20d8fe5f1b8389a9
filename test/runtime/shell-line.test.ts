import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { shellLine } from "../../src/runtime/shell-line.ts";

test("words that every shell leaves alone are not quoted", () => {
  expect(shellLine(["npx", "-y", "@a/b@1.2", "--env", "A=b,c", "/opt/x.cjs"], "linux")).toBe(
    "npx -y @a/b@1.2 --env A=b,c /opt/x.cjs",
  );
  expect(shellLine(["node", "C:\\tools\\x.cjs", "C:/y.cjs"], "win32")).toBe("node C:\\tools\\x.cjs C:/y.cjs");
});

test("on Windows a word is quoted that cmd, PowerShell or a batch file would take apart or read otherwise", () => {
  expect(shellLine(["code", "a b", '{"a":1}', "@x", "a,b", "A=b", "a&b", ""], "win32")).toBe(
    String.raw`code "a b" "{\"a\":1}" "@x" "a,b" "A=b" "a&b" ""`,
  );
});

test.skipIf(process.platform === "win32")("a POSIX shell gives back exactly the words", () => {
  const words = ["a b", "it's", '"$HOME"', "`id`", "a\\b", "*", "~", "#", "é", "", "x\ny", "!", "{a,b}"];
  const line = shellLine(["printf", "[%s]", ...words], "linux");
  expect(execFileSync("/bin/sh", ["-c", line], { encoding: "utf8" })).toBe(
    words.map((word) => `[${word}]`).join(""),
  );
});
