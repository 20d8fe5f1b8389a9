import { toBase64url } from "../../../protocol/base/bytes.ts";
import { asTunnelError, TunnelError } from "../../../errors/tunnel-error.ts";
import type { FileOffer } from "../../../protocol/files/offer.ts";
import type { Clock } from "../../../runtime/clock.ts";
import type { Download, DownloadState, FileId, Files } from "../../../session/files/files.ts";
import type { LocalFiles } from "../../../session/files/local-files.ts";
import { fetchFile, offerFile } from "../../../session/files/requests.ts";
import type { OpenTunnel } from "../../../session/sessions.ts";
import type { Ref, Show } from "./events.ts";

/** Something that is on its way at this moment. */
export type Transfer =
  | { readonly kind: "reading"; readonly path: string; readonly done: number; readonly size: number }
  | {
      readonly kind: "receiving";
      readonly download: Pick<Download, "fileId" | "offer">;
      readonly state: Extract<DownloadState, { name: "receiving" }>;
    }
  | {
      readonly kind: "sending";
      readonly offer: FileOffer;
      /** Name of the receiver. */
      readonly to: string;
      readonly sent: number;
      readonly bytesPerSec: number;
    };

export interface TransfersOptions {
  readonly tunnel: OpenTunnel;
  readonly localFiles: LocalFiles;
  readonly clock: Clock;
  readonly show: Show;
}

export interface ShareWish {
  readonly path: string;
  readonly note?: string | undefined;
  /** Names or ids; everybody when undefined. */
  readonly to?: readonly string[] | undefined;
  readonly ref?: Ref | undefined;
}

export interface ReceiveWish {
  readonly fileId: FileId;
  readonly savePath: string;
  readonly overwrite?: boolean | undefined;
  readonly ref?: Ref | undefined;
  /** Of the input; told with an error. */
  readonly line?: number | undefined;
}

/** How often it is told how far it is. */
const BEAT_MS = 1_000;

/** The files of one conversation: what is read, received and sent, how far it is, and what became of it. */
export class Transfers {
  readonly #options: TransfersOptions;
  readonly #pending = new Set<Promise<unknown>>();
  readonly #downloads = new Set<Download>();
  readonly #reading = new Set<{ path: string; done: number; size: number }>();
  /** Ends what is read for a share; a transfer is ended by itself. */
  readonly #abort = new AbortController();
  #told = "";
  #stopBeat = (): void => undefined;

  constructor(options: TransfersOptions) {
    this.#options = options;
  }

