import type { Bytes } from "../../src/protocol/base/bytes.ts";
import type { MemberId } from "../../src/protocol/base/ids.ts";
import {
  chunkOfFile,
  decodeFileRequest,
  encodeFileRequest,
  FILES_SERVICE,
  readFileChunk,
  type FileChunk,
} from "../../src/protocol/files/stream.ts";
import type { StreamEvent, StreamFrame, StreamRequest } from "../../src/protocol/link/stream-frames.ts";
import type { Chunk, StreamId } from "../../src/protocol/record/chunk.ts";

/** A piece of a file on a stream. */
export type FilePiece = FileChunk & { readonly stream: StreamId };

/** Frames of streams in the terms of files: tests of files speak in these. */
export type FileWord =
  | {
      readonly t: "open";
      readonly stream: StreamId;
      readonly file: Bytes;
      readonly who: MemberId;
      readonly offset: number;
      readonly credit: number;
    }
  | { readonly t: "start"; readonly stream: StreamId; readonly salt: Bytes }
  | { readonly t: "credit"; readonly stream: StreamId; readonly bytes: number }
  | { readonly t: "stop"; readonly stream: StreamId; readonly reason: string }
  | { readonly t: "end"; readonly stream: StreamId };
export type FileEvent = FileWord | ({ readonly t: "chunk" } & FilePiece);
type WordAboutOne = Exclude<FileWord, { t: "open" }>;
type FrameAboutOne = Exclude<StreamFrame, { t: "open" }>;

export function fileRequest(ask: {
  readonly file: Bytes;
  readonly owner: MemberId;
  readonly offset: number;
  readonly credit: number;
}): StreamRequest {
  const { owner: who, credit } = ask;
  return { who, service: FILES_SERVICE, credit, request: encodeFileRequest(ask) };
}

/** The frame that says it. */
export function frameOf(word: WordAboutOne): FrameAboutOne;
export function frameOf(word: FileWord): StreamFrame;
export function frameOf(word: FileWord): StreamFrame {
  const { stream } = word;
  if (word.t === "open") {
    const { who, credit } = word;
    return { t: "open", stream, ...fileRequest({ ...word, owner: who }), who, credit };
  }
  if (word.t === "start") return { t: "accept", stream, credit: 0, response: word.salt };
  if (word.t === "stop") return { t: "reset", stream, code: word.reason };
  return word;
}

/** The chunk that carries it. */
export function chunkOf({ stream, ...piece }: FilePiece): Chunk {
  return { stream, isSealed: true, ...chunkOfFile(piece) };
}

export function pieceOf({ stream, bytes, isSealed, message }: Chunk): FilePiece {
  const piece = isSealed ? readFileChunk(bytes) : undefined;
  if (piece === undefined) throw new Error("no chunk of a file");
  return { stream, ...piece, ...(message === undefined ? {} : { message }) };
}

export function wordOf(frame: StreamFrame): FileWord {
  const { stream } = frame;
  if (frame.t === "open") {
    const asked = decodeFileRequest(frame.request);
    if (asked === undefined) throw new Error("no request for a file");
    return { t: "open", stream, who: frame.who, credit: frame.credit, ...asked };
  }
  if (frame.t === "accept") return { t: "start", stream, salt: frame.response };
  if (frame.t === "reset") return { t: "stop", stream, reason: frame.code };
  return frame;
}

/**
 * Events of an end in the terms of files. An `end` right behind the request or the final chunk belongs to it, so it is not told
 * again; every other one is.
 */
export function inFileTerms(events: readonly StreamEvent[]): FileEvent[] {
  const last = new Map<StreamId, FileEvent>();
  return events.flatMap((event) => {
    const word: FileEvent = event.t === "chunk" ? { t: "chunk", ...pieceOf(event) } : wordOf(event);
    const before = last.get(word.stream);
    last.set(word.stream, word);
    const isExpected = before?.t === "open" || (before?.t === "chunk" && before.final);
    return word.t === "end" && isExpected ? [] : [word];
  });
}

/** A machine's own ends of streams. */
interface Machine {
  openStream(request: StreamRequest, now: number): StreamId | undefined;
  stream(frame: FrameAboutOne, now: number): void;
  sendChunk(chunk: Chunk, now: number): boolean;
}

/** Asks for a file, as a receiver does: the request is all that it has to say. */
export function askFor(
  machine: Machine,
  ask: Parameters<typeof fileRequest>[0],
  now: number,
): StreamId | undefined {
  const stream = machine.openStream(fileRequest(ask), now);
  if (stream !== undefined) machine.stream({ t: "end", stream }, now);
  return stream;
}

/** Gives a piece, as a sender does: nothing comes behind the final one. Whether there was credit for it. */
export function give(machine: Machine, piece: FilePiece, now: number): boolean {
  const isSent = machine.sendChunk(chunkOf(piece), now);
  if (isSent && piece.final) machine.stream({ t: "end", stream: piece.stream }, now);
  return isSent;
}
