import { describe, expect, it } from "vitest";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import { MAX_RECORDS, type AuditRecord } from "../../src/oversight/audit/audit.ts";
import { inviteIdFrom } from "../../src/protocol/base/ids.ts";
import type { Bytes } from "../../src/protocol/base/bytes.ts";
import { encodeOffer } from "../../src/protocol/files/offer.ts";
import { encodeChange } from "../../src/protocol/keeping/keeper.ts";
import { fewestChanges, keptSession, SessionKeeping } from "../../src/session/keeping/kept-session.ts";
import { OwnMessages } from "../../src/session/saying/own-messages.ts";

const NOW = 1_700_000_000_000;

/** A place in memory, and the session that is kept there. */
function place() {
  const changes: Bytes[] = [];
  const contents = new Map<string, Bytes>();
  let isFull = false;
  const keeping = new SessionKeeping({
    isKept: true,
    keepBeside: (change) => void changes.push(change),
    write: () => undefined,
    keepContent: (name, bytes) => !isFull && contents.set(name, bytes) === contents,
    content: (name) => contents.get(name),
    forgetContent: (name) => void contents.delete(name),
    partBegins: () => undefined,
    partOver: () => undefined,
    leave: () => undefined,
    remove: () => Promise.resolve(),
  });
  keeping.begun({ role: "host", folder: "/project", transport: "direct", openedAt: NOW });
  return {
    changes,
    contents,
    keeping,
    fill: () => (isFull = true),
    restored: () => keptSession(changes),
  };
}

const OFFER = encodeOffer({
  id: new Uint8Array(16).fill(1),
  key: new Uint8Array(32),
  name: "a.patch",
  size: 3,
  hash: new Uint8Array(32),
});
const MADE = { kind: "made", where: "patch", bytes: new Uint8Array(3) } as const;

describe("what a session keeps", () => {
  it("of all that waits: until it is released", () => {
    const { keeping, restored } = place();
    const words = keeping.held({ text: "hello" }, { isProposal: false, askId: 3 });
    keeping.held({ text: "done" }, { isProposal: true, askId: undefined });
    const held = { offer: OFFER, to: undefined, author: undefined, askId: 5 };
    keeping.heldOffer({ ...held, origin: MADE, gates: ["sensitive-file"], reasons: ["a name"] });
    keeping.heldLinks({ links: 2, history: true, minutes: 9, askId: 6 });
    keeping.heldElse(7);
    keeping.released(words);
    expect([...restored().held.values()]).toEqual([
      { kind: "words", words: { text: "done" }, isProposal: true, askId: undefined },
      {
        kind: "offer",
        askId: 5,
        offer: {
          origin: { kind: "made", where: "patch" },
          offer: OFFER,
          to: undefined,
          author: undefined,
          gates: ["sensitive-file"],
          reasons: ["a name"],
        },
      },
      { kind: "links", links: { links: 2, history: true, minutes: 9 }, askId: 6 },
      { kind: "else", askId: 7 },
    ]);
    expect(restored().lastHeld).toBe(5);
  });

  it("of bytes in memory: beside the changes, and no offer without them", () => {
    const { keeping, contents, fill, restored } = place();
    keeping.offer({ offer: OFFER, origin: MADE, to: undefined });
    expect(restored().offers).toEqual([
      { offer: OFFER, origin: { kind: "made", where: "patch" }, to: undefined },
    ]);
    expect(keeping.madeBytes(OFFER)).toEqual(new Uint8Array(3));
    keeping.forgetBytes(OFFER);
    expect(contents.size).toBe(0);
    fill();
    const before = restored().offers.length;
    keeping.offer({ offer: OFFER, origin: MADE, to: undefined });
    expect(restored().offers).toHaveLength(before);
    const held = { offer: OFFER, to: undefined, author: undefined, askId: 5, gates: [], reasons: [] };
    expect(keeping.heldOffer({ ...held, origin: MADE })).toBeUndefined();
  });

  it("of decisions: as many as a trail has", () => {
    const { keeping, restored } = place();
    const record = (at: number): AuditRecord => ({ at, kind: "mode", mode: "pause", by: "watch" });
    for (let at = 1; at <= MAX_RECORDS + 5; at += 1) keeping.audit(record(at));
    const { records, dropped } = restored().audit;
    expect(dropped).toBe(5);
    expect(records).toHaveLength(MAX_RECORDS);
    expect(records[0]).toEqual(record(6));
  });

  it("of alarms: what they say, and no more of them than fit, whoever makes them", () => {
    const { keeping, changes, restored } = place();
    keeping.alarm(new TunnelError("file-corrupt", { detail: "a.txt" }));
    expect(restored().alarms).toMatchObject([{ code: "file-corrupt", detail: "a.txt" }]);
    for (let count = 0; count < 10_000; count += 1) keeping.alarm(new TunnelError("file-corrupt"));
    expect(changes.length).toBeLessThan(300);
    // A process after it is bound by the same number.
    const next = new SessionKeeping(undefined, restored());
    next.alarm(new TunnelError("file-corrupt"));
    expect(restored().alarms.length).toBe(200);
  });

  it("of a wish for signatures, services and counts", () => {
    const { keeping, restored } = place();
    expect(restored()).toMatchObject({ isSignOffDemanded: false, bounds: undefined });
    keeping.signOff();
    keeping.service({ side: "offered", serviceId: "one", name: "docs", until: NOW });
    keeping.service({ side: "taken", serviceId: "two", name: "their docs" });
    keeping.serviceOver("two");
    const bounds = {
      upTo: 9,
      renewedAt: 3,
      used: { messages: 6, bytes: 7, files: 0 },
      loop: "repetition",
    } as const;
    keeping.bounds(bounds);
    expect(restored()).toMatchObject({ isSignOffDemanded: true, bounds });
    expect([...restored().services.keys()]).toEqual(["one"]);
  });

  it.each([
    ["an unknown kind", { t: "other" }],
    [
      "a gate that there is not",
      { t: "held-offer", no: 1, origin: { kind: "file", paths: [] }, gates: ["x"], reasons: [] },
    ],
    ["an error that there is not", { t: "alarm", error: { code: "toString" } }],
    [
      "a count below nothing",
      { t: "bounds", upTo: 1, renewedAt: 0, used: { messages: -1, bytes: 0, files: 0 } },
    ],
    ["a decision of nobody", { t: "audit", record: { at: 1, kind: "mode", mode: "pause", by: "agent" } }],
  ])("is refused as a whole where it holds %s", (_, change) => {
    const { changes } = place();
    expect(() => keptSession([...changes, encodeChange(change)])).toThrow(
      expect.objectContaining({ code: "stay-unreadable" }),
    );
  });
});

