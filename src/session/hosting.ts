import type { TunnelError } from "../errors/tunnel-error.ts";
import type { Attestation } from "../protocol/room/audit-log.ts";
import type { EndCause } from "../protocol/room/frames.ts";
import type { MemberId } from "../protocol/base/ids.ts";
import type { PendingInvite } from "../protocol/host/invites.ts";
import type { Presence, OutgoingMessage } from "../protocol/room/participant.ts";
import { Room } from "../protocol/host/room.ts";
import type { Clock } from "../runtime/clock.ts";
import { startRelay, type Relay, type RoomNotice } from "../transport/relay-server.ts";
import { TunnelPool, type PoolEvent, type PoolHealth } from "../tunnel/pool/pool.ts";
import type { Tunnel } from "../tunnel/provider.ts";
import type { ProviderName } from "../tunnel/registry/registry.ts";
import { Confirmations } from "./confirmations.ts";
import { Files } from "./files/files.ts";
import { streamPort } from "./files/port.ts";
import type { HostingOptions } from "./hosting-options.ts";
import { keepActive } from "./keep-active.ts";
import { Inbox } from "./inbox.ts";
import { IssuedInvites, type Invite } from "./issued-invites.ts";
import { membersNamed } from "./recipients.ts";
import { Waiters } from "./waiters.ts";
import { MAX_ALARMS, type Sent, type SessionEnd, type TunnelHandle, type TunnelId } from "./handle.ts";

export type { PoolHealth };

/** A tunnel that this process hosts: the room, its relay and its public addresses as one resource. */
export class Hosting implements TunnelHandle {
  readonly role = "host";
  readonly tunnelId: TunnelId;
  readonly goal: string;
  readonly history: boolean;
  readonly inbox: Inbox;
  readonly files: Files;
  readonly openedAt: number;
  readonly transport: ProviderName;
  readonly #room: Room;
  readonly #relay: Relay;
  readonly #pool: TunnelPool;
  readonly #invites: IssuedInvites;
  readonly #clock: Clock;
  readonly #confirmations: Confirmations;
  /** Woken when somebody's presence changes. */
  readonly #watchers: Waiters;
  readonly #alarms: TunnelError[] = [];
  /** Of the tunnel in use, or the last one that was. */
  #transportDetail: string;
  #addressLost: TunnelError | undefined;
  /** No address leads here at the moment. */
  #isAstray = false;
  #end: SessionEnd | undefined;
  #closing: Promise<void> | undefined;

