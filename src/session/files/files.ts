import { equalBytes, toBase64url } from "../../protocol/base/bytes.ts";
import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import { type MemberId, OFFER_ID_BYTES } from "../../protocol/base/ids.ts";
import { FILE } from "../../protocol/base/limits.ts";
import { encodeOffer, type FileOffer, type PatchFacts } from "../../protocol/files/offer.ts";
import { FileIntake } from "../../protocol/files/receiver.ts";
import type { TreeFacts } from "../../protocol/files/tree.ts";
import { TreeIntake } from "../../protocol/files/tree-receiver.ts";
import type { OutgoingMessage } from "../../protocol/room/participant.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import type { Services } from "../../protocol/link/service.ts";
import type { FileEntry } from "../../protocol/room/log.ts";
import type { TreeReport } from "../folders/tree-side.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { FileJudgement } from "../saying/judging.ts";
import { Transfer, type Intake } from "./transfer.ts";
import type { FileSink, FileSource, StreamPort } from "./port.ts";
import { Sharing, type Serving, type Share } from "./sharing.ts";

/** The name of a file in tool calls. */
export type FileId = string;

/** A file of somebody else on this side's disk, or meant to be. */
export interface ReceivedFile {
  readonly fileId: FileId;
  /** As its sender calls it. */
  readonly name: string;
  /** Where it lies, or was to lie. */
  readonly target: string;
  readonly size: number;
}

/** A file that this side has offered. */
export type OfferedFile = Pick<ReceivedFile, "fileId" | "name" | "size">;

/** How a file ended that nobody waited for any more. */
export type FileNotice =
  | { readonly notice: "file-offered"; readonly file: OfferedFile }
  /** It waits for a person; `askId` as in the answer to a call. */
  | { readonly notice: "file-held"; readonly file: OfferedFile; readonly askId: number | undefined }
  /** `path` as it was asked for; undefined for a patch. */
  | { readonly notice: "file-not-offered"; readonly path: string | undefined; readonly error: TunnelError }
  | { readonly notice: "file-received"; readonly file: ReceivedFile }
  | { readonly notice: "file-failed"; readonly file: ReceivedFile; readonly error: TunnelError };

/** The course of one offer, which may have to wait for a person. */
export interface Offering {
  readonly source: FileSource;
  readonly judgement: FileJudgement;
  /** Called when a person has let it go. @throws {TunnelError} share-changed, share-gone */
  readonly recheck: () => Promise<unknown>;
  /** Called when it leaves: its receivers may ask at once. */
  readonly leaves: () => void;
  /** Called when it was held and will not leave. */
  readonly dropped: () => void;
}

/** `Said` is the answer to an offer that was said. */
export interface FilesOptions<Said> {
  /** The streams of this tunnel, to which files are added. */
  readonly services: Services;
  readonly port: StreamPort;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly say: (outgoing: OutgoingMessage, offering: Offering, heldNo: number | undefined) => Promise<Said>;
  readonly notify: (notice: FileNotice) => void;
  /** A transfer has begun. @returns what is called at its end, however that comes, but not where a later process is to go on with it */
  readonly onReceiving?: ((transfer: Receiving) => () => void) | undefined;
  /** An unfinished file or folder is about to lie there. */
  readonly onPart?: ((part: string) => void) | undefined;
  /** An offer has left. */
  readonly onOffered?: ((share: Share) => void) | undefined;
  /** What an earlier process had offered. */
  readonly shares?: readonly Share[] | undefined;
  /** Credit of this side's streams that are no files. */
  readonly creditBeside?: () => number;
}

/** An offer that waited for a person in an earlier process, under a number of what is kept. */
export interface HeldAs extends Pick<FileOffer, "id" | "key"> {
  readonly heldNo: number;
}

/** A transfer as a later process needs it. */
export interface Receiving {
  readonly fileId: FileId;
  readonly target: string;
  readonly overwrite: boolean;
  readonly only: readonly string[] | undefined;
  readonly part: string;
}

