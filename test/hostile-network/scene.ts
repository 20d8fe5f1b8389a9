import { expect } from "vitest";
import type { HostSession } from "../../src/session/host-session.ts";
import type { GuestSession } from "../../src/session/guest-session.ts";
import { portOf } from "../support/agent.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import type { Proxy } from "../support/proxy.ts";
import { RawSocket } from "../support/raw-member.ts";
import {
  afterwards,
  expectAllHeard,
  isConnected,
  joined,
  memoryInUse,
  opened,
  proxy,
  turning,
  Voice,
} from "./support.ts";

const MIB = 1024 * 1024;
/** Generous: what is looked for is memory that grows with what an attacker sends. */
const MAX_GROWTH_BYTES = 64 * MIB;
const SIZES = [1, 20, 200, 900, 3_000, 10_000];
const MESSAGES = 40;

/** Before the first scene of a file: what one of them leaves behind counts for all that follow. */
let memoryBefore: number | undefined;

/** For `beforeAll`: files may share a process, and what another one has left there does not count. */
export function forgetMemory(): void {
  memoryBefore = undefined;
}

/** A pair that talks while something goes on around it, of which it must not notice anything. */
export class Scene {
  readonly clock: FakeClock;
  readonly host: HostSession;
  readonly guest: GuestSession;
  /** Between the host and its guest; attackers go to the port itself. */
  readonly wire: Proxy;
  /** Links of the host's own address, not used yet. */
  readonly links: string[];
  readonly ana: Voice;
  readonly ben: Voice;
  readonly #warnings: string[] = [];

  private constructor(
    clock: FakeClock,
    wire: Proxy,
    host: HostSession,
    guest: GuestSession,
    links: string[],
  ) {
    [this.clock, this.wire, this.host, this.guest, this.links] = [clock, wire, host, guest, links];
    [this.ana, this.ben] = [new Voice(host), new Voice(guest)];
    memoryBefore ??= memoryInUse();
    const warned = ({ message }: Error): void => void this.#warnings.push(message);
    process.on("warning", warned);
    afterwards(() => process.off("warning", warned));
  }

  static async open(options: { invites?: number; isBehindEdge?: boolean } = {}): Promise<Scene> {
    const clock = new FakeClock();
    const wire = await proxy();
    const { host, joinLinks } = await opened(clock, { ...options, invites: 1 + (options.invites ?? 0) });
    wire.target = portOf(joinLinks[0]);
    const through = joinLinks[0]?.replace(`:${wire.target}/`, `:${wire.port}/`);
    return new Scene(clock, wire, host, await joined(clock, through), joinLinks.slice(1));
  }

  get port(): number {
    return this.wire.target;
  }

  /** Of the room, as the links have it. */
  get path(): string {
    const { room } = this.guest;
    return `/t/${room}`;
  }

  link(): string {
    const link = this.links.shift();
    if (link === undefined) throw new Error("the scene was opened with fewer invites");
    return link;
  }

  async stranger(source?: string): Promise<RawSocket> {
    const socket = await RawSocket.open(this.port, this.path, source);
    afterwards(() => socket.destroy());
    return socket;
  }

  /** Both talk, all the time that `flood` goes on: it is called at every turn until it says that it is done. */
  async undisturbed(flood: () => boolean): Promise<void> {
    const { ana, ben, host, guest } = this;
    const connections = this.wire.total;
    let isFloodOver = false;
    const all = (): boolean =>
      isFloodOver &&
      Math.min(ana.said.length, ben.said.length) >= MESSAGES &&
      ana.of("ben").length === ben.said.length &&
      ben.of("ana").length === ana.said.length &&
      guest.unplaced === 0;
    await turning(this.clock, "both have heard everything", all, {
      each: (turn) => {
        isFloodOver ||= flood();
        const size = SIZES[turn % SIZES.length] ?? 1;
        // To the end of it, but not for ever if it does not end.
        if (!isFloodOver || ana.said.length < MESSAGES) ana.say(size);
        if (!isFloodOver || ben.said.length < MESSAGES) ben.say(size);
        ana.listen();
        ben.listen();
        if (guest.connection.name !== "connected" || !isConnected(host)) expect.fail("the pair was cut");
      },
      turns: 3_000,
    });
    expectAllHeard(ana, "ana", ben);
    expectAllHeard(ben, "ben", ana);
    expect(this.wire.total).toBe(connections);
    expect(guest.alarms).toEqual([]);
  }

  /** What the attackers have sent is not kept, whether they are still there or not. */
  async expectMemoryBounded(): Promise<void> {
    // What is about to be dropped is dropped first.
    await this.clock.advance(2_000);
    this.expectMemory();
  }

  /** The same, as it is at this moment. */
  expectMemory(): void {
    // Node itself warns of listeners that pile up.
    expect(this.#warnings).toEqual([]);
    const limit = (memoryBefore ?? 0) + MAX_GROWTH_BYTES;
    // What the first collection finds unused may itself have held on to buffers.
    if (memoryInUse() >= limit) expect(memoryInUse()).toBeLessThan(limit);
  }

  /** A member that has lost its connection in the middle of it all gets back in. */
  async expectReturn(): Promise<void> {
    const before = this.wire.total;
    this.wire.newest?.cut();
    await turning(
      this.clock,
      "the guest is back",
      () => this.wire.total > before && this.guest.connection.name === "connected" && isConnected(this.host),
      { turns: 10_000 },
    );
  }
}
