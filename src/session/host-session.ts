import { must } from "../errors/must.ts";
import { TunnelError } from "../errors/tunnel-error.ts";
import type { Bytes } from "../protocol/base/bytes.ts";
import type { MemberId } from "../protocol/base/ids.ts";
import { LINK } from "../protocol/base/limits.ts";
import type { Primitives } from "../protocol/base/primitives.ts";
import type { ObserverSeat, PendingInvite } from "../protocol/host/invites.ts";
import type { Held } from "../oversight/lanes/held.ts";
import { Room } from "../protocol/host/room.ts";
import type { EndCause } from "../protocol/room/frames.ts";
import type { OutgoingMessage, Presence } from "../protocol/room/participant.ts";
import { peersAmong } from "../protocol/room/peers.ts";
import { membersNamed } from "../protocol/room/recipients.ts";
import type { WorkContext } from "../protocol/room/work-context.ts";
import type { TextScanner } from "./saying/judging.ts";
import type { LocalFiles } from "./files/local-files.ts";
import type { Overseer } from "../oversight/overseer.ts";
import type { Clock } from "../runtime/clock.ts";
import { every, settled, wait } from "../runtime/wait.ts";
import type { Listeners } from "../transport/listeners.ts";
import { startRelay, type Relay, type RoomNotice } from "../transport/relay-server.ts";
import { TunnelPool, type PoolEvent, type PoolHealth } from "../tunnel/pool/pool.ts";
import type { Provider, Tunnel, TunnelProgress } from "../tunnel/provider.ts";
import type { ProviderName } from "../tunnel/registry/registry.ts";
import { IssuedInvites, type Invite } from "./issued-invites.ts";
import { SessionKeeping, type KeptSession } from "./keeping/kept-session.ts";
import { missedOf } from "./saying/undelivered.ts";
import type { KeptStay } from "./stays/stays.ts";
import { SessionBase, type Posted, type TunnelId } from "./session.ts";
import { WaysBack, type Addresses, type CutOff } from "./ways-back.ts";

export type { PoolHealth };

/** Everything that a room and its addresses need of this machine. */
interface HostingOptions {
  readonly tunnelId: TunnelId;
  readonly bind: string;
  readonly port: number;
  readonly listeners: Listeners;
  readonly transport: ProviderName;
  readonly provider: Provider;
  /** Whether a spare address is kept once there are members. */
  readonly standby: boolean;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly overseer: Overseer;
  readonly scanner: TextScanner;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: TunnelProgress) => void;
}

/** Everything that opening a tunnel needs, already checked. */
interface HostOptions extends HostingOptions {
  readonly goal: string;
  readonly name: string;
  /** Members are told this of where this side works. */
  readonly workContext: WorkContext | undefined;
  readonly invites: number;
  /** Whether those who join later are given what was said before. */
  readonly history: boolean;
  readonly idleMs: number;
  readonly inviteMs: number;
  /** Where it is kept for a later process, and the project folder to which it belongs. */
  readonly stay: KeptStay | undefined;
  readonly folder: string;
}

/** Everything that taking up a room of an earlier process needs. */
interface ResumeOptions extends HostingOptions {
  readonly localFiles: LocalFiles;
  readonly stay: KeptStay;
  readonly kept: KeptSession;
  readonly changes: readonly Bytes[];
  readonly floors: { readonly said: number; readonly placed: number };
}

/** A room and what it needs to be reached, before there is an address. */
interface Hosting {
  readonly room: Room;
  readonly stay: KeptStay | undefined;
  readonly keeping: SessionKeeping;
  readonly kept: KeptSession | undefined;
  /** Reads again what an earlier process had offered. */
  readonly localFiles?: LocalFiles;
  /** Told of the session once there is one. */
  readonly onHosting: (hosting: HostSession) => void;
}

/** Somebody who is to read along. */
export interface Observing {
  /** From the beginning, and not from their arrival on. */
  readonly history: boolean;
  readonly minutes: number;
}

