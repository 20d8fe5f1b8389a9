import { must } from "../errors/must.ts";
import type { TunnelError } from "../errors/tunnel-error.ts";
import type { MemberId } from "../protocol/base/ids.ts";
import type { Primitives } from "../protocol/base/primitives.ts";
import type { PendingInvite } from "../protocol/host/invites.ts";
import { Room } from "../protocol/host/room.ts";
import type { EndCause } from "../protocol/room/frames.ts";
import type { OutgoingMessage, Presence } from "../protocol/room/participant.ts";
import { membersNamed } from "../protocol/room/recipients.ts";
import type { WorkContext } from "../protocol/room/work-context.ts";
import type { Clock } from "../runtime/clock.ts";
import { every } from "../runtime/wait.ts";
import { startRelay, type Relay, type RoomNotice } from "../transport/relay-server.ts";
import { TunnelPool, type PoolEvent, type PoolHealth } from "../tunnel/pool/pool.ts";
import type { Provider, Tunnel, TunnelProgress } from "../tunnel/provider.ts";
import type { ProviderName } from "../tunnel/registry/registry.ts";
import { IssuedInvites, type Invite } from "./issued-invites.ts";
import { SessionBase, type Posted, type TunnelId } from "./session.ts";

export type { PoolHealth };

/** Everything that opening a tunnel needs, already checked. */
interface HostOptions {
  readonly tunnelId: TunnelId;
  readonly goal: string;
  readonly name: string;
  /** Members are told this of where this side works. */
  readonly workContext: WorkContext | undefined;
  readonly invites: number;
  /** Whether those who join later are given what was said before. */
  readonly history: boolean;
  readonly idleMs: number;
  readonly inviteMs: number;
  readonly bind: string;
  readonly port: number;
  readonly transport: ProviderName;
  readonly provider: Provider;
  /** Whether a spare address is kept once there are members. */
  readonly standby: boolean;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: TunnelProgress) => void;
}

/** A session of a tunnel that this process hosts: the room, its relay and its public addresses as one resource. */
export class HostSession extends SessionBase {
  readonly role = "host";
  readonly goal: string;
  readonly history: boolean;
  readonly transport: ProviderName;
  readonly #room: Room;
  readonly #relay: Relay;
  readonly #pool: TunnelPool;
  readonly #invites: IssuedInvites;
  /** Describes the tunnel in use, or the last one that was. */
  #transportDetail: string;
  #addressLost: TunnelError | undefined;
  /** No address leads here at the moment. */
  #isAstray = false;

