import { toHex, type Bytes } from "../../protocol/base/bytes.ts";
import { CreditWindow } from "../../protocol/link/credit.ts";
import { asTunnelError, TunnelError, type ErrorCode } from "../../errors/tunnel-error.ts";
import type { MemberId } from "../../protocol/base/ids.ts";
import { FILE, LINK, RECORD } from "../../protocol/base/limits.ts";
import type { FileOffer } from "../../protocol/files/offer.ts";
import type { Services, StreamEnd, StreamNews } from "../../protocol/link/service.ts";
import type { StreamReset } from "../../protocol/link/stream-frames.ts";
import {
  encodeFileRequest,
  FILES_SERVICE,
  readFileChunk,
  type FileChunk,
  type FileReset,
} from "../../protocol/files/stream.ts";
import type { Clock } from "../../runtime/clock.ts";
import { wait } from "../../runtime/wait.ts";
import type { FileSink, StreamPort } from "./port.ts";
import { Rate } from "./rate.ts";

/** Checks what comes, over as many streams as it takes (B3, B10). */
export interface Intake {
  /** Where a stream has to begin to bring the next byte. */
  readonly next: number;
  /** Bytes that this stream still has to bring; 0 where another one is quicker. */
  readonly left: number;
  readonly isComplete: boolean;
  start(salt: Bytes): void;
  interrupted(): void;
  /** @throws {TunnelError} file-* */
  take(chunk: FileChunk): Bytes;
}

export interface TransferOptions {
  readonly offer: FileOffer;
  readonly intake: Intake;
  /** All that was wanted has come and is written: whether more is wanted now. @throws {TunnelError} */
  readonly proceed: () => Promise<boolean>;
  readonly owner: MemberId;
  readonly sink: FileSink;
  readonly services: Services;
  readonly port: Pick<StreamPort, "isMember" | "isConnected">;
  readonly clock: Clock;
  /** The most that this transfer may have on its way now, in bytes. */
  readonly share: (own: Transfer) => number;
}

/** The meaning of the end of a stream for its receiver; `undefined` where another stream may bring the rest. */
const ERROR_OF: Readonly<Record<StreamReset | FileReset, ErrorCode | undefined>> = {
  away: undefined,
  busy: undefined,
  cancelled: "file-sender-left",
  nobody: "file-unknown",
  "no-service": "file-unknown",
  unknown: "file-unknown",
  gone: "file-gone",
  changed: "file-changed",
  refused: "file-unknown",
};
const ERRORS: ReadonlyMap<string, ErrorCode | undefined> = new Map(Object.entries(ERROR_OF));

/** Without a byte more, whatever the reason: nobody keeps a place for ever. */
const GIVE_UP_MS = LINK.giveUpMs;
/** Without any sign of a stream that was asked for; a chunk on a slow link takes a quarter of that. */
const STALL_MS = 60_000;
const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 5_000;

type ChunkNews = Extract<StreamNews, { t: "chunk" }>;

/** One file on its way to this side's disk, over as many streams as it takes. */
export class Transfer {
  readonly #options: TransferOptions;
  readonly #intake: Intake;
  readonly #window: CreditWindow;
  readonly #rate: Rate;
  /** Arrived and not written yet: bounded by the credit. */
  #news: StreamNews[] = [];
  /** The last verified chunks, on their way to the disk while the next are verified. */
  #writing: Promise<void> = Promise.resolve();
  #stored = 0;
  #grewAt: number;
  #stream: StreamEnd | undefined;
  #failure: TunnelError | undefined;
  #wake = (): void => undefined;

  constructor(options: TransferOptions) {
    const now = options.clock.now();
    this.#options = options;
    this.#intake = options.intake;
    this.#window = new CreditWindow(now);
    this.#grewAt = now;
    this.#rate = new Rate(now);
  }

  /** Bytes that have been verified and written. */
  get received(): number {
    return this.#stored;
  }

  /** Whether a stream brings it at the moment. */
  get isFlowing(): boolean {
    return this.#stream?.isOver === false;
  }

  bytesPerSecond(now: number): number {
    return this.#rate.perSecond(now);
  }

  /** Bytes that may still come without being asked for again. */
  get outstanding(): number {
    return this.#window.outstanding;
  }

  /** Something changed that may let it go on. */
  nudge(): void {
    this.#wake();
  }

  /** Ends it: {@link run} rejects with the error. */
  fail(error: TunnelError): void {
    this.#failure ??= error;
    this.#wake();
  }

  /** Resolves when the file is whole, verified and in its place; leaves nothing behind otherwise. @throws {TunnelError} */
  async run(): Promise<void> {
    const { sink, offer } = this.#options;
    try {
      do await this.#fetch();
      while (await this.#proceeds());
      await sink.commit(toHex(offer.hash));
    } catch (thrown) {
      this.#stream?.reset("refused" satisfies FileReset);
      await sink.abort();
      throw asTunnelError(thrown);
    }
  }

  async #fetch(): Promise<void> {
    let retryMs = RETRY_FIRST_MS;
    while (!this.#intake.isComplete) {
      const before = this.received;
      const isElsewhere = await this.#follow();
      if (this.#intake.isComplete) break;
      retryMs = this.received > before ? RETRY_FIRST_MS : Math.min(retryMs * 2, RETRY_MAX_MS);
      if (!isElsewhere) await this.#retry(retryMs);
    }
    this.#assertPossible();
  }

  async #proceeds(): Promise<boolean> {
    const isMore = await this.#options.proceed();
    this.#grewAt = this.#options.clock.now();
    this.#assertPossible();
    return isMore;
  }

