import { cp, lstat, mkdir, readdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import type { Output } from "../io/output.ts";

const SKILL = "tunnel-etiquette";

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

/** Takes the skill out of a client's skills folder again, unless somebody has changed it. */
export async function removeSkill(place: SkillPlace): Promise<void> {
  if ((await skillState(place)) === "same") await rm(skillFolder(place.dir), { recursive: true });
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
  if (found !== undefined && !found.isDirectory()) {
    // A symbolic link may lead to a folder that the user edits elsewhere, so not even --force writes through it.
    const kind = found.isSymbolicLink() ? "a symbolic link" : "not a folder";
    output.err(
      `tunnel-mcp: ${target} is ${kind}, so nothing was written\n  Remove it, or choose another --dir.\n`,
    );
    return 1;
  }
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
