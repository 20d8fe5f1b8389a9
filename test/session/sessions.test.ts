import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import { SESSION } from "../../src/protocol/base/limits.ts";
import { systemClock, type Clock } from "../../src/runtime/clock.ts";
import type { HostSession } from "../../src/session/host-session.ts";
import type { GuestSession } from "../../src/session/guest-session.ts";
import type { Sessions, SessionsEvent } from "../../src/session/sessions.ts";
import { createDirectOpener } from "../../src/tunnel/direct.ts";
import type { TunnelOpener } from "../../src/tunnel/provider.ts";
import { portOf } from "../support/agent.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import { accepts, until } from "../support/processes.ts";
import { codeOf } from "../support/thrown.ts";
import { CONFIG, hostRequest, joinRequest, sessionsOn, takenPort, watchedProvider } from "./support.ts";

let cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  cleanups = [];
});

const MINUTE = 60_000;

function sessions(
  clock: Clock,
  ...rest: [Parameters<typeof sessionsOn>[1]?, Parameters<typeof sessionsOn>[2]?]
): Sessions {
  const made = sessionsOn(clock, ...rest);
  cleanups.push(() => made.shutDown());
  return made;
}

/** Keeps a fake clock going until something real has happened. */
async function turning<Result>(clock: FakeClock, what: Promise<Result>, stepMs = 500): Promise<Result> {
  let done = false;
  const settled = what.finally(() => (done = true));
  settled.catch(() => undefined);
  await until("the turning clock has brought it about", async () => {
    if (!done) await clock.advance(stepMs);
    return done;
  });
  return settled;
}

async function paired(
  clock: FakeClock,
  provider?: TunnelOpener,
): Promise<{ host: HostSession; guest: GuestSession; joinLink: string }> {
  const hosts = sessions(clock, {}, provider === undefined ? {} : { direct: provider });
  const { hosting, invites } = await hosts.host(hostRequest());
  const joinLink = invites[0]?.joinLink ?? "";
  const guest = await sessions(clock).join(joinRequest(joinLink));
  await until("the host knows", () => hosting.presence().length === 2);
  return { host: hosting, guest, joinLink };
}

/** A public address in front of the port that can be cut and mended. */
async function cuttable(): Promise<{ provider: TunnelOpener; cut: () => void; mend: () => void }> {
  let target = 0;
  let isCut = false;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    if (isCut) return socket.destroy();
    const onward = connect(target, "127.0.0.1");
    onward.on("error", () => socket.destroy());
    for (const one of [socket, onward]) sockets.add(one);
    socket.pipe(onward).pipe(socket);
    return undefined;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const drop = (): void => sockets.forEach((socket) => socket.destroy());
  cleanups.push(() => {
    drop();
    server.close();
  });
  const publicUrl = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const direct = createDirectOpener({ bind: "127.0.0.1", publicUrl });
  return {
    provider: (request) => {
      target = request.port;
      return direct(request);
    },
    cut: () => {
      isCut = true;
      drop();
    },
    mend: () => (isCut = false),
  };
}

describe("what is told to those who observe sessions", () => {
  it("a new one, every entry, news for the agent, presence, and the end; and nothing after unsubscribing", async () => {
    const clock = new FakeClock();
    const [hosts, guests] = [sessions(clock), sessions(clock)];
    const told = { host: [] as SessionsEvent[], guest: [] as SessionsEvent[] };
    const unsubscribe = hosts.subscribe((event) => told.host.push(event));
    guests.subscribe((event) => told.guest.push(event));
    let news = 0;
    hosts.onNews(() => (news += 1));
    const types = (of: "host" | "guest"): string[] => told[of].splice(0).map(({ type }) => type);

    const { hosting, invites } = await hosts.host(hostRequest());
    expect(told.host).toEqual([{ type: "opened", tunnelId: hosting.tunnelId }]);
    const guest = await guests.join(joinRequest(invites[0]?.joinLink));
    await until("the host knows", () => hosting.presence().length === 2);
    expect(types("host")).toEqual(expect.arrayContaining(["opened", "entry", "news", "presence"]));
    expect(types("guest")).toContain("opened");
    expect(news).toBe(2);

    await guest.say({ text: "hello" });
    // Own words are heard in the room, an entry, and no news.
    expect(types("guest").filter((type) => type !== "presence")).toEqual(["heard", "entry"]);
    expect(types("host").filter((type) => type !== "presence")).toEqual(["heard", "entry", "news"]);

    unsubscribe();
    await hosting.close();
    await until("the guest knows", () => guest.end !== undefined);
    expect(types("guest")).toEqual(expect.arrayContaining(["news", "ended"]));
    expect(types("host")).toEqual([]);
    expect(news).toBe(4);
  });
});

