import { Buffer } from "node:buffer";
import { decoded } from "./views/decode.ts";
import { folded } from "./views/fold.ts";
import { joined } from "./views/join.ts";
import { Keywords } from "./keywords.ts";
import { secretAt } from "./match.ts";
import { CONTENT_RULES, type ContentRule } from "./rules/content-rules.ts";
import { HINTS, type Hint } from "./rules/hints.ts";
import { isSample } from "./rules/placeholders.ts";
import { unescaped } from "./views/unescape.ts";
import { FILTER, type Finding, type Outbound } from "./verdict.ts";
import { plainView, type View } from "./views/view.ts";
import { withoutZeros } from "./views/zeros.ts";
import { Windows } from "./windows.ts";

type Entry = { readonly own: ContentRule } | { readonly hint: Hint };

const ENTRIES: readonly Entry[] = [
  ...CONTENT_RULES.map((own) => ({ own })),
  ...HINTS.map((hint) => ({ hint })),
];
const keywordsOf = (entry: Entry): readonly string[] => ("own" in entry ? entry.own : entry.hint).keywords;
const KEYWORDS = [...new Set(ENTRIES.flatMap(keywordsOf))];
const ENTRIES_OF: readonly (readonly Entry[])[] = KEYWORDS.map((keyword) =>
  ENTRIES.filter((entry) => keywordsOf(entry).includes(keyword)),
);

let built: Keywords | undefined;
const automaton = (): Keywords => (built ??= new Keywords(KEYWORDS));

/** Does the work that comes once, in a turn of its own. */
export async function prepare(): Promise<void> {
  if (built !== undefined) return;
  automaton();
  await new Promise((resolve) => setImmediate(resolve));
}

/** What is kept of a block for the next one, so that nothing is missed between them. Longer than any span of a rule. */
const CARRY = 8 * 1024;
/** A finding this near to the end of a block is left to the next one, where more of what follows is seen. */
const MARGIN = 2 * 1024;
/** Something that the second engine has found: its rule, and the range in the text. */
export interface Detected {
  readonly rule: string;
  readonly from: number;
  readonly to: number;
}

/** A part of a view for the second engine. */
export interface Suspect {
  readonly text: string;
  /** Takes what it has found there. */
  readonly settle: (detected: readonly Detected[]) => void;
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** The bytes that are looked at, and which part of them this block answers for. */
interface Block {
  readonly bytes: Buffer;
  /** Where it begins in the content. */
  readonly offset: number;
  readonly lines: number;
  /** Bytes of the first line that lie before it. */
  readonly column: number;
  /** Ends of findings that count, by place in the block. */
  readonly after: number;
  readonly upTo: number;
}

/** Looks for secrets in content that comes in blocks. Pure: what it finds depends on the bytes alone, not on how they were cut. */
export class Scanner {
  readonly #where: Outbound;
  readonly #findings: { readonly finding: Finding; readonly at: number }[] = [];
  readonly #ranges: Range[] = [];
  #carry: Buffer;
  #offset = 0;
  #lines: number;
  #column = 0;
  /** Up to where the blocks before have answered, by place in the carry. */
  #answered: number;

  /** @param before the end of what left before this: a secret may have begun there */
  constructor(where: Outbound, before = "") {
    this.#where = where;
    this.#carry = Buffer.from(before === "" ? "" : `${before}\n`);
    this.#answered = this.#carry.length;
    this.#lines = -newlines(this.#carry);
  }

  /** Those found so far, by place. */
  get findings(): readonly Finding[] {
    return this.#findings.toSorted((a, b) => a.at - b.at).map(({ finding }) => finding);
  }

  /** Whether no more is looked for. */
  get isFull(): boolean {
    return this.#findings.length >= FILTER.maxFindings;
  }

