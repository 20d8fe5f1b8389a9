import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { temporaryFolders } from "./support/files/temp-folder.ts";

const CONFIG = fileURLToPath(new URL("../.oxlintrc.json", import.meta.url));
const KNIP_CONFIG = fileURLToPath(new URL("../knip.json", import.meta.url));
const binOf = (file: string): string => fileURLToPath(new URL(`../node_modules/${file}`, import.meta.url));
const folder = temporaryFolders();

/** What the linter says of one file of a project with our rules, without the types. */
function lint(file: string, text: string): { isClean: boolean; output: string } {
  const root = folder();
  cpSync(CONFIG, path.join(root, ".oxlintrc.json"));
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  writeFileSync(path.join(root, file), text);
  const { status, stdout } = spawnSync(
    process.execPath,
    [binOf("oxlint/bin/oxlint"), "--deny-warnings", "src"],
    {
      cwd: root,
      encoding: "utf8",
    },
  );
  return { isClean: status === 0, output: stdout };
}

const importing = (specifier: string): string =>
  `import { x } from "${specifier}";\nexport const y: unknown = x;\n`;

describe("the lint rule of the protocol core", () => {
  it.each([
    ["src/protocol/base/a.ts", "../../runtime/clock.ts"],
    ["src/protocol/base/a.ts", "../../../src/net/doh.ts"],
    ["src/protocol/base/deep/a.ts", "../../../errors-of-others/a.ts"],
    ["src/protocol/a.ts", "../runtime/clock.ts"],
    ["src/protocol/base/a.ts", "node:fs"],
    ["src/protocol/base/a.ts", "ws"],
  ])("refuses in %s the import of %s", (file, specifier) => {
    const { isClean, output } = lint(file, importing(specifier));
    expect(output).toContain("no-restricted-imports");
    expect(isClean).toBe(false);
  });

  it.each([
    ["src/protocol/base/a.ts", "../../errors/tunnel-error.ts"],
    ["src/protocol/base/a.ts", "../record/record.ts"],
    ["src/protocol/base/a.ts", "zod/mini"],
    ["src/session/a.ts", "../runtime/clock.ts"],
  ])("allows in %s the import of %s", (file, specifier) => {
    expect(lint(file, importing(specifier))).toMatchObject({ isClean: true });
  });
});

describe("the build", () => {
  /** Whether our check of unused exports passes for a project whose entry imports `used` from a file with these exports. */
  function unused(exportsOfFile: string): { isClean: boolean; output: string } {
    const root = folder();
    cpSync(KNIP_CONFIG, path.join(root, "knip.json"));
    mkdirSync(path.join(root, "src/app"), { recursive: true });
    writeFileSync(path.join(root, "package.json"), JSON.stringify({ name: "fixture", type: "module" }));
    writeFileSync(path.join(root, "src/app/a.ts"), exportsOfFile);
    writeFileSync(path.join(root, "src/main.ts"), 'import { used } from "./app/a.ts";\nused();\n');
    const { status, stdout } = spawnSync(process.execPath, [binOf("knip/bin/knip.js"), "--no-progress"], {
      cwd: root,
      encoding: "utf8",
    });
    return { isClean: status === 0, output: stdout };
  }

  it("fails on an export that nobody imports, of a value or a type", () => {
    const used = "export const used = (): void => undefined;\n";
    expect(unused(used)).toMatchObject({ isClean: true });
    for (const extra of ["export const forgotten = 1;\n", "export type Forgotten = string;\n"]) {
      const { isClean, output } = unused(used + extra);
      expect(output).toMatch(/forgotten/i);
      expect(isClean).toBe(false);
    }
  });

  it("runs that check", () => {
    const { scripts } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
      scripts: Record<string, string>;
    };
    expect(scripts["build"]).toMatch(/^knip\b.* && node scripts\/build\.mjs$/);
  });
});
