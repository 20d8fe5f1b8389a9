import { chunkPrice, type Chunk, type StreamId } from "../../../src/protocol/record/chunk.ts";
import { toBase64url, toHex, type Bytes } from "../../../src/protocol/base/bytes.ts";
import { TunnelError, type ErrorCode } from "../../../src/errors/tunnel-error.ts";
import type { MemberId } from "../../../src/protocol/base/ids.ts";
import type { FileOffer } from "../../../src/protocol/files/offer.ts";
import type { OutgoingMessage } from "../../../src/protocol/room/participant.ts";
import { decodeFileRequest } from "../../../src/protocol/files/stream.ts";
import { Services } from "../../../src/protocol/link/service.ts";
import type { StreamRequest, StreamWord } from "../../../src/protocol/link/stream-frames.ts";
import type { FileEntry } from "../../../src/protocol/room/log.ts";
import { Files, type Download } from "../../../src/session/files/files.ts";
import type { FileSink, FileSource, StreamPort } from "../../../src/session/files/port.ts";
import type { Examined } from "../../../src/session/saying/judging.ts";
import type { Notice } from "../../../src/session/notices/notice.ts";
import { FakeClock, settle } from "../fake-tunnel-clock.ts";
import {
  chunkOf,
  frameOf,
  pieceOf,
  wordOf,
  type FileEvent,
  type FilePiece,
  type FileWord,
} from "../file-words.ts";
import { chunksOf } from "../streaming.ts";
import { nodePrimitives } from "../wire.ts";

/** The word on a content in which nothing was found, and which has its own place. */
export function examinedAs(digest: string): Examined {
  return { path: "/memory", gates: [], reasons: [], verdict: { kind: "clear", digest } };
}

/** A file that is only in memory, and as broken as a test wants. */
export class MemorySource implements FileSource {
  readonly size: number;
  readonly sha256: string;
  /** The error of reading from this offset on. */
  failure: { readonly from: number; readonly code: ErrorCode } | undefined;
  isClosed = false;
  readonly examined: Examined;
  readonly #content: Bytes;

  constructor(content: Bytes) {
    this.#content = content;
    this.size = content.length;
    this.sha256 = toHex(nodePrimitives.sha256(content));
    this.examined = examinedAs(this.sha256);
  }

