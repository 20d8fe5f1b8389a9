import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import type { Clock } from "../../runtime/clock.ts";
import { Emitter, type Observable } from "../../runtime/emitter.ts";
import { GATES, type Gate } from "../gates/gates.ts";
import type { Ask, Causer, Decider, Decision, Outcome, WithdrawalCause } from "./ask.ts";
import { digestOf, type Subject } from "./subject.ts";

/** Waiting asks that one causer may have: more than a person reads, and bounded against a peer that makes them (H30). */
export const MAX_WAITING = { ownAgent: 32, member: 8 } as const;
/** Decided asks that are kept to tell a second answer who was first. */
export const MAX_DECIDED = 256;

export type AskEvent =
  | { readonly type: "asked"; readonly ask: Ask }
  | { readonly type: "decided"; readonly ask: Ask }
  /** So many of this causer's asks were turned away since the last event; told once until one of them is decided. */
  | { readonly type: "crowded"; readonly tunnelId: string; readonly causer: Causer };

interface NewAsk {
  readonly tunnelId: string;
  readonly gates: readonly [Gate, ...Gate[]];
  readonly subject: Subject;
  readonly causer: Causer;
  /** Called once, with the way it ended. It must not throw. */
  readonly settle: (outcome: Outcome, decision: Decision | undefined) => void;
}

interface Waiting {
  readonly ask: Ask;
  readonly settle: NewAsk["settle"];
  readonly cancelExpiry: () => void;
}

/**
 * Everything that waits for a person of this server's user, and what became of it. One register for all faces: the first answer
 * wins, wherever it comes from (H10), and a face that connects later reads `waiting` as it is then (H12).
 */
export class Asks implements Observable<AskEvent> {
  readonly #clock: Clock;
  readonly #primitives: Primitives;
  readonly #waiting = new Map<number, Waiting>();
  readonly #decided = new Map<number, Ask>();
  /** Causers whose last ask was turned away. */
  readonly #crowded = new Set<string>();
  readonly #events = new Emitter<AskEvent>();
  #lastId = 0;
  /** Numbers of asks that an earlier process has opened and nobody has decided: by tunnel, then by what they are about. */
  readonly #numbers = new Map<string, Map<string, number>>();

  constructor(options: { readonly clock: Clock; readonly primitives: Primitives }) {
    this.#clock = options.clock;
    this.#primitives = options.primitives;
  }

  subscribe(listener: (event: AskEvent) => void): () => void {
    return this.#events.subscribe(listener);
  }

  /** Oldest first. */
  get waiting(): readonly Ask[] {
    return [...this.#waiting.values()].map(({ ask }) => ask);
  }

  /** Asks that are waiting, or were decided not long ago. */
  find(id: number): Ask | undefined {
    return this.#waiting.get(id)?.ask ?? this.#decided.get(id);
  }

  /**
   * What an earlier process of this side had asked in a tunnel. The same thing, asked again, has the same number, unless that stands for
   * something else by now; and no number of that tunnel comes again.
   */
  recall(tunnelId: string, { open, lastAsk }: { open: ReadonlyMap<string, number>; lastAsk: number }): void {
    this.#numbers.set(tunnelId, new Map(open));
    this.#lastId = Math.max(this.#lastId, lastAsk);
  }

  #numberFor(tunnelId: string, digest: string): number {
    const numbers = this.#numbers.get(tunnelId);
    const before = numbers?.get(digest);
    numbers?.delete(digest);
    if (before !== undefined && this.find(before) === undefined) return before;
    this.#lastId += 1;
    return this.#lastId;
  }

