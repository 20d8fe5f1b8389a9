import { open, realpath, rm } from "node:fs/promises";
import path, { type PlatformPath } from "node:path";
import { TunnelError } from "../../protocol/errors.ts";

/** A transcript holds what was said: nobody else on this machine needs to read it. */
const OWNER_ONLY = 0o600;

/**
 * Both names end so: whatever somebody may talk an agent into, no file that programs or agents look for by its name
 * (`CLAUDE.md`, `package.json`) can come of a peer's words.
 */
export const SUFFIX = ".transcript";

function refused(detail: string): TunnelError {
  return new TunnelError("transcript-not-saved", { detail });
}

/** The path without its ending, inside `root`. @throws {TunnelError} transcript-not-saved */
export function stemOf(wanted: string, root: string, paths: PlatformPath = path): string {
  const stem = wanted.replace(/(?:\.transcript)?(?:\.json|\.md)?$/i, "");
  const relative = paths.relative(root, paths.resolve(root, stem));
  const steps = relative.split(paths.sep);
  if (paths.isAbsolute(relative) || steps[0] === "..") throw refused("that is outside the working directory");
  // A dot in front hides a file, and folders of tools begin with one. A colon opens a stream of another file on Windows.
  const isPlain = steps.every((step) => /^[^.\p{Cc}:][^\p{Cc}:]*$/u.test(step));
  if (!isPlain) throw refused("that name is not plain");
  return paths.join(root, `${relative}${SUFFIX}`);
}

/**
 * Writes a new file and nothing else: an existing one, also a link, is never touched.
 * @throws {TunnelError} transcript-not-saved
 */
export async function saveText(root: string, file: string, text: string): Promise<void> {
  try {
    const home = await realpath(root);
    const folder = await realpath(path.dirname(file));
    const relative = path.relative(home, folder);
    // A folder in the working directory may be a link that leads out of it.
    if (path.isAbsolute(relative) || relative.split(path.sep)[0] === "..")
      throw refused("that is outside the working directory");
    const handle = await open(path.join(folder, path.basename(file)), "wx", OWNER_ONLY);
    try {
      await handle.writeFile(text);
    } finally {
      await handle.close();
    }
  } catch (thrown) {
    throw thrown instanceof TunnelError ? thrown : refused(causeOf(thrown));
  }
}

const CAUSES: Readonly<Record<string, string>> = {
  EEXIST: "a file of that name exists already",
  ENOENT: "its folder does not exist",
  ENOTDIR: "its folder does not exist",
  EACCES: "the system does not allow it",
  EPERM: "the system does not allow it",
  EROFS: "the system does not allow it",
  ENOSPC: "the disk is full",
  ENAMETOOLONG: "the name is too long",
};

function causeOf(thrown: unknown): string {
  if (!(thrown instanceof Error) || !("code" in thrown) || typeof thrown.code !== "string") throw thrown;
  return CAUSES[thrown.code] ?? thrown.code;
}

/** Saves both forms, or neither; gives their paths. @throws {TunnelError} transcript-not-saved */
export async function saveTranscript(
  root: string,
  wanted: string,
  texts: { readonly json: string; readonly markdown: string },
): Promise<{ json: string; markdown: string }> {
  const stem = stemOf(wanted, root);
  const [json, markdown] = [`${stem}.json`, `${stem}.md`];
  await saveText(root, json, texts.json);
  try {
    await saveText(root, markdown, texts.markdown);
  } catch (error) {
    await rm(json, { force: true });
    throw error;
  }
  return { json, markdown };
}
