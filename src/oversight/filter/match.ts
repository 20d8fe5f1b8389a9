import { LOOK_BACK, SPAN, type ContentRule } from "./rules/content-rules.ts";
import { isSample } from "./rules/placeholders.ts";
import type { View } from "./views/view.ts";

/**
 * Where lines were put together, the word that follows the secret was on a line of its own, too: so the match is tried as if
 * the content ended with the second line, and with the third.
 */
export function ends(start: number, view: View, span: number): number[] {
  const whole = Math.min(view.bytes.length, start + span);
  if (view.disguise !== "wrapped") return [whole];
  const second = view.nextSeam(view.nextSeam(start));
  return [...new Set([second, view.nextSeam(second), whole].map((end) => Math.min(end, whole)))];
}

export function matchAt(pattern: RegExp, start: number, view: View, end: number): RegExpExecArray | null {
  const from = Math.max(0, start - LOOK_BACK);
  pattern.lastIndex = start - from;
  return pattern.exec(view.bytes.toString("latin1", from, end));
}

/** The match of a rule whose keyword begins at `start`, if it is a secret. */
export function secretAt(rule: ContentRule, start: number, view: View): RegExpExecArray | undefined {
  if (rule.mayFollow !== true && isGlued(view, start)) return undefined;
  const isSecret = rule.isSecret ?? (([, body = ""]: RegExpExecArray) => !isSample(body));
  for (const end of ends(start, view, rule.span ?? SPAN)) {
    const match = matchAt(rule.pattern, start, view, end);
    if (match !== null && isSecret(match)) return match;
  }
  return undefined;
}

/** Whether the letter or digit before belongs to the same word. */
function isGlued(view: View, start: number): boolean {
  const before = view.bytes[start - 1];
  if (before === undefined || !isWordByte(before) || view.isSeam(start)) return false;
  // `\nghp_…`, `%3Dghp_…`: the letter is a part of what stands for another one.
  return !/\\[nrtbf]$|%[0-9a-f]{2}$/i.test(view.bytes.toString("latin1", Math.max(0, start - 3), start));
}

function isWordByte(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}
