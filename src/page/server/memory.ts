import type { NewLine, NumberedLine } from "../lines.ts";
import type { PageEvent } from "../model.ts";

/** Entries of one tunnel that a page is shown at once; it asks for earlier ones. */
const ENTRIES = 500;
/** Their most, in characters of JSON. */
const ENTRY_CHARS = 4 * 1024 * 1024;
/** Warnings, and views that came or went. */
const NEWS = 20;
/** Lines that a page which was cut off for a moment can go on after, and what they may take. */
const LINES = 4_000;
const LINE_CHARS = 8 * 1024 * 1024;

interface Kept {
  readonly n: number;
  readonly text: string;
}

/** A list that forgets its oldest first. */
class Bounded {
  readonly #count: number;
  readonly #chars: number;
  #items: Kept[] = [];
  #size = 0;

  constructor(count: number, chars: number) {
    this.#count = count;
    this.#chars = chars;
  }

  get items(): readonly Kept[] {
    return this.#items;
  }

  add(item: Kept): void {
    this.#items.push(item);
    this.#size += item.text.length;
    let from = 0;
    while (
      this.#items.length - from > this.#count ||
      (this.#size > this.#chars && this.#items.length - from > 1)
    ) {
      this.#size -= this.#items[from]?.text.length ?? 0;
      from += 1;
    }
    if (from > 0) this.#items.splice(0, from);
  }
}

/** All that one server has told. */
interface Known {
  /** The last word on each thing: by kind and id. */
  readonly things: Map<string, Kept>;
  readonly entries: Map<string, Bounded>;
  readonly news: Bounded;
}

/**
 * Remembers what a tab was told: the last lines, for a stream that goes on, and of everything the last state, for a page that begins anew. The
 * rules of what is shown are not here: a line that was told is told again as it was.
 */
export class Memory {
  readonly #servers = new Map<string, Known>();
  #lines = new Bounded(LINES, LINE_CHARS);
  #n = 0;

  /** The number of the last line. */
  get last(): number {
    return this.#n;
  }

  /** @param ts ms since the epoch @returns the line as it is sent */
  add(line: NewLine, ts: number): string {
    this.#n += 1;
    const numbered: NumberedLine = { ...line, n: this.#n, ts };
    const kept = { n: this.#n, text: `${JSON.stringify(numbered)}\n` };
    this.#lines.add(kept);
    if (line.t === "told") this.#know(line.server, line.event, kept);
    else if (line.t === "gone") this.#servers.delete(line.server);
    return kept.text;
  }

  /** Everything after a line; undefined where that is no longer known. */
  after(n: number): readonly string[] | undefined {
    if (n === this.#n) return [];
    const { items } = this.#lines;
    const [first] = items;
    if (first === undefined || n < first.n - 1 || n > this.#n) return undefined;
    return items.filter((item) => item.n > n).map(({ text }) => text);
  }

  /** As things stand, in the order in which they were told. */
  whole(): readonly string[] {
    const all = [...this.#servers.values()].flatMap(({ things, entries, news }) => [
      ...things.values(),
      ...[...entries.values()].flatMap(({ items }) => items),
      ...news.items,
    ]);
    return all.toSorted((a, b) => a.n - b.n).map(({ text }) => text);
  }

  /** After this, nothing that was told before can be gone on after. */
  clear(): void {
    this.#servers.clear();
    this.#lines = new Bounded(LINES, LINE_CHARS);
    this.#n += 1;
  }

  #know(server: string, event: PageEvent, kept: Kept): void {
    const known = this.#servers.get(server) ?? unknownYet();
    this.#servers.set(server, known);
    const { things, entries, news } = known;
    const set = (key: string, isOver: boolean): void => {
      things.delete(key);
      if (!isOver) things.set(key, kept);
    };
    switch (event.t) {
      case "tunnel":
        return set(`tunnel ${event.tunnel.tunnelId}`, false);
      case "parts":
        return set(`parts ${event.of}`, event.parts.length === 0);
      case "ask":
        return set(`ask ${event.ask.ask}`, event.ask.state !== "waiting");
      case "entry": {
        const { tunnelId } = event.entry;
        const log = entries.get(tunnelId) ?? new Bounded(ENTRIES, ENTRY_CHARS);
        entries.set(tunnelId, log);
        return log.add(kept);
      }
      case "news":
        return news.add(kept);
    }
  }
}

function unknownYet(): Known {
  return { things: new Map(), entries: new Map(), news: new Bounded(NEWS, ENTRY_CHARS) };
}
