import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { Clock } from "../../runtime/clock.ts";
import type { Outcome } from "./content-scanner.ts";
import { prepare, Scanner } from "./scanner.ts";
import { ScanThread, type ThreadScan } from "./thread.ts";
import { FILTER, type Outbound, type Verdict } from "./verdict.ts";

/** One text of an act. */
export interface OutboundText {
  readonly where: Outbound;
  readonly text: string;
}

/** The content of one file or patch on its way through the filter. */
export interface ContentScan {
  /**
   * The next bytes, which are copied. Resolves when more may come.
   * @throws {TunnelError} scan-failed
   */
  write(bytes: Uint8Array): Promise<void>;
  /** @throws {TunnelError} scan-failed */
  end(): Promise<Verdict>;
  /** It is not needed any more. */
  drop(): void;
}

/** Longer texts are scanned in the thread: nothing here holds the others for long. */
const SHORT_BYTES = 16 * 1024;
/** Of a text that has left, what is remembered for the next one. */
const TAIL_CHARS = 512;

/**
 * The one gate for whatever leaves: texts and content. There is a verdict, or an error and nothing may leave.
 * Values of secrets are in no verdict, no error and no log.
 */
export class OutboundFilter {
  readonly #thread: ScanThread;
  #last: Promise<unknown> = Promise.resolve();

  /** @param script the bundle of `worker.ts`; it is loaded on first use */
  constructor(clock: Clock, script: URL) {
    this.#thread = new ScanThread(clock, script);
  }

  /**
   * One verdict on all texts of one act, such as a message with the name of its file. Verdicts come in the order of the calls,
   * so that what is said keeps its order.
   * @param before the end of what was said before (see {@link tailOf}): a secret may go on from there
   * @throws {TunnelError} scan-failed
   */
  async scanTexts(texts: readonly OutboundText[], before = ""): Promise<Verdict> {
    const turn = this.#last.then(() => this.#scanTexts(texts, before));
    this.#last = turn.catch(() => undefined);
    return await turn;
  }

  /**
   * Content that comes in pieces, while it is hashed.
   * @param size its length, if that is known: what is too large is hashed only
   */
  openContent(where: Outbound, size = 0): ContentScan {
    return new HashedScan(size > FILTER.maxBytes ? undefined : this.#thread.open(where, ""));
  }

  async close(): Promise<void> {
    await this.#thread.close();
  }

  async #scanTexts(texts: readonly OutboundText[], before: string): Promise<Verdict> {
    const digest = digestOf(texts);
    const bytes = texts.map(({ text }) => Buffer.from(text, "utf8"));
    if (bytes.reduce((total, { length }) => total + length, 0) > FILTER.maxTextBytes)
      return { kind: "not-scanned", reason: "too-large", digest };
    await prepare();
    const outcomes: Outcome[] = [];
    for (const [index, { where }] of texts.entries())
      outcomes.push(
        await this.#scanText(where, bytes[index] ?? Buffer.alloc(0), where === "message" ? before : ""),
      );
    return { ...together(outcomes), digest };
  }

  async #scanText(where: Outbound, bytes: Buffer, before: string): Promise<Outcome> {
    if (bytes.length <= SHORT_BYTES) {
      const scanner = new Scanner(where, before);
      const suspects = scanner.push(bytes, true);
      const { findings, isFull } = scanner;
      if (findings.length > 0) return { kind: "found", findings, hasMore: isFull };
      // The second engine lives in the thread.
      if (suspects.length === 0) return { kind: "clear" };
    }
    const scan = this.#thread.open(where, before);
    await scan.write(bytes);
    return await scan.end();
  }
}

/** The end of a text that has left, for the scan of the next one. */
export function tailOf(text: string): string {
  return text.slice(-TAIL_CHARS);
}

/** Hashes what it scans, so that the digest is of exactly the bytes that the verdict is about. */
class HashedScan implements ContentScan {
  readonly #hash = createHash("sha256");
  readonly #scan: ThreadScan | undefined;

  /** @param scan undefined for what is too large */
  constructor(scan: ThreadScan | undefined) {
    this.#scan = scan;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    await this.#scan?.write(bytes);
  }

  async end(): Promise<Verdict> {
    const outcome: Outcome = (await this.#scan?.end()) ?? { kind: "not-scanned", reason: "too-large" };
    return { ...outcome, digest: this.#hash.digest("hex") };
  }

  drop(): void {
    this.#scan?.drop();
  }
}

function digestOf(texts: readonly OutboundText[]): string {
  const form = JSON.stringify(texts.map(({ where, text }) => [where, text]));
  return createHash("sha256").update(form).digest("hex");
}

function together(outcomes: readonly Outcome[]): Outcome {
  const found = outcomes.filter((outcome) => outcome.kind === "found");
  if (found.length > 0) {
    const findings = found.flatMap((outcome) => outcome.findings);
    return {
      kind: "found",
      findings: findings.slice(0, FILTER.maxFindings),
      hasMore: findings.length > FILTER.maxFindings || found.some(({ hasMore }) => hasMore),
    };
  }
  return outcomes.find((outcome) => outcome.kind === "not-scanned") ?? { kind: "clear" };
}
