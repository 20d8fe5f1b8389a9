import { lstat } from "node:fs/promises";
import path from "node:path";
import { INPUT_LIMITS, limitText } from "../../errors/base/limits.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { plainLabel } from "../paths/names.ts";
import { namesIn, outputOf, PATCH, readable } from "./diff.ts";
import { filtersOf, LFS } from "./filters.ts";
import type { LeftOut } from "./left-out.ts";
import { runGit, type GitCall } from "./run.ts";

export interface Untracked {
  /** In latin1. */
  readonly files: readonly string[];
  readonly leftOut: readonly LeftOut[];
}

const LIMITS = {
  /** Files of one folder that a human could still mean to send. */
  maxFiles: 1_000,
  maxBytes: INPUT_LIMITS.patchBytes,
} as const;

/** Folders that a tool fills, and that nobody commits. */
const FILLED = new Set([
  "node_modules",
  "bower_components",
  "__pycache__",
  ".venv",
  "venv",
  "site-packages",
  ".tox",
  ".gradle",
  ".terraform",
]);

/**
 * The files that no commit holds and that are not ignored.
 * @throws {TunnelError} patch-untracked with the folder, git-failed, cancelled
 */
export async function untrackedOf(call: GitCall): Promise<Untracked> {
  const list = ["ls-files", "--others", "--exclude-standard", "-z"];
  const result = await runGit(list, { ...call, maxBytes: PATCH.maxListBytes });
  if (result.kind === "too-large") {
    const [folder = ""] = await wholeFolders(call);
    throw tooMuch(folder, "very many files");
  }
  const names = namesIn(outputOf(result));
  const unreadable = result.kind === "done" ? unreadableFolders(result.stderr.toString("utf8")) : [];
  // A name that ends with a slash is a repository of its own.
  const isRepository = (name: string): boolean => name.endsWith("/");
  const files = names.filter((name) => !isRepository(name));
  await refuseHeaps(call, files);
  return {
    files,
    leftOut: [
      ...names
        .filter(isRepository)
        .map((name) => ({ path: readable(name), why: "nested-repository" as const })),
      ...unreadable.map((name) => ({ path: name, why: "unreadable" as const })),
    ],
  };
}

/** @throws {TunnelError} patch-untracked */
async function refuseHeaps(call: GitCall, files: readonly string[]): Promise<void> {
  for (const name of files) {
    const segments = name.split("/").slice(0, -1);
    const at = segments.findIndex((segment) => FILLED.has(segment));
    if (at !== -1) throw tooMuch(`${segments.slice(0, at + 1).join("/")}/`, "what a tool has put there");
  }
  if (files.length <= LIMITS.maxFiles && !(await isOver(call, files))) return;
  const whole = new Set(await wholeFolders(call));
  const [tooMany] = [...heapsOf(files, whole)].filter(([, names]) => names.length > LIMITS.maxFiles);
  if (tooMany !== undefined) throw tooMuch(tooMany[0], `more than ${LIMITS.maxFiles} files`);
  if ((await tooLarge(call, files, whole)) === undefined) return;
  // The pointers that go in place of content are small.
  const filters = await filtersOf(call, files);
  const kept = files.filter((name) => filters.get(name) !== LFS);
  const folder = await tooLarge(call, kept, whole);
  if (folder !== undefined) throw tooMuch(folder, `more than ${limitText(LIMITS.maxBytes)}`);
}

/** The files by the untracked folder in which they lie. */
function heapsOf(files: readonly string[], whole: ReadonlySet<string>): Map<string, string[]> {
  const heaps = new Map<string, string[]>();
  for (const name of files) {
    const folder = folderOf(name, whole);
    if (folder === undefined) continue;
    const heap = heaps.get(folder);
    if (heap === undefined) heaps.set(folder, [name]);
    else heap.push(name);
  }
  return heaps;
}

async function tooLarge(
  call: GitCall,
  files: readonly string[],
  whole: ReadonlySet<string>,
): Promise<string | undefined> {
  for (const [folder, names] of heapsOf(files, whole)) if (await isOver(call, names)) return folder;
  return undefined;
}

async function isOver(call: GitCall, files: readonly string[]): Promise<boolean> {
  let bytes = 0;
  for (const name of files) {
    const found = await lstat(path.join(call.cwd, readable(name))).catch(() => undefined);
    bytes += found?.size ?? 0;
    if (bytes > LIMITS.maxBytes) return true;
  }
  return false;
}

/** The folders in which nothing is tracked, each with a slash at its end. */
async function wholeFolders(call: GitCall): Promise<string[]> {
  const list = ["ls-files", "--others", "--exclude-standard", "--directory", "-z"];
  const result = await runGit(list, { ...call, maxBytes: PATCH.maxListBytes });
  return namesIn(outputOf(result)).filter((name) => name.endsWith("/"));
}

function folderOf(name: string, folders: ReadonlySet<string>): string | undefined {
  for (let at = name.indexOf("/"); at !== -1; at = name.indexOf("/", at + 1)) {
    const folder = name.slice(0, at + 1);
    if (folders.has(folder)) return folder;
  }
  return undefined;
}

function tooMuch(folder: string, what: string): TunnelError {
  const name = readable(folder);
  return new TunnelError("patch-untracked", {
    detail: `${plainLabel(name, 200)} holds ${what}; the line for .gitignore is \`${ignoreLine(name)}\``,
  });
}

/** Anchored, but for a folder that every part of a project may have. */
function ignoreLine(folder: string): string {
  const last = folder.split("/").at(-2) ?? "";
  const pattern = FILLED.has(last) ? `${last}/` : `/${folder}`;
  return plainLabel(pattern.replaceAll(/[\\*?[\]]/g, "\\$&"), 400);
}

function unreadableFolders(words: string): string[] {
  return [...words.matchAll(/^warning: could not open directory '(.+?)': /gm)].map(([, name = ""]) => name);
}

/** Files and folders that are ignored: how many, and the first of them. A folder counts once. */
export async function ignoredOf(call: GitCall): Promise<{ count: number; first: string[] } | undefined> {
  const list = ["ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"];
  const result = await runGit(list, { ...call, maxBytes: PATCH.maxListBytes });
  if (result.kind !== "done" || result.exitCode !== 0) return undefined;
  const names = namesIn(result.stdout);
  if (names.length === 0) return undefined;
  return { count: names.length, first: names.slice(0, 5).map((name) => plainLabel(readable(name), 100)) };
}
