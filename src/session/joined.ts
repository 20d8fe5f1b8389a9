import type { Bytes } from "../protocol/base/bytes.ts";
import { TunnelError } from "../errors/tunnel-error.ts";
import type { Attestation } from "../protocol/room/audit-log.ts";
import type { MemberId } from "../protocol/base/ids.ts";
import { Services } from "../protocol/link/service.ts";
import { LINK } from "../protocol/base/limits.ts";
import type { ConnectionState, GuestEnd } from "../protocol/guest/guest-io.ts";
import { Guest } from "../protocol/guest/guest.ts";
import type { Presence, OutgoingMessage } from "../protocol/room/participant.ts";
import type { Clock } from "../runtime/clock.ts";
import { loadDial, GuestSocket, type Dial, type GuestNotice } from "../transport/guest-socket.ts";
import { Confirmations } from "./confirmations.ts";
import { Files } from "./files/files.ts";
import { streamPort } from "./files/port.ts";
import { Inbox } from "./inbox.ts";
import type { JoinedOptions } from "./joined-options.ts";
import { sessionEnd } from "./member-end.ts";
import { Waiters } from "./waiters.ts";
import { MAX_ALARMS, type Sent, type SessionEnd, type TunnelHandle, type TunnelId } from "./handle.ts";

/** A fresh Quick Tunnel may need this long until its name and its edge are there. */
const JOIN_PATIENCE_MS = 25_000;
/** Whatever happens, joining is over by then; an attempt that began in time may still come to its end. */
const JOIN_LIMIT_MS = JOIN_PATIENCE_MS + LINK.connectTimeoutMs;

type Settle = { resolve: () => void; reject: (error: TunnelError) => void };

/** A tunnel that this process has joined as a guest. */
export class Joined implements TunnelHandle {
  readonly role = "member";
  readonly tunnelId: TunnelId;
  readonly inbox: Inbox;
  readonly files: Files;
  readonly openedAt: number;
  readonly room: string;
  /** The host's public key as the link named it: nobody else can ever answer here. */
  readonly hostKey: Bytes;
  readonly #member: Guest;
  readonly #socket: GuestSocket;
  readonly #clock: Clock;
  /** The services on streams. */
  readonly #services: Services;
  readonly #alarms: TunnelError[] = [];
  readonly #confirmations: Confirmations;
  /** Woken when the connection or somebody's presence changes. */
  readonly #watchers: Waiters;
  #joining: Settle | undefined;
  /** Why it could not join so far; somebody who takes the call and then says nothing leaves no other trace. */
  #joinFailure = new TunnelError("handshake-timeout");
  #end: SessionEnd | undefined;
  #closing: Promise<void> | undefined;

  private constructor(options: JoinedOptions, dial: Dial, joining: Settle) {
    const { primitives, clock, link, name, lookup } = options;
    this.tunnelId = options.tunnelId;
    this.openedAt = clock.now();
    this.room = link.room;
    this.hostKey = link.hostKey;
    this.#clock = clock;
    this.#confirmations = new Confirmations(clock);
    this.#watchers = new Waiters(clock);
    this.#joining = joining;
    this.#member = new Guest(primitives, { link, name, workContext: options.workContext }, clock.now());
    this.inbox = new Inbox({ self: this.#member.self, clock, start: 0 });
    this.#socket = new GuestSocket({
      member: this.#member,
      room: link.room,
      clock,
      dial,
      lookup,
      onNotice: (notice) => this.#noticed(notice),
      onFailure: (error) => this.#failedToConnect(error),
    });
    const socket = this.#socket;
    const port = streamPort(
      (call) => socket.run(call),
      () => socket.writable(),
    );
    this.#services = new Services(port);
    this.files = new Files({
      primitives,
      clock,
      say: (outgoing) => this.say(outgoing),
      notify: (notice) => this.inbox.notify(notice),
      services: this.#services,
      port,
    });
  }