  private constructor(parts: {
    options: HostingOptions;
    room: Room;
    relay: Relay;
    tunnel: Tunnel;
    inbox: Inbox;
  }) {
    const { options, room, relay, tunnel, inbox } = parts;
    const { clock, provider, standby, primitives } = options;
    this.tunnelId = options.tunnelId;
    this.goal = options.goal;
    this.history = options.history;
    this.transport = options.transport;
    this.inbox = inbox;
    this.openedAt = clock.now();
    this.#transportDetail = tunnel.description;
    this.#room = room;
    this.#relay = relay;
    this.#clock = clock;
    this.#confirmations = new Confirmations(clock);
    this.files = new Files({
      primitives,
      clock,
      say: (outgoing) => this.say(outgoing),
      notify: (notice) => this.inbox.notify(notice),
      // What a receiver lets come is all that waits for it here.
      port: streamPort(
        (call) => relay.run(call),
        () => Promise.resolve(),
      ),
    });
    this.#watchers = new Waiters(clock);
    this.#invites = new IssuedInvites((call) => relay.run(call));
    this.#pool = new TunnelPool({
      active: tunnel,
      provider,
      relay,
      clock,
      standby,
      random: () => (primitives.random(1)[0] ?? 0) / 256,
      onEvent: (event) => this.#moved(event),
    });
  }

  /** Opens everything or leaves nothing behind. @throws {TunnelError} */
  static async open(options: HostingOptions): Promise<{ hosting: Hosting; invites: Invite[] }> {
    const { primitives, clock, goal, name, workContext, history, idleMs, inviteMs, bind, port, provider } =
      options;
    const room = new Room(
      primitives,
      { goal, hostName: name, workContext, history, idleMs, inviteMs },
      clock.now(),
    );
    const inbox = new Inbox({ self: room.self, clock, start: 0 });
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
    const stopBeating = keepActive(relay, clock, idleMs / 4);
    let hosting: Hosting | undefined;
    try {
      const { signal, onProgress } = options;
      const tunnel = await provider.open({ port: relay.port, proof: relay.proof, signal, onProgress });
      const opened = new Hosting({ options, room, relay, tunnel, inbox });
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

  get self(): MemberId {
    return this.#room.self;
  }

  get attestation(): Attestation {
    return this.#room.attestation;
  }

  get end(): SessionEnd | undefined {
    return this.#end;
  }

  get alarms(): readonly TunnelError[] {
    return this.#alarms;
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

  presence(): Presence[] {
    return this.#room.presence(this.#clock.now());
  }

  /** @throws {TunnelError} tunnel-closed, invite-limit, address-lost; all or none */
  invite(count: number): Invite[] {
    return this.#invites.issue(count, this.#pool.urls[0]);
  }

  revoke(inviteId: string): boolean {
    return this.#invites.revoke(inviteId);
  }

  /** Takes the seat of a member away. @throws {TunnelError} tunnel-closed, member-unknown */
  remove(member: string): void {
    const ids = membersNamed(this.presence(), [member]);
    this.#relay.run((room, now) => ids.forEach((id) => room.remove(id, now)));
  }

  pendingInvites(): PendingInvite[] {
    return this.#end === undefined ? this.#invites.pending() : [];
  }

  /** Whether a link leads to this very room. */
  isRoom(room: string): boolean {
    return this.#room.id === room;
  }

  async say(outgoing: OutgoingMessage, onConfirmed?: (seq: number) => void): Promise<Sent> {
    const seq = this.#relay.run((room, now) => room.say(outgoing, now));
    const { to } = outgoing;
    const audience = this.presence().filter(({ isSelf, id }) => !isSelf && to?.includes(id) !== false);
    if (!audience.some(({ connected }) => connected)) {
      const reason = "nobody it is for is connected at the moment; it is delivered as soon as they are back";
      this.#confirmations.later(seq, onConfirmed);
      return { status: "queued", seq, reason };
    }
    // A link can be dead without anybody having noticed: only who has it can say that it came.
    if ((await this.#confirmations.wait(seq)) !== undefined) return { status: "sent", seq };
    this.#confirmations.later(seq, onConfirmed);
    const reason = "nobody has confirmed it yet; it is delivered as soon as they can be reached";
    return { status: "queued", seq, reason };
  }

  changed(timeoutMs: number, signal: AbortSignal): Promise<void> {
    return this.#watchers.wait(timeoutMs, signal);
  }

  touch(): void {
    if (this.#end !== undefined) return;
    this.#relay.run((room, now) => room.touch(this.inbox.read, now));
  }

  close(cause: EndCause = "closed"): Promise<void> {
    // Ending the room is itself told as an ending, which closes: the promise must exist before the room is called.
    this.#closing ??= Promise.resolve().then(() => this.#close(cause));
    return this.#closing;
  }

  async #close(cause: EndCause): Promise<void> {
    this.#relay.run((room, now) => room.end(cause, now));
    await this.files.end();
    // The last words go out through the tunnels, so these outlive the relay.
    try {
      await this.#relay.stop();
    } finally {
      await this.#pool.stop();
    }
  }

  #noticed(notice: RoomNotice): void {
    switch (notice.type) {
      case "entry":
        // Its own closing is no news to whoever closes.
        if (
          notice.entry.kind === "system" &&
          notice.entry.event === "ended" &&
          notice.entry.cause === "closed"
        )
          return;
        this.inbox.append(notice.entry);
        if (notice.entry.kind === "file") this.files.heard(notice.entry);
        // From now on there is somebody who would lose the way with the address.
        if (notice.entry.kind === "system" && notice.entry.event === "joined") this.#pool.keepStandby();
        return;
      case "alarm":
        return this.#alarm(notice.error, notice.member);
      case "reached":
        return this.#confirmations.confirm(notice.seq, notice.seq);
      case "presence":
        this.files.rosterChanged();
        return this.#watchers.wake();
      case "stream":
        return this.files.happened(notice.event);
      case "ended":
        this.#end = { cause: notice.cause === "closed" ? "closed-here" : notice.cause };
        this.inbox.close();
        this.#confirmations.end();
        this.#watchers.wake();
        // Idle time ends a room from within: what carries it must go, too.
        void this.close(notice.cause);
    }
  }

  #moved(event: PoolEvent): void {
    if (this.#end !== undefined) return;
    switch (event.type) {
      case "addresses":
        return this.#leadsHere(event.urls);
      case "lost":
      case "failed":
        this.#addressLost = event.error;
        return;
      case "replaced":
        return;
    }
  }

  /** Members learn where to find the room, and whoever still holds a link to an address that is gone gets another one. */
  #leadsHere(urls: readonly string[]): void {
    const { active } = this.#pool;
    this.#transportDetail = active?.description ?? this.#transportDetail;
    this.#relay.run((room, now) => room.setAddresses(urls, now));
    if (urls.length === 0 && this.#addressLost !== undefined)
      this.inbox.notify({ notice: "address-lost", error: this.#addressLost });
    if (urls.length > 0 && this.#isAstray) this.inbox.notify({ notice: "address-restored" });
    this.#isAstray = urls.length === 0;
    const invites = this.#invites.reissue(urls, this.#clock.now());
    if (invites.length > 0) this.inbox.notify({ notice: "invites-reissued", invites });
  }

  #alarm(error: TunnelError, member: MemberId): void {
    this.#alarms.push(error);
    if (this.#alarms.length > MAX_ALARMS) this.#alarms.shift();
    const name = this.presence().find(({ id }) => id === member)?.name;
    this.inbox.notify({ notice: "alarm", error, member: name });
  }
}
