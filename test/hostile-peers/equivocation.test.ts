import { describe, expect, it } from "vitest";
import type { MemberRecord, WithheldEvent } from "../../src/protocol/room/frames.ts";
import { memberIdFrom } from "../../src/protocol/base/ids.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { asWithheld, HostileHost, signedAs, Victim } from "./support/host.ts";
import { expectCaught, newcomer, SECRET, three, whispered } from "./support/room.ts";

describe("a host that shows its members different rooms", () => {
  const equivocations: [string, (host: HostileHost, ben: Victim, cid: Victim) => void][] = [
    [
      "different texts of its own",
      (host, ben, cid) => {
        for (const [victim, text] of [
          [ben, "yes"],
          [cid, "no"],
        ] as const) {
          victim.tell(signedAs(host.signing, host.room, { view: victim.view }, text).event, text);
        }
      },
    ],
    [
      "a private message, and another one in its place",
      (host, ben, cid) => {
        const { view } = ben;
        const { event, body } = host.whispers("yes", [ben], { view });
        ben.tell(event, body);
        const other = signedAs(host.signing, host.room, { ...event, intent: "request" }, body);
        cid.tell(asWithheld(other.event, body));
      },
    ],
    [
      "words to one, and to the other a place of which nothing is shown",
      (host, ben, cid) => {
        const { view } = ben;
        ben.tell(signedAs(host.signing, host.room, { view }, "yes").event, "yes");
        const { event, body } = host.whispers("no", [ben], { view });
        cid.tell(asWithheld(event, body));
      },
    ],
    [
      "different orders of the same messages",
      (host, ben, cid) => {
        const words = signedAs(host.signing, host.room, { view: ben.view }, "said").event;
        ben.tell(words, "said");
        ben.tell({ kind: "idle-warning", endsInMs: 1 });
        cid.tell({ kind: "idle-warning", endsInMs: 1 });
        cid.tell(words, "said");
      },
    ],
    [
      "different rosters",
      (host, ben, cid) => {
        ben.tell({ kind: "joined", member: newcomer(host, "dan") });
        cid.tell({ kind: "idle-warning", endsInMs: 1 });
      },
    ],
    [
      "different names of the same member",
      (host, ben, cid) => {
        const dan = newcomer(host, "dan");
        ben.tell({ kind: "joined", member: dan });
        cid.tell({ kind: "joined", member: { ...dan, name: "Dan" } });
      },
    ],
    [
      "different causes of a departure",
      (host, ben, cid) => {
        const dan = newcomer(host, "dan");
        for (const victim of [ben, cid]) victim.tell({ kind: "joined", member: dan });
        ben.tell({ kind: "left", id: dan.id, cause: "left" });
        cid.tell({ kind: "left", id: dan.id, cause: "lost" });
      },
    ],
    [
      "different times of the same event",
      (host, ben, cid) => {
        ben.tell({ kind: "idle-warning", endsInMs: 1 }, "", { ts: host.now });
        cid.tell({ kind: "idle-warning", endsInMs: 1 }, "", { ts: host.now + 1 });
      },
    ],
    [
      "words to one, and to both a return that passes over their place",
      (host, ben, cid) => {
        ben.tell(signedAs(host.signing, host.room, { view: ben.view }, "yes").event, "yes");
        for (const victim of [ben, cid]) victim.tell({ kind: "returned" }, "", { seq: 70 });
      },
    ],
    [
      "a return to different places",
      (_host, ben, cid) => {
        ben.tell({ kind: "returned" }, "", { seq: 70 });
        cid.tell({ kind: "returned" }, "", { seq: 71 });
      },
    ],
    [
      "a return to one of them, and to the other what followed at the same place",
      (_host, ben, cid) => {
        ben.tell({ kind: "returned" });
        ben.tell({ kind: "idle-warning", endsInMs: 1 });
        cid.tell({ kind: "idle-warning", endsInMs: 1 });
        cid.tell({ kind: "idle-warning", endsInMs: 1 });
      },
    ],
    [
      "something to one of them only",
      (_host, ben) => {
        ben.tell({ kind: "idle-warning", endsInMs: 1 });
      },
    ],
  ];

  it.each(equivocations)(
    "(P13) is found out by the first word that crosses, when it shows %s",
    (_what, split) => {
      const { host, ben, cid } = three();
      split(host, ben, cid);
      expect([ben.end, cid.end]).toEqual([undefined, undefined]);
      const before = cid.log;
      cid.tell(ben.speaks("as agreed"), "as agreed");
      expectCaught(cid, "host-equivocation", before);
    },
  );

  it.each(equivocations)(
    "(P13) [O10] is found out as well by the first word that is not for who is told of it, when it shows %s",
    (_what, split) => {
      const { host, ben, cid } = three();
      split(host, ben, cid);
      const before = cid.log;
      cid.tell(ben.whispers("as agreed", { to: [host.self.id] }).withheld);
      expectCaught(cid, "host-equivocation", before);
    },
  );

  it("(P13) is found out when it welcomes a guest to another past, by the guest's first word", () => {
    const host = new HostileHost();
    const [ben] = host.sessions("ben");
    const chain = nodePrimitives.random(32);
    const members = [host.self, ...(ben === undefined ? [] : [ben.record])];
    const cid = host.session("cid", { members, view: { seq: 1, chain } });
    ben?.tell({ kind: "joined", member: cid.record });
    ben?.tell(cid.speaks("hello"), "hello");
    expect(ben?.end).toBe("host-equivocation");
    expect(ben?.log).toEqual(["joined", "joined"]);
  });

  it.each<[string, (host: HostileHost, ben: Victim) => MemberRecord[]]>([
    ["a member under a key of the host's", (host, ben) => [{ ...ben.record, key: host.signing.publicKey }]],
    ["two members of one name", (host, ben) => [ben.record, newcomer(host, "Ben")]],
    ["a member twice", (_host, ben) => [ben.record, { ...ben.record, name: "twin" }]],
  ])("(P13) [O2] cannot welcome a guest to %s", (_what, others) => {
    const host = new HostileHost();
    const [ben] = host.sessions("ben");
    if (ben === undefined) throw new Error("nobody came");
    const cid = new Victim(host, "cid");
    cid.welcome({ members: [host.self, ...others(host, ben)], view: ben.view });
    expect([cid.end, cid.member.membership, cid.log]).toEqual(["order-broken", undefined, []]);
  });
});

