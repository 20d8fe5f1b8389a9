import assert from "node:assert/strict";
import type { MemberId } from "../../src/protocol/base/ids.ts";
import type { Entry } from "../../src/protocol/room/log.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { Inbox } from "../../src/session/inbox.ts";

/** Nothing here waits for a message to arrive, so nobody asks for the time. */
const NO_CLOCK: Clock = {
  now: () => 0,
  after: () => {
    throw new Error("a simulated agent waits");
  },
};

/** An agent that listens in calls, some of which are cancelled, and what its inbox must have told it by then. */
export class Reader {
  readonly inbox: Inbox;
  readonly #self: MemberId;
  /** Places of what concerns this agent. */
  readonly #foreign: number[] = [];
  readonly #returned = new Set<number>();
  readonly #calls: { seqs: readonly number[]; isCancelled: boolean }[] = [];

  constructor(self: MemberId) {
    this.#self = self;
    this.inbox = new Inbox({ self, clock: NO_CLOCK, start: 0 });
  }

  append(entry: Entry): void {
    this.inbox.append(entry);
    const isOwn =
      entry.kind !== "system" ? entry.own : entry.event === "joined" && entry.member === this.#self;
    if (!isOwn) this.#foreign.push(entry.seq);
  }

  /** Any call but {@link listen}: what was returned before has been read. */
  act(): void {
    this.inbox.settle();
  }

  listen(limit: number): void {
    this.inbox.settle();
    const batch = this.inbox.take(this.#calls.length, limit);
    const missing = this.#missing();
    const got = batch.entries.map(({ entry }) => entry.seq);
    for (const { entry, redelivered } of batch.entries) {
      assert.equal(redelivered, this.#returned.has(entry.seq), `place ${entry.seq}: returned before?`);
      this.#returned.add(entry.seq);
    }
    // Places that are for others leave no hole, and no room says more than a log keeps.
    assert.equal(batch.gap, undefined, "a gap where nothing is gone");
    assert.ok(got.length <= limit, "a batch over its limit");
    assert.ok(missing.length === 0 || got.length > 0, "something is unread and nothing is offered");
    const last = got.at(-1) ?? 0;
    const due = missing.filter((seq) => seq <= last);
    assert.deepEqual(
      got.filter((seq) => missing.includes(seq)),
      due,
      "skipped",
    );
    assert.equal(batch.more, this.#foreign.some((seq) => seq > last) && got.length > 0, "more?");
    this.#calls.push({ seqs: got, isCancelled: false });
  }

  cancel(back: number): void {
    const at = this.#calls.length - 1 - back;
    const call = this.#calls[at];
    if (call === undefined) return;
    call.isCancelled = true;
    this.inbox.cancelled(at);
  }

  /** Rereading shows everything of others after a place, and moves nothing. */
  reread(since: number): void {
    const before = this.inbox.read;
    const batch = this.inbox.reread(since, Number.POSITIVE_INFINITY);
    assert.deepEqual(
      batch.entries.map(({ entry }) => entry.seq),
      this.#foreign.filter((seq) => seq > since).slice(0, batch.entries.length),
      "reread",
    );
    assert.equal(this.inbox.read, before);
  }

  /** In the end everything can be had. */
  finish(): void {
    for (let rounds = 0; this.#missing().length > 0; rounds += 1) {
      assert.ok(rounds <= this.#foreign.length, "the inbox never gets empty");
      this.listen(50);
    }
    this.inbox.settle();
    assert.equal(this.inbox.unread, 0);
  }

  #missing(): number[] {
    const read = new Set(this.#calls.flatMap((call) => (call.isCancelled ? [] : call.seqs)));
    return this.#foreign.filter((seq) => !read.has(seq));
  }
}
