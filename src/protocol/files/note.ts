import { TunnelError } from "../../errors/tunnel-error.ts";
import { trim } from "../base/characters.ts";
import { FILE } from "../base/limits.ts";
import { isText } from "../base/text.ts";

/** The note of an offer. Apart from the offers, whose schemas a starting server does not need. */
export function isNote(note: string): boolean {
  return isText(note) && Array.from(note).length <= FILE.maxNoteChars;
}

/** A note as typed by this side's agent. @throws {TunnelError} note-invalid */
export function checkNote(note: string): string {
  const uniform = trim(note.replace(/\r\n?/g, "\n"));
  if (!isNote(uniform)) throw new TunnelError("note-invalid");
  return uniform;
}
