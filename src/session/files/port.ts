import type { Chunk, StreamId } from "../../protocol/record/chunk.ts";
import type { StreamMachine } from "../../protocol/link/service.ts";
import type { StreamRequest, StreamWord } from "../../protocol/link/stream-frames.ts";
import type { Bytes } from "../../protocol/base/bytes.ts";
import type { MemberId } from "../../protocol/base/ids.ts";
import type { Presence } from "../../protocol/room/participant.ts";
import type { Outbound } from "../../oversight/filter/verdict.ts";
import type { TreeSide } from "../folders/tree-side.ts";
import type { Examined } from "../saying/judging.ts";

/** A tunnel as streams and files need it, in either role. */
export interface StreamPort extends StreamMachine {
  /** Resolves when this side's own connection can take more. */
  writable(): Promise<void>;
  /** Whether somebody is in the room at all, connected or not. */
  isMember(id: MemberId): boolean;
  /** Whether a file of theirs could be asked for now, as far as is known here. */
  isConnected(id: MemberId): boolean;
}

/** All of which a content can be made again. */
export type FileOrigin =
  | { readonly kind: "file" | "tree"; readonly paths: readonly string[] }
  /** In memory alone. */
  | { readonly kind: "made"; readonly where: Outbound; readonly bytes: Bytes };

/** A file to read from, which stays what it was when it was offered. */
export interface FileSource {
  readonly examined: Examined;
  readonly size: number;
  /** SHA-256 of the whole, lower-case hex. */
  readonly sha256: string;
  /** Undefined where nothing can bring it back. */
  readonly origin?: FileOrigin;
  /** @throws {TunnelError} share-changed, share-gone */
  read(offset: number, length: number): Promise<Bytes>;
  close(): Promise<void>;
}

/** Where a file goes, under another name until it is whole. */
export interface FileSink {
  /** Appends these, in order. @throws {TunnelError} disk-full, save-failed */
  write(contents: readonly Bytes[]): Promise<void>;
  /** Gives it its name, if its SHA-256 is this one (hex). @throws {TunnelError} file-hash-mismatch and all of saving */
  commit(sha256: string): Promise<unknown>;
  /** Leaves nothing behind. Idempotent. */
  abort(): Promise<void>;
  /** The unfinished file or folder, by its path. */
  readonly part: string;
  /** Bytes that are there already; they were verified when they came. */
  readonly received: number;
  /** Lets the unfinished one be, for a later process that goes on with it; undefined where none could. */
  readonly leave?: () => Promise<void>;
  /** Of a tree alone. */
  readonly tree?: TreeSide;
}

/** The calls for streams that both machines have. */
interface TimedMachine {
  openStream(request: StreamRequest, now: number): StreamId | undefined;
  stream(frame: StreamWord, now: number): void;
  sendable(stream: StreamId): number;
  sendChunk(chunk: Chunk, now: number): boolean;
  presence(now: number): Presence[];
}

/** The port of a machine that `run` calls; `writable` says when its side of the wire can take more. */
export function streamPort(
  run: <Result>(call: (machine: TimedMachine, now: number) => Result) => Result,
  writable: () => Promise<void>,
): StreamPort {
  const memberOf = (id: MemberId): Presence | undefined =>
    run((machine, now) => machine.presence(now)).find((member) => member.id === id);
  return {
    openStream: (request) => run((machine, now) => machine.openStream(request, now)),
    stream: (frame) => run((machine, now) => machine.stream(frame, now)),
    sendable: (stream) => run((machine) => machine.sendable(stream)),
    sendChunk: (chunk) => run((machine, now) => machine.sendChunk(chunk, now)),
    writable,
    isMember: (id) => memberOf(id) !== undefined,
    isConnected: (id) => memberOf(id)?.connected === true,
  };
}
