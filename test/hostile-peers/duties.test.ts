import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../src/errors/tunnel-error.ts";
import { LINK, ROOM } from "../../src/protocol/base/limits.ts";
import { isName } from "../../src/protocol/base/text.ts";
import { areAddresses } from "../../src/protocol/guest/known-addresses.ts";
import { encodeOffer, type FileOffer } from "../../src/protocol/files/offer.ts";
import { FRAME } from "../../src/protocol/record/record.ts";
import type { HostNote, RoomEvent, Welcome } from "../../src/protocol/room/frames.ts";
import { membersNamed } from "../../src/protocol/room/recipients.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { entryView } from "../../src/view/entries.ts";
import { memberView } from "../../src/view/members.ts";
import { codeOf } from "../support/thrown.ts";
import { HostileHost, signedAs, Victim } from "./support/host.ts";
import { expectCaught, newcomer, three } from "./support/room.ts";

/** Somebody whom this host names to others. */
/** The most that a count can be (C1). */
const MOST = Number.MAX_SAFE_INTEGER;
const chain = (): Uint8Array => nodePrimitives.random(32);

describe("what the specification asks of a host in its WELCOME, its member checks", () => {
  const welcomes: [string, ErrorCode, (host: HostileHost, victim: Victim) => Partial<Welcome>][] = [
    [
      "[O4] a chain at place 0 that is no beginning",
      "order-broken",
      () => ({ view: { seq: 0, chain: chain() } }),
    ],
    [
      "[O4] the beginning of another room",
      "order-broken",
      (host) => ({ view: new HostileHost().genesis, members: [host.self] }),
    ],
    [
      "[O4] somebody beside the host at place 0",
      "order-broken",
      (host) => ({ members: [host.self, newcomer(host, "eve")] }),
    ],
    ["[G1] a host named tunnel", "order-broken", (host) => ({ members: [{ ...host.self, name: "tunnel" }] })],
    [
      "[G1] a member named TUNNEL",
      "order-broken",
      (host) => ({ members: [host.self, newcomer(host, "TUNNEL")], view: { seq: 5, chain: chain() } }),
    ],
    [
      "[O8] the member itself in the roster, before it has come",
      "protocol-violation",
      (host, victim) => ({ members: [host.self, victim.record], view: { seq: 5, chain: chain() } }),
    ],
    ["[O8] the member itself as the host", "protocol-violation", (_host, victim) => ({ host: victim.id })],
    ["[G1] another name than it asked for", "protocol-violation", () => ({ name: "bob" })],
    ["[G1] a number that is none", "protocol-violation", () => ({ name: "ben (1)" })],
    ["[G1] the name of somebody else with a number", "protocol-violation", () => ({ name: "bob (2)" })],
    ["[G3] no time at all until it is idle", "protocol-violation", () => ({ idleMs: 0 })],
    ["[U4] a week in which it may come back", "protocol-violation", () => ({ keptForSec: 7 * 86_400 })],
    ["[G3] a year until it is idle", "protocol-violation", () => ({ idleMs: 365 * 86_400_000 })],
    ["[D5] frames received that were never sent", "protocol-violation", () => ({ received: 1 })],
  ];

  it.each(welcomes)("%s → %s", (_what, code, change) => {
    const host = new HostileHost();
    const victim = new Victim(host, "ben");
    victim.welcome(change(host, victim));
    expect([victim.end, victim.log, victim.member.membership === undefined]).toEqual([code, [], true]);
  });

  it("[G1] a number behind the name that it asked for is right, also where the name had to be cut", () => {
    for (const [wanted, given] of [
      ["ben", "ben (2)"],
      ["ben", "ben (17)"],
      ["ben (2)", "ben (2) (2)"],
      ["x".repeat(64), `${"x".repeat(60)} (2)`],
      [`${"x".repeat(59)} yyyy`, `${"x".repeat(59)} (2)`],
    ] as const) {
      const host = new HostileHost();
      const victim = new Victim(host, wanted);
      victim.welcome({ name: given });
      victim.tell({ kind: "joined", member: { ...victim.record, name: given } });
      expect([victim.end, victim.member.membership?.name]).toEqual([undefined, given]);
    }
  });

  const again: [string, (host: HostileHost) => Partial<Welcome>][] = [
    ["another goal", () => ({ goal: "something else" })],
    ["another name", () => ({ name: "ben (2)" })],
    ["another time until it is idle", () => ({ idleMs: 60_000 })],
    ["a history that it did not keep", () => ({ history: true })],
    ["another roster", (host) => ({ members: [host.self, newcomer(host, "eve")] })],
    ["another name of the host", (host) => ({ members: [{ ...host.self, name: "anna" }] })],
    ["another beginning", () => ({ view: { seq: 3, chain: chain() } })],
  ];

  it.each(again)(
    "[K7] a WELCOME that comes again repeats the first one: %s ends the stay",
    (_what, change) => {
      const { host, ben } = three();
      ben.cut();
      ben.shake();
      ben.welcome(change(host));
      expect(ben.end).toBe("protocol-violation");
    },
  );

  it("[U1] [K7] but for the addresses and the resume point, which change", () => {
    const { ben } = three();
    ben.speaks("kept");
    ben.cut();
    ben.shake();
    ben.welcome({ addresses: ["ws://127.0.0.1:2"] });
    expect([ben.end, ben.member.connection.name]).toEqual([undefined, "connected"]);
  });

  it("[D5] a resume point before what the host has acknowledged ends the stay", () => {
    const { ben } = three();
    ben.speaks("kept");
    ben.place(1);
    ben.cut();
    ben.shake();
    ben.welcome({ received: 0 });
    expect(ben.end).toBe("protocol-violation");
  });
});

