import type { StreamId } from "../../protocol/record/chunk.ts";
import { equalBytes, type Bytes } from "../../protocol/base/bytes.ts";
import { asTunnelError } from "../../errors/tunnel-error.ts";
import { ChunkCipher } from "../../protocol/files/cipher.ts";
import type { MemberId } from "../../protocol/base/ids.ts";
import { FILE } from "../../protocol/base/limits.ts";
import type { FileOffer } from "../../protocol/files/offer.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import type { StopReason, StreamOpen } from "../../protocol/link/streams.ts";
import type { Clock } from "../../runtime/clock.ts";
import { wait } from "../../runtime/wait.ts";
import type { FileSource, StreamPort } from "./port.ts";
import { Rate } from "./rate.ts";

/** A file that this side offers; its disk is the store. */
export interface Share {
  readonly offer: FileOffer;
  readonly source: FileSource;
  /** Those it is for; everybody when undefined. */
  readonly to: readonly MemberId[] | undefined;
}

/** One receiver that is being served. */
export interface Serving {
  readonly offer: FileOffer;
  readonly who: MemberId;
  /** Bytes of the file up to which it has been sent. */
  sent: number;
  readonly bytesPerSec: number;
}

interface Served extends Omit<Serving, "bytesPerSec"> {
  readonly rate: Rate;
  readonly stream: StreamId;
  isOver: boolean;
  /** The receiver has granted more, or the stream is over. */
  wake: () => void;
}

const MAX_READS = 8;
const SALT_BYTES = 32;
/** Without any credit from a receiver that has none left. */
const STALL_MS = 60_000;
/** What is read at once: reading costs several calls of the system, however little it is. */
const BLOCK_BYTES = 8 * FILE.chunkBytes;
/** What the reading of a source can end with, as the receiver is told it. */
const STOP_OF = new Map<string, StopReason>([
  ["share-changed", "changed"],
  ["share-gone", "gone"],
]);

/** Serves the files that this side shares, to whoever asks for one that is for it (PROTOCOL §9). */
export class Sharing {
  readonly #primitives: Primitives;
  readonly #clock: Clock;
  readonly #port: StreamPort;
  readonly #shares: Share[] = [];
  readonly #served = new Map<StreamId, Served>();
  /** Whoever opens and stops streams without end has no more read at once than this. */
  readonly #reading = new Turns(MAX_READS);

  constructor(primitives: Primitives, clock: Clock, port: StreamPort) {
    this.#primitives = primitives;
    this.#clock = clock;
    this.#port = port;
  }

  get shares(): readonly Share[] {
    return this.#shares;
  }

