import type { MemberSession } from "./member-sessions.ts";

/** A message of the host's own, shared by all who may be the first to confirm it. */
interface Expected {
  readonly seq: number;
  isReached: boolean;
  /** Members who were given it and have not left. */
  carriers: number;
}

/** The frame that carries such a message to one member. */
interface Carried {
  readonly frame: number;
  readonly expected: Expected;
}

/**
 * The host's own messages that nobody's process has confirmed yet. Each member has a queue of those that wait in its outbox, in
 * the order of their frames: the outbox bounds what is kept here (D3), and a confirmation costs as much as it confirms.
 */
export class Receipts {
  readonly #queues = new Map<MemberSession, Carried[]>();

  /** Messages that wait for a confirmation, counted once for each member that they wait for. */
  get waiting(): number {
    return [...this.#queues.values()].reduce((sum, queue) => sum + queue.length, 0);
  }

  /** The last message of the order, right after it was put into the links of these, connected or not. */
  expect(seq: number, audience: readonly MemberSession[]): void {
    // Whose outbox was full was not given this message, and is about to lose its session.
    const given = audience.filter(({ fellBehind }) => !fellBehind);
    const expected = { seq, isReached: false, carriers: given.length };
    for (const session of given) {
      const carried = { frame: session.link.sent, expected };
      const queue = this.#queues.get(session);
      if (queue === undefined) this.#queues.set(session, [carried]);
      else queue.push(carried);
    }
  }

  /** This member's session may have confirmed something: the messages that nobody has confirmed before. */
  confirmed(session: MemberSession): number[] {
    const queue = this.#queues.get(session);
    if (queue === undefined) return [];
    const { confirmed } = session.link;
    const next = queue.findIndex(({ frame }) => frame > confirmed);
    const reached = queue.splice(0, next === -1 ? queue.length : next).map(({ expected }) => expected);
    if (queue.length === 0) this.#queues.delete(session);
    const first = reached.filter(({ isReached }) => !isReached);
    for (const expected of first) expected.isReached = true;
    return first.map(({ seq }) => seq);
  }

  /** This member's session is over: the messages that nobody has confirmed, and nobody can any more. */
  forget(session: MemberSession): number[] {
    const queue = this.#queues.get(session) ?? [];
    this.#queues.delete(session);
    for (const { expected } of queue) expected.carriers -= 1;
    return queue
      .filter(({ expected }) => !expected.isReached && expected.carriers === 0)
      .map(({ expected }) => expected.seq);
  }
}