describe("what the specification asks of a host in the order, its members check", () => {
  const events: [string, (host: HostileHost, ben: Victim) => RoomEvent | [RoomEvent, string]][] = [
    [
      "[O2] a member with the name of this program",
      (host) => ({ kind: "joined", member: newcomer(host, "tuNNel") }),
    ],
    [
      "[O7] an answer to what has not been said",
      (host, ben) => [signedAs(host.signing, host.room, { view: ben.view, replyTo: 3 }, "yes").event, "yes"],
    ],
    ["[G3] a warning before half time", () => ({ kind: "idle-warning", endsInMs: 61_000 })],
    [
      "[O7] this member once more",
      (_host, ben) => ({ kind: "joined", member: { ...ben.record, name: "benedict" } }),
    ],
  ];

  it.each(events)("%s → order-broken", (_what, event) => {
    const host = new HostileHost();
    const ben = host.session("ben", { idleMs: 120_000 });
    ben.tell({ kind: "idle-warning", endsInMs: 60_000 });
    const told = event(host, ben);
    if (Array.isArray(told)) ben.tell(...told);
    else ben.tell(told);
    expectCaught(ben, "order-broken", ["joined", "idle-warning"]);
  });

  it("[G3] a warning earlier than five minutes ahead is a violation whatever the time", () => {
    const { ben } = three();
    ben.tell({ kind: "idle-warning", endsInMs: ROOM.idleWarningMs + 1 });
    expectCaught(ben, "protocol-violation", ["joined", "joined"]);
  });

  it("[O1] a time before that of the last place → order-broken; the same one is right", () => {
    const { host, ben } = three();
    ben.tell({ kind: "idle-warning", endsInMs: 1 }, "", { ts: host.now });
    expect(ben.end).toBeUndefined();
    ben.tell({ kind: "idle-warning", endsInMs: 1 }, "", { ts: host.now - 1 });
    expectCaught(ben, "order-broken", ["joined", "joined", "idle-warning"]);
  });

  it("[O12] skips places at a return alone, and gives none twice", () => {
    const { host, ben, cid } = three();
    for (const one of [ben, cid]) one.tell({ kind: "returned" }, "", { seq: MOST - 2 });
    expect([ben.end, cid.end, ben.view.seq]).toEqual([undefined, undefined, MOST - 2]);
    cid.tell({ kind: "idle-warning", endsInMs: 1 }, "", { seq: MOST });
    expectCaught(cid, "order-broken", ["joined", "returned"]);
    const words = signedAs(host.signing, host.room, { view: ben.view }, "yes");
    ben.tell(words.event, "yes");
    ben.tell({ kind: "returned" }, "", { seq: MOST - 1 });
    expectCaught(ben, "order-broken", ["joined", "joined", "returned", "yes"]);
  });

  it("[O9] counts what it tells of the time before, not the places that a return has skipped", () => {
    const victim = new Victim(new HostileHost(), "ben");
    victim.welcome({ history: true });
    victim.tell({ kind: "returned" }, "", { seq: 5_000 });
    victim.tell({ kind: "joined", member: victim.record });
    expect([victim.end, victim.member.membership?.replica.hasArrived]).toEqual([undefined, true]);
  });

  it.each<[string, (victim: Victim, host: HostileHost) => void]>([
    [
      "[O7] another name",
      (victim) => victim.tell({ kind: "joined", member: { ...victim.record, name: "ben (2)" } }),
    ],
    [
      "[O7] a work context that it has not told",
      (victim) => {
        const workContext = { client: { name: "x", version: "1" } };
        victim.tell({ kind: "joined", member: { ...victim.record, workContext } });
      },
    ],
    ["[O8] something ahead of it", (victim) => victim.tell({ kind: "idle-warning", endsInMs: 1 })],
    [
      "[O8] somebody else ahead of it",
      (victim, host) => victim.tell({ kind: "joined", member: newcomer(host, "eve") }),
    ],
  ])("the arrival of a member as it came, and first: %s → order-broken", (_what, arrive) => {
    const host = new HostileHost();
    const victim = new Victim(host, "ben");
    victim.welcome();
    arrive(victim, host);
    expectCaught(victim, "order-broken", []);
  });

  it("[O9] a history of 2,000 entries, and no longer one", () => {
    const ahead = (entries: number): Victim => {
      const victim = new Victim(new HostileHost(), "ben");
      victim.welcome({ history: true });
      for (let turn = 0; turn < entries; turn += 1) victim.tell({ kind: "idle-warning", endsInMs: 1 });
      return victim;
    };
    const most = ahead(ROOM.maxHistoryEntries);
    most.tell({ kind: "joined", member: most.record });
    expect([most.end, most.member.membership?.replica.hasArrived]).toEqual([undefined, true]);
    expect(ahead(ROOM.maxHistoryEntries + 1).end).toBe("order-broken");
  });
});

