import { array, assert, boolean, constant, integer, oneof, property, record } from "fast-check";
import { describe, expect, it } from "vitest";
import { memberIdFromText } from "./support.ts";
import { SESSION } from "../../src/protocol/limits.ts";
import type { Entry } from "../../src/protocol/transcript.ts";
import { Inbox } from "../../src/session/inbox.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";

const SELF = memberIdFromText("self");
const PEER = memberIdFromText("peer");

function chat(seq: number, own = false, text = `text ${seq}`): Entry {
  const from = own ? SELF : PEER;
  return { kind: "chat", seq, ts: 0, from, fromName: "x", own, text, intent: undefined, replyTo: undefined };
}

function arrival(seq: number, member = PEER): Entry {
  return { kind: "system", seq, ts: 0, event: "joined", member, name: "x" };
}

function inboxOf(...entries: Entry[]): Inbox {
  const inbox = new Inbox({ self: SELF, clock: new FakeClock(), start: 0 });
  for (const entry of entries) inbox.append(entry);
  return inbox;
}

const seqs = (batch: { entries: readonly { entry: Entry }[] }): number[] =>
  batch.entries.map(({ entry }) => entry.seq);
const marked = (batch: { entries: readonly { redelivered: boolean }[] }): boolean[] =>
  batch.entries.map(({ redelivered }) => redelivered);

describe("any interleaving", () => {
  type Step =
    | { do: "append"; own: boolean }
    | { do: "take"; limit: number }
    | { do: "cancel"; back: number }
    | { do: "reread"; since: number };
  const step = oneof(
    record({ do: constant("append" as const), own: boolean() }),
    record({ do: constant("take" as const), limit: integer({ min: 1, max: 4 }) }),
    record({ do: constant("cancel" as const), back: integer({ min: 0, max: 4 }) }),
    record({ do: constant("reread" as const), since: integer({ min: 0, max: 20 }) }),
  );

  it("skips nothing and returns nothing twice without a mark", () => {
    assert(
      property(array<Step>(step, { maxLength: 60 }), (steps) => {
        const inbox = inboxOf();
        const foreign: number[] = [];
        const everReturned = new Set<number>();
        /** What each call that was not cancelled has brought; the agent has read their union. */
        const calls: { seqs: number[]; cancelled: boolean }[] = [];
        let seq = 0;
        const take = (limit: number): void => {
          inbox.settle();
          const batch = inbox.take(calls.length, limit);
          for (const { entry, redelivered } of batch.entries) {
            expect(redelivered).toBe(everReturned.has(entry.seq));
            everReturned.add(entry.seq);
          }
          const got = seqs(batch);
          expect(got.length).toBeLessThanOrEqual(limit);
          const read = new Set(calls.filter((call) => !call.cancelled).flatMap((call) => call.seqs));
          const missing = foreign.filter((one) => !read.has(one));
          // Nothing older than what comes now may be missing still.
          expect(got.filter((one) => missing.includes(one))).toEqual(
            missing.filter((one) => one <= (got.at(-1) ?? 0)),
          );
          if (missing.length > 0) expect(got).not.toEqual([]);
          expect(batch.more).toBe(foreign.some((one) => one > (got.at(-1) ?? seq)));
          calls.push({ seqs: got, cancelled: false });
        };
        for (const one of steps) {
          if (one.do === "append") {
            seq += 1;
            inbox.append(chat(seq, one.own));
            if (!one.own) foreign.push(seq);
          } else if (one.do === "take") take(one.limit);
          else if (one.do === "reread") {
            const all = seqs(inbox.reread(one.since, 1_000));
            expect(all).toEqual(foreign.filter((each) => each > one.since));
          } else {
            const at = calls.length - 1 - one.back;
            const call = calls[at];
            if (call === undefined) continue;
            inbox.cancelled(at);
            call.cancelled = true;
          }
        }
        // In the end everything can be had.
        for (let rounds = 0; rounds <= foreign.length; rounds += 1) take(3);
        const read = new Set(calls.filter((call) => !call.cancelled).flatMap((call) => call.seqs));
        expect(foreign.filter((each) => !read.has(each))).toEqual([]);
        inbox.settle();
        expect(inbox.unread).toBe(0);
      }),
      { numRuns: 400 },
    );
  });
});