  /**
   * Resolves when the host is proved and has let this side in; leaves nothing behind otherwise.
   * @throws {TunnelError} whatever kept it out, or cancelled
   */
  static async join(options: JoinedOptions): Promise<Joined> {
    const { signal } = options;
    const dial = await loadDial();
    let joined: Joined | undefined;
    const cancel = (): void => joined?.stopJoining(new TunnelError("cancelled"));
    let cancelTimer = (): void => undefined;
    const limit = (ms: number): void => {
      cancelTimer = options.clock.after(ms, () => {
        // A long history over a slow link is no failure as long as it goes on arriving.
        if (joined?.isArriving === true) limit(LINK.answerMs);
        else joined?.stopJoining(joined.#joinFailure);
      });
    };
    limit(JOIN_LIMIT_MS);
    try {
      await new Promise<void>((resolve, reject) => {
        joined = new Joined(options, dial, { resolve, reject });
        signal.addEventListener("abort", cancel);
        if (signal.aborted) cancel();
      });
    } catch (error) {
      await joined?.close();
      throw error;
    } finally {
      cancelTimer();
      signal.removeEventListener("abort", cancel);
    }
    // The promise only resolves from within the instance.
    if (joined === undefined) throw new TunnelError("internal");
    return joined;
  }

  get self(): MemberId {
    return this.#member.self;
  }

  get goal(): string {
    return this.#member.membership?.goal ?? "";
  }

  get history(): boolean {
    return this.#member.membership?.history ?? false;
  }

  /** As the host calls this member. */
  get name(): string {
    return this.#member.membership?.name ?? "";
  }

  get safetyCode(): string {
    return this.#member.membership?.safetyCode ?? "";
  }

  get attestation(): Attestation | undefined {
    return this.#member.attestation;
  }

  get end(): SessionEnd | undefined {
    return this.#end;
  }

  get alarms(): readonly TunnelError[] {
    return this.#alarms;
  }

  get link(): ConnectionState {
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

  presence(): Presence[] {
    return this.#member.presence(this.#clock.now());
  }

  async say(outgoing: OutgoingMessage, onConfirmed?: (seq: number) => void): Promise<Sent> {
    const n = this.#socket.run((member, now) => member.say(outgoing, now));
    const reason = "the connection to the host is down; it is sent as soon as it is back";
    if (this.link.name !== "connected") {
      this.#confirmations.later(n, onConfirmed);
      return { status: "queued", seq: undefined, reason };
    }
    const seq = await this.#confirmations.wait(n);
    if (seq !== undefined) return { status: "sent", seq };
    this.#confirmations.later(n, onConfirmed);
    return {
      status: "queued",
      seq: undefined,
      reason: "the host has not confirmed it yet; it is sent again if need be",
    };
  }

  /**
   * Back to the same host by the address in a fresh link, where the known ones lead nowhere any more. The invite in it
   * stays unused.
   * @throws {TunnelError} host-unreachable when that does not lead there in time, cancelled, or why the tunnel has ended
   */
  async rejoin(origin: string, signal: AbortSignal): Promise<void> {
    this.#socket.run((member, now) => member.prefer(origin, now));
    const until = this.#clock.now() + JOIN_PATIENCE_MS;
    for (
      let left = JOIN_PATIENCE_MS;
      left > 0 && this.#isAway && !signal.aborted;
      left = until - this.#clock.now()
    )
      await this.#watchers.wait(left, signal);
    if (this.#end?.cause === "failed") throw this.#end.error;
    if (signal.aborted) throw new TunnelError("cancelled");
    if (this.#isAway) throw new TunnelError("host-unreachable");
  }

  changed(timeoutMs: number, signal: AbortSignal): Promise<void> {
    return this.#watchers.wait(timeoutMs, signal);
  }

  /** The host has let this side in, and what comes before its own arrival is on its way. */
  get isArriving(): boolean {
    const isHeard = this.#clock.now() - this.#member.lastHeard < LINK.answerMs;
    return this.#member.membership !== undefined && isHeard;
  }

  /** Not connected, and not over either. */
  get #isAway(): boolean {
    return this.#end === undefined && this.link.name !== "connected";
  }

  touch(): void {
    if (this.#end !== undefined) return;
    this.#socket.run((member, now) => member.touch(this.inbox.read, now));
  }

  close(): Promise<void> {
    // Leaving is itself an ending, which closes: the promise must exist before the machine is called.
    this.#closing ??= Promise.resolve().then(() => this.#close());
    return this.#closing;
  }

  /** Gives up joining; `join` rejects with `error`. */
  stopJoining(error: TunnelError): void {
    this.#joining?.reject(error);
    this.#joining = undefined;
  }

  async #close(): Promise<void> {
    this.#socket.run((member, now) => member.leave(now));
    await this.files.end();
    await this.#socket.stop();
  }

  #noticed(notice: GuestNotice): void {
    switch (notice.type) {
      case "joined":
        this.#joining?.resolve();
        this.#joining = undefined;
        return;
      case "entry":
        this.inbox.append(notice.entry);
        if (notice.entry.kind === "file") this.files.heard(notice.entry);
        return;
      case "placed":
        return this.#confirmations.confirm(notice.n, notice.seq);
      case "presence":
        this.files.rosterChanged();
        return this.#watchers.wake();
      case "stream":
        return this.#services.happened(notice.event);
      case "alarm":
        this.#alarms.push(notice.error);
        if (this.#alarms.length > MAX_ALARMS) this.#alarms.shift();
        return this.inbox.notify({ notice: "alarm", error: notice.error, member: notice.member });
      case "ended":
        this.#ended(notice.end);
    }
  }

  #ended(end: GuestEnd): void {
    this.#end = sessionEnd(end);
    this.inbox.close();
    this.#confirmations.end();
    this.#watchers.wake();
    if (this.#end.cause === "failed") this.stopJoining(this.#end.error);
    // The host may end it at any time: what is left here must go, too.
    void this.close();
  }

  /** While joining, what cannot pass by itself is told at once, and the rest is tried for a while. */
  #failedToConnect(error: TunnelError): void {
    if (this.#joining === undefined) return;
    this.#joinFailure = error;
    const isCut = error.detail === "ECONNRESET" || error.detail?.startsWith("HTTP ") === true;
    const mayPass = error.code === "host-name-unknown" || isCut;
    const isGone = error.code === "tunnel-gone" || error.code === "not-a-tunnel";
    const isLate = this.#clock.now() - this.openedAt >= JOIN_PATIENCE_MS;
    if (!mayPass || isGone || isLate) this.stopJoining(error);
  }
}
