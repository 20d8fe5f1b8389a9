import { open, rm } from "node:fs/promises";
import { isFolder } from "../../runtime/places.ts";
import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import { writeFailure } from "../paths/failures.ts";
import { narrowName } from "../paths/names.ts";
import { CREATE_NEW, resolveSave } from "../paths/place.ts";
import { lexicalPath, NATIVE, type Flavour } from "../paths/roots.ts";

/** A transcript holds a conversation: nobody else on this machine needs to read it. */
const OWNER_ONLY = 0o600;

/**
 * Both names end so. An agent may be talked into a name, but not into a file that programs or agents look for by its name
 * (`CLAUDE.md`, `package.json`).
 */
const SUFFIX = ".transcript";

function refused(detail: string): TunnelError {
  return new TunnelError("transcript-not-saved", { detail });
}

/** The rules for received files hold here, too; the rule that was broken is the reason that is given. */
function refusal(thrown: unknown): TunnelError {
  const error = asTunnelError(thrown);
  if (error.code === "transcript-not-saved" || error.code === "internal") return error;
  return new TunnelError("transcript-not-saved", { detail: error.message, cause: error });
}

/** The path without its ending, inside `root`. @throws {TunnelError} transcript-not-saved */
export function stemOf(wanted: string, root: string, flavour: Flavour = NATIVE): string {
  const { path } = flavour;
  const stem = wanted.replace(/(?:\.transcript)?(?:\.json|\.md)?$/i, "");
  const relative = path.relative(root, lexical(stem, root, flavour));
  const steps = relative.split(path.sep);
  if (path.isAbsolute(relative) || steps[0] === "..") throw refused("that is outside the working directory");
  // A dot in front hides a file, and folders of tools begin with one. A colon opens a stream of another file on Windows.
  const isPlain = steps.every((step) => /^[^.\p{Cc}:][^\p{Cc}:]*$/u.test(step));
  if (!isPlain) throw refused("that name is not plain");
  return path.join(root, `${relative}${SUFFIX}`);
}

function lexical(stem: string, root: string, flavour: Flavour): string {
  try {
    return lexicalPath(stem, root, flavour);
  } catch (thrown) {
    throw refusal(thrown);
  }
}

/**
 * Writes a new file and nothing else: an existing one, also a link, is never touched, and no half of a file is left there.
 * @param root the one folder that counts. It is named as such, so that also a home is one: unlike a received file, this one
 *   has an ending of its own and lies in no folder of a tool.
 * @returns its path without symbolic links @throws {TunnelError} transcript-not-saved
 */
export async function saveText(root: string, file: string, text: string): Promise<string> {
  try {
    const place = await resolveSave(file, { cwd: root, roots: [root], overwrite: false });
    // It is passed on, and is to have the same name everywhere.
    const problem = place.renamed ?? narrowName(place.name);
    if (problem !== undefined) throw refused(problem);
    await writeNew(place.target, text);
    return place.target;
  } catch (thrown) {
    throw refusal(thrown);
  }
}

async function writeNew(file: string, text: string): Promise<void> {
  const handle = await open(file, CREATE_NEW, OWNER_ONLY).catch((error: unknown) => {
    throw writeFailure(error);
  });
  try {
    await handle.writeFile(text);
    await handle.close();
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(file, { force: true });
    throw writeFailure(error);
  }
}

/** Saves both forms, or neither; gives their paths. @throws {TunnelError} transcript-not-saved, working-directory-gone */
export async function saveTranscript(
  root: string,
  wanted: string,
  texts: { readonly json: string; readonly markdown: string },
): Promise<{ json: string; markdown: string }> {
  if (!isFolder(root)) throw new TunnelError("working-directory-gone");
  const stem = stemOf(wanted, root);
  const json = await saveText(root, `${stem}.json`, texts.json);
  try {
    return { json, markdown: await saveText(root, `${stem}.md`, texts.markdown) };
  } catch (error) {
    await rm(json, { force: true });
    throw error;
  }
}
