import { realpathSync } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import path from "node:path";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { homeDirectory, isFolder } from "../../runtime/places.ts";
import { isDeviceName } from "./names.ts";

/** The folders that a tool call may reach. */
export interface Reach {
  /** The working directory of the server: relative paths begin here, and it is a root of its own. */
  readonly cwd: string;
  /** Further roots, which a human has named. */
  readonly roots: readonly string[];
  /** Home of the user: as a working directory it is too wide to be a root. */
  readonly home?: string;
}

export interface Flavour {
  readonly path: path.PlatformPath;
  /** Whether the rules of Windows for drives, streams and devices hold. */
  readonly windows: boolean;
}

export const NATIVE: Flavour = { path, windows: process.platform === "win32" };

/** Far above what a project has, below what the systems take. */
const MAX_PATH_CHARS = 4_096;

/**
 * The absolute path that was meant, by its text alone.
 * @throws TunnelError `path-invalid`
 */
export function lexicalPath(given: string, cwd: string, flavour: Flavour = NATIVE): string {
  const problem = pathProblem(given, flavour);
  if (problem !== undefined) throw new TunnelError("path-invalid", { detail: problem });
  return flavour.path.resolve(cwd, given);
}

/**
 * The folder and the last name of a path to save at, by its text alone. The rules of Windows for a path do not hold for that
 * name: it is given another one where need be.
 * @throws TunnelError `path-invalid`
 */
export function saveSpot(
  given: string,
  cwd: string,
  flavour: Flavour = NATIVE,
): { readonly folder: string; readonly name: string } {
  // `basename` would take `a/` for `a`.
  const at = Math.max(given.lastIndexOf("/"), flavour.windows ? given.lastIndexOf("\\") : -1) + 1;
  const [before, name] = [given.slice(0, at), given.slice(at)];
  lexicalPath(given, cwd, { ...flavour, windows: false });
  if (flavour.windows && at === 0 && /^[a-z]:/i.test(name))
    throw new TunnelError("path-invalid", { detail: COLON });
  return { folder: flavour.path.dirname(lexicalPath(`${before}name`, cwd, flavour)), name };
}

const COLON = "a colon may only follow the drive letter, as in C:\\folder\\file";

function pathProblem(given: string, flavour: Flavour): string | undefined {
  if (given === "") return "it is empty";
  if (given.length > MAX_PATH_CHARS) return "it is too long";
  if (/\p{Cc}/u.test(given)) return "it contains control characters";
  if (/^~(?:$|[\\/])/.test(given)) return "`~` is not expanded";
  const segments = given.split(flavour.windows ? /[\\/]+/ : /\/+/);
  if (segments.includes("..")) return "`..` is not followed";
  if (!flavour.windows) return undefined;
  if (/^[\\/]{2}/.test(given))
    return "network and device paths are not followed; use a drive letter or a relative path";
  if (/^[\\/]/.test(given)) return "it lacks the drive letter";
  const rest = given.replace(/^[a-z]:[\\/]/i, "");
  if (rest.includes(":")) return COLON;
  if (segments.some(isDeviceName)) return "it contains the name of a device";
  if (segments.some((segment) => segment !== "." && /[. ]$/.test(segment)))
    return "a name in it ends with a dot or a space";
  return undefined;
}

/** Whether `target` is `folder` or lies in it. Both must be real paths. */
export function isWithin(folder: string, target: string, flavour: Flavour = NATIVE): boolean {
  const way = flavour.path.relative(folder, target);
  return way !== ".." && !way.startsWith(`..${flavour.path.sep}`) && !flavour.path.isAbsolute(way);
}

/**
 * Whether a folder holds more than a project: the root of a file system, a home, or the folder of homes. Some clients start
 * their servers in `/` or in the home of the user, and everything would then be "in the working directory".
 */
export function isTooWide(folder: string, home: string, flavour: Flavour = NATIVE): boolean {
  return flavour.path.parse(folder).root === folder || isWithin(folder, home, flavour);
}

/** The roots that exist, without symbolic links; read anew for every call, since they may be moved meanwhile. */
async function realRoots({
  cwd,
  roots,
  home = homeDirectory(),
}: Reach): Promise<{ roots: string[]; tooWide: boolean }> {
  const [own, realHome, ...named] = await Promise.all([cwd, home, ...roots].map(realFolder));
  const tooWide = own !== undefined && isTooWide(own, realHome ?? home);
  const usable = tooWide ? named : [own, ...named];
  return { roots: usable.filter((root) => root !== undefined), tooWide };
}

/** The folders that a human has named, by the setting that names them. */
export interface NamedRoots {
  readonly saveRoots: readonly string[];
  readonly shareRoots: readonly string[];
}