describe("a saved transcript", () => {
  it("lies in the working directory that was handed in, whatever that of the process is", async () => {
    const cwd = realpathSync(mkdtempSync(path.join(tmpdir(), "tunnel-cwd-")));
    const all = sessionsOn(new FakeClock(), {}, {}, { cwd });
    cleanups.push(() => rmSync(cwd, { recursive: true, force: true }));
    cleanups.push(() => all.shutDown());
    const { hosting } = await all.host(hostRequest());
    const saved = await all.transcripts.save(hosting, "talk");
    expect([saved.path, saved.markdown]).toEqual(
      ["json", "md"].map((ending) => path.join(cwd, `talk.transcript.${ending}`)),
    );
  });
});

describe("which tunnel a call means", () => {
  it("the only open one, the named one, or the one that ended last", async () => {
    const all = sessions(new FakeClock());
    expect(codeOf(() => all.resolve(undefined))).toBe("no-tunnel");
    expect(codeOf(() => all.resolve("x"))).toBe("tunnel-unknown");
    const { hosting: first } = await all.host(hostRequest());
    expect(all.resolve(undefined)).toBe(first);
    const { hosting: second } = await all.host(hostRequest());
    expect(codeOf(() => all.resolve(undefined))).toBe("tunnel-ambiguous");
    expect(all.resolve(second.tunnelId)).toBe(second);
    await first.close();
    expect(all.resolve(undefined)).toBe(second);
    expect(all.resolve(first.tunnelId)).toBe(first);
    await second.close();
    expect(all.resolve(undefined)).toBe(second);
  });

  it("remembers ended tunnels, but not for ever", async () => {
    const all = sessions(new FakeClock());
    const ids: string[] = [];
    for (let made = 0; made < 12; made += 1) {
      const { hosting } = await all.host(hostRequest());
      ids.push(hosting.tunnelId);
      await hosting.close();
    }
    expect(all.all.length).toBeLessThan(10);
    expect(all.resolve(undefined).tunnelId).toBe(ids.at(-1));
    expect(codeOf(() => all.resolve(ids[0]))).toBe("tunnel-unknown");
  });

  it("so many may be open at once, those being opened included", async () => {
    const all = sessions(new FakeClock());
    const wanted = Array.from({ length: SESSION.maxTunnels + 2 }, () => all.host(hostRequest()));
    const results = await Promise.allSettled(wanted);
    const codes = results.flatMap((result) =>
      result.status === "rejected" && result.reason instanceof TunnelError ? [result.reason.code] : [],
    );
    expect(codes).toEqual(["too-many-tunnels", "too-many-tunnels"]);
    expect(all.open).toHaveLength(SESSION.maxTunnels);
  });
});

