import { statSync } from "node:fs";
import { lstat } from "node:fs/promises";
import path from "node:path";
import { isFolder } from "../../runtime/places.ts";
import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import { FILE } from "../../protocol/base/limits.ts";
import type { MemberId } from "../../protocol/base/ids.ts";
import { toBase64url, type Bytes } from "../../protocol/base/bytes.ts";
import type { FileOffer, PatchFacts } from "../../protocol/files/offer.ts";
import type { TreeEntry, TreeFacts } from "../../protocol/files/tree.ts";
import { contextOf, type GitContext } from "../git/context.ts";
import { inspectPatch, type PatchInspection } from "../git/inspect-patch.ts";
import type { Outbound } from "../../oversight/filter/verdict.ts";
import { inspectCommits, type CommitsInspection } from "../commits/inspect-commits.ts";
import { makeCommits } from "../commits/make-commits.ts";
import { makePatch, type Patch } from "../git/make-patch.ts";
import type { Environment } from "../git/run.ts";
import { gather, type Gathered, type LeftOutEntry } from "../folders/gather.ts";
import { type IncomingFile, IncomingFiles } from "./incoming.ts";
import { IncomingTrees } from "../folders/incoming-tree.ts";
import { nameHere } from "../paths/held-name.ts";
import { misleadingName, safeName } from "../paths/names.ts";
import { changeOf, labelOf } from "../paths/offered-name.ts";
import { OutgoingFile } from "./outgoing.ts";
import { resolveSave, type SavePlace } from "../paths/place.ts";
import { isPartOf, removePart } from "../paths/unfinished.ts";
import type { Examined, TextScanner } from "../saying/judging.ts";
import type { FileOrigin, FileSink, FileSource } from "./port.ts";
import { faultBehind, firstRoot, segmentsInRoots } from "../paths/roots.ts";
import { resolveShare } from "../paths/share.ts";
import { ReceivedContents } from "../folders/received-contents.ts";
import { assertRoom } from "../folders/room.ts";
import { treeSource } from "./tree-source.ts";

/** The places beside the working directory that a human has named. */
interface FileSettings {
  /** Folders into which received files may be saved. */
  readonly saveRoots: readonly string[];
  /** Folders from which files may be shared. */
  readonly shareRoots: readonly string[];
  /** Single files that may be shared although their names say that they hold secrets. */
  readonly shareAllow: readonly string[];
}

export interface LocalFilesOptions {
  /** The server's working directory. */
  readonly cwd: string;
  readonly home: string;
  readonly env: Environment;
  readonly config: FileSettings;
  /** Content goes through it while it is hashed: nothing is offered without its word. */
  readonly scanner: Pick<TextScanner, "openContent">;
}

/** Something to share, and how the others are shown it. */
export interface Shareable {
  readonly name: string;
  /** Why the others are shown another name than the file has here; undefined where it is the same. */
  readonly renamed?: string | undefined;
  readonly source: FileSource;
  readonly patch?: PatchFacts;
  /** Beside the facts that the others are told: where the change begins and ends, and what is not in the patch. */
  readonly change?: ChangeFacts;
  readonly tree?: TreeFacts;
  /** Of a tree: all that is in it, and what is not. */
  readonly contents?: TreeContentsView;
}

/** A tree that this side offers, as its own people are told of it. */
export interface TreeContentsView extends Pick<Gathered, "ignored" | "renamed"> {
  readonly entries: readonly TreeEntry[];
  readonly leftOut: readonly LeftOutEntry[];
}

/** Where an earlier process had the bytes of an offer from, and at which gates it was. */
export type KeptOrigin =
  | Exclude<FileOrigin, { kind: "made" }>
  | ({ readonly kind: "made"; readonly where: Outbound; readonly bytes: () => Bytes | undefined } & Pick<
      Examined,
      "gates" | "reasons"
    >);

export type ChangeFacts = Pick<Patch, "base" | "head" | "leftOut" | "notes">;

/** A received patch, and where it holds commits what `git am` would do with them. */
export type ReceivedPatch = PatchInspection & { readonly commits?: CommitsInspection };

/** Where a received file is to go. */
export interface SaveWish {
  readonly savePath: string;
  readonly overwrite: boolean;
  readonly only?: readonly string[] | undefined;
  /** The unfinished one that an earlier process has left. */
  readonly part?: string | undefined;
  /** Told of the unfinished one before it is there. */
  readonly onPart?: ((part: string) => void) | undefined;
}

/** Where a received file goes. */
export interface SaveTarget {
  readonly target: string;
  /** Why its name is another one than was given; undefined where it is the same. */
  readonly renamed: string | undefined;
}

/** The bytes of all patches and texts that one process shares: they are made for the moment and kept in memory. */
const MAX_MADE_BYTES = 64 * 1024 * 1024;

