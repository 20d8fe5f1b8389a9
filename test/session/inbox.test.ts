import { array, assert, boolean, constant, integer, oneof, property, record } from "fast-check";
import { describe, expect, it } from "vitest";
import { memberIdFromText } from "./support.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import type { InviteId } from "../../src/protocol/base/ids.ts";
import type { Entry } from "../../src/protocol/room/log.ts";
import { Inbox, type Batch, type Packing } from "../../src/session/inbox.ts";
import type { Notice } from "../../src/session/notices/notice.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";

const SELF = memberIdFromText("self");
const PEER = memberIdFromText("peer");

function chat(seq: number, own = false, text = `text ${seq}`): Entry {
  const from = own ? SELF : PEER;
  return {
    kind: "chat",
    seq,
    ts: 0,
    from,
    fromName: "x",
    own,
    text,
    intent: undefined,
    replyTo: undefined,
    to: undefined,
  };
}

function arrival(seq: number, member = PEER): Entry {
  return { kind: "system", seq, ts: 0, event: "joined", member, name: "x" };
}

function inboxOf(...entries: Entry[]): Inbox {
  const inbox = new Inbox({ self: SELF, clock: new FakeClock(), start: 0 });
  for (const entry of entries) inbox.append(entry);
  return inbox;
}

/** Texts as long as they are, in parts of `room`; everything else is longer and cannot be divided. */
function packingOf(room: number): Packing {
  return {
    room,
    sizeOf(entry, part) {
      if (part !== undefined) return part.end - part.start;
      return entry.kind === "chat" ? entry.text.length : room + 1;
    },
    ends(entry) {
      const length = entry.kind === "chat" ? entry.text.length : 1;
      return Array.from({ length: Math.ceil(length / room) }, (_, index) =>
        Math.min((index + 1) * room, length),
      );
    },
  };
}

const alarmEntry = (seq: number): Entry => ({
  kind: "system",
  seq,
  ts: 0,
  event: "idle-warning",
  endsInMs: 1,
});

const partsOf = (batch: Pick<Batch, "entries">): string[] =>
  batch.entries.map(({ entry, part }) => {
    const text = entry.kind === "chat" ? entry.text.slice(part?.start, part?.end) : "";
    return part === undefined ? text : `${part.n}/${part.of} ${text}`;
  });

const seqs = (batch: Pick<Batch, "entries">): number[] => batch.entries.map(({ entry }) => entry.seq);
const marked = (batch: Pick<Batch, "entries">): boolean[] =>
  batch.entries.map(({ redelivered }) => redelivered);

function alarm(member: string): Notice {
  return { notice: "alarm", error: new TunnelError("integrity-failed"), member };
}

/** What the property below calls an item by: its place in the order in which the inbox was given them. */
function nameOf(entry: Batch["entries"][number]["entry"]): number {
  if (entry.kind === "chat") return Number(entry.text);
  return entry.kind === "notice" && entry.notice === "alarm" ? Number(entry.member) : Number.NaN;
}

