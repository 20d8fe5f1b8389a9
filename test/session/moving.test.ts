import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import { parseLink } from "../../src/protocol/handshake/invite-link.ts";
import type { HostSession } from "../../src/session/host-session.ts";
import type { NoticeEntry } from "../../src/session/notice.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { createCloudflaredOpener } from "../../src/tunnel/cloudflared/cloudflared.ts";
import { binaryEnvironment, hostFacts } from "../../src/tunnel/cloudflared/environment.ts";
import type { Tunnel, TunnelOpener } from "../../src/tunnel/provider.ts";
import { fastClock } from "../support/fake-tunnel-clock.ts";
import { standIn } from "../support/tunnels/stand-in.ts";
import { completeLines } from "../support/lines.ts";
import { gone, until } from "../support/processes.ts";
import { codeOf } from "../support/thrown.ts";
import { hostRequest, joinRequest, sessionsOn } from "./support.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** A tunnel to a port on this machine that has an address of its own and can die. */
class Passage implements Tunnel {
  readonly provider = "cloudflared";
  readonly description = "a passage";
  readonly url: string;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;
  readonly #listeners = new Set<(error: TunnelError) => void>();
  #error: TunnelError | undefined;
  isStopped = false;

  private constructor(server: Server, sockets: Set<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async to(port: number): Promise<Passage> {
    const sockets = new Set<Socket>();
    const server = createServer((near) => {
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
    return new Passage(server, sockets);
  }

  health: Tunnel["health"] = () =>
    this.#error === undefined ? { state: "up" } : { state: "down", error: this.#error };

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

function guests(): Sessions {
  const sessions = sessionsOn(fastClock(20));
  cleanups.push(() => sessions.shutDown());
  return sessions;
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
    // The invite was a signpost only: somebody else can still use it.
    expect(host.pendingInvites()).toHaveLength(1);
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

describe("with the real provider", () => {
  const startSchema = z.object({ pid: z.number(), host: z.string(), proxyPort: z.number() });

  it("a cloudflared that is killed is replaced by the spare one under a conversation", async () => {
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
      explicitPath: standIn(root, { FAKE_CF_STATE: state }),
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
    const { host, link } = await hosting(provider);
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
});