describe("what a host says of others is shown as far as it can be true, and ends nothing", () => {
  const noted = (...members: HostNote["members"]) => {
    const { host, ben, cid } = three();
    const note = members.map((one) => (one.id === host.self.id ? one : { ...one, id: cid.id }));
    ben.put(FRAME.note, host.codec.encodeHostNote({ members: note }));
    const shown = ben.member.presence(host.now).find(({ id }) => id === cid.id);
    return { host, ben, cid, shown };
  };
  const cid = { id: newcomer(new HostileHost(), "cid").id, connected: true, heardAgoMs: 1, read: 0 };

  it("[G6] a reading position beyond the last place is shown as that place", () => {
    const { ben, shown } = noted({ ...cid, read: MOST });
    expect([ben.end, shown?.read, ben.view.seq]).toEqual([undefined, 2, 2]);
  });

  it("[G6] a member that was not heard for longer than its seat is kept is shown as that long", () => {
    const { ben, shown } = noted({ ...cid, heardAgoMs: MOST });
    expect([ben.end, shown?.lastSeenMs]).toEqual([undefined, LINK.giveUpMs]);
  });

  it("[G6] somebody who is not in the room is not shown", () => {
    const { host, ben } = three();
    const eve = { ...cid, id: newcomer(host, "eve").id };
    ben.put(FRAME.note, host.codec.encodeHostNote({ members: [eve, eve] }));
    expect(ben.end).toBeUndefined();
    expect(ben.member.presence(host.now).map(({ name }) => name)).toEqual(["ana", "ben", "cid"]);
  });

  it("[G6] a member cannot be told that it is away itself, nor the host", () => {
    const { host, ben } = three();
    const away = [host.self.id, ben.id].map((id) => ({ id, connected: false, heardAgoMs: MOST, read: MOST }));
    ben.put(FRAME.note, host.codec.encodeHostNote({ members: away }));
    const shown = ben.member.presence(host.now).filter(({ name }) => name !== "cid");
    expect(shown).toMatchObject([
      { name: "ana", connected: true, lastSeenMs: 0, read: 2 },
      { name: "ben", connected: true, lastSeenMs: 0 },
    ]);
    expect(ben.end).toBeUndefined();
  });

  it("[G2] [G6] notes, warnings and causes of departures, as often and as they like", () => {
    const { host, ben } = three();
    for (let turn = 0; turn < 200; turn += 1) {
      ben.put(FRAME.note, host.codec.encodeHostNote({ members: [] }));
      ben.tell({ kind: "idle-warning", endsInMs: 1 });
    }
    for (const cause of ["left", "lost", "removed", "fell-behind"] as const) {
      const member = newcomer(host, cause);
      ben.tell({ kind: "joined", member });
      ben.tell({ kind: "left", id: member.id, cause });
    }
    expect([ben.end, ben.alarms]).toEqual([undefined, []]);
  });
});

