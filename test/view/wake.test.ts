import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { wakeView, type WakePaths } from "../../src/view/wake.ts";

const PATHS: WakePaths = {
  bundle: "/opt/tunnel-mcp.cjs",
  platform: "linux",
  endpoint: "open",
  channel: "off",
};

const commandFor = (paths: Partial<WakePaths>): unknown => wakeView("1d", { ...PATHS, ...paths })["command"];

test("the command can be pasted as it is, also on Windows, where Git Bash would take backslashes away", () => {
  expect(commandFor({})).toBe("node /opt/tunnel-mcp.cjs wake --tunnel 1d");
  expect(commandFor({ bundle: "C:\\Users\\Ana B\\tunnel-mcp.cjs", platform: "win32" })).toBe(
    'node "C:/Users/Ana B/tunnel-mcp.cjs" wake --tunnel 1d',
  );
  expect(commandFor({ bundle: "C:\\tools\\tunnel-mcp.cjs", platform: "win32" })).toBe(
    "node C:/tools/tunnel-mcp.cjs wake --tunnel 1d",
  );
});

test
  .skipIf(process.platform === "win32")
  .each(["/a b/c.cjs", "/it's/c.cjs", '/$HOME/`id`/"c".cjs', "/é;ls/c.cjs"])(
  "a shell takes %s for one word",
  (bundle) => {
    const word = String(commandFor({ bundle })).slice("node ".length, -" wake --tunnel 1d".length);
    expect(execFileSync("/bin/sh", ["-c", `printf %s ${word}`], { encoding: "utf8" })).toBe(bundle);
  },
);

test("without a local endpoint there is no command, and it says why", () => {
  expect(wakeView("1d", { ...PATHS, endpoint: "unavailable" })).toEqual({
    command: undefined,
    commandProblem: "no private folder for the local endpoint could be made here",
    channel: "off",
  });
});
