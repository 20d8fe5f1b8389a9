import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { browserOf, openBrowser, type Surroundings } from "../../src/page/server/opening.ts";

const PLAIN: Surroundings = {
  env: { DISPLAY: ":0" },
  platform: "linux",
  isContainer: false,
  isWsl: false,
  has: () => true,
};

describe("where a person's browser is", () => {
  it.each<[string, Partial<Surroundings>, object]>([
    ["a desktop", {}, { at: "here", open: { file: "xdg-open", args: [] } }],
    ["no screen", { env: {} }, { at: "here", open: undefined }],
    ["no xdg-open", { has: () => false }, { at: "here", open: undefined }],
    ["Wayland", { env: { WAYLAND_DISPLAY: "w" } }, { at: "here", open: { file: "xdg-open", args: [] } }],
    ["macOS", { platform: "darwin", env: {} }, { at: "here", open: { file: "/usr/bin/open", args: [] } }],
    [
      "Windows",
      { platform: "win32", env: { SystemRoot: "C:\\Windows" } },
      {
        at: "here",
        open: { file: "C:\\Windows\\System32\\rundll32.exe", args: ["url.dll,FileProtocolHandler"] },
      },
    ],
    ["Linux inside Windows", { isWsl: true }, { at: "near", open: { file: "wslview", args: [] } }],
    ["the same without a helper", { isWsl: true, has: () => false }, { at: "near", open: undefined }],
    ["a container", { isContainer: true }, { at: "container", open: undefined }],
    [
      "SSH, with a screen as well",
      { env: { DISPLAY: ":10", SSH_CONNECTION: "10.0.0.9 50000 10.0.0.2 22" } },
      { at: "ssh", machine: "10.0.0.2", open: undefined },
    ],
    [
      "an editor at the other end",
      { env: { SSH_TTY: "/dev/pts/1", VSCODE_IPC_HOOK_CLI: "/s", BROWSER: "/opt/helper" } },
      { at: "ssh", machine: undefined, open: { file: "/opt/helper", args: [] } },
    ],
    [
      "a BROWSER that no editor has set",
      { env: { DISPLAY: ":0", BROWSER: "/opt/helper" } },
      { at: "here", open: { file: "xdg-open", args: [] } },
    ],
  ])("%s", (_title, over, found) => {
    expect(browserOf({ ...PLAIN, ...over })).toEqual(found);
  });

  it.skipIf(process.platform === "win32")(
    "H7: gives the address to the opener alone, with none of our own settings",
    async () => {
      const folder = mkdtempSync(path.join(tmpdir(), "opener-"));
      const [program, out] = [path.join(folder, "open"), path.join(folder, "out")];
      writeFileSync(program, `#!/bin/sh\nprintf '%s\\n' "$@" > ${out}\nenv >> ${out}\n`);
      chmodSync(program, 0o755);
      const url = "http://127.0.0.1:28600/#code&$(touch x)";
      expect(
        await openBrowser({ file: program, args: [] }, url, {
          PATH: process.env["PATH"],
          TUNNEL_RELAY_TOKEN: "secret",
        }),
      ).toBe(true);
      const text = readFileSync(out, "utf8");
      expect(text.split("\n")[0]).toBe(url);
      expect(text).not.toContain("secret");
      rmSync(folder, { recursive: true });
    },
  );

  it("says when there is no such program", async () => {
    expect(await openBrowser({ file: "/nowhere/open", args: [] }, "http://127.0.0.1/", {})).toBe(false);
  });
});
