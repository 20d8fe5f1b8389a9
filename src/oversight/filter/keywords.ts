/** Called with a keyword's number and the position just behind it. */
type OnKeyword = (keyword: number, end: number) => void;

interface Node {
  readonly next: Map<number, Node>;
  /** Keywords that end here, longer ones first. */
  ends: readonly number[];
  fallback: Node | undefined;
  id: number;
}

const BYTES = 256;
const TO_UPPER = 0x20;

/**
 * Finds all keywords in one pass over the bytes (Aho and Corasick, 1975), whatever their number, in time that depends on the
 * length alone. The case of ASCII letters does not count: the rules look again.
 */
export class Keywords {
  /** The next state by state and byte. */
  readonly #next: Uint16Array;
  /** States at which a keyword ends have the highest numbers; this is the first of them. */
  readonly #firstEnd: number;
  readonly #ends: readonly (readonly number[])[];

  /** @param keywords lower-case ASCII, none of them empty */
  constructor(keywords: readonly string[]) {
    const nodes = linked(keywords);
    const ordered = nodes.toSorted((a, b) => Number(a.ends.length > 0) - Number(b.ends.length > 0));
    for (const [id, node] of ordered.entries()) node.id = id;
    this.#firstEnd = ordered.findIndex(({ ends }) => ends.length > 0);
    this.#ends = ordered.map(({ ends }) => ends);
    this.#next = new Uint16Array(ordered.length * BYTES);
    // By level, so that a fallback is complete before it is copied.
    for (const { id, next, fallback } of nodes) {
      const row = id * BYTES;
      if (fallback !== undefined) this.#next.copyWithin(row, fallback.id * BYTES, (fallback.id + 1) * BYTES);
      for (const [byte, child] of next) {
        this.#next[row + byte] = child.id;
        if (byte >= 0x61 && byte <= 0x7a) this.#next[row + byte - TO_UPPER] = child.id;
      }
    }
  }

  /** Calls `found` for each keyword that ends in `bytes`, in order of their ends. */
  find(bytes: Uint8Array, found: OnKeyword): void {
    const next = this.#next;
    const firstEnd = this.#firstEnd;
    const length = bytes.length;
    let state = 0;
    for (let at = 0; at < length; at += 1) {
      state = next[(state << 8) | (bytes[at] ?? 0)] ?? 0;
      if (state < firstEnd) continue;
      for (const keyword of this.#ends[state] ?? []) found(keyword, at + 1);
    }
  }
}

/** The tree of the keywords with its fallbacks, from the root down by level. */
function linked(keywords: readonly string[]): Node[] {
  const root = newNode();
  for (const [index, keyword] of keywords.entries()) {
    let node = root;
    for (let at = 0; at < keyword.length; at += 1) {
      const byte = keyword.charCodeAt(at);
      const child = node.next.get(byte) ?? newNode();
      node.next.set(byte, child);
      node = child;
    }
    node.ends = [index];
  }
  const nodes = [root];
  for (const node of nodes)
    for (const [byte, child] of node.next) {
      let fallback = node.fallback;
      while (fallback !== undefined && !fallback.next.has(byte)) fallback = fallback.fallback;
      child.fallback = fallback?.next.get(byte) ?? root;
      child.ends = [...child.ends, ...child.fallback.ends];
      nodes.push(child);
    }
  return nodes;
}

function newNode(): Node {
  return { next: new Map(), ends: [], fallback: undefined, id: 0 };
}
