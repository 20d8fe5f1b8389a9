import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { installSkill, uninstallSkill } from "../../../src/cli/setup/install-skill.ts";
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

async function uninstall(force = false) {
  const output = recorder();
  const kept = [path.join(root, "home")];
  const code = await uninstallSkill({ bundle, dir, force, output, kept });
  return { code, out: output.stdout(), err: output.stderr() };
}

test("uninstalling is the exact reverse: the skill goes, and the folders that were made for it", async () => {
  await mkdir(path.join(root, "home"));
  await install();
  expect(await uninstall()).toEqual({ code: 0, out: `Deleted the skill: ${installed}\n`, err: "" });
  expect(await readdir(path.join(root, "home"))).toEqual([]);
  expect(await uninstall()).toEqual({ code: 0, out: `The skill is not installed: ${installed}\n`, err: "" });
});

test("uninstalling leaves other skills", async () => {
  await mkdir(path.join(dir, "another"), { recursive: true });
  await install();
  expect((await uninstall()).code).toBe(0);
  expect(await readdir(dir)).toEqual(["another"]);
});

test("uninstalling keeps a skill that somebody has edited and says which file; --force deletes it, but not what was added", async () => {
  await install();
  await writeFile(path.join(installed, "SKILL.md"), "mine\n");
  await writeFile(path.join(installed, "references", "notes.md"), "mine\n");
  const refused = await uninstall();
  expect(refused.code).toBe(1);
  expect(refused.err).toContain("    changed  SKILL.md\n");
  expect((await readdir(installed)).toSorted()).toEqual(["SKILL.md", "references"]);

  const forced = await uninstall(true);
  expect(forced.code).toBe(1);
  expect(forced.out).toContain(
    `left what somebody has added: ${installed}\n    ${path.join("references", "notes.md")}\n`,
  );
  expect(await readdir(installed)).toEqual(["references"]);
  expect(await readdir(path.join(installed, "references"))).toEqual(["notes.md"]);
});

test.skipIf(process.platform === "win32")("uninstalling goes through no symbolic link (POSIX)", async () => {
  const real = path.join(root, "real");
  await mkdir(real);
  await mkdir(dir, { recursive: true });
  await symlink(real, installed);
  const { code, err } = await uninstall(true);
  expect(code).toBe(1);
  expect(err).toContain("is a symbolic link, so nothing was deleted");
});
