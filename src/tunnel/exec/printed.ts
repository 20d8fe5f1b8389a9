import type { Clock } from "../../runtime/clock.ts";
import { LineSplitter, type OutputReader } from "../../children/lines.ts";
import { urlIn } from "./url.ts";

/** An unfinished line counts as it is after so long a silence: the last line of a program may never be finished. */
const SILENCE_MS = 1_000;

/** The URLs that a command prints on either output. Nothing else of its output is kept. */
export class PrintedUrls {
  readonly #pattern: RegExp | undefined;
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();
  #first: URL | undefined;
  /** The first one stood in a line that was not finished, so that more of it may come. */
  #isUnfinished = false;
  #later: URL | undefined;

  constructor(pattern: RegExp | undefined, clock: Clock) {
    this.#pattern = pattern;
    this.#clock = clock;
  }

  get first(): URL | undefined {
    return this.#first;
  }

  /** The last one that is another than the first: a new address, or just a URL in a log. */
  get later(): URL | undefined {
    return this.#later;
  }

  /** Calls when there is a new {@link later} one; the returned function unsubscribes. */
  onLater(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A reader for one output of the command. */
  reader(): OutputReader {
    const splitter = new LineSplitter();
    let cancel = (): void => undefined;
    return {
      read: (chunk) => {
        cancel();
        // A carriage return alone rewrites a line on a terminal.
        for (const line of splitter.push(chunk.replaceAll("\r", "\n"))) this.#note(line, false);
        if (splitter.rest !== "")
          cancel = this.#clock.after(SILENCE_MS, () => this.#note(splitter.rest, true));
      },
      end: () => {
        cancel();
        this.#note(splitter.flush(), false);
      },
    };
  }

  #note(line: string, isUnfinished: boolean): void {
    const url = urlIn(line, this.#pattern);
    if (url === undefined) return;
    if (this.#first === undefined || this.#isUnfinished) {
      this.#first = url;
      this.#isUnfinished = isUnfinished;
    } else if (!isUnfinished && url.href !== this.#first.href && url.href !== this.#later?.href) {
      this.#later = url;
      for (const listener of this.#listeners) listener();
    }
  }
}
