import { describe, expect, it } from "vitest";
import { LINK, PRE_AUTH } from "../../../src/protocol/base/limits.ts";
import { CLOSE_CODE } from "../../../src/protocol/link/wire.ts";
import { cheapPrimitives } from "../../simulation/primitives.ts";
import { guestDid, nodePrimitives, ORIGIN, World, type Guest } from "../../support/wire.ts";

const MINUTE = 60_000;
const OTHERS = ["ws://127.0.0.1:2", "ws://127.0.0.1:3", "ws://127.0.0.1:4"];
const AUTH_KIND = 0x02;

const dialled = (guest: Guest): string[] => guestDid(guest, "dial").map(({ origin }) => origin);

/** A member that knows four addresses of its host, the last of which leads there. */
function pairedByFour(primitives = nodePrimitives): { world: World; guest: Guest } {
  const world = new World({ idleMs: 24 * 60 * MINUTE }, primitives);
  const guest = world.pair();
  for (const origin of OTHERS) world.setOrigin(origin, "up");
  world.room.setAddresses(OTHERS, world.now);
  world.advance(LINK.ackDelayMs);
  return { world, guest };
}

const ALL = [ORIGIN, ...OTHERS];

describe("dials on their way to a host", () => {
  it("[U3] each address begins a second after the one before it that has not answered", () => {
    const { world, guest } = pairedByFour();
    for (const origin of ALL) world.setOrigin(origin, "hole");
    world.cut(guest);
    const times = new Map<string, number>();
    const before = dialled(guest).length;
    world.advance((guest.member.nextDeadline() ?? 0) - world.now);
    const start = world.now;
    for (let step = 0; step < 80 && times.size < 4; step += 1) {
      dialled(guest)
        .slice(before)
        .forEach((origin) => void (times.has(origin) || times.set(origin, world.now - start)));
      world.advance(50);
    }
    expect([...times]).toEqual(ALL.map((origin, at) => [origin, at * LINK.staggerMs]));
  });

  it("[U3] an address that fails at once is followed by the next one at once", () => {
    const { world, guest } = pairedByFour();
    for (const origin of ALL.slice(0, 3)) world.setOrigin(origin, "dead");
    const before = dialled(guest).length;
    world.cut(guest);
    world.advance(LINK.backoffFirstMs);
    expect(dialled(guest).slice(before)).toEqual(ALL);
    expect(guest.member.connection.name).toBe("connected");
  });

  it("[D9] hang for fifteen seconds beside those of later rounds, and no more than six to one address", () => {
    const world = new World({ idleMs: 24 * 60 * MINUTE });
    const guest = world.pair();
    world.setOrigin(ORIGIN, "hole");
    world.loseGuestSide(guest);
    guest.effects.splice(0);
    const open = new Map<number, number>();
    let most = 0;
    for (let passed = 0; passed < 3 * MINUTE; passed += 100) {
      world.advance(100);
      for (const effect of guest.effects.splice(0)) {
        if (effect.type === "dial") open.set(effect.connection, world.now);
        most = Math.max(most, open.size);
        if (effect.type !== "close") continue;
        const life = world.now - (open.get(effect.connection) ?? 0);
        expect(life).toBeGreaterThanOrEqual(LINK.connectTimeoutMs - 3_000);
        expect(life).toBeLessThanOrEqual(LINK.connectTimeoutMs + 100);
        open.delete(effect.connection);
      }
    }
    expect(most).toBeGreaterThanOrEqual(4);
    expect(most).toBeLessThanOrEqual(LINK.dialsPerAddress);
  });

  it("[U3] one that answers late is taken all the same, and the others are hung up", () => {
    const world = new World({ idleMs: 24 * 60 * MINUTE });
    const guest = world.pair();
    world.cut(guest);
    // Every step takes longer than an address is waited for.
    world.latency = () => 2_000;
    world.advance(MINUTE);
    expect(guest.member.connection.name).toBe("connected");
    expect(world.connectionsOf(guest)).toBe(1);
    const closes = guestDid(guest, "close");
    expect(closes.length).toBeGreaterThan(0);
    expect(closes.every(({ code }) => code === CLOSE_CODE.late)).toBe(true);
    // Only the ones that were answered have cost the host an operation on a curve.
    expect(guest.wire.toHost.filter(([kind]) => kind === AUTH_KIND)).toHaveLength(2);
  });

  it("[K3] [U3] never make two handshakes at once, however many have answered", () => {
    const { world, guest } = pairedByFour();
    world.latency = () => 1_500;
    world.cut(guest);
    let most = 0;
    const answered = new Set<number>();
    const over = new Set<number>();
    world.observe = (who, effect) => {
      if (who !== guest) return;
      if (effect.type === "send" && effect.message[0] === AUTH_KIND) answered.add(effect.connection);
      if (effect.type === "close") over.add(effect.connection);
      most = Math.max(most, [...answered].filter((connection) => !over.has(connection)).length);
    };
    world.advance(MINUTE);
    expect(guest.member.connection.name).toBe("connected");
    expect(dialled(guest).length).toBeGreaterThan(3);
    expect(most).toBe(1);
  });

  it("[U3] a handshake that stops is left after five seconds for an address whose M1 waits", () => {
    const { world, guest } = pairedByFour();
    for (const origin of ALL.slice(1)) world.setOrigin(origin, "up");
    world.latency = () => 400;
    let stopped = 0;
    // The first one to be answered is silent from then on.
    guest.tamperToGuest = (message, at) => {
      if (at === 1 && stopped === 0) stopped = world.now;
      return at >= 1 && world.now === stopped ? [] : [message];
    };
    world.cut(guest);
    const start = world.now;
    while (guest.member.connection.name !== "connected") world.advance(100);
    expect(stopped).toBeGreaterThan(0);
    expect(world.now - start).toBeLessThan(LINK.backoffFirstMs + LINK.stepTimeoutMs + 10 * 400);
  });

  it("[D9] a WELCOME so slow that five seconds are not enough for it is given fifteen after some handshakes", () => {
    const world = new World({ idleMs: 24 * 60 * MINUTE });
    const guest = world.pair();
    world.cut(guest);
    // The WELCOME of a full room, over a thin line.
    let isWelcome = false;
    world.observe = (who, effect) => {
      if (who === undefined && effect.type === "member") isWelcome = true;
      if (who !== undefined && effect.type === "dial") isWelcome = false;
    };
    world.latency = () => (isWelcome ? 7_000 : 0);
    world.advance(5 * MINUTE);
    expect(guest.member.connection.name).toBe("connected");
  });
});

