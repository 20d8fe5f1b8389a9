import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { installSkill } from "../../../src/cli/setup/install-skill.ts";
import { recorder } from "../support.ts";

let root: string;
let bundle: string;
let dir: string;
let installed: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "tunnel-skill-"));
  bundle = path.join(root, "package", "dist", "tunnel-mcp.js");
  dir = path.join(root, "home", "skills");
  installed = path.join(dir, "tunnel-etiquette");
  const source = path.join(root, "package", "skills", "tunnel-etiquette");
  await mkdir(path.join(source, "references"), { recursive: true });
  await writeFile(path.join(source, "SKILL.md"), "# Etiquette\n");
  await writeFile(path.join(source, "references", "more.md"), "more\n");
});

afterEach(() => rm(root, { recursive: true }));

async function install(force = false) {
  const output = recorder();
  const code = await installSkill({ bundle, dir, force, output });
  return { code, out: output.stdout(), err: output.stderr() };
}

test("copies the whole skill, creating folders, and says where it went; a second time changes nothing", async () => {
  expect(await install()).toEqual({ code: 0, out: `Installed the skill: ${installed}\n`, err: "" });
  expect(await readFile(path.join(installed, "SKILL.md"), "utf8")).toBe("# Etiquette\n");
  expect(await readFile(path.join(installed, "references", "more.md"), "utf8")).toBe("more\n");
  expect(await install()).toEqual({
    code: 0,
    out: `The skill is installed already: ${installed}\n`,
    err: "",
  });
});

test("leaves a skill that differs alone and says what differs; --force replaces it", async () => {
  await install();
  await writeFile(path.join(installed, "SKILL.md"), "mine\n");
  await writeFile(path.join(installed, "notes.md"), "mine\n");
  await rm(path.join(installed, "references"), { recursive: true });

  const refused = await install();
  expect(refused.code).toBe(1);
  expect(refused.err).toContain("changed  SKILL.md");
  expect(refused.err).toContain("extra    notes.md");
  expect(refused.err).toContain(`missing  ${path.join("references", "more.md")}`);
  expect(refused.err).toContain("--force");
  expect(await readFile(path.join(installed, "SKILL.md"), "utf8")).toBe("mine\n");

  expect(await install(true)).toEqual({ code: 0, out: `Replaced the skill: ${installed}\n`, err: "" });
  expect(await readdir(installed)).toEqual(["SKILL.md", "references"]);
});

test.skipIf(process.platform === "win32")(
  "never writes through a symbolic link, --force or not",
  async () => {
    const elsewhere = path.join(root, "elsewhere");
    await mkdir(elsewhere);
    await mkdir(dir, { recursive: true });
    await symlink(elsewhere, installed);
    const refused = await install(true);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("is a symbolic link, so nothing was written");
    expect(await readdir(elsewhere)).toEqual([]);
  },
);

test.skipIf(process.platform === "win32")(
  "replaces a linked file inside the skill, not what it leads to",
  async () => {
    await install();
    const victim = path.join(root, "victim.txt");
    await writeFile(victim, "untouched\n");
    await rm(path.join(installed, "SKILL.md"));
    await symlink(victim, path.join(installed, "SKILL.md"));
    expect((await install()).err).toContain("changed  SKILL.md");
    expect((await install(true)).code).toBe(0);
    expect(await readFile(victim, "utf8")).toBe("untouched\n");
    expect(await readFile(path.join(installed, "SKILL.md"), "utf8")).toBe("# Etiquette\n");
  },
);
