/** Longer than any line that a tunnel program means to be read; its usage text and error bodies can be anything. */
const MAX_LINE_CHARS = 16 * 1024;

/** Cuts a stream of text into lines, however it is chunked. The part of a line above the limit is dropped. */
export class LineSplitter {
  #line = "";

  /** The unfinished last line so far. */
  get rest(): string {
    return this.#line;
  }

  push(chunk: string): string[] {
    const lines: string[] = [];
    for (const [index, part] of chunk.split("\n").entries()) {
      if (index > 0) lines.push(this.flush());
      this.#append(part);
    }
    return lines;
  }

  /** Takes the unfinished last line out. */
  flush(): string {
    const line = this.#line;
    this.#line = "";
    return line.replace(/\r$/, "");
  }

  #append(part: string): void {
    this.#line += part.slice(0, MAX_LINE_CHARS - this.#line.length);
  }
}

/** The reader of one output of a child. */
export interface OutputReader {
  read(chunk: string): void;
  /** Nothing more comes. */
  end(): void;
}

/** Hands on every line of an output, the unfinished last one included. */
export function lineReader(onLine: (line: string) => void): OutputReader {
  const splitter = new LineSplitter();
  return {
    read: (chunk) => splitter.push(chunk).forEach(onLine),
    end: () => onLine(splitter.flush()),
  };
}
