import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { batchFields } from "../../src/mcp/results/messages.ts";
import { Fence } from "../../src/mcp/results/fence.ts";
import { LINK, RESULT } from "../../src/protocol/base/limits.ts";
import type { GuestSession } from "../../src/session/guest-session.ts";
import type { HostSession } from "../../src/session/host-session.ts";
import type { NoticeEntry } from "../../src/session/notices/notice.ts";
import type { SessionBase } from "../../src/session/session.ts";
import { endOf } from "../../src/view/status.ts";
import { joinRequest } from "../session/support.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import type { Proxy } from "../support/proxy.ts";
import { cleanUp, isConnected, opened, proxy, sessions, settled, turning } from "./support.ts";

const SECRET = "the text of a message";

let clock: FakeClock;
let wire: Proxy;
let host: HostSession;
let guest: GuestSession;
let made: ReturnType<typeof sessions>;

beforeEach(async () => {
  clock = new FakeClock();
  wire = await proxy();
  const room = await opened(clock, { wire });
  host = room.host;
  made = sessions(clock);
  guest = await settled(clock, "ben has joined", made.join(joinRequest(room.joinLinks[0])));
  await turning(clock, "ben is connected", () => isConnected(host, guest.name));
});
afterEach(cleanUp);

function notices<Kind extends NoticeEntry["notice"]>(
  { inbox }: SessionBase,
  kind: Kind,
): Extract<NoticeEntry, { notice: Kind }>[] {
  return inbox
    .take(`look ${Math.random()}`, 200)
    .entries.map(({ entry }) => entry)
    .filter((entry) => entry.kind === "notice")
    .filter((entry): entry is Extract<NoticeEntry, { notice: Kind }> => entry.notice === kind);
}

/** Nothing gets through any more; whoever dials hangs. */
function stall(): void {
  for (const crossing of wire.open) crossing.stall();
  wire.onCrossing = (crossing) => crossing.stall();
}

/** Every connection is cut, and every new one at once. */
function cutAll(): void {
  wire.isDown = true;
  for (const crossing of wire.open) crossing.cut();
}

/** What the member's agent says while it is cut off. */
async function sayAway(count = 3): Promise<void> {
  await turning(clock, "it is away", () => guest.connection.name !== "connected");
  for (let n = 0; n < count; n += 1)
    expect(await guest.say({ text: `${SECRET} ${n}` })).toMatchObject({ status: "queued", ownNo: n + 2 });
}

/** Something that arrived, so that numbers do not begin at 1. */
async function sayOnce(): Promise<void> {
  expect(await settled(clock, "it is sent", guest.say({ text: "arrived" }))).toMatchObject({
    status: "sent",
  });
}

function expectTold(cause: string, count = 3): void {
  expect(guest.end?.cause).toBe(cause);
  expect(endOf(guest)).toMatchObject({ undelivered: count });
  const told = notices(guest, "undelivered");
  expect(told).toHaveLength(1);
  expect(told[0]).toMatchObject({ firstNo: 2, lastNo: 1 + count });
  expect(told[0]?.messages.map(({ ownNo, text }) => [ownNo, text])).toEqual(
    Array.from({ length: count }, (_, n) => [n + 2, `${SECRET} ${n}`]),
  );
  // Neither the error nor anything else that may be written down holds what was said.
  expect(JSON.stringify([guest.end, endOf(guest), guest.alarms])).not.toContain(SECRET);
}

async function isOver(): Promise<void> {
  await turning(clock, "the stay is over", () => guest.end !== undefined, { stepMs: 1_000 });
}

