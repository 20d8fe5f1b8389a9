import type { LookupFunction } from "node:net";
import { must } from "../errors/must.ts";
import { TunnelError } from "../errors/tunnel-error.ts";
import type { Bytes } from "../protocol/base/bytes.ts";
import { LINK } from "../protocol/base/limits.ts";
import type { Primitives } from "../protocol/base/primitives.ts";
import type { ConnectionState, GuestEnd } from "../protocol/guest/guest-io.ts";
import { Guest } from "../protocol/guest/guest.ts";
import type { InviteLink } from "../protocol/handshake/invite-link.ts";
import type { OutgoingMessage } from "../protocol/room/participant.ts";
import type { WorkContext } from "../protocol/room/work-context.ts";
import type { TextScanner } from "./saying/judging.ts";
import type { LocalFiles } from "./files/local-files.ts";
import type { Overseer } from "../oversight/overseer.ts";
import type { Clock } from "../runtime/clock.ts";
import { Emitter } from "../runtime/emitter.ts";
import { wait } from "../runtime/wait.ts";
import {
  loadDial,
  GuestSocket,
  type Dial,
  type DialOptions,
  type GuestNotice,
} from "../transport/guest-socket.ts";
import { SessionKeeping, type KeptSession } from "./keeping/kept-session.ts";
import { undeliveredOf } from "./saying/undelivered.ts";
import type { KeptStay } from "./stays/stays.ts";
import { SessionBase, type Posted, type SessionEnd, type TunnelId } from "./session.ts";

/** Everything that a stay needs of this machine. */
interface StayOptions {
  readonly tunnelId: TunnelId;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly overseer: Overseer;
  readonly scanner: TextScanner;
  readonly lookup: LookupFunction;
  /** Proxies and certificates; without them the host is dialled directly. */
  readonly network: DialOptions | undefined;
  readonly signal: AbortSignal;
}

/** Everything that joining a tunnel needs, already checked. */
interface GuestOptions extends StayOptions {
  readonly link: InviteLink;
  readonly name: string;
  /** The others are told this of where this side works. */
  readonly workContext: WorkContext | undefined;
  /** Where it is kept for a later process, and the project folder to which it belongs. */
  readonly stay: KeptStay | undefined;
  readonly folder: string;
}

/** Everything that taking up a stay of an earlier process needs. */
interface ResumeOptions extends StayOptions {
  readonly localFiles: LocalFiles;
  readonly stay: KeptStay;
  readonly kept: KeptSession;
  readonly changes: readonly Bytes[];
  /** Numbers of own messages up to this one may have been used without a trace. */
  readonly floor: number;
}

interface Parts {
  readonly member: Guest;
  readonly stay: KeptStay | undefined;
  readonly keeping: SessionKeeping;
  readonly kept: KeptSession | undefined;
  /** Reads again what an earlier process had offered. */
  readonly localFiles?: LocalFiles;
}

/** A host that is there answers well within this time; one that is not may come later. */
const RETURN_MS = 5_000;

/** A fresh Quick Tunnel may need this long until its name and its edge are there. */
const JOIN_PATIENCE_MS = 25_000;
/** A handshake that began in time may still come to its end, but no later than this. */
const JOIN_LIMIT_MS = JOIN_PATIENCE_MS + LINK.connectTimeoutMs;

/** How far joining has come. */
type Joining =
  /** `failure` is the reason so far, where a dial has given one. */
  | { readonly name: "joining"; readonly failure: TunnelError | undefined }
  | { readonly name: "joined" }
  | { readonly name: "failed"; readonly error: TunnelError };

/** A session of a tunnel that this process has joined. */
export class GuestSession extends SessionBase {
  readonly role = "member";
  readonly room: string;
  /** The host's public key as the link named it: nobody else can ever answer here. */
  readonly hostKey: Bytes;
  readonly #member: Guest;
  readonly #socket: GuestSocket;
  /** Emits when joining has come to its end. */
  readonly #joiningOver = new Emitter<void>();
  #joining: Joining = { name: "joining", failure: undefined };

