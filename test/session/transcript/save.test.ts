import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { saveTranscript, stemOf } from "../../../src/session/transcript/save.ts";
import { codeOf } from "../../support/thrown.ts";

let root: string;
let outside: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "tunnel-save-"));
  outside = mkdtempSync(path.join(tmpdir(), "tunnel-outside-"));
});
afterEach(() => {
  for (const folder of [root, outside]) rmSync(folder, { recursive: true, force: true });
});

const texts = { json: "{}", markdown: "# x" };

describe("where a transcript is saved", () => {
  it.each([
    ["talk", "talk"],
    ["talk.json", "talk"],
    ["talk.transcript.md", "talk"],
    ["notes/talk", "notes/talk"],
    ["./talk", "talk"],
    ["CLAUDE.md", "CLAUDE"],
    ["package.json", "package"],
  ])("%s is inside the working directory, under an ending of its own", (wanted, stem) => {
    expect(stemOf(wanted, "/work", path.posix)).toBe(`/work/${stem}.transcript`);
    expect(stemOf(wanted, "C:\\work", path.win32)).toBe(`C:\\work\\${stem.replaceAll("/", "\\")}.transcript`);
  });

  it.each([
    "../talk",
    "a/../../talk",
    "/etc/talk",
    "/work",
    ".",
    "",
    ".claude/commands/x",
    "a/.git/x",
    "a\u0000b",
    "a:b",
  ])("%j is refused", (wanted) => {
    expect(codeOf(() => stemOf(wanted, "/work", path.posix))).toBe("transcript-not-saved");
  });

  it.each(["D:\\talk", "\\\\server\\share\\talk", "..\\talk", "talk:stream", ".claude\\x"])(
    "%j is refused on Windows",
    (wanted) => {
      expect(codeOf(() => stemOf(wanted, "C:\\work", path.win32))).toBe("transcript-not-saved");
    },
  );

  it("writes two new files", async () => {
    mkdirSync(path.join(root, "notes"));
    const saved = await saveTranscript(root, "notes/talk", texts);
    expect(saved).toEqual({
      json: path.join(root, "notes", "talk.transcript.json"),
      markdown: path.join(root, "notes", "talk.transcript.md"),
    });
    expect(readFileSync(saved.markdown, "utf8")).toBe("# x");
  });

  it("writes both or none, and never over anything", async () => {
    writeFileSync(path.join(root, "talk.transcript.md"), "mine");
    await expect(saveTranscript(root, "talk", texts)).rejects.toMatchObject({
      code: "transcript-not-saved",
      detail: "a file of that name exists already",
    });
    expect(readdirSync(root)).toEqual(["talk.transcript.md"]);
    expect(readFileSync(path.join(root, "talk.transcript.md"), "utf8")).toBe("mine");
  });

  it.skipIf(process.platform === "win32")(
    "follows no link out of the working directory (links need rights on Windows)",
    async () => {
      symlinkSync(outside, path.join(root, "away"));
      await expect(saveTranscript(root, "away/talk", texts)).rejects.toMatchObject({
        code: "transcript-not-saved",
      });
      const target = path.join(outside, "target");
      symlinkSync(target, path.join(root, "talk.transcript.json"));
      await expect(saveTranscript(root, "talk", texts)).rejects.toMatchObject({
        code: "transcript-not-saved",
      });
      expect(existsSync(target)).toBe(false);
      expect(readdirSync(outside)).toEqual([]);
    },
  );
});
