import type { Finding, Outbound } from "../filter/verdict.ts";

/** Characters of a value that are shown: its public prefix, such as `ghp_`. */
const SHOWN = 4;
const MASK = "[secret]";
const KEY_END = /^-----END /;

/**
 * The text with each value that was found taken out of it (H21), so that a person sees what it is about. A finding has no length, so
 * the whole run of characters goes; of a key in several lines, all of them; and of one that is disguised, the next line's
 * beginning as well, where it may go on.
 */
export function masked(text: string, findings: readonly Finding[], where: Outbound): string {
  const lines = text.split("\n");
  const here = findings.filter((finding) => finding.where === where);
  // From the end, so that places before stay where they are.
  for (const { line, column, disguise } of here.toSorted((a, b) => b.line - a.line || b.column - a.column)) {
    const at = line - 1;
    const found = lines[at] ?? "";
    if (found.startsWith("-----BEGIN", column - 1)) {
      maskKey(lines, at);
      continue;
    }
    lines[at] = maskRun(found, column - 1);
    const following = lines[at + 1];
    if (disguise !== "plain" && following !== undefined) lines[at + 1] = maskRun(following, 0, 0);
  }
  return lines.join("\n");
}

function maskKey(lines: string[], begin: number): void {
  const end = lines.findIndex((line, index) => index > begin && KEY_END.test(line.trim()));
  lines.fill(MASK, begin + 1, end < 0 ? lines.length : end);
}

function maskRun(line: string, from: number, shown: number = SHOWN): string {
  const [value] = /^[^\s"'`]*/.exec(line.slice(from)) ?? [""];
  return `${line.slice(0, from)}${value.slice(0, shown)}${MASK}${line.slice(from + value.length)}`;
}