  /** @returns `undefined` where this causer has too many waiting already: nothing is kept of it (H30) */
  open({ tunnelId, gates, subject, causer, settle }: NewAsk): Ask | undefined {
    if (this.#isCrowded(tunnelId, causer)) {
      const key = keyOf(tunnelId, causer);
      if (!this.#crowded.has(key)) {
        this.#crowded.add(key);
        this.#events.emit({ type: "crowded", tunnelId, causer });
      }
      return undefined;
    }
    const askedAt = this.#clock.now();
    const lastsMs = Math.min(...gates.map((gate) => GATES[gate].minutes)) * 60_000;
    const digest = digestOf(this.#primitives, subject);
    const id = this.#numberFor(tunnelId, digest);
    const ask: Ask = {
      id,
      tunnelId,
      gates,
      subject,
      digest,
      causer,
      askedAt,
      expiresAt: askedAt + lastsMs,
      now: { state: "waiting" },
    };
    const cancelExpiry = this.#clock.after(lastsMs, () =>
      this.#settle(id, { state: "expired", at: this.#clock.now() }),
    );
    this.#waiting.set(id, { ask, settle, cancelExpiry });
    this.#events.emit({ type: "asked", ask });
    return ask;
  }

  /**
   * A person has decided about exactly what `digest` names.
   * @throws {TunnelError} ask-unknown, ask-decided (with who was first), ask-changed (the digest is of something else)
   */
  decide(id: number, digest: string, decision: Decision, by: Decider): Ask {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) {
      const before = this.#decided.get(id);
      if (before === undefined) throw new TunnelError("ask-unknown");
      throw new TunnelError("ask-decided", { detail: outcomeText(before) });
    }
    if (waiting.ask.digest !== digest) throw new TunnelError("ask-changed");
    if (decision.verdict === "edit" && waiting.ask.subject.kind !== "message")
      throw new TunnelError("ask-not-text");
    const at = this.#clock.now();
    const outcome: Outcome =
      decision.verdict === "refuse"
        ? { state: "refused", by, at, reason: decision.reason }
        : { state: "approved", by, at, isEdited: decision.verdict === "edit" };
    return this.#settle(id, outcome, decision) ?? waiting.ask;
  }

  /** Nobody need decide any more; an ask that is not waiting stays as it is. */
  withdraw(id: number, cause: WithdrawalCause): void {
    this.#settle(id, { state: "withdrawn", at: this.#clock.now(), cause });
  }

  withdrawAll(tunnelId: string, cause: WithdrawalCause): void {
    for (const { id, tunnelId: of } of this.waiting) if (of === tunnelId) this.withdraw(id, cause);
  }

  #settle(id: number, outcome: Outcome, decision?: Decision): Ask | undefined {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return undefined;
    // Out of the map before anybody hears of it: a second answer from within finds it decided.
    this.#waiting.delete(id);
    waiting.cancelExpiry();
    const ask = { ...waiting.ask, now: outcome };
    this.#decided.set(id, ask);
    for (const old of this.#decided.keys()) {
      if (this.#decided.size <= MAX_DECIDED) break;
      this.#decided.delete(old);
    }
    this.#crowded.delete(keyOf(ask.tunnelId, ask.causer));
    waiting.settle(outcome, decision);
    this.#events.emit({ type: "decided", ask });
    return ask;
  }

  #isCrowded(tunnelId: string, causer: Causer): boolean {
    const key = keyOf(tunnelId, causer);
    const most = causer === "own-agent" ? MAX_WAITING.ownAgent : MAX_WAITING.member;
    return this.waiting.filter((ask) => keyOf(ask.tunnelId, ask.causer) === key).length >= most;
  }
}

function keyOf(tunnelId: string, causer: Causer): string {
  return `${tunnelId} ${causer === "own-agent" ? causer : causer.member}`;
}

/** How an ask ended, in words for a person whose answer came too late. */
function outcomeText({ now }: Ask): string {
  switch (now.state) {
    case "waiting":
      return "it is waiting";
    case "approved":
    case "refused":
      return `${now.state} ${deciderText(now.by)}`;
    case "expired":
      return "nobody decided in time";
    case "withdrawn":
      return "it is no longer asked";
  }
}

function deciderText(by: Decider): string {
  return by.path === "client"
    ? `in the prompt of ${by.client}`
    : `in ${by.path === "watch" ? "tunnel-mcp watch" : "the terminal chat"}`;
}
