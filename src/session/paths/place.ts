import { constants, type BigIntStats } from "node:fs";
import { lstat, readdir, realpath, stat } from "node:fs/promises";
import path from "node:path";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { codeOf, writeFailure } from "./failures.ts";
import { heldName } from "./held-name.ts";
import { foldedSegment, misleadingName, plainLabel } from "./names.ts";
import { protectedPlace } from "./protected.ts";
import { saveSpot, segmentsInRoots, type Reach } from "./roots.ts";

/** Opens a file that must be new. `O_NOFOLLOW` is undefined on Windows; a file that must be new is no link anyway. */
export const CREATE_NEW: number =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);

/**
 * Where a received file may go. The adversary is the peer, who has talked this side's agent into a path and sends the
 * bytes; it has no hands on this machine. Node has no `openat`, so between a check and the call that relies on it another
 * local program can still exchange a folder for a link: it could write there anyway.
 */
export interface SavePlace {
  /** The folder, without symbolic links. */
  readonly folder: string;
  readonly name: string;
  readonly target: string;
  readonly overwrite: boolean;
  /** Why its name is another one than was given; undefined where it is the same. */
  readonly renamed: string | undefined;
  /**
   * Everything once more, at the moment of committing: hours may have passed.
   * @returns the file that will be replaced, if there is one
   * @throws TunnelError
   */
  readonly recheck: () => Promise<Replaced | undefined>;
}

/** The file that is to be replaced, as far as its successor takes after it. */
export interface Replaced {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface SaveOptions extends Reach {
  readonly overwrite: boolean;
  /** The place is only named: whatever lies there stays unlooked at. */
  readonly isOnlyNamed?: boolean;
}

/**
 * @param savePath as this side's agent gave it, relative to the working directory or absolute; never what a peer said
 * @throws TunnelError `path-invalid`, `path-outside`, `path-protected`, `save-folder-missing`, `save-not-a-file`, `save-exists`
 */
export async function resolveSave(savePath: string, options: SaveOptions): Promise<SavePlace> {
  const { folder: wanted, name: given } = saveSpot(savePath, options.cwd);
  const problem = misleadingName(given);
  if (problem !== undefined) throw new TunnelError("path-invalid", { detail: problem });
  // Before the folder is looked for: nobody is to be told to make it.
  assertUnprotected([...path.relative(options.cwd, wanted).split(path.sep), given]);
  const folder = await realParent(wanted);
  const segments = await segmentsInRoots(folder, options);
  assertUnprotected([...segments, given]);
  const { name, renamed } = await heldName(given, folder);
  assertUnprotected([...segments, name]);
  const target = path.join(folder, name);
  if (options.isOnlyNamed !== true) await checkTarget(target, options.overwrite);
  const first = await stat(folder, { bigint: true });
  return {
    folder,
    name,
    target,
    overwrite: options.overwrite,
    renamed,
    async recheck() {
      if ((await realParent(folder)) !== folder || !isSame(first, await stat(folder, { bigint: true }))) {
        throw new TunnelError("path-outside", { detail: "the folder was exchanged meanwhile" });
      }
      await segmentsInRoots(folder, options);
      return await checkTarget(target, options.overwrite);
    },
  };
}

async function realParent(folder: string): Promise<string> {
  try {
    const real = await realpath(folder);
    if ((await stat(real)).isDirectory()) return real;
    throw new TunnelError("save-folder-missing", { detail: "what is there is not a folder" });
  } catch (error) {
    if (error instanceof TunnelError) throw error;
    const code = codeOf(error);
    if (code === "ELOOP")
      throw new TunnelError("path-outside", { detail: "symbolic links lead round in circles" });
    if (code === "ENAMETOOLONG")
      throw new TunnelError("path-invalid", { detail: "it is too long", cause: error });
    if (code === "ENOENT" || code === "ENOTDIR")
      throw new TunnelError("save-folder-missing", { cause: error });
    throw writeFailure(error);
  }
}

/** A link is refused wherever it leads, since it leads away from the place that the agent named. */
async function checkTarget(target: string, overwrite: boolean): Promise<Replaced | undefined> {
  const found = await lstat(target).catch((error: unknown) => {
    const code = codeOf(error);
    if (code === "ENOENT") return undefined;
    if (code === "ENAMETOOLONG")
      throw new TunnelError("path-invalid", { detail: "it is too long", cause: error });
    throw writeFailure(error);
  });
  if (found === undefined) return undefined;
  if (!found.isFile()) throw new TunnelError("save-not-a-file");
  if (!overwrite) throw new TunnelError("save-exists", await otherSpelling(target));
  // On Windows and macOS another spelling, a short one such as CLAUDE~1.MD included, may lead to a protected file.
  const purpose = protectedPlace([path.basename(await realpath(target))]);
  if (purpose !== undefined) throw new TunnelError("path-protected", { detail: purpose });
  return found;
}

/** Where case or the form of letters does not count, the file in the way has a name that nobody asked for. */
async function otherSpelling(target: string): Promise<{ detail?: string }> {
  const name = path.basename(target);
  const names = await readdir(path.dirname(target)).catch((): string[] => []);
  if (names.includes(name)) return {};
  const other = names.find((one) => foldedSegment(one) === foldedSegment(name));
  return other === undefined ? {} : { detail: `on this disk it is the same name as "${plainLabel(other)}"` };
}

function isSame(one: BigIntStats, other: BigIntStats): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

/** Outside the working directory only the part inside a root counts, which is not known yet. @throws {TunnelError} path-protected */
function assertUnprotected(segments: readonly string[]): void {
  const purpose = segments[0] === ".." ? undefined : protectedPlace(segments);
  if (purpose !== undefined) throw new TunnelError("path-protected", { detail: purpose });
}