  async read(offset: number, length: number): Promise<Bytes> {
    await Promise.resolve();
    if (this.failure !== undefined && offset >= this.failure.from) throw new TunnelError(this.failure.code);
    return this.#content.subarray(offset, offset + length);
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

/** A place for a file that remembers what was done to it. */
export class MemorySink implements FileSink {
  readonly part = "";
  readonly received = 0;
  readonly parts: Bytes[] = [];
  state: "open" | "committed" | "aborted" = "open";
  failure: ErrorCode | undefined;
  /** Writing waits for this. */
  gate: Promise<void> = Promise.resolve();

  get content(): Bytes {
    return new Uint8Array(Buffer.concat(this.parts));
  }

  async write(contents: readonly Bytes[]): Promise<void> {
    await this.gate;
    if (this.failure !== undefined) throw new TunnelError(this.failure);
    this.parts.push(...contents);
  }

  async commit(sha256: string): Promise<void> {
    await Promise.resolve();
    if (toHex(nodePrimitives.sha256(this.content)) !== sha256) throw new TunnelError("file-hash-mismatch");
    this.state = "committed";
  }

  abort(): Promise<void> {
    if (this.state === "open") this.state = "aborted";
    return Promise.resolve();
  }
}

/** The tunnel, as a test scripts it. */
export class ScriptedPort implements StreamPort {
  readonly requests: {
    readonly file: Bytes;
    readonly owner: MemberId;
    readonly offset: number;
    readonly credit: number;
    readonly stream: StreamId;
  }[] = [];
  /** All that was said but `end`. */
  readonly frames: FileWord[] = [];
  readonly ends: StreamId[] = [];
  readonly chunks: FilePiece[] = [];
  readonly members = new Set<MemberId>();
  isUp = true;
  /** Credit of the other side, for all streams together. */
  credit = Number.POSITIVE_INFINITY;
  #last = 0;

  openStream(request: StreamRequest): StreamId | undefined {
    if (!this.isUp) return undefined;
    const stream = this.nextStream();
    const asked = decodeFileRequest(request.request);
    if (asked === undefined) throw new Error("no request for a file");
    this.requests.push({ ...asked, owner: request.who, credit: request.credit, stream });
    return stream;
  }

  nextStream(): StreamId {
    this.#last += 1;
    return this.#last;
  }

  stream(frame: StreamWord): void {
    if (frame.t === "end") this.ends.push(frame.stream);
    else this.frames.push(wordOf(frame));
  }

  sendable(): number {
    return this.credit;
  }

  sendChunk(chunk: Chunk): boolean {
    if (chunkPrice(chunk) > this.credit) return false;
    this.credit -= chunkPrice(chunk);
    this.chunks.push(pieceOf(chunk));
    return true;
  }

  async writable(): Promise<void> {
    await Promise.resolve();
  }

  isConnected(id: MemberId): boolean {
    return this.isUp && this.isMember(id);
  }

  isMember(id: MemberId): boolean {
    return this.members.has(id);
  }

  /** Bytes that have been let come on a stream. */
  granted(stream: StreamId): number {
    const opened = this.requests.find((request) => request.stream === stream)?.credit ?? 0;
    const more = this.frames.flatMap((frame) =>
      frame.t === "credit" && frame.stream === stream ? [frame.bytes] : [],
    );
    return more.reduce((sum, bytes) => sum + bytes, opened);
  }

  stops(): string[] {
    return this.frames.flatMap((frame) => (frame.t === "stop" ? [frame.reason] : []));
  }
}

/** The files of one side, everything around them scripted. */
export class FileScene {
  readonly clock = new FakeClock();
  readonly port = new ScriptedPort();
  readonly notices: Notice[] = [];
  readonly said: OutgoingMessage[] = [];
  sayFailure: ErrorCode | undefined;
  /** Everything that a later process would be told of transfers. */
  readonly kept: string[] = [];
  readonly services = new Services(this.port);
  readonly files = new Files({
    services: this.services,
    port: this.port,
    primitives: nodePrimitives,
    clock: this.clock,
    say: async (outgoing, offering) => {
      await Promise.resolve();
      if (this.sayFailure !== undefined) throw new TunnelError(this.sayFailure);
      offering.leaves();
      this.said.push(outgoing);
      return { status: "sent", seq: this.said.length };
    },
    notify: (notice) => this.notices.push(notice),
    onPart: (part) => void this.kept.push(`part ${part}`),
    onReceiving: ({ target, part }) => {
      this.kept.push(`${target} by ${part}`);
      return () => void this.kept.push(`${target} over`);
    },
  });

  constructor(owner: MemberId) {
    this.port.members.add(owner);
  }

  /** Something came on a stream. A final chunk has its `end` behind it. */
  happened(event: FileEvent): void {
    if (event.t !== "chunk") return this.services.happened(frameOf(event));
    this.services.happened({ t: "chunk", ...chunkOf(event) });
    if (event.final) this.services.happened({ t: "end", stream: event.stream });
  }

  /** Somebody else offers a file; gives its id. */
  hears(offer: FileOffer, from: MemberId): string {
    const spoken = {
      from,
      fromName: "ben",
      own: false,
      intent: undefined,
      replyTo: undefined,
      to: undefined,
    };
    const entry: FileEntry = { kind: "file", seq: 1, ts: 0, ...spoken, offer };
    this.files.heard(entry);
    return toBase64url(offer.id);
  }

  async receive(offer: FileOffer, from: MemberId, target = "/x") {
    const sink = new MemorySink();
    const download = await this.files.receive(this.hears(offer, from), target, () => Promise.resolve(sink));
    await settle();
    return { sink, download };
  }

  /** Serves the stream that was asked for last, `count` chunks of it, then ends it for this reason. */
  async serve(
    offer: FileOffer,
    content: Bytes,
    options: { count?: number; stop?: string; piece?: number } = {},
  ) {
    const request = this.port.requests.at(-1);
    if (request === undefined) throw new Error("nothing was asked for");
    const { stream, offset } = request;
    const { count = Number.POSITIVE_INFINITY, stop, piece = 1_000 } = options;
    const salt = nodePrimitives.random(32);
    this.happened({ t: "start", stream, salt });
    for (const chunk of chunksOf(offer, content, { salt, stream, from: offset, piece }).slice(0, count)) {
      this.happened({ t: "chunk", ...chunk });
      await settle();
    }
    if (stop !== undefined) this.happened({ t: "stop", stream, reason: stop });
    await settle();
  }
}

/** How a download stands, in short. */
export function outcomeOf({ state }: Download): string {
  return state.name === "failed" ? state.error.code : state.name;
}
