import type { MemberSession } from "./member-sessions.ts";

interface Expected {
  readonly seq: number;
  /** Number of the frame that carries it, for each member's session that was connected when it was said. */
  readonly frames: ReadonlyMap<MemberSession, number>;
}

/** More than one agent has under way at once; what is forgotten beyond it is merely told as queued. */
const MAX_EXPECTED = 256;

/** The host's own messages that nobody's process has confirmed yet. */
export class Receipts {
  #expected: Expected[] = [];

  /** The last message of the order, right after it was put into the links of these. */
  expect(seq: number, audience: readonly MemberSession[]): void {
    const frames = new Map(audience.map((session) => [session, session.link.sent] as const));
    this.#expected = [...this.#expected.slice(1 - MAX_EXPECTED), { seq, frames }];
  }

  /** Something has arrived from this member's session: the messages that are the first of anybody to be confirmed by it. */
  confirmed(session: MemberSession): number[] {
    if (this.#expected.length === 0) return [];
    const { confirmed } = session.link;
    const has = ({ frames }: Expected): boolean =>
      (frames.get(session) ?? Number.POSITIVE_INFINITY) <= confirmed;
    const reached = this.#expected.filter(has);
    if (reached.length > 0) this.#expected = this.#expected.filter((one) => !has(one));
    return reached.map(({ seq }) => seq);
  }
}
