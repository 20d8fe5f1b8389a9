import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Flavour } from "../../../src/session/paths/roots.ts";
import { saveTranscript, stemOf } from "../../../src/session/transcript/save.ts";
import { codeOf } from "../../support/thrown.ts";

let root: string;
let outside: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(path.join(tmpdir(), "tunnel-save-")));
  outside = mkdtempSync(path.join(tmpdir(), "tunnel-outside-"));
});
afterEach(() => {
  for (const folder of [root, outside]) rmSync(folder, { recursive: true, force: true });
});

const texts = { json: "{}", markdown: "# x" };
const POSIX: Flavour = { path: path.posix, windows: false };
const WINDOWS: Flavour = { path: path.win32, windows: true };

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
    expect(stemOf(wanted, "/projects", POSIX)).toBe(`/projects/${stem}.transcript`);
    expect(stemOf(wanted, "C:\\work", WINDOWS)).toBe(`C:\\work\\${stem.replaceAll("/", "\\")}.transcript`);
  });

  it.each([
    "../talk",
    "a/../../talk",
    "/etc/talk",
    "/projects",
    ".",
    "",
    ".claude/commands/x",
    "a/.git/x",
    "a\u0000b",
    "a:b",
    "a/../talk",
    "~/talk",
    "x".repeat(5_000),
  ])("%j is refused", (wanted) => {
    expect(codeOf(() => stemOf(wanted, "/projects", POSIX))).toBe("transcript-not-saved");
  });

  it.each(["D:\\talk", "\\\\server\\share\\talk", "..\\talk", "talk:stream", ".claude\\x"])(
    "%j is refused on Windows",
    (wanted) => {
      expect(codeOf(() => stemOf(wanted, "C:\\work", WINDOWS))).toBe("transcript-not-saved");
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
    if (process.platform !== "win32") expect(statSync(saved.json).mode & 0o777).toBe(0o600);
  });

  it.each([
    ["con/talk", /does not exist|device/],
    [`notes/${"x".repeat(250)}`, /longer than 255 bytes/],
    ["tal\u202ek", /invisible characters/],
    ["talk?", /one of < >/],
    ["AGENTS.md/talk", /does not exist/],
    ["node_modules/.bin/talk", /not plain/],
  ])("%j is refused as it is for a received file", async (wanted, why) => {
    mkdirSync(path.join(root, "notes"));
    await expect(saveTranscript(root, wanted, texts)).rejects.toMatchObject({
      code: "transcript-not-saved",
      detail: expect.stringMatching(why),
    });
    expect(readdirSync(root)).toEqual(["notes"]);
  });

  it("also in a home, where a received file may not go", async () => {
    const before = process.env["HOME"];
    process.env["HOME"] = root;
    try {
      expect(await saveTranscript(root, "talk", texts)).toMatchObject({
        json: path.join(root, "talk.transcript.json"),
      });
    } finally {
      process.env["HOME"] = before;
    }
  });

  it("writes both or none, and never over anything", async () => {
    writeFileSync(path.join(root, "talk.transcript.md"), "mine");
    await expect(saveTranscript(root, "talk", texts)).rejects.toMatchObject({
      code: "transcript-not-saved",
      detail: "a file with this name exists already",
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