  /** The most that this stream may have on its way: hardly more than it has to bring. */
  #most(): number {
    const needed = Math.ceil(this.#intake.left / FILE.chunkBytes) * RECORD.maxFrameBytes;
    return Math.min(this.#options.share(this), Math.max(needed, FILE.windowMinBytes));
  }

  /** One stream, to its end. @returns whether the next bytes are elsewhere in the file; if not, another stream may bring the rest later */
  async #follow(): Promise<boolean> {
    const { services, offer, owner, clock } = this.#options;
    await this.#writing;
    this.#intake.interrupted();
    const credit = this.#window.begin(clock.now(), this.#most());
    const news: StreamNews[] = [];
    this.#news = news;
    const request = encodeFileRequest({ file: offer.id, offset: this.#intake.next });
    const stream = services.open({ who: owner, service: FILES_SERVICE, request, credit }, (one) => {
      news.push(one);
      this.#wake();
    });
    this.#stream = stream;
    if (stream === undefined) return false;
    // The request is all that this side has to say.
    stream.end();
    try {
      while (!this.#intake.isComplete && this.#intake.left > 0) {
        const one = await this.#next();
        if (one.t === "accept") this.#intake.start(one.response);
        if (one.t === "chunk") await this.#write(one);
        if (one.t === "end") throw new TunnelError("file-unfinished");
        if (one.t !== "reset") continue;
        const code = ERRORS.has(one.code) ? ERRORS.get(one.code) : "file-unknown";
        if (code === undefined) return false;
        throw new TunnelError(code);
      }
      // A sender that has sent everything and does not say so must not keep the stream.
      stream.reset("cancelled" satisfies StreamReset);
      return true;
    } catch (thrown) {
      const error = asTunnelError(thrown);
      const code: StreamReset | FileReset = error.code === "cancelled" ? "cancelled" : "refused";
      stream.reset(code);
      throw error;
    }
  }

  /** This chunk and those that came right behind it, in one go: a call of the system costs more than a chunk. */
  async #write(first: ChunkNews): Promise<void> {
    const { sink } = this.#options;
    let price = 0;
    const contents: Bytes[] = [];
    for (let one: ChunkNews | undefined = first; one !== undefined; one = this.#nextChunk()) {
      const chunk = one.isSealed ? readFileChunk(one.bytes) : undefined;
      if (chunk === undefined) throw new TunnelError("file-corrupt");
      contents.push(this.#intake.take(chunk));
      price += one.price;
    }
    const bytes = contents.reduce((sum, { length }) => sum + length, 0);
    await this.#writing;
    this.#writing = sink.write(contents).then(() => this.#written(bytes, price));
    // The next one waits for it; where none comes, it must not go unnoticed.
    this.#writing.catch((thrown: unknown) => this.fail(asTunnelError(thrown)));
    if (this.#intake.isComplete) await this.#writing;
  }

  #written(bytes: number, price: number): void {
    const now = this.#options.clock.now();
    this.#rate.add(bytes, now);
    this.#stored += bytes;
    this.#grewAt = now;
    const credit = this.#window.taken(price, now, this.#most());
    if (credit > 0 && !this.#intake.isComplete) this.#stream?.grant(credit);
  }

  #nextChunk(): ChunkNews | undefined {
    const [next] = this.#news;
    if (next?.t !== "chunk") return undefined;
    this.#news.shift();
    return next;
  }

  /** @throws {TunnelError} file-stalled, or why it was ended from outside */
  async #next(): Promise<StreamNews> {
    const { clock } = this.#options;
    for (const until = clock.now() + STALL_MS; ; await this.#pause(until - clock.now())) {
      if (this.#failure !== undefined) throw this.#failure;
      const news = this.#news.shift();
      if (news !== undefined) return news;
      if (clock.now() >= until) throw new TunnelError("file-stalled");
    }
  }

  /** Resolves when it is worth asking again: after so long, or as soon as the owner of the file is back. */
  async #retry(ms: number): Promise<void> {
    const { clock, port, owner } = this.#options;
    const until = clock.now() + ms;
    let wasAway = !port.isConnected(owner);
    while (clock.now() < until) {
      await this.#pause(until - clock.now());
      this.#assertPossible();
      if (wasAway && port.isConnected(owner)) return;
      wasAway = !port.isConnected(owner);
    }
  }

  /** Until something happens, or the time is up. */
  async #pause(ms: number): Promise<void> {
    if (this.#failure !== undefined) return;
    await wait(this.#options.clock, ms, {
      until: (wake) => {
        this.#wake = wake;
        return () => undefined;
      },
    });
  }

  /** @throws {TunnelError} file-sender-left, or why it was ended from outside */
  #assertPossible(): void {
    if (this.#failure !== undefined) throw this.#failure;
    const { port, owner, clock } = this.#options;
    if (!this.#intake.isComplete && clock.now() - this.#grewAt >= GIVE_UP_MS)
      throw new TunnelError("file-stalled");
    if (!this.#intake.isComplete && !port.isMember(owner)) throw new TunnelError("file-sender-left");
  }
}