  private constructor(options: StayOptions, { member, stay, keeping, kept, localFiles }: Parts, dial: Dial) {
    const { tunnelId, primitives, clock, overseer, scanner, lookup } = options;
    super({ tunnelId, machine: member, primitives, clock, overseer, scanner, keeping, kept, localFiles });
    const { room, hostKey } = member.target;
    this.room = room;
    this.hostKey = hostKey;
    this.#member = member;
    // A machine that was restored tells what it had been told as soon as it is driven.
    const early: GuestNotice[] = [];
    let onNotice = (notice: GuestNotice): void => void early.push(notice);
    this.#socket = new GuestSocket({
      member,
      room,
      clock,
      dial,
      lookup,
      onNotice: (notice) => onNotice(notice),
      onFailure: (error, mayPass) => this.#failedToConnect(error, mayPass),
      writeKept: stay === undefined ? undefined : () => stay.write(),
    });
    onNotice = (notice) => this.#noticed(notice);
    for (const notice of early) this.#noticed(notice);
    this.recalled();
  }

  /**
   * Resolves when the host is proved and has let this side in; leaves nothing behind otherwise.
   * @throws {TunnelError} whatever kept it out, or cancelled
   */
  static async join(options: GuestOptions): Promise<GuestSession> {
    const { primitives, clock, link, name, workContext, stay, folder } = options;
    const dial = await loadDial(options.network);
    const keeping = new SessionKeeping(stay);
    const member = new Guest(primitives, { link, name, workContext, keeper: stay }, clock.now());
    keeping.begun({ role: "member", folder, transport: undefined, openedAt: clock.now() });
    const session = new GuestSession(options, { member, stay, keeping, kept: undefined }, dial);
    try {
      await session.#untilJoined(options.signal);
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  /**
   * Takes up the stay of an earlier process, and waits a moment for the host, who may come later as well.
   * @throws {TunnelError} stay-unreadable, stay-outdated, tunnel-closed (it has ended), and why the host does not go on with it
   */
  static async resume(options: ResumeOptions): Promise<GuestSession> {
    const { primitives, clock, stay, kept, changes, floor, signal } = options;
    const dial = await loadDial(options.network);
    const member = Guest.restore(primitives, { changes, floor, keeper: stay }, clock.now());
    if (member.connection.name === "ended") throw new TunnelError("tunnel-closed");
    const keeping = new SessionKeeping(stay, kept);
    const { localFiles } = options;
    const session = new GuestSession(options, { member, stay, keeping, kept, localFiles }, dial);
    const until = clock.now() + RETURN_MS;
    while (session.#isAway) {
      const how = await wait(clock, until - clock.now(), { signal, until: session.onPresence });
      if (how !== "woken") break;
    }
    if (session.end?.cause === "failed") throw session.end.error;
    return session;
  }

  get goal(): string {
    return this.#membership.goal;
  }

  get history(): boolean {
    return this.#membership.history;
  }

  /** As the host calls this member. */
  get name(): string {
    return this.#membership.name;
  }

  get safetyCode(): string {
    return this.#membership.safetyCode;
  }

  get connection(): ConnectionState {
    return this.#member.connection;
  }

  /** When the host was last heard, in ms since the epoch. */
  get lastHeard(): number {
    return this.#member.lastHeard;
  }

  /** Own messages that have not reached the host yet. */
  get unplaced(): number {
    return this.#member.unplaced;
  }

  /**
   * Back to the same host by the address in a fresh link, where the known ones lead nowhere any more. The invite in it
   * stays unused.
   * @throws {TunnelError} host-unreachable when that does not lead there in time, cancelled, or why the tunnel has ended
   */
  async rejoin(origin: string, signal: AbortSignal): Promise<void> {
    this.#socket.run((member, now) => member.prefer(origin, now));
    const until = this.clock.now() + JOIN_PATIENCE_MS;
    while (this.#isAway) {
      const how = await wait(this.clock, until - this.clock.now(), { signal, until: this.onPresence });
      if (how !== "woken") break;
    }
    if (this.end?.cause === "failed") throw this.end.error;
    if (signal.aborted) throw new TunnelError("cancelled");
    if (this.#isAway) throw new TunnelError("host-unreachable");
  }

  revoke(): boolean {
    return false;
  }

  protected run<Result>(call: (member: Guest, now: number) => Result): Result {
    return this.#socket.run(call);
  }

  protected writable(): Promise<void> {
    return this.#socket.writable();
  }

  protected post(outgoing: OutgoingMessage): Posted {
    const key = this.#socket.run((member, now) => member.say(outgoing, now));
    return {
      key,
      seq: undefined,
      ownNo: key,
      unreachable: () => this.#whyUnreachable(),
      slow: "the host has not confirmed it yet; it is sent again if need be",
    };
  }

  #whyUnreachable(): string | undefined {
    const { connection } = this;
    if (connection.name === "connected") return undefined;
    const keptUntil = connection.name === "ended" ? undefined : connection.hostKeptUntil;
    if (keptUntil === undefined)
      return "the connection to the host is down; it is sent as soon as it is back";
    const keptForSec = Math.max(0, Math.ceil((keptUntil - this.clock.now()) / 1_000));
    return `the host is away; it may come back within ${keptForSec} s, and then it is sent`;
  }

  protected finish(): void {
    this.#socket.run((member, now) => member.leave(now));
  }

  protected stop(): Promise<void> {
    return this.#socket.stop();
  }

  /** The host has let this side in, and what comes before its own arrival is on its way. */
  get #isArriving(): boolean {
    const isHeard = this.clock.now() - this.#member.lastHeard < LINK.answerMs;
    return this.#member.membership !== undefined && isHeard;
  }

  /** Nobody is given this session before the host has let it in. */
  get #membership(): NonNullable<Guest["membership"]> {
    return must(this.#member.membership, "the membership of a joined session");
  }

  /** Not connected, and not over either. */
  get #isAway(): boolean {
    return this.end === undefined && this.connection.name !== "connected";
  }

  /** @throws {TunnelError} whatever kept it out, or cancelled */
  async #untilJoined(signal: AbortSignal): Promise<void> {
    const until = (wake: () => void): (() => void) => this.#joiningOver.subscribe(wake);
    // A long history over a slow link is no failure as long as it goes on arriving.
    for (let ms = JOIN_PATIENCE_MS; this.#joining.name === "joining"; ms = LINK.answerMs) {
      const how = await wait(this.clock, ms, { signal, until });
      if (how === "aborted") this.#joiningEnded({ name: "failed", error: new TunnelError("cancelled") });
      const isLate = this.clock.now() - this.openedAt >= JOIN_LIMIT_MS;
      const isGoingOn = this.#isArriving || (this.#socket.isAnswered && !isLate);
      if (how === "timeout" && !isGoingOn) this.#joiningFailed();
    }
    if (this.#joining.name === "failed") throw this.#joining.error;
  }

  /** Nobody has let this side in by now. */
  #joiningFailed(): void {
    if (this.#joining.name !== "joining") return;
    // A peer that takes the call and then says nothing leaves no other trace.
    const code = this.#socket.isAnswered ? "handshake-timeout" : "host-unreachable";
    const { failure = new TunnelError(code) } = this.#joining;
    this.#joiningEnded({ name: "failed", error: failure });
  }

  /** Only the first end counts. */
  #joiningEnded(end: Exclude<Joining, { name: "joining" }>): void {
    if (this.#joining.name !== "joining") return;
    this.#joining = end;
    this.#joiningOver.emit();
  }

  #noticed(notice: GuestNotice): void {
    switch (notice.type) {
      case "joined":
        return this.#joiningEnded({ name: "joined" });
      case "entry":
      case "presence":
      case "stream":
        return this.heard(notice);
      case "placed":
        return this.confirm(notice.n, notice.seq);
      case "alarm":
        return this.alarm(notice.error, notice.member);
      case "ended": {
        const end = sessionEnd(notice.end);
        // Before anybody is told of the end: whoever waits for news gets both.
        const undelivered = undeliveredOf(this.#member.waiting);
        if (undelivered !== undefined) this.inbox.notify({ notice: "undelivered", ...undelivered });
        this.ended(end);
        if (end.cause === "failed") this.#joiningEnded({ name: "failed", error: end.error });
      }
    }
  }

  /** While joining, what cannot pass by itself is told at once, and the rest is tried for a while. */
  #failedToConnect(error: TunnelError, mayPass: boolean): void {
    if (this.#joining.name !== "joining") return;
    this.#joining = { name: "joining", failure: error };
    if (!mayPass) this.#joiningEnded({ name: "failed", error });
  }
}

/** Why a member's stay is over, as its session tells it. */
function sessionEnd(end: GuestEnd): SessionEnd {
  switch (end.by) {
    case "host":
      return { cause: end.cause === "closed" ? "closed-by-host" : end.cause };
    case "removal":
      return { cause: "removed" };
    case "self":
      return { cause: "closed-here" };
    case "failure":
      return { cause: "failed", error: end.error };
  }
}