describe("a hostile host that tells a member only that something was said to others", () => {
  it.each<[string, (honest: WithheldEvent) => Partial<WithheldEvent>]>([
    ["body's hash", ({ digests }) => ({ digests: { ...digests, body: nodePrimitives.random(32) } })],
    ["seal's hash", ({ digests }) => ({ digests: { ...digests, seal: nodePrimitives.random(32) } })],
    ["two hashes' order", ({ digests: { seal, body } }) => ({ digests: { seal: body, body: seal } })],
    ["recipients", () => ({ to: [memberIdFrom(nodePrimitives.random(8))] })],
    ["number of recipients", ({ to }) => ({ to: [...to, memberIdFrom(nodePrimitives.random(8))] })],
    ["place among its sender's", () => ({ n: 2 })],
    ["predecessor", () => ({ prev: nodePrimitives.random(32) })],
    ["view", ({ view }) => ({ view: { ...view, seq: view.seq + 1 } })],
    ["intent", () => ({ intent: "request" })],
    ["answer", () => ({ replyTo: 1 })],
    ["signature", () => ({ sig: nodePrimitives.random(64) })],
  ])("(A9) (P13) [O6] [O10] withholds one with its %s changed, and is caught at once", (_what, change) => {
    const { dan, withheld } = whispered();
    dan.tell({ ...withheld, ...change(withheld) });
    expectCaught(dan, "order-broken", ["joined"]);
  });

  it.each<[string, (numbers: WithheldEvent[]) => WithheldEvent[]]>([
    ["leaves one out", (all) => all.toSpliced(1, 1)],
    ["repeats one", (all) => [...all.slice(0, 1), ...all]],
    ["exchanges two", (all) => [...all.slice(0, 1), ...all.slice(1).toReversed()]],
  ])("(A4) (A9) (P13) [O6] [O10] %s of those it withholds, and is caught at once", (_how, change) => {
    const { ben, cid, dan, withheld } = whispered();
    ben.place(1);
    const more = [2, 3].map((n) => {
      const next = ben.whispers(SECRET, { to: [cid.id] });
      ben.place(n);
      return next.withheld;
    });
    for (const one of change([withheld, ...more])) if (dan.end === undefined) dan.tell(one);
    expect([dan.end, dan.log]).toEqual(["order-broken", ["joined"]]);
  });

  it.each([1, 2, 7])(
    "(A9) (P13) [O6] [O10] invents message %d of somebody who has said nothing, and is caught at once",
    (n) => {
      const { ben, cid, withheld } = whispered();
      ben.tell({ ...withheld, from: cid.id, n });
      expectCaught(ben, "order-broken", ["joined", "joined", "joined"]);
    },
  );

  it.each<[string, (one: { ben: Victim; cid: Victim; dan: Victim }) => WithheldEvent["to"]]>([
    ["its sender", ({ ben }) => [ben.id]],
    ["somebody else", ({ dan }) => [dan.id]],
    ["nobody who is there", () => [memberIdFrom(nodePrimitives.random(8))]],
    ["the one it is kept from", ({ cid }) => [cid.id]],
    ["nobody", () => []],
  ])("(A9) (P13) [O10] withholds words to everybody as if for %s, and is caught at once", (_whom, to) => {
    const host = new HostileHost();
    const [ben, cid, dan] = host.sessions("ben", "cid", "dan");
    if (ben === undefined || cid === undefined || dan === undefined) throw new Error("nobody came");
    const words = "do not deploy";
    const recipients = to({ ben, cid, dan });
    cid.tell(asWithheld(ben.speaks(words), words, recipients));
    const code = recipients.length === 0 ? "protocol-violation" : "order-broken";
    expectCaught(cid, code, ["joined", "joined"]);
  });

  it("(A9) (P13) [O10] withholds it from one whom it is for, and is caught at once", () => {
    const { cid, withheld } = whispered(["dan", "cid"]);
    cid.tell(withheld);
    expectCaught(cid, "order-broken", ["joined", "joined"]);
  });

  it("(A9) (P13) [O10] withholds it from one whom it is for as if it were for the others, and is caught at once", () => {
    const { cid, dan, withheld } = whispered(["dan", "cid"]);
    cid.tell({ ...withheld, to: [dan.id] });
    expectCaught(cid, "order-broken", ["joined", "joined"]);
  });

  it.each<[string, (cid: Victim) => WithheldEvent["from"]]>([
    ["of nobody", () => newcomer(new HostileHost(), "x").id],
    ["of the very member it tells", (cid) => cid.id],
  ])("(A6) (P13) [O7] cannot withhold words %s", (_whose, from) => {
    const { cid, withheld } = whispered();
    cid.tell({ ...withheld, from: from(cid) });
    expectCaught(cid, "order-broken", ["joined", "joined"]);
  });
});
