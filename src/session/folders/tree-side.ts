import type { ByteRange } from "../../protocol/files/tree-receiver.ts";

/** How a tree was saved, or is to be. Paths as its list has them, in order. */
export interface TreeReport {
  /** Files that are saved. */
  readonly files: number;
  /** Bytes of these. */
  readonly bytes: number;
  /** Bytes that were here already, or came once for several files. */
  readonly reused: number;
  readonly renamed: readonly { readonly path: string; readonly savedAs: string; readonly why: string }[];
  /** Those that were wanted and are not saved. */
  readonly notSaved: readonly { readonly path: string; readonly why: string }[];
  /** Those that are saved. */
  readonly saved: readonly string[];
}

/** The part of a sink that only a tree has (B8). */
export interface TreeSide {
  /** The list is there: the parts of the content that are wanted. @throws {TunnelError} */
  plan(): Promise<readonly ByteRange[]>;
  /** Bytes that come in all; what the offer says before there is a plan. */
  readonly total: number;
  /** Undefined before there is a plan. */
  readonly report: TreeReport | undefined;
}
