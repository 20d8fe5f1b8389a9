import { Addresses, areAddresses } from "./known-addresses.ts";
import { Attempt, type Arrival, type AttemptOptions } from "./attempt.ts";
import { fromBase64url, wipe, type Bytes } from "../base/bytes.ts";
import { must } from "../../errors/must.ts";
import { asTunnelError, TunnelError, type ErrorCode } from "../../errors/tunnel-error.ts";
import { CLAIM_BYTES } from "../handshake/handshake.ts";
import { ROOM_ID_BYTES, type ConnectionId } from "../base/ids.ts";
import { LINK } from "../base/limits.ts";
import type { InviteLink } from "../handshake/invite-link.ts";
import type { ConnectionState, GuestEffect, GuestInput } from "./guest-io.ts";
import { CLOSE_CODE } from "../link/wire.ts";
import type { RekeyLimits } from "../record/direction.ts";
import type { Primitives } from "../base/primitives.ts";
import { backoffMs, Candidates } from "./candidates.ts";

type State =
  | { readonly name: "connecting"; readonly attempt: Attempt }
  | { readonly name: "connected"; readonly connection: ConnectionId }
  | { readonly name: "waiting"; readonly retryAt: number; readonly reason: ErrorCode }
  | { readonly name: "over" };

/** The outcome of an input that ends an attempt. */
export type ConnectorEvent =
  ({ readonly type: "arrived" } & Arrival) | { readonly type: "gave-up"; readonly error: TunnelError };

export interface ConnectorOptions {
  readonly link: InviteLink;
  readonly confirm: AttemptOptions["confirm"];
  readonly rekey?: RekeyLimits | undefined;
  readonly emit: (effect: GuestEffect) => void;
}

/**
 * Leads a guest to its host, and back to it (PROTOCOL §4): which address, which secret, and when to try again. It knows
 * nothing of the room.
 */
export class Connector {
  readonly #primitives: Primitives;
  readonly #options: ConnectorOptions;
  readonly #room: Bytes;
  readonly #claim: Bytes;
  readonly #candidates: Candidates;
  readonly #addresses: Addresses;
  #state: State;
  #isMember = false;
  #connections = 0;
  #failures = 0;
  #denials = 0;
  /** Addresses of this round that have denied, and those that did not lead to the host at all. */
  #round = { denied: 0, failed: 0 };
  /** Since when every attempt has been told that no tunnel is there. */
  #goneSince: number | undefined;
  #lostAt: number;

  constructor(primitives: Primitives, options: ConnectorOptions, now: number) {
    this.#primitives = primitives;
    this.#options = options;
    this.#room = must(fromBase64url(options.link.room, ROOM_ID_BYTES), "the room of a link");
    this.#claim = primitives.random(CLAIM_BYTES);
    this.#candidates = new Candidates(primitives, options.link.key);
    this.#addresses = new Addresses(options.link.origin);
    this.#lostAt = now;
    this.#state = { name: "waiting", retryAt: now, reason: "host-unreachable" };
    this.#begin(now);
  }

  /** When the host was last heard, in ms since the epoch, while it is not connected. */
  get lostAt(): number {
    return this.#lostAt;
  }

