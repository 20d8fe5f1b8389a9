import { Duplex } from "node:stream";
import { must } from "../../errors/must.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { concat, type Bytes } from "../../protocol/base/bytes.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import type { StreamEnd, StreamNews } from "../../protocol/link/service.ts";
import type { StreamReset } from "../../protocol/link/stream-frames.ts";
import {
  ConnectionOpener,
  ConnectionSealer,
  type ConnectionSecrets,
} from "../../protocol/services/connection.ts";
import type { PortReset } from "../../protocol/services/stream.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { SendTurns } from "./turns.ts";
import { Window, type WindowPool } from "./window.ts";

/** Why a connection ended early: the code of a reset, from either end. */
export type ResetCode = PortReset | StreamReset;

/** A connection that was reset, as its stream said. */
export class ConnectionReset extends Error {
  readonly code: string;

  constructor(code: string) {
    super(`the connection was reset (${code})`);
    this.name = "ConnectionReset";
    this.code = code;
  }
}

export interface StreamSocketOptions {
  readonly side: "owner" | "taker";
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly pool: WindowPool;
  /** Shared with the other connections of this side. */
  readonly turns: SendTurns;
  /** Resolves when this side's own connection to the room can take more. */
  readonly writable: () => Promise<void>;
  readonly onBytes: (direction: "in" | "out", count: number) => void;
}

/** Less credit than this is worth no chunk while more waits to be sent: so nobody sends a stream in crumbs. */
const LEAST_CREDIT = 4_096;

interface Arrived {
  readonly content: Bytes;
  readonly price: number;
}

/**
 * A connection to a service as a socket, at either end of its stream: full duplex, half-closable, sealed between the two ends, with the
 * stream's credit as its back-pressure. It has what HTTP and TCP code expects of a socket of Node. A taker writes before its
 * owner has accepted: it is sent then.
 */
export class StreamSocket extends Duplex {
  readonly remoteAddress = "127.0.0.1";
  readonly window: Window;
  readonly #options: StreamSocketOptions;
  #stream: StreamEnd | undefined;
  #sealer: ConnectionSealer | undefined;
  #opener: ConnectionOpener | undefined;
  readonly #arrived: Arrived[] = [];
  #isEnding = false;
  #wantsMore = false;
  #stalledAt: number | undefined;
  #wake: (() => void) | undefined;
  #resetCode: ResetCode = "cancelled";

  constructor(options: StreamSocketOptions) {
    super({ allowHalfOpen: true, readableHighWaterMark: 64 * 1024, writableHighWaterMark: 128 * 1024 });
    this.#options = options;
    this.window = new Window(options.pool);
  }

