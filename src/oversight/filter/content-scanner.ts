import { Buffer } from "node:buffer";
import { StringDecoder } from "node:string_decoder";
import { HEAD_BYTES, hasPackedChange, isBinary, kindOf, type ContentKind } from "./content-kind.ts";
import { Scanner, type Detected } from "./scanner.ts";
import { FILTER, type Finding, type NotScanned, type Outbound } from "./verdict.ts";

/** What was found, before it has a digest. Findings count for more than what could not be seen. */
export type Outcome =
  | { readonly kind: "clear" }
  | { readonly kind: "found"; readonly findings: readonly Finding[]; readonly hasMore: boolean }
  | { readonly kind: "not-scanned"; readonly reason: NotScanned };

/** The second engine. Rejects where it cannot be used. */
export type Detect = (text: string) => Promise<readonly Detected[]>;

/** Bytes that are looked at together. */
const BLOCK_BYTES = 256 * 1024;

/** Looks through the content of one file or patch, which comes in pieces of any size. */
export class ContentScanner {
  readonly #scanner: Scanner;
  readonly #detect: Detect;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #total = 0;
  #reader: Reader | undefined;
  #notScanned: NotScanned | undefined;
  /** Nothing more is looked at. */
  #isOver = false;

  /** @param before the end of what left before this */
  constructor(where: Outbound, detect: Detect, before = "") {
    this.#scanner = new Scanner(where, before);
    this.#detect = detect;
  }

  /** Whether nothing that may follow changes the outcome. */
  get isDecided(): boolean {
    return this.#isOver || this.#scanner.isFull;
  }

  /** @param bytes which nobody changes afterwards */
  async push(bytes: Buffer): Promise<void> {
    this.#total += bytes.length;
    if (this.#total > FILTER.maxBytes) this.#giveUp("too-large");
    if (this.isDecided) return;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes >= BLOCK_BYTES) await this.#take(false);
  }

  async end(): Promise<Outcome> {
    if (!this.isDecided) await this.#take(true);
    const { findings, isFull } = this.#scanner;
    if (findings.length > 0) return { kind: "found", findings, hasMore: isFull };
    return this.#notScanned === undefined
      ? { kind: "clear" }
      : { kind: "not-scanned", reason: this.#notScanned };
  }

  #giveUp(reason: NotScanned): void {
    this.#notScanned = reason;
    this.#isOver = true;
    this.#waiting = [];
  }

  async #take(isLast: boolean): Promise<void> {
    const [only] = this.#waiting;
    const bytes = only !== undefined && this.#waiting.length === 1 ? only : Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (this.#reader === undefined) {
      const kind = kindOf(bytes.subarray(0, HEAD_BYTES));
      if (kind.kind === "compressed") return this.#giveUp("compressed");
      this.#reader = readerOf(kind);
    }
    const text = this.#reader(bytes, isLast);
    for (let from = 0; from === 0 || from < text.length; from += BLOCK_BYTES) {
      const block = text.subarray(from, from + BLOCK_BYTES);
      if (hasPackedChange(block)) this.#notScanned = "compressed";
      else if (isBinary(block)) this.#notScanned ??= "binary";
      const isEnd = isLast && from + BLOCK_BYTES >= text.length;
      for (const { text: suspect, settle } of this.#scanner.push(block, isEnd))
        if (!this.#scanner.isFull) settle(await this.#detect(suspect));
    }
  }
}

/** Gives the bytes as UTF-8, or as they are. */
type Reader = (bytes: Buffer, isLast: boolean) => Buffer;

function readerOf(kind: Exclude<ContentKind, { kind: "compressed" }>): Reader {
  if (kind.kind === "bytes") return (bytes) => bytes;
  const decoder = new StringDecoder("utf16le");
  let odd = Buffer.alloc(0);
  return (bytes, isLast) => {
    let pairs = bytes;
    if (kind.isBigEndian) {
      const whole = Buffer.concat([odd, bytes]);
      const even = whole.length - (whole.length % 2);
      odd = Buffer.from(whole.subarray(even));
      pairs = Buffer.from(whole.subarray(0, even)).swap16();
    }
    return Buffer.from(decoder.write(pairs) + (isLast ? decoder.end() : ""), "utf8");
  };
}
