import { describe, expect, it } from "vitest";
import type { ChatEvent, RoomEvent } from "../../src/protocol/room/frames.ts";
import { asWithheld, HostileHost, signedAs, Victim } from "./support/host.ts";
import { expectCaught, newcomer, three } from "./support/room.ts";

/** A hostile host that keeps a history: a past of two members, and a third one that is about to be given it. */
function past() {
  const host = new HostileHost();
  const [ben, cid] = host.sessions("ben", "cid");
  if (ben === undefined || cid === undefined) throw new Error("nobody came");
  const told: [RoomEvent, string][] = [
    [{ kind: "joined", member: ben.record }, ""],
    [{ kind: "joined", member: cid.record }, ""],
  ];
  for (const text of ["first", "second", "third"]) {
    const words = ben.speaks(text);
    told.push([words, text]);
    cid.tell(words, text);
    ben.place(told.length - 2);
  }
  const dan = new Victim(host, "dan");
  dan.welcome({ history: true });
  const give = (events: readonly [RoomEvent, string][]): void => {
    for (const [event, text] of events) if (dan.end === undefined) dan.tell(event, text);
  };
  return { host, ben, cid, dan, told, give };
}

describe("a hostile host that gives a newcomer the past", () => {
  it("(A13) (P13) gives it as it was when it plays by the rules, marked as past", () => {
    const { ben, cid, dan, told, give } = past();
    give([...told, [{ kind: "joined", member: dan.record }, ""]]);
    expect(dan.log).toEqual(["joined", "joined", "first", "second", "third", "joined"]);
    expect(dan.entries.map((entry) => "past" in entry)).toEqual([true, true, true, true, true, false]);
    expect(dan.alarms).toEqual([]);
    for (const victim of [ben, cid]) victim.tell({ kind: "joined", member: dan.record });
    ben.tell(dan.speaks("thanks"), "thanks");
    expect([ben.end, ben.log.at(-1)]).toEqual([undefined, "thanks"]);
  });

  type Told = readonly [RoomEvent, string][];
  /** Every message of it as if it had been for `whom` alone. */
  const blanked = (told: Told, whom: Victim): Told =>
    told.map(([event, text]) =>
      event.kind === "chat" ? [asWithheld(event, text, [whom.id]), ""] : [event, text],
    );
  const changes: [string, (one: ReturnType<typeof past>) => Told][] = [
    ["leaves one message out", ({ told }) => told.toSpliced(3, 1)],
    ["leaves the first message out", ({ told }) => told.toSpliced(2, 1)],
    ["swaps two messages", ({ told }) => [...told.slice(0, 2), ...told.slice(2).toReversed()]],
    ["changes a text", ({ told }) => told.map(([event, text]) => [event, text === "second" ? "yes" : text])],
    ["tells it twice", ({ told }) => [...told, ...told]],
    ["tells what was said twice", ({ told }) => [...told, ...told.slice(2)]],
    [
      "invents a message of a member",
      ({ host, ben, told }) => {
        const { event } = signedAs(host.signing, host.room, { view: host.genesis }, "yes");
        return [...told.slice(0, 2), [{ ...event, from: ben.id }, "yes"]];
      },
    ],
    [
      "invents a place of which nothing is shown",
      ({ host, ben, cid, told }) => {
        const { event } = signedAs(host.signing, host.room, { view: host.genesis, to: [cid.id] }, "yes");
        const invented = asWithheld({ ...event, from: ben.id }, "yes");
        return [...told.slice(0, 2), [invented, ""], ...told.slice(2)];
      },
    ],
    ["shows nothing of all that was said", ({ ben, told }) => blanked(told, ben)],
    [
      "shows nothing of the first message",
      ({ ben, told }) => [...blanked(told.slice(0, 3), ben), ...told.slice(3)],
    ],
    [
      "shows nothing of the last message",
      ({ ben, told }) => [...told.slice(0, 4), ...blanked(told.slice(4), ben)],
    ],
    ["lets a member speak before it came", ({ told }) => told.toSpliced(0, 1)],
    [
      "lets a member come under a name that was taken",
      ({ host, told }) => [...told.slice(0, 1), [{ kind: "joined", member: newcomer(host, "BEN") }, ""]],
    ],
  ];
  it.each(changes)("(A4) (A9) (P13) [O9] and %s is caught", (_how, change) => {
    const one = past();
    one.give(change(one));
    expect(one.dan.end).toBe("order-broken");
    expect(one.dan.alarms).toEqual(["order-broken"]);
    // The part shown by then is the beginning of the whole.
    const honest = ["joined", "joined", "first", "second", "third"];
    const shown = one.dan.log.filter((line, at) => line !== honest[at]);
    expect(shown).toEqual([]);
  });

  it("(A9) (P13) [O1] and leaves a hole in the numbers is caught", () => {
    const { dan, told, give } = past();
    give(told.slice(0, 2));
    const [event, text] = told[2] ?? [];
    if (event !== undefined) dan.tell(event, text, { seq: 4 });
    expectCaught(dan, "order-broken", ["joined", "joined"]);
  });

  it("(A9) (P13) [O9] and keeps the end of it back is found out by the newcomer's first word", () => {
    const { ben, dan, told, give } = past();
    give([...told.slice(0, -1), [{ kind: "joined", member: dan.record }, ""]]);
    expect(dan.end).toBeUndefined();
    ben.tell({ kind: "joined", member: dan.record });
    const before = ben.log;
    ben.tell(dan.speaks("hello"), "hello");
    expectCaught(ben, "host-equivocation", before);
  });

  it("(A8) (P13) [O9] and changes a time of it is caught by the next that was said, or the newcomer's first word", () => {
    for (const changed of [1, 4]) {
      const { host, ben, dan, told } = past();
      for (const [at, [event, text]] of told.entries())
        if (dan.end === undefined) dan.tell(event, text, { ts: at >= changed ? host.now + 1 : host.now });
      if (dan.end === undefined) dan.tell({ kind: "joined", member: dan.record }, "", { ts: host.now + 1 });
      ben.tell({ kind: "joined", member: dan.record });
      if (dan.end === undefined) ben.tell(dan.speaks("hello"), "hello");
      expect([dan.end, ben.end]).toEqual(
        changed === 1 ? ["host-equivocation", undefined] : [undefined, "host-equivocation"],
      );
    }
  });

  it("(A6) [O8] and cannot make it say anything before it has arrived", () => {
    const { dan, told, give } = past();
    give(told);
    expect(() => dan.speaks("already here")).toThrow("ended");
    give([[{ kind: "joined", member: dan.record }, ""]]);
    expect(dan.speaks("now").n).toBe(1);
  });
});

