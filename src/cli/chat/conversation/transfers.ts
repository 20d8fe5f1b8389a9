import { toBase64url } from "../../../protocol/base/bytes.ts";
import { asTunnelError, TunnelError } from "../../../errors/tunnel-error.ts";
import type { Clock } from "../../../runtime/clock.ts";
import type { Download, FileId } from "../../../session/files/files.ts";
import type { LocalFiles } from "../../../session/files/local-files.ts";
import { fetchFile, offerFile } from "../../../session/files/requests.ts";
import type { Session } from "../../../session/sessions.ts";
import { fileView, progressView, type TransferView } from "../../../view/files.ts";
import { patchView } from "../../../view/patches.ts";
import type { Ref, Show } from "./events.ts";

interface TransfersOptions {
  readonly tunnel: Session;
  readonly localFiles: LocalFiles;
  readonly clock: Clock;
  /** `human` where a person types (G11). */
  readonly author: "human" | undefined;
  readonly show: Show;
}

interface ShareWish {
  readonly path?: string | undefined;
  /** Files and folders, as one offer. */
  readonly paths?: readonly string[] | undefined;
  readonly note?: string | undefined;
  /** Names or ids; everybody when undefined. */
  readonly to?: readonly string[] | undefined;
  readonly ref?: Ref | undefined;
}

interface ReceiveWish {
  readonly fileId: FileId;
  readonly savePath: string;
  /** For a folder, paths of its list. */
  readonly only?: readonly string[] | undefined;
  readonly overwrite?: boolean | undefined;
  readonly ref?: Ref | undefined;
  /** Line of the input, for an error. */
  readonly line?: number | undefined;
}

/** Between two events about progress. */
const BEAT_MS = 1_000;
/** Files that are remembered by a number: whoever offers without end makes nothing grow. */
const MAX_NUMBERED = 1_000;

/** The files of one conversation: reads, receives and sends them, and tells how that goes and ends. */
export class Transfers {
  readonly #options: TransfersOptions;
  readonly #pending = new Set<Promise<unknown>>();
  readonly #downloads = new Set<Download>();
  readonly #reading = new Set<{ path: string; done: number; size: number }>();
  /** Ends the reading for shares; a download has an end of its own. */
  readonly #abort = new AbortController();
  /** From 1; a number is never that of another file. */
  readonly #numbers = new Map<FileId, number>();
  #lastNumber = 0;
  #told = "";
  #stopBeat = (): void => undefined;

  constructor(options: TransfersOptions) {
    this.#options = options;
  }

  /** The working directory, in which paths begin. */
  get cwd(): string {
    return this.#options.localFiles.cwd;
  }

