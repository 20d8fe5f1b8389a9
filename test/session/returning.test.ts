import { readdirSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/runtime/clock.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { nodeDisk } from "../../src/session/stays/node-disk.ts";
import { atEnd } from "../support/at-end.ts";
import { LOG_BOUNDS } from "../../src/protocol/compaction/bounds.ts";
import { connectionView } from "../../src/view/health.ts";
import { fastClock } from "../support/fake-tunnel-clock.ts";
import { until } from "../support/processes.ts";
import { rejectedWith } from "../support/rejection.ts";
import { again, KEEP_MINUTES, Machine, read } from "./returning-support.ts";
import { hostRequest, joinRequest, sessionsOn } from "./support.ts";

let machine: Machine;
beforeEach(() => {
  machine = new Machine();
});

describe("a stay survives the end of a process", () => {
  it("of the host: the room, its members, what was said and what is unread", async () => {
    const { hosts, hosting, guest } = await machine.pair();
    await hosting.say({ text: "one" });
    await guest.say({ text: "two" });
    await until("the host has it", () => hosting.inbox.unread > 0);
    read(hosting);
    await guest.say({ text: "three" });
    await until("the host has that, too", () => hosting.inbox.unread === 1);
    const { tunnelId, self } = hosting;
    const codes = guest.safetyCode;
    await hosts.shutDown();
    await until("the guest has noticed", () => guest.connection.name !== "connected");
    const said = await guest.say({ text: "four" });
    expect(said.status).toBe("queued");

    const next = machine.process();
    expect(await next.resumable()).toEqual([
      {
        tunnelId,
        folder: process.cwd(),
        role: "host",
        goal: "align the API",
        members: ["ben"],
        unread: 1,
        keptUntil: expect.any(Number),
      },
    ]);
    const back = await next.resume(again(tunnelId));
    expect(back).toMatchObject({ role: "host", self, goal: "align the API", tunnelId });
    await until("the guest is back", () => guest.connection.name === "connected");
    await until("the queued message has come", () => back.inbox.unread === 2);
    expect(read(back)).toEqual(["three", "four"]);
    expect(guest.safetyCode).toBe(codes);
    expect(await back.say({ text: "five" })).toMatchObject({ status: "sent" });
    await until("the guest has all", () => guest.inbox.unread > 0);
    expect(read(guest)).toEqual(["one", "five"]);
    expect(guest.alarms).toEqual([]);
    expect(back.alarms).toEqual([]);
  });

  it("of both, whose journals were written anew while they talked", async () => {
    const bounds = { entries: 30, bytes: LOG_BOUNDS.bytes };
    const { hosts, guests, hosting, guest } = await machine.pair(
      machine.process({ bounds }),
      machine.process({ side: "there", bounds }),
    );
    const long = (text: string) => `${text} ${"x".repeat(60_000)}`;
    for (let turn = 1; turn <= 50; turn += 1) {
      await hosting.say({ text: long(`host ${turn}`) });
      await guest.say({ text: long(`guest ${turn}`) });
      if (turn === 5) {
        await until("both have it", () => hosting.inbox.unread >= 5 && guest.inbox.unread >= 5);
        read(hosting);
        read(guest);
      }
    }
    await until("both have all", () => hosting.inbox.unread >= 45 && guest.inbox.unread >= 45);
    const { tunnelId: here } = hosting;
    const { tunnelId: there, safetyCode } = guest;
    for (const [side, tunnelId] of [
      ["here", here],
      ["there", there],
    ] as const) {
      const folder = path.join(machine.root, side, "stays", tunnelId);
      const [journal] = readdirSync(folder).filter((name) => name.endsWith(".journal"));
      expect(Number.parseInt(journal ?? "", 10)).toBeGreaterThan(1);
      // Six megabytes were said.
      expect(statSync(path.join(folder, journal ?? "")).size).toBeLessThan(5_000_000);
    }
    await Promise.all([hosts.shutDown(), guests.shutDown()]);
    const [next, other] = [machine.process(), machine.process({ side: "there" })];
    const [back, member] = [await next.resume(again(here)), await other.resume(again(there))];
    expect(member).toMatchObject({ safetyCode });
    await until(
      "the guest is back",
      () => member.role === "member" && member.connection.name === "connected",
    );
    for (const [session, from] of [
      [back, "guest"],
      [member, "host"],
    ] as const) {
      const { entries, gap } = session.inbox.take(1, 100);
      session.settle();
      // What is kept no longer is named, and nothing is left out behind that.
      const texts = entries.flatMap(({ entry }) =>
        entry.kind === "chat" ? [entry.text.split(" x")[0]] : [],
      );
      const count = texts.length;
      expect(count).toBeGreaterThanOrEqual(15);
      expect(texts).toEqual(Array.from({ length: count }, (_, at) => `${from} ${51 - count + at}`));
      expect([11, 12]).toContain(gap?.fromSeq);
    }
    expect(await back.say({ text: "on we go" })).toMatchObject({ status: "sent" });
    expect(await member.say({ text: "we do" })).toMatchObject({ status: "sent" });
    await until("both have it", () => back.inbox.unread > 0 && member.inbox.unread > 0);
    expect([read(back), read(member)]).toEqual([["we do"], ["on we go"]]);
    expect([back.alarms, member.alarms]).toEqual([[], []]);
  }, 30_000);

  it("of a guest: its seat, its reading position and its own words, which are sent once", async () => {
    const { hosts, guests, hosting, guest } = await machine.pair();
    await hosting.say({ text: "one" });
    await until("the guest has it", () => guest.inbox.unread > 0);
    read(guest);
    const { tunnelId, self, safetyCode } = guest;
    await guests.shutDown();
    await until("the host has noticed", () => hosting.presence().some(({ connected }) => !connected));
    void hosting.say({ text: "two" });

    const next = machine.process({ side: "there" });
    const back = await next.resume(again(tunnelId));
    expect(back).toMatchObject({ role: "member", self, safetyCode });
    await until("it has what was said meanwhile", () => back.inbox.unread > 0);
    expect(read(back)).toEqual(["two"]);
    expect(await back.say({ text: "three" })).toMatchObject({ status: "sent" });
    await until("the host has it", () => hosting.inbox.unread > 0);
    expect(read(hosting)).toEqual(["three"]);
    expect(hosting.presence().map(({ name }) => name)).toEqual(["ana", "ben"]);
    expect(hosts.open).toHaveLength(1);
  });

  it("of both at once, with a message that waits for the host", async () => {
    const { hosts, guests, hosting, guest } = await machine.pair();
    await hosts.shutDown();
    await until("the guest has noticed", () => guest.connection.name !== "connected");
    expect(await guest.say({ text: "while you were away" })).toMatchObject({ status: "queued" });
    await guests.shutDown();

    const guestBack = await machine.process({ side: "there" }).resume(again(guest.tunnelId));
    const hostBack = await machine.process().resume(again(hosting.tunnelId));
    await until("the message has come", () => [...hostBack.inbox.said()].length > 0);
    expect(read(hostBack)).toEqual(["while you were away"]);
    await until("the guest knows", () => guestBack.role === "member" && guestBack.unplaced === 0);
    expect(await hostBack.say({ text: "back" })).toMatchObject({ status: "sent" });
  });

  it("with invites that nobody has used", async () => {
    const hosts = machine.process();
    const { hosting, invites } = await hosts.host(hostRequest());
    await hosts.shutDown();
    const back = await machine.process().resume(again(hosting.tunnelId));
    const guest = await machine.process({ side: "there" }).join(joinRequest(invites[0]?.joinLink));
    await until("it is in", () => back.presence().length === 2);
    expect(guest.goal).toBe("goal");
  });

  it("for its own project folder alone", async () => {
    const { hosts, hosting } = await machine.pair();
    await hosts.shutDown();
    const elsewhere = machine.process({ cwd: machine.root });
    expect(await elsewhere.resumable()).toEqual([]);
    expect(await rejectedWith(elsewhere.resume(again(hosting.tunnelId)))).toBe("tunnel-unknown");
  });

  it("once: two that take it up at the same time are one, and another process is refused", async () => {
    const { hosts, hosting } = await machine.pair();
    await hosts.shutDown();
    const next = machine.process();
    const [one, other] = await Promise.all([
      next.resume(again(hosting.tunnelId)),
      next.resume(again(hosting.tunnelId)),
    ]);
    expect(one).toBe(other);
    expect(await rejectedWith(machine.process().resume(again(hosting.tunnelId)))).toBe("stay-in-use");
    expect(await machine.process().resumable()).toEqual([]);
  });

  it("under another address where the first is taken: members get a link that leads them back to their seats", async () => {
    const { hosts, guests, hosting, guest, port } = await machine.pair();
    await guest.say({ text: "one" });
    await hosts.shutDown();
    await until("the guest has noticed", () => guest.connection.name !== "connected");
    const { tunnelId, self } = guest;
    const taken = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => taken.listen(port, "127.0.0.1", resolve));
    try {
      const back = await machine.process().resume(again(hosting.tunnelId));
      const linkIn = (): string | undefined => {
        const { entries } = back.inbox.reread(0, 100);
        return entries.flatMap(({ entry }) =>
          entry.kind === "notice" && entry.notice === "address-restored"
            ? entry.members.map(({ joinLink }) => joinLink)
            : [],
        )[0];
      };
      await until("a link is there", () => linkIn() !== undefined);
      const rejoined = await guests.join(joinRequest(linkIn()));
      expect(rejoined).toMatchObject({ tunnelId, self });
      expect(await back.say({ text: "two" })).toMatchObject({ status: "sent" });
      expect(back.presence()).toHaveLength(2);
    } finally {
      taken.close();
    }
  });

  it("and when nobody takes it up in time, its members are told that the host is away, and then that it has gone", async () => {
    const hosts = machine.process({ keepMinutes: 1 });
    const { hosting, invites } = await hosts.host(hostRequest("align the API"));
    const clock = fastClock(60);
    const guests = sessionsOn(clock);
    atEnd(() => guests.shutDown());
    const guest = await guests.join(joinRequest(invites[0]?.joinLink ?? ""));
    await until("both are there", () => hosting.presence().length === 2);
    await hosts.shutDown();
    const connection = (): object => connectionView(guest.connection, guest.lastHeard, clock.now());
    await until("the host is known to be away", () => "hostAwayKeptForSec" in connection());
    const said = await guest.say({ text: "are you there?" });
    expect(said).toMatchObject({
      status: "queued",
      reason: expect.stringMatching(/^the host is away; it may come back within \d+ s, and then it is sent$/),
    });
    expect(guest.presence().find(({ isHost }) => isHost)?.connected).toBe(false);
    await until("it has ended", () => guest.end !== undefined);
    expect(guest.end).toMatchObject({ cause: "failed", error: { code: "host-gone" } });
  });

  it("again and again", async () => {
    const { hosts, hosting, guest } = await machine.pair();
    const { tunnelId } = hosting;
    let host: Sessions = hosts;
    for (const text of ["one", "two", "three"]) {
      await host.shutDown();
      host = machine.process();
      const back = await host.resume(again(tunnelId));
      await until("the guest is back", () => guest.connection.name === "connected");
      expect(await back.say({ text })).toMatchObject({ status: "sent" });
    }
    await until("all have come", () => guest.inbox.unread >= 3);
    expect(read(guest)).toEqual(["one", "two", "three"]);
    expect(guest.alarms).toEqual([]);
  });

  it("with what a person has decided: a pause goes on, what was held still waits, what was refused stays away", async () => {
    const { hosts, hosting, guest } = await machine.pair();
    const by = { path: "watch" } as const;
    hosting.oversight.hold("out", by);
    hosting.oversight.hold("in", by);
    await guest.say({ text: "not for the agent" });
    await until("it waits", () => hosting.oversight.heldIn === 1);
    const { asks } = hosts.overseer;
    const [ask] = asks.waiting;
    if (ask === undefined) throw new Error("nobody was asked");
    asks.decide(ask.id, ask.digest, { verdict: "refuse" }, by);
    expect(await hosting.say({ text: "may I?" })).toMatchObject({ status: "held" });
    hosting.oversight.pause(by);
    await hosts.shutDown();

    const next = machine.process();
    const back = await next.resume(again(hosting.tunnelId));
    expect(back.oversight.isPaused).toBe(true);
    back.oversight.resume(by);
    await until("it is asked again", () => next.overseer.asks.waiting.length === 1);
    expect(read(back)).toEqual([]);
    const [held] = next.overseer.asks.waiting;
    if (held === undefined) throw new Error("nobody was asked");
    next.overseer.asks.decide(held.id, held.digest, { verdict: "approve" }, by);
    await until("it has come", () => guest.inbox.unread > 0);
    expect(read(guest)).toEqual(["may I?"]);
  });
});

