import { constants, type BigIntStats } from "node:fs";
import { lstat, open, realpath, type FileHandle } from "node:fs/promises";
import path from "node:path";

/** Rules of this machine for what may be seen, as they hold for files that are shared. */
export interface FolderRules {
  /**
   * The real path of a folder that may be exposed.
   * @throws {TunnelError} expose-folder-refused, path-invalid, root-missing, working-directory-gone
   */
  readonly folder: (typed: string) => Promise<string>;
  /** Why a file of this path holds secrets, by its names alone; undefined for any other. */
  readonly secretName: (file: string) => string | undefined;
}

export interface LocatedFile {
  readonly kind: "file";
  /** Whoever gets it closes it. */
  readonly handle: FileHandle;
  readonly stats: BigIntStats;
  /** Its last name, for its type. */
  readonly name: string;
}

export type Located =
  | LocatedFile
  /** A folder with a page of its own, asked for without the slash at the end. */
  | { readonly kind: "folder" }
  /** Nothing that is shown: missing and hidden are the same to a visitor. */
  | { readonly kind: "none" };

const NONE: Located = { kind: "none" };
const INDEX = "index.html";
const MAX_NAME_BYTES = 255;
/** `O_NONBLOCK`: opening a pipe must not wait for a writer. Both are undefined on Windows. */
const READ_ONLY = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * The file that a request means. It is read through the handle alone, which was checked after it was opened: nobody who exchanges
 * a folder for a link meanwhile gets another file out.
 * @param root the real path of the folder
 * @param pathname path of the request without its query, byte for byte
 */
export async function locate(
  root: string,
  pathname: string,
  isSecret: (file: string) => boolean,
): Promise<Located> {
  const names = namesIn(pathname);
  if (names === undefined) return NONE;
  const isFolderPath = names.at(-1) === "";
  const wanted = isFolderPath ? names.slice(0, -1) : names;
  if (!wanted.every(isShown)) return NONE;
  const found = await openShown(root, wanted, isSecret);
  if (found === "folder") {
    const index = await openShown(root, [...wanted, INDEX], isSecret);
    if (index === undefined || index === "folder") return NONE;
    if (isFolderPath) return index;
    await index.handle.close();
    return { kind: "folder" };
  }
  if (found === undefined) return NONE;
  if (!isFolderPath) return found;
  await found.handle.close();
  return NONE;
}

/** The names in a path, decoded one by one, so that `%2f` is never a separator; undefined for what is no path. */
function namesIn(pathname: string): readonly string[] | undefined {
  if (!pathname.startsWith("/")) return undefined;
  try {
    return pathname.slice(1).split("/").map(decodeURIComponent);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

/** Names that Windows gives to devices, whatever the extension; digits include the superscripts that it takes for them. */
const DEVICE = /^(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]) *(?:\.|$)/i;

/**
 * Whether a file of this name is ever shown: no dotfiles, and nothing that some system takes for another name (streams, dots and
 * spaces at the end, devices, separators). The same on every system: what is shown does not change with the machine.
 */
function isShown(name: string): boolean {
  return (
    name !== "" &&
    !name.startsWith(".") &&
    !/[\\/:\p{Cc}]|[. ]$/u.test(name) &&
    !DEVICE.test(name) &&
    Buffer.byteLength(name) <= MAX_NAME_BYTES
  );
}

async function openShown(
  root: string,
  names: readonly string[],
  isSecret: (file: string) => boolean,
): Promise<LocatedFile | "folder" | undefined> {
  const asked = path.join(root, ...names);
  const real = await unlessMissing(realpath(asked));
  if (real === undefined) return undefined;
  // Case, short names of Windows and links inside the folder may have led to a dotfile.
  if (real !== root && !namesBelow(root, real)?.every(isShown)) return undefined;
  const before = await unlessMissing(lstat(real, { bigint: true }));
  if (before?.isDirectory() === true) return "folder";
  // Looked at before it is opened: to open a device can do something.
  if (before?.isFile() !== true || real === root || isSecret(asked) || isSecret(real)) return undefined;
  const handle = await unlessMissing(open(real, READ_ONLY));
  if (handle === undefined) return undefined;
  const stats = await checked(handle, real).catch(async (error: unknown) => {
    await handle.close();
    throw error;
  });
  if (stats !== undefined) return { kind: "file", handle, stats, name: path.basename(real) };
  await handle.close();
  return undefined;
}

function namesBelow(root: string, real: string): readonly string[] | undefined {
  const way = path.relative(root, real);
  const isOutside = way === ".." || way.startsWith(`..${path.sep}`) || path.isAbsolute(way);
  return isOutside ? undefined : way.split(path.sep);
}

/** What was opened, if it is still the plain file at that path, on which no link leads. */
async function checked(handle: FileHandle, real: string): Promise<BigIntStats | undefined> {
  const stats = await handle.stat({ bigint: true });
  const [still, there] = await Promise.all([
    unlessMissing(realpath(real)),
    unlessMissing(lstat(real, { bigint: true })),
  ]);
  const isSame = still === real && there?.dev === stats.dev && there.ino === stats.ino;
  return stats.isFile() && isSame ? stats : undefined;
}

/** Errors of the system that mean no more to a visitor than that there is nothing to see. */
const MISSING = new Set(["ENOENT", "ENOTDIR", "ELOOP", "EACCES", "EPERM", "ENAMETOOLONG", "EINVAL", "ENXIO"]);

async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && "code" in error && MISSING.has(String(error.code))) return undefined;
    throw error;
  }
}
