import { expect, it } from "vitest";
import { agentShell } from "../../../src/cli/io/agent-shell.ts";
import { watch } from "../../../src/cli/watch/watch.ts";
import { rejection } from "../../support/rejection.ts";
import { FakeTerminal } from "../../support/fake-terminal.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";
import { watchOptions } from "./support.ts";

it.each([
  ["CLAUDECODE", "Claude Code"],
  ["CURSOR_AGENT", "Cursor"],
  ["GEMINI_CLI", "Gemini CLI"],
  ["CODEX_SANDBOX", "Codex"],
  ["CODEX_THREAD_ID", "Codex"],
  ["OPENCODE", "opencode"],
  ["AI_AGENT", "an agent"],
  ["AGENT", "an agent"],
])("H8: %s is a mark of %s, at a terminal and with --json", async (variable, client) => {
  expect(agentShell({ [variable]: "1" })).toBe(client);
  expect(agentShell({ [variable]: "" })).toBeUndefined();
  const terminal = new FakeTerminal();
  for (const isJson of [false, true]) {
    const options = watchOptions(terminal, new FakeClock(), { env: { [variable]: "1" }, isJson });
    expect(await rejection(watch(options))).toMatchObject({ code: "watch-in-agent" });
  }
  expect(terminal.raw).toBe("");
});

it("H8: without a terminal there is no view, and an ordinary shell has no mark", async () => {
  expect(agentShell({ HOME: "/home/ana", SHELL: "/bin/sh", TERM_PROGRAM: "vscode" })).toBeUndefined();
  const options = watchOptions(new FakeTerminal(), new FakeClock(), { isInteractive: false });
  expect(await rejection(watch(options))).toMatchObject({ code: "watch-no-terminal" });
});