describe("nothing is left", () => {
  it("of a tunnel that was closed, on either side", async () => {
    const { hosting, guest } = await machine.pair();
    expect([...machine.staysIn("here"), ...machine.staysIn("there")]).toHaveLength(2);
    await hosting.close();
    await until("the guest has heard", () => guest.end !== undefined);
    await guest.close();
    expect([...machine.staysIn("here"), ...machine.staysIn("there")]).toEqual([]);
  });

  it("of one that could not be joined", async () => {
    const { hosting, hosts } = await machine.pair();
    const { invites } = { invites: hosting.invite(1) };
    hosting.revoke(invites[0]?.inviteId ?? "");
    const late = machine.process({ side: "late" });
    await rejectedWith(late.join(joinRequest(invites[0]?.joinLink)));
    expect(machine.staysIn("late")).toEqual([]);
    expect(hosts.open).toHaveLength(1);
  });

  it("with 0 minutes: the end of the process is the end of the room, as it was", async () => {
    const hosts = machine.process({ keepMinutes: 0 });
    const { guest } = await machine.pair(hosts);
    expect(machine.staysIn("here")).toEqual([]);
    await hosts.shutDown();
    await until("the guest has heard", () => guest.end !== undefined);
    expect(guest.end).toEqual({ cause: "host-stopped" });
  });
});

