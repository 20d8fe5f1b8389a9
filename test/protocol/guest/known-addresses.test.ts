import { describe, expect, it } from "vitest";
import { areAddresses } from "../../../src/protocol/guest/known-addresses.ts";
import { TunnelError } from "../../../src/errors/tunnel-error.ts";
import { LINK } from "../../../src/protocol/base/limits.ts";
import { endOf, guestDid, World, type Guest } from "../../support/wire.ts";

const MINUTE = 60_000;
const FIRST = "ws://127.0.0.1:1";
const SECOND = "ws://127.0.0.1:2";
const THIRD = "ws://127.0.0.1:3";

const dialled = (guest: Guest): string[] => guestDid(guest, "dial").map(({ origin }) => origin);

function paired(keptForSec = 0): { world: World; guest: Guest } {
  const world = new World({ idleMs: 24 * 60 * MINUTE, keptForSec: () => keptForSec });
  return { world, guest: world.pair() };
}

function announce(world: World, addresses: string[]): void {
  world.room.setAddresses(addresses, world.now);
  world.advance(LINK.ackDelayMs);
}

describe("where the host is to be found", () => {
  it("[U1] [U3] a member that was told tries every address before it waits, the one that worked first", () => {
    const { world, guest } = paired();
    announce(world, [SECOND, THIRD]);
    guest.offline = true;
    const before = dialled(guest).length;
    world.cut(guest);
    world.advance(LINK.backoffFirstMs);
    expect(dialled(guest).slice(before, before + 3)).toEqual([FIRST, SECOND, THIRD]);
    expect(guest.member.connection.name).toBe("waiting");
  });

  it("[U1] what was announced while a member was away is in its WELCOME; an empty list changes nothing", () => {
    const { world, guest } = paired();
    guest.offline = true;
    world.cut(guest);
    world.room.setAddresses([THIRD], world.now);
    world.advance(1_000);
    guest.offline = false;
    world.advance(MINUTE);
    expect(guest.member.connection.name).toBe("connected");
    announce(world, []);
    world.setOrigin(THIRD, "up");
    world.setOrigin(FIRST, "dead");
    world.advance(MINUTE);
    expect(dialled(guest).at(-1)).toBe(THIRD);
    // From now on that is the way that worked, until it is announced no more.
    announce(world, [SECOND]);
    world.setOrigin(SECOND, "up");
    const before = dialled(guest).length;
    world.cut(guest);
    world.advance(MINUTE);
    expect(dialled(guest).slice(before)).toEqual([SECOND]);
    expect(guest.member.connection.name).toBe("connected");
  });

  it("[U3] an address that swallows everything holds the next one up for one second only", () => {
    const { world, guest } = paired();
    announce(world, [FIRST, SECOND]);
    world.setOrigin(FIRST, "hole");
    world.setOrigin(SECOND, "up");
    world.cut(guest);
    world.advance((guest.member.nextDeadline() ?? 0) - world.now);
    expect(dialled(guest).at(-1)).toBe(FIRST);
    world.advance(LINK.staggerMs - 1);
    expect(dialled(guest).at(-1)).toBe(FIRST);
    world.advance(1);
    expect(dialled(guest).at(-1)).toBe(SECOND);
    expect(guest.member.connection.name).toBe("connected");
  });

  it("[U3] [D9] a link on which a handshake takes longer than a second by far, beside an address that hangs, is fast enough", () => {
    const { world, guest } = paired();
    announce(world, [FIRST, SECOND]);
    world.setOrigin(SECOND, "hole");
    world.cut(guest);
    world.latency = () => 1_100;
    world.advance(3 * MINUTE);
    expect(guest.member.connection.name).toBe("connected");
  });

  it.each([
    ["wss://a.example", ["wss://b.example", "wss://b.example:8443"], true],
    ["wss://a.example", ["wss://b.example", "ws://b.example"], false],
    ["wss://a.example", ["wss://10.0.0.1"], false],
    ["wss://a.example", ["wss://0x0a000001"], false],
    ["wss://a.example", ["wss://calm-fox.1.a1"], true],
    ["wss://a.example", ["wss://1.2.3.0x4:80"], false],
    ["wss://a.example", ["wss://2130706433"], false],
    ["wss://a.example", ["wss://[fd00::1]"], false],
    ["wss://10.0.0.1", ["ws://10.0.0.2"], true],
    ["ws://10.0.0.1:80", ["ws://10.0.0.2", "wss://b.example"], true],
    ["wss://a.example", ["https://b.example"], false],
  ])("[U2] whoever joined by %s may be led to %j: %s", (link, addresses, allowed) => {
    expect(areAddresses(link, addresses)).toBe(allowed);
  });

  it("[U2] a host that leads a member elsewhere ends the stay", () => {
    const world = new World();
    world.setOrigin("wss://a.example", "up");
    const link = { ...world.link(), origin: "wss://a.example" };
    const guest = world.join(link);
    world.settle();
    expect(guest.member.connection.name).toBe("connected");
    announce(world, ["wss://b.example"]);
    expect(guest.member.connection.name).toBe("connected");
    announce(world, ["wss://127.0.0.1"]);
    expect(endOf(guest)).toBe("protocol-violation");
  });

  it("a fresh link to the same host is tried at once, and first", () => {
    const { world, guest } = paired();
    guest.offline = true;
    world.cut(guest);
    world.advance(5 * MINUTE);
    guest.offline = false;
    world.setOrigin(SECOND, "up");
    const before = dialled(guest).length;
    guest.member.prefer(SECOND, world.now);
    world.settle();
    expect(dialled(guest).slice(before)).toEqual([SECOND]);
    expect(guest.member.connection.name).toBe("connected");
  });
});

