import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { wakeView, type WakePaths } from "../../src/view/setup/wake.ts";

const PATHS: WakePaths = {
  bundle: "/opt/tunnel-mcp.cjs",
  platform: "linux",
  endpoint: "open",
  channel: "off",
  wokenBy: "command",
  isWatched: false,
  isHeadless: false,
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
  expect(wakeView("1d", { ...PATHS, endpoint: "unavailable" })).toMatchObject({
    command: undefined,
    commandProblem: "no private folder for the local endpoint could be made here",
    channel: "off",
  });
});

const VIEW = (paths: Partial<WakePaths>) => wakeView("1d", { ...PATHS, ...paths });

test("a client that reports on background commands is told to run one", () => {
  expect(VIEW({})).toMatchObject({ by: "command", command: expect.stringContaining(" wake ") });
  expect(VIEW({}).next).toMatch(/run wake\.command .* in the background.* end your turn/);
});

test("where a monitor watches there is no second command, so that nobody is woken twice", () => {
  for (const wokenBy of ["command", "nothing", "unknown"] as const) {
    const view = VIEW({ wokenBy, isWatched: true });
    expect(view).toMatchObject({ by: "monitor", command: undefined, commandProblem: undefined });
    expect(view.next).toMatch(/end your turn: a monitor/);
  }
});

test("a client in which nothing wakes the agent is never told to sleep until it is woken", () => {
  const view = VIEW({ wokenBy: "nothing" });
  expect(view).toMatchObject({ by: "human", command: undefined, commandProblem: undefined });
  expect(view.next).toMatch(/Nothing wakes you.*listen again.*have them say when/);
  expect(view.next).not.toContain("background");
});

test("a client that nobody knows gets the same, and the command for one that does report", () => {
  const view = VIEW({ wokenBy: "unknown" });
  expect(view).toMatchObject({ by: "human", command: expect.stringContaining(" wake ") });
  expect(view.next).toBe(VIEW({ wokenBy: "nothing" }).next);
  expect(view.commandNote).toContain("only in a client that itself tells you");
  expect(VIEW({}).commandNote).toBeUndefined();
});

test("an agent whose turn ends its session is told to go on listening", () => {
  const { next } = VIEW({ wokenBy: "nothing", isHeadless: true });
  expect(next).toMatch(/may end with your turn: .*listen again/);
  expect(next).not.toContain("end your turn");
});

test("without a local endpoint nothing wakes, whatever the client could do", () => {
  expect(VIEW({ endpoint: "unavailable" })).toMatchObject({
    by: "human",
    next: expect.stringContaining("Nothing wakes you"),
  });
  expect(VIEW({ endpoint: "unavailable", wokenBy: "nothing" }).commandProblem).toBeUndefined();
});

test("with a channel the command is for as long as no event has come", () => {
  expect(VIEW({ channel: "declared" }).next).toMatch(/<channel> event .* leave the command out/);
  expect(VIEW({ channel: "unsupported" }).next).not.toContain("<channel>");
});
