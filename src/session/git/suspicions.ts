import type { Buffer } from "node:buffer";
import { must } from "../../errors/must.ts";
import { foldedSegment, nameProblem } from "../paths/names.ts";
import { protectedPlace } from "../paths/protected.ts";
import { sensitiveName } from "../paths/sensitive.ts";
import type { PatchFile } from "./read-patch.ts";

/** A thing that a human should look at before a patch is applied. None of them is proof of anything. */
export type Suspicion =
  /** A path that leads out of the repository. */
  | { readonly kind: "outside" }
  /** `.git`, hooks, agent and editor configuration, workflows. */
  | { readonly kind: "protected"; readonly purpose: string }
  | { readonly kind: "sensitive"; readonly rule: string }
  /** A name that another system reads otherwise, or that hides characters. */
  | { readonly kind: "name" }
  /** Two names that are one where case does not count. */
  | { readonly kind: "collision" }
  | { readonly kind: "symlink" }
  | { readonly kind: "submodule" }
  /** Becomes executable, or is new and executable. */
  | { readonly kind: "executable" }
  | { readonly kind: "mode" }
  | { readonly kind: "binary" }
  /** The pointer of a file that LFS keeps: its content is not in the patch. */
  | { readonly kind: "lfs" }
  /** Not in git's own form. */
  | { readonly kind: "traditional" }
  | { readonly kind: "malformed" };

const PLAIN_MODES = new Set(["100644", "100755", "120000", "160000"]);

/** @param seen the folded paths of the files before this one, and how they were written */
export function suspicionsOf(file: PatchFile, seen: Map<string, string>): Suspicion[] {
  return [
    ...namesOf(file).flatMap(pathSuspicions),
    ...collisions(file, seen),
    ...modeSuspicions(file),
    ...(file.isBinary ? [{ kind: "binary" } as const] : []),
  ].filter((one, index, all) => all.findIndex((other) => isEqual(one, other)) === index);
}

/** Headers that are looked at in a patch that is not in git's own form; more say nothing new. */
const MAX_HEADERS = 10_000;
const HEADER = /^(?:---|\+\+\+|(?:rename|copy) (?:from|to)) "?([^\t\r\n"]{1,4096})/gm;
const MODE = /^(?:(?:old|new|deleted file|new file) mode|index [0-9a-f]+\.\.[0-9a-f]+) (120000|160000)\r?$/gm;

/**
 * The meaning of any line that looks like a header, whichever file it belongs to. It errs towards naming too much: a deleted
 * line can look like a header, too.
 */
export function headerSuspicions(patch: Buffer): Suspicion[] {
  const text = patch.toString("latin1");
  const found = new Map<string, Suspicion>();
  const add = (one: Suspicion): unknown => found.set(JSON.stringify(one), one);
  let left = MAX_HEADERS;
  for (const [, header] of text.matchAll(HEADER)) {
    if ((left -= 1) < 0) break;
    const name = must(header, "the name in a header");
    if (name === "/dev/null") continue;
    for (const one of [name, name.replace(/^[^/]*\//, "")].flatMap(pathSuspicions)) add(one);
  }
  for (const [, mode] of text.matchAll(MODE)) add({ kind: mode === "120000" ? "symlink" : "submodule" });
  return [...found.values()];
}

function namesOf({ path: name, previousPath }: PatchFile): string[] {
  return previousPath === undefined ? [name] : [previousPath, name];
}

function isEqual(one: Suspicion, other: Suspicion): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** No path of a project is as long, or as deep. */
const MAX_NAME = 4_096;
const MAX_DEPTH = 64;

function pathSuspicions(name: string): Suspicion[] {
  if (name.length > MAX_NAME || name.split(/[\\/]/, MAX_DEPTH + 1).length > MAX_DEPTH)
    return [{ kind: "malformed" }, { kind: "name" }];
  const segments = name.split(/[\\/]/);
  const found: Suspicion[] = [];
  if (/^(?:[\\/]|[a-z]:)/i.test(name) || segments.includes("..")) found.push({ kind: "outside" });
  const purpose = protectedPlace(segments.filter((segment) => segment !== ""));
  if (purpose !== undefined) found.push({ kind: "protected", purpose });
  const rule = sensitiveName(name);
  if (rule !== undefined) found.push({ kind: "sensitive", rule });
  if (name.split("/").some((segment) => nameProblem(segment) !== undefined)) found.push({ kind: "name" });
  return found;
}

function collisions(file: PatchFile, seen: Map<string, string>): Suspicion[] {
  let collides = false;
  for (const name of namesOf(file)) {
    const folded = name.slice(0, MAX_NAME).split("/", MAX_DEPTH).map(foldedSegment).join("/");
    const before = seen.get(folded);
    if (before !== undefined && before !== name) collides = true;
    seen.set(folded, name);
  }
  return collides ? [{ kind: "collision" }] : [];
}

function modeSuspicions({ oldMode, newMode, change }: PatchFile): Suspicion[] {
  const found: Suspicion[] = [];
  const modes = [oldMode, newMode].filter((mode) => mode !== undefined);
  if (modes.includes("120000")) found.push({ kind: "symlink" });
  if (modes.includes("160000")) found.push({ kind: "submodule" });
  const isRunnable = newMode !== undefined && newMode.startsWith("100") && /[1357]/.test(newMode.slice(3));
  const wasRunnable = change !== "added" && oldMode === newMode;
  if (isRunnable && !wasRunnable) found.push({ kind: "executable" });
  if (modes.some((mode) => !PLAIN_MODES.has(mode))) found.push({ kind: "mode" });
  return found;
}