  /** How the connection to the host stands. */
  get connection(): Exclude<ConnectionState, { name: "ended" }> {
    const state = this.#state;
    if (state.name === "connected") return { name: "connected" };
    const goneAt = (this.#goneSince ?? Number.POSITIVE_INFINITY) + LINK.goneMs;
    const givesUpAt = Math.min(this.#lostAt + LINK.giveUpMs, goneAt);
    if (state.name !== "waiting") return { name: "connecting", attempt: this.#failures + 1, givesUpAt };
    const { retryAt, reason } = state;
    return { name: "waiting", attempt: this.#failures, retryAt, reason, givesUpAt };
  }

  nextDeadline(): number | undefined {
    const state = this.#state;
    if (state.name === "waiting") return state.retryAt;
    return state.name === "connecting" ? state.attempt.deadline : undefined;
  }

  /** Inputs of the attempt under way; those of a connection in use, or of an earlier one, lead to nothing here. */
  handle(input: GuestInput, now: number): ConnectorEvent | undefined {
    if (input.type === "tick") return this.#tick(now);
    const state = this.#state;
    if (state.name !== "connecting" || input.connection !== state.attempt.connection) return undefined;
    switch (input.type) {
      case "opened":
        state.attempt.opened();
        return undefined;
      case "message":
        return this.#message(state.attempt, input.message, now);
      case "closed":
        return this.#failed("host-unreachable", now);
      case "failed":
        return this.#failed(input.error.code, now, input);
    }
  }

  /** The connection in use is over: back to the host, after a moment, by whatever way there is. */
  lost(reason: ErrorCode, lastHeard: number, now: number): ConnectorEvent | undefined {
    this.#lostAt = lastHeard;
    return this.#wait(reason, now);
  }

  /** The host has told where it is to be found from now on. @throws {TunnelError} protocol-violation */
  announced(origins: readonly string[]): void {
    if (!areAddresses(this.#options.link.origin, origins))
      throw new TunnelError("protocol-violation", { detail: "an address that the link does not allow" });
    this.#addresses.announced(origins);
  }

  /** A fresh link to the same host: tried first, and at once unless an attempt is under way. */
  prefer(origin: string, now: number): void {
    this.#addresses.prefer(origin);
    if (this.#state.name === "waiting") this.#begin(now);
  }

  /** Nothing more is tried; an attempt under way is broken off. */
  stop(): void {
    const state = this.#state;
    if (state.name === "connecting")
      this.#options.emit({ type: "close", connection: state.attempt.connection, code: CLOSE_CODE.normal });
    this.#candidates.wipe();
    wipe(this.#options.link.key);
    this.#state = { name: "over" };
  }

  // --- a round: every address, and at each of them every secret ---

  #begin(now: number): void {
    this.#addresses.begin();
    this.#round = { denied: 0, failed: 0 };
    this.#redial(now);
  }

  /** Tries every secret the host may hold, likeliest first, before this address counts as denied (K7). */
  #redial(now: number): void {
    const candidate = this.#candidates.next();
    if (candidate === undefined) return;
    this.#connections += 1;
    const connection = this.#connections;
    const { link, confirm, rekey } = this.#options;
    const attempt = new Attempt(this.#primitives, {
      connection,
      candidate,
      room: this.#room,
      hostKey: link.hostKey,
      claim: this.#claim,
      confirm,
      rekey,
      deadline: now + this.#patienceMs,
    });
    this.#state = { name: "connecting", attempt };
    this.#options.emit({ type: "dial", connection, origin: this.#addresses.current });
  }

  /** Short only where another address is left, and only at first: on a slow link nothing else would ever be enough. */
  get #patienceMs(): number {
    const isHasty = this.#addresses.hasNext && this.#failures < LINK.hastyRounds;
    return isHasty ? LINK.hopTimeoutMs : LINK.connectTimeoutMs;
  }

  #message(attempt: Attempt, message: Bytes, now: number): ConnectorEvent | undefined {
    try {
      const { reply, proven, arrival } = attempt.receive(message, now);
      this.#goneSince = undefined;
      if (proven !== undefined) {
        this.#candidates.offer(proven.secret, attempt.candidate, proven.pairing);
        this.#denials = 0;
      }
      const { connection } = attempt;
      for (const answer of reply) this.#options.emit({ type: "send", connection, message: answer });
      return arrival === undefined ? undefined : this.#arrived(attempt, arrival);
    } catch (thrown) {
      const error = asTunnelError(thrown);
      if (error.code === "internal") throw thrown;
      return this.#broken(attempt, error, now);
    }
  }

  #arrived(attempt: Attempt, arrival: Arrival): ConnectorEvent {
    this.announced(arrival.welcome.addresses);
    this.#addresses.succeeded();
    this.#candidates.settle();
    this.#failures = 0;
    this.#denials = 0;
    this.#isMember = true;
    this.#state = { name: "connected", connection: attempt.connection };
    return { type: "arrived", ...arrival };
  }

  // --- failure and time ---

  /** The other end did something wrong: cut the connection; what follows depends on what it was. */
  #broken(attempt: Attempt, error: TunnelError, now: number): ConnectorEvent | undefined {
    this.#options.emit({ type: "close", connection: attempt.connection, code: CLOSE_CODE.violation });
    if (error.code === "invite-refused") return this.#refused(error, now);
    // Until WELCOME the host may not have heard of us. An altered one says that it has: then there may be a member's session.
    const maySeat = error.code === "integrity-failed" && attempt.stage === "welcome";
    // For a member, what goes wrong in a later handshake may be somebody else answering in its host's place.
    if (!this.#isMember && !maySeat) return { type: "gave-up", error };
    return this.#failed(error.code, now);
  }

  #refused(error: TunnelError, now: number): ConnectorEvent | undefined {
    if (this.#candidates.isRoundOpen) {
      this.#redial(now);
      return undefined;
    }
    if (!this.#isMember) return { type: "gave-up", error };
    this.#round.denied += 1;
    return this.#next("host-unreachable", now);
  }

  /** This address did not lead to the host; the next one may. */
  #failed(
    reason: ErrorCode,
    now: number,
    { isGone = false, isBusy = false }: { isGone?: boolean; isBusy?: boolean } = {},
  ): ConnectorEvent | undefined {
    this.#goneSince = isGone ? (this.#goneSince ?? now) : undefined;
    if (!isBusy) this.#round.failed += 1;
    return this.#next(reason, now);
  }

  #next(reason: ErrorCode, now: number): ConnectorEvent | undefined {
    this.#candidates.endRound();
    if (this.#addresses.advance()) {
      this.#redial(now);
      return undefined;
    }
    const { denied, failed } = this.#round;
    // Anybody on the path can deny, or spoil what the host then denies; only the same answer time and again counts.
    if (denied > 0 && failed === 0) this.#denials += 1;
    if (this.#denials < LINK.deniedRounds) return this.#wait(reason, now);
    // No member's session under any credential any more: the host has given it away, or is another process.
    return { type: "gave-up", error: new TunnelError("tunnel-gone") };
  }

  #wait(reason: ErrorCode, now: number): ConnectorEvent | undefined {
    this.#candidates.endRound();
    const isGone = this.#goneSince !== undefined && now - this.#goneSince >= LINK.goneMs;
    if (this.#isMember && (isGone || now - this.#lostAt >= LINK.giveUpMs)) {
      return { type: "gave-up", error: new TunnelError(isGone ? "tunnel-gone" : "host-unreachable") };
    }
    this.#state = { name: "waiting", retryAt: now + backoffMs(this.#primitives, this.#failures), reason };
    this.#failures += 1;
    return undefined;
  }

  #tick(now: number): ConnectorEvent | undefined {
    const state = this.#state;
    if (state.name === "waiting" && now >= state.retryAt) this.#begin(now);
    if (state.name !== "connecting" || now < state.attempt.deadline) return undefined;
    const { connection, stage } = state.attempt;
    this.#options.emit({ type: "close", connection, code: CLOSE_CODE.late });
    return this.#failed(stage === "dialling" ? "host-unreachable" : "handshake-timeout", now);
  }
}