function seatOf({ history, minutes }: Observing): ObserverSeat {
  return { role: history ? "observer-history" : "observer", lifeMs: minutes * 60_000 };
}

/** The end of a tunnel's programs is waited for so long: cloudflared takes a second, others end at once. */
const PROGRAMS_MS = 200;
/** While a member is away, so often it is looked whether it can come back by itself. */
const LOOK_MS = 2_000;

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
  readonly #waysBack: WaysBack;
  /** Describes the tunnel in use, or the last one that was. */
  #transportDetail: string;
  #addressLost: TunnelError | undefined;
  /** There are addresses, and none of them leads here at the moment. */
  #isSilent = false;
  /** The agent has been told that nobody can come. */
  #isAstray = false;
  /** Ends the wait for the next look at those who are away. */
  #cancelLook: (() => void) | undefined;

  private constructor(parts: { options: HostingOptions; hosting: Hosting; relay: Relay; tunnel: Tunnel }) {
    const { options, hosting, relay, tunnel } = parts;
    const { tunnelId, clock, provider, standby, primitives, overseer, scanner } = options;
    const { room, keeping, kept, localFiles } = hosting;
    super({ tunnelId, machine: room, primitives, clock, overseer, scanner, keeping, kept, localFiles });
    this.goal = room.goal;
    this.history = room.history;
    this.transport = options.transport;
    this.#transportDetail = tunnel.description;
    this.#room = room;
    this.#relay = relay;
    this.#invites = new IssuedInvites((call) => relay.run(call), {
      random: (bytes) => primitives.random(bytes),
      keep: keeping,
      kept: kept?.invites,
    });
    this.#waysBack = new WaysBack((call) => relay.run(call), this.#invites);
    this.#pool = new TunnelPool({
      active: tunnel,
      provider,
      relay,
      clock,
      standby,
      limit: LINK.maxAddresses,
      absent: () => (this.end === undefined ? this.#waysBack.absent() : []),
      random: () => must(primitives.random(1)[0], "a random byte") / 256,
      onEvent: (event) => this.#moved(event),
    });
  }

  /** Opens everything or leaves nothing behind. @throws {TunnelError} */
  static async open(options: HostOptions): Promise<{ hosting: HostSession; invites: Invite[] }> {
    const { primitives, clock, goal, name, workContext, history, idleMs, inviteMs, stay } = options;
    let hosting: HostSession | undefined;
    const room = new Room(
      primitives,
      {
        goal,
        hostName: name,
        workContext,
        history,
        idleMs,
        inviteMs,
        mayEnter: (invite, who) => hosting?.oversight.mayEnter(invite, who) ?? "now",
        keeper: stay,
        keptForSec: () => stay?.keptForSec ?? 0,
      },
      clock.now(),
    );
    const keeping = new SessionKeeping(stay);
    const { folder, transport } = options;
    keeping.begun({ role: "host", folder, transport, openedAt: clock.now() });
    const onHosting = (opened: HostSession): void => void (hosting = opened);
    const all = { room, stay, keeping, kept: undefined, onHosting };
    const { session, url } = await HostSession.#reached(options, all);
    return { hosting: session, invites: session.#invites.issue(options.invites, url) };
  }

  /**
   * Takes up the room of an earlier process. Where it cannot be reached now, it stays kept.
   * @throws {TunnelError} stay-unreadable, stay-outdated, tunnel-closed (it has ended), and all of opening
   */
  static async resume(options: ResumeOptions): Promise<HostSession> {
    const { primitives, clock, stay, kept, changes, floors } = options;
    let hosting: HostSession | undefined;
    const room = Room.restore(
      primitives,
      {
        changes,
        floors,
        mayEnter: (invite, who) => hosting?.oversight.mayEnter(invite, who) ?? "now",
        keeper: stay,
        keptForSec: () => stay.keptForSec,
      },
      clock.now(),
    );
    if (room.ended !== undefined) throw new TunnelError("tunnel-closed");
    const keeping = new SessionKeeping(stay, kept);
    const onHosting = (resumed: HostSession): void => void (hosting = resumed);
    const all = { room, stay, keeping, kept, localFiles: options.localFiles, onHosting };
    const { session } = await HostSession.#reached(options, all);
    session.recalled();
    // Where the address is another one than before, members and links are looked after.
    session.#leadsHere(session.#pool.urls);
    return session;
  }

  /** @throws {TunnelError} */
  static async #reached(
    options: HostingOptions,
    hosting: Hosting,
  ): Promise<{ session: HostSession; url: string }> {
    const { clock, provider, signal, onProgress } = options;
    const { room, keeping } = hosting;
    const early: RoomNotice[] = [];
    let onNotice = (notice: RoomNotice): void => void early.push(notice);
    const relay = await listening(options, hosting, (notice) => onNotice(notice));
    keeping.listens(relay.port);
    // Opening is activity: a first download may take longer than a short idle time.
    const beActive = (): void => relay.run((one, now) => one.touch(0, now));
    beActive();
    const stopBeating = every(clock, room.idleMs / 4, beActive);
    let opened: HostSession | undefined;
    try {
      const tunnel = await provider.open({
        port: relay.port,
        proof: relay.proof,
        purpose: relay.purpose,
        signal,
        onProgress,
      });
      const session = new HostSession({ options, hosting, relay, tunnel });
      opened = session;
      hosting.onHosting(session);
      onNotice = (notice) => session.#noticed(notice);
      for (const notice of early) session.#noticed(notice);
      // The idle time starts when the human can do something, not while a tunnel program was being fetched.
      session.touch();
      return { session, url: tunnel.url };
    } catch (error) {
      await (opened === undefined ? relay.stop() : opened.gone());
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
    const health = this.#pool.health();
    const { standby } = health;
    // A spare address is of use to those who have heard of it.
    return standby.state !== "ready" || this.#waysBack.isKnown(standby.url)
      ? health
      : { ...health, standby: { state: "opening", attempts: 0 } };
  }

  /** The members that are away and cannot come now. */
  get cutOff(): CutOff[] {
    return this.end === undefined ? this.#waysBack.cutOff(this.#addresses) : [];
  }

  /** When the room ends if nobody does anything in it. */
  get idleAt(): number {
    return this.#room.idleAt;
  }

  /** @throws {TunnelError} tunnel-closed, invite-limit, address-lost; all or none */
  invite(count: number): Invite[] {
    return this.#invites.issue(count, this.#pool.urls[0]);
  }

  /**
   * Links for those who only read along, as a person wants them.
   * @throws {TunnelError} as {@link invite}, observer-limit, no-history
   */
  observerLinks(count: number, observing: Observing): Invite[] {
    return this.#invites.issue(count, this.#pool.urls[0], seatOf(observing));
  }

  /**
   * The same for this side's agent, as soon as its person lets it.
   * @throws {TunnelError} as {@link observerLinks}, asks-crowded
   */
  askForObserverLinks(count: number, observing: Observing): Invite[] | Held {
    // A person is not asked about what could not be made.
    this.#relay.run((room, now) => room.assertMintable(count, now, seatOf(observing)));
    const may = this.oversight.mayInviteObservers({ links: count, ...observing });
    return may === "now" ? this.observerLinks(count, observing) : may;
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
    const isFor = ({ id }: Presence): boolean => to?.includes(id) !== false;
    return {
      key: seq,
      seq,
      unreachable: () =>
        peersAmong(this.presence()).some((member) => member.connected && isFor(member))
          ? undefined
          : "nobody it is for is connected at the moment; it is delivered as soon as they are back",
      slow: "nobody has confirmed it yet; it is delivered as soon as they can be reached",
    };
  }

  override async gone(): Promise<void> {
    await this.close();
    await this.#pool.stop();
  }

  protected finish(cause: EndCause): void {
    this.#relay.run((room, now) => room.end(cause, now));
  }

  protected async stop(): Promise<void> {
    // The last words go out through the tunnels, so these outlive the relay.
    this.#cancelLook?.();
    try {
      await this.#relay.stop();
    } finally {
      // Nobody needs to wait for programs that take their time to end.
      await wait(this.clock, PROGRAMS_MS, { until: settled(this.#pool.stop()) });
    }
  }

  #noticed(notice: RoomNotice): void {
    switch (notice.type) {
      case "entry":
        return this.#entered(notice);
      case "presence":
        this.heard(notice);
        // One that is cut off now may need a link. Where somebody is away already, the next look is near.
        if (
          !this.isDeparting &&
          this.#cancelLook === undefined &&
          peersAmong(this.presence()).some(({ connected }) => !connected)
        )
          this.#look();
        return;
      case "stream":
        return this.heard(notice);
      case "missed": {
        const missed = missedOf(notice.member, notice.afterSeq, this.inbox.said());
        if (missed !== undefined) this.inbox.notify({ notice: "member-missed", ...missed });
        return;
      }
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

  #entered(notice: Extract<RoomNotice, { type: "entry" }>): void {
    const { entry } = notice;
    const isEnd = entry.kind === "system" && entry.event === "ended";
    // Its own closing is no news to the one who closes.
    if (isEnd && entry.cause === "closed") return;
    this.heard(notice);
    // From now on there is somebody who would lose the way with the address.
    if (entry.kind === "system" && entry.event === "joined" && entry.role === undefined)
      this.#pool.keepStandby();
  }

  #moved(event: PoolEvent): void {
    if (this.end !== undefined || this.isDeparting) return;
    switch (event.type) {
      case "addresses":
        return this.#leadsHere(event.urls);
      case "reach":
        this.#isSilent = !event.isUp;
        return this.#look();
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
    this.#look();
    const invites = this.#invites.reissue(urls, this.clock.now());
    if (invites.length > 0) this.inbox.notify({ notice: "invites-reissued", invites });
  }

  /** The agent is told when nobody can come, when they can again, and which of the members need a new link to do so. */
  #look(): void {
    if (this.end !== undefined || this.isDeparting) return;
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    const isLost = this.#pool.urls.length === 0;
    const isAstray = isLost || this.#isSilent;
    const members = this.#waysBack.guide(this.#addresses, this.clock.now());
    if (isAstray && !this.#isAstray)
      this.inbox.notify({ notice: "address-lost", error: this.#whyAstray(isLost) });
    if ((!isAstray && this.#isAstray) || members.length > 0)
      this.inbox.notify({ notice: "address-restored", members });
    this.#isAstray = isAstray;
    if (this.#waysBack.isAnybodyAway) this.#cancelLook = this.clock.after(LOOK_MS, () => this.#look());
  }

  #whyAstray(isLost: boolean): TunnelError {
    return (isLost ? this.#addressLost : undefined) ?? new TunnelError("address-silent");
  }

  get #addresses(): Addresses {
    return this.#pool.addresses;
  }

  #nameOf(member: MemberId): string | undefined {
    return this.presence().find(({ id }) => id === member)?.name;
  }
}

/**
 * The room behind a port. One of an earlier process gets the port that its members know, unless somebody else has that by now.
 * @throws {TunnelError} port-in-use, port-in-use-here, bind-failed
 */
async function listening(
  { clock, bind, port, listeners, tunnelId, provider }: HostingOptions,
  { room, stay, kept }: Hosting,
  onNotice: (notice: RoomNotice) => void,
): Promise<Relay> {
  const at = (wanted: number): Promise<Relay> =>
    startRelay({
      room,
      clock,
      bind,
      port: wanted,
      listeners,
      owner: tunnelId,
      sourceHeader: provider.sourceHeader,
      onNotice,
      writeKept: stay === undefined ? undefined : () => stay.write(),
    });
  if (kept?.port === undefined) return at(port);
  try {
    return await at(kept.port);
  } catch (error) {
    if (!(error instanceof TunnelError) || error.code !== "port-in-use") throw error;
    return at(port);
  }
}