describe("the reading position", () => {
  it("moves when the next call arrives, not when a batch is returned", () => {
    const inbox = inboxOf(chat(1), chat(2));
    expect(seqs(inbox.take("a", 1))).toEqual([1]);
    expect(inbox.read).toBe(0);
    inbox.settle();
    expect(inbox.read).toBe(1);
  });

  it("goes back for a call that is cancelled after the next one arrived", () => {
    const inbox = inboxOf(chat(1));
    inbox.take("a", 9);
    inbox.settle();
    inbox.cancelled("a");
    const again = inbox.take("b", 9);
    expect([seqs(again), marked(again)]).toEqual([[1], [true]]);
    inbox.cancelled("unknown");
    expect(inbox.take("c", 9).entries).toEqual([]);
  });

  it("two calls at the same time share what there is", () => {
    const inbox = inboxOf(chat(1), chat(2));
    expect([seqs(inbox.take("a", 1)), seqs(inbox.take("b", 9))]).toEqual([[1], [2]]);
    inbox.cancelled("a");
    expect(seqs(inbox.take("c", 9))).toEqual([1, 2]);
  });

  it("own words and own arrival are nobody's news; another's arrival is", () => {
    const inbox = inboxOf(arrival(1, SELF), chat(2, true), arrival(3));
    expect(inbox.unread).toBe(1);
    expect(seqs(inbox.take("a", 9))).toEqual([3]);
    expect(inbox.lastSeq).toBe(3);
  });
});

describe("bounds", () => {
  it("a batch holds so many bytes, but always one entry", () => {
    const long = "x".repeat(SESSION.listenMaxBytes - 10);
    const huge = "x".repeat(2 * SESSION.listenMaxBytes);
    const inbox = inboxOf(chat(1, false, long), chat(2, false, "y".repeat(11)), chat(3, false, huge));
    expect(inbox.take("a", 9)).toMatchObject({ more: true, unread: 2 });
    expect(seqs(inbox.take("b", 9))).toEqual([2]);
    expect(inbox.take("c", 9)).toMatchObject({ entries: [{ entry: { seq: 3 } }], more: false, unread: 0 });
  });

  it("what the log has lost is told as a gap", () => {
    const inbox = inboxOf();
    for (let seq = 1; seq <= 5_003; seq += 1) inbox.append(chat(seq, false, "x"));
    expect(inbox.take("a", 2)).toMatchObject({
      gap: { fromSeq: 1, toSeq: 3 },
      entries: [{ entry: { seq: 4 } }, { entry: { seq: 5 } }],
    });
    expect(inbox.take("b", 2).gap).toBeUndefined();
    expect(inbox.reread(2, 1).gap).toEqual({ fromSeq: 3, toSeq: 3 });
  });
});

describe("waiting", () => {
  const never = new AbortController().signal;

  it("ends with something new, but not with own words", async () => {
    const inbox = inboxOf();
    let woken = false;
    const waiting = inbox.wait(1_000, never).then(() => (woken = true));
    inbox.append(chat(1, true));
    await Promise.resolve();
    expect(woken).toBe(false);
    inbox.append(chat(2));
    await waiting;
    await inbox.wait(1_000, never);
  });

  it("ends with the time, the room, or the call, and leaves no timer", async () => {
    const clock = new FakeClock();
    const inbox = new Inbox({ self: SELF, clock, start: 0 });
    const timed = inbox.wait(1_000, never);
    await clock.advance(1_000);
    await timed;
    const abort = new AbortController();
    const cancelled = inbox.wait(1_000, abort.signal);
    abort.abort();
    await cancelled;
    const ended = inbox.wait(1_000, never);
    expect(clock.waiting).toBe(1);
    inbox.close();
    await ended;
    expect(clock.waiting).toBe(0);
    await inbox.wait(1_000, never);
    await inbox.wait(0, never);
  });
});
