import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readFile } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { namesAsInput, namesIn, outputOf, PATCH, readable } from "./diff.ts";
import { gitText, runGit, type GitCall } from "./run.ts";

/** The filter of git's own documentation that keeps large files elsewhere; its form is known, so that it need not be run. */
export const LFS = "lfs";

/** The filters through which these files go (`.gitattributes`), by name in latin1; those without one are left out. */
export async function filtersOf(call: GitCall, names: readonly string[]): Promise<Map<string, string>> {
  const filters = new Map<string, string>();
  if (names.length === 0) return filters;
  const result = await runGit(["check-attr", "-z", "--stdin", "filter"], {
    ...call,
    input: namesAsInput(names),
    maxBytes: PATCH.maxListBytes,
  });
  if (result.kind !== "done" || result.exitCode !== 0) return filters;
  const parts = namesIn(result.stdout);
  for (let index = 0; index + 2 < parts.length; index += 3) {
    const [name = "", , value = ""] = parts.slice(index, index + 3);
    if (!["unspecified", "unset", "set"].includes(value)) filters.set(name, value);
  }
  return filters;
}

/** Whether git has a program for this filter. */
export async function isConfigured(call: GitCall, filter: string): Promise<boolean> {
  for (const key of ["process", "clean"]) {
    const value = await gitText(["config", "--get", `filter.${filter}.${key}`], call);
    if (value !== undefined && value !== "") return true;
  }
  return false;
}

const VERSION = "version https://git-lfs.github.com/spec/v1\n";
/** Larger files are no pointers (git-lfs's own limit). */
const MAX_POINTER_BYTES = 1_024;

/**
 * Puts the pointers of these files into the index of the scratch, in place of their content, which git then does not look at:
 * the change is that of the pointers, as `git status` sees it with LFS at work. They are made here (docs/spec.md of git-lfs),
 * since its program may be missing, and a repository may extend it by programs of its own.
 * @param names in latin1
 * @param modes of the index, by name
 */
export async function stagePointers(
  scratch: GitCall,
  names: readonly string[],
  modes: ReadonlyMap<string, string>,
): Promise<void> {
  const knowsModes =
    (await gitText(["config", "--type=bool", "--get", "core.fileMode"], scratch)) !== "false";
  const staged: string[] = [];
  const entries: string[] = [];
  for (const name of names) {
    const file = path.join(scratch.cwd, readable(name));
    const found = await lstat(file).catch(() => undefined);
    if (found?.isFile() !== true) continue;
    const input = await pointerOf(file, found.size);
    const written = outputOf(await runGit(["hash-object", "-w", "--stdin"], { ...scratch, input }));
    const seen = (found.mode & 0o100) === 0 ? "100644" : "100755";
    const mode = knowsModes ? seen : (modes.get(name) ?? "100644");
    entries.push(`${mode} ${written.toString("latin1").trim()}\t${name}`);
    staged.push(name);
  }
  if (staged.length === 0) return;
  outputOf(
    await runGit(["update-index", "--add", "-z", "--index-info"], {
      ...scratch,
      input: namesAsInput(entries),
    }),
  );
  await hide(scratch, staged);
}

/** git takes the working tree to be as the index says. */
export async function hide(scratch: GitCall, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  const args = ["update-index", "--assume-unchanged", "-z", "--stdin"];
  outputOf(await runGit(args, { ...scratch, input: namesAsInput(names) }));
}

async function pointerOf(file: string, size: number): Promise<Buffer> {
  if (size === 0) return Buffer.alloc(0);
  if (size <= MAX_POINTER_BYTES) {
    const content = await readFile(file);
    if (content.toString("latin1").startsWith(VERSION)) return content;
  }
  const hash = createHash("sha256");
  let bytes = 0;
  await pipeline(createReadStream(file), async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  });
  return Buffer.from(`${VERSION}oid sha256:${hash.digest("hex")}\nsize ${bytes}\n`);
}

/** Whether a part of a patch changes a pointer. */
export function isPointerChange(part: Buffer): boolean {
  return /^[ +-]version https:\/\/git-lfs\.github\.com\/spec\/v1\r?$/m.test(
    part.toString("latin1", 0, 64 * 1024),
  );
}
