import type { Socket } from "node:net";
import { Duplex } from "node:stream";

/** Bytes that wait for the other end before a writer has to wait. */
const HIGH_WATER_BYTES = 64 * 1_024;

/** One end of a connection inside this process, with what HTTP code expects of a socket. */
class End extends Duplex {
  readonly remoteAddress = "127.0.0.1";
  #peer: End | undefined;
  /** The other end goes on writing once this one is read. */
  #wake: (() => void) | undefined;

  constructor() {
    const highWaterMark = HIGH_WATER_BYTES;
    super({
      allowHalfOpen: true,
      readableHighWaterMark: highWaterMark,
      writableHighWaterMark: highWaterMark,
    });
  }

  join(peer: End): void {
    this.#peer = peer;
    peer.#peer = this;
  }

  override _read(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const peer = this.#peer;
    if (peer === undefined || peer.destroyed || peer.push(chunk)) done();
    else peer.#wake = done;
  }

  override _final(done: () => void): void {
    this.#peer?.push(null);
    done();
  }

  /** Without a proper end the other side is cut as well; with one, it reads what it has. */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const peer = this.#peer;
    this.#peer = undefined;
    this._read();
    if (peer !== undefined) {
      peer.#peer = undefined;
      if (!this.writableFinished) process.nextTick(() => peer.destroy());
    }
    done(error);
  }

  // --- what code for sockets expects ---

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  destroySoon(): void {
    if (this.writableFinished) this.destroy();
    else this.end(() => this.destroy());
  }
}

/**
 * Connects to a server of this process that listens nowhere. The returned end emits `connect`.
 * @param accept takes the server's end
 */
export function dialInProcess(accept: (socket: Duplex) => void): Socket {
  const [near, far] = [new End(), new End()];
  near.join(far);
  // A client that is gone by then is no error of the server's.
  near.on("error", () => undefined);
  accept(far);
  process.nextTick(() => near.emit("connect"));
  return asSocket(near);
}

/** Code for sockets uses no more of one than an end has. */
function asSocket(end: End): Socket {
  return end as unknown as Socket;
}
