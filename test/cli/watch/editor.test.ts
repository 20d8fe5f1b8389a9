import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { editedBy } from "../../../src/cli/watch/editor.ts";
import { rejection } from "../../support/rejection.ts";
import { until } from "../../support/processes.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), "an editor "))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** An editor that runs this code with the file as `file`; its path has a space in it. */
function editor(code: string): { EDITOR: string } {
  const script = path.join(folder, "edit.cjs");
  writeFileSync(script, `const fs = require("node:fs"); const file = process.argv.at(-1); ${code}`);
  return { EDITOR: `"${process.execPath}" "${script}" --wait` };
}

const never = (): AbortSignal => new AbortController().signal;
const edited = (env: Record<string, string>, text = "the words", platform: string = process.platform) =>
  editedBy(text, { env, platform, signal: never() });

describe("an editor", () => {
  it("is given the text in a file of this user alone, which is gone afterwards", async () => {
    const seen = path.join(folder, "seen");
    const code = `fs.writeFileSync(${JSON.stringify(seen)}, [file, fs.readFileSync(file, "utf8"), process.argv.at(-2)].join("\\n")); fs.chmodSync(${JSON.stringify(seen)}, fs.statSync(file).mode); fs.writeFileSync(file, "other\\r\\nwords\\n\\n");`;
    expect(await edited(editor(code))).toBe("other\nwords");
    const [file = "", text, option] = readFileSync(seen, "utf8").split("\n");
    expect([text, option]).toEqual(["the words", "--wait"]);
    if (process.platform !== "win32") expect(statSync(seen).mode & 0o777).toBe(0o600);
    expect(existsSync(path.dirname(file))).toBe(false);
  });

  it.each([
    ["leaves it as it was", ""],
    ["adds an empty line alone", 'fs.appendFileSync(file, "\\n\\n");'],
    ["leaves nothing", 'fs.writeFileSync(file, "  \\n");'],
  ])("that %s has decided nothing", async (_what, code) => {
    expect(await edited(editor(code))).toBeUndefined();
  });

  it.each([
    ["fails", 'fs.writeFileSync(file, "half"); process.exitCode = 3;'],
    ["takes the file away", "fs.rmSync(file);"],
  ])("that %s sends nothing, and leaves nothing behind", async (_what, code) => {
    const seen = path.join(folder, "seen");
    const noted = `fs.writeFileSync(${JSON.stringify(seen)}, file); ${code}`;
    expect(await rejection(edited(editor(noted)))).toMatchObject({
      code: "input-invalid",
      detail: "the editor has failed, and nothing was sent",
    });
    expect(existsSync(path.dirname(readFileSync(seen, "utf8")))).toBe(false);
  });

  it("that is not there sends nothing", async () => {
    expect(await rejection(edited({ EDITOR: "no-such-editor-anywhere" }))).toMatchObject({
      code: "input-invalid",
    });
  });

  it("is VISUAL before EDITOR; where there is none it says what to do", async () => {
    const { EDITOR } = editor('fs.writeFileSync(file, "visual");');
    expect(await edited({ VISUAL: EDITOR, EDITOR: "no-such-editor-anywhere" })).toBe("visual");
    expect(await rejection(edited({ VISUAL: "", EDITOR: " " }, "words", "linux"))).toMatchObject({
      detail: expect.stringContaining("edit N TEXT"),
    });
  });

  it("is ended with this program, and its file goes as well", async () => {
    const pidFile = path.join(folder, "pid");
    const stop = new AbortController();
    const code = `fs.writeFileSync(${JSON.stringify(pidFile)}, file); setInterval(() => 0, 1e6);`;
    const editing = rejection(
      editedBy("the words", { env: editor(code), platform: process.platform, signal: stop.signal }),
    );
    await until("it is open", () => existsSync(pidFile) && readFileSync(pidFile, "utf8") !== "");
    const file = readFileSync(pidFile, "utf8");
    stop.abort();
    expect(await editing).toMatchObject({ code: "input-invalid" });
    expect(existsSync(path.dirname(file))).toBe(false);
  });
});