  get running(): readonly Transfer[] {
    const { tunnel } = this.#options;
    const nameOf = (id: string): string => tunnel.presence().find((one) => one.id === id)?.name ?? "";
    return [
      ...Array.from(this.#reading, (one) => ({ kind: "reading" as const, ...one })),
      ...Array.from(this.#downloads).flatMap((download) =>
        download.state.name === "receiving"
          ? [{ kind: "receiving" as const, download, state: download.state }]
          : [],
      ),
      ...tunnel.files.serving.map(({ offer, who, sent, bytesPerSec }) => {
        return { kind: "sending" as const, offer, to: nameOf(who), sent, bytesPerSec };
      }),
    ];
  }

  /** Tells how far everything is, again and again; nothing while nothing moves. */
  watch(): void {
    this.#tell();
    this.#stopBeat = this.#options.clock.after(BEAT_MS, () => this.watch());
  }

  /** @throws {TunnelError} path-*, share-*, note-invalid, member-unknown, cancelled, and all of saying */
  async share({ path, note, to, ref }: ShareWish): Promise<void> {
    const { tunnel, localFiles, show } = this.#options;
    const { signal } = this.#abort;
    const reading = { path, done: 0, size: 0 };
    const onProgress = (done: number, size: number): void => void Object.assign(reading, { done, size });
    tunnel.touch();
    const content = async () => {
      this.#reading.add(reading);
      try {
        return await localFiles.share(path, { signal, onProgress });
      } finally {
        this.#reading.delete(reading);
      }
    };
    const offer = await this.#kept(offerFile(tunnel, { note, to, content }));
    this.#tell();
    show({ type: "shared", ref, offer });
  }

  /**
   * Resolves when what became of it has been shown.
   * @throws {TunnelError} why it cannot begin
   */
  receive(wish: ReceiveWish): Promise<void> {
    return this.#kept(this.#receive(wish));
  }

  async #receive({ fileId, savePath, overwrite, ref, line }: ReceiveWish): Promise<void> {
    const { tunnel, localFiles, show } = this.#options;
    tunnel.touch();
    const request = { fileId, savePath, overwrite: overwrite === true };
    const { download } = await fetchFile(tunnel.files, localFiles, request);
    if (this.#downloads.has(download))
      throw new TunnelError("input-invalid", { detail: "this file is on its way to that place already" });
    this.#downloads.add(download);
    if (this.#abort.signal.aborted) void download.cancel();
    await download.over;
    this.#downloads.delete(download);
    tunnel.files.forget(download);
    this.#tell();
    const { offer, state, owner, target } = download;
    try {
      if (state.name === "failed") throw state.error;
      const from = tunnel.presence().find(({ id }) => id === owner)?.name;
      const { patch } = offer;
      const inspection = patch === undefined ? undefined : await localFiles.inspect(target, patch.base);
      show({ type: "received", ref, fileId, offer, target, from, inspection });
    } catch (thrown) {
      show({ type: "error", error: asTunnelError(thrown), ref, line, file: { fileId, name: offer.name } });
    }
  }

  /** Ends what is on its way, for whoever does not want to wait for it. */
  cancel(): void {
    this.#abort.abort();
    for (const download of this.#downloads) void download.cancel();
  }

  /** When of everything asked for it has been shown what became of it. */
  async settled(): Promise<void> {
    if (this.#pending.size === 0) return;
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending);
    // Whoever has asked is told why not by a rejection, and shows it a turn later.
    await new Promise<void>((resolve) => void setImmediate(resolve));
  }

  close(): void {
    this.#stopBeat();
    this.#tell();
  }

  async #kept<Result>(work: Promise<Result>): Promise<Result> {
    this.#pending.add(work);
    try {
      return await work;
    } finally {
      this.#pending.delete(work);
    }
  }

  #tell(): void {
    const { running } = this;
    const facts = JSON.stringify(running.map(factsOf));
    if (facts === this.#told || (running.length === 0 && this.#told === "")) return;
    this.#told = facts;
    this.#options.show({ type: "transfers", running });
  }
}

/** What is worth another line when it changes. */
function factsOf(transfer: Transfer): readonly unknown[] {
  switch (transfer.kind) {
    case "reading":
      return [transfer.path, transfer.done];
    case "receiving":
      return [transfer.download.fileId, transfer.state.received, transfer.state.isFlowing];
    case "sending":
      return [toBase64url(transfer.offer.id), transfer.to, transfer.sent];
  }
}

/** Long enough that nobody meets another one by chance, short enough to be typed. */
const SHORT_ID_CHARS = 6;

function knownIds(files: Files): string[] {
  const own = files.shares.map(({ offer }) => toBase64url(offer.id));
  return [...new Set([...files.offered.map(({ fileId }) => fileId), ...own])];
}

/** The beginning of an id by which a person can name a file at this moment. */
export function shortId(files: Files, fileId: FileId): string {
  const others = knownIds(files).filter((id) => id !== fileId);
  for (let length = SHORT_ID_CHARS; length < fileId.length; length += 1) {
    const short = fileId.slice(0, length);
    if (!others.some((id) => id.startsWith(short))) return short;
  }
  return fileId;
}

/**
 * The id that begins so. Whoever makes up an id that begins like another one makes that beginning useless, and misleads nobody.
 * @throws {TunnelError} input-invalid when several do
 */
export function wholeId(files: Files, beginning: string): FileId {
  const ids = knownIds(files);
  if (ids.includes(beginning)) return beginning;
  const [only, ...more] = ids.filter((id) => id.startsWith(beginning));
  if (more.length === 0) return only ?? beginning;
  throw new TunnelError("input-invalid", {
    detail: "several files have an id that begins so; type more of it",
  });
}
