import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import { WATCH_LINE, watchFor } from "../../src/children/watched-child.ts";

/** The watcher of Windows, as far as it can be tried elsewhere: what is started, and when. */
function scene() {
  const started: { file: string; args: readonly string[]; options: Record<string, unknown> }[] = [];
  const watchers: (EventEmitter & { killed: string[] })[] = [];
  const stop = watchFor(
    4321,
    { SystemRoot: "C:\\Windows", Path: "C:\\x", SECRET: "s" },
    (file, args, options) => {
      started.push({ file, args, options });
      const killed: string[] = [];
      const watcher = Object.assign(new EventEmitter(), {
        stdin: new PassThrough(),
        killed,
        kill: (signal: string) => void killed.push(signal),
      });
      watchers.push(watcher);
      return watcher as unknown as ChildProcess;
    },
  );
  return { started, watchers, stop };
}

it("on Windows a command interpreter waits for the end of its input, and ends the child by its number", () => {
  const { started, watchers, stop } = scene();
  expect(started).toEqual([
    {
      file: "C:\\Windows\\System32\\cmd.exe",
      args: ["/d", "/v:off", "/s", "/c", `"${WATCH_LINE}"`],
      options: {
        env: { SystemRoot: "C:\\Windows", Path: "C:\\x", tunnel_child: "4321" },
        stdio: ["pipe", "ignore", "ignore"],
        windowsHide: true,
        windowsVerbatimArguments: true,
      },
    },
  ]);
  expect(WATCH_LINE).toBe(
    'set /p tunnel_gone= & "%SystemRoot%\\System32\\taskkill.exe" /pid %tunnel_child% /t /f',
  );
  stop();
  expect(watchers[0]?.killed).toEqual(["SIGKILL"]);
  watchers[0]?.emit("exit", null, "SIGKILL");
  expect(started).toHaveLength(1);
});

it("one that was ended is replaced, but not for ever", () => {
  const { started, watchers, stop } = scene();
  for (let ended = 0; ended < 5; ended += 1) watchers.at(-1)?.emit("exit", 1, null);
  expect(started).toHaveLength(3);
  stop();
});

it("one that cannot be started is done without", () => {
  const { started, watchers, stop } = scene();
  watchers[0]?.emit("error", new Error("spawn ENOENT"));
  expect(started).toHaveLength(1);
  stop();
});
