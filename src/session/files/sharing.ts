import { equalBytes, type Bytes } from "../../protocol/base/bytes.ts";
import { asTunnelError } from "../../errors/tunnel-error.ts";
import { ChunkCipher } from "../../protocol/files/cipher.ts";
import type { MemberId } from "../../protocol/base/ids.ts";
import { FILE } from "../../protocol/base/limits.ts";
import type { FileOffer } from "../../protocol/files/offer.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import type { StreamEnd, StreamListener, StreamService } from "../../protocol/link/service.ts";
import type { StreamReset } from "../../protocol/link/stream-frames.ts";
import {
  chunkOfFile,
  decodeFileRequest,
  FILES_SERVICE,
  SALT_BYTES,
  type FileRequest,
  type FileReset,
} from "../../protocol/files/stream.ts";
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
  /** Before the offer has left, it is served to nobody. */
  isOffered: boolean;
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
  readonly stream: StreamEnd;
  /** The receiver has granted more, or the stream is over. */
  wake: () => void;
}

const MAX_READS = 8;
/** Without credit for one more chunk. */
const STALL_MS = 60_000;
/** One read after the first, which is one chunk. It costs several calls of the system, however little it is. */
const BLOCK_BYTES = 8 * FILE.chunkBytes;
/** The failures of reading a source, as the receiver is told them. */
const STOP_OF = new Map<string, FileReset>([
  ["share-changed", "changed"],
  ["share-gone", "gone"],
]);

/** Serves the files that this side shares, to those for whom they are (PROTOCOL §9): the first service on streams. */
export class Sharing implements StreamService {
  readonly name = FILES_SERVICE;
  readonly #primitives: Primitives;
  readonly #clock: Clock;
  readonly #port: StreamPort;
  readonly #shares: Share[] = [];
  readonly #served = new Set<Served>();
  /** The limit for a peer that opens and stops streams without end. */
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
    return Array.from(this.#served, ({ offer, who, sent, rate }) => {
      return { offer, who, sent, bytesPerSec: rate.perSecond(now) };
    });
  }

  add(share: Share): void {
    this.#shares.push(share);
  }

  /** It could not be offered, or may not be. @returns whether it was there */
  remove(share: Share): boolean {
    const at = this.#shares.indexOf(share);
    if (at < 0) return false;
    this.#shares.splice(at, 1);
    return true;
  }

  opened(stream: StreamEnd, request: Bytes): StreamListener {
    const served = this.#begin(stream, decodeFileRequest(request));
    return ({ t }) => {
      if (served === undefined) return;
      if (stream.isOver) this.#served.delete(served);
      if (stream.isOver || t === "credit") served.wake();
    };
  }

  #begin(stream: StreamEnd, request: FileRequest | undefined): Served | undefined {
    const { who } = stream;
    if (request === undefined) return refuse(stream, "refused");
    if (this.#served.size >= FILE.maxServed) return refuse(stream, "busy");
    const { file, offset } = request;
    const share = this.#shares.find(({ offer }) => equalBytes(offer.id, file));
    // A member to whom it was not offered learns no more than one that asks for a file that does not exist.
    if (share?.isOffered !== true || share.to?.includes(who) === false || offset > share.offer.size)
      return refuse(stream, "unknown");
    const served: Served = {
      offer: share.offer,
      who,
      stream,
      sent: offset,
      rate: new Rate(this.#clock.now()),
      wake: () => undefined,
    };
    this.#served.add(served);
    void this.#serve(share, served);
    return served;
  }

  /** The tunnel is over. */
  async end(): Promise<void> {
    for (const { stream, wake } of this.#served) {
      stream.reset("away" satisfies StreamReset);
      wake();
    }
    this.#served.clear();
    await Promise.all(this.#shares.splice(0).map(({ source }) => source.close()));
  }

  /** Never rejects: whatever goes wrong is told to the receiver. */
  async #serve(share: Share, served: Served): Promise<void> {
    const { stream } = served;
    try {
      await this.#send(share, served);
    } catch (thrown) {
      stream.reset(STOP_OF.get(asTunnelError(thrown).code) ?? "gone");
    } finally {
      this.#served.delete(served);
    }
  }

  async #send({ offer, source }: Share, served: Served): Promise<void> {
    const { stream } = served;
    const salt = this.#primitives.random(SALT_BYTES);
    const cipher = new ChunkCipher(this.#primitives, offer, salt);
    stream.accept(salt);
    const read = (at: number, length: number): Promise<Bytes> =>
      this.#reading.run(() => (stream.isOver ? Promise.resolve(NOTHING) : source.read(at, length)));
    for await (const { offset, content } of blocks({ size: offer.size, read }, served.sent)) {
      if (stream.isOver) return;
      for (let at = 0; at < content.length || at === 0; at += FILE.chunkBytes) {
        // The first one as well: what is said goes ahead of whatever somebody asks for.
        await this.#port.writable();
        if (stream.isOver) return;
        const piece = content.subarray(at, at + FILE.chunkBytes);
        const place = { offset: offset + at, final: offset + at + piece.length === offer.size };
        const chunk = chunkOfFile({ ...place, ...cipher.seal(piece, place) });
        await this.#whenCredited(served, () => stream.sendSealed(chunk));
        if (stream.isOver) return;
        served.sent = offset + at + piece.length;
        served.rate.add(piece.length, this.#clock.now());
      }
    }
    stream.end();
  }

  /** Until the receiver has let it come, or wants no more. Credit that is too little for it does not keep the place for longer. */
  async #whenCredited(served: Served, send: () => boolean): Promise<void> {
    const { stream } = served;
    const until = this.#clock.now() + STALL_MS;
    while (!stream.isOver && !send()) {
      const how = await wait(this.#clock, Math.max(0, until - this.#clock.now()), {
        until: (wake) => {
          served.wake = wake;
          return () => undefined;
        },
      });
      if (how === "woken" || stream.isOver) continue;
      // A receiver that keeps a stream without using it makes room; it may come again.
      stream.reset("busy" satisfies StreamReset);
    }
  }
}

const NOTHING = new Uint8Array(0);

function refuse(stream: StreamEnd, code: FileReset | StreamReset): undefined {
  stream.reset(code);
}

/**
 * The rest of a file from `offset` on. After the first block it reads one block ahead: a receiver that asks and takes
 * nothing causes one read, of one chunk. An empty rest is one empty block.
 */
async function* blocks(
  source: Pick<FileSource, "size" | "read">,
  offset: number,
): AsyncGenerator<{ readonly offset: number; readonly content: Bytes }> {
  const lengthAt = (at: number): number => (at === offset ? FILE.chunkBytes : BLOCK_BYTES);
  const read = (at: number): Promise<Bytes> | undefined => {
    if (at > offset && at >= source.size) return undefined;
    const next = source.read(at, Math.min(lengthAt(at), source.size - at));
    // Looked at when its turn comes, which may be never.
    next.catch(() => undefined);
    return next;
  };
  let next = read(offset);
  for (let at = offset; next !== undefined; at += lengthAt(at)) {
    const content = await next;
    const following = at + lengthAt(at);
    next = at === offset ? undefined : read(following);
    yield { offset: at, content };
    if (at === offset) next = read(following);
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
