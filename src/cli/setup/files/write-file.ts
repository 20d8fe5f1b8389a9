import { randomBytes } from "node:crypto";
import { chmod, chown, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import { Unusable } from "../formats/config-text.ts";
import { backupOf } from "./leavings.ts";

/** A new text for a file. */
export interface FileEdit {
  /** The real file, never a link to it. */
  readonly target: string;
  /** The text that the file must still have at the time of writing; undefined: there is no file yet. */
  readonly before: string | undefined;
  /** Undefined: the file goes, since it held nothing but our entry. */
  readonly after: string | undefined;
  readonly mode: number | undefined;
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Whether the text before is worth keeping. One that was ours alone is not. */
  readonly keepsOld: boolean;
  /** Whether the file that was saved earlier goes, too, since it is ours alone. */
  readonly dropsBackup: boolean;
}

/** Clients keep keys in these files: a new one is for the user alone. */
const NEW_FILE_MODE = 0o600;

/**
 * Carries out an edit in one step, and saves the old text beside it.
 * @returns the path of the saved file; undefined where there was nothing to save
 * @throws {Unusable} when the file has changed since it was read, or cannot be written
 */
export async function writeEdit(edit: FileEdit): Promise<string | undefined> {
  const { target, before, after, keepsOld, dropsBackup } = edit;
  try {
    await checkUnchanged(edit);
    if (before === undefined) await mkdir(path.dirname(target), { recursive: true });
    const backup = before !== undefined && keepsOld ? backupOf(target) : undefined;
    if (backup !== undefined && before !== undefined) await replaceFile(backup, before, edit);
    if (after === undefined) await rm(target);
    else await replaceFile(target, after, edit, () => checkUnchanged(edit));
    if (dropsBackup) await rm(backupOf(target), { force: true });
    return backup;
  } catch (error) {
    if (error instanceof Unusable) throw error;
    const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
    throw new Unusable(`it cannot be written${code}`);
  }
}

async function checkUnchanged({ target, before }: FileEdit): Promise<void> {
  if ((await currentText(target)) !== before) throw new Unusable("it was changed by something else just now");
}

async function currentText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** A reader sees the old file or the new one, never half of one. Mode and owner stay as they were. */
async function replaceFile(
  file: string,
  text: string,
  { mode = NEW_FILE_MODE, owner }: FileEdit,
  lastLook: () => Promise<void> = async () => undefined,
): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const handle = await open(temporary, "wx", mode);
    try {
      await handle.writeFile(text);
      await handle.sync();
      const { uid, gid } = await handle.stat();
      if (owner !== undefined && (owner.uid !== uid || owner.gid !== gid))
        await chown(temporary, owner.uid, owner.gid).catch(() => {
          throw new Unusable("it belongs to somebody else");
        });
    } finally {
      await handle.close();
    }
    await chmod(temporary, mode); // the umask may have taken some of it
    await lastLook();
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