  /** The number of an offered file, which it gets when it is first shown. */
  numberOf(fileId: FileId): number {
    const known = this.#numbers.get(fileId);
    if (known !== undefined) return known;
    this.#lastNumber += 1;
    this.#numbers.set(fileId, this.#lastNumber);
    const [oldest] = this.#numbers.keys();
    if (oldest !== undefined && this.#numbers.size > MAX_NUMBERED) this.#numbers.delete(oldest);
    return this.#lastNumber;
  }

  /**
   * Fetches the file or folder of this number, under its own name where no other path is given.
   * @throws {TunnelError} file-unknown, path-outside, and all of receiving
   */
  async save(number: number, savePath: string | undefined): Promise<void> {
    const { tunnel, localFiles } = this.#options;
    const [fileId] = [...this.#numbers].find(([, one]) => one === number) ?? [];
    if (fileId === undefined) throw new TunnelError("file-unknown");
    const target = savePath ?? localFiles.placeFor(tunnel.files.find(fileId).entry.offer.name);
    if (target === undefined) throw new TunnelError("path-outside");
    await this.receive({ fileId, savePath: target });
  }

  get running(): readonly TransferView[] {
    const { tunnel } = this.#options;
    const nameOf = (id: string): string | undefined => tunnel.presence().find((one) => one.id === id)?.name;
    return [
      ...Array.from(this.#reading, (one) => ({ kind: "reading" as const, ...one })),
      ...Array.from(this.#downloads).flatMap(({ fileId, offer: { name }, total: size, state }) =>
        state.name === "receiving"
          ? [{ kind: "receiving" as const, fileId, name, size, ...progressView(state, size) }]
          : [],
      ),
      ...tunnel.files.serving.map(({ offer: { id, name, size }, who, sent, bytesPerSec }) => {
        const fileId = toBase64url(id);
        return { kind: "sending" as const, fileId, name, size, to: nameOf(who), sent, bytesPerSec };
      }),
    ];
  }

  /** Tells of progress again and again; says nothing while nothing moves. */
  watch(): void {
    this.#tell();
    this.#stopBeat = this.#options.clock.after(BEAT_MS, () => this.watch());
  }

  /** @throws {TunnelError} path-invalid, share-*, scan-failed, note-invalid, member-unknown, cancelled, and all of saying */
  async share({ path, paths, note, to, ref }: ShareWish): Promise<void> {
    const { tunnel, localFiles, author, show } = this.#options;
    const { signal } = this.#abort;
    const given = paths ?? (path === undefined ? [] : [path]);
    if (given.length === 0) throw new TunnelError("input-invalid", { detail: "give path or paths" });
    const reading = { path: given.join(", "), done: 0, size: 0 };
    const onProgress = (done: number, size: number): void => void Object.assign(reading, { done, size });
    tunnel.touch();
    const content = async () => {
      this.#reading.add(reading);
      try {
        const options = { signal, onProgress };
        return path === undefined
          ? await localFiles.shareAny(given, options)
          : await localFiles.share(path, options);
      } finally {
        this.#reading.delete(reading);
      }
    };
    const offer = await this.#kept(offerFile(tunnel, { note, to, author, content }));
    this.#tell();
    show({ type: "shared", ref, offer });
  }

  /** Offers a text as a file of this name to everybody. @throws {TunnelError} nobody-joined, share-limit, and all of saying */
  async shareText(name: string, text: string): Promise<void> {
    const { tunnel, localFiles, author, show } = this.#options;
    tunnel.touch();
    const content = () => localFiles.text(name, text);
    const offer = await this.#kept(offerFile(tunnel, { note: undefined, to: undefined, author, content }));
    show({ type: "shared", ref: undefined, offer });
  }

  /**
   * Resolves when the outcome has been shown.
   * @throws {TunnelError} why it cannot begin
   */
  receive(wish: ReceiveWish): Promise<void> {
    return this.#kept(this.#receive(wish));
  }

  async #receive({ fileId, savePath, only, overwrite, ref, line }: ReceiveWish): Promise<void> {
    const { tunnel, localFiles, show } = this.#options;
    tunnel.touch();
    const request = { fileId, savePath, only, overwrite: overwrite === true };
    const { download, renamed } = await fetchFile(tunnel.files, localFiles, request);
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
      const fromName = tunnel.presence().find(({ id }) => id === owner)?.name;
      const inspection = offer.patch && (await localFiles.inspect(target, offer.patch.base));
      const patch = inspection && patchView(inspection);
      const file = fileView(offer);
      show({ type: "received", ref, file, savePath: target, renamed, fromName, patch, tree: download.tree });
    } catch (thrown) {
      show({ type: "error", error: asTunnelError(thrown), ref, line, file: { fileId, name: offer.name } });
    }
  }

  /** Ends every download, for a user who does not want to wait. */
  cancel(): void {
    this.#abort.abort();
    for (const download of this.#downloads) void download.cancel();
  }

  /** Resolves when the outcome of every request has been shown. */
  async settled(): Promise<void> {
    if (this.#pending.size === 0) return;
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending);
    // A failed request rejects, and its caller shows that a turn later.
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

/** The facts that are worth another event when they change. */
function factsOf(transfer: TransferView): readonly unknown[] {
  switch (transfer.kind) {
    case "reading":
      return [transfer.path, transfer.done];
    case "receiving":
      return [transfer.fileId, transfer.received, transfer.waitingForSender];
    case "sending":
      return [transfer.fileId, transfer.to, transfer.sent];
  }
}