describe("a host that is gone", () => {
  /** Answers every dial as an address does at which no tunnel is. */
  function refuse(world: World, guest: Guest, isGone: boolean, ms: number): void {
    const end = world.now + ms;
    while (world.now < end && guest.member.connection.name !== "ended") {
      const connection = guestDid(guest, "dial").at(-1)?.connection ?? 0;
      const error = new TunnelError("host-unreachable");
      guest.member.handle({ type: "failed", connection, error, isGone }, world.now);
      world.settle();
      const wait = (guest.member.nextDeadline() ?? end) - world.now;
      world.now += wait;
      guest.member.handle({ type: "tick" }, world.now);
      for (const effect of guest.member.takeEffects()) guest.effects.push(effect);
    }
  }

  it("[D9] is believed gone when every attempt of two minutes said so", () => {
    const { world, guest } = paired();
    guest.offline = true;
    world.cut(guest);
    refuse(world, guest, true, LINK.goneMs - 20_000);
    expect(endOf(guest)).toBeUndefined();
    refuse(world, guest, true, MINUTE);
    expect(endOf(guest)).toBe("tunnel-gone");
  });

  it("[D9] one attempt that failed in another way begins the two minutes anew", () => {
    const { world, guest } = paired();
    guest.offline = true;
    world.cut(guest);
    refuse(world, guest, true, LINK.goneMs - 20_000);
    refuse(world, guest, false, 1);
    refuse(world, guest, true, LINK.goneMs - 20_000);
    expect(endOf(guest)).toBeUndefined();
  });

  it("[U4] [D9] is waited for as long as it keeps the room, and two minutes more", () => {
    const { world, guest } = paired(600);
    guest.offline = true;
    world.cut(guest);
    refuse(world, guest, true, 11 * MINUTE);
    const { connection } = guest.member;
    expect(connection).toMatchObject({ hostKeptUntil: expect.any(Number), givesUpAt: expect.any(Number) });
    expect(endOf(guest)).toBeUndefined();
    refuse(world, guest, true, 2 * MINUTE);
    expect(endOf(guest)).toBe("host-gone");
  });

  it("[U4] the last WELCOME says for how long", () => {
    let keptForSec = 0;
    const world = new World({ idleMs: 24 * 60 * MINUTE, keptForSec: () => keptForSec });
    const guest = world.pair();
    keptForSec = 1_200;
    world.cut(guest);
    world.advance(MINUTE);
    expect(guest.member.connection.name).toBe("connected");
    guest.offline = true;
    world.cut(guest);
    refuse(world, guest, true, 20 * MINUTE);
    expect(endOf(guest)).toBeUndefined();
  });

  it("tells that it will not be tried for long when the address says that no tunnel is there", () => {
    const { world, guest } = paired();
    guest.offline = true;
    world.cut(guest);
    refuse(world, guest, true, 20_000);
    const { connection } = guest.member;
    expect("givesUpAt" in connection && connection.givesUpAt - world.now).toBeLessThan(LINK.goneMs);
  });

  it("tells until when it will be tried", () => {
    const { world, guest } = paired();
    const { lastHeard } = guest.member;
    guest.offline = true;
    world.cut(guest);
    expect(guest.member.connection).toMatchObject({ name: "waiting", givesUpAt: lastHeard + LINK.giveUpMs });
  });
});
