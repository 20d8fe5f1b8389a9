import { structuredPatch } from "diff";
import { DIFFERENCE } from "../limits.ts";
import { shortened } from "./shortened.ts";

export interface LineChanges {
  /** Lines as in a unified diff: each change with some lines around it, behind a header `@@`. */
  readonly lines: readonly string[];
  /** There are more lines than those. */
  readonly more: boolean;
}

/** `undefined` where the two have too little in common. */
export function lineChanges(before: string, after: string): LineChanges | undefined {
  const patch = structuredPatch("", "", before, after, undefined, undefined, {
    context: DIFFERENCE.contextLines,
    maxEditLength: DIFFERENCE.edits,
    timeout: DIFFERENCE.timeMs,
  });
  if (patch === undefined) return undefined;
  const all = patch.hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines }) => [
    `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`,
    ...lines,
  ]);
  const { lines, lineChars } = DIFFERENCE;
  const shown = all.slice(0, lines);
  return {
    lines: shown.map((line) => shortened(line, lineChars)),
    more: all.length > lines,
  };
}
