import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import { parseLink } from "../../src/protocol/handshake/invite-link.ts";
import type { GuestSession } from "../../src/session/guest-session.ts";
import type { HostSession } from "../../src/session/host-session.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import type { NoticeEntry } from "../../src/session/notices/notice.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { createCloudflaredOpener } from "../../src/tunnel/cloudflared/cloudflared.ts";
import { binaryEnvironment, hostFacts } from "../../src/tunnel/cloudflared/environment.ts";
import type { Tunnel, TunnelOpener } from "../../src/tunnel/provider.ts";
import { fastClock } from "../support/fake-tunnel-clock.ts";
import { standIn } from "../support/tunnels/stand-in.ts";
import { completeLines } from "../support/lines.ts";
import { gone, isRunning, until } from "../support/processes.ts";
import { FakeEdge } from "../support/tunnels/fake-edge.ts";
import { codeOf } from "../support/thrown.ts";
import { hostRequest, joinRequest, sessionsOn } from "./support.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** A tunnel to a port on this machine that has an address of its own, and can die or lose its way for a while. */
class Passage implements Tunnel {
  readonly provider = "cloudflared";
  readonly description = "a passage";
  readonly url: string;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;
  readonly #listeners = new Set<(error: TunnelError) => void>();
  #error: TunnelError | undefined;
  #isCut = false;
  isStopped = false;

