import { Buffer } from "node:buffer";
import { constants, type BigIntStats } from "node:fs";
import { open, realpath, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { readFailure } from "./failures.ts";
import { lexicalPath, NATIVE, segmentsInRoots, type Reach } from "./roots.ts";
import { SCANNED_BYTES, sensitiveContent, sensitiveName } from "./sensitive.ts";

export interface ShareOptions extends Reach {
  /** Absolute paths of single files that a human lets through. */
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
}

/** `O_NONBLOCK`: opening a pipe must not wait for somebody to write into it. Both are undefined on Windows. */
export const READ_ONLY: number =
  constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * A file that may be offered to the others.
 * @throws TunnelError `path-invalid`, `path-outside`, `share-not-found`, `share-not-a-file`, `share-unreadable`, `share-sensitive`
 */
export async function resolveShare(sharePath: string, options: ShareOptions): Promise<ShareSource> {
  const wanted = pathOf(sharePath, options.cwd);
  const file = await realpath(wanted).catch((error: unknown) => {
    const failure = readFailure(error);
    const isLossy = failure.code === "share-not-found" && sharePath.includes(REPLACEMENT);
    throw isLossy ? new TunnelError("share-not-found", { detail: NOT_UTF8, cause: error }) : failure;
  });
  await segmentsInRoots(file, options);
  const handle = await open(file, READ_ONLY).catch((error: unknown) => {
    throw readFailure(error);
  });
  try {
    const found = await handle.stat({ bigint: true });
    if (!found.isFile()) throw new TunnelError("share-not-a-file");
    if (!(await isAllowed(file, options.allow))) await refuseSensitive([wanted, file], handle, found);
    return { file, name: path.basename(file), identity: identityOf(found) };
  } catch (error) {
    throw readFailure(error);
  } finally {
    await handle.close();
  }
}

const REPLACEMENT = "\u{fffd}";
const NOT_UTF8 = "a name that is no UTF-8 cannot be given; rename the file first";

/** Files of this machine may have control characters in their names, but for NUL. @throws {TunnelError} path-invalid */
function pathOf(given: string, cwd: string): string {
  const plain = lexicalPath(given.replaceAll(/(?!\0)\p{Cc}/gu, "_"), cwd);
  return NATIVE.windows ? plain : path.resolve(cwd, given);
}

export function identityOf({ dev, ino, size, mtimeNs }: BigIntStats): FileIdentity {
  return { dev, ino, size, mtimeNs };
}

/** Exactly this file: its path, or one that leads to it. */
async function isAllowed(file: string, allow: readonly string[]): Promise<boolean> {
  for (const allowed of allow) {
    const real = await realpath(allowed).catch(() => undefined);
    if (real === file) return true;
  }
  return false;
}

/** By both names, since either may be the telling one: `notes.txt` may lead to `.env`, and `.env` to `settings.txt`. */
async function refuseSensitive(names: string[], handle: FileHandle, found: BigIntStats): Promise<void> {
  const rule = names.map(sensitiveName).find((broken) => broken !== undefined);
  if (rule !== undefined) throw new TunnelError("share-sensitive", { detail: rule });
  // Its other names cannot be looked up, and one of them may be `.ssh/id_rsa`.
  if (found.nlink > 1n) throw new TunnelError("share-sensitive", { detail: LINKED });
  const inside = sensitiveContent(await readHead(handle));
  if (inside !== undefined) throw new TunnelError("share-sensitive", { detail: inside });
}

const LINKED =
  "it has several names (hard links), and another one may be that of a secret; a copy has only one";

async function readHead(handle: FileHandle): Promise<Buffer> {
  const head = Buffer.alloc(SCANNED_BYTES);
  let length = 0;
  while (length < head.length) {
    const { bytesRead } = await handle.read(head, length, head.length - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return head.subarray(0, length);
}
