import { FILE } from "../base/limits.ts";
import { isLabelUpTo } from "../base/text.ts";
import { utf8Length } from "../base/utf8.ts";

/** Most names: printable ASCII alone, without a separator, and no space at an end. Only a shorter way to the same answer. */
const PLAIN = /^(?! )[ -.0-[\]-~]{1,255}(?<! )$/;

/** A name as a label (T4): it never becomes a path, so it may be whatever a label may, but no path either. */
export function isFileName(name: string): boolean {
  if (PLAIN.test(name)) return name !== "." && name !== "..";
  const isPath = /[/\\]/.test(name) || name === "." || name === "..";
  return !isPath && isLabelUpTo(name, FILE.maxNameBytes) && utf8Length(name) <= FILE.maxNameBytes;
}
