import { Buffer } from "node:buffer";
import type { TreeContentsView } from "../../../session/files/local-files.ts";
import type { TreeReport } from "../../../session/folders/tree-side.ts";
import type { TreeView } from "../../../view/files.ts";
import { boundsOf, listed, within } from "../bounds.ts";
import type { Fence } from "../fence.ts";
import type { Payload } from "../result.ts";

/** Ignored names of this side that are shown. */
const MAX_IGNORED = 5;

/** A folder of this side, as its own agent is told of it. @param limit characters of the whole result */
export function sharedTreeFields(
  { files, bytes }: TreeView,
  { entries, leftOut, ignored, renamed }: TreeContentsView,
  limit: number,
): Payload {
  const { patchFiles, patchFailing } = boundsOf(limit);
  const list = entries.map(({ path, size, hash }) => ({
    path,
    size,
    sha256: hash && Buffer.from(hash, "base64url").toString("hex"),
  }));
  return {
    files,
    bytes,
    ...listed("entries", within(list, patchFiles), list.length),
    ...listed("leftOut", within(leftOut, patchFailing), leftOut.length),
    ...listed("renamed", within(renamed, patchFailing), renamed.length),
    ignored:
      ignored.length === 0 ? undefined : { count: ignored.length, first: ignored.slice(0, MAX_IGNORED) },
  };
}

/** A folder that was received. Paths are its sender's words. */
export function savedTreeFields(report: TreeReport, fence: Fence, limit: number): Payload {
  const { files, bytes, reused, saved, renamed, notSaved } = report;
  const { patchFiles, patchFailing } = boundsOf(limit);
  return {
    files,
    bytes,
    reusedBytes: reused === 0 ? undefined : reused,
    ...fencedLines("saved", saved, fence, patchFiles),
    ...fencedLines(
      "renamed",
      renamed.map(({ path, savedAs, why }) => `${path} -> ${savedAs}: ${why}`),
      fence,
      patchFailing,
    ),
    ...fencedLines(
      "notSaved",
      notSaved.map(({ path, why }) => `${path}: ${why}`),
      fence,
      patchFailing,
    ),
  };
}

function fencedLines(name: string, lines: readonly string[], fence: Fence, maxChars: number): Payload {
  if (lines.length === 0) return {};
  const shown = within(lines, maxChars).map((line) => fence.label(line));
  return {
    [name]: fence.wrap(shown.join("\n")),
    ...(lines.length > shown.length ? { [`${name}NotShown`]: lines.length - shown.length } : {}),
  };
}
