import { Buffer } from "node:buffer";
import path from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TunnelError } from "../../../src/errors/tunnel-error.ts";
import {
  foldedSegment,
  isDeviceName,
  MAX_NAME_BYTES,
  nameProblem,
  plainLabel,
  portableName,
  safeName,
} from "../../../src/session/paths/names.ts";
import { heldName, type NameOptions } from "../../../src/session/paths/held-name.ts";
import { protectedPlace } from "../../../src/session/paths/protected.ts";
import {
  isTooWide,
  isWithin,
  lexicalPath,
  saveSpot,
  type Flavour,
} from "../../../src/session/paths/roots.ts";

const POSIX: Flavour = { path: path.posix, windows: false };
const WINDOWS: Flavour = { path: path.win32, windows: true };

describe("a name for a file", () => {
  test.each([
    "a.txt",
    "résumé.pdf",
    ".gitignore",
    "日本語.md",
    "a b.txt",
    "console.log",
    "com10",
    "x".repeat(255),
    "auxiliary",
    "🙂",
  ])("%j is taken", (name) => {
    expect(nameProblem(name)).toBeUndefined();
  });

  test.each([
    "",
    ".",
    "..",
    "a\0b",
    "a\nb",
    "a\u202egpj.exe",
    "a\u200bb",
    "a/b",
    "a\\b",
    "..\\..\\x",
    "a:b",
    "C:x",
    "a?",
    "a*",
    "<a>",
    "a|b",
    'a"b',
    "a.",
    "a ",
    " a",
    "...",
    "x".repeat(256),
    "é".repeat(128),
    "\ud800",
    "con",
    "CON",
    "Prn.txt",
    "aux.tar.gz",
    "NUL",
    "nul .txt",
    "COM1",
    "com9.log",
    "LPT1",
    "COM\u00b9",
    "lpt\u00b3.x",
    "CONIN$",
    "conout$.txt",
    "CLOCK$",
  ])("%j is one that not every system can hold", (name) => {
    expect(nameProblem(name)).toBeTypeOf("string");
  });

  test("a device is one before the first dot or colon, and nothing else is", () => {
    expect(["nul", "NUL.a.b", "com1:stream", "aux  .c"].filter((name) => !isDeviceName(name))).toEqual([]);
    expect(["null", "a.nul", "con-1", "", ".nul"].filter(isDeviceName)).toEqual([]);
  });
});

describe("the name that every system can hold", () => {
  test.each([
    ["a:b?.txt", "a_b_.txt"],
    ["aux.txt", "_aux.txt"],
    ["NUL", "_NUL"],
    ["a. . ", "a"],
    [" a ", "a"],
    ["...", "unnamed"],
    ["x".repeat(300), "x".repeat(255)],
    [`${"é".repeat(200)}.tar.gz`, `${"é".repeat(126)}.gz`],
    [`a.${"x".repeat(300)}`, `a.${"x".repeat(253)}`],
    ["a.txt", "a.txt"],
    ["🙂", "🙂"],
  ])("of %j is %j", (given, expected) => {
    expect(portableName(given)).toBe(expected);
  });

  test("is one whatever comes, and no other one when it is asked for again", () => {
    const piece = fc.constantFrom("con", ".", " ", ":", "?", "a", "é", "🙂", "x".repeat(120), "~", "nul");
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 8 }), (pieces) => {
        const name = portableName(pieces.join(""));
        expect(nameProblem(name)).toBeUndefined();
        expect(portableName(name)).toBe(name);
      }),
    );
  });
});