describe("a member whose stay is over is told which of its messages never arrived:", () => {
  it("[D9] it gave the host up", async () => {
    await sayOnce();
    stall();
    await sayAway();
    await isOver();
    expectTold("failed");
    expect(guest.end).toMatchObject({ error: { code: "host-unreachable" } });
  });

  it("[D9] the host is gone", async () => {
    await sayOnce();
    await wire.close();
    await sayAway();
    const start = clock.now();
    await isOver();
    expect(clock.now() - start).toBeLessThan(2 * LINK.goneMs);
    expectTold("failed");
    expect(guest.end).toMatchObject({ error: { code: "tunnel-gone" } });
  });

  it("[G9] it was removed while it was away", async () => {
    await sayOnce();
    cutAll();
    await sayAway();
    host.remove(guest.name);
    wire.isDown = false;
    await isOver();
    expectTold("failed");
  });

  it("[G5] the host closed the tunnel while it was away", async () => {
    await sayOnce();
    cutAll();
    await sayAway();
    await settled(clock, "it is closed", host.close());
    await isOver();
    expectTold("failed");
  });

  it.each(["close", "shutDown"] as const)("it left while they waited (%s)", async (how) => {
    await sayOnce();
    cutAll();
    await sayAway();
    await settled(clock, "it has left", how === "close" ? guest.close() : made.shutDown());
    expectTold("closed-here");
  });

  it("[G9] it was removed while they were on their way", async () => {
    await sayOnce();
    wire.newest?.toHost.stall();
    const said = guest.say({ text: `${SECRET} 0` });
    host.remove(guest.name);
    await isOver();
    await said;
    expectTold("removed", 1);
  });

  it("and nothing is told where all have arrived", async () => {
    await sayOnce();
    await settled(clock, "it has left", guest.close());
    expect(notices(guest, "undelivered")).toEqual([]);
    expect(endOf(guest)).not.toHaveProperty("undelivered");
  });

  it("of very many the first ones, and the numbers of all; in the fence, and within the size of a batch", async () => {
    cutAll();
    await turning(clock, "it is away", () => guest.connection.name !== "connected");
    const others = host.presence().filter(({ isHost }) => isHost);
    for (let n = 0; n < 130; n += 1) {
      await guest.say({ text: `${"🦊".repeat(300)} ${n}`, to: others.map(({ id }) => id) });
    }
    await settled(clock, "it has left", guest.close());
    const batch = guest.inbox.take("result", 200);
    const fence = new Fence("abc123");
    const showing = { now: clock.now(), fence, limit: RESULT.defaultChars, placeFor: () => undefined };
    const { messages } = batchFields(batch, showing) as { messages: Record<string, unknown>[] };
    const told = messages.find((message) => message["event"] === "undelivered");
    expect(told).toMatchObject({ local: true, count: 130, firstNo: 1, lastNo: 130 });
    const listed = told?.["messages"] as { ownNo: number; text: string; to: string[] }[];
    expect(listed).toHaveLength(40);
    expect(listed.map(({ ownNo }) => ownNo)).toEqual(Array.from({ length: 40 }, (_, n) => n + 1));
    expect(listed.every(({ to }) => to.join() === host.presence()[0]?.name)).toBe(true);
    expect(listed[0]?.text).toBe(fence.wrap(`${"🦊".repeat(199)}…`));
    expect(JSON.stringify(messages).length).toBeLessThan(RESULT.defaultChars);
  });
});

describe("a host is told what a member that is out has never confirmed:", () => {
  async function sayToAway(): Promise<number[]> {
    const first = await settled(clock, "it is sent", host.say({ text: "arrived" }));
    expect(first).toMatchObject({ status: "sent" });
    stall();
    await turning(clock, "ben is away", () => !isConnected(host, guest.name), { stepMs: 1_000 });
    const seqs: number[] = [];
    for (let n = 0; n < 3; n += 1) {
      const sent = await host.say({ text: `${SECRET} ${n}` });
      expect(sent).toMatchObject({ status: "queued" });
      seqs.push("seq" in sent ? (sent.seq ?? 0) : 0);
    }
    return seqs;
  }

  const missed = (seqs: readonly number[]): object => ({
    member: guest.name,
    afterSeq: (seqs[0] ?? 0) - 1,
    count: 3,
    seqs,
  });

  it("[G2] it was lost", async () => {
    const seqs = await sayToAway();
    await turning(clock, "ben is lost", () => host.presence().length === 1, { stepMs: 10_000 });
    expect(notices(host, "member-missed")).toMatchObject([missed(seqs)]);
  });

  it("[G9] it was removed", async () => {
    const seqs = await sayToAway();
    host.remove(guest.name);
    await clock.advance(100);
    expect(notices(host, "member-missed")).toMatchObject([missed(seqs)]);
  });

  it("[G5] the host closed the tunnel", async () => {
    const seqs = await sayToAway();
    await settled(clock, "it is closed", host.close());
    expect(notices(host, "member-missed")).toMatchObject([missed(seqs)]);
  });

  it("but not of one that has everything", async () => {
    await settled(clock, "it is sent", host.say({ text: "arrived" }));
    await settled(clock, "ben has left", guest.close());
    await turning(clock, "ben has left", () => host.presence().length === 1);
    await settled(clock, "it is closed", host.close());
    expect(notices(host, "member-missed")).toEqual([]);
  });
});