describe("a disk that keeps nothing", () => {
  /** A home that takes no folder. */
  function unkept(): Sessions {
    const stays = machine.stays("unused", {
      folders: [path.join(machine.root, "a file", "tunnel-mcp")],
      onFailure: () => undefined,
    });
    const made = sessionsOn(systemClock, { keepMinutes: KEEP_MINUTES }, {}, { stays });
    atEnd(() => made.shutDown());
    return made;
  }

  it("costs the tunnel nothing but its return, which is a problem that is named, and ends with its process", async () => {
    writeFileSync(path.join(machine.root, "a file"), "");
    const hosts = unkept();
    const { hosting, guest } = await machine.pair(hosts);
    expect(hosts.problems).toMatchObject([{ code: "stay-not-kept" }]);
    expect(await hosting.say({ text: "on we go" })).toMatchObject({ status: "sent" });
    await hosts.shutDown();
    await until("the guest has heard", () => guest.end !== undefined);
    expect(guest.end).toEqual({ cause: "host-stopped" });
  });

  it("that fills up in the middle: the same, and no half of it is left", async () => {
    let isFull = false;
    const full: typeof nodeDisk = {
      ...nodeDisk,
      create(file) {
        const made = nodeDisk.create(file);
        if (made === undefined) return undefined;
        const write = (bytes: Uint8Array): void => {
          if (isFull) throw Object.assign(new Error("no space left"), { code: "ENOSPC" });
          made.write(bytes);
        };
        return {
          identity: made.identity,
          write,
          sync: () => made.sync(),
          syncLater: () => made.syncLater(),
          close: () => made.close(),
        };
      },
    };
    const failed: string[] = [];
    const stays = machine.stays("full", {
      disk: full,
      onFailure: (tunnelId) => {
        failed.push(tunnelId);
        hosts.notKept(tunnelId);
      },
    });
    const hosts = sessionsOn(systemClock, { keepMinutes: KEEP_MINUTES }, {}, { stays });
    atEnd(() => hosts.shutDown());
    const { hosting, guest } = await machine.pair(hosts);
    expect(hosts.problems).toEqual([]);
    isFull = true;
    expect(await hosting.say({ text: "one more" })).toMatchObject({ status: "sent" });
    expect(failed).toEqual([hosting.tunnelId]);
    expect(hosts.problems).toMatchObject([{ code: "stay-not-kept" }]);
    expect(await guest.say({ text: "and one" })).toMatchObject({ status: "sent" });
    await hosts.shutDown();
    await until("the guest has heard", () => guest.end !== undefined);
    expect(guest.end).toEqual({ cause: "host-stopped" });
    expect(machine.staysIn("full")).toEqual([]);
  });
});