  /** Its stream: from now on its news are told by {@link heard}. */
  attach(stream: StreamEnd): void {
    this.#stream = stream;
    if (this.destroyed) stream.reset(this.#resetCode);
  }

  /** Both ends know the salts: bytes can go. Emits `connect`. */
  begin(secrets: ConnectionSecrets): void {
    const { primitives, side } = this.#options;
    const [out, back] =
      side === "owner" ? (["to-taker", "to-owner"] as const) : (["to-owner", "to-taker"] as const);
    this.#sealer = new ConnectionSealer(primitives, secrets, out);
    this.#opener = new ConnectionOpener(primitives, secrets, back);
    this.emit("connect");
    this.#wake?.();
  }

  get isConnected(): boolean {
    return this.#sealer !== undefined;
  }

  /** Since when its program takes in nothing of what waits here; undefined while it does. */
  get stalledAt(): number | undefined {
    return this.#stalledAt;
  }

  heard(news: StreamNews): void {
    switch (news.t) {
      case "accept":
        return;
      case "credit":
        return this.#wake?.();
      case "chunk":
        return this.#chunk(news);
      case "end":
        // An end without the sealed word for it may be a cut on the way.
        if (!this.#isEnding) this.#fail("refused", new TunnelError("service-corrupt"));
        return;
      case "reset":
        // All has been said both ways: a reset that crosses the last words takes nothing of them away.
        if (this.#isEnding && this.writableFinished) return;
        this.destroy(new ConnectionReset(news.code));
    }
  }

  /** Ends it at once, both ways, and says why. */
  resetWith(code: ResetCode): void {
    this.#resetCode = code;
    this.destroy();
  }

  // --- what code for sockets expects ---

  resetAndDestroy(): this {
    this.resetWith("failed");
    return this;
  }

  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  // --- Duplex ---

  override _read(): void {
    this.#wantsMore = true;
    this.#flow();
  }

  override _write(chunk: Buffer, _encoding: string, done: Done): void {
    void settleWith(this.#sendAll(chunk), done);
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: Done): void {
    void settleWith(this.#sendAll(concat(...chunks.map(({ chunk }) => chunk))), done);
  }

  override _final(done: Done): void {
    void settleWith(this.#sendLast(), done);
  }

  override _destroy(error: Error | null, done: Done): void {
    const stream = this.#stream;
    const isWhole = this.readableEnded && this.writableFinished;
    if (stream?.isOver === false && !isWhole) stream.reset(this.#resetCode);
    this.#arrived.length = 0;
    this.window.end();
    this.#wake?.();
    done(error);
  }

  async #sendAll(content: Bytes): Promise<void> {
    for (let at = 0; at < content.length;) {
      const left = content.length - at;
      const fits = await this.#whenFits(left);
      const piece = content.subarray(at, at + Math.min(left, fits));
      await this.#options.turns.take(piece.length);
      this.#send(piece, false);
      at += piece.length;
      this.#options.onBytes("out", piece.length);
    }
  }

  async #sendLast(): Promise<void> {
    await this.#whenFits(0);
    this.#send(new Uint8Array(0), true);
    this.#stream?.end();
  }

  #send(piece: Bytes, isFinal: boolean): void {
    const sealer = must(this.#sealer, "the keys of a connection");
    if (this.#stream?.sendSealed(sealer.seal(piece, isFinal)) !== true) throw new ConnectionReset("away");
  }

  /** How much may go now: at least one byte, or 0 where nothing is left but the end. @throws {ConnectionReset} */
  async #whenFits(left: number): Promise<number> {
    for (;;) {
      await this.#options.writable();
      if (this.destroyed || this.#stream?.isOver === true) throw new ConnectionReset("away");
      const credit = this.#sealer === undefined ? 0 : (this.#stream?.credit ?? 0);
      const fits = ConnectionSealer.fits(credit);
      const isEnough = left === 0 ? fits >= 0 : fits >= left || (fits > 0 && credit >= LEAST_CREDIT);
      // In one large message more than half of which would be padding, in two otherwise.
      if (isEnough) return left === 0 ? fits : Math.min(fits, ConnectionSealer.suits(left));
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #chunk(news: Extract<StreamNews, { t: "chunk" }>): void {
    if (this.destroyed) return;
    try {
      const content = must(this.#opener, "the keys of a connection").take(news);
      this.#isEnding = this.#opener?.isComplete === true;
      this.#arrived.push({ content, price: news.price });
      this.#flow();
    } catch (error) {
      this.#fail("refused", error);
    }
  }

  /** Hands on what has come as far as the program takes it. What was handed on may be followed by more. */
  #flow(): void {
    const { clock, onBytes } = this.#options;
    let taken = 0;
    while (this.#wantsMore) {
      const next = this.#arrived.shift();
      if (next === undefined) break;
      taken += next.price;
      if (next.content.length === 0) continue;
      onBytes("in", next.content.length);
      this.#wantsMore = this.push(next.content);
    }
    if (this.#arrived.length === 0 || taken > 0) this.#stalledAt = undefined;
    if (this.#arrived.length > 0) this.#stalledAt ??= clock.now();
    if (this.#isEnding && this.#arrived.length === 0 && !this.readableEnded) return this.#ended();
    if (taken === 0 || this.destroyed) return;
    const grant = this.window.taken(taken, clock.now());
    if (grant > 0) this.#stream?.grant(grant);
  }

  #ended(): void {
    if (this.#opener === undefined) return;
    this.#opener = undefined;
    this.push(null);
  }

  #fail(code: ResetCode, error: unknown): void {
    this.#resetCode = code;
    this.destroy(error instanceof Error ? error : new TunnelError("service-corrupt"));
  }
}

type Done = (error?: Error | null) => void;

/** Tells a stream of Node how a promise ended. What the stream does then must not become an end of that promise. */
async function settleWith(work: Promise<void>, done: Done): Promise<void> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => (thrown instanceof Error ? thrown : new ConnectionReset("failed")),
  );
  done(error);
}