  /** The next bytes. All suspects have to be settled before {@link findings} is whole. */
  push(bytes: Buffer, isLast: boolean): Suspect[] {
    const whole = this.#carry.length === 0 ? bytes : Buffer.concat([this.#carry, bytes]);
    const upTo = isLast ? whole.length : Math.max(this.#answered, whole.length - MARGIN);
    const block: Block = {
      bytes: whole,
      offset: this.#offset,
      lines: this.#lines,
      column: this.#column,
      after: this.#answered,
      upTo,
    };
    const suspects = this.isFull ? [] : this.#scan(block);
    const passed = Math.max(0, whole.length - CARRY);
    this.#pass(whole.subarray(0, passed));
    // A copy: the caller may use its bytes again.
    this.#carry = Buffer.from(whole.subarray(passed));
    this.#answered = upTo - passed;
    return suspects;
  }

  #pass(bytes: Buffer): void {
    this.#offset += bytes.length;
    const last = bytes.lastIndexOf(0x0a);
    this.#column = last < 0 ? this.#column + bytes.length : bytes.length - last - 1;
    this.#lines += newlines(bytes);
  }

  #scan(block: Block): Suspect[] {
    const suspects: Suspect[] = [];
    for (const view of views(block.bytes)) suspects.push(...this.#look(view, block));
    return suspects;
  }

  #look(view: View, block: Block): Suspect[] {
    const windows = new Windows();
    automaton().find(view.bytes, (keyword, end) => {
      if (this.isFull) return;
      const start = end - (KEYWORDS[keyword]?.length ?? 0);
      for (const entry of ENTRIES_OF[keyword] ?? []) {
        if ("own" in entry) this.#try(entry.own, start, view, block);
        else windows.add(entry.hint, start, view);
      }
    });
    return windows.shown(view).map(({ text, origin }) => ({
      text,
      settle: (detected) => {
        for (const { rule, from, to } of detected)
          if (!isSample(text.slice(from, to)))
            this.#add(rule, { from: origin(from), to: origin(to - 1) + 1 }, view, block, false);
      },
    }));
  }

  #try(rule: ContentRule, start: number, view: View, block: Block): void {
    if (rule.isOnOneLine === true && view.disguise === "wrapped") return;
    const match = secretAt(rule, start, view);
    if (match === undefined) return;
    const range = { from: start, to: start + match[0].length };
    this.#add(rule.rule, range, view, block, rule.isCertain?.(match[0]) === true);
  }

  #add(rule: string, { from, to }: Range, view: View, block: Block, isCertain: boolean): void {
    if (!view.isChanged(from, to)) return;
    const start = view.origin(from);
    const end = view.origin(to - 1) + 1;
    if (end > block.upTo) return;
    const range = { from: block.offset + start, to: block.offset + end };
    if (this.#ranges.some((other) => other.from < range.to && range.from < other.to)) return;
    if (end <= block.after) {
      // It has left already, and what follows it is not a part of it.
      this.#ranges.push(range);
      return;
    }
    if (this.isFull) return;
    this.#ranges.push(range);
    const place = placeAt(block, start);
    const finding = { rule, where: this.#where, ...place, disguise: view.disguise, isCertain };
    this.#findings.push({ finding, at: range.from });
  }
}

/**
 * The rule of the first secret that stands there as it is, by the table alone. For what has to be known at once; it takes no
 * disguise off but that of UTF-16.
 */
export function plainSecret(bytes: Buffer): string | undefined {
  const plain = plainView(bytes);
  const view = withoutZeros(plain) ?? plain;
  let found: string | undefined;
  automaton().find(view.bytes, (keyword, end) => {
    const start = end - (KEYWORDS[keyword]?.length ?? 0);
    for (const entry of ENTRIES_OF[keyword] ?? [])
      if (found === undefined && "own" in entry && secretAt(entry.own, start, view) !== undefined)
        found = entry.own.rule;
  });
  return found;
}

/**
 * The content with one disguise after the other taken off, so that those on top of each other come off as well; and last what
 * is encoded in it, one level of it.
 */
function* views(bytes: Buffer): Generator<View> {
  let view = plainView(bytes);
  yield view;
  for (const next of [withoutZeros, folded, unescaped, joined, decoded]) {
    const changed = next(view);
    if (changed === undefined) continue;
    view = changed;
    yield view;
  }
}

/** The first place of the content for what began before it. */
function placeAt(block: Block, at: number): { readonly line: number; readonly column: number } {
  const before = block.bytes.subarray(0, at);
  const start = before.lastIndexOf(0x0a) + 1;
  const inLine = Array.from(before.toString("utf8", start)).length + (start === 0 ? block.column : 0);
  const line = block.lines + newlines(before) + 1;
  return line < 1 ? { line: 1, column: 1 } : { line, column: inLine + 1 };
}

function newlines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) count += 1;
  return count;
}
