import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { among, type Completion } from "./completion.ts";

/** The commands that take a path of this machine, and what stands before it. */
const PATHS = /^\/(?:send|share)\s+(?:[^,]*,\s*)*|^\/(?:receive|save)\s+\S+\s+/i;
/** Names of one folder that are looked at. */
const MAX_NAMES = 5_000;

/**
 * Completes a path at the end of a line, by what lies on the disk. Inside of quotes a name may have spaces.
 * @param before the line up to the cursor
 * @returns undefined where no path is being typed
 */
export function completedPath(before: string, cwd: string): Completion | undefined {
  const [start] = PATHS.exec(before) ?? [];
  if (start === undefined) return undefined;
  const [, quote = "", typed = ""] = /^(["']?)(.*)$/s.exec(before.slice(start.length)) ?? [];
  // Behind a space without quotes stands a note.
  if (typed.includes(quote === "" ? " " : quote)) return undefined;
  const end =
    Math.max(typed.lastIndexOf("/"), process.platform === "win32" ? typed.lastIndexOf("\\") : -1) + 1;
  const [folder, part] = [typed.slice(0, end), typed.slice(end)];
  const names = namesIn(path.resolve(cwd, folder), part.startsWith("."));
  const fitting = quote === "" ? names.filter((name) => !/\s/.test(name)) : names;
  const { insert, choices } = among(part, fitting);
  // One may go on in a folder.
  if (insert.endsWith("/ ")) return { insert: insert.slice(0, -1), choices };
  return { insert: insert.replace(/ $/, `${quote} `), choices };
}

/** The names in a folder; folders with a slash. Hidden ones where one of them is being typed. */
function namesIn(folder: string, isHidden: boolean): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true }).slice(0, MAX_NAMES);
    return entries
      .filter(({ name }) => name.startsWith(".") === isHidden)
      .map((entry) => (isFolder(folder, entry) ? `${entry.name}/` : entry.name))
      .toSorted();
  } catch {
    // A folder that is not there has no names.
    return [];
  }
}

function isFolder(
  folder: string,
  entry: { name: string; isDirectory(): boolean; isSymbolicLink(): boolean },
): boolean {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  return statSync(path.join(folder, entry.name), { throwIfNoEntry: false })?.isDirectory() === true;
}
