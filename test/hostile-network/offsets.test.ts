import { afterEach, expect, it } from "vitest";
import { createLookup } from "../../src/net/resolve.ts";
import { parseLink } from "../../src/protocol/handshake/invite-link.ts";
import type { GuestEnd } from "../../src/protocol/guest/guest-io.ts";
import { Guest as GuestMachine } from "../../src/protocol/guest/guest.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { loadDial, GuestSocket, type GuestNotice } from "../../src/transport/guest-socket.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import type { Crossing, Direction } from "../support/proxy.ts";
import { afterwards, cleanUp, opened, proxy, settled, turning, Voice } from "./support.ts";

afterEach(cleanUp);

/** A guest as the session keeps it, but for the time after which a session gives up joining. */
class Guest {
  readonly heard: string[] = [];
  readonly said: string[] = [];
  readonly notices: GuestNotice[] = [];
  readonly member: GuestMachine;
  readonly #socket: GuestSocket;

  private constructor(clock: FakeClock, joinLink: string, dial: Awaited<ReturnType<typeof loadDial>>) {
    const link = parseLink(joinLink);
    this.member = new GuestMachine(nodePrimitives, { link, name: "ben" }, clock.now());
    this.#socket = new GuestSocket({
      member: this.member,
      room: link.room,
      clock,
      dial,
      lookup: createLookup({ doh: false }),
      onNotice: (notice) => this.#noticed(notice),
    });
    afterwards(() => settled(clock, "the guest has stopped", this.#socket.stop()));
  }

  static async start(clock: FakeClock, joinLink = ""): Promise<Guest> {
    return new Guest(clock, joinLink, await loadDial());
  }

  get isIn(): boolean {
    return this.member.connection.name === "connected";
  }

  get end(): GuestEnd | undefined {
    return this.member.connection.name === "ended" ? this.member.connection.end : undefined;
  }

  /** Whether it has been told of its own arrival: before that it has no place to speak from. */
  get hasArrived(): boolean {
    return this.notices.some(({ type }) => type === "joined");
  }

  say(text: string): void {
    this.said.push(text);
    this.#socket.run((member, now) => member.say({ text }, now));
  }

  #noticed(notice: GuestNotice): void {
    this.notices.push(notice);
    if (notice.type === "entry" && notice.entry.kind === "chat" && !notice.entry.own)
      this.heard.push(notice.entry.text);
  }
}

/** Beyond what it takes to join or to resume, and the record of a message after that: 1,265 and 1,364 bytes, and 1,028. */
const LAST: Readonly<Record<Direction, number>> = { toGuest: 2_400, toHost: 2_490 };
/**
 * Within a message one byte is as good as the next; behind a whole message is where test/hostile-peers/path.test.ts cuts. All
 * bytes would take three times as long and show the same.
 */
const STEP = 3;
/** So many messages wait at most, until enough bytes of a connection get through to carry them. */
const MAX_WAITING = 6;

it.each(["toGuest", "toHost"] as const)(
  "[I3] [K7] [D5] connection k is cut after 3k bytes %s: one join survives them all, and so does what is said then",
  async (direction) => {
    const clock = new FakeClock();
    const wire = await proxy();
    const { host, joinLinks } = await opened(clock, { wire });
    let offset = 0;
    let current: Crossing | undefined;
    wire.onCrossing = (crossing) => {
      // One that ended by itself, being denied for an outdated secret, has not been cut: the same offset again.
      if (current?.wasCut === true) offset += STEP;
      current = crossing;
      if (offset <= LAST[direction]) crossing.cutAfter(direction, offset, "reset", (offset % 2) * 3);
    };
    const guest = await Guest.start(clock, joinLinks[0]);
    const ana = new Voice(host);
    let spokenOn = 0;
    const talk = (): void => {
      ana.listen();
      if (!guest.hasArrived || wire.total === spokenOn) return;
      // Something new in both directions on every connection.
      spokenOn = wire.total;
      if (ana.said.length - guest.heard.length < MAX_WAITING) ana.say(1 + (offset % 400));
      if (guest.member.unplaced < MAX_WAITING)
        guest.say(`${guest.said.length}`.padEnd(1 + (offset % 300), "."));
    };
    const isDone = (): boolean =>
      offset > LAST[direction] &&
      guest.isIn &&
      guest.member.unplaced === 0 &&
      guest.heard.length === ana.said.length;
    await turning(clock, "every offset has been tried and all has arrived", isDone, {
      each: talk,
      // While nobody is there, only the wait for the next attempt goes by.
      stepMs: () => (wire.open.length === 0 ? 3_000 : 100),
    });
    ana.listen();
    expect(guest.end).toBeUndefined();
    // Every connection of the live stream had something to carry.
    expect(Math.min(ana.said.length, guest.said.length)).toBeGreaterThan(50 / STEP);
    expect(guest.heard).toEqual(ana.said);
    expect(ana.of("ben")).toEqual(guest.said);
    ana.expectNoFailures();
    // One seat, from one invite, whose way there had been cut everywhere.
    expect(host.presence().map(({ name }) => name)).toEqual(["ana", "ben"]);
    expect(host.pendingInvites()).toEqual([]);
    expect(guest.notices.filter(({ type }) => type === "joined")).toHaveLength(1);
    expect(guest.notices.filter(({ type }) => type === "alarm")).toEqual([]);
    expect(host.alarms).toEqual([]);
  },
  120_000,
);
