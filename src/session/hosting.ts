import { TunnelError } from "../protocol/errors.ts";
import type { EndCause } from "../protocol/frames.ts";
import type { InviteId, MemberId } from "../protocol/ids.ts";
import type { PendingInvite } from "../protocol/invites.ts";
import { formatLink } from "../protocol/link.ts";
import type { Primitives } from "../protocol/primitives.ts";
import type { Presence, Utterance } from "../protocol/participant.ts";
import { Room } from "../protocol/room.ts";
import type { Clock } from "../runtime/clock.ts";
import { startRelay, type Relay, type RoomNotice } from "../transport/relay-server.ts";
import type { Tunnel, TunnelHealth, TunnelProgress, TunnelProvider } from "../tunnel/tunnel.ts";
import { Inbox } from "./inbox.ts";
import { MAX_ALARMS, type Sent, type SessionEnd, type TunnelHandle, type TunnelId } from "./handle.ts";

export interface Invite {
  readonly inviteId: InviteId;
  /** The secret: whoever has it can join, once. */
  readonly joinLink: string;
  readonly expiresInMs: number;
}

export interface HostingOptions {
  readonly tunnelId: TunnelId;
  readonly goal: string;
  readonly name: string;
  readonly invites: number;
  readonly idleMs: number;
  readonly inviteMs: number;
  readonly bind: string;
  readonly port: number;
  readonly transport: Tunnel["provider"];
  readonly provider: TunnelProvider;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: TunnelProgress) => void;
}

/** A tunnel that this process hosts: the room, its relay and its public address as one resource. */
export class Hosting implements TunnelHandle {
  readonly role = "host";
  readonly tunnelId: TunnelId;
  readonly goal: string;
  readonly inbox: Inbox;
  readonly openedAt: number;
  readonly tunnel: Tunnel;
  readonly #room: Room;
  readonly #relay: Relay;
  readonly #clock: Clock;
  readonly #alarms: TunnelError[] = [];
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
    this.tunnelId = options.tunnelId;
    this.goal = options.goal;
    this.inbox = inbox;
    this.openedAt = options.clock.now();
    this.tunnel = tunnel;
    this.#room = room;
    this.#relay = relay;
    this.#clock = options.clock;
    tunnel.onDown((error) => this.#alarm(error));
  }

  /** Opens everything or leaves nothing behind. @throws {TunnelError} */
  static async open(options: HostingOptions): Promise<{ hosting: Hosting; invites: Invite[] }> {
    const { primitives, clock, goal, name, idleMs, inviteMs, bind, port, transport } = options;
    const room = new Room(primitives, { goal, hostName: name, idleMs, inviteMs }, clock.now());
    const inbox = new Inbox({ self: room.self, clock, start: 0 });
    const early: RoomNotice[] = [];
    let onNotice = (notice: RoomNotice): void => void early.push(notice);
    const isBehindEdge = transport === "cloudflared";
    const relay = await startRelay({
      room,
      clock,
      bind,
      port,
      isBehindEdge,
      onNotice: (notice) => onNotice(notice),
    });
    const stopBeating = keepActive(relay, clock, idleMs / 4);
    let tunnel: Tunnel | undefined;
    try {
      const { signal, onProgress } = options;
      tunnel = await options.provider({ port: relay.port, signal, onProgress });
      const hosting = new Hosting({ options, room, relay, tunnel, inbox });
      onNotice = (notice) => hosting.#noticed(notice);
      for (const notice of early) hosting.#noticed(notice);
      // The idle time starts when the human can do something, not while cloudflared was being fetched.
      hosting.touch();
      return { hosting, invites: hosting.invite(options.invites) };
    } catch (error) {
      await relay.stop();
      await tunnel?.stop();
      throw error;
    } finally {
      stopBeating();
    }
  }

  get self(): MemberId {
    return this.#room.self;
  }

  get end(): SessionEnd | undefined {
    return this.#end;
  }

  get alarms(): readonly TunnelError[] {
    return this.#alarms;
  }

  get health(): TunnelHealth {
    return this.tunnel.health();
  }

  /** When the room ends if nobody does anything in it. */
  get idleAt(): number {
    return this.#room.idleAt;
  }

  presence(): Presence[] {
    return this.#room.presence(this.#clock.now());
  }

  /** @throws {TunnelError} tunnel-closed, invite-limit; all or none */
  invite(count: number): Invite[] {
    const minted: { inviteId: InviteId; key: Uint8Array; expiresInMs: number }[] = [];
    try {
      for (let made = 0; made < count; made += 1) minted.push(this.#relay.run((room, now) => room.mint(now)));
    } catch (error) {
      for (const { inviteId } of minted) this.revoke(inviteId);
      throw error;
    }
    return minted.map(({ inviteId, key, expiresInMs }) => {
      const { id: room, hostKey } = this.#room;
      return { inviteId, expiresInMs, joinLink: formatLink({ origin: this.tunnel.url, room, key, hostKey }) };
    });
  }

  revoke(inviteId: string): boolean {
    return this.#relay.run((room, now) => room.revoke(inviteId, now));
  }

  pendingInvites(): PendingInvite[] {
    return this.#end === undefined ? this.#room.pendingInvites(this.#clock.now()) : [];
  }

  /** Whether a link leads to this very room. */
  isRoom(room: string): boolean {
    return this.#room.id === room;
  }

  say(utterance: Utterance): Promise<Sent> {
    return new Promise((resolve) => {
      const seq = this.#relay.run((room, now) => room.say(utterance, now));
      const isHeard = this.presence().some((member) => !member.isSelf && member.connected);
      if (isHeard) return resolve({ status: "sent", seq });
      const reason = "nobody is connected at the moment; it is delivered as soon as they are back";
      return resolve({ status: "queued", seq, reason });
    });
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
    // The last words go out through the tunnel, so it outlives the relay.
    try {
      await this.#relay.stop();
    } finally {
      await this.tunnel.stop();
    }
  }

  #noticed(notice: RoomNotice): void {
    switch (notice.type) {
      case "entry":
        return this.inbox.append(notice.entry);
      case "alarm":
        return this.#alarm(notice.error);
      case "presence":
        return;
      case "ended":
        this.#end = { cause: notice.cause === "closed" ? "closed-here" : notice.cause };
        this.inbox.close();
        // Idle time ends a room from within: what carries it must go, too.
        void this.close(notice.cause);
    }
  }

  #alarm(error: TunnelError): void {
    this.#alarms.push(error);
    if (this.#alarms.length > MAX_ALARMS) this.#alarms.shift();
  }
}

/** Opening is activity: a first download may take longer than a short idle time. */
function keepActive(relay: Relay, clock: Clock, everyMs: number): () => void {
  let cancel = (): void => undefined;
  const beat = (): void => {
    relay.run((room, now) => room.touch(0, now));
    cancel = clock.after(everyMs, beat);
  };
  beat();
  return () => cancel();
}