/** How a file that this side receives stands. */
export type DownloadState =
  | {
      readonly name: "receiving";
      readonly received: number;
      readonly bytesPerSecond: number;
      readonly isFlowing: boolean;
    }
  | { readonly name: "done" }
  | { readonly name: "failed"; readonly error: TunnelError };

/** One file that this side receives, or has received. */
export interface Download {
  readonly fileId: FileId;
  readonly offer: FileOffer;
  readonly owner: MemberId;
  /** Where it goes, as it may be shown. */
  readonly target: string;
  readonly state: DownloadState;
  /** Bytes that come in all. */
  readonly total: number;
  /** Of a tree, once its list has come. */
  readonly tree: TreeReport | undefined;
  /** Settles when it is over; never rejects. */
  readonly over: Promise<void>;
  /** Nobody waits for it any more: its end becomes a notice. Waited for again, it does not. */
  attend(isAttended: boolean): void;
  /** Ends it and leaves nothing behind. */
  cancel(): Promise<void>;
}

/** A file of somebody else that lies on this machine now. */
export type Saved = Pick<Download, "offer" | "target">;

/** A file that somebody else offers. */
export interface Offered {
  readonly fileId: FileId;
  readonly entry: FileEntry;
}

interface Running {
  readonly transfer: Transfer;
  isAttended: boolean;
  /** A notice has told that it failed: asked again, it begins anew. */
  isTold: boolean;
  outcome: Extract<DownloadState, { name: "done" | "failed" }> | undefined;
}

/** Files that one side may share in one tunnel, offers that it remembers of each member, and past transfers. */
export const FILES = { maxShares: 256, maxOffers: 256, maxPast: 50 } as const;

/** The files of one tunnel: those this side offers, those it was offered, and those on their way (PROTOCOL §9). */
export class Files<Said = unknown> {
  readonly #options: FilesOptions<Said>;
  readonly #sharing: Sharing;
  /** Offers that wait for a person, with the answer that the agent was given. */
  readonly #held = new Map<Share, Said>();
  readonly #offered = new Map<FileId, Offered>();
  #downloads: (Download & { readonly running: Running })[] = [];
  /** Where files lie that have come, also those that the agent has been told of. */
  readonly #saved = new Map<FileId, Saved>();
  /** Places that are being made. */
  readonly #starting = new Set<string>();
  #isOver = false;
  #isLeft = false;