describe("opening", () => {
  it("a port in use is told, and is not asked of the provider", async () => {
    const { port, free } = await takenPort();
    const watched = watchedProvider();
    const all = sessions(new FakeClock(), { port }, { direct: watched.provider });
    await expect(all.host(hostRequest())).rejects.toMatchObject({ code: "port-in-use" });
    expect(watched.ports).toEqual([]);
    free();
  });

  it("an address of another machine cannot be bound", async () => {
    const all = sessions(new FakeClock(), { bind: "192.0.2.1" });
    await expect(all.host(hostRequest())).rejects.toMatchObject({ code: "bind-failed", detail: "192.0.2.1" });
  });

  it("a provider that fails leaves no listener and no tunnel", async () => {
    let port = 0;
    const direct: TunnelOpener = (request) => {
      port = request.port;
      return Promise.reject(new TunnelError("cloudflared-blocked"));
    };
    const all = sessions(new FakeClock(), {}, { direct });
    await expect(all.host(hostRequest())).rejects.toMatchObject({ code: "cloudflared-blocked" });
    expect([await accepts(port), all.all]).toEqual([false, []]);
  });

  it("a cancelled opening leaves no listener either", async () => {
    const abort = new AbortController();
    let port = 0;
    const direct: TunnelOpener = (request) =>
      new Promise((_, reject) => {
        port = request.port;
        request.signal.addEventListener("abort", () => reject(new TunnelError("cancelled")));
      });
    const all = sessions(new FakeClock(), {}, { direct });
    const opening = all.host(hostRequest("goal", abort.signal));
    await until("the provider was asked", () => port !== 0);
    expect(await accepts(port)).toBe(true);
    abort.abort();
    await expect(opening).rejects.toMatchObject({ code: "cancelled" });
    expect([await accepts(port), all.all]).toEqual([false, []]);
  });

  it("what is being opened when everything is shut down is closed again", async () => {
    const watched = watchedProvider();
    let go = (): void => undefined;
    const direct: TunnelOpener = async (request) => {
      await new Promise<void>((resolve) => (go = resolve));
      return watched.provider(request);
    };
    const all = sessions(new FakeClock(), {}, { direct });
    const opening = all.host(hostRequest());
    opening.catch(() => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    await all.shutDown();
    await until("the provider was asked", () => {
      go();
      return watched.ports.length === 1;
    });
    await expect(opening).rejects.toMatchObject({ code: "cancelled" });
    expect([watched.stops, await accepts(watched.ports[0] ?? 0)]).toEqual([1, false]);
  });

  it("closing does not wait for the program of the tunnel, while the next opening and the end of the process do", async () => {
    const order: string[] = [];
    const ends: (() => void)[] = [];
    const direct: TunnelOpener = async (request) => {
      order.push("opens");
      const tunnel = await watchedProvider().provider(request);
      const stop = async (): Promise<void> => {
        await new Promise<void>((resolve) => ends.push(resolve));
        order.push("has ended");
      };
      return { ...tunnel, stop };
    };
    const all = sessions(systemClock, {}, { direct });
    const { hosting, invites } = await all.host(hostRequest());
    const guests = sessions(systemClock);
    const joined = await guests.join(joinRequest(invites[0]?.joinLink));
    await hosting.close();
    order.push("closed");
    await until("the guest has been told", () => joined.end?.cause === "closed-by-host");

    const next = all.host(hostRequest());
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(order).toEqual(["opens", "closed"]);
    ends.shift()?.();
    await next;
    expect(order).toEqual(["opens", "closed", "has ended", "opens"]);

    const end = all.shutDown().then(() => order.push("shut down"));
    await until("the program is asked to end", () => ends.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(order.at(-1)).toBe("opens");
    ends.shift()?.();
    await end;
    expect(order.slice(-2)).toEqual(["has ended", "shut down"]);
  });

  it("a long download of the provider does not use up the idle time", async () => {
    const clock = new FakeClock();
    let go = (): void => undefined;
    const ready = new Promise<void>((resolve) => (go = resolve));
    const watched = watchedProvider();
    let asked = false;
    const direct: TunnelOpener = async (request) => {
      asked = true;
      await ready;
      return watched.provider(request);
    };
    const all = sessions(clock, { idleMinutes: 1 }, { direct });
    const opening = all.host(hostRequest());
    await until("the provider was asked", () => asked);
    await clock.advance(3 * MINUTE);
    go();
    expect((await opening).hosting.end).toBeUndefined();
  });
});

describe("the end by idleness", () => {
  it("is announced, then takes the relay and the tunnel with it on both sides", async () => {
    const clock = new FakeClock();
    const watched = watchedProvider();
    const { host, guest } = await paired(clock, watched.provider);
    const [port = 0] = watched.ports;
    // Pings must cross for real on the way, so the time goes by in steps.
    await until("it has ended", async () => {
      await clock.advance(15_000);
      return host.end !== undefined;
    });
    expect(host.end).toEqual({ cause: "idle" });
    await until("the guest was told", () => guest.end !== undefined);
    expect(guest.end).toEqual({ cause: "idle" });
    const events = guest.inbox.take("a", 99).entries.map(({ entry }) => "event" in entry && entry.event);
    expect(events).toEqual(["idle-warning", "ended"]);
    await host.close();
    expect(watched.stops).toBe(1);
    expect(await accepts(port)).toBe(false);
    expect(host.pendingInvites()).toEqual([]);
  });
});

describe("saying", () => {
  it("to nobody is an error; to somebody who is there it is sent", async () => {
    const clock = new FakeClock();
    const lonely = (await sessions(clock).host(hostRequest())).hosting;
    await expect(lonely.say({ text: "x" })).rejects.toMatchObject({ code: "nobody-joined" });
    const { host, guest } = await paired(clock);
    expect(await host.say({ text: "x" })).toEqual({ status: "sent", seq: 2 });
    await until("it came", () => guest.inbox.unread === 1);
    expect(await guest.say({ text: "y" })).toEqual({ status: "sent", seq: 3 });
    await guest.close();
    await until("it has left", () => host.presence().length === 1);
    await expect(host.say({ text: "x" })).rejects.toMatchObject({ code: "nobody-joined" });
    await expect(guest.say({ text: "x" })).rejects.toMatchObject({ code: "tunnel-closed" });
  });

  it("hundreds of messages at once, by either side: each is confirmed, and they keep their order", async () => {
    const clock = new FakeClock();
    const { host, guest } = await paired(clock);
    const texts = Array.from({ length: 600 }, (_, at) => `message ${at}`);
    for (const [speaker, listener] of [
      [host, guest],
      [guest, host],
    ] as const) {
      const first = speaker.inbox.lastSeq + 1;
      // The clock stands still, so no wait can end but by its confirmation.
      const answers = await Promise.all(texts.map((text) => speaker.say({ text })));
      expect(answers).toEqual(texts.map((_, at) => ({ status: "sent", seq: first + at })));
      const heard = [...listener.inbox.said()].filter(({ own }) => !own);
      expect(heard.map((entry) => entry.kind === "chat" && entry.text)).toEqual(texts);
    }
  });

  it("while the link is down is queued, and arrives once and in order when it is back", async () => {
    const clock = new FakeClock();
    const wire = await cuttable();
    const { host, guest } = await paired(clock, wire.provider);
    wire.cut();
    await until("both noticed", () => {
      const away = host.presence().find((member) => !member.isSelf);
      return away?.connected === false && guest.connection.name !== "connected";
    });
    const fromGuest = await guest.say({ text: "from the guest" });
    expect(fromGuest).toMatchObject({
      status: "queued",
      seq: undefined,
      reason: expect.stringContaining("down"),
    });
    expect(guest.unplaced).toBe(1);
    const fromHost = await host.say({ text: "from the host" });
    expect(fromHost).toMatchObject({ status: "queued", seq: 2, reason: expect.stringContaining("back") });
    wire.mend();
    const back = until("both have all", () => host.inbox.lastSeq === 3 && guest.inbox.lastSeq === 3);
    await turning(clock, back);
    const heard = [host, guest].map(({ inbox }) =>
      inbox.take("a", 9).entries.flatMap(({ entry }) => (entry.kind === "chat" ? [entry.text] : [])),
    );
    expect(heard).toEqual([["from the guest"], ["from the host"]]);
    expect(guest.unplaced).toBe(0);
  });
});

describe("joining", () => {
  it("is for others' tunnels, and once for each", async () => {
    const clock = new FakeClock();
    const hosts = sessions(clock);
    const { invites } = await hosts.host(hostRequest());
    const request = joinRequest(invites[0]?.joinLink);
    await expect(hosts.join(request)).rejects.toMatchObject({ code: "own-link" });
    const guests = sessions(clock);
    const both = await Promise.allSettled([guests.join(request), guests.join(request)]);
    expect(both).toMatchObject([{ status: "fulfilled" }, { reason: { code: "already-joined" } }]);
  });

  it.each([
    ["accepts and says nothing", () => undefined],
    ["accepts and hangs up", (socket: { close: () => void }) => socket.close()],
  ])("does not wait for ever for a host that %s", async (_, treat) => {
    const clock = new FakeClock();
    const web = createHttpServer();
    const server = new WebSocketServer({ server: web });
    server.on("connection", treat);
    await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => {
      server.clients.forEach((socket) => socket.terminate());
      server.close();
      web.close();
    });
    const origin = `ws://127.0.0.1:${(web.address() as AddressInfo).port}`;
    const { invites } = await sessions(clock).host(hostRequest());
    const joinLink = invites[0]?.joinLink.replace(/^ws:\/\/[^/]+/, origin);
    const guests = sessions(clock);
    const joining = guests.join(joinRequest(joinLink));
    joining.catch(() => undefined);
    await until("it was dialled", () => server.clients.size > 0 || guests.all.length === 0);
    await expect(turning(clock, joining, 1_000)).rejects.toMatchObject({
      code: expect.stringMatching(/^(?:handshake-timeout|host-unreachable)$/),
    });
    expect(guests.all).toEqual([]);
  });

  it("that is cancelled leaves no socket behind", async () => {
    const clock = new FakeClock();
    let open = 0;
    const silent = createServer((socket) => {
      open += 1;
      socket
        .on("error", () => undefined)
        .on("close", () => (open -= 1))
        .resume();
    });
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => silent.close());
    const { port } = silent.address() as AddressInfo;
    const { invites } = await sessions(clock).host(hostRequest());
    const joinLink = invites[0]?.joinLink ?? "";
    const abort = new AbortController();
    const request = joinRequest(joinLink.replace(`:${portOf(joinLink)}/`, `:${port}/`), abort.signal);
    const joining = sessions(clock).join(request);
    await until("it was dialled", () => open === 1);
    abort.abort();
    await expect(joining).rejects.toMatchObject({ code: "cancelled" });
    await until("the socket is gone", () => open === 0);
  });

  it("the configured name is used unless the call gives one", async () => {
    const all = sessions(new FakeClock(), { ...CONFIG, name: "configured" });
    const named = async (name: string | undefined): Promise<string | undefined> =>
      (await all.host({ ...hostRequest(), name })).hosting.presence()[0]?.name;
    expect([await named(undefined), await named("given")]).toEqual(["configured", "given"]);
    await expect(named("\n")).rejects.toMatchObject({ code: "name-invalid" });
  });
});
