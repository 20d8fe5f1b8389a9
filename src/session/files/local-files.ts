import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { lstat, statfs } from "node:fs/promises";
import path from "node:path";
import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import { FILE } from "../../protocol/base/limits.ts";
import { isFileName, type PatchFacts } from "../../protocol/files/offer.ts";
import { contextOf, type GitContext } from "../git/context.ts";
import { inspectPatch, type PatchInspection } from "../git/inspect-patch.ts";
import { makePatch } from "../git/make-patch.ts";
import type { Environment } from "../git/run.ts";
import { IncomingFiles } from "./incoming.ts";
import { safeName } from "../paths/names.ts";
import { OutgoingFile } from "./outgoing.ts";
import { resolveSave } from "../paths/place.ts";
import type { FileSink, FileSource } from "./port.ts";
import { resolveShare } from "../paths/share.ts";

/** The places beside the working directory that a human has named. */
interface FileSettings {
  /** Folders into which received files may be saved. */
  readonly saveRoots: readonly string[];
  /** Folders from which files may be shared. */
  readonly shareRoots: readonly string[];
  /** Single files that may be shared although they look like a secret. */
  readonly shareAllow: readonly string[];
}

export interface LocalFilesOptions {
  /** The server's working directory. */
  readonly cwd: string;
  readonly home: string;
  readonly env: Environment;
  readonly config: FileSettings;
}

/** Something to share, and how the others are shown it. */
export interface Shareable {
  readonly name: string;
  readonly source: FileSource;
  readonly patch?: PatchFacts;
}

/** The bytes of all patches that one process shares: they are made for the moment and kept in memory. */
const MAX_PATCH_BYTES = 64 * 1024 * 1024;

/** This machine's side of sharing and receiving: the files that may be read, and the places for those that come. */
export class LocalFiles {
  readonly #options: LocalFilesOptions;
  readonly #incoming = new IncomingFiles();
  #patchBytes = 0;

  constructor(options: LocalFilesOptions) {
    this.#options = options;
  }

  /** The working directory that was handed in. */
  get cwd(): string {
    return this.#options.cwd;
  }

  /** A text that changes when the file at a path does; nothing is read. The same for every path where there is none. */
  traceOf(given: string): string {
    const found = statSync(path.resolve(this.cwd, given), { bigint: true, throwIfNoEntry: false });
    return found === undefined ? "" : [found.ino, found.size, found.mtimeNs].join(" ");
  }

  /** @throws {TunnelError} path-*, share-*, cancelled */
  async share(
    given: string,
    options: { signal: AbortSignal; onProgress: (done: number, total: number) => void },
  ): Promise<Shareable> {
    const { cwd, home, config } = this.#options;
    const reach = { cwd, home, roots: config.shareRoots, allow: config.shareAllow };
    const found = await resolveShare(given, reach);
    if (found.identity.size > FILE.maxBytes) throw new TunnelError("share-too-large");
    const file = await OutgoingFile.open(found, options);
    const { size, sha256 } = file;
    const read = (offset: number, length: number): Promise<Uint8Array> => file.read(offset, length);
    const close = (): Promise<void> => Promise.resolve();
    return { name: labelOf(file.name), source: { size, sha256, read, close } };
  }

  /**
   * The change of the repository in the working directory as a patch.
   * @throws {TunnelError} git-unavailable, patch-*, share-sensitive, share-limit, cancelled
   */
  async patch(range: string | undefined, signal: AbortSignal): Promise<Shareable> {
    const { cwd, home, env, config } = this.#options;
    const made = await makePatch(cwd, {
      env,
      home,
      allow: config.shareAllow,
      signal,
      ...(range === undefined ? {} : { range }),
    });
    const { bytes, baseCommit, diffstat } = made;
    if (this.#patchBytes + bytes.length > MAX_PATCH_BYTES) throw new TunnelError("share-limit");
    this.#patchBytes += bytes.length;
    const source: FileSource = {
      size: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
      read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
      close: () => {
        this.#patchBytes -= bytes.length;
        return Promise.resolve();
      },
    };
    const name = labelOf(`${path.basename(cwd)}-${(baseCommit ?? "start").slice(0, 8)}.patch`);
    return {
      name,
      source,
      patch: { ...diffstat, ...(baseCommit === undefined ? {} : { base: baseCommit }) },
    };
  }

  /** The path that a file would get, without symbolic links; it names a transfer. @throws {TunnelError} path-*, save-folder-missing, save-not-a-file */
  async targetOf(savePath: string): Promise<string> {
    return (await this.#place(savePath, true)).target;
  }

  /** @throws {TunnelError} path-*, save-*, disk-full */
  async sink(savePath: string, overwrite: boolean, size: number): Promise<FileSink> {
    const place = await this.#place(savePath, overwrite);
    await assertRoom(place.folder, size);
    const file = await this.#incoming.create(place);
    return {
      write: (contents) => file.write(...contents),
      commit: (sha256) => file.commit(sha256),
      abort: () => file.abort(),
    };
  }

  /** Whether a file of this size lies there. */
  async isThere(target: string, size: number): Promise<boolean> {
    const found = await lstat(target).catch(() => undefined);
    return found?.isFile() === true && found.size === size;
  }

  /** The effect that a received patch would have here, as far as that can be told; it is never applied. */
  async inspect(file: string, baseCommit: string | undefined): Promise<PatchInspection> {
    const { cwd, home, env } = this.#options;
    try {
      return await inspectPatch(cwd, file, {
        env,
        home,
        ...(baseCommit === undefined ? {} : { baseCommit }),
      });
    } catch (thrown) {
      // It was received all the same: an inspection that fails is no failure to receive.
      const isLarge = asTunnelError(thrown).code === "patch-too-large";
      const applies = { kind: "unknown", reason: isLarge ? "too-large" : "git-failed" } as const;
      const counts = { fileCount: 0, insertions: 0, deletions: 0 };
      return { files: [], ...counts, suspicions: ["malformed"], base: "not-given", applies };
    }
  }

  /** The repository of the working directory, if that is one. */
  context(): Promise<GitContext | undefined> {
    const { cwd, home, env } = this.#options;
    return contextOf(cwd, { env, home });
  }

  /** Leaves no half of a file behind, also when the process has to end now. */
  close(): void {
    this.#incoming.removeAll();
  }

  #place(savePath: string, overwrite: boolean): ReturnType<typeof resolveSave> {
    const { cwd, home, config } = this.#options;
    return resolveSave(savePath, { cwd, home, roots: config.saveRoots, overwrite });
  }
}

/** A name as the others may be shown it (T4). */
function labelOf(name: string): string {
  return [name, safeName(name)].find((label) => isFileName(label)) ?? "unnamed";
}

/** Better refused now than when the disk is full for everybody. @throws {TunnelError} disk-full */
async function assertRoom(folder: string, size: number): Promise<void> {
  const disk = await statfs(folder).catch(() => undefined);
  // Some disks do not say how much room they have.
  if (disk === undefined || disk.blocks === 0) return;
  if (disk.bavail * disk.bsize < size) throw new TunnelError("disk-full");
}
