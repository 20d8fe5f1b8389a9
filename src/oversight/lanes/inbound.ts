import type { Ask, Causer, Outcome } from "../asks/ask.ts";
import type { Asks } from "../asks/asks.ts";
import type { Subject } from "../asks/subject.ts";

/** Something that was heard in the room, on its way to this side's agent. */
export interface Incoming<Entry> {
  readonly entry: Entry;
  /** What a person is asked, and whose it is; `undefined` for what nobody need be asked about: own words, changes of the room. */
  readonly question: { readonly subject: Subject; readonly causer: Causer } | undefined;
}

export interface InboundOptions<Entry> {
  readonly tunnelId: string;
  readonly asks: Asks;
  /** A person wants to see each message before the agent does. */
  readonly isHeld: () => boolean;
  readonly isPaused: () => boolean;
  readonly deliver: (entry: Entry) => void;
  /** The agent is not told it. `too-many`: nobody decided about it before so many more had come. */
  readonly withhold: (entry: Entry, why: Outcome | { readonly state: "too-many" }) => void;
}

interface Item<Entry> extends Incoming<Entry> {
  ask: Ask | undefined;
  outcome: Outcome | undefined;
}

/** As much as a room's log keeps: what comes beyond it pushes out the oldest. */
export const MAX_WAITING_IN = 5_000;

/** The one way in to this side's agent. The order is kept: what came later waits, and so do changes of the room (H15). */
export class Inbound<Entry> {
  readonly #options: InboundOptions<Entry>;
  readonly #queue: Item<Entry>[] = [];

  constructor(options: InboundOptions<Entry>) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  heard(incoming: Incoming<Entry>): void {
    this.#queue.push({ ...incoming, ask: undefined, outcome: undefined });
    if (this.#queue.length > MAX_WAITING_IN) this.#pushOut();
    this.look();
  }

  /** A mode has changed, or something was decided. */
  look(): void {
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      if (this.#options.isPaused() || this.#waits(first)) break;
      this.#queue.shift();
      const { outcome, entry } = first;
      if (outcome === undefined || outcome.state === "approved") this.#options.deliver(entry);
      else this.#options.withhold(entry, outcome);
    }
    if (this.#options.isHeld()) this.#ask();
  }

  /** The tunnel is over: nobody decides any more. */
  end(): void {
    for (const item of this.#queue)
      if (this.#waits(item)) item.outcome = { state: "withdrawn", at: 0, cause: "ended" };
    this.look();
  }

  /** Whether a person has still to decide about it. */
  #waits({ question, ask, outcome }: Item<Entry>): boolean {
    if (question === undefined || outcome !== undefined) return false;
    return ask !== undefined || this.#options.isHeld();
  }

  /** As many asks as are read at once; the rest follow when those are decided (H30). */
  #ask(): void {
    for (const item of this.#queue) {
      const { question } = item;
      if (question === undefined || item.ask !== undefined || item.outcome !== undefined) continue;
      const { tunnelId, asks } = this.#options;
      item.ask = asks.open({
        tunnelId,
        gates: ["hold-in"],
        ...question,
        settle: (outcome) => {
          item.ask = undefined;
          item.outcome = outcome;
          this.look();
        },
      });
      if (item.ask === undefined) return;
    }
  }

  /** The oldest of what nobody is being asked about: a person who reads an ask is not given another in its place (P14). */
  #pushOut(): void {
    const at = this.#queue.findIndex(({ ask, question }) => ask === undefined && question !== undefined);
    const [oldest] = this.#queue.splice(Math.max(0, at), 1);
    if (oldest === undefined) return;
    const { ask, entry } = oldest;
    this.#options.withhold(entry, { state: "too-many" });
    if (ask !== undefined) this.#options.asks.withdraw(ask.id, "gone");
  }
}