  constructor(options: FilesOptions<Said>) {
    this.#options = options;
    this.#sharing = new Sharing(options.primitives, options.clock, options.port);
    for (const share of options.shares ?? []) this.#sharing.add(share);
    options.services.add(this.#sharing);
  }

  /** The files that this side has offered; none that still waits for a person. */
  get shares(): readonly Share[] {
    return this.#sharing.shares.filter(({ isOffered }) => isOffered);
  }

  get serving(): readonly Serving[] {
    return this.#sharing.serving;
  }

  get offered(): readonly Offered[] {
    return [...this.#offered.values()];
  }

  get downloads(): readonly Download[] {
    return this.#downloads;
  }

  /**
   * Offers a file to all, or to some, as soon as this side's person lets it. It is closed when it could not be offered or may not
   * be, and else with the tunnel. The same offer, made again while it waits for a person, is one.
   * @param offer `author`: a person who offers it by hand
   * @throws {TunnelError} share-limit, and all of saying
   */
  async share(
    source: FileSource,
    offer: {
      name: string;
      note?: string | undefined;
      patch?: PatchFacts | undefined;
      tree?: TreeFacts | undefined;
      to?: readonly MemberId[];
      author?: "human" | undefined;
      /** An earlier process has made this very offer, and it waited there. */
      as?: HeldAs | undefined;
    },
  ): Promise<{ fileId: FileId; sent: Said }> {
    const { to, author, as, ...facts } = offer;
    const { primitives, say } = this.#options;
    try {
      const { size, sha256 } = source;
      const hash = new Uint8Array(Buffer.from(sha256, "hex"));
      const known = author === undefined ? this.#heldLike({ size, hash, ...facts }, to) : undefined;
      if (known !== undefined) {
        await source.close();
        return known;
      }
      if (this.#sharing.shares.length >= FILES.maxShares) throw new TunnelError("share-limit");
      const id = as?.id ?? primitives.random(OFFER_ID_BYTES);
      const key = as?.key ?? primitives.random(32);
      const whole: FileOffer = { id, key, size, hash, ...facts };
      const share: Share = { offer: whole, source, to, isOffered: false };
      this.#sharing.add(share);
      const outgoing: OutgoingMessage = {
        text: encodeOffer(whole),
        what: "file",
        ...(to === undefined ? {} : { to }),
        ...(author === undefined ? {} : { author }),
      };
      try {
        const offering: Offering = {
          source,
          judgement: { offer: whole, ...source.examined },
          recheck: () => source.read(0, 0),
          leaves: () => {
            share.isOffered = true;
            this.#options.onOffered?.(share);
            this.#held.delete(share);
          },
          dropped: () => {
            this.#held.delete(share);
            if (this.#sharing.remove(share)) void source.close();
          },
        };
        const sent = await say(outgoing, offering, as?.heldNo);
        const isHeld = !share.isOffered && this.#sharing.shares.includes(share);
        if (isHeld && author === undefined) this.#held.set(share, sent);
        return { fileId: toBase64url(id), sent };
      } catch (error) {
        this.#sharing.remove(share);
        throw error;
      }
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  /** An agent that repeats itself does not make its person decide twice. */
  #heldLike(
    { size, hash, name, note }: Omit<FileOffer, "id" | "key">,
    to: readonly MemberId[] | undefined,
  ): { fileId: FileId; sent: Said } | undefined {
    const receivers = to?.toSorted().join();
    for (const [share, sent] of this.#held) {
      const { offer } = share;
      const isSame = offer.size === size && equalBytes(offer.hash, hash) && offer.name === name;
      if (isSame && offer.note === note && share.to?.toSorted().join() === receivers)
        return { fileId: toBase64url(offer.id), sent };
    }
    return undefined;
  }

  /** Whether a file that this side offers, or is to offer, is there and still what it was. */
  async isUnchanged(fileId: FileId): Promise<boolean> {
    const share = this.#own(fileId);
    if (share === undefined) return false;
    return share.source.read(0, 0).then(
      () => true,
      () => false,
    );
  }

  /** A file of this side that is offered or waits for a person, by its id or by the hash of its content in hex. */
  own({ fileId, sha256 }: { readonly fileId?: string; readonly sha256?: string }): Share | undefined {
    if (sha256 !== undefined) return this.#sharing.shares.find(({ source }) => source.sha256 === sha256);
    return fileId === undefined ? undefined : this.#own(fileId);
  }

  /** A file of somebody else that has come; the last place where there are several. */
  saved(fileId: FileId): Saved | undefined {
    return this.#saved.get(fileId);
  }

  #save(fileId: FileId, saved: Saved): void {
    this.#saved.delete(fileId);
    this.#saved.set(fileId, saved);
    const [oldest] = this.#saved.keys();
    if (this.#saved.size > FILES.maxOffers && oldest !== undefined) this.#saved.delete(oldest);
  }

  #own(fileId: FileId): Share | undefined {
    return this.#sharing.shares.find(({ offer }) => toBase64url(offer.id) === fileId);
  }

  /** @throws {TunnelError} file-unknown, file-own */
  find(fileId: FileId): Offered {
    if (this.#own(fileId) !== undefined) throw new TunnelError("file-own");
    const found = this.#offered.get(fileId);
    if (found === undefined) throw new TunnelError("file-unknown");
    return found;
  }

  /** The transfer of this file to this place that is under way, or that ended without having been asked about since. */
  current(fileId: FileId, target: string): Download | undefined {
    return this.#downloads.find(
      (one) => one.fileId === fileId && one.target === target && !one.running.isTold,
    );
  }

  /** @param makeSink calls `onPart` before an unfinished file or folder lies there @throws {TunnelError} file-unknown, file-own, transfer-limit, file-sender-left, tunnel-closed */
  async receive(
    fileId: FileId,
    target: string,
    makeSink: (onPart: (part: string) => void) => Promise<FileSink>,
    wish: Pick<Receiving, "overwrite" | "only"> = { overwrite: false, only: undefined },
  ): Promise<Download> {
    const { entry } = this.find(fileId);
    const { services, port, primitives, clock } = this.#options;
    if (this.#isOver) throw new TunnelError("tunnel-closed");
    if (!port.isMember(entry.from)) throw new TunnelError("file-sender-left");
    if (this.#running.length + this.#starting.size >= FILE.maxOpened) throw new TunnelError("transfer-limit");
    if (this.#starting.has(target) || this.#running.some((one) => one.target === target))
      throw new TunnelError("save-exists", { detail: "a file is on its way there" });
    let over: (() => void) | undefined;
    // Before the unfinished file lies there, or a process that is killed just then leaves one that no later one goes on with.
    const begins = (part: string): void => {
      this.#options.onPart?.(part);
      over ??= this.#options.onReceiving?.({ fileId, target, ...wish, part });
    };
    const sink = await this.#made(target, () => makeSink(begins)).catch((error: unknown) => {
      if (!this.#isLeft) over?.();
      throw error;
    });
    const transfer = new Transfer({
      offer: entry.offer,
      ...intakeOf(primitives, entry.offer, sink),
      owner: entry.from,
      sink,
      services,
      port,
      clock,
      share: (own) => this.#shareOf(own),
    });
    const { part } = sink;
    over ??= this.#options.onReceiving?.({ fileId, target, ...wish, part });
    return this.#start({ fileId, entry, target, transfer, sink, over: over ?? (() => undefined) });
  }

  async #made(target: string, makeSink: () => Promise<FileSink>): Promise<FileSink> {
    this.#starting.add(target);
    try {
      const sink = await makeSink();
      if (!this.#isOver) return sink;
      await sink.abort();
      throw new TunnelError("tunnel-closed");
    } finally {
      this.#starting.delete(target);
    }
  }

  /** The part of the whole window that the others do not have; every transfer that may still come gets its least (S4). */
  #shareOf(own: Transfer): number {
    const others = this.#running.filter(({ running }) => running.transfer !== own);
    const taken = others.map(({ running }) => Math.max(running.transfer.outstanding, FILE.windowMinBytes));
    const kept = (FILE.maxOpened - 1 - others.length) * FILE.windowMinBytes;
    const beside = this.#options.creditBeside?.() ?? 0;
    return FILE.windowTotalBytes - beside - kept - taken.reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Drops a transfer: its outcome has been told. */
  forget(download: Download): void {
    this.#downloads = this.#downloads.filter((one) => one !== download);
  }

  heard(entry: FileEntry): void {
    if (entry.own) return;
    const fileId = toBase64url(entry.offer.id);
    // Everybody sees the id of an offer to all, and could repeat it: the first one has it.
    if (this.#offered.has(fileId)) return;
    this.#offered.set(fileId, { fileId, entry });
    // One who offers without end pushes out its own offers, and nobody else's.
    const ofSender = this.offered.filter((one) => one.entry.from === entry.from);
    const [oldest] = ofSender;
    if (oldest !== undefined && ofSender.length > FILES.maxOffers) this.#offered.delete(oldest.fileId);
  }

  /** Somebody came, went, or is connected again. */
  rosterChanged(): void {
    for (const { running } of this.#running) running.transfer.nudge();
  }

  /** The tunnel is over. Resolves when nothing is open any more. */
  async end(): Promise<void> {
    this.#isOver = true;
    for (const { running } of this.#running) running.transfer.fail(new TunnelError("tunnel-closed"));
    await Promise.all([this.#sharing.end(), ...this.#downloads.map(({ over }) => over)]);
  }

  /** A later process goes on with what is on its way, however it ends here. */
  expectEnd(): void {
    this.#isLeft = true;
    for (const { running } of this.#running) running.transfer.expectEnd();
  }

  /** The process ends, and a later one goes on. Resolves when nothing is open any more. */
  async leave(): Promise<void> {
    this.#isOver = true;
    this.expectEnd();
    for (const { running } of this.#running) running.transfer.fail(new TunnelError("tunnel-closed"));
    await Promise.all([this.#sharing.end(), ...this.#downloads.map(({ over }) => over)]);
  }

  get #running(): readonly (Download & { readonly running: Running })[] {
    return this.#downloads.filter(({ running }) => running.outcome === undefined);
  }

  #start(parts: {
    fileId: FileId;
    entry: FileEntry;
    target: string;
    transfer: Transfer;
    sink: FileSink;
    over: () => void;
  }): Download {
    const { fileId, entry, target, transfer, sink } = parts;
    const { clock, notify } = this.#options;
    const running: Running = { transfer, isAttended: true, isTold: false, outcome: undefined };
    const end = async (): Promise<void> => {
      const outcome = await transfer.run().then(
        () => ({ name: "done" }) as const,
        (thrown: unknown) => ({ name: "failed", error: asTunnelError(thrown) }) as const,
      );
      running.outcome = outcome;
      if (outcome.name === "done") this.#save(fileId, { offer: entry.offer, target });
      if (!this.#isLeft) parts.over();
      if (running.isAttended) return;
      // A transfer that failed begins anew when it is asked for again; one that is done stays done.
      running.isTold = outcome.name === "failed";
      notify(noticeOf(outcome, { fileId, offer: entry.offer, target }));
    };
    const over = end();
    const download = {
      fileId,
      offer: entry.offer,
      owner: entry.from,
      target,
      running,
      over,
      get total() {
        return sink.tree?.total ?? entry.offer.size;
      },
      get tree() {
        return sink.tree?.report;
      },
      get state(): DownloadState {
        if (running.outcome !== undefined) return running.outcome;
        const { received, isFlowing } = transfer;
        const bytesPerSecond = transfer.bytesPerSecond(clock.now());
        return { name: "receiving", received, isFlowing, bytesPerSecond };
      },
      attend: (isAttended: boolean) => {
        running.isAttended = isAttended;
      },
      cancel: async () => {
        transfer.fail(new TunnelError("cancelled"));
        await over;
      },
    };
    const past = this.#downloads.filter((one) => one.running.outcome !== undefined);
    for (const old of past.slice(0, Math.max(0, past.length - FILES.maxPast + 1))) this.forget(old);
    this.#downloads.push(download);
    return download;
  }
}

/** The parts of the content that are to come, and how they are checked. */
function intakeOf(
  primitives: Primitives,
  offer: FileOffer,
  { tree, received }: FileSink,
): { intake: Intake; proceed: () => Promise<boolean> } {
  if (offer.tree === undefined || tree === undefined)
    return { intake: new FileIntake(primitives, offer, received), proceed: () => Promise.resolve(false) };
  const intake = new TreeIntake(primitives, offer, [{ from: 0, to: offer.tree.list }]);
  let isPlanned = false;
  const proceed = async (): Promise<boolean> => {
    if (isPlanned) return false;
    isPlanned = true;
    intake.want(await tree.plan());
    return !intake.isComplete;
  };
  return { intake, proceed };
}

function noticeOf(
  outcome: Extract<DownloadState, { name: "done" | "failed" }>,
  { fileId, offer, target }: Pick<Download, "fileId" | "offer" | "target">,
): FileNotice {
  const file = { fileId, name: offer.name, target, size: offer.size };
  if (outcome.name === "done") return { notice: "file-received", file };
  return { notice: "file-failed", file, error: outcome.error };
}
