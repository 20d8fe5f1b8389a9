import type { Clock } from "../../runtime/clock.ts";
import { every } from "../../runtime/wait.ts";
import { unlessAway, type Bucket } from "./engine.ts";
import { parseNodeEntry, type NodeEntry, type NodeFacts, type Word } from "./entries.ts";
import { CLUSTER } from "./timing.ts";

export interface LeaseOptions {
  readonly node: string;
  readonly clock: Clock;
  readonly nodes: Bucket;
  /** Facts of this node that the lease tells, anew with each renewal. */
  readonly facts: () => NodeFacts;
  /**
   * Another node has closed the lease, and this one has a new one: looks at every claim of this node, and stops serving those that
   * it has lost. The lease proves nothing before.
   * @throws {EngineAway}
   */
  readonly verify: () => Promise<void>;
  /** Called after each renewal that the engine has taken. */
  readonly onRenewed: () => void;
  /** @throws {EngineAway} */
  readonly choose: () => Promise<readonly string[]>;
  /** A witness's word on the lease; undefined where it says nothing. */
  readonly ask: (witness: string, revision: number) => Promise<Word | undefined>;
  /** The engine is there for others, or nobody is there: hosts are served better anywhere else. */
  readonly onCutOff: () => void;
}

/**
 * The word of this node that it still holds its claims. It times the lease itself, from before each renewal was sent, so that a node
 * whose engine, network or processor stands still for too long stops by its own clock. Others take no claim of it before they have
 * either its own answer, or have closed the lease and waited for its end (see {@link Fences}): a renewal that comes after that fails.
 *
 * Where the engine does not answer, the lease lives on for a while by the words of all its witnesses that they have not closed it.
 * The node that closes it is a witness, or tells one.
 */
export class Lease {
  readonly #options: LeaseOptions;
  #revision = 0;
  #provenUntil = Number.NEGATIVE_INFINITY;
  #renewedAt = Number.NEGATIVE_INFINITY;
  #generation = 0;
  #isVerified = true;
  #isRenewing = false;
  #isAsking = false;
  #isCutOff = false;
  #isOver = false;
  #chosen: readonly string[] = [];
  #chosenAt = Number.NEGATIVE_INFINITY;
  /** All that may stand in the entry by now: an answer may be lost. */
  #witnesses = new Set<string>();
  /** Whether an entry without any may stand there: who closes that one tells nobody. */
  #mayHaveNone = true;
  #stop: () => void = () => undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** Whether what this node holds is its own beyond doubt, at this moment. */
  get isProven(): boolean {
    return this.#isVerified && this.#options.clock.now() < this.#provenUntil;
  }

  /** Whether the engine has taken a renewal lately. */
  get isRenewed(): boolean {
    return this.renewedAgoMs < CLUSTER.readyMs;
  }

  get renewedAgoMs(): number {
    return Math.min(this.#options.clock.now() - this.#renewedAt, Number.MAX_SAFE_INTEGER);
  }

  /** Whether others are served better elsewhere, for now. */
  get isCutOff(): boolean {
    return this.#isCutOff;
  }

  /** Grows whenever the lease is a new one: what was under way before may be lost. */
  get generation(): number {
    return this.#generation;
  }

  /** Resolves after the first attempt. */
  async start(): Promise<void> {
    const { clock } = this.#options;
    const stops = [
      every(clock, CLUSTER.renewMs, () => void this.renew()),
      every(clock, CLUSTER.askAgainMs, () => {
        if (this.renewedAgoMs > CLUSTER.askAfterMs) void this.askWitnesses();
      }),
    ];
    this.#stop = () => stops.forEach((stop) => stop());
    await this.renew();
  }

  async renew(): Promise<void> {
    if (this.#isRenewing || this.#isOver) return;
    this.#isRenewing = true;
    try {
      await unlessAway(this.#renew());
    } finally {
      this.#isRenewing = false;
    }
  }

  /** Asks all witnesses for their word on the lease as it was renewed last. */
  async askWitnesses(): Promise<void> {
    const { clock, ask, onCutOff } = this.#options;
    const witnesses = [...this.#witnesses];
    const [revision, renewedAt, askedAt] = [this.#revision, this.#renewedAt, clock.now()];
    if (this.#isAsking || this.#isOver || witnesses.length === 0 || revision === 0) return;
    const isWitnessed = !this.#mayHaveNone;
    this.#isAsking = true;
    const words = await Promise.all(witnesses.map((witness) => ask(witness, revision)));
    this.#isAsking = false;
    // It is about an older lease than the present one.
    if (this.#isOver || this.#revision !== revision || this.#renewedAt !== renewedAt) return;
    const isInTime = askedAt - renewedAt < CLUSTER.wordsMs;
    if (isWitnessed && isInTime && words.every((word) => word?.isOpen === true))
      this.#provenUntil = Math.max(this.#provenUntil, askedAt + CLUSTER.leaseMs);
    const isAlone = words.every((word) => word === undefined);
    if (this.#isCutOff || !(isAlone || this.#isServedElsewhere(words))) return;
    this.#isCutOff = true;
    this.#provenUntil = Number.NEGATIVE_INFINITY;
    onCutOff();
  }

  /** Gives the lease back: nothing is served from here on, and nobody has to wait for its end. */
  async close(): Promise<void> {
    this.#isOver = true;
    this.#stop();
    this.#provenUntil = Number.NEGATIVE_INFINITY;
    const { nodes, node } = this.#options;
    if (this.#revision > 0) await unlessAway(nodes.remove(node, this.#revision));
  }

  #isServedElsewhere(words: readonly (Word | undefined)[]): boolean {
    const agoMs = this.renewedAgoMs;
    return words.some((word) => word !== undefined && agoMs - word.renewedAgoMs > CLUSTER.cutOffMs);
  }

  async #renew(): Promise<void> {
    const { clock, nodes, node, facts, onRenewed, verify } = this.#options;
    const witnesses = [...this.#chosen];
    for (const witness of witnesses) this.#witnesses.add(witness);
    if (witnesses.length === 0) this.#mayHaveNone = true;
    const value = JSON.stringify({ state: "live", facts: facts(), witnesses } satisfies NodeEntry);
    const sentAt = clock.now();
    const revision = await nodes.put(node, value, this.#revision);
    if (this.#isOver) return;
    if (revision !== undefined) {
      this.#revision = revision;
      this.#witnesses = new Set(witnesses);
      this.#mayHaveNone = witnesses.length === 0;
      if (!this.#isVerified) {
        // From here on: what was looked at before this lease began proves nothing.
        this.#generation += 1;
        await verify();
        this.#isVerified = true;
      }
      this.#provenUntil = sentAt + CLUSTER.leaseMs;
      this.#renewedAt = clock.now();
      this.#isCutOff = false;
      void this.#choose();
      return onRenewed();
    }
    const entry = await nodes.get(node);
    const found = entry === undefined ? undefined : parseNodeEntry(entry.value);
    // A renewal whose answer was lost: nobody but this node writes that, and the chain of its revisions was never cut.
    if (entry !== undefined && found?.state === "live" && this.#revision > 0) {
      this.#revision = entry.revision;
      return;
    }
    this.#isVerified = false;
    this.#revision = entry?.revision ?? 0;
    return this.#renew();
  }

  async #choose(): Promise<void> {
    const { clock, choose } = this.#options;
    if (clock.now() - this.#chosenAt < CLUSTER.chooseMs) return;
    this.#chosenAt = clock.now();
    this.#chosen = (await unlessAway(choose())) ?? this.#chosen;
  }
}