describe("the name that a folder can hold", () => {
  const held = (name: string, options: Partial<NameOptions> = {}) =>
    heldName(name, "/x", { windows: false, holds: () => Promise.resolve(true), ...options });

  test("is the given one, asked of the disk only where some disk could refuse it", async () => {
    const asked: string[] = [];
    const holds = (_folder: string, name: string) => Promise.resolve(asked.push(name) > 0);
    for (const name of ["a.txt", "x".repeat(143), "a:b", "nul"])
      expect(await held(name, { holds })).toEqual({ name, renamed: undefined });
    expect(asked).toEqual(["a:b", "nul"]);
  });

  test("is another one on Windows, and on a disk that cannot hold it, with the reason", async () => {
    const refusing = { holds: () => Promise.resolve(false) };
    for (const options of [{ windows: true }, refusing]) {
      expect(await held("10:30?.log", options)).toEqual({
        name: "10_30_.log",
        renamed: 'the file name contains one of < > : " | ? *',
      });
      expect((await held("con.txt", options)).name).toBe("_con.txt");
      expect((await held("a.", options)).name).toBe("a");
    }
    expect(await held(`${"x".repeat(200)}.log`, refusing)).toEqual({
      name: `${"x".repeat(139)}.log`,
      renamed: "the file name is too long for this disk",
    });
  });
});

describe("the folder and the name to save at", () => {
  const spot = (given: string, flavour: Flavour) => {
    try {
      return saveSpot(given, flavour.windows ? "C:\\work" : "/projects", flavour);
    } catch (error) {
      return error instanceof TunnelError ? error.code : "other";
    }
  };

  test("are taken apart by the rules of the system, and the name may be one that Windows cannot hold", () => {
    expect(spot("sub\\a:b?.txt", WINDOWS)).toEqual({ folder: "C:\\work\\sub", name: "a:b?.txt" });
    expect(spot("report:final.txt", WINDOWS)).toEqual({ folder: "C:\\work", name: "report:final.txt" });
    expect(spot("d:/data/nul.txt", WINDOWS)).toEqual({ folder: "d:\\data", name: "nul.txt" });
    expect(spot("sub/a.txt", POSIX)).toEqual({ folder: "/projects/sub", name: "a.txt" });
    expect(spot("/data/a.txt", POSIX)).toEqual({ folder: "/data", name: "a.txt" });
  });

  test.each([
    "C:x",
    "C:",
    "nul\\a",
    "a:b\\c",
    "..\\x",
    "\\\\server\\share\\x",
    "\\x",
    "a.\\b",
    "a\nb",
    "~\\x",
    "",
  ])("%j has a folder that is refused on Windows", (given) => {
    expect(spot(given, WINDOWS)).toBe("path-invalid");
  });
});

describe("a label made of a peer's name", () => {
  test("has no separators, controls or length of the peer's choice, whatever comes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 600 }), (text) => {
        const label = safeName(text);
        expect(label).not.toMatch(/[\\/\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        expect(["", ".", ".."]).not.toContain(label);
        expect(Buffer.byteLength(label)).toBeLessThanOrEqual(MAX_NAME_BYTES);
        expect(safeName(label)).toBe(label);
      }),
    );
  });

  test("cuts between characters, and calls what is left of nothing unnamed", () => {
    expect(safeName("🙂".repeat(100))).toBe("🙂".repeat(63));
    expect(safeName(`${"🙂".repeat(100)}.pdf`)).toBe(`${"🙂".repeat(62)}.pdf`);
    expect(safeName("\u202e\u0000")).toBe("unnamed");
    expect(safeName("../../etc/passwd")).toBe(".._.._etc_passwd");
    expect(plainLabel("a\u0007b".repeat(3), 4)).toBe("abab");
  });
});