/** This machine's side of sharing and receiving: the files that may be read, and the places for those that come. */
export class LocalFiles {
  readonly #options: LocalFilesOptions;
  readonly #incoming = new IncomingFiles();
  readonly #trees = new IncomingTrees();
  readonly #received = new ReceivedContents();
  #madeBytes = 0;
  #saveFolder: { readonly is: string | undefined } | undefined;

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

  /** @throws {TunnelError} path-invalid, share-*, root-missing, working-directory-gone, scan-failed, cancelled */
  async share(
    given: string,
    options: { signal: AbortSignal; onProgress: (done: number, total: number) => void },
  ): Promise<Shareable> {
    const { cwd, home, config, scanner } = this.#options;
    const reach = { cwd, home, roots: config.shareRoots, allow: config.shareAllow };
    const found = await resolveShare(given, reach).catch((thrown: unknown) => {
      throw faultBehind(thrown, { ...reach, given, kind: "shareRoots" });
    });
    if (found.identity.size > FILE.maxBytes) throw new TunnelError("share-too-large");
    const file = new OutgoingFile(found);
    const { size } = file;
    const verdict = await file.examine(scanner.openContent("file", size), options);
    const { file: place, gates, reasons } = found;
    const source: FileSource = {
      examined: { path: place, gates, reasons, verdict },
      size,
      sha256: verdict.digest,
      origin: { kind: "file", paths: [path.resolve(cwd, given)] },
      read: (offset, length) => file.read(offset, length),
      close: () => Promise.resolve(),
    };
    const name = labelOf(file.name);
    return { name, renamed: changeOf(file.name, name), source };
  }

  /**
   * One plain file as it is, anything else as a tree.
   * @throws {TunnelError} as {@link share} and {@link tree}
   */
  async shareAny(
    given: readonly string[],
    options: { signal: AbortSignal; onProgress: (done: number, total: number) => void },
  ): Promise<Shareable> {
    const [only] = given;
    const isOne = only !== undefined && given.length === 1;
    if (!isOne || isFolder(path.resolve(this.cwd, only))) return await this.tree(given, options);
    return await this.share(only, options);
  }

  /**
   * Files and folders as one tree. What must not go is left out and named.
   * @throws {TunnelError} share-*, git-missing, git-failed, working-directory-gone, scan-failed, cancelled
   */
  async tree(
    given: readonly string[],
    options: { signal: AbortSignal; onProgress: (done: number, total: number) => void },
  ): Promise<Shareable> {
    const { cwd, home, env, config, scanner } = this.#options;
    if (!isFolder(cwd) && !given.every((one) => path.isAbsolute(one)))
      throw new TunnelError("working-directory-gone");
    const reach = { cwd, home, roots: config.shareRoots, allow: config.shareAllow };
    const { signal } = options;
    const gathered = await gather(given, { ...reach, ignore: { env, home, signal } });
    const { source, facts, entries, leftOut } = await treeSource(gathered, { scanner, ...options });
    const { name, ignored, renamed } = gathered;
    const origin = { kind: "tree", paths: given.map((one) => path.resolve(cwd, one)) } as const;
    return {
      name,
      source: { ...source, origin },
      tree: facts,
      contents: { entries, leftOut, ignored, renamed },
    };
  }

