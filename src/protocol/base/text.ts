import { must } from "../../errors/must.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { FORBIDDEN_IN_TEXTS, isBlank, trim } from "./characters.ts";
import { labelFault } from "./labels.ts";
import { ROOM } from "./limits.ts";
import { isAssigned } from "./names.ts";
import { utf8Length } from "./utf8.ts";

/** One line of 1 to `maxChars` code points, as T1 wants labels. */
export function isLabelUpTo(text: string, maxChars: number): boolean {
  if (text.length === 0 || trim(text) !== text || Array.from(text).length > maxChars) return false;
  return labelFault(text) === undefined;
}

export function isName(text: string): boolean {
  return isLabelUpTo(text, ROOM.maxNameChars);
}

export function isGoal(text: string): boolean {
  return isLabelUpTo(text, ROOM.maxGoalChars);
}

export function isText(text: string): boolean {
  return !isBlank(text) && !FORBIDDEN_IN_TEXTS.test(text);
}

/** A name as typed by this side's user or agent. @throws {TunnelError} name-invalid */
export function checkName(name: string): string {
  const trimmed = trim(name).normalize("NFC");
  // The host may not know a character that is unassigned here, and would not let the name in (G1).
  if (!isName(trimmed)) throw new TunnelError("name-invalid", { detail: labelProblem(trimmed) });
  const unknown = Array.from(trimmed).findIndex((character) => !isAssigned(character));
  if (unknown !== -1)
    throw new TunnelError("name-invalid", {
      detail: `${characterIn(trimmed, unknown)}, which is not known here`,
    });
  return trimmed;
}

/** A goal as typed by this side's user or agent. @throws {TunnelError} goal-invalid */
export function checkGoal(goal: string): string {
  const trimmed = trim(goal).normalize("NFC");
  if (!isGoal(trimmed)) throw new TunnelError("goal-invalid", { detail: labelProblem(trimmed) });
  return trimmed;
}

function labelProblem(label: string): string {
  if (label.length === 0) return "it is empty";
  const fault = labelFault(label);
  if (fault !== undefined) return characterIn(label, fault.position);
  return `it has ${Array.from(label).length} characters`;
}

/** @param position how many code points stand before it, so that the first is 0 */
function characterIn(text: string, position: number): string {
  const [character = ""] = Array.from(text).slice(position);
  return `it contains ${codePointName(character)} at position ${position} (counted from 0)`;
}

/**
 * Message text as typed by this side's agent, line ends made uniform.
 * @throws {TunnelError} text-invalid, text-too-long
 */
export function checkText(text: string): string {
  const uniform = text.replace(/\r\n?/g, "\n");
  if (isBlank(uniform)) throw new TunnelError("text-invalid", { detail: "it is empty" });
  const found = FORBIDDEN_IN_TEXTS.exec(uniform);
  if (found !== null) {
    const position = Array.from(uniform.slice(0, found.index)).length;
    throw new TunnelError("text-invalid", { detail: characterIn(uniform, position) });
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
