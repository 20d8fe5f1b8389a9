import { Duplex } from "node:stream";
import type { RawData, WebSocket } from "ws";
import { UPLINK } from "../limits.ts";

/** Options of the WebSocket between host and relay, at both ends. */
export const LINE_OPTIONS = {
  perMessageDeflate: false,
  maxPayload: UPLINK.maxPieceBytes,
  maxFragments: 16,
  maxBufferedChunks: 1024,
} as const;

export interface LineEvents {
  /** A text message: what host and relay have to tell each other. */
  onText(text: string): void;
  /** Called once. The reason is the peer's, and empty where the connection broke. */
  onClose(code: number, reason: string): void;
}

/** The WebSocket between a host and a relay: text for the two of them, and one stream of bytes for HTTP/2. */
export class Line {
  readonly #socket: WebSocket;
  #stream: PieceStream | undefined;
  #lastHeardMs: number;
  readonly #now: () => number;

  constructor(socket: WebSocket, now: () => number, events: LineEvents) {
    this.#socket = socket;
    this.#now = now;
    this.#lastHeardMs = now();
    socket.on("message", (data, isBinary) => {
      this.#lastHeardMs = now();
      if (!isBinary) events.onText(bufferOf(data).toString("utf8"));
      else if (this.#stream === undefined) this.terminate();
      else this.#stream.arrived(bufferOf(data));
    });
    const heard = (): void => void (this.#lastHeardMs = now());
    socket.on("ping", heard).on("pong", heard);
    // ws closes by itself after an error; "close" follows.
    socket.on("error", () => socket.terminate());
    socket.on("close", (code, reason) => {
      this.#stream?.destroy();
      events.onClose(code, reason.toString("utf8"));
    });
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  /** Milliseconds since anything came. */
  get silentMs(): number {
    return this.#now() - this.#lastHeardMs;
  }

  /** The bytes of this line. Made before the other side can send any, or they are lost with the line. */
  get stream(): Duplex {
    return (this.#stream ??= new PieceStream(this.#socket));
  }

  send(message: object): void {
    if (this.isOpen) this.#socket.send(JSON.stringify(message));
  }

  ping(): void {
    if (this.isOpen) this.#socket.ping();
  }

  close(code: number, reason: string): void {
    if (this.#socket.readyState === this.#socket.CONNECTING) this.#socket.terminate();
    else this.#socket.close(code, reason);
  }

  terminate(): void {
    this.#socket.terminate();
  }
}

/**
 * The binary messages of a WebSocket as a stream. Unlike that of the library it lets text pass by, and it ends with the socket at
 * once: an HTTP/2 session that goes on writing to a stream without a socket can end the process.
 */
class PieceStream extends Duplex {
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    super();
    this.#socket = socket;
    this.on("error", () => undefined);
  }

  arrived(piece: Buffer): void {
    if (!this.destroyed && !this.push(piece)) this.#socket.pause();
  }

  override _read(): void {
    if (this.#socket.isPaused) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#send(chunk, callback);
  }

  override _writev(
    chunks: { chunk: Buffer; encoding: BufferEncoding }[],
    callback: (error?: Error | null) => void,
  ): void {
    let bytes = 0;
    for (const { chunk } of chunks) bytes += chunk.length;
    // The frames of one turn of HTTP/2 as one message, while they fit into one.
    if (bytes <= UPLINK.maxPieceBytes / 2) {
      this.#send(
        chunks.length === 1 ? chunks[0]?.chunk : Buffer.concat(chunks.map(({ chunk }) => chunk)),
        callback,
      );
      return;
    }
    for (const [index, { chunk }] of chunks.entries())
      this.#send(chunk, index === chunks.length - 1 ? callback : undefined);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#socket.close();
    callback();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (this.#socket.readyState !== this.#socket.CLOSED) this.#socket.terminate();
    callback(error);
  }

  #send(bytes: Buffer | undefined, callback: ((error?: Error | null) => void) | undefined): void {
    if (bytes === undefined || this.#socket.readyState !== this.#socket.OPEN) callback?.();
    // Larger than the other side takes in one message: HTTP/2 does not write such pieces, a full buffer of them may be.
    else if (bytes.length > UPLINK.maxPieceBytes) {
      this.#send(bytes.subarray(0, UPLINK.maxPieceBytes), undefined);
      this.#send(bytes.subarray(UPLINK.maxPieceBytes), callback);
    } else if (callback === undefined) this.#socket.send(bytes);
    else this.#socket.send(bytes, (error) => callback(error));
  }
}

function bufferOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? Buffer.from(data) : data;
}
