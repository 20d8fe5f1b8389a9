import { TunnelError } from "../../errors/tunnel-error.ts";
import { FORBIDDEN_IN_TEXTS, trim } from "../base/characters.ts";
import { FILE } from "../base/limits.ts";
import { codePointName, isText } from "../base/text.ts";

/** The note of an offer. Apart from the offers, whose schemas a starting server does not need. */
export function isNote(note: string): boolean {
  return isText(note) && Array.from(note).length <= FILE.maxNoteChars;
}

function problemOf(note: string): string {
  const found = FORBIDDEN_IN_TEXTS.exec(note);
  if (found !== null) return `it contains ${codePointName(found[0])} at position ${found.index}`;
  const count = Array.from(note).length;
  return count === 0 ? "it is empty" : `it has ${count} characters`;
}

/** A note as typed by this side's agent. @throws {TunnelError} note-invalid */
export function checkNote(note: string): string {
  const uniform = trim(note.replace(/\r\n?/g, "\n"));
  if (!isNote(uniform)) throw new TunnelError("note-invalid", { detail: problemOf(uniform) });
  return uniform;
}