describe("a hostile host that plays an old message again", () => {
  it("(A4) (P13) [O11] is caught when it lets its sender leave and come back for it, before it can be said", () => {
    const { ben, cid } = three();
    const words = cid.speaks("yes, delete it");
    ben.tell(words, "yes, delete it");
    ben.tell({ kind: "left", id: cid.id, cause: "left" });
    ben.tell({ kind: "joined", member: cid.record });
    expectCaught(ben, "order-broken", ["joined", "joined", "yes, delete it", "left"]);
    ben.tell(words, "yes, delete it");
    expect(ben.log.filter((text) => text === "yes, delete it")).toHaveLength(1);
  });

  it("(A4) (P13) [O6] to a newcomer is found out by what the two say next, either way", () => {
    for (const way of ["to the newcomer", "from the newcomer"]) {
      const { host, ben, cid } = three();
      const words: ChatEvent = ben.speaks("yes, delete it");
      ben.place(1);
      cid.tell(words, "yes, delete it");
      const { order } = ben.member.membership ?? {};
      if (order === undefined) throw new Error("ben is not in");
      const dan = new Victim(host, "dan");
      dan.welcome({ members: [...order.members], view: order.view });
      const joined = { kind: "joined", member: dan.record } as const;
      dan.tell(joined);
      ben.tell(joined);
      dan.tell(words, "yes, delete it");
      if (way === "to the newcomer") {
        const next = ben.speaks("and now?");
        ben.place(2);
        dan.tell(next, "and now?");
        dan.tell(ben.speaks("well?"), "well?");
      } else ben.tell(dan.speaks("deleted"), "deleted");
      const found = way === "to the newcomer" ? dan : ben;
      expect([way, found.end]).toEqual([way, "host-equivocation"]);
    }
  });
});

describe("a hostile host's clock", () => {
  it.each([8.64e15 + 1, Number.MAX_SAFE_INTEGER])("(A8) [F2] cannot show %d, which is no date", (ts) => {
    const { ben } = three();
    ben.tell({ kind: "idle-warning", endsInMs: 1 }, "", { ts });
    expectCaught(ben, "protocol-violation", ["joined", "joined"]);
  });

  it("(A8) [F2] may show the last date there is, which can be shown", () => {
    const { ben } = three();
    ben.tell({ kind: "idle-warning", endsInMs: 1 }, "", { ts: 8.64e15 });
    expect(ben.entries.map(({ ts }) => new Date(ts).toISOString()).at(-1)).toBe(
      "+275760-09-13T00:00:00.000Z",
    );
  });
});