  private constructor(parts: { options: HostOptions; room: Room; relay: Relay; tunnel: Tunnel }) {
    const { options, room, relay, tunnel } = parts;
    const { tunnelId, clock, provider, standby, primitives } = options;
    super({ tunnelId, machine: room, primitives, clock });
    this.goal = options.goal;
    this.history = options.history;
    this.transport = options.transport;
    this.#transportDetail = tunnel.description;
    this.#room = room;
    this.#relay = relay;
    this.#invites = new IssuedInvites((call) => relay.run(call));
    this.#pool = new TunnelPool({
      active: tunnel,
      provider,
      relay,
      clock,
      standby,
      random: () => must(primitives.random(1)[0], "a random byte") / 256,
      onEvent: (event) => this.#moved(event),
    });
  }

  /** Opens everything or leaves nothing behind. @throws {TunnelError} */
  static async open(options: HostOptions): Promise<{ hosting: HostSession; invites: Invite[] }> {
    const { primitives, clock, goal, name, workContext, history, idleMs, inviteMs, bind, port, provider } =
      options;
    const room = new Room(
      primitives,
      { goal, hostName: name, workContext, history, idleMs, inviteMs },
      clock.now(),
    );
    const early: RoomNotice[] = [];
    let onNotice = (notice: RoomNotice): void => void early.push(notice);
    const relay = await startRelay({
      room,
      clock,
      bind,
      port,
      sourceHeader: provider.sourceHeader,
      onNotice: (notice) => onNotice(notice),
    });
    // Opening is activity: a first download may take longer than a short idle time.
    const beActive = (): void => relay.run((room, now) => room.touch(0, now));
    beActive();
    const stopBeating = every(clock, idleMs / 4, beActive);
    let hosting: HostSession | undefined;
    try {
      const { signal, onProgress } = options;
      const tunnel = await provider.open({ port: relay.port, proof: relay.proof, signal, onProgress });
      const opened = new HostSession({ options, room, relay, tunnel });
      hosting = opened;
      onNotice = (notice) => opened.#noticed(notice);
      for (const notice of early) opened.#noticed(notice);
      // The idle time starts when the human can do something, not while a tunnel program was being fetched.
      opened.touch();
      return { hosting, invites: opened.#invites.issue(options.invites, tunnel.url) };
    } catch (error) {
      await (hosting === undefined ? relay.stop() : hosting.close());
      throw error;
    } finally {
      stopBeating();
    }
  }

  /** One line on what carries the room, safe to show. */
  get transportDetail(): string {
    return this.#transportDetail;
  }

  get health(): PoolHealth {
    return this.#pool.health();
  }

  /** When the room ends if nobody does anything in it. */
  get idleAt(): number {
    return this.#room.idleAt;
  }

  /** @throws {TunnelError} tunnel-closed, invite-limit, address-lost; all or none */
  invite(count: number): Invite[] {
    return this.#invites.issue(count, this.#pool.urls[0]);
  }

  revoke(inviteId: string): boolean {
    return this.#invites.revoke(inviteId);
  }

  /** Removes a member from the room. @throws {TunnelError} tunnel-closed, member-unknown */
  remove(member: string): void {
    const ids = membersNamed(this.presence(), [member]);
    this.#relay.run((room, now) => ids.forEach((id) => room.remove(id, now)));
  }

  pendingInvites(): PendingInvite[] {
    return this.end === undefined ? this.#invites.pending() : [];
  }

  /** Whether a link leads to this very room. */
  isRoom(room: string): boolean {
    return this.#room.id === room;
  }

  protected run<Result>(call: (room: Room, now: number) => Result): Result {
    return this.#relay.run(call);
  }

  /** At once: a receiver's credit bounds what waits for it here. */
  protected writable(): Promise<void> {
    return Promise.resolve();
  }

  protected post(outgoing: OutgoingMessage): Posted {
    const seq = this.#relay.run((room, now) => room.say(outgoing, now));
    const { to } = outgoing;
    const isFor = ({ isSelf, id }: Presence): boolean => !isSelf && to?.includes(id) !== false;
    return {
      key: seq,
      seq,
      unreachable: () =>
        this.presence().some((member) => member.connected && isFor(member))
          ? undefined
          : "nobody it is for is connected at the moment; it is delivered as soon as they are back",
      slow: "nobody has confirmed it yet; it is delivered as soon as they can be reached",
    };
  }

  protected finish(cause: EndCause): void {
    this.#relay.run((room, now) => room.end(cause, now));
  }

  protected async stop(): Promise<void> {
    // The last words go out through the tunnels, so these outlive the relay.
    try {
      await this.#relay.stop();
    } finally {
      await this.#pool.stop();
    }
  }

  #noticed(notice: RoomNotice): void {
    switch (notice.type) {
      case "entry": {
        const { entry } = notice;
        const isEnd = entry.kind === "system" && entry.event === "ended";
        // Its own closing is no news to the one who closes.
        if (isEnd && entry.cause === "closed") return;
        this.heard(notice);
        // From now on there is somebody who would lose the way with the address.
        if (entry.kind === "system" && entry.event === "joined") this.#pool.keepStandby();
        return;
      }
      case "presence":
      case "stream":
        return this.heard(notice);
      case "reached":
        return this.confirm(notice.seq, notice.seq);
      case "unreached":
        return this.giveUp(notice.seq);
      case "alarm":
        return this.alarm(notice.error, this.#nameOf(notice.member));
      case "ended":
        return this.ended({ cause: notice.cause === "closed" ? "closed-here" : notice.cause });
    }
  }

  #moved(event: PoolEvent): void {
    if (this.end !== undefined) return;
    switch (event.type) {
      case "addresses":
        return this.#leadsHere(event.urls);
      case "lost":
      case "failed":
        this.#addressLost = event.error;
    }
  }

  /** Members learn where to find the room, and a pending invite whose link leads to an address that is gone is made anew. */
  #leadsHere(urls: readonly string[]): void {
    const { active } = this.#pool;
    this.#transportDetail = active?.description ?? this.#transportDetail;
    this.#relay.run((room, now) => room.setAddresses(urls, now));
    if (urls.length === 0 && this.#addressLost !== undefined)
      this.inbox.notify({ notice: "address-lost", error: this.#addressLost });
    if (urls.length > 0 && this.#isAstray) this.inbox.notify({ notice: "address-restored" });
    this.#isAstray = urls.length === 0;
    const invites = this.#invites.reissue(urls, this.clock.now());
    if (invites.length > 0) this.inbox.notify({ notice: "invites-reissued", invites });
  }

  #nameOf(member: MemberId): string | undefined {
    return this.presence().find(({ id }) => id === member)?.name;
  }
}
