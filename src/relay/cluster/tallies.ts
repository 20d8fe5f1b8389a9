import { createHmac } from "node:crypto";
import * as z from "zod/mini";
import type { Clock } from "../../runtime/clock.ts";
import { every } from "../../runtime/wait.ts";
import type { Counts } from "../limits/counts.ts";
import type { Pace } from "../limits/pace.ts";
import type { Engine } from "./engine.ts";
import { SUBJECTS } from "./keys.ts";

export interface TalliesOptions {
  readonly node: string;
  readonly clock: Clock;
  readonly engine: Engine;
  /** Keys are told as marks made with it: a source is nobody's business on the way. */
  readonly key: Buffer;
}

const counts = z.record(z.string(), z.int().check(z.minimum(0)));
const tally = z.object({
  from: z.string(),
  of: z.string(),
  /** `all`: what is not named is none. `some`: what has changed. `more`: so many came on top. */
  how: z.enum(["all", "some", "more"]),
  counts,
});
type Tally = z.infer<typeof tally>;

/** All nodes together may be wrong by this part of a limit: a change that is smaller than a node's share of it need not be told. */
const NOTICED = 0.08;
/** Changes are gathered for so long, as long as the limit is far. */
const GATHER_MS = 20;
/** From this part of the limit on, changes are told at once. */
const NEAR = 0.7;
/** All is told again after so long, for those who are new or have missed something. */
const AGAIN_MS = 1_000;
/** A node's word counts for so long. */
const BELIEVED_MS = 3_500;
const MAX_KEYS = 5_000;

interface Told {
  at: number;
  counts: Map<string, number>;
}

/**
 * Counts of all nodes, for limits that are for the cluster. Each node tells the others what has changed by enough to matter, so
 * nobody asks for a number when one is needed; what is told is lost at worst for a second.
 */
export class Tallies {
  readonly #options: TalliesOptions;
  readonly #told = new Map<string, Map<string, Told>>();
  readonly #paces = new Map<string, (key: string, times: number) => void>();
  readonly #stops: (() => void)[];

  constructor(options: TalliesOptions) {
    this.#options = options;
    this.#stops = [options.engine.subscribe(SUBJECTS.tallies, (text) => this.#heard(text))];
  }

  /** @param limit the usual one, by which it is decided what matters */
  share(of: string, own: Counts, limit: number): void {
    const { clock } = this.#options;
    const step = (): number =>
      Math.max(1, Math.floor((limit * NOTICED) / Math.max(2, this.#senders(of) + 1)));
    const published = new Map<string, number>();
    const changed = new Map<string, number>();
    let cancel: (() => void) | undefined;
    const tellChanged = (): void => {
      cancel?.();
      cancel = undefined;
      this.#publish({ of, how: "some", counts: Object.fromEntries(changed) });
      changed.clear();
    };
    own.others = (key) => this.#others(of, this.#mark(key));
    own.onChange = (key, count) => {
      const before = published.get(key) ?? 0;
      if (Math.abs(count - before) < step() && !(count === 0 && before > 0)) return;
      if (count === 0) published.delete(key);
      else published.set(key, count);
      const mark = this.#mark(key);
      changed.set(mark, count);
      if (count + this.#others(of, mark) >= limit * NEAR) tellChanged();
      else cancel ??= clock.after(GATHER_MS, tellChanged);
    };
    const tellAll = (): void => {
      const marked: Record<string, number> = {};
      const least = step();
      let left = MAX_KEYS;
      for (const [key, count] of own.entries()) {
        if (count < least) continue;
        marked[this.#mark(key)] = count;
        if ((left -= 1) === 0) break;
      }
      // Also where nothing of it matters: the others learn how many they are.
      if (own.total > 0 || published.size > 0) this.#publish({ of, how: "all", counts: marked });
    };
    this.#stops.push(every(clock, AGAIN_MS, tellAll));
  }

  /** Attempts at other nodes count here, too. */
  sharePace(of: string, own: Pace): void {
    const { clock } = this.#options;
    const more = new Map<string, number>();
    let cancel: (() => void) | undefined;
    own.onAdmitted = (key) => {
      const mark = this.#mark(key);
      more.set(mark, (more.get(mark) ?? 0) + 1);
      cancel ??= clock.after(GATHER_MS, () => {
        cancel = undefined;
        this.#publish({ of, how: "more", counts: Object.fromEntries(more) });
        more.clear();
      });
    };
    own.keyOf = (key) => this.#mark(key);
    this.#paces.set(of, (mark, times) => own.add(mark, times));
  }

  close(): void {
    for (const stop of this.#stops) stop();
  }

  /** Other nodes that have told of it lately. */
  #senders(of: string): number {
    const now = this.#options.clock.now();
    let count = 0;
    for (const { at } of this.#told.get(of)?.values() ?? []) if (now - at < BELIEVED_MS) count += 1;
    return count;
  }

  #others(of: string, mark: string): number {
    const now = this.#options.clock.now();
    let sum = 0;
    for (const { at, counts: told } of this.#told.get(of)?.values() ?? [])
      if (now - at < BELIEVED_MS) sum += told.get(mark) ?? 0;
    return sum;
  }

  #publish(told: Omit<Tally, "from">): void {
    const { engine, node } = this.#options;
    engine.publish(SUBJECTS.tallies, JSON.stringify({ from: node, ...told } satisfies Tally));
  }

  #heard(text: string): void {
    const { node, clock } = this.#options;
    const heard = parsed(text);
    if (heard === undefined || heard.from === node) return;
    if (heard.how === "more") {
      for (const [mark, times] of Object.entries(heard.counts)) this.#paces.get(heard.of)?.(mark, times);
      return;
    }
    const nodes = this.#told.get(heard.of) ?? new Map<string, Told>();
    this.#told.set(heard.of, nodes);
    const now = clock.now();
    for (const [other, { at }] of nodes) if (now - at > BELIEVED_MS) nodes.delete(other);
    const told = nodes.get(heard.from) ?? { at: now, counts: new Map<string, number>() };
    if (heard.how === "all") told.counts.clear();
    for (const [mark, count] of Object.entries(heard.counts)) {
      if (count === 0) told.counts.delete(mark);
      else told.counts.set(mark, count);
    }
    told.at = now;
    nodes.set(heard.from, told);
  }

  #mark(key: string): string {
    return createHmac("sha256", this.#options.key).update(key).digest("base64url").slice(0, MARK_CHARS);
  }
}

const MARK_CHARS = 16;

function parsed(text: string): Tally | undefined {
  try {
    return tally.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
