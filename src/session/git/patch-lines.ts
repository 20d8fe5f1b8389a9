import { Buffer } from "node:buffer";

/** Longer than two paths can be that a system takes. */
const MAX_HEADER = 8_192;

/** The lines of a patch, as Latin-1: one character a byte, so that nothing is lost and nothing fails to decode. */
export class Lines {
  readonly #bytes: Buffer;
  #start = 0;
  #end: number;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#end = this.#lineEnd(0);
  }

  get isDone(): boolean {
    return this.#start >= this.#bytes.length;
  }

  /** Where the current line begins. */
  get offset(): number {
    return Math.min(this.#start, this.#bytes.length);
  }

  /** The current line, without its end. Only the start of a very long one: no header is longer. */
  get line(): string {
    return this.#bytes.toString("latin1", this.#start, Math.min(this.#end, this.#start + MAX_HEADER));
  }

  get isTooLong(): boolean {
    return this.#end - this.#start > MAX_HEADER;
  }

  startsWith(text: string): boolean {
    return (
      this.#bytes.toString("latin1", this.#start, Math.min(this.#end, this.#start + text.length)) === text
    );
  }

  /** The first byte of the line; undefined when it is empty. */
  get first(): string | undefined {
    return this.#start < this.#end ? String.fromCharCode(this.#bytes[this.#start] ?? 0) : undefined;
  }

  /** Whether the lines after this one begin so. */
  followedBy(...starts: readonly string[]): boolean {
    let at = this.#end + 1;
    for (const start of starts) {
      if (this.#bytes.toString("latin1", at, at + start.length) !== start) return false;
      at = this.#lineEnd(at) + 1;
    }
    return true;
  }

  next(): void {
    this.#start = this.#end + 1;
    this.#end = this.#lineEnd(this.#start);
  }

  #lineEnd(from: number): number {
    const found = from < this.#bytes.length ? this.#bytes.indexOf(10, from) : -1;
    return found === -1 ? this.#bytes.length : found;
  }
}

const ESCAPES: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  t: 9,
  n: 10,
  v: 11,
  f: 12,
  r: 13,
  '"': 34,
  "\\": 92,
};

/** A name at the start of a text: quoted as C does, or up to a tab or the end. Undefined when the quoting is broken. */
export function readName(text: string): { name: string; rest: string } | undefined {
  if (!text.startsWith('"')) {
    const [name = ""] = text.split("\t", 1);
    return { name: decoded(name), rest: text.slice(name.length) };
  }
  const bytes: number[] = [];
  for (let at = 1; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === '"') return { name: decoded(bytes), rest: text.slice(at + 1) };
    if (char !== "\\") {
      bytes.push(text.charCodeAt(at));
      continue;
    }
    const octal = /^[0-3][0-7]{2}/.exec(text.slice(at + 1, at + 4))?.[0];
    const escape = ESCAPES[text.charAt(at + 1)];
    if (octal === undefined && escape === undefined) return undefined;
    bytes.push(octal === undefined ? (escape ?? 0) : Number.parseInt(octal, 8));
    at += octal === undefined ? 1 : 3;
  }
  return undefined;
}

function decoded(bytes: string | readonly number[]): string {
  const buffer = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : Buffer.from(bytes);
  return buffer.toString("utf8");
}