  get serving(): readonly Serving[] {
    const now = this.#clock.now();
    return Array.from(this.#served.values(), ({ offer, who, sent, rate }) => {
      return { offer, who, sent, bytesPerSec: rate.perSecond(now) };
    });
  }

  add(share: Share): void {
    this.#shares.push(share);
  }

  /** It could not be offered. */
  remove(share: Share): void {
    const at = this.#shares.indexOf(share);
    if (at >= 0) this.#shares.splice(at, 1);
  }

  opened(request: StreamOpen): void {
    const { stream, file, who, offset } = request;
    if (this.#served.size >= FILE.maxServed) return this.#port.stream({ t: "stop", stream, reason: "busy" });
    const share = this.#shares.find(({ offer }) => equalBytes(offer.id, file));
    // Who was not offered it learns no more than who asks for what there is not.
    if (share === undefined || share.to?.includes(who) === false || offset > share.offer.size)
      return this.#port.stream({ t: "stop", stream, reason: "unknown" });
    const served: Served = {
      offer: share.offer,
      who,
      stream,
      sent: offset,
      rate: new Rate(this.#clock.now()),
      isOver: false,
      wake: () => undefined,
    };
    this.#served.set(stream, served);
    void this.#serve(share, served);
  }

  credited(stream: StreamId): void {
    this.#served.get(stream)?.wake();
  }

  stopped(stream: StreamId): void {
    const served = this.#served.get(stream);
    if (served === undefined) return;
    served.isOver = true;
    this.#served.delete(stream);
    served.wake();
  }

  /** The tunnel is over. */
  async end(): Promise<void> {
    for (const stream of this.#served.keys()) this.stopped(stream);
    await Promise.all(this.#shares.splice(0).map(({ source }) => source.close()));
  }

  /** Never rejects: whatever goes wrong is told to the receiver. */
  async #serve(share: Share, served: Served): Promise<void> {
    const { stream } = served;
    try {
      await this.#send(share, served);
    } catch (thrown) {
      const reason = STOP_OF.get(asTunnelError(thrown).code) ?? "gone";
      if (!served.isOver) this.#port.stream({ t: "stop", stream, reason });
    } finally {
      served.isOver = true;
      // Its number may be that of another stream by now.
      if (this.#served.get(stream) === served) this.#served.delete(stream);
    }
  }

  async #send({ offer, source }: Share, served: Served): Promise<void> {
    const { stream } = served;
    const salt = this.#primitives.random(SALT_BYTES);
    const cipher = new ChunkCipher(this.#primitives, offer, salt);
    this.#port.stream({ t: "start", stream, salt });
    const read = (at: number, length: number): Promise<Bytes> =>
      this.#reading.run(() => (served.isOver ? Promise.resolve(NOTHING) : source.read(at, length)));
    for await (const { offset, content } of blocks({ size: offer.size, read }, served.sent)) {
      if (served.isOver) return;
      for (let at = 0; at < content.length || at === 0; at += FILE.chunkBytes) {
        const piece = content.subarray(at, at + FILE.chunkBytes);
        const place = { offset: offset + at, final: offset + at + piece.length === offer.size };
        const chunk = { stream, ...place, ...cipher.seal(piece, place) };
        await this.#whenCredited(served, () => this.#port.sendChunk(chunk));
        if (served.isOver) return;
        served.sent = offset + at + piece.length;
        served.rate.add(piece.length, this.#clock.now());
        await this.#port.writable();
      }
    }
  }

  /** Until the receiver has let it come, or wants no more. */
  async #whenCredited(served: Served, send: () => boolean): Promise<void> {
    while (!served.isOver && !send()) {
      const how = await wait(this.#clock, STALL_MS, {
        until: (wake) => {
          served.wake = wake;
          return () => undefined;
        },
      });
      if (how === "woken" || served.isOver) continue;
      // Whoever keeps a place without using it makes room; it may come again.
      this.#port.stream({ t: "stop", stream: served.stream, reason: "busy" });
      this.stopped(served.stream);
    }
  }
}

const NOTHING = new Uint8Array(0);

/**
 * The rest of a file from `offset` on, one block ahead of whoever takes them, once the first was taken: who asks and takes
 * nothing has one block read. An empty rest is one empty block.
 */
async function* blocks(
  source: Pick<FileSource, "size" | "read">,
  offset: number,
): AsyncGenerator<{ readonly offset: number; readonly content: Bytes }> {
  const read = (at: number): Promise<Bytes> | undefined => {
    if (at > offset && at >= source.size) return undefined;
    const next = source.read(at, Math.min(BLOCK_BYTES, source.size - at));
    // Looked at when its turn comes, which may be never.
    next.catch(() => undefined);
    return next;
  };
  let next = read(offset);
  for (let at = offset; next !== undefined; at += BLOCK_BYTES) {
    const content = await next;
    next = at === offset ? undefined : read(at + BLOCK_BYTES);
    yield { offset: at, content };
    if (at === offset) next = read(at + BLOCK_BYTES);
  }
}

/** Work of which so much goes on at once; the rest waits its turn. */
class Turns {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  #busy = 0;

  constructor(most: number) {
    this.#most = most;
  }

  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#busy >= this.#most) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#busy += 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#busy -= 1;
      else next();
    }
  }
}