describe("any interleaving", () => {
  type Step =
    | { do: "append"; own: boolean }
    | { do: "notify" }
    | { do: "take"; limit: number }
    | { do: "cancel"; back: number }
    | { do: "reread"; since: number };
  const step = oneof(
    record({ do: constant("append" as const), own: boolean() }),
    record({ do: constant("notify" as const) }),
    record({ do: constant("take" as const), limit: integer({ min: 1, max: 4 }) }),
    record({ do: constant("cancel" as const), back: integer({ min: 0, max: 4 }) }),
    record({ do: constant("reread" as const), since: integer({ min: 0, max: 20 }) }),
  );

  it("of saying, listening and giving up skips nothing and returns nothing twice without a mark", () => {
    assert(
      property(array<Step>(step, { maxLength: 60 }), (steps) => {
        const inbox = inboxOf();
        /** What concerns the agent, in the order of arrival, and the room's number at each. */
        const foreign: { name: number; seq: number }[] = [];
        const everReturned = new Set<number>();
        /** What each call that was not cancelled has brought; the agent has read their union. */
        const calls: { names: number[]; cancelled: boolean }[] = [];
        let seq = 0;
        let items = 0;
        const missing = (): number[] => {
          const read = new Set(calls.filter((call) => !call.cancelled).flatMap((call) => call.names));
          return foreign.map(({ name }) => name).filter((name) => !read.has(name));
        };
        const take = (limit: number): void => {
          inbox.settle();
          const expected = missing();
          const batch = inbox.take(calls.length, limit);
          for (const { entry, redelivered } of batch.entries) {
            expect(redelivered).toBe(everReturned.has(nameOf(entry)));
            everReturned.add(nameOf(entry));
          }
          const got = batch.entries.map(({ entry }) => nameOf(entry));
          expect(got.length).toBeLessThanOrEqual(limit);
          // Nothing older than what comes now may be missing still.
          expect(got.filter((name) => expected.includes(name))).toEqual(
            expected.filter((name) => name <= (got.at(-1) ?? 0)),
          );
          if (expected.length > 0) expect(got).not.toEqual([]);
          expect(batch.more).toBe(foreign.some(({ name }) => name > (got.at(-1) ?? items)));
          calls.push({ names: got, cancelled: false });
        };
        for (const one of steps) {
          if (one.do === "append") {
            seq += 1;
            items += 1;
            inbox.append(chat(seq, one.own, String(items)));
            if (!one.own) foreign.push({ name: items, seq });
          } else if (one.do === "notify") {
            items += 1;
            inbox.notify(alarm(String(items)));
            foreign.push({ name: items, seq });
          } else if (one.do === "take") take(one.limit);
          else if (one.do === "reread") {
            const all = inbox.reread(one.since, 1_000).entries.map(({ entry }) => nameOf(entry));
            const later = foreign.filter((each) => each.seq > one.since);
            expect(all).toEqual(later.map(({ name }) => name));
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
        expect(missing()).toEqual([]);
        inbox.settle();
        expect(inbox.unread).toBe(0);
      }),
      { numRuns: 600 },
    );
  });
});

describe("a notice of this server", () => {
  it("wakes and is read like a message, and bears the number of what came before it", () => {
    const inbox = inboxOf(chat(1), chat(2, true));
    inbox.notify({ notice: "address-restored", members: [] });
    expect(inbox.unread).toBe(2);
    expect(seqs(inbox.take("a", 9))).toEqual([1, 2]);
    expect(seqs(inbox.take("b", 9))).toEqual([]);
    inbox.settle();
    // Its own number 2 was no news, so the receipt covers it as well.
    expect(inbox.read).toBe(2);
    inbox.append(chat(3));
    expect(seqs(inbox.take("c", 9))).toEqual([3]);
  });

  it("is not repeated while the same news is unread, so that nobody can fill the log with it", () => {
    const inbox = inboxOf();
    for (let count = 0; count < 10_000; count += 1) inbox.notify(alarm("mallory"));
    inbox.notify(alarm("ben"));
    inbox.notify(alarm("mallory"));
    expect(inbox.unread).toBe(2);
    inbox.take("a", 9);
    inbox.notify(alarm("mallory"));
    expect(inbox.unread).toBe(1);
  });

  it("of what changes to and fro says how it is in the end", () => {
    const inbox = inboxOf();
    const lost: Notice = { notice: "address-lost", error: new TunnelError("cloudflared-exited") };
    for (const notice of [lost, lost, { notice: "address-restored", members: [] } as const, lost])
      inbox.notify(notice);
    const told = inbox.take("a", 9).entries.map(({ entry }) => entry.kind === "notice" && entry.notice);
    expect(told).toEqual(["address-lost", "address-restored", "address-lost"]);
  });

  it("that holds invites is always another one, and counts for its size", () => {
    const inbox = inboxOf();
    const id = "AAAAAAAAAAAAAAAAAAAAAA" as InviteId;
    const invite = { replaces: id, inviteId: id, joinLink: "x", expiresAt: 1 };
    const notice: Notice = { notice: "invites-reissued", invites: Array.from({ length: 63 }, () => invite) };
    inbox.notify(notice);
    inbox.notify(notice);
    const packing = { room: 100, sizeOf: () => 63, ends: () => [] };
    expect(inbox.take("a", 9, packing)).toMatchObject({ more: true, unread: 1 });
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
  const packing = packingOf(10);

  it("a batch holds so much, but always one entry", () => {
    const inbox = inboxOf(
      chat(1, false, "x".repeat(9)),
      chat(2, false, "yy"),
      alarmEntry(3),
      chat(4, false, "z"),
    );
    expect(inbox.take("a", 9, packing)).toMatchObject({ more: true, unread: 3 });
    expect(seqs(inbox.take("b", 9, packing))).toEqual([2]);
    // What cannot be divided comes however long it is.
    expect(seqs(inbox.take("c", 9, packing))).toEqual([3]);
    expect(inbox.take("d", 9, packing)).toMatchObject({
      entries: [{ entry: { seq: 4 } }],
      more: false,
      unread: 0,
    });
  });

  it("a log that begins in the middle of a room has lost nothing before its beginning", () => {
    const inbox = inboxOf(arrival(7, SELF));
    for (let seq = 8; seq <= 5_010; seq += 1) inbox.append(chat(seq, false, "x"));
    expect(inbox.take("a", 1).gap).toEqual({ fromSeq: 8, toSeq: 10 });
  });

  it("own words are read, however many there are, and leave no gap", () => {
    const inbox = inboxOf(chat(1));
    inbox.take("a", 9);
    for (let seq = 2; seq <= 6_000; seq += 1) inbox.append(chat(seq, true, "x"));
    inbox.settle();
    expect(inbox.take("b", 9)).toMatchObject({ entries: [], gap: undefined });
    const talker = inboxOf();
    for (let seq = 1; seq <= 6_000; seq += 1) talker.append(chat(seq, true, "x"));
    expect(talker.take("a", 9)).toMatchObject({ entries: [], gap: undefined });
    expect(talker.read).toBe(6_000);
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

describe("a message that is too long for one answer", () => {
  const packing = packingOf(4);
  const long = "abcdefghij";

  it("comes in parts, and is read with its last one only", () => {
    const inbox = inboxOf(chat(1, false, "x"), chat(2, false, long), chat(3, false, "y"));
    const told: [string[], boolean, number, number][] = [];
    for (let call = 0; call < 4; call += 1) {
      inbox.settle();
      const batch = inbox.take(call, 9, packing);
      told.push([partsOf(batch), batch.more, batch.unread, inbox.read]);
    }
    expect(told).toEqual([
      [["x"], true, 2, 0],
      [["1/3 abcd"], true, 2, 1],
      [["2/3 efgh"], true, 2, 1],
      [["3/3 ij", "y"], false, 0, 1],
    ]);
    inbox.settle();
    expect(inbox.read).toBe(3);
  });

  it("comes again from the part whose call was cut off, marked", () => {
    const inbox = inboxOf(chat(1, false, long));
    inbox.take("a", 9, packing);
    inbox.settle();
    expect(partsOf(inbox.take("b", 9, packing))).toEqual(["2/3 efgh"]);
    inbox.cancelled("b");
    const again = inbox.take("c", 9, packing);
    expect([partsOf(again), marked(again)]).toEqual([["2/3 efgh"], [true]]);
    const last = inbox.take("d", 9, packing);
    expect([partsOf(last), marked(last)]).toEqual([["3/3 ij"], [false]]);
    // The first call of them all: nothing of it is read any more.
    inbox.cancelled("c");
    expect(partsOf(inbox.take("e", 9, packing))).toEqual(["2/3 efgh"]);
  });

  it("is re-read from its first part, or from the one that is asked for, and the reading position stays", () => {
    const inbox = inboxOf(chat(1, false, "x"), chat(2, false, long), chat(3, false, "y"));
    inbox.take("a", 1, packing);
    inbox.settle();
    expect(partsOf(inbox.reread(1, 9, packing))).toEqual(["1/3 abcd"]);
    expect(partsOf(inbox.reread(1, 9, packing, 2))).toEqual(["2/3 efgh"]);
    expect(partsOf(inbox.reread(1, 9, packing, 3))).toEqual(["3/3 ij", "y"]);
    expect(inbox.read).toBe(1);
    for (const [since, part, says] of [
      [1, 4, "has 3"],
      [2, 2, "has 1"],
      [3, 2, "nothing was said after 3"],
    ] as const)
      expect(() => inbox.reread(since, 9, packing, part)).toThrow(says);
  });

  it("loses nothing where the room for a part changes in between", () => {
    const inbox = inboxOf(chat(1, false, long));
    inbox.take("a", 9, packing);
    expect(partsOf(inbox.take("b", 9, packingOf(3)))).toEqual(["2/4 def"]);
    expect(partsOf(inbox.take("c", 9, packingOf(100)))).toEqual([long]);
  });

  it("is no longer begun where it has fallen out of the log", () => {
    const inbox = inboxOf(chat(1, false, long));
    inbox.take("a", 9, packing);
    inbox.settle();
    for (let seq = 2; seq <= 5_001; seq += 1) inbox.append(chat(seq, false, long));
    const batch = inbox.take("b", 9, packing);
    expect([partsOf(batch), batch.gap]).toEqual([["1/3 abcd"], { fromSeq: 1, toSeq: 1 }]);
    expect(inbox.take("c", 9, packing).gap).toBeUndefined();
  });

  it("stays begun while this side speaks", () => {
    const inbox = inboxOf(chat(1, true), chat(2, false, long));
    inbox.take("a", 9, packing);
    inbox.append(chat(3, true));
    expect(partsOf(inbox.take("b", 9, packing))).toEqual(["2/3 efgh"]);
    expect(partsOf(inbox.take("c", 9, packing))).toEqual(["3/3 ij"]);
    inbox.settle();
    expect(inbox.read).toBe(3);
  });
});

describe("the number of unread entries", () => {
  it("counts those of others alone, and not what the log has lost", () => {
    const inbox = inboxOf(arrival(1, SELF));
    let others = 0;
    for (let seq = 2; seq <= 12_000; seq += 1) {
      const own = seq % 3 === 0;
      if (!own) others += 1;
      inbox.append(chat(seq, own, "x"));
      if (seq === 4_000) expect(inbox.unread).toBe(others);
    }
    // Two of three of the newest 5,000.
    expect(inbox.unread).toBe(3_333);
    inbox.notify(alarm("ben"));
    expect(inbox.unread).toBe(3_333);
    inbox.take("a", 33);
    inbox.settle();
    expect(inbox.unread).toBe(3_300);
    inbox.take("b", 50);
    expect(inbox.unread).toBe(3_250);
    inbox.cancelled("b");
    expect(inbox.unread).toBe(3_300);
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

  it("goes on with what another call had taken and was cancelled", async () => {
    const inbox = inboxOf(chat(1));
    inbox.take("a", 9);
    const waiting = inbox.wait(1_000, never);
    inbox.cancelled("a");
    await waiting;
    expect(inbox.take("b", 9).entries).toMatchObject([{ redelivered: true }]);
  });
});

describe("an observer", () => {
  it("is told as news of what comes, what comes back and the end; not of own words, and not of reading", () => {
    const inbox = inboxOf();
    const seen: [arrived: number, unread: number][] = [];
    inbox.subscribe(({ type }) => {
      if (type === "news") seen.push([inbox.arrived, inbox.unread]);
    });
    inbox.append(chat(1));
    inbox.append(chat(2, true));
    inbox.take("a", 9);
    inbox.cancelled("a");
    inbox.cancelled("a");
    inbox.notify(alarm("ben"));
    inbox.settle();
    inbox.close();
    inbox.close();
    expect(seen).toEqual([
      [1, 1],
      [1, 1],
      [2, 2],
      [3, 2],
    ]);
  });

  it("sees by the place whether anything was taken: it moves ahead, and back when that call fails", () => {
    const inbox = inboxOf(chat(1), chat(2));
    const start = inbox.position;
    inbox.take("a", 9);
    expect(inbox.position).toBeGreaterThan(start);
    inbox.cancelled("a");
    expect(inbox.position).toBe(start);
  });
});
