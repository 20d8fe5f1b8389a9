import { createHash } from "node:crypto";
import { must } from "../../errors/must.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Gate } from "../../oversight/gates/gates.ts";
import type { NotScanned, Verdict } from "../../oversight/filter/verdict.ts";
import { concat, type Bytes } from "../../protocol/base/bytes.ts";
import { FILE, TREE } from "../../protocol/base/limits.ts";
import {
  encodeTree,
  inOrder,
  isTreeFile,
  layoutOf,
  outlineOf,
  type TreeEntry,
  type TreeFacts,
  type TreeFile,
} from "../../protocol/files/tree.ts";
import type { Gathered, GatheredFile, LeftOutEntry } from "../folders/gather.ts";
import type { TextScanner } from "../saying/judging.ts";
import { atOnce } from "../folders/at-once.ts";
import { OutgoingFile, SMALL_BYTES } from "./outgoing.ts";
import type { FileSource } from "./port.ts";
import { Slices } from "../folders/slices.ts";

/** A tree as it was when it was shared, and what of it does not go. */
export interface TreeShare {
  readonly source: FileSource;
  readonly facts: TreeFacts;
  readonly entries: readonly TreeEntry[];
  readonly leftOut: readonly LeftOutEntry[];
}

interface ExaminedFile {
  readonly entry: TreeFile;
  readonly file: OutgoingFile;
  readonly notScanned: NotScanned | undefined;
}

/** Files that are read and searched at once. */
const MAX_EXAMINED = 8;
/** Files that are read at once for a receiver. */
const MAX_READ = 16;
/** Files without a search that a person is told of by name. */
const MAX_NAMED = 20;

/**
 * Reads every file of a tree once, through the filter. One with a secret, or that cannot be read, is left out and named.
 * @throws {TunnelError} share-nothing-left, share-too-large, share-too-many, scan-failed, cancelled
 */
export async function treeSource(
  gathered: Gathered,
  {
    scanner,
    signal,
    onProgress,
  }: {
    scanner: Pick<TextScanner, "openContent">;
    signal: AbortSignal;
    onProgress: (done: number, total: number) => void;
  },
): Promise<TreeShare> {
  const leftOut = [...gathered.leftOut];
  const examined: ExaminedFile[] = [];
  const total = gathered.files.reduce((sum, { source }) => sum + Number(source.identity.size), 0);
  let done = 0;
  await atOnce(MAX_EXAMINED, gathered.files, async (one) => {
    const found = await examine(one, scanner, signal);
    if ("why" in found) leftOut.push({ path: one.path, why: found.why });
    else examined.push(found);
    done += Number(one.source.identity.size);
    onProgress(done, total);
  });
  const entries = inOrder<TreeEntry>([
    ...examined.map(({ entry }) => entry),
    ...gathered.emptyFolders.map((path) => ({ path, size: 0 })),
  ]);
  if (entries.length === 0) {
    const first = must(leftOut[0], "what is left out");
    throw new TunnelError("share-nothing-left", { detail: `${first.path}: ${first.why}` });
  }
  const list = encodeTree(entries);
  if (list.length > TREE.maxListBytes) throw new TunnelError("share-too-many");
  const verdict = await verdictOnNames(entries, list, scanner);
  const files = entries.filter(isTreeFile);
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  if (bytes + list.length > FILE.maxBytes) throw new TunnelError("share-too-large");
  const content = new TreeContents(list, files, new Map(examined.map(({ entry, file }) => [entry, file])));
  const gates: readonly Gate[] = examined.some(({ notScanned }) => notScanned !== undefined)
    ? ["not-scanned"]
    : [];
  const source: FileSource = {
    examined: {
      path: gathered.place,
      gates: [...gathered.gates, ...gates],
      reasons: [`a folder of ${files.length} files`, ...notScannedIn(examined)],
      verdict,
    },
    size: content.size,
    sha256: createHash("sha256").update(list).digest("hex"),
    read: (offset, length) => content.read(offset, length),
    close: () => Promise.resolve(),
  };
  const facts = { list: list.length, files: files.length, bytes, outline: outlineOf(entries) };
  return { source, facts, entries, leftOut: inOrder(leftOut) };
}

