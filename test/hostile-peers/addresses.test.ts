import { describe, expect, it } from "vitest";
import { areAddresses } from "../../src/protocol/guest/known-addresses.ts";
import { LINK } from "../../src/protocol/base/limits.ts";
import { formatLink, isOrigin, parseLink } from "../../src/protocol/handshake/invite-link.ts";
import { Room } from "../../src/protocol/host/room.ts";
import { createLookup } from "../../src/net/resolve.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { loadDial, GuestSocket, type GuestNotice } from "../../src/transport/guest-socket.ts";
import { Guest } from "../../src/protocol/guest/guest.ts";
import { FRAME } from "../../src/protocol/record/record.ts";
import { startRelay } from "../../src/transport/relay-server.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import { HostileHost, Victim } from "./support/host.ts";
import { expectCaught } from "./support/room.ts";
import { until } from "../support/processes.ts";
import { guestDid, ORIGIN, texts, World } from "../support/wire.ts";

const HOSTILE = "ws://127.0.0.1:666";

describe("a hostile host that says where it is to be found", () => {
  it.each([
    "ws://calm-red-fox.trycloudflare.com",
    "wss://169.254.169.254",
    "wss://[fd00::1]",
    "wss://10.0.0.1:22",
    "wss://0x7f000001",
    "wss://2130706433",
    "wss://me:pw@calm.example",
    "wss://calm.example/t/x",
    "wss://CALM.example",
    "https://calm.example",
    "",
  ])("(A25) [U2] cannot lead a member that joined by a name over TLS to %s", (origin) => {
    const link = "wss://calm-red-fox.trycloudflare.com";
    expect(areAddresses(link, ["wss://still-blue-owl.trycloudflare.com"])).toBe(true);
    expect(areAddresses(link, ["wss://still-blue-owl.trycloudflare.com", origin])).toBe(false);
  });

  it.each([
    "ws://[:::]",
    "wss://xn--a",
    "ws://a b",
    "ws://127.0.0.1:99999",
    "ws://127.0.0.1:1/x",
    "x".repeat(600),
  ])("(A25) [U1] [F2] cannot name %s: it ends the stay, or is an address that can be dialled", (origin) => {
    const host = new HostileHost();
    const ben = host.session("ben");
    ben.put(FRAME.note, host.codec.encodeHostNote({ members: [], addresses: [origin] }));
    if (!isOrigin(origin)) return expectCaught(ben, "protocol-violation", ["joined"]);
    expect(ben.end).toBeUndefined();
  });

  it("(A25) cannot end a member's process with an address that no URL parser takes", async () => {
    const clock = new FakeClock();
    const options = { goal: "g", hostName: "ana", history: false, idleMs: 1e8, inviteMs: 1e6 };
    const room = new Room(nodePrimitives, options, clock.now());
    const notice = (): void => undefined;
    const bind = { bind: "127.0.0.1", port: 0, sourceHeader: undefined };
    const relay = await startRelay({ room, clock, ...bind, onNotice: notice });
    const { key } = relay.run((one, now) => one.mint(now));
    const origin = `ws://127.0.0.1:${relay.port}`;
    const link = parseLink(formatLink({ origin, room: room.id, key, hostKey: room.hostKey }));
    const member = new Guest(nodePrimitives, { link, name: "ben" }, clock.now());
    const heard: GuestNotice[] = [];
    const onNotice = (one: GuestNotice): void => void heard.push(one);
    const [dial, lookup] = [await loadDial(), createLookup({ doh: false })];
    const failures: string[] = [];
    const onFailure = ({ code }: { code: string }): void => void failures.push(code);
    const guest = new GuestSocket({ member, room: room.id, clock, dial, lookup, onNotice, onFailure });
    await until("joined", () => heard.some(({ type }) => type === "joined"));
    relay.run((one, now) => one.setAddresses(["ws://[:::]", "ws://xn--a", "ws://1.2.3.4.5"], now));
    await until("told", async () => {
      await clock.advance(100);
      return member.lastHeard >= clock.now() - 100;
    });
    const stopped = relay.stop();
    // A callback of the clock that throws would end this test, as it ends a process.
    for (let turn = 0; turn < 40; turn += 1) await clock.advance(1_000);
    await stopped;
    expect(["waiting", "connecting"]).toContain(member.connection.name);
    expect(failures.filter((code) => code === "link-address").length).toBeGreaterThan(2);
    const left = guest.stop();
    await clock.advance(5_000);
    await left;
  });

  it.each(["dead", "gone", "hole"] as const)(
    "(A25) [U3] who leads a member to an address that is %s does not lose it what it knows",
    (state) => {
      const world = new World();
      const ben = world.pair();
      world.origins.set(HOSTILE, state);
      world.room.setAddresses([HOSTILE], world.now);
      world.settle();
      world.cut(ben);
      ben.member.say({ text: "through all that" }, world.now);
      world.advance(60_000);
      expect(ben.member.connection.name).toBe("connected");
      expect(texts(world.hostEntries)).toEqual(["through all that"]);
    },
  );

  it("(A25) [U3] sends nobody back to an address that it has given up, which counts again when it does", () => {
    const world = new World({ idleMs: 24 * 3_600_000 });
    const ben = world.pair();
    const [first, second] = [HOSTILE, "ws://127.0.0.1:667"];
    const announce = (...addresses: string[]): void => {
      world.room.setAddresses(addresses, world.now);
      world.advance(LINK.ackDelayMs);
    };
    /** The addresses it tries before it waits, when nothing answers. */
    const round = (): string[] => {
      const before = guestDid(ben, "dial").length;
      ben.offline = true;
      world.cut(ben);
      world.advance((ben.member.nextDeadline() ?? 0) - world.now);
      ben.offline = false;
      const dialled = guestDid(ben, "dial").slice(before);
      world.advance(60_000);
      expect(ben.member.connection.name).toBe("connected");
      return dialled.map(({ origin }) => origin);
    };
    announce(first);
    expect(round()).toEqual([ORIGIN, first]);
    announce(second);
    expect(round()).toEqual([ORIGIN, second]);
    announce(ORIGIN, first);
    expect(round()).toEqual([ORIGIN, first]);
    // Its own link is left out as well, once it was announced and is not any more, although it was the last that worked.
    world.setOrigin(second, "up");
    announce(second);
    expect(round()).toEqual([second]);
    announce(first, ORIGIN);
    expect(round()).toEqual([first, ORIGIN]);
    // A fresh link to the same host is newer than what the host has given up.
    ben.member.prefer(second, world.now);
    expect(round()).toEqual([second, first, ORIGIN]);
  });

  it("(A22) (A25) [U3] with a flood of addresses makes a member try five of them a round, and remember few", () => {
    const host = new HostileHost();
    const ben: Victim = host.session("ben");
    for (let turn = 0; turn < 3_000; turn += 1) {
      const addresses = [0, 1, 2, 3].map((at) => `ws://127.0.0.1:${10_000 + turn * 4 + at}`);
      ben.put(FRAME.note, host.codec.encodeHostNote({ members: [], addresses }));
    }
    expect([ben.end, ben.log]).toEqual([undefined, ["joined"]]);
    const dialled: string[] = [];
    let [connection, now] = [1, host.now];
    for (let turn = 0; turn < 40; turn += 1) {
      ben.member.handle({ type: "closed", connection }, now);
      now += 20_000;
      ben.member.handle({ type: "tick" }, now);
      for (const effect of ben.member.takeEffects()) {
        if (effect.type !== "dial") continue;
        ({ connection } = effect);
        dialled.push(effect.origin);
      }
    }
    expect(dialled.length).toBeGreaterThan(10);
    expect(new Set(dialled).size).toBeLessThanOrEqual(LINK.maxAddresses + 1);
    expect(dialled).toContain(ORIGIN);
  });

  it("(A25) [H7] [K3] leads a member into the hands of another, who is given nothing and cannot play the host", () => {
    const [world, other] = [new World({ goal: "elsewhere" }), new World()];
    const ben = world.pair();
    world.room.setAddresses([HOSTILE], world.now);
    world.settle();
    const before = ben.wire.toHost.length;
    // The impostor there has a room of its own, and passes its challenge off as one of the member's room.
    const [challenge = new Uint8Array(0)] = other.sentTo(other.stranger().connection);
    ben.tamperToGuest = (message, at) => (at === 0 ? [challenge] : [message]);
    world.cut(ben);
    world.advance(5_000);
    expect(ben.wire.toHost.slice(before).filter((message) => message[0] === 0x10)).toEqual([]);
    expect(ben.member.connection.name).not.toBe("ended");
    expect(guestDid(ben, "alarm")).toEqual([]);
    ben.tamperToGuest = (message) => [message];
    world.advance(60_000);
    expect(ben.member.connection.name).toBe("connected");
  });
});