it("[A3] [K7] a member whose source has used up its attempts goes on with the next secret whenever it earns one", () => {
  const world = new World({ idleMs: 24 * 60 * MINUTE });
  const guest = world.pair();
  // A handshake of which the host never hears the end: the newest secret is one that it does not hold.
  guest.tamperToHost = (message, at) => (at < 1 ? [message] : []);
  world.cut(guest);
  world.advance(1_000);
  guest.tamperToHost = (message) => [message];
  for (let knock = 0; knock < 20; knock += 1) world.stranger(guest.source).send(new Uint8Array(146));
  world.settle();
  expect(world.room.admits(guest.source, world.now)).toBe(false);
  world.cut(guest);
  // As many secrets as there were handshakes in that second are tried first: three at most.
  world.advance((PRE_AUTH.failureRefillMs + LINK.backoffMaxMs) * 4);
  expect(guest.member.connection.name).toBe("connected");
});

describe("the end of an outage", () => {
  const LENGTHS = [1, 5, 20, 40, 60, 90, 120, 300, 600].map((seconds) => seconds * 1_000);

  /** How long the member takes until it is back. */
  function recovery(world: World, guest: Guest): number {
    const start = world.now;
    while (guest.member.connection.name !== "connected" && world.now - start < MINUTE) world.advance(20);
    return world.now - start;
  }

  it.each(LENGTHS)("[D9] of %i ms in which dials hang is noticed within five seconds", (ms) => {
    for (let phase = 0; phase < 12; phase += 1) {
      const world = new World({ idleMs: 24 * 60 * MINUTE }, cheapPrimitives(ms + phase));
      const guest = world.pair();
      world.setOrigin(ORIGIN, "hole");
      world.loseGuestSide(guest);
      world.advance(ms + phase * 350);
      world.setOrigin(ORIGIN, "up");
      expect(recovery(world, guest)).toBeLessThanOrEqual(LINK.staggerMs + LINK.backoffMaxMs + 100);
    }
  });

  it.each(LENGTHS)("[D9] of %i ms in which dials are refused is noticed within three seconds", (ms) => {
    for (let phase = 0; phase < 12; phase += 1) {
      const world = new World({ idleMs: 24 * 60 * MINUTE }, cheapPrimitives(ms + phase));
      const guest = world.pair();
      world.setOrigin(ORIGIN, "dead");
      world.advance(ms + phase * 350);
      world.setOrigin(ORIGIN, "up");
      expect(recovery(world, guest)).toBeLessThanOrEqual(LINK.backoffMaxMs + 100);
    }
  });

  it.each(LENGTHS)(
    "[D9] [U3] of %i ms is noticed within eight seconds by whoever knows three more addresses, all of which hang",
    (ms) => {
      for (let phase = 0; phase < 12; phase += 1) {
        const { world, guest } = pairedByFour(cheapPrimitives(ms + phase));
        for (const origin of ALL) world.setOrigin(origin, "hole");
        world.loseGuestSide(guest);
        world.advance(ms + phase * 350);
        world.setOrigin(ALL[phase % 4] ?? "", "up");
        const limit = 4 * LINK.staggerMs + LINK.backoffMaxMs + 100;
        expect(recovery(world, guest)).toBeLessThanOrEqual(limit);
      }
    },
  );

  it("[D9] [A2] brings a full room back within ten seconds, without more than two dials each at the host", () => {
    const world = new World({ idleMs: 24 * 60 * MINUTE }, cheapPrimitives(1));
    const guests = Array.from({ length: 63 }, (_, at) => {
      const guest = world.join(world.link(), `m${at}`);
      guest.source = `198.51.100.${at}`;
      world.advance(100);
      return guest;
    });
    world.setOrigin(ORIGIN, "hole");
    for (const guest of guests) world.loseGuestSide(guest);
    world.advance(2 * MINUTE);
    world.latency = () => 100;
    let admitted = 0;
    world.observe = (who, effect) => {
      if (who === undefined && effect.type === "send" && effect.message[0] === 0x01) admitted += 1;
    };
    world.setOrigin(ORIGIN, "up");
    const start = world.now;
    const areBack = (): boolean => guests.every(({ member }) => member.connection.name === "connected");
    while (!areBack() && world.now - start < MINUTE) world.advance(100);
    expect(world.now - start).toBeLessThanOrEqual(10_000);
    expect(admitted).toBeLessThanOrEqual(2 * guests.length);
  });
});