describe("the text of a path", () => {
  test.each(["", "../x", "a/../b", "/tmp/../etc/x", "a\0b", "a\nb", "~/x", "~", "x".repeat(4_097)])(
    "%j is refused everywhere",
    (given) => {
      expect(code(given, POSIX)).toBe("path-invalid");
      expect(code(given, WINDOWS)).toBe("path-invalid");
    },
  );

  test.each([
    "C:x",
    "C:",
    "\\x",
    "/x",
    "\\\\?\\C:\\x",
    "\\\\.\\COM1",
    "\\\\server\\share\\x",
    "//server/share/x",
    "a\\..\\b",
    "a.txt:stream",
    "a:$DATA",
    "C:\\a:b",
    "C:\\C:\\x",
    "nul",
    "a\\NUL.txt\\b",
    "con .txt",
    "a.\\b",
    "a \\b",
    "b...",
    "a\\..",
  ])("%j is refused by the rules of Windows", (given) => {
    expect(code(given, WINDOWS)).toBe("path-invalid");
  });

  test("relative ones begin at the working directory, absolute ones stay", () => {
    expect(lexicalPath("a/./b.txt", "/projects", POSIX)).toBe("/projects/a/b.txt");
    expect(lexicalPath("/data/b", "/projects", POSIX)).toBe("/data/b");
    expect(lexicalPath("a\\b.txt", "C:\\work", WINDOWS)).toBe("C:\\work\\a\\b.txt");
    expect(lexicalPath("d:/data/b", "C:\\work", WINDOWS)).toBe("d:\\data\\b");
  });

  test("no text leads out of the working directory but an absolute one", () => {
    const piece = fc.constantFrom("..", ".", "a", "/", "\\", "C:", "~", "\0", "\\\\?\\", ":", " ", "con");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), fc.boolean(), (pieces, windows) => {
        const [flavour, cwd] = windows ? [WINDOWS, "C:\\work\\here"] : [POSIX, "/projects/here"];
        const given = pieces.join("");
        if (code(given, flavour) === "path-invalid" || flavour.path.isAbsolute(given)) return;
        expect(isWithin(cwd, lexicalPath(given, cwd, flavour), flavour)).toBe(true);
      }),
    );
  });

  function code(given: string, flavour: Flavour): string {
    try {
      return lexicalPath(given, flavour.windows ? "C:\\work" : "/projects", flavour);
    } catch (error) {
      return error instanceof TunnelError ? error.code : "other";
    }
  }
});

describe("roots", () => {
  test("hold themselves and what is in them, and no neighbour of a similar name", () => {
    expect(isWithin("/a/b", "/a/b", POSIX)).toBe(true);
    expect(isWithin("/a/b", "/a/b/..c/d", POSIX)).toBe(true);
    expect(isWithin("/a/b", "/a/bc", POSIX)).toBe(false);
    expect(isWithin("/a/b", "/a", POSIX)).toBe(false);
    expect(isWithin("C:\\Work", "c:\\work\\x", WINDOWS)).toBe(true);
    expect(isWithin("C:\\Work", "D:\\Work\\x", WINDOWS)).toBe(false);
  });

  test("of a whole disk or a home are too wide", () => {
    expect(["/", "/home", "/home/ana"].filter((folder) => !isTooWide(folder, "/home/ana", POSIX))).toEqual(
      [],
    );
    expect(isTooWide("/home/ana/shop", "/home/ana", POSIX)).toBe(false);
    expect(isTooWide("D:\\", "C:\\Users\\ana", WINDOWS)).toBe(true);
    expect(isTooWide("C:\\Users", "C:\\Users\\ana", WINDOWS)).toBe(true);
  });
});

describe("protected places", () => {
  test.each([
    ".git/config",
    ".git",
    "sub/.git/hooks/pre-commit",
    ".GIT/x",
    ".Git /x",
    ".git./x",
    "git~1/config",
    ".g\u200cit/x",
    ".git::$INDEX_ALLOCATION/x",
    ".claude/settings.json",
    ".mcp.json",
    "pkg/.MCP.JSON",
    "CLAUDE.md",
    "claude.MD",
    "a/b/AGENTS.md",
    ".cursor/mcp.json",
    ".vscode/tasks.json",
    ".github/workflows/ci.yml",
    ".github/copilot-instructions.md",
    ".ssh/authorized_keys",
    ".envrc",
    ".bashrc",
    ".husky/pre-push",
    ".npmrc",
  ])("%s is one", (file) => {
    expect(protectedPlace(file.split("/"))).toBeTypeOf("string");
  });

  test.each([
    "src/git/config.ts",
    "docs/claude.html",
    "README.md",
    ".gitignore",
    ".github.md",
    "vscode/x",
    "agents.md.txt",
    "constructor",
  ])("%s is none", (file) => {
    expect(protectedPlace(file.split("/"))).toBeUndefined();
  });

  test("no name at all is none: a patch may name the root alone", () => {
    expect(protectedPlace([])).toBeUndefined();
  });

  test("a folded name is what the file systems could take it for", () => {
    expect([".GIT", ".git.", ".git ", ".gi\u200bt", ".git:x"].map(foldedSegment)).toEqual(
      Array(5).fill(".git"),
    );
  });
});
