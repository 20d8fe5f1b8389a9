import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { temporaryFolders } from "./support/files/temp-folder.ts";

const CONFIG = fileURLToPath(new URL("../.oxlintrc.json", import.meta.url));
const OXLINT = path.join(
  path.dirname(createRequire(import.meta.url).resolve("oxlint/package.json")),
  "bin/oxlint",
);
const folder = temporaryFolders();

/** What the linter says of one file of a project with our rules, without the types. */
function lint(file: string, text: string): { isClean: boolean; output: string } {
  const root = folder();
  cpSync(CONFIG, path.join(root, ".oxlintrc.json"));
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  writeFileSync(path.join(root, file), text);
  const { status, stdout } = spawnSync(process.execPath, [OXLINT, "--deny-warnings", "src"], {
    cwd: root,
    encoding: "utf8",
  });
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
