import { must } from "../errors/must.ts";
import { toBase64url, toHex } from "../protocol/base/bytes.ts";
import type { FileOffer, PatchFacts } from "../protocol/files/offer.ts";
import type { OutlineLine, TreeFacts } from "../protocol/files/tree.ts";
import type { DownloadState, FileId, ReceivedFile } from "../session/files/files.ts";
import type { Preparation } from "../session/files/preparations.ts";
import { nameHere } from "../session/paths/held-name.ts";
import type { Session } from "../session/sessions.ts";
import { errorView, type ErrorView } from "./errors.ts";

/** A file as its offer describes it. The name is a label, never a path. */
export interface FileView {
  readonly fileId: FileId;
  readonly name: string;
  /** The name that it can have on this system, where that is another one. */
  readonly savesAs: string | undefined;
  /** Bytes. */
  readonly size: number;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly patch: PatchFacts | undefined;
  /** Of a folder: what it holds. Its hash is that of its list. */
  readonly tree: TreeView | undefined;
}

/** How much a folder holds: files, and bytes of all of them. */
export type TreeView = Pick<TreeFacts, "files" | "bytes">;

export function fileView({ id, name, size, hash, patch, tree }: FileOffer, isWindows?: boolean): FileView {
  const here = nameHere(name, isWindows);
  const savesAs = here === name ? undefined : here;
  return {
    fileId: toBase64url(id),
    name,
    savesAs,
    size,
    sha256: toHex(hash),
    patch,
    tree: tree && treeView(tree),
  };
}

function treeView({ files, bytes }: TreeFacts): TreeView {
  return { files, bytes };
}

/** One line of what a folder holds, as its sender says: a path, and its size. */
export function outlineText({ path, size, files }: OutlineLine): string {
  return files === undefined ? `${path} (${sizeText(size)})` : `${path} (${files} files, ${sizeText(size)})`;
}

/** A file of this side that is read before it is offered; `path` as it was asked for, undefined for a patch. */
interface PreparingView {
  readonly path: string | undefined;
  readonly patch: true | undefined;
  /** Bytes; undefined before the first is read, and for a patch. */
  readonly done?: number;
  readonly size?: number;
  readonly percent?: number;
}

export function preparingView({ path, state }: Pick<Preparation, "path" | "state">): PreparingView {
  const what = { path, patch: path === undefined ? (true as const) : undefined };
  if (state.name !== "preparing" || state.read === undefined) return what;
  const { done, total } = state.read;
  return { ...what, done, size: total, percent: Math.floor((done / Math.max(1, total)) * 100) };
}

/** How far a download is; bytes, and bytes per second. */
interface ProgressView {
  readonly received: number;
  readonly bytesPerSec: number;
  /** Undefined while nothing flows. */
  readonly etaSec: number | undefined;
  readonly waitingForSender: true | undefined;
}

export type Receiving = Extract<DownloadState, { name: "receiving" }>;

export function progressView({ received, bytesPerSecond, isFlowing }: Receiving, size: number): ProgressView {
  return {
    received,
    bytesPerSec: bytesPerSecond,
    etaSec: bytesPerSecond > 0 ? Math.ceil((size - received) / bytesPerSecond) : undefined,
    waitingForSender: isFlowing ? undefined : true,
  };
}

/** A file of somebody else on this side's disk, or meant to be. */
export interface ReceivedFileView {
  readonly fileId: FileId;
  readonly name: string;
  readonly size: number;
  readonly savePath: string;
}

export function receivedFileView({ target, ...file }: ReceivedFile): ReceivedFileView {
  return { ...file, savePath: target };
}

/** A file that this side fetches or has fetched, and how that stands. */
type ReceivingView = { readonly savePath: string } & Pick<FileView, "fileId" | "name" | "size"> &
  (
    | ({ readonly status: "receiving" } & ProgressView)
    | { readonly status: "received" }
    | { readonly status: "failed"; readonly error: ErrorView }
  );

/** A transfer to somebody who fetches a file of this side. */
interface SendingView {
  /** Undefined once that member has left. */
  readonly to: string | undefined;
  readonly sent: number;
  readonly bytesPerSec: number;
}

interface SharedView extends FileView {
  /** Left out while nobody fetches it. */
  readonly sending: readonly SendingView[] | undefined;
}

interface OfferedView extends FileView {
  readonly fromName: string;
  readonly seq: number;
  /** The file cannot be fetched any more. */
  readonly senderLeft: true | undefined;
}

/** Something that is on its way at this moment. */
export type TransferView =
  /** A file of this side is read for its hash, before it is offered. */
  | { readonly kind: "reading"; readonly path: string; readonly done: number; readonly size: number }
  | ({ readonly kind: "receiving" } & Pick<FileView, "fileId" | "name" | "size"> & ProgressView)
  | ({ readonly kind: "sending" } & Pick<FileView, "fileId" | "name" | "size"> & SendingView);

/** Every file of one tunnel, the newest last. */
export interface FilesView {
  readonly offered: readonly OfferedView[];
  readonly shared: readonly SharedView[];
  readonly receiving: readonly ReceivingView[];
}

export function filesView(tunnel: Pick<Session, "files" | "presence">): FilesView {
  const { files } = tunnel;
  const names = new Map<string, string>(tunnel.presence().map(({ id, name }) => [id, name]));
  return {
    offered: files.offered.map(({ entry }) => ({
      ...fileView(entry.offer),
      fromName: entry.fromName,
      seq: entry.seq,
      senderLeft: names.has(entry.from) ? undefined : true,
    })),
    shared: files.shares.map(({ offer }) => {
      const sending = files.serving
        .filter((one) => one.offer === offer)
        .map(({ who, sent, bytesPerSec }) => ({ to: names.get(who), sent, bytesPerSec }));
      return { ...fileView(offer), sending: sending.length > 0 ? sending : undefined };
    }),
    receiving: files.downloads.map(({ fileId, offer: { name }, total: size, target, state }) => {
      const file = { fileId, name, savePath: target, size };
      switch (state.name) {
        case "receiving":
          return { ...file, status: state.name, ...progressView(state, size) };
        case "done":
          return { ...file, status: "received" };
        case "failed":
          return { ...file, status: state.name, error: errorView(state.error) };
      }
    }),
  };
}

/** Offers that a status lists; older ones are found in the log. */
const MAX_OFFERED = 20;

/** The files for a status; nothing at all where no file was ever offered, shared or received. */
export function recentFiles(view: FilesView): FilesView | undefined {
  const { offered, shared, receiving } = view;
  if (offered.length + shared.length + receiving.length === 0) return undefined;
  return { ...view, offered: offered.slice(-MAX_OFFERED) };
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** A number of bytes for people. */
export function sizeText(bytes: number): string {
  const step = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 2 ** (step * 10);
  return `${step === 0 ? value : value.toFixed(1)} ${must(UNITS[step], "a unit")}`;
}
