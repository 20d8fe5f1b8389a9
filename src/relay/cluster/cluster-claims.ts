import type { Clock } from "../../runtime/clock.ts";
import { Emitter } from "../../runtime/emitter.ts";
import { every, wait } from "../../runtime/wait.ts";
import {
  claimId,
  type Claim,
  type ClaimEvent,
  type ClaimName,
  type ClaimOutcome,
  type Claims,
  type NewClaim,
  type NodeMessage,
} from "../claims/claims.ts";
import { isOfKey } from "../claims/proof.ts";
import { EngineAway, unlessAway, type Engine, type Entry } from "./engine.ts";
import {
  parseClaimEntry,
  parseEvent,
  parseMessage,
  whole,
  type ClaimEntry,
  type ClusterMessage,
  type NodeFacts,
  type Word,
} from "./entries.ts";
import { Fences } from "./fences.ts";
import { Found } from "./found.ts";
import { keyOf, SUBJECTS } from "./keys.ts";
import { Lease } from "./lease.ts";
import { Owners } from "./owners.ts";
import { sweep } from "./sweep.ts";
import { CLUSTER } from "./timing.ts";
import { chooseWitnesses, Closed, wordOf, type PeerTalk } from "./witnesses.ts";

export interface ClusterClaimsOptions {
  readonly node: string;
  readonly clock: Clock;
  readonly engine: Engine;
  readonly peers: PeerTalk;
  readonly facts: () => NodeFacts;
  /** Words that nobody else makes. */
  readonly random: () => string;
  readonly limits: {
    /** A room whose host has been away for so long is forgotten, in ms. */
    readonly roomAwayMs: number;
  };
}

/** A claim of this node. */
interface Own {
  readonly claim: Claim;
}

/** A claim that is being made: whether it is lost again before it was had. */
interface Attempt {
  supersededBy: Claim | undefined;
}

/**
 * The register of many nodes, in an engine. Each name is one entry, whose revision is the epoch. The rule that no name has two owners
 * at once: whoever takes a name of another node has that node's answer that it has stopped, or closes its lease and waits for its
 * end; and a node whose lease was closed looks at all its claims before it proves anything again.
 */
export class ClusterClaims implements Claims {
  readonly #options: ClusterClaimsOptions;
  readonly #own = new Map<string, Own>();
  readonly #attempts = new Map<string, Set<Attempt>>();
  /** Ends of claims that the engine has not heard of. */
  readonly #owed = new Map<string, { name: ClaimName; epoch: number; how: "away" | "done" }>();
  readonly #releasing = new Set<Promise<boolean>>();
  readonly #events = new Emitter<ClaimEvent>();
  readonly #told = new Emitter<NodeMessage>();
  readonly #found: Found;
  readonly #owners: Owners;
  readonly #lease: Lease;
  readonly #fences: Fences;
  readonly #closed = new Closed();
  readonly #stops: (() => void)[] = [];

