import { Novelty, similarity } from "./novelty.ts";

/** A run of messages in which almost nothing is new is a loop, whoever says them. */
export interface LoopLimits {
  /** The last so many messages of agents are looked at… */
  readonly window: number;
  /** …and so many of them must bring something new. */
  readonly newsAtLeast: number;
  /** Among the last so many… */
  readonly repeatWindow: number;
  /** …this many may not repeat what the same agent has just said. */
  readonly repeats: number;
}

export const LOOP: LoopLimits = { window: 30, newsAtLeast: 4, repeatWindow: 12, repeats: 8 };

/** The own words that a message is compared with. */
const REMEMBERED = 8;
const ALIKE = 0.85;

/** `repetition`: the same things are said again. `no-progress`: little of what is said is new. */
export const LOOPS = ["repetition", "no-progress"] as const;
export type Loop = (typeof LOOPS)[number];

interface Heard {
  readonly isNews: boolean;
  readonly isRepeat: boolean;
}

/** One conversation: the whole room, or this side's agent and one member. */
class Conversation {
  readonly #limits: LoopLimits;
  #last: Heard[] = [];

  constructor(limits: LoopLimits) {
    this.#limits = limits;
  }

  heard(one: Heard): void {
    this.#last = [...this.#last.slice(1 - this.#limits.window), one];
  }

  get loop(): Loop | undefined {
    const { window, newsAtLeast, repeatWindow, repeats } = this.#limits;
    const repeated = this.#last.slice(-repeatWindow).filter(({ isRepeat }) => isRepeat).length;
    if (repeated >= repeats) return "repetition";
    if (this.#last.length < window) return undefined;
    return this.#last.filter(({ isNews }) => isNews).length < newsAtLeast ? "no-progress" : undefined;
  }
}

/** A message of an agent. */
interface AgentMessage {
  /** The name of the member. */
  readonly from: string;
  readonly isOwn: boolean;
  /** The names of those it is for; `undefined` for everybody. */
  readonly to: readonly string[] | undefined;
  readonly text: string;
  /** A file or a patch is always news. */
  readonly isFile: boolean;
}

/**
 * Notices that agents talk in circles: room-wide, since three in a triangle look like progress to each pair of them, and per pair with
 * this side's agent, since the news of others would hide two who repeat themselves (H24).
 */
export class LoopGuard {
  readonly #limits: LoopLimits;
  readonly #novelty = new Novelty();
  readonly #said = new Map<string, readonly string[]>();
  #room: Conversation;
  readonly #pairs = new Map<string, Conversation>();

  constructor(limits: LoopLimits = LOOP) {
    this.#limits = limits;
    this.#room = new Conversation(limits);
  }

  heard(message: AgentMessage): void {
    const { from, text, isFile } = message;
    const isNews = this.#novelty.hear(text) || isFile;
    const before = this.#said.get(from) ?? [];
    const isRepeat = !isNews && before.some((own) => similarity(own, text) >= ALIKE);
    this.#said.set(from, [...before.slice(1 - REMEMBERED), text.slice(0, 600)]);
    const heard = { isNews, isRepeat };
    this.#room.heard(heard);
    for (const other of this.#othersOf(message)) {
      const pair = this.#pairs.get(other) ?? new Conversation(this.#limits);
      this.#pairs.set(other, pair);
      pair.heard(heard);
    }
  }

  get loop(): Loop | undefined {
    if (this.#room.loop !== undefined) return this.#room.loop;
    for (const pair of this.#pairs.values()) if (pair.loop !== undefined) return pair.loop;
    return undefined;
  }

  /** Somebody has left: nothing of the pair is kept. */
  left(member: string): void {
    this.#pairs.delete(member);
    this.#said.delete(member);
  }

  /** A person has let them go on. Words stay known, so that the same loop is noticed again. */
  renew(): void {
    this.#room = new Conversation(this.#limits);
    this.#pairs.clear();
    this.#said.clear();
  }

  /** The members with whom this side's agent is in this talk; what is said to everybody counts for the room alone. */
  #othersOf({ from, isOwn, to }: AgentMessage): readonly string[] {
    if (to === undefined) return [];
    return isOwn ? to : [from];
  }
}