it("all that is kept can be said in the fewest changes, and they lead to the same", () => {
  const { keeping, changes, restored } = place();
  keeping.listens(80);
  keeping.read(3);
  keeping.returned(5);
  keeping.modes(true, ["hold-out"]);
  keeping.withheld(4);
  keeping.invite(inviteIdFrom(new Uint8Array(16).fill(1)), "wss://example.org", true);
  keeping.signOff();
  keeping.released(keeping.held({ text: "gone" }, { isProposal: false, askId: 1 }));
  keeping.held({ text: "hello", intent: "request", replyTo: 2 }, { isProposal: false, askId: undefined });
  keeping.held({ text: "done" }, { isProposal: true, askId: 2 });
  const held = { offer: OFFER, to: undefined, author: "human", askId: 5 } as const;
  keeping.heldOffer({ ...held, origin: MADE, gates: ["secret"], reasons: ["a name"] });
  keeping.heldLinks({ links: 2, history: true, minutes: 9, askId: 6 });
  keeping.heldElse(undefined);
  keeping.offer({ offer: OFFER, origin: { kind: "tree", paths: ["/a", "/b"] }, to: undefined });
  keeping.service({ side: "offered", serviceId: "one", name: "docs", until: NOW });
  for (let at = 1; at <= MAX_RECORDS + 5; at += 1)
    keeping.audit({ at, kind: "decided", ask: at, digest: "ab".repeat(32), outcome: "expired" });
  keeping.bounds({ upTo: 9, renewedAt: 3, used: { messages: 6, bytes: 7, files: 0 }, since: NOW });
  const own = new OwnMessages(keeping);
  for (const key of [1, 2, 3])
    own.add({ text: `${key}` }, { key, seq: undefined, ownNo: key, saidAt: NOW, call: key });
  own.answered(1);
  own.confirmed(2, 12);
  own.givenUp(3);
  keeping.alarm(new TunnelError("file-corrupt", { detail: "a.txt" }));
  keeping.noticed(keeping.notice({ notice: "decided", askId: 1, outcome: "refused", reason: "no" }));
  keeping.notice({ notice: "decided", askId: 2, outcome: "withdrawn", error: { code: "share-changed" } });
  keeping.receiving({ fileId: "f", target: "/t", overwrite: true, only: ["a"], part: "/p" });
  const kept = restored();
  const fewest = fewestChanges(kept);
  expect(fewest.length).toBeLessThan(changes.length);
  const again = keptSession(fewest);
  // Compared as text, since there are many of them.
  expect(JSON.stringify(again.audit)).toBe(JSON.stringify(kept.audit));
  expect({ ...again, audit: undefined }).toEqual({ ...kept, audit: undefined });
});

describe("own messages of a process that has ended", () => {
  /** Those of the next process. */
  function after(work: (own: OwnMessages) => void): OwnMessages {
    const { keeping, restored } = place();
    work(new OwnMessages(keeping));
    return new OwnMessages(undefined, restored().own);
  }

  const add = (own: OwnMessages, key: number, text: string, call: number | "none" = 1): void =>
    own.add(
      { text },
      { key, seq: undefined, ownNo: key, saidAt: NOW, call: call === "none" ? undefined : call },
    );

  it("are taken up by the same words, where their call was never answered", () => {
    const own = after((before) => {
      add(before, 1, "answered");
      before.answered(1);
      add(before, 2, "cut off");
      before.confirmed(2, 12);
      add(before, 3, "of no call", "none");
    });
    expect(own.takeUp({ text: "answered" }, 9, NOW)).toBeUndefined();
    expect(own.takeUp({ text: "of no call" }, 9, NOW)).toBeUndefined();
    expect(own.takeUp({ text: "cut off", intent: "request" }, 9, NOW)).toBeUndefined();
    expect(own.takeUp({ text: "cut off" }, 9, NOW)).toMatchObject({ seq: 12, state: "sent" });
    expect(own.takeUp({ text: "cut off" }, 10, NOW)).toBeUndefined();
  });

  it("are the last five, as they stood, and are confirmed by the next process", () => {
    const own = after((before) => {
      for (let key = 1; key <= 7; key += 1) add(before, key, `message ${key}`);
      before.confirmed(6, 16);
      before.givenUp(7);
    });
    own.confirmed(5, 15);
    expect(own.last.map(({ firstWords, state, seq }) => [firstWords, state, seq])).toEqual([
      ["message 3", "queued", undefined],
      ["message 4", "queued", undefined],
      ["message 5", "sent", 15],
      ["message 6", "sent", 16],
      ["message 7", "unconfirmed", undefined],
    ]);
  });
});
