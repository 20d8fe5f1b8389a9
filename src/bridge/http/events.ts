/** Cuts `text/event-stream` into the data of its events (WHATWG HTML §9.2.6), however it is chunked. */
export class EventReader {
  readonly #maxChars: number;
  #line = "";
  #data: string[] = [];
  #chars = 0;
  /** The last chunk ended with a CR, whose LF may follow. */
  #isAfterReturn = false;

  constructor(maxChars: number) {
    this.#maxChars = maxChars;
  }

  /** @returns the data of each event that is whole; undefined once one is too large */
  push(chunk: string): string[] | undefined {
    const events: string[] = [];
    const text = this.#isAfterReturn && chunk.startsWith("\n") ? chunk.slice(1) : chunk;
    if (chunk !== "") this.#isAfterReturn = chunk.endsWith("\r");
    const lines = text.split(/\r\n|\n|\r/);
    for (const [index, part] of lines.entries()) {
      if (index > 0) this.#finish(events);
      this.#line += part;
      if (this.#line.length + this.#chars > this.#maxChars) return undefined;
    }
    return events;
  }

  #finish(events: string[]): void {
    const line = this.#line;
    this.#line = "";
    if (line === "") {
      if (this.#data.length > 0) events.push(this.#data.join("\n"));
      this.#data = [];
      this.#chars = 0;
      return;
    }
    const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field !== "data") return;
    this.#data.push(value);
    this.#chars += value.length + 1;
  }
}