  /**
   * The change of the repository in the working directory as a patch.
   * @throws {TunnelError} working-directory-gone, git-*, patch-*, share-unreadable, share-limit, scan-failed, cancelled
   */
  async patch(range: string | undefined, signal: AbortSignal, asCommits = false): Promise<Shareable> {
    const { cwd, home, env, config } = this.#options;
    if (!isFolder(cwd)) throw new TunnelError("working-directory-gone");
    const options = { env, home, allow: config.shareAllow, signal };
    const made =
      range !== undefined && asCommits
        ? await makeCommits(cwd, { ...options, range })
        : await makePatch(cwd, { ...options, ...(range === undefined ? {} : { range }) });
    const { bytes, baseCommit, diffstat, base, head, leftOut, notes, sensitive, binary } = made;
    const source = await this.#made("patch", bytes, {
      gates: [
        ...(sensitive.length === 0 ? [] : (["sensitive-file"] as const)),
        ...(binary.length === 0 ? [] : (["not-scanned"] as const)),
      ],
      reasons: [...sensitive, ...binary],
    });
    const name = labelOf(
      `${path.basename(cwd)}-${(baseCommit ?? "start").slice(0, 8)}.${asCommits ? "mbox" : "patch"}`,
    );
    return {
      name,
      source,
      patch: { ...diffstat, ...(baseCommit === undefined ? {} : { base: baseCommit }) },
      change: { base, head, leftOut, notes },
    };
  }

  /**
   * What an earlier process has offered, if it is still that: it is read as a whole once more, before its first byte goes.
   * @param offer its encoded offer
   */
  again(origin: KeptOrigin, { size, hash }: FileOffer): FileSource {
    const sha256 = Buffer.from(hash).toString("hex");
    // Bytes that lie beside a journal count as those in memory do: another process brings no other limit.
    const counted = origin.kind === "made" ? size : 0;
    this.#madeBytes += counted;
    const isCounted = counted > 0;
    let finding: Promise<FileSource> | undefined;
    const source = (): Promise<FileSource> => (finding ??= this.asOffered(origin, { hash }, isCounted));
    return {
      examined: {
        path: origin.kind === "made" ? this.cwd : (origin.paths[0] ?? ""),
        gates: [],
        reasons: [],
        verdict: { kind: "clear", digest: sha256 },
      },
      size,
      sha256,
      read: async (offset, length) => (await source()).read(offset, length),
      close: async () => {
        this.#madeBytes -= counted;
        await (await finding?.catch(() => undefined))?.close();
      },
    };
  }

  /**
   * The same, read now: with the guards for paths and the search for secrets as for a new offer.
   * @throws {TunnelError} share-changed, share-gone, and as {@link share}, {@link tree} and {@link text}
   */
  async asOffered(
    origin: KeptOrigin,
    { hash }: Pick<FileOffer, "hash">,
    isCounted = false,
  ): Promise<FileSource> {
    const source = await this.#from(origin, isCounted);
    if (source.sha256 === Buffer.from(hash).toString("hex")) return source;
    await source.close();
    throw new TunnelError("share-changed");
  }

  async #from(origin: KeptOrigin, isCounted: boolean): Promise<FileSource> {
    const options = { signal: new AbortController().signal, onProgress: () => undefined };
    switch (origin.kind) {
      case "file":
        return (await this.share(origin.paths[0] ?? "", options)).source;
      case "tree":
        return (await this.tree(origin.paths, options)).source;
      case "made": {
        const bytes = origin.bytes();
        if (bytes === undefined) throw new TunnelError("share-gone");
        return await this.#made(origin.where, bytes, { ...origin, isCounted });
      }
    }
  }

  /** A text that is no file here. @throws {TunnelError} share-limit, scan-failed */
  async text(name: string, text: string): Promise<Shareable> {
    return { name: labelOf(name), source: await this.#made("file", Buffer.from(text)) };
  }

  async #made(
    where: Outbound,
    bytes: Uint8Array,
    {
      gates,
      reasons,
      isCounted = false,
    }: Pick<Examined, "gates" | "reasons"> & { readonly isCounted?: boolean } = { gates: [], reasons: [] },
  ): Promise<FileSource> {
    const { cwd, scanner } = this.#options;
    const counted = isCounted ? 0 : bytes.length;
    if (counted > 0 && this.#madeBytes + counted > MAX_MADE_BYTES) throw new TunnelError("share-limit");
    const scan = scanner.openContent(where, bytes.length);
    await scan.write(bytes);
    const verdict = await scan.end();
    this.#madeBytes += counted;
    return {
      examined: { path: cwd, gates, reasons, verdict },
      size: bytes.length,
      sha256: verdict.digest,
      origin: { kind: "made", where, bytes },
      read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
      close: () => {
        this.#madeBytes -= counted;
        return Promise.resolve();
      },
    };
  }

  /**
   * The absolute path under which a file that somebody offers could be saved: in the working directory, or in the first folder
   * that a human has named where the working directory is too wide. By the text of its name alone: whether it can be saved
   * there is found out when it is. Undefined where no folder may be used.
   */
  placeFor(offered: string): string | undefined {
    const { cwd, home, config } = this.#options;
    this.#saveFolder ??= { is: firstRoot({ cwd, home, roots: config.saveRoots }) };
    const name = nameHere(misleadingName(offered) === undefined ? offered : safeName(offered));
    return this.#saveFolder.is && path.join(this.#saveFolder.is, name);
  }

  /**
   * The path that a file would get, without symbolic links; it names a transfer.
   * @param isTree a folder may lie there: the one that was received
   * @throws {TunnelError} path-*, save-folder-missing, save-not-a-file
   */
  async targetOf(savePath: string, isTree = false): Promise<SaveTarget> {
    const { target, renamed } = await this.#place(savePath, true, isTree);
    return { target, renamed };
  }

  /**
   * The same for a path that somebody has to agree to: they must have been shown the place itself.
   * @throws {TunnelError} save-path-not-whole, naming the whole one, and whatever else is wrong with the place
   */
  async wholeTargetOf(savePath: string, overwrite: boolean, isTree = false): Promise<string> {
    const { target, renamed } = await this.targetOf(savePath, isTree);
    if (isSamePath(savePath, target)) return target;
    // They were shown the place, and a name that this disk cannot hold: the result says what it has become.
    const isShown = renamed !== undefined && isSamePath(path.dirname(savePath), path.dirname(target));
    if (isShown) return target;
    await this.#place(savePath, overwrite);
    throw new TunnelError("save-path-not-whole", { detail: target });
  }

  /**
   * @param only of a tree: paths of its list
   * @throws {TunnelError} path-*, save-*, disk-full
   */
  async sink(wish: SaveWish, offer: FileOffer, owner: MemberId): Promise<FileSink> {
    const { savePath, overwrite, part, onPart } = wish;
    if (offer.tree !== undefined) return await this.#treeSink({ ...offer, tree: offer.tree }, wish, owner);
    const { size, hash } = offer;
    const found = await this.#place(savePath, overwrite);
    // A file of the name that it gets instead is not the one that was to be replaced.
    const place = found.renamed === undefined ? found : await this.#place(savePath, false);
    await assertRoom(place.folder, size);
    const file = await this.#fileIn(place, { part, onPart }, size);
    return {
      part: file.part,
      received: file.position,
      leave: () => file.leave(),
      write: (contents) => file.write(...contents),
      commit: async (sha256) => {
        this.#received.add(owner, toBase64url(hash), await file.commit(sha256));
      },
      abort: () => file.abort(),
    };
  }

  /** What an earlier process has left of it is gone on with, or removed. */
  async #fileIn(
    place: SavePlace,
    { part, onPart }: Pick<SaveWish, "part" | "onPart">,
    size: number,
  ): Promise<IncomingFile> {
    if (part !== undefined && isPartOf(part, place.folder)) {
      try {
        return await this.#incoming.resume(place, part, size);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
      }
    }
    if (part !== undefined) await removePart(part);
    return this.#incoming.create(place, onPart);
  }

  /** A folder is never replaced, whatever is asked for. */
  async #treeSink(
    offer: FileOffer & { readonly tree: TreeFacts },
    { savePath, only, part, onPart }: SaveWish,
    owner: MemberId,
  ): Promise<FileSink> {
    const { cwd, home, config } = this.#options;
    const place = await this.#place(savePath, false);
    const isHere = part !== undefined && isPartOf(part, place.folder);
    if (part !== undefined && !isHere) await removePart(part);
    const segments = [
      ...(await segmentsInRoots(place.folder, { cwd, home, roots: config.saveRoots })),
      place.name,
    ];
    return await this.#trees.create({
      offer,
      place,
      segments,
      only,
      left: isHere ? part : undefined,
      onPart,
      known: (hash) => this.#received.find(owner, hash),
      saved: (hash, file) => this.#received.add(owner, hash, file),
    });
  }

  /** Whether a file of this size lies there, or the folder of a tree. */
  async isThere(target: string, { size, tree }: FileOffer): Promise<boolean> {
    const found = await lstat(target).catch(() => undefined);
    return tree === undefined
      ? found?.isFile() === true && found.size === size
      : found?.isDirectory() === true;
  }

  /** The effect that a received patch would have here, as far as that can be told; it is never applied. */
  async inspect(file: string, baseCommit: string | undefined): Promise<ReceivedPatch> {
    const { cwd, home, env } = this.#options;
    try {
      const options = { env, home, ...(baseCommit === undefined ? {} : { baseCommit }) };
      const inspection = await inspectPatch(cwd, file, options);
      if (!inspection.isMail) return inspection;
      const commits = await inspectCommits(cwd, file, options);
      return { ...inspection, applies: commits.applies, commits };
    } catch (thrown) {
      // It was received all the same: an inspection that fails is no failure to receive.
      const isLarge = asTunnelError(thrown).code === "patch-too-large";
      const applies = { kind: "unknown", reason: isLarge ? "too-large" : "git-failed" } as const;
      const counts = { fileCount: undefined, insertions: undefined, deletions: undefined };
      const nothing = { files: [], ...counts, command: undefined, told: undefined };
      return { ...nothing, isMail: false, suspicions: ["malformed"], base: "not-given", applies };
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
    this.#trees.removeAll();
  }

  #place(savePath: string, overwrite: boolean, isOnlyNamed = false): ReturnType<typeof resolveSave> {
    const { cwd, home, config } = this.#options;
    const reach = { cwd, home, roots: config.saveRoots };
    return resolveSave(savePath, { ...reach, overwrite, isOnlyNamed }).catch((thrown: unknown) => {
      throw faultBehind(thrown, { ...reach, given: savePath, kind: "saveRoots" });
    });
  }
}

/** Windows and macOS know a file by its name in any case. */
const fold = (file: string): string =>
  process.platform === "linux" ? file : file.normalize("NFC").toLowerCase();

/** Whether a path is written as the place that it leads to: absolute, and not over a link. */
function isSamePath(given: string, target: string): boolean {
  return path.isAbsolute(given) && fold(path.normalize(given)) === fold(target);
}
