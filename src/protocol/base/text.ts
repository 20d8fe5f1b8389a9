import { must } from "../../errors/must.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { ROOM } from "./limits.ts";
import { utf8Length } from "./utf8.ts";

/**
 * Characters that a label (name, goal) may not contain (T1): controls, line separators, lone surrogates, private use, and the
 * invisible characters that reorder or hide text or pass for an empty name.
 */
const NOT_IN_LABEL = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;
/** Characters that message text may not contain (T2): control characters other than newline and tab, and lone surrogates. */
const NOT_IN_TEXT = /[\p{Cs}]|(?![\n\t])\p{Cc}/u;

/** One line of 1 to `maxChars` code points, as T1 wants labels. */
export function isLabelUpTo(text: string, maxChars: number): boolean {
  if (text.trim() !== text || text.length === 0 || NOT_IN_LABEL.test(text)) return false;
  return Array.from(text).length <= maxChars;
}

export function isName(text: string): boolean {
  return isLabelUpTo(text, ROOM.maxNameChars);
}

export function isGoal(text: string): boolean {
  return isLabelUpTo(text, ROOM.maxGoalChars);
}

export function isText(text: string): boolean {
  return text.trim().length > 0 && !NOT_IN_TEXT.test(text);
}

/** A name as typed by this side's user or agent. @throws {TunnelError} name-invalid */
export function checkName(name: string): string {
  const trimmed = name.trim().normalize("NFC");
  if (!isName(trimmed)) throw new TunnelError("name-invalid");
  return trimmed;
}

/** A goal as typed by this side's user or agent. @throws {TunnelError} goal-invalid */
export function checkGoal(goal: string): string {
  const trimmed = goal.trim().normalize("NFC");
  if (!isGoal(trimmed)) throw new TunnelError("goal-invalid", { detail: labelProblem(trimmed) });
  return trimmed;
}

function labelProblem(label: string): string {
  if (label.length === 0) return "it is empty";
  if (NOT_IN_LABEL.test(label)) return "it contains control or invisible characters";
  return `it has ${Array.from(label).length} characters`;
}

/**
 * Message text as typed by this side's agent, line ends made uniform.
 * @throws {TunnelError} text-invalid, text-too-long
 */
export function checkText(text: string): string {
  const uniform = text.replace(/\r\n?/g, "\n");
  if (uniform.trim().length === 0) throw new TunnelError("text-invalid", { detail: "it is empty" });
  const found = NOT_IN_TEXT.exec(uniform);
  if (found !== null) {
    const detail = `it contains ${codePointName(found[0])} at position ${found.index}`;
    throw new TunnelError("text-invalid", { detail });
  }
  const bytes = utf8Length(uniform);
  if (bytes > ROOM.maxTextBytes) throw new TunnelError("text-too-long", { detail: `it has ${bytes} bytes` });
  return uniform;
}

/** The first character by its code point, such as "U+200B". */
export function codePointName(text: string): string {
  const point = must(text.codePointAt(0), "a character");
  return `U+${point.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** The form in which names of one room differ: case, width and the way accents are written do not tell them apart. */
export function foldedName(name: string): string {
  return name.normalize("NFKC").toLowerCase().normalize("NFKC");
}
