import { cp, lstat, mkdir, readdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import type { Output } from "../io/output.ts";
import { pruneFolders, SKILL } from "./files/leavings.ts";

export interface InstallSkillOptions {
  /** The running bundle; the skill lies in `../skills` of its folder. */
  readonly bundle: string;
  /** The client's skills folder; created when missing. */
  readonly dir: string;
  /** Replace an installed skill that differs. */
  readonly force: boolean;
  readonly output: Output;
}

/** The state of the skill's folder. `blocked`: something that is no folder lies there, such as a link. */
export type SkillState = "missing" | "same" | "different" | "blocked";

type SkillPlace = Pick<InstallSkillOptions, "bundle" | "dir">;

export async function skillState({ bundle, dir }: SkillPlace): Promise<SkillState> {
  const target = skillFolder(dir);
  const found = await lstatOrUndefined(target);
  if (found === undefined) return "missing";
  if (!found.isDirectory()) return "blocked";
  return (await compare(skillSource(bundle), target)).length === 0 ? "same" : "different";
}

/**
 * Takes the skill out of a client's skills folder again, unless somebody has changed it.
 * @param kept folders that stay although they may be empty then
 */
export async function removeSkill(place: SkillPlace, kept: readonly string[]): Promise<void> {
  if ((await skillState(place)) !== "same") return;
  await rm(skillFolder(place.dir), { recursive: true });
  await pruneFolders(place.dir, kept);
}

export interface UninstallSkillOptions extends InstallSkillOptions {
  /** Folders that stay although they may be empty then. */
  readonly kept: readonly string[];
}

/**
 * The reverse of {@link installSkill}: deletes what that has put there, and the folders that are empty then. What somebody
 * has changed or added stays; `force` deletes changed files, too, but never those that were added.
 * @returns 0 when nothing of the skill is left afterwards, 1 when something was kept
 */
export async function uninstallSkill(options: UninstallSkillOptions): Promise<0 | 1> {
  const { bundle, dir, force, output, kept } = options;
  const target = skillFolder(dir);
  const found = await lstatOrUndefined(target);
  if (found === undefined) {
    output.out(`The skill is not installed: ${target}\n`);
    return 0;
  }
  if (!found.isDirectory()) return blocked(target, found.isSymbolicLink(), output, "deleted");
  const [ours, present] = await Promise.all([contents(skillSource(bundle)), contents(target)]);
  const edited = [...present].filter(([name, text]) => ours.has(name) && ours.get(name) !== text);
  if (edited.length > 0 && !force) {
    const list = edited.map(([name]) => `    changed  ${name}\n`).join("");
    output.err(
      `tunnel-mcp: ${target} differs from the skill of this version, so nothing was deleted:\n${list}  Use --force to delete it all the same.\n`,
    );
    return 1;
  }
  for (const name of present.keys()) {
    if (!ours.has(name)) continue;
    const file = path.join(target, name);
    await rm(file);
    await pruneFolders(path.dirname(file), [target]);
  }
  const extra = [...present.keys()].filter((name) => !ours.has(name));
  if (extra.length > 0) {
    const list = extra.map((name) => `    ${name}\n`).join("");
    output.out(`Deleted the skill, and left what somebody has added: ${target}\n${list}`);
    return 1;
  }
  await pruneFolders(target, kept);
  output.out(`Deleted the skill: ${target}\n`);
  return 0;
}

/** A symbolic link may lead to a folder that the user edits elsewhere, so not even --force goes through it. */
function blocked(target: string, isLink: boolean, output: Output, done: "written" | "deleted"): 1 {
  const kind = isLink ? "a symbolic link" : "not a folder";
  output.err(
    `tunnel-mcp: ${target} is ${kind}, so nothing was ${done}\n  Remove it, or choose another --dir.\n`,
  );
  return 1;
}

export function skillFolder(dir: string): string {
  return path.resolve(dir, SKILL);
}

function skillSource(bundle: string): string {
  return path.join(path.dirname(bundle), "..", "skills", SKILL);
}

/**
 * Copies the skill into a client's skills folder and says where it went.
 * @returns 0 when the skill is in place afterwards, 1 when something else is there and was left alone
 */
export async function installSkill({ bundle, dir, force, output }: InstallSkillOptions): Promise<0 | 1> {
  const source = skillSource(bundle);
  const target = skillFolder(dir);
  const found = await lstatOrUndefined(target);
  if (found !== undefined && !found.isDirectory())
    return blocked(target, found.isSymbolicLink(), output, "written");
  const differences = found === undefined ? [] : await compare(source, target);
  if (found !== undefined && differences.length === 0) {
    output.out(`The skill is installed already: ${target}\n`);
    return 0;
  }
  if (differences.length > 0 && !force) {
    const list = differences.map((line) => `    ${line}\n`).join("");
    output.err(
      `tunnel-mcp: ${target} differs from the skill of this version:\n${list}  Use --force to replace it.\n`,
    );
    return 1;
  }
  await mkdir(path.dirname(target), { recursive: true });
  // Removed first: writing into an existing file would follow a link in its place.
  await rm(target, { recursive: true, force: true });
  await cp(source, target, { recursive: true, errorOnExist: true, force: false });
  output.out(`${found === undefined ? "Installed" : "Replaced"} the skill: ${target}\n`);
  return 0;
}

/** One line for each entry in which two folders differ. */
async function compare(source: string, target: string): Promise<readonly string[]> {
  const [wanted, present] = await Promise.all([contents(source), contents(target)]);
  const names = [...new Set([...wanted.keys(), ...present.keys()])].sort();
  return names.flatMap((name) => {
    if (!present.has(name)) return [`missing  ${name}`];
    if (!wanted.has(name)) return [`extra    ${name}`];
    return wanted.get(name) === present.get(name) ? [] : [`changed  ${name}`];
  });
}

/** The text of every file below a folder by its relative path; anything but a file or folder counts as a difference. */
async function contents(folder: string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    const name = path.relative(folder, file);
    // Byte by byte: two files that are no UTF-8 would look alike as text.
    if (entry.isFile()) files.set(name, await readFile(file, "latin1"));
    else if (!entry.isDirectory()) files.set(name, "\0 not a regular file");
  }
  return files;
}

async function lstatOrUndefined(file: string): Promise<Awaited<ReturnType<typeof lstat>> | undefined> {
  try {
    return await lstat(file);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
