import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import type { Decision, Outcome } from "../asks/ask.ts";
import type { Asks } from "../asks/asks.ts";
import type { Subject } from "../asks/subject.ts";
import type { Gate } from "../gates/gates.ts";
import type { Held, HeldReason } from "./held.ts";

/** A message on its way out, whatever carries it. `Sent` is the room's answer. */
export interface Outgoing<Sent> {
  /**
   * Searches exactly what would leave; called again for the text that a person has put in its place.
   * @throws {TunnelError} where no verdict can be had: then it does not leave (H23)
   */
  readonly judge: (edited: string | undefined) => Promise<Judgement> | Judgement;
  /** Gives it to the room. @throws {TunnelError} as the room says */
  readonly send: (edited: string | undefined) => Promise<Sent>;
  /** Looks at it once more when a person has let it go. @throws {TunnelError} where it is not what they saw any more (H9, P12) */
  readonly recheck?: (() => Promise<unknown>) | undefined;
  /** It was answered `held`, and will not leave. */
  readonly dropped?: (() => void) | undefined;
}

export interface Judgement {
  /** Those that stand before its content. */
  readonly gates: readonly Gate[];
  readonly subject: Subject;
}

/** The end of a message that was answered `held`. */
export interface Released<Sent> {
  readonly askId: number | undefined;
  /** How its last ask ended; `undefined` where it had none of its own. */
  readonly outcome: Outcome | undefined;
  readonly result: { readonly sent: Sent } | { readonly error: TunnelError } | undefined;
}

export interface OutboundOptions<Sent> {
  readonly tunnelId: string;
  readonly asks: Asks;
  /** Those of these gates that no setting opens. */
  readonly closed: (gates: readonly Gate[]) => readonly Gate[];
  /** Gates before every message at this moment, whatever is in it. */
  readonly standing: () => readonly Gate[];
  readonly isPaused: () => boolean;
  /** A person has said yes at these gates. */
  readonly onApproved: (gates: readonly Gate[]) => void;
  /** The last word about something that was held. */
  readonly onReleased: (released: Released<Sent>) => void;
}

type Stage =
  | { readonly name: "judging" }
  /** Nothing in it waits for a person. */
  | { readonly name: "clear" }
  | { readonly name: "asked"; readonly askId: number }
  | { readonly name: "dropped" };

interface Item<Sent> {
  readonly outgoing: Outgoing<Sent>;
  readonly answer: (answer: Sent | Held) => void;
  readonly fail: (error: TunnelError) => void;
  stage: Stage;
  isAnswered: boolean;
  /** Gates at which a person has said yes to it. */
  passed: readonly Gate[];
  edited: string | undefined;
  askId: number | undefined;
  outcome: Outcome | undefined;
  /** What was judged last. */
  subject: Subject | undefined;
}

/** Messages that wait at once: enough for an agent that goes on, and bounded. */
export const MAX_QUEUED = 64;

/**
 * The one way out for what this side says. Each message is judged before it leaves, and what is held keeps its place (H15): what was
 * said later waits behind it, so that nobody reads an answer before its question.
 */
export class Outbound<Sent> {
  readonly #options: OutboundOptions<Sent>;
  #queue: Item<Sent>[] = [];
  /** Of the queue, how many were answered `held`. */
  #held = 0;
  #judging: Promise<void> = Promise.resolve();
  #isOver = false;

  constructor(options: OutboundOptions<Sent>) {
    this.#options = options;
  }

  /** Messages that wait for a person or behind one that does. */
  get held(): number {
    return this.#held;
  }

  /**
   * @returns the room's answer; or, at once, that it is held
   * @throws {TunnelError} asks-crowded, what `judge` throws, and as the room says
   */
  submit(outgoing: Outgoing<Sent>): Promise<Sent | Held> {
    if (this.#isOver) return Promise.reject(new TunnelError("tunnel-closed"));
    if (this.#queue.length >= MAX_QUEUED && this.#held > 0)
      return Promise.reject(new TunnelError("asks-crowded"));
    return new Promise((answer, fail) => {
      const item: Item<Sent> = {
        outgoing,
        answer,
        fail,
        stage: { name: "judging" },
        isAnswered: false,
        passed: [],
        edited: undefined,
        askId: undefined,
        outcome: undefined,
        subject: undefined,
      };
      this.#queue.push(item);
      this.#judge(item);
    });
  }

  /** A mode has changed. */
  look(): void {
    this.#drain();
  }

  /** The tunnel is over: nothing leaves any more. */
  end(): void {
    this.#isOver = true;
    for (const item of this.#queue.slice()) this.#drop(item, { error: new TunnelError("tunnel-closed") });
  }

  /** One after the other, so that asks have the order of what they are about. */
  #judge(item: Item<Sent>): void {
    const judged = (judgement: Judgement): void => {
      if (item.stage.name !== "judging") return;
      item.subject = judgement.subject;
      const { closed, standing } = this.#options;
      const everywhere = item.edited === undefined ? standing() : [];
      this.#gates(item, [...closed(judgement.gates), ...everywhere], judgement.subject);
    };
    const failed = (thrown: unknown): void => {
      if (item.stage.name === "judging") this.#drop(item, { error: asTunnelError(thrown) });
    };
    this.#judging = this.#judging
      .then(() => item.outgoing.judge(item.edited))
      .then(judged, failed)
      .then(() => this.#drain());
  }

  /** Opens one ask for all gates that nobody has opened yet, or clears the way. */
  #gates(item: Item<Sent>, gates: readonly Gate[], subject: Subject): void {
    const [first, ...others] = new Set(gates.filter((gate) => !item.passed.includes(gate)));
    if (first === undefined) {
      item.stage = { name: "clear" };
      return;
    }
    const ask = this.#options.asks.open({
      tunnelId: this.#options.tunnelId,
      gates: [first, ...others],
      subject,
      causer: "own-agent",
      settle: (outcome, decision) => this.#decided(item, [first, ...others], outcome, decision),
    });
    if (ask === undefined) return this.#drop(item, { error: new TunnelError("asks-crowded") });
    item.askId = ask.id;
    item.stage = { name: "asked", askId: ask.id };
    this.#hold(item, { reason: "gates", gates: [first, ...others] });
  }

