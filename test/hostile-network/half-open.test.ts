import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LINK } from "../../src/protocol/base/limits.ts";
import type { Answer } from "../../src/session/saying/sent.ts";
import type { HostSession } from "../../src/session/host-session.ts";
import type { GuestSession } from "../../src/session/guest-session.ts";
import { joinRequest } from "../session/support.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import type { Crossing, Direction, Proxy } from "../support/proxy.ts";
import {
  cleanUp,
  expectAllHeard,
  isConnected,
  joined,
  opened,
  pass,
  proxy,
  sessions,
  turning,
  Voice,
} from "./support.ts";

/** Whoever has nothing to say learns it from its own ping, which nobody answers. */
const SILENCE_MS = LINK.pingEveryMs + LINK.answerMs;
/** What an agent waits for the answer of `tunnel_say` at most. */
const SAY_MS = 3_000;

let clock: FakeClock;
let wire: Proxy;
let host: HostSession;
let guest: GuestSession;
let joinLink: string;
let ana: Voice;
let ben: Voice;

beforeEach(async () => {
  clock = new FakeClock();
  wire = await proxy();
  const room = await opened(clock, { wire });
  [joinLink = ""] = room.joinLinks;
  host = room.host;
  guest = await joined(clock, joinLink);
  [ana, ben] = [new Voice(host), new Voice(guest)];
  // The first acknowledgements are over, so that only what comes now is on the line.
  await pass(clock, 20);
});
afterEach(cleanUp);

function crossing(): Crossing {
  const { newest } = wire;
  if (newest === undefined) throw new Error("nobody has connected");
  return newest;
}

/** What `say` answers, which must be within the time that an agent is made to wait. */
async function said(one: HostSession | GuestSession, text: string): Promise<Answer | undefined> {
  let sent: Answer | undefined;
  const answer = one.say({ text }).then((result) => (sent = result));
  await clock.advance(SAY_MS);
  if (sent !== undefined) await answer;
  return sent;
}

/** It has been judged, and is on the line. */
const hasLeft = (one: HostSession | GuestSession): boolean => one.own.last.length > 0;

const seesHost = (): boolean => guest.presence().find(({ isHost }) => isHost)?.connected === true;

async function expectRecovery(): Promise<void> {
  await turning(clock, "they are connected again", () => seesHost() && isConnected(host));
  const all = (): boolean =>
    ben.of("ana").length === ana.said.length &&
    ana.of("ben").length === ben.said.length &&
    guest.unplaced === 0;
  await turning(clock, "everything has arrived", all, {
    each: () => {
      ana.listen();
      ben.listen();
    },
  });
  expectAllHeard(ana, "ana", ben);
  expectAllHeard(ben, "ben", ana);
}