  /** Nothing is claimed before {@link start}. */
  constructor(options: ClusterClaimsOptions) {
    const { clock, engine, node, facts, random, peers } = options;
    this.#options = options;
    this.#found = new Found(clock);
    this.#owners = new Owners(engine.claims);
    const { nodes } = engine;
    this.#fences = new Fences({
      node,
      clock,
      nodes,
      random,
      closed: this.#closed,
      tell: (other, message) => this.#ask(other, message),
      isGone: async (other) => (await peers.ask(other, GONE, CLUSTER.nodeMs)).kind === "gone",
    });
    this.#lease = new Lease({
      node,
      clock,
      nodes,
      facts,
      verify: () => this.#verify(),
      onRenewed: () => void this.#payOwed(),
      choose: () => chooseWitnesses(nodes, peers, node),
      ask: (witness, revision) => wordOf(peers, witness, { node, revision }),
      onCutOff: () => this.#giveUp(),
    });
    this.#stops.push(
      engine.subscribe(SUBJECTS.claims, (text) => this.#heard(text)),
      engine.subscribe(SUBJECTS.node(node), (text, reply) => {
        const answer = this.answer(text);
        if (answer !== undefined) reply(answer);
      }),
      engine.onConnection((isConnected) => {
        if (isConnected) void this.#lease.renew();
        else void this.#lease.askWitnesses();
      }),
      every(
        clock,
        CLUSTER.sweepMs,
        () => void unlessAway(sweep(engine, clock.now() - options.limits.roomAwayMs)),
      ),
    );
  }

  static async open(options: ClusterClaimsOptions): Promise<ClusterClaims> {
    const claims = new ClusterClaims(options);
    await claims.start();
    return claims;
  }

  /** Resolves when the lease is there, or the engine could not be asked. */
  async start(): Promise<void> {
    await this.#lease.start();
  }

  get state(): "ready" | "away" {
    return this.#options.engine.isConnected && this.#lease.isRenewed ? "ready" : "away";
  }

  get isProven(): boolean {
    return this.#lease.isProven;
  }

  async claim(claim: NewClaim): Promise<ClaimOutcome> {
    const id = claimId(claim);
    const attempt: Attempt = { supersededBy: undefined };
    const attempts = this.#attempts.get(id) ?? new Set();
    this.#attempts.set(id, attempts.add(attempt));
    try {
      return await this.#claimInTime(claim, attempt);
    } finally {
      attempts.delete(attempt);
      if (attempts.size === 0 && this.#attempts.get(id) === attempts) this.#attempts.delete(id);
    }
  }

  async renew(claim: NewClaim, epoch: number): Promise<ClaimOutcome> {
    const key = keyOf(claim);
    if (key === undefined) return { kind: "taken" };
    try {
      const entry = await this.#options.engine.claims.get(key);
      const found = entry === undefined ? undefined : parseClaimEntry(entry.value);
      const isOurs = entry?.revision === epoch && found?.state === "held" && found.key === claim.key;
      return isOurs ? { kind: "claimed", epoch } : { kind: "taken" };
    } catch (error) {
      if (error instanceof EngineAway) return { kind: "unavailable" };
      throw error;
    }
  }

  async release(name: ClaimName, epoch: number, how: "away" | "done"): Promise<boolean> {
    const id = claimId(name);
    if (this.#own.get(id)?.claim.epoch === epoch) this.#own.delete(id);
    const releasing = this.#release(name, epoch, how);
    this.#releasing.add(releasing);
    try {
      return await releasing;
    } catch (error) {
      if (error instanceof EngineAway) this.#owed.set(id, { name, epoch, how });
      throw error;
    } finally {
      this.#releasing.delete(releasing);
    }
  }

  async find(name: ClaimName): Promise<Claim | undefined> {
    const own = this.#own.get(claimId(name));
    if (own !== undefined && this.isProven) return own.claim;
    const key = keyOf(name);
    if (key === undefined) return undefined;
    // Better an old word than none, for a while: who has lost its claim says so itself.
    const known = this.#found.get(name, this.state === "ready" ? CLUSTER.foundMs : CLUSTER.foundAwayMs);
    if (known !== undefined) return known.claim;
    try {
      const entry = await this.#options.engine.claims.get(key);
      const claim = entry === undefined ? undefined : claimOf(entry);
      this.#found.put(name, claim);
      return claim;
    } catch (error) {
      if (!(error instanceof EngineAway)) throw error;
      const old = this.#found.get(name, CLUSTER.foundAwayMs);
      if (old === undefined) throw error;
      return old.claim;
    }
  }

  findNow(name: ClaimName): Claim | undefined {
    const forMs = this.state === "ready" ? CLUSTER.foundMs : CLUSTER.foundAwayMs;
    return this.#own.get(claimId(name))?.claim ?? this.#found.get(name, forMs)?.claim;
  }

  /** The owner that was found does not hold the name: the next look asks the engine. */
  forget(name: ClaimName): void {
    // While nobody can be asked, an old word is all there is.
    if (this.state === "ready") this.#found.drop(name);
  }

  watch(listener: (event: ClaimEvent) => void): () => void {
    return this.#events.subscribe(listener);
  }

  async tell(node: string, message: NodeMessage): Promise<boolean> {
    if (node === this.#options.node) {
      this.#told.emit(message);
      return true;
    }
    return this.#ask(node, message);
  }

  onTold(listener: (message: NodeMessage) => void): () => void {
    return this.#told.subscribe(listener);
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
    await Promise.allSettled(this.#releasing);
    await this.#payOwed();
    await this.#lease.close();
    await this.#options.engine.close();
  }

  /** Tries again for a while: one that comes too late for its answer is known by its `attempt`. */
  async #claimInTime(claim: NewClaim, attempt: Attempt): Promise<ClaimOutcome> {
    const { clock, random } = this.#options;
    const until = clock.now() + CLUSTER.claimMs;
    const word = random();
    for (;;) {
      const outcome =
        this.state === "ready" ? await unlessAway(this.#claim(claim, attempt, word)) : undefined;
      if (outcome !== undefined) return outcome;
      // Another node can take it.
      if (this.#lease.isCutOff) return { kind: "unavailable" };
      if (clock.now() + CLUSTER.againMs > until) return { kind: "unavailable" };
      await wait(clock, CLUSTER.againMs);
    }
  }

  async #claim(claim: NewClaim, attempt: Attempt, word: string): Promise<ClaimOutcome> {
    const { kind, name, key, node, port } = claim;
    const entryKey = keyOf(claim);
    if (entryKey === undefined) return { kind: "taken" };
    const { generation } = this.#lease;
    const written = await this.#write(claim, entryKey, word);
    if ("kind" in written) return written;
    let { epoch } = written;
    this.#happened({ type: "claimed", claim: { kind, name, key, node, port, epoch } });
    if (written.behind.length > 0) {
      const claimed: Claim = { kind, name, key, node, port, epoch };
      await Promise.all(written.behind.map((former) => this.#settle(former, claimed)));
      // Nobody has to see to them any more; and nobody has taken the name meanwhile.
      const settled = await this.#options.engine.claims.put(entryKey, entryOf(claim, word, []), epoch);
      if (settled === undefined) return { kind: "taken" };
      epoch = settled;
      this.#happened({ type: "claimed", claim: { ...claimed, epoch } });
    }
    if (!(await this.#isStill(entryKey, epoch, generation))) return { kind: "taken" };
    if (attempt.supersededBy !== undefined && attempt.supersededBy.epoch > epoch) return { kind: "taken" };
    this.#own.set(claimId(claim), { claim: { kind, name, key, node, port, epoch } });
    return { kind: "claimed", epoch };
  }

  /** Puts the claim in the place of what stands there. @returns its epoch, and nodes that may serve an older one */
  async #write(
    claim: NewClaim,
    entryKey: string,
    word: string,
  ): Promise<{ readonly epoch: number; readonly behind: readonly string[] } | ClaimOutcome> {
    const { engine } = this.#options;
    for (;;) {
      const entry = await engine.claims.get(entryKey);
      const before = entry === undefined ? undefined : parseClaimEntry(entry.value);
      // An entry that this version cannot read is somebody's, too.
      if (entry !== undefined && before?.key !== claim.key) return { kind: "taken" };
      if (before === undefined && !(await this.#owners.add(claim))) return { kind: "used-up" };
      const behind = behindOf(before, claim.node);
      // Written by this attempt already, whose answer was lost.
      const isWritten = before?.attempt === word;
      const epoch = isWritten
        ? entry?.revision
        : await engine.claims.put(entryKey, entryOf(claim, word, behind), entry?.revision ?? 0);
      if (epoch === undefined) continue;
      await this.#owners.moved(claim, before?.owner, claim.owner?.id);
      return { epoch, behind };
    }
  }

  /** Claims that were lost on their way were not looked at with the others. */
  async #isStill(entryKey: string, epoch: number, since: number): Promise<boolean> {
    let generation = since;
    while (this.#lease.generation !== generation) {
      generation = this.#lease.generation;
      if ((await this.#options.engine.claims.get(entryKey))?.revision !== epoch) return false;
    }
    return true;
  }

  /** The node that held the name has stopped when this resolves. */
  async #settle(former: string, claim: Claim): Promise<void> {
    const { clock, peers } = this.#options;
    const message = { type: "moved", claim } as const;
    const [byEngine, byPeer] = await Promise.all([
      this.#ask(former, message),
      peers.ask(former, JSON.stringify(message satisfies ClusterMessage), CLUSTER.nodeMs),
    ]);
    if (byEngine || byPeer.kind === "said") return;
    const overAt = await this.#fences.close(former);
    await wait(clock, overAt - clock.now());
  }

  async #release(name: ClaimName, epoch: number, how: "away" | "done"): Promise<boolean> {
    const { engine, random } = this.#options;
    const key = keyOf(name);
    const entry = key === undefined ? undefined : await engine.claims.get(key);
    const before = entry === undefined ? undefined : parseClaimEntry(entry.value);
    if (key === undefined || entry?.revision !== epoch || before === undefined) return false;
    if (how === "done" && (name.kind === "room" || isOfKey(name.name, before.key))) {
      if (!(await engine.claims.remove(key, epoch))) return false;
      if (before.owner !== undefined) await this.#owners.remove(before.owner, name);
      this.#happened({ type: "released", claim: name, epoch });
      return true;
    }
    const value: ClaimEntry = { ...before, state: how, node: undefined, behind: [], attempt: random() };
    const revision = await engine.claims.put(key, JSON.stringify(value), epoch);
    if (revision === undefined) return false;
    const claim: Claim = { ...name, key: before.key, port: before.port, node: undefined, epoch: revision };
    this.#happened(how === "away" ? { type: "away", claim } : { type: "released", claim: name, epoch });
    return true;
  }

  async #payOwed(): Promise<void> {
    for (const [id, owed] of this.#owed) {
      this.#owed.delete(id);
      await this.release(owed.name, owed.epoch, owed.how).catch(() => false);
      if (this.#owed.has(id)) return;
    }
  }

  /** Looks at every claim of this node, and stops serving those that are another's by now. */
  async #verify(): Promise<void> {
    const waiting = [...this.#own.entries()];
    const look = async (): Promise<void> => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        const [id, own] = next;
        const key = keyOf(own.claim);
        const entry = key === undefined ? undefined : await this.#options.engine.claims.get(key);
        if (this.#own.get(id) !== own || entry?.revision === own.claim.epoch) continue;
        const claim = entry === undefined ? undefined : claimOf(entry);
        const { epoch } = own.claim;
        if (claim !== undefined && claim.epoch > epoch) this.#lost(claim);
        else {
          this.#own.delete(id);
          this.#events.emit({ type: "lost", claim: own.claim, epoch });
        }
      }
    };
    await Promise.all(Array.from({ length: CLUSTER.verifying }, look));
  }

  /** Events of this node: told to all others, too. */
  #happened(event: Exclude<ClaimEvent, { type: "lost" }>): void {
    const { engine, node } = this.#options;
    this.#found.take(event);
    this.#events.emit(event);
    engine.publish(SUBJECTS.claims, JSON.stringify({ from: node, event }));
  }

  #heard(text: string): void {
    const heard = parseEvent(text);
    if (heard === undefined || heard.from === this.#options.node) return;
    this.#found.take(heard.event);
    if (heard.event.type === "claimed") this.#lost(heard.event.claim);
    else this.#events.emit(heard.event);
  }

  /** A name is held by another node now: nothing older of it is served here when this returns. */
  #lost(claim: Claim): void {
    const id = claimId(claim);
    for (const attempt of this.#attempts.get(id) ?? [])
      if ((attempt.supersededBy?.epoch ?? 0) < claim.epoch) attempt.supersededBy = claim;
    const own = this.#own.get(id);
    if (own !== undefined && own.claim.epoch < claim.epoch) this.#own.delete(id);
    this.#events.emit({ type: "claimed", claim });
  }

  /**
   * Answers another node, which has asked by the engine or by itself.
   * @returns undefined for what this version does not know: the other node helps itself
   */
  answer(text: string): string | undefined {
    const message = parseMessage(text);
    switch (message?.type) {
      case undefined:
        return undefined;
      case "moved":
        this.#lost(whole(message.claim));
        return DONE;
      case "close":
        this.#told.emit(message);
        return DONE;
      case "closed":
        this.#closed.add(message.of, message.revision);
        return DONE;
      case "lease": {
        const isOpen = this.#closed.isOpen(message.of, message.revision);
        return JSON.stringify({ isOpen, renewedAgoMs: this.#lease.renewedAgoMs } satisfies Word);
      }
    }
  }

  /** Hosts are served better at any other node: they are sent there, and what they held here is given back when that goes. */
  #giveUp(): void {
    for (const { claim } of this.#own.values()) {
      this.#own.delete(claimId(claim));
      this.#events.emit({ type: "lost", claim, epoch: claim.epoch });
    }
  }

  async #ask(node: string, message: ClusterMessage): Promise<boolean> {
    const answer = await this.#options.engine.ask(
      SUBJECTS.node(node),
      JSON.stringify(message),
      CLUSTER.nodeMs,
    );
    return answer !== undefined;
  }
}

const DONE = "done";
/** Asks for nothing, and shows who is there. */
const GONE = JSON.stringify({ type: "lease", of: "-", revision: 0 } satisfies ClusterMessage);

/** A claim as it is written. @param attempt tells one write from another of the same content */
function entryOf(
  { kind, name, key, node, port, owner }: NewClaim,
  attempt: string,
  behind: readonly string[],
): string {
  const state = "held";
  return JSON.stringify({
    kind,
    name,
    key,
    state,
    node,
    port,
    owner: owner?.id,
    attempt,
    behind: [...behind],
  } satisfies ClaimEntry);
}

/** Nodes that may serve what stood there before; this one knows itself. */
function behindOf(before: ClaimEntry | undefined, node: string): readonly string[] {
  if (before === undefined) return [];
  const all = before.node === undefined ? before.behind : [...before.behind, before.node];
  return [...new Set(all)].filter((other) => other !== node);
}

/** Undefined for a name that was released. */
function claimOf({ value, revision }: Entry): Claim | undefined {
  const found = parseClaimEntry(value);
  if (found === undefined || found.state === "done") return undefined;
  const { kind, name, key, node, port } = found;
  return { kind, name, key, node: found.state === "held" ? node : undefined, port, epoch: revision };
}
