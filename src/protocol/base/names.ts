import { trimEnd } from "./characters.ts";
import { labelFault, withoutUnseen } from "./labels.ts";
import { ROOM } from "./limits.ts";

/**
 * Names of members (G1). Two names that a platform takes for one are the host's to keep apart, by its own tables of Unicode; a
 * member judges by {@link plainName} alone, which no version of anything changes (T5).
 */

/** The name under which this program itself speaks. */
export const RESERVED_NAME = "tunnel";

/** A name without the case of its ASCII letters: members of one room differ in this, or the host has broken a rule. */
export function plainName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 32));
}

/**
 * The form in which the host keeps names apart: case, width, the way accents are written and signs that nobody sees do not tell them
 * apart. It depends on
 * the platform, so it decides who gets a number, and what is shown, and never that somebody else has broken a rule.
 */
export function foldedName(shown: string): string {
  const name = withoutUnseen(shown);
  return plainName(name).normalize("NFKC").toLowerCase().normalize("NFKC");
}

/**
 * Whether this platform knows every character: of others it cannot tell what a newer platform takes them for. Depends on the
 * platform, as {@link foldedName} does.
 */
export function isAssigned(name: string): boolean {
  return !/\p{Cn}/u.test(name);
}

/** `ben (2)`, shortened so that it is still a name (G1): also where the cut would go through a flag or leave a joiner alone. */
export function numberedName(name: string, number: number, maxChars: number = ROOM.maxNameChars): string {
  const tail = ` (${number})`;
  let front = Array.from(name).slice(0, maxChars - tail.length);
  while (labelFault(front.join("")) !== undefined) front = front.slice(0, -1);
  return trimEnd(front.join("")) + tail;
}

/** The name as asked for, or with a number behind it when somebody is called so already. */
export function uniqueName(
  name: string,
  names: readonly string[],
  maxChars: number = ROOM.maxNameChars,
): string {
  const taken = new Set([...names, RESERVED_NAME].map(foldedName));
  let unique = name;
  for (let number = 2; taken.has(foldedName(unique)); number += 1)
    unique = numberedName(name, number, maxChars);
  return unique;
}

/** Whether a host that keeps to G1 may call a member so that asked for this name. */
export function isNameFor(wanted: string, given: string, maxChars: number = ROOM.maxNameChars): boolean {
  const [, digits] = / \(([2-9]|[1-9][0-9]{1,3})\)$/.exec(given) ?? [];
  return (
    given === wanted || (digits !== undefined && given === numberedName(wanted, Number(digits), maxChars))
  );
}