describe("a connection on which nothing arrives any more, and nobody is told", () => {
  it.each([["both directions"], ["toHost"], ["toGuest"]] as const)(
    "is no reason to call a guest's message sent (%s)",
    async (what) => {
      wire.isDown = true;
      if (what === "both directions") crossing().stall();
      else crossing().stall(what);
      expect(await said(guest, "are you there?")).toMatchObject({
        status: "queued",
        seq: undefined,
        reason: expect.stringContaining("not confirmed"),
      });
      expect(guest.unplaced).toBe(1);
      ben.said.push("are you there?");
      wire.isDown = false;
      await expectRecovery();
    },
  );

  it.each([["both directions"], ["toHost"], ["toGuest"]] as const)(
    "is no reason to call a host's message sent (%s)",
    async (what) => {
      wire.isDown = true;
      if (what === "both directions") crossing().stall();
      else crossing().stall(what);
      expect(await said(host, "are you there?")).toMatchObject({ status: "queued" });
      ana.said.push("are you there?");
      wire.isDown = false;
      await expectRecovery();
    },
  );

  it("is told of by its name when both have found out meanwhile: the answer is as things are then", async () => {
    wire.isDown = true;
    crossing().stall();
    const answers = [guest.say({ text: "from ben" }), host.say({ text: "from ana" })];
    crossing().cut();
    await clock.advance(SAY_MS);
    expect(await Promise.all(answers)).toMatchObject([
      { status: "queued", reason: expect.stringContaining("is down") },
      { status: "queued", reason: expect.stringContaining("nobody it is for is connected") },
    ]);
  });

  it("leaves a message unconfirmed whose receiver is removed, and is told so at once", async () => {
    wire.isDown = true;
    crossing().stall();
    const answer = host.say({ text: "are you there?" });
    await turning(clock, "it has left", () => hasLeft(host));
    host.remove("ben");
    expect(await answer).toEqual({ status: "unconfirmed", seq: 2, reason: expect.stringContaining("left") });
  });

  it.each([["a host"], ["a guest"]])(
    "leaves a message unconfirmed when the tunnel of %s is closed, and nobody waits for it any longer",
    async (who) => {
      wire.isDown = true;
      crossing().stall();
      const one = who === "a host" ? host : guest;
      const answer = one.say({ text: "are you there?" });
      await turning(clock, "it has left", () => hasLeft(one));
      const closed = one.close();
      expect(await answer).toMatchObject({ status: "unconfirmed", reason: expect.stringContaining("ended") });
      await turning(clock, "it is closed", () => one.end !== undefined);
      await clock.advance(10_000);
      await closed;
    },
  );

  it("[D7] is found out by both sides within the time of a ping and its answer, though neither says anything", async () => {
    wire.isDown = true;
    crossing().stall();
    expect([seesHost(), isConnected(host)]).toEqual([true, true]);
    const start = clock.now();
    const bothKnow = (): boolean => !seesHost() && !isConnected(host);
    await turning(clock, "both know", bothKnow, { turns: 10_000 });
    expect(clock.now() - start).toBeLessThanOrEqual(SILENCE_MS + 100);
    expect(guest.presence().filter(({ isSelf, connected }) => !isSelf && connected)).toEqual([]);
    expect(host.presence().filter(({ isSelf, connected }) => !isSelf && connected)).toEqual([]);
    expect([await said(guest, "one"), await said(host, "two")]).toMatchObject([
      { status: "queued", reason: expect.stringContaining("down") },
      { status: "queued" },
    ]);
    ben.said.push("one");
    ana.said.push("two");
    wire.isDown = false;
    await expectRecovery();
  });

  it.each(["toHost", "toGuest"] as const)(
    "[D7] is found out when only one direction is dead (%s), and all that was said into it comes after it",
    async (direction: Direction) => {
      crossing().stall(direction);
      const before = wire.total;
      for (const size of [1, 500, 30_000]) {
        ana.say(size);
        ben.say(size);
      }
      const start = clock.now();
      await turning(clock, "there is another connection", () => wire.total > before);
      expect(clock.now() - start).toBeLessThanOrEqual(SILENCE_MS + LINK.backoffFirstMs + 100);
      await expectRecovery();
    },
  );

  it("time and again, one after the other, loses nothing of what is said", async () => {
    for (let round = 0; round < 10; round += 1) {
      crossing().stall();
      ana.say(300);
      ben.say(300);
      const before = wire.total;
      await turning(clock, "there is another connection", () => wire.total > before);
    }
    await expectRecovery();
  });

  it("which comes to life again before anybody noticed loses nothing", async () => {
    crossing().stall();
    ana.say(2_000);
    ben.say(2_000);
    await clock.advance(LINK.answerMs - 1_000);
    crossing().flow();
    await expectRecovery();
    expect(wire.total).toBe(1);
  });

  it("is found slow, not dead, as long as anything comes through", async () => {
    const { toGuest, toHost } = crossing();
    for (const lane of [toGuest, toHost]) {
      lane.turnsLate = 30;
      lane.bytesPerTurn = 2_000;
    }
    for (let n = 0; n < 10; n += 1) {
      ana.say(30_000);
      ben.say(30_000);
    }
    await expectRecovery();
    expect(wire.total).toBe(1);
  });
});

describe("a guest whose network changes while the host still holds its old connection", () => {
  it("[G7] takes its seat over with the new one; the old one is hung up on, and nobody has left", async () => {
    const old = crossing();
    ana.say(10);
    ben.say(10);
    old.loseGuest();
    ana.say(1_000);
    ben.say(1_000);
    await turning(clock, "the guest has a new connection", () => wire.total === 2 && seesHost());
    // What the host still sends on the old one comes to nobody; what was held up on its way to the host is too late.
    old.flow();
    await turning(clock, "the host has hung up on the old one", () => old.hasHostLeft);
    await expectRecovery();
    expect(isConnected(host)).toBe(true);
    expect(host.presence()).toHaveLength(2);
    expect([host.alarms, guest.alarms]).toEqual([[], []]);
  });

  it("[K3] [I4] does not make the used link good again, neither before nor after", async () => {
    const refused = async (): Promise<void> => {
      const joining = sessions(clock).join(joinRequest(joinLink));
      await expect(joining).rejects.toMatchObject({ code: "invite-refused" });
    };
    const old = crossing();
    await refused();
    old.loseGuest();
    await refused();
    const before = wire.total;
    await turning(clock, "the guest has a new connection", () => wire.total > before && seesHost());
    await refused();
    ana.say(10);
    ben.say(10);
    await expectRecovery();
    expect(host.presence()).toHaveLength(2);
  });
});
