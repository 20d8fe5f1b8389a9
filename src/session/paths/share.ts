import { constants, type BigIntStats } from "node:fs";
import { lstat, open, realpath } from "node:fs/promises";
import path from "node:path";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Gate } from "../../oversight/gates/gates.ts";
import { readFailure } from "./failures.ts";
import { lexicalPath, NATIVE, outsideRoots, type Reach } from "./roots.ts";
import { sensitiveName } from "./sensitive.ts";

export interface ShareOptions extends Reach {
  /** Absolute paths of single files that may be shared although their names say that they hold secrets. */
  readonly allow: readonly string[];
}

/** Tells whether a file is still the same one, and unchanged: the system's own record, not the path. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
}

export interface ShareSource {
  /** Without symbolic links. */
  readonly file: string;
  /** Its own name, which another system may not be able to hold. */
  readonly name: string;
  readonly identity: FileIdentity;
  /** Those at which its names and its place put it, before anything of it is read. */
  readonly gates: readonly Gate[];
  /** What it is about them, for a person. */
  readonly reasons: readonly string[];
}

/** `O_NONBLOCK`: opening a pipe must not wait for somebody to write into it. Both are undefined on Windows. */
export const READ_ONLY: number =
  constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * A file that may be offered to the others, perhaps once a person has said so.
 * @throws TunnelError `path-invalid`, `share-not-found`, `share-not-a-file`, `share-unreadable`
 */
export async function resolveShare(sharePath: string, options: ShareOptions): Promise<ShareSource> {
  const wanted = pathOf(sharePath, options.cwd);
  const file = await realpath(wanted).catch((error: unknown) => {
    const failure = readFailure(error);
    const isLossy = failure.code === "share-not-found" && sharePath.includes(REPLACEMENT);
    throw isLossy ? new TunnelError("share-not-found", { detail: NOT_UTF8, cause: error }) : failure;
  });
  const found = await plainFile(file);
  const place = await outsideRoots(file, options);
  const name = (await isAllowed(options.allow))(file) ? undefined : sensitiveBy([wanted, file], found);
  return {
    file,
    name: path.basename(file),
    identity: identityOf(found),
    gates: [
      ...(place.isOutside ? (["outside-roots"] as const) : []),
      ...(name === undefined ? [] : (["sensitive-file"] as const)),
    ],
    reasons: [place.reason, name].filter((reason) => reason !== undefined),
  };
}

/** Looked at before it is opened as well: to open a device can do something. */
async function plainFile(file: string): Promise<BigIntStats> {
  try {
    if (!(await lstat(file)).isFile()) throw new TunnelError("share-not-a-file");
    const handle = await open(file, READ_ONLY);
    try {
      const found = await handle.stat({ bigint: true });
      if (!found.isFile()) throw new TunnelError("share-not-a-file");
      return found;
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw readFailure(error);
  }
}

const REPLACEMENT = "\u{fffd}";
const NOT_UTF8 = "a name that is no UTF-8 cannot be given; rename the file first";

/** Files of this machine may have control characters in their names, but for NUL. @throws {TunnelError} path-invalid */
export function pathOf(given: string, cwd: string): string {
  const plain = lexicalPath(given.replaceAll(/(?!\0)\p{Cc}/gu, "_"), cwd);
  return NATIVE.windows ? plain : path.resolve(cwd, given);
}

export function identityOf({ dev, ino, size, mtimeNs }: BigIntStats): FileIdentity {
  return { dev, ino, size, mtimeNs };
}

/** Exactly these files: their paths, or those that lead to them. */
export async function isAllowed(allow: readonly string[]): Promise<(file: string) => boolean> {
  const real = await Promise.all(allow.map((allowed) => realpath(allowed).catch(() => undefined)));
  return (file) => real.includes(file);
}

/** By both names, since either may be the telling one: `notes.txt` may lead to `.env`, and `.env` to `settings.txt`. */
export function sensitiveBy(names: readonly string[], { nlink }: BigIntStats): string | undefined {
  const rule = names.map(sensitiveName).find((broken) => broken !== undefined);
  // Its other names cannot be looked up, and one of them may be `.ssh/id_rsa`.
  return rule ?? (nlink > 1n ? LINKED : undefined);
}

const LINKED = "it has several names (hard links), and another one may be that of a secret";