const NAMED_BY = { saveRoots: "TUNNEL_SAVE_ROOTS", shareRoots: "TUNNEL_SHARE_ROOTS" } as const;

/** Long enough for every usual path, and for all of it where somebody has set a strange one. */
const MAX_SHOWN_CHARS = 200;

function missingRoot(setting: string, root: string): TunnelError {
  const shown = root.replace(/\p{C}/gu, "?").slice(0, MAX_SHOWN_CHARS);
  return new TunnelError("root-missing", { detail: `${setting} names ${shown}` });
}

/** An error `root-missing` for each folder that is named and is not there. */
export function missingRoots(named: NamedRoots): TunnelError[] {
  return (["saveRoots", "shareRoots"] as const).flatMap((kind) =>
    named[kind].filter((root) => !isFolder(root)).map((root) => missingRoot(NAMED_BY[kind], root)),
  );
}

const OF_PLACES = new Set(["save-folder-missing", "path-outside", "share-not-found"]);

/**
 * The error of a call that has failed for its path: where that leads into a folder that should be there and is not, this is
 * what to tell. Any other error stays as it is.
 */
export function faultBehind(
  thrown: unknown,
  { given, cwd, roots, kind }: Reach & { readonly given: string; readonly kind: keyof NamedRoots },
  flavour: Flavour = NATIVE,
): unknown {
  if (!(thrown instanceof TunnelError) || !OF_PLACES.has(thrown.code)) return thrown;
  const { path: paths } = flavour;
  const wanted = paths.resolve(cwd, given);
  const missing = roots.find((root) => isWithin(paths.resolve(root), wanted, flavour) && !isFolder(root));
  if (missing !== undefined) return missingRoot(NAMED_BY[kind], missing);
  const isBelowCwd = !paths.isAbsolute(given) || isWithin(cwd, wanted, flavour);
  return isBelowCwd && !isFolder(cwd) ? new TunnelError("working-directory-gone") : thrown;
}

async function realFolder(folder: string): Promise<string | undefined> {
  try {
    const real = await realpath(folder);
    return (await stat(real)).isDirectory() ? real : undefined;
  } catch {
    // A root that is not there allows nothing.
    return undefined;
  }
}

/** The working directory, where it is no more than a project, or else the first root that is there; without symbolic links. */
export function firstRoot({ cwd, roots, home = homeDirectory() }: Reach): string | undefined {
  const [own, realHome, ...named] = [cwd, home, ...roots].map(realFolderNow);
  return own === undefined || isTooWide(own, realHome ?? home) ? named.find((one) => one !== undefined) : own;
}

function realFolderNow(folder: string): string | undefined {
  try {
    return realpathSync.native(folder);
  } catch {
    // A folder that is not there is no place to save into.
    return undefined;
  }
}

/**
 * The names on the way from the nearest root to `real`, a path without symbolic links. The nearest, because a human who
 * works in `.claude/worktrees/one`, or names it, means what is in it.
 * @throws TunnelError `path-outside`
 */
export async function segmentsInRoots(real: string, reach: Reach): Promise<string[]> {
  const { nearest, tooWide } = await nearestRoot(real, reach);
  if (nearest === undefined) throw new TunnelError("path-outside", tooWide ? { detail: TOO_WIDE } : {});
  return path
    .relative(nearest, real)
    .split(path.sep)
    .filter((segment) => segment !== "");
}

/** Whether `real`, a path without symbolic links, lies in no root; `reason` where that is for more than its place. */
export async function outsideRoots(
  real: string,
  reach: Reach,
): Promise<{ readonly isOutside: boolean; readonly reason: string | undefined }> {
  const { nearest, tooWide } = await nearestRoot(real, reach);
  const isOutside = nearest === undefined;
  return { isOutside, reason: isOutside && tooWide ? TOO_WIDE : undefined };
}

/** Whether a path without symbolic links lies in one of the roots, as they are now. */
export async function rootsOf(reach: Reach): Promise<(real: string) => boolean> {
  const { roots } = await realRoots(reach);
  return (real) => roots.some((root) => isWithin(root, real));
}

async function nearestRoot(
  real: string,
  reach: Reach,
): Promise<{ readonly nearest: string | undefined; readonly tooWide: boolean }> {
  const { roots, tooWide } = await realRoots(reach);
  const [nearest] = roots
    .filter((root) => isWithin(root, real))
    .sort((one, other) => other.length - one.length);
  return { nearest, tooWide };
}

const TOO_WIDE =
  "the server was started in a home or at the top of a disk, which is too wide to be allowed as a whole";
