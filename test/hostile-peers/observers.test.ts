import { describe, expect, it } from "vitest";
import type { ObserverRole } from "../../src/protocol/handshake/role.ts";
import { encodeStreamFrame } from "../../src/protocol/link/stream-frames.ts";
import { FRAME } from "../../src/protocol/record/record.ts";
import { encodeUtf8 } from "../../src/protocol/base/utf8.ts";
import { sealTo } from "../../src/protocol/room/sealed-message.ts";
import type { MemberRecord } from "../../src/protocol/room/frames.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { provedRecord } from "../support/proved.ts";
import { asWithheld, HostileHost, signedAs, Victim } from "./support/host.ts";
import { expectCaught, three } from "./support/room.ts";

/** Somebody of this host's who only reads along, with a key that it signs with all the same. */
function accomplice(host: HostileHost, role: ObserverRole = "observer") {
  const keys = nodePrimitives.generateSigningKeyPair();
  const record = provedRecord(host.room, keys, { name: "cat", role, hash: nodePrimitives.random(32) });
  return { keys, record };
}

/** An observer of this host, and what it is told first. */
function watching(host: HostileHost, joined: (own: MemberRecord) => MemberRecord = (own) => own): Victim {
  const cat = new Victim(host, "cat", "observer");
  cat.welcome();
  cat.tell({ kind: "joined", member: joined(cat.record) });
  return cat;
}

describe("a host that has an observer speak", () => {
  it("[Q4] a message that an observer has signed itself is refused, also where it is the first of its chain", () => {
    const { host, ben } = three();
    const { keys, record } = accomplice(host);
    ben.tell({ kind: "joined", member: record });
    expect(ben.end).toBeUndefined();
    const { event } = signedAs(keys, host.room, { view: ben.view }, "as if a member");
    ben.tell(event, "as if a member");
    expectCaught(ben, "order-broken", ["joined", "joined", "joined"]);
  });

  it("[Q4] [O10] a message for an observer is refused, and the same one for a member is not", () => {
    for (const isForObserver of [true, false]) {
      const { host, ben, cid } = three();
      const { record } = accomplice(host);
      for (const one of [ben, cid]) one.tell({ kind: "joined", member: record });
      const whom = isForObserver ? record : cid.record;
      const context = { room: host.room, from: host.self.id, n: 1 };
      const { seal, body } = sealTo(nodePrimitives, context, [whom.box], encodeUtf8("psst"));
      const fields = { view: ben.view, to: [whom.id], seal };
      ben.tell(asWithheld(signedAs(host.signing, host.room, fields, body).event, body));
      if (isForObserver) expectCaught(ben, "order-broken", ["joined", "joined", "joined"]);
      else expect(ben.end).toBeUndefined();
    }
  });
});

describe("a host that lies about who only reads along", () => {
  it("[Q1] cannot name a member as an observer, or an observer as a member: the proof is for one of them", () => {
    const { host, ben } = three();
    const { record } = accomplice(host);
    const { role: _, ...asMember } = record;
    ben.tell({ kind: "joined", member: asMember });
    expectCaught(ben, "order-broken", ["joined", "joined"]);
    const other = three();
    const member = provedRecord(other.host.room, nodePrimitives.generateSigningKeyPair(), {
      name: "dan",
      hash: nodePrimitives.random(32),
    });
    other.ben.tell({ kind: "joined", member: { ...member, role: "observer" } });
    expectCaught(other.ben, "order-broken", ["joined", "joined"]);
  });

  it("[Q2] [O7] cannot make an observer of a member that is told so, or the other way", () => {
    const host = new HostileHost();
    const ben = new Victim(host, "ben");
    ben.welcome();
    ben.tell({ kind: "joined", member: { ...ben.record, role: "observer" } });
    expectCaught(ben, "order-broken", []);
    const cat = watching(new HostileHost(), (own) => ({ ...own, role: undefined }));
    expectCaught(cat, "order-broken", []);
    const all = watching(new HostileHost(), (own) => ({ ...own, role: "observer-history" }));
    expectCaught(all, "order-broken", []);
  });

  it("[Q6] [O8] gives an observer without a history nothing of the time before it", () => {
    const host = new HostileHost();
    const cat = new Victim(host, "cat", "observer");
    cat.welcome();
    const { event } = signedAs(host.signing, host.room, { view: cat.view }, "the past");
    cat.tell(event, "the past");
    expectCaught(cat, "order-broken", []);
  });

  it("[O6] an observer that is shown another room than the members finds out by their first message", () => {
    const { host, ben } = three();
    const cat = watching(host);
    // It was never told of ben as the others were.
    cat.tell({ kind: "joined", member: ben.record });
    cat.tell(ben.speaks("hello"), "hello");
    expect(["host-equivocation", "order-broken"]).toContain(cat.end);
    expect(cat.log).toEqual(["joined", "joined"]);
  });

  it("[Q2] names in a form that no observer has are refused before they are shown", () => {
    const host = new HostileHost();
    const long = new Victim(host, "x".repeat(17), "observer");
    long.welcome();
    long.tell({ kind: "joined", member: long.record });
    expectCaught(long, "order-broken", []);
  });
});

it("[Q4] a host that asks an observer for a stream is left", () => {
  const host = new HostileHost();
  const cat = watching(host);
  const open = { t: "open", stream: 2, service: "files", who: host.self.id, credit: 1 } as const;
  cat.put(FRAME.stream, encodeStreamFrame({ ...open, request: new Uint8Array(0) }));
  expectCaught(cat, "protocol-violation", ["joined"]);
});
