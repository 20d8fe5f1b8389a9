import { safeLabel } from "./terminal/safe-text.ts";

/** The words that can follow those that a person has typed. */
export interface Completion {
  /** To be inserted where the cursor is; empty where it is not certain. */
  readonly insert: string;
  /** The possible words, where there are several. */
  readonly choices: readonly string[];
}

/** The words that a command takes as its argument. */
export type WordsOf = (command: string, option: string | undefined) => readonly string[];

const NOTHING: Completion = { insert: "", choices: [] };

/**
 * Completes the word at the end of a line that begins with a slash: the command, then what it is about.
 * @param before the line up to the cursor
 * @param commands with their slashes
 */
export function completed(before: string, commands: readonly string[], wordsOf: WordsOf): Completion {
  if (!before.startsWith("/") || before.startsWith("//")) return NOTHING;
  const [, command = "", argument] = /^(\/\S*)(?:\s+([\s\S]*))?$/.exec(before) ?? [];
  if (argument === undefined && !/\s$/.test(before)) return among(before, commands);
  const [, option, typed = ""] = /^(?:[\s\S]*\s)?--(\S+)\s+(?!--)([\s\S]*)$/.exec(argument ?? "") ?? [
    undefined,
    undefined,
    argument,
  ];
  // The last of several names with commas.
  const part = (typed ?? "").replace(/^[\s\S]*,\s*/, "");
  return among(part, wordsOf(command.slice(1).toLowerCase(), option?.toLowerCase()));
}

/** The words that begin so. */
export function among(part: string, words: readonly string[]): Completion {
  // A peer's name that a terminal would obey is never put into the line.
  const safe = words.filter((word) => safeLabel(word) === word);
  const hits = [...new Set(safe)].filter((word) => word.toLowerCase().startsWith(part.toLowerCase()));
  const [first] = hits;
  if (first === undefined) return NOTHING;
  if (hits.length === 1) return { insert: `${first.slice(part.length)} `, choices: [] };
  let shared = first.length;
  for (const hit of hits)
    while (hit.slice(0, shared).toLowerCase() !== first.slice(0, shared).toLowerCase()) shared -= 1;
  return { insert: first.slice(part.length, shared), choices: hits };
}