/** @throws {TunnelError} scan-failed, cancelled */
async function examine(
  { path, source }: GatheredFile,
  scanner: Pick<TextScanner, "openContent">,
  signal: AbortSignal,
): Promise<ExaminedFile | { readonly why: string }> {
  const file = new OutgoingFile(source);
  const verdict = await file
    .examine(scanner.openContent("file", file.size), { signal, isOneOfMany: true })
    .catch((thrown: unknown) => {
      const isOfFile = thrown instanceof TunnelError && thrown.code.startsWith("share-");
      if (!isOfFile) throw thrown;
      return thrown;
    });
  if (verdict instanceof TunnelError) return { why: verdict.message };
  if (verdict.kind === "found") {
    const [first] = verdict.findings;
    return { why: `${first?.rule ?? "a secret"} in it` };
  }
  const hash = Buffer.from(verdict.digest, "hex").toString("base64url");
  const notScanned = verdict.kind === "not-scanned" ? verdict.reason : undefined;
  return { entry: { path, size: file.size, hash }, file, notScanned };
}

function notScannedIn(examined: readonly ExaminedFile[]): string[] {
  const named = examined.flatMap(({ entry, notScanned }) =>
    notScanned === undefined ? [] : [`${entry.path}: not searched (${notScanned})`],
  );
  const more =
    named.length > MAX_NAMED ? [`and ${named.length - MAX_NAMED} more that were not searched`] : [];
  return [...named.slice(0, MAX_NAMED), ...more];
}

/** A secret may stand in a path. The digest is that of the list, to which all content is bound. @throws {TunnelError} scan-failed */
async function verdictOnNames(
  entries: readonly TreeEntry[],
  list: Bytes,
  scanner: Pick<TextScanner, "openContent">,
): Promise<Verdict> {
  const scan = scanner.openContent("file-name");
  await scan.write(Buffer.from(entries.map(({ path }) => `${path}\n`).join("")));
  const digest = createHash("sha256").update(list).digest("hex");
  return { ...(await scan.end()), digest };
}

/** The content of an offer of a tree (B9): its list, then each content once. */
class TreeContents {
  readonly size: number;
  readonly #list: Bytes;
  /** In order, each with the first of its files; where it begins in the whole. */
  readonly #parts: readonly { readonly offset: number; readonly size: number; readonly file: OutgoingFile }[];
  readonly #files: readonly OutgoingFile[];

  constructor(list: Bytes, files: readonly TreeFile[], fileOf: ReadonlyMap<TreeEntry, OutgoingFile>) {
    const layout = must(layoutOf(files), "hashes of this side");
    const firsts = new Map<string, OutgoingFile>();
    for (const entry of files) firsts.set(entry.hash, must(fileOf.get(entry), "the file of an entry"));
    this.#list = list;
    this.#files = [...fileOf.values()];
    this.#parts = Array.from(layout.contents.values(), ({ hash, size, offset }) => {
      return { offset: list.length + offset, size, file: must(firsts.get(hash), "the file of a content") };
    });
    this.size = list.length + layout.bytes;
  }

  /** @throws {TunnelError} share-changed, share-gone, share-unreadable */
  async read(offset: number, length: number): Promise<Bytes> {
    const end = Math.min(offset + length, this.size);
    // Nothing at the beginning is asked for to see whether all is as it was.
    if (offset === 0 && length === 0) {
      await atOnce(MAX_READ, this.#files, (file) => file.read(0, 0));
      return new Uint8Array(0);
    }
    const pieces: Bytes[] = [this.#list.subarray(offset, end)];
    const reads: {
      readonly at: number;
      readonly file: OutgoingFile;
      readonly from: number;
      readonly bytes: number;
    }[] = [];
    for (let index = this.#partAt(offset); index < this.#parts.length; index += 1) {
      const part = must(this.#parts[index], "a part");
      if (part.offset >= end) break;
      const from = Math.max(0, offset - part.offset);
      reads.push({ at: index, file: part.file, from, bytes: Math.min(part.size, end - part.offset) - from });
    }
    const contents = new Map<number, Bytes>();
    const slices = new Slices();
    for (const { at, file, from, bytes } of reads) {
      contents.set(at, bytes > SMALL_BYTES ? await file.read(from, bytes) : file.readNow(from, bytes));
      if (slices.isOver) await slices.turn();
    }
    for (const { at } of reads) pieces.push(must(contents.get(at), "a piece"));
    return concat(...pieces);
  }

  /** The first part that ends behind `offset`. */
  #partAt(offset: number): number {
    let [low, high] = [0, this.#parts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const part = must(this.#parts[middle], "a part");
      if (part.offset + part.size <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