describe("names that one version of a platform takes for one, and another does not", () => {
  /** Pairs that some version of Unicode folds to one name; the first two have only come with Unicode 17. */
  const PAIRS = [
    ["\u{a7f1}am", "sam"],
    ["\u{a7d2}", "\u{a7d3}"],
    ["ｓａｍ", "sam"],
    ["Zo\u00eb", "Zoe\u0308"],
    ["\u0130", "i\u0307"],
    ["\u212a", "k"],
    ["ﬁ", "fi"],
    ["Σ", "ς"],
  ] as const;

  it.each(PAIRS)(
    "[G1] [T5] %s and %s end nobody's stay, whatever this platform makes of them",
    (one, other) => {
      for (const [first, second] of [
        [one, other],
        [other, one],
      ] as const) {
        const { host, ben, cid } = three();
        for (const name of [first, second]) {
          const member = newcomer(host, name);
          for (const victim of [ben, cid]) victim.tell({ kind: "joined", member });
        }
        ben.tell(cid.speaks("still here"), "still here");
        expect([ben.end, cid.end, ben.alarms]).toEqual([undefined, undefined, []]);
        expect(ben.view.seq).toBe(cid.view.seq + 1);
        expect(host.self.name).toBe("ana");
      }
    },
  );

  it("[T5] are shown with a hint, and a name that means two members means neither", () => {
    const { host, ben } = three();
    const [sam, wide] = [newcomer(host, "sam"), newcomer(host, "ｓａｍ")];
    for (const member of [sam, wide, newcomer(host, "ｔｕｎｎｅｌ")]) ben.tell({ kind: "joined", member });
    const presence = ben.member.presence(host.now);
    const hints = presence.map(memberView).map(({ name, lookAlike }) => [name, lookAlike]);
    expect(hints).toEqual([
      ["ana", undefined],
      ["ben", undefined],
      ["cid", undefined],
      ["sam", true],
      ["ｓａｍ", true],
      ["ｔｕｎｎｅｌ", true],
    ]);
    expect(entryView(must(ben.entries.at(-2)), host.now)).toMatchObject({
      event: { memberName: "ｓａｍ", member: wide.id, lookAlike: true },
    });
    expect(membersNamed(presence, ["sam", wide.id])).toEqual([sam.id, wide.id]);
    expect(codeOf(() => membersNamed(presence, ["ＳＡＭ"]))).toBe("member-unknown");
    expect(membersNamed(presence, [" CID"])).toHaveLength(1);
  });

  it("[T5] [U2] addresses that some parsers of URLs refuse are taken by the grammar, and end nothing", () => {
    const odd = ["wss://xn--a-ecp.ru", "wss://ab--c.example"];
    expect(areAddresses("wss://calm-red-fox.example", odd)).toBe(true);
    const { ben } = three();
    ben.cut();
    ben.shake();
    ben.welcome({ addresses: ["ws://xn--a-ecp.ru", "ws://[1:2]", "ws://1.2.3.4.5"] });
    expect([ben.end, ben.member.connection.name]).toEqual([undefined, "connected"]);
  });

  it("[T1] [T5] a name, a goal and a text are read by ranges that no version changes", () => {
    for (const name of ["\u{a7f1}am", "\u{378}", "\u{10fffe}", "\u{1fad8}"]) expect(isName(name)).toBe(true);
  });
});

describe("a file offered under the id of another one", () => {
  const offer = (name: string): FileOffer => ({
    id: new Uint8Array(16).fill(7),
    key: nodePrimitives.random(32),
    name,
    size: 1,
    hash: new Uint8Array(32),
  });
  const files = ({ entries }: Victim): string[] =>
    entries.flatMap((entry) => (entry.kind === "file" ? [entry.offer.name] : []));

  it("[B1] is not shown, and is named as what it is; the room goes on", () => {
    const { host, ben, cid } = three();
    const first = encodeOffer(offer("report.csv"));
    ben.tell(cid.speaks(first, { what: "file" }), first);
    const second = encodeOffer(offer("report.csv.exe"));
    const { event } = signedAs(host.signing, host.room, { view: ben.view, what: "file" }, second);
    ben.tell(event, second);
    expect([files(ben), ben.alarms, ben.end]).toEqual([["report.csv"], ["offer-unreadable"], undefined]);
  });

  it("[B1] is not shown to the one whose own it is, also while that one is on its way", () => {
    const { host, ben } = three();
    const own = encodeOffer(offer("mine"));
    ben.speaks(own, { what: "file" });
    const taken = encodeOffer(offer("not mine"));
    const { event } = signedAs(host.signing, host.room, { view: ben.view, what: "file" }, taken);
    ben.tell(event, taken);
    ben.place(1);
    expect([files(ben), ben.alarms]).toEqual([["mine"], ["offer-unreadable"]]);
  });
});

function must<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error("nothing is there");
  return value;
}