  #decided(item: Item<Sent>, gates: readonly Gate[], outcome: Outcome, decision: Decision | undefined): void {
    item.outcome = outcome;
    if (outcome.state !== "approved") return this.#drop(item, undefined);
    this.#options.onApproved(gates);
    item.passed = [...item.passed, ...gates];
    if (decision?.verdict !== "edit") return this.#release(item);
    // The person's own words are searched as well: a yes to them is another decision, about other bytes.
    item.edited = decision.text;
    item.passed = item.passed.filter((gate) => gate !== "secret");
    item.stage = { name: "judging" };
    this.#judge(item);
  }

  #release(item: Item<Sent>): void {
    const { recheck } = item.outgoing;
    item.stage = { name: recheck === undefined ? "clear" : "judging" };
    if (recheck === undefined) this.#drain();
    else void this.#recheck(item, recheck);
  }

  async #recheck(item: Item<Sent>, recheck: () => Promise<unknown>): Promise<void> {
    try {
      await recheck();
    } catch (error) {
      return this.#drop(item, { error: asTunnelError(error) });
    }
    if (item.stage.name === "judging") item.stage = { name: "clear" };
    this.#drain();
  }

  /** Lets everything go that may, in order. */
  #drain(): void {
    for (let first = this.#queue[0]; first !== undefined && !this.#isOver; first = this.#queue[0]) {
      if (first.stage.name === "clear" && !this.#options.isPaused()) this.#askAtHead(first);
      if (first.stage.name !== "clear" || this.#options.isPaused()) break;
      this.#queue.shift();
      this.#send(first);
    }
    this.#holdTheRest();
  }

  /** Gates that were closed while it waited its turn. */
  #askAtHead(item: Item<Sent>): void {
    const gates = item.edited === undefined ? this.#options.standing() : [];
    if (item.subject !== undefined && gates.length > 0) this.#gates(item, gates, item.subject);
  }

  /** Nobody is kept waiting for the answer of a call that waits for a person. */
  #holdTheRest(): void {
    const [first] = this.#queue;
    if (first === undefined || this.#isOver) return;
    const isPaused = this.#options.isPaused();
    if (!isPaused && first.stage.name !== "asked") return;
    for (const item of this.#queue)
      if (item.stage.name === "clear") this.#hold(item, { reason: isPaused ? "paused" : "behind" });
  }

  #hold(item: Item<Sent>, why: HeldReason): void {
    if (item.isAnswered) return;
    item.isAnswered = true;
    this.#held += 1;
    const { stage } = this.#queue[0] ?? item;
    const before = stage.name === "asked" ? stage.askId : undefined;
    item.answer({ status: "held", askId: item.askId ?? before, why });
  }

  /** `send` gives it to the room at once; nobody behind it waits until it is confirmed. */
  #send(item: Item<Sent>): void {
    if (item.isAnswered) this.#held -= 1;
    const { isAnswered, askId, outcome } = item;
    const { onReleased } = this.#options;
    item.outgoing.send(item.edited).then(
      (sent) => (isAnswered ? onReleased({ askId, outcome, result: { sent } }) : item.answer(sent)),
      (thrown: unknown) => {
        const error = asTunnelError(thrown);
        if (!isAnswered) return item.fail(error);
        item.outgoing.dropped?.();
        onReleased({ askId, outcome, result: { error } });
      },
    );
  }

  /** It does not leave. @param result why, where that is no person's decision */
  #drop(item: Item<Sent>, result: { readonly error: TunnelError } | undefined): void {
    const at = this.#queue.indexOf(item);
    if (at < 0) return;
    this.#queue.splice(at, 1);
    item.stage = { name: "dropped" };
    const { isAnswered, askId, outcome } = item;
    if (!isAnswered) return item.fail(result?.error ?? new TunnelError("internal"));
    this.#held -= 1;
    item.outgoing.dropped?.();
    this.#options.onReleased({ askId, outcome, result });
    this.#drain();
  }
}