  private constructor(server: Server, sockets: Set<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async to(port: number): Promise<Passage> {
    const sockets = new Set<Socket>();
    const server = createServer((near) => {
      if (passage.#isCut) return void near.destroy();
      const far = connect(port, "127.0.0.1");
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(one);
        one.on("error", () => other.destroy());
        one.on("close", () => other.destroy());
        one.pipe(other);
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const passage = new Passage(server, sockets);
    return passage;
  }

  health: Tunnel["health"] = () => {
    if (this.#error !== undefined) return { state: "down", error: this.#error };
    return this.#isCut ? { state: "degraded", reason: "cut", sinceMs: 0 } : { state: "up" };
  };

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  restore(): void {
    this.#isCut = false;
  }

  onDown(listener: (error: TunnelError) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  die(): void {
    this.#error = new TunnelError("cloudflared-exited");
    this.#close();
    for (const listener of this.#listeners) listener(this.#error);
  }

  stop(): Promise<void> {
    this.isStopped = true;
    this.#close();
    return Promise.resolve();
  }

  #close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** A provider whose next openings can be made to fail, and what it has opened. */
function passages(): { provider: TunnelOpener; opened: Passage[]; failWith: TunnelError | undefined } {
  const made = {
    opened: [] as Passage[],
    failWith: undefined as TunnelError | undefined,
    async provider({ port }: { port: number }) {
      if (made.failWith !== undefined) throw made.failWith;
      const passage = await Passage.to(port);
      made.opened.push(passage);
      return passage;
    },
  };
  return made;
}

async function hosting(
  provider: TunnelOpener,
  config: Parameters<typeof sessionsOn>[1] = {},
): Promise<{ host: HostSession; link: string }> {
  const sessions = sessionsOn(
    fastClock(20),
    { transport: "cloudflared", ...config },
    { cloudflared: provider },
  );
  cleanups.push(() => sessions.shutDown());
  const { hosting: host, invites } = await sessions.host(hostRequest());
  return { host, link: invites[0]?.joinLink ?? "" };
}

function guests(clock: Clock = fastClock(20)): Sessions {
  const sessions = sessionsOn(clock);
  cleanups.push(() => sessions.shutDown());
  return sessions;
}

/** A clock whose timers can be held back: a process that stands still. */
function heldClock(): Clock & { hold(): void; release(): void } {
  const clock = fastClock(20);
  let held: (() => void)[] | undefined;
  return {
    now: () => clock.now(),
    after: (ms, callback) =>
      clock.after(ms, () => {
        if (held === undefined) callback();
        else held.push(callback);
      }),
    hold() {
      held = [];
    },
    release() {
      const due = held ?? [];
      held = undefined;
      for (const callback of due) callback();
    },
  };
}

/** Everything that a side's agent has been told. */
function shownSoFar({ inbox }: Pick<HostSession, "inbox">): (string | NoticeEntry)[] {
  const offered = inbox.take(`peek ${(calls += 1)}`, 100);
  inbox.cancelled(`peek ${calls}`);
  return offered.entries.flatMap(({ entry }): (string | NoticeEntry)[] => {
    if (entry.kind === "chat") return [entry.text];
    return entry.kind === "notice" ? [entry] : [];
  });
}

let calls = 0;
/** What a side's agent is shown. */
function shown({ inbox }: Pick<HostSession, "inbox">): (string | NoticeEntry)[] {
  inbox.settle();
  calls += 1;
  return inbox.take(calls, 100).entries.flatMap(({ entry }): (string | NoticeEntry)[] => {
    if (entry.kind === "chat") return [entry.text];
    return entry.kind === "notice" ? [entry] : [];
  });
}

describe("a room outlives its tunnel", () => {
  it("[U1] [U3] members move over to the spare one, and nothing is lost or doubled", async () => {
    const { provider, opened } = passages();
    const { host, link } = await hosting(provider);
    expect(host.health.standby).toEqual({ state: "off" });
    const guest = await guests().join(joinRequest(link));
    await until("a spare tunnel is there", () => host.health.standby.state === "ready");
    for (let round = 0; round < 5; round += 1) {
      // What arrives after the news of the addresses shows that these have arrived.
      await host.say({ text: `settled ${round}` });
      await until("the guest knows the way", () => guest.inbox.unread === 3 * round + 1);
      await host.say({ text: `host ${round}` });
      await guest.say({ text: `guest ${round}` });
      const [old] = opened.slice(-2);
      const count = opened.length;
      old?.die();
      await host.say({ text: `host meanwhile ${round}` });
      await guest.say({ text: `guest meanwhile ${round}` });
      await until("the guest is back", () => guest.connection.name === "connected" && guest.unplaced === 0);
      await until(
        "a fresh spare is there",
        () => opened.length > count && host.health.standby.state === "ready",
      );
      expect(old?.isStopped).toBe(true);
    }
    const rounds = [0, 1, 2, 3, 4];
    await until("all has arrived", () => guest.inbox.unread === 15 && host.inbox.unread === 11);
    expect(shown(guest)).toEqual(rounds.flatMap((n) => [`settled ${n}`, `host ${n}`, `host meanwhile ${n}`]));
    expect(shown(host)).toEqual(rounds.flatMap((n) => [`guest ${n}`, `guest meanwhile ${n}`]));
    await host.close();
    expect(opened.every((passage) => passage.isStopped)).toBe(true);
  });

  it("pending invites whose address died are made anew, and the agent is told so with the new links", async () => {
    const { provider, opened } = passages();
    const { host, link } = await hosting(provider);
    const [before] = host.pendingInvites();
    opened[0]?.die();
    await until("there is another tunnel", () => opened.length === 2 && host.health.active.state === "up");
    const notices = shown(host);
    const reissued = notices.find(
      (notice) => typeof notice !== "string" && notice.notice === "invites-reissued",
    );
    const [invite] = typeof reissued === "object" && "invites" in reissued ? reissued.invites : [];
    expect(invite?.replaces).toBe(before?.inviteId);
    expect(host.pendingInvites().map(({ inviteId }) => inviteId)).toEqual([invite?.inviteId]);
    const { origin, room } = parseLink(invite?.joinLink ?? "");
    expect([origin, room]).toEqual([opened[1]?.url, parseLink(link).room]);
    const guest = await guests().join(joinRequest(invite?.joinLink));
    expect(guest.connection.name).toBe("connected");
  });

  it("the old link is dead for good, also through the new address", async () => {
    const { provider, opened } = passages();
    const { link } = await hosting(provider);
    opened[0]?.die();
    await until("there is another tunnel", () => opened.length === 2);
    const elsewhere = link.replace(parseLink(link).origin, opened[1]?.url ?? "");
    await expect(guests().join(joinRequest(elsewhere))).rejects.toMatchObject({ code: "invite-refused" });
  });

  it("a rate limit on the spare one does no harm; it is told, and tried again", async () => {
    const made = passages();
    const { host, link } = await hosting(made.provider);
    made.failWith = new TunnelError("cloudflared-rate-limited");
    const guest = await guests().join(joinRequest(link));
    await until("it was tried", () => host.health.standby.state === "waiting");
    expect(host.health.standby).toMatchObject({ attempts: 1, error: { code: "cloudflared-rate-limited" } });
    expect(host.health.active).toEqual({ state: "up" });
    await guest.say({ text: "undisturbed" });
    await until("it has arrived", () => host.inbox.unread > 0);
    made.failWith = undefined;
    await until("it was had after all", () => host.health.standby.state === "ready");
  });

  it("with TUNNEL_STANDBY=off there is no spare one; a member comes back by a fresh link and has missed nothing", async () => {
    const made = passages();
    const { host, link } = await hosting(made.provider, { standby: false });
    const sessions = guests();
    const guest = await sessions.join(joinRequest(link));
    await guest.say({ text: "before" });
    await expect(sessions.join(joinRequest(link))).rejects.toMatchObject({ code: "already-joined" });
    expect(host.health.standby).toEqual({ state: "off" });
    made.failWith = new TunnelError("cloudflared-api-down");
    made.opened[0]?.die();
    await until("there is none", () => host.health.active.state === "waiting");
    expect(codeOf(() => host.invite(1))).toBe("address-lost");
    await host.say({ text: "while away" });
    expect(await guest.say({ text: "queued" })).toMatchObject({ status: "queued" });
    made.failWith = undefined;
    await until("there is another", () => host.health.active.state === "up");
    expect(shown(host).filter((one) => typeof one !== "string")).toMatchObject([
      { notice: "address-lost", error: { code: "cloudflared-exited" } },
      { notice: "address-restored" },
    ]);
    const [invite] = host.invite(1);
    const again = await sessions.join(joinRequest(invite?.joinLink));
    expect(again).toBe(guest);
    await until("nothing waits", () => guest.unplaced === 0 && host.inbox.unread > 0);
    expect([shown(guest), shown(host)]).toEqual([["while away"], ["queued"]]);
    // The invite was a signpost only: somebody else can still use it. That in the link made for the member is void.
    await until("one is left", () => host.pendingInvites().length === 1);
    expect(host.pendingInvites()).toMatchObject([{ inviteId: invite?.inviteId }]);
  });

  it("a link to the same room with another host key is refused as what it may be", async () => {
    const { provider } = passages();
    const { link } = await hosting(provider);
    const other = await hosting(provider);
    const sessions = guests();
    await sessions.join(joinRequest(link));
    const forged = link.slice(0, link.lastIndexOf(".")) + other.link.slice(other.link.lastIndexOf("."));
    await expect(sessions.join(joinRequest(forged))).rejects.toMatchObject({ code: "link-other-host" });
  });
});

/** The links in the notices that members need to come back, by name. */
function linksFor(shownToHost: readonly (string | NoticeEntry)[]): Record<string, string> {
  const links = shownToHost.flatMap((one) =>
    typeof one !== "string" && one.notice === "address-restored"
      ? one.members.map(({ memberName, joinLink }): [string, string] => [memberName, joinLink])
      : [],
  );
  return Object.fromEntries(links);
}

const kinds = (shownToHost: readonly (string | NoticeEntry)[]): string[] =>
  shownToHost.map((one) => (typeof one === "string" ? one : one.notice));

const nameOf = (guest: GuestSession): string => guest.presence().find(({ isSelf }) => isSelf)?.name ?? "";

const isBack = (guest: GuestSession) => (): boolean => guest.connection.name === "connected";

/** A host with its spare, and a guest that knows both addresses. */
async function settledPair(clock?: Clock) {
  const made = passages();
  const { host, link } = await hosting(made.provider);
  const sessions = guests(clock);
  const guest = await sessions.join(joinRequest(link));
  await until("a spare one is ready", () => host.health.standby.state === "ready");
  return { made, opened: made.opened, host, sessions, guest };
}

describe("an outage that is longer than a tunnel is worth waiting for", () => {
  it("ends no tunnel that a member may dial: it comes back by the old name, and hears of the others then", async () => {
    const { opened, host, guest } = await settledPair();
    const [first, second] = opened;
    first?.cut();
    second?.cut();
    await until("another one is open, and its spare", () => opened.length >= 4);
    await until("they are in use", () => host.health.standby.state === "ready");
    expect([first?.isStopped, second?.isStopped]).toEqual([false, false]);
    expect(host.cutOff).toMatchObject([{ needsLink: false }]);
    await host.say({ text: "meanwhile" });
    first?.restore();
    await until("the guest is back", isBack(guest));
    await until("it has it", () => guest.inbox.unread === 1);
    await until(
      "what was kept for it is gone",
      () => opened.filter(({ isStopped }) => !isStopped).length === 2,
    );
    await until("the guest is back for good", isBack(guest));
    expect(host.cutOff).toEqual([]);
    expect(shown(guest)).toEqual(["meanwhile"]);
  });

  it("ends no tunnel to which an unused link leads: the link works when it comes back", async () => {
    const { provider, opened } = passages();
    const { host, link } = await hosting(provider);
    opened[0]?.cut();
    await until("another one is open", () => opened.length === 2 && host.health.active.state === "up");
    expect(opened[0]?.isStopped).toBe(false);
    opened[0]?.restore();
    const guest = await guests().join(joinRequest(link));
    expect(guest.connection.name).toBe("connected");
    expect(kinds(shown(host))).not.toContain("invites-reissued");
  });

  it("is told to the host's agent, and so is its end; the status says that the member cannot come", async () => {
    const { made, opened, host, guest } = await settledPair();
    made.failWith = new TunnelError("cloudflared-api-down");
    for (const passage of opened) passage.cut();
    await until("it is told", () => host.inbox.unread > 1);
    const told = shown(host);
    expect(kinds(told)).toEqual(["address-lost"]);
    expect(told).toMatchObject([{ error: { code: "address-silent" } }]);
    expect(host.cutOff).toEqual([{ name: nameOf(guest), needsLink: false }]);
    expect(host.health.active.state).toBe("degraded");
    for (const passage of opened) passage.restore();
    await until("its end is told", () => host.inbox.unread > 0);
    expect(shown(host)).toMatchObject([{ notice: "address-restored", members: [] }]);
    await until("the guest is back", isBack(guest));
  });
});

/** A guest whose only address has died, and what its host's agent was told, the link for it included. */
async function stranded() {
  const { provider, opened } = passages();
  const { host, link } = await hosting(provider, { standby: false });
  const sessions = guests();
  const guest = await sessions.join(joinRequest(link));
  opened[0]?.die();
  await until("there is a link for it", () => Object.keys(linksFor(shownSoFar(host))).length > 0);
  const given = linksFor(shownSoFar(host))[nameOf(guest)] ?? "";
  return { opened, host, sessions, guest, given };
}

describe("members that no known address can lead back", () => {
  it("both known ones die at once: the agent is given a link for the member, which is back with it", async () => {
    const { made, opened, host, sessions, guest } = await settledPair();
    made.failWith = new TunnelError("cloudflared-api-down");
    for (const passage of opened) passage.die();
    await until("none is left", () => host.health.active.state === "waiting");
    expect(await guest.say({ text: "queued" })).toMatchObject({ status: "queued" });
    made.failWith = undefined;
    await until("there is a link for it", () => Object.keys(linksFor(shownSoFar(host))).length > 0);
    const told = shownSoFar(host);
    expect(new Set(kinds(told))).toEqual(new Set(["address-lost", "address-restored"]));
    const links = linksFor(told);
    expect(host.cutOff).toEqual([]);
    expect(Object.keys(links)).toEqual([nameOf(guest)]);
    expect(await sessions.join(joinRequest(links[nameOf(guest)]))).toBe(guest);
    await until("nothing waits", () => guest.unplaced === 0);
    await until("the link lets nobody else in", () => host.pendingInvites().length === 0);
  });

  it("one member's known ones die while the others have newer ones: it alone gets a link, though an address was there all the time", async () => {
    const clock = heldClock();
    const { opened, host, sessions, guest } = await settledPair(clock);
    const other = await guests().join(joinRequest(host.invite(1)[0]?.joinLink));
    await until("both know both", () => host.health.standby.state === "ready");
    // The first guest is a process that stands still while both tunnels are replaced.
    clock.hold();
    for (const index of [0, 1]) {
      opened[index]?.die();
      const count = index + 3;
      await until("replaced", () => opened.length >= count && host.health.standby.state === "ready");
      await until("the other guest is back", isBack(other));
    }
    await until("there is a link for it", () => Object.keys(linksFor(shownSoFar(host))).length > 0);
    const links = linksFor(shownSoFar(host));
    expect(Object.keys(links)).toEqual([nameOf(guest)]);
    clock.release();
    expect(await sessions.join(joinRequest(links[nameOf(guest)]))).toBe(guest);
    expect(guest.connection.name).toBe("connected");
  });

  it("a member that came back otherwise needs its link no more, and the invite in it is void", async () => {
    const { host, sessions, guest, given } = await stranded();
    expect(host.pendingInvites()).toHaveLength(1);
    const [another] = host.invite(1);
    await sessions.join(joinRequest(another?.joinLink));
    await until("it is void", () => host.pendingInvites().length === 1);
    expect(guest.connection.name).toBe("connected");
    await expect(guests().join(joinRequest(given))).rejects.toMatchObject({ code: "invite-refused" });
  });

  it("in a full room there is no seat for an invite: the link leads the member back all the same, and lets nobody in", async () => {
    const { provider, opened } = passages();
    const { host, link } = await hosting(provider, { standby: false });
    const sessions = guests();
    const guest = await sessions.join(joinRequest(link));
    host.invite(62);
    expect(codeOf(() => host.invite(1))).toBe("invite-limit");
    opened[0]?.die();
    const told: (string | NoticeEntry)[] = [];
    await until("there is a link for it", () => {
      // The many new invites fill a batch of their own.
      told.push(...shown(host));
      return Object.keys(linksFor(told)).length > 0;
    });
    const given = linksFor(told)[nameOf(guest)];
    expect(told).toContainEqual(
      expect.objectContaining({ members: [{ memberName: "ben", joinLink: given, inviteId: undefined }] }),
    );
    await expect(guests().join(joinRequest(given))).rejects.toMatchObject({ code: "invite-refused" });
    expect(await sessions.join(joinRequest(given))).toBe(guest);
    expect(guest.connection.name).toBe("connected");
  });

  it("the address in the link dies as well: there is a new one, and only one of them", async () => {
    const { opened, host, sessions, guest, given: first } = await stranded();
    opened[1]?.die();
    await until("there is another link", () => Object.values(linksFor(shownSoFar(host)))[0] !== first);
    const told = shownSoFar(host);
    expect(kinds(told)).not.toContain("invites-reissued");
    expect(host.pendingInvites()).toHaveLength(1);
    expect(await sessions.join(joinRequest(Object.values(linksFor(told))[0]))).toBe(guest);
  });

  it("a tunnel that dies in the very moment in which the spare is there: who has heard of it moves, who has not gets a link", async () => {
    for (let round = 0; round < 6; round += 1) {
      const { provider, opened } = passages();
      const { host, link } = await hosting(provider);
      const sessions = guests();
      const guest = await sessions.join(joinRequest(link));
      await until("the spare is open", () => opened.length === 2);
      opened[0]?.die();
      await host.say({ text: "moved" });
      const given = (): string | undefined => Object.values(linksFor(shownSoFar(host)))[0];
      await until("it is back, or has a link", () => guest.inbox.unread === 1 || given() !== undefined);
      if (guest.inbox.unread === 0) await sessions.join(joinRequest(given()));
      await until("the guest has it", () => guest.inbox.unread === 1);
      await host.close();
    }
  });

  it("a spare is called ready only when those who are here know it: killing the first one then strands nobody", async () => {
    for (let round = 0; round < 6; round += 1) {
      const { opened, host, guest } = await settledPair();
      opened[0]?.die();
      await host.say({ text: "moved" });
      await until("the guest has it", () => guest.inbox.unread === 1);
      expect(linksFor(shownSoFar(host))).toEqual({});
      await host.close();
    }
  });
});

describe("with the real provider", () => {
  const startSchema = z.object({ pid: z.number(), host: z.string(), proxyPort: z.number() });

  /** A host whose tunnels are processes, and the file to which each of these adds a line. */
  async function hostingProcesses(variables: Readonly<Record<string, string>> = {}) {
    const root = mkdtempSync(join(tmpdir(), "tunnel-moving-"));
    mkdirSync(join(root, "tmp"));
    cleanups.push(() => rmSync(root, { recursive: true, force: true }));
    const state = join(root, "state");
    const starts = (): z.infer<typeof startSchema>[] =>
      completeLines(state).map((line) => startSchema.parse(JSON.parse(line)));
    const environment = binaryEnvironment(process.env, { ...hostFacts(), tempDirectory: join(root, "tmp") });
    const clock = fastClock(10);
    const real = createCloudflaredOpener({
      environment,
      explicitPath: standIn(root, { FAKE_CF_STATE: state, ...variables }),
      clock,
      doh: false,
      skipReachabilityCheck: true,
    });
    // The stand-in has no TLS and no name: its address is exchanged for that of its own port.
    const provider: TunnelOpener = async (request) => {
      const tunnel = await real(request);
      const start = starts().find(({ host }) => tunnel.url.endsWith(host));
      return { ...tunnel, url: `ws://127.0.0.1:${start?.proxyPort}` };
    };
    return { ...(await hosting(provider)), starts };
  }

  it("a cloudflared that is killed is replaced by the spare one under a conversation", async () => {
    const { host, link, starts } = await hostingProcesses();
    const guest = await guests().join(joinRequest(link));
    await until("a spare one runs", () => host.health.standby.state === "ready");
    // What arrives after the news of the addresses shows that these have arrived.
    await host.say({ text: "settled" });
    await until("the guest knows the way", () => guest.inbox.unread === 1);
    const [first] = starts();
    process.kill(first?.pid ?? 0, "SIGKILL");
    await host.say({ text: "in between" });
    await until("the guest has it", () => guest.inbox.unread === 2 && guest.connection.name === "connected");
    expect(shown(guest)).toEqual(["settled", "in between"]);
    await until("a third one runs", () => starts().length === 3 && host.health.standby.state === "ready");
    await host.close();
    await Promise.all(starts().map(({ pid }) => gone(pid)));
  }, 30_000);

  it.each(["refused", "hanging"] as const)(
    "an edge that is %s for longer than a minute: the guest comes back by an old name, and nothing is lost or doubled",
    async (mode) => {
      const edge = await FakeEdge.start();
      cleanups.push(() => edge.stop());
      const variables = { FAKE_CF_EDGE: String(edge.port), FAKE_CF_SPEED: "20" };
      const { host, link, starts } = await hostingProcesses(variables);
      const guest = await guests().join(joinRequest(link));
      await until("a spare one is ready", () => host.health.standby.state === "ready");
      const [unused] = host.invite(1);
      const old = starts();
      await edge.turn(mode);
      await until("it is noticed", () => guest.connection.name !== "connected");
      await host.say({ text: "host meanwhile" });
      await guest.say({ text: "guest meanwhile" });
      // A hundred seconds for the host.
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      expect(guest.connection.name).not.toBe("connected");
      expect(old.map(({ pid }) => isRunning(pid))).toEqual([true, true]);
      await edge.turn("up");
      await until("all has arrived", () => guest.inbox.unread === 1 && guest.unplaced === 0);
      expect(shown(guest)).toEqual(["host meanwhile"]);
      await until("the agent is told", () => kinds(shownSoFar(host)).includes("address-restored"));
      const told = shown(host);
      expect(told.filter((one) => typeof one === "string")).toEqual(["guest meanwhile"]);
      expect(kinds(told)).toEqual(expect.arrayContaining(["address-lost", "address-restored"]));
      expect(linksFor(told)).toEqual({});
      // The link was handed out before.
      const other = await guests().join(joinRequest(unused?.joinLink));
      expect(other.connection.name).toBe("connected");
    },
    40_000,
  );
});
