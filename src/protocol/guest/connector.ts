import { Addresses, areAddresses, type KnownAddresses } from "./known-addresses.ts";
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
import { backoffMs, Candidates, type Candidate } from "./candidates.ts";
import { Dials, type Dial, type Round } from "./dials.ts";

/** How the search for the host goes on. Dials of earlier addresses and rounds may still be on their way in the first two. */
type State =
  /** `latest` was dialled last; the next address of the round is due when it has failed, or then. */
  | {
      readonly name: "dialling";
      readonly round: Round;
      readonly latest: ConnectionId;
      readonly nextAt: number;
    }
  | { readonly name: "waiting"; readonly retryAt: number; readonly reason: ErrorCode }
  | { readonly name: "connected" }
  | { readonly name: "over" };

/** The outcome of an input that ends an attempt. */
export type ConnectorEvent =
  ({ readonly type: "arrived" } & Arrival) | { readonly type: "gave-up"; readonly error: TunnelError };

export interface ConnectorOptions {
  readonly link: InviteLink;
  readonly confirm: AttemptOptions["confirm"];
  readonly rekey?: RekeyLimits | undefined;
  readonly emit: (effect: GuestEffect) => void;
  /** What has to be known to come back has changed: `secrets` before the host can take up a new one. */
  readonly onChange: (what: "secrets" | "addresses") => void;
  /** Of an earlier process, which was a member. */
  readonly kept?: KeptWays | undefined;
}

/** All that leads a member back to its host. */
export interface KeptWays {
  readonly claim: Bytes;
  readonly candidates: readonly Candidate[];
  readonly addresses: KnownAddresses;
  readonly keptForMs: number;
}

/**
 * Leads a guest to its host, and back to it (PROTOCOL §4): which addresses, which secret, and when to try again. It knows
 * nothing of the room. Addresses are dialled side by side, handshakes are made one at a time: two with one secret would
 * make each other void (K3).
 */
export class Connector {
  readonly #primitives: Primitives;
  readonly #options: ConnectorOptions;
  readonly #room: Bytes;
  readonly #claim: Bytes;
  readonly #candidates: Candidates;
  readonly #addresses: Addresses;
  readonly #dials = new Dials();
  #state: State;
  #isMember = false;
  #connections = 0;
  /** Rounds since the connection was lost, and handshakes that stopped on their way. */
  #failures = 0;
  #stops = 0;
  #denials = 0;
  /** Secrets that an address had denied when it turned this source away (A3): it earns one more attempt, for the next of them. */
  readonly #deniedAt = new Map<string, Dial["denied"]>();
  /** Why the last dial failed. */
  #reason: ErrorCode = "host-unreachable";
  /** Since when every attempt has been told that no tunnel is there. */
  #goneSince: number | undefined;
  #lostAt: number;
  /** For so long after its process ended the host may come back, in ms (U4). */
  #keptForMs: number;

  constructor(primitives: Primitives, options: ConnectorOptions, now: number) {
    this.#primitives = primitives;
    this.#options = options;
    this.#room = must(fromBase64url(options.link.room, ROOM_ID_BYTES), "the room of a link");
    const { link, kept } = options;
    this.#claim = kept?.claim ?? primitives.random(CLAIM_BYTES);
    this.#candidates = new Candidates(primitives, kept?.candidates ?? link.key);
    this.#addresses = new Addresses(link.origin);
    if (kept !== undefined) this.#addresses.restore(kept.addresses);
    this.#isMember = kept !== undefined;
    this.#lostAt = now;
    this.#keptForMs = kept?.keptForMs ?? 0;
    this.#state = { name: "waiting", retryAt: now, reason: this.#reason };
    this.#begin(now);
  }

  /** For a stay that is kept. */
  get ways(): KeptWays {
    const keptForMs = this.#keptForMs;
    return {
      claim: this.#claim,
      candidates: this.#candidates.all,
      addresses: this.#addresses.known,
      keptForMs,
    };
  }

  /** When the host was last heard, in ms since the epoch, while it is not connected. */
  get lostAt(): number {
    return this.#lostAt;
  }

  /** How the connection to the host stands. */
  get connection(): Exclude<ConnectionState, { name: "ended" }> {
    const state = this.#state;
    if (state.name === "connected") return { name: "connected" };
    const givesUpAt = Math.min(this.#lostAt + LINK.giveUpMs, this.#goneAt);
    const isAway = this.#goneSince !== undefined && this.#keptForMs > 0;
    const away = isAway ? { hostKeptUntil: this.#lostAt + this.#keptForMs } : {};
    if (state.name === "waiting" && !this.#dials.isExchanging) {
      const { retryAt, reason } = state;
      return { name: "waiting", attempt: this.#failures, retryAt, reason, givesUpAt, ...away };
    }
    return { name: "connecting", attempt: this.#failures + 1, givesUpAt, ...away };
  }

  /** When it counts that no tunnel is there, if all dials go on saying so: a host that may come back is waited for (U4). */
  get #goneAt(): number {
    if (this.#goneSince === undefined) return Number.POSITIVE_INFINITY;
    const keptUntil = this.#keptForMs === 0 ? 0 : this.#lostAt + this.#keptForMs;
    return Math.max(this.#goneSince, keptUntil) + LINK.goneMs;
  }

  nextDeadline(): number | undefined {
    const dialled = this.#dials.deadline ?? Number.POSITIVE_INFINITY;
    const paced = this.#dials.isExchanging ? Number.POSITIVE_INFINITY : this.#dueAt;
    const next = Math.min(dialled, paced);
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  /** Inputs of the dials under way; those of a connection in use, or of an earlier one, lead to nothing here. */
  handle(input: GuestInput, now: number): ConnectorEvent | undefined {
    if (input.type === "tick") return this.#tick(now);
    const dial = this.#dials.at(input.connection);
    if (dial === undefined) return undefined;
    switch (input.type) {
      case "opened":
        if (dial.stage.name === "dialling") dial.stage = { name: "open" };
        return undefined;
      case "message":
        return this.#message(dial, input.message, now);
      case "closed":
        return this.#failed(dial, "host-unreachable", now);
      case "failed":
        return this.#failed(dial, input.error.code, now, input);
    }
  }

  /** The connection in use is over: back to the host, after a moment, by whatever way there is. */
  lost(reason: ErrorCode, lastHeard: number, now: number): ConnectorEvent | undefined {
    this.#lostAt = lastHeard;
    this.#reason = reason;
    return this.#wait(now);
  }

  /** The host has told where it is to be found from now on. @throws {TunnelError} protocol-violation */
  announced(origins: readonly string[]): void {
    if (!areAddresses(this.#options.link.origin, origins))
      throw new TunnelError("protocol-violation", { detail: "an address that the link does not allow" });
    this.#addresses.announced(origins);
    if (origins.length > 0) this.#options.onChange("addresses");
  }

  /** A fresh link to the same host: tried first, and at once unless a round or a handshake is under way. */
  prefer(origin: string, now: number): void {
    this.#addresses.prefer(origin);
    if (this.#state.name === "waiting" && !this.#dials.isExchanging) this.#begin(now);
  }

  /** Nothing more is tried; whatever is under way is broken off. */
  stop(): void {
    for (const dial of this.#dials.all) this.#hangUp(dial, CLOSE_CODE.normal);
    this.#candidates.wipe();
    wipe(this.#options.link.key);
    this.#state = { name: "over" };
  }

  // --- a round: every address, and at each of them every secret (U3, K7) ---

  #begin(now: number): void {
    this.#addresses.begin();
    this.#dialCurrent({ open: this.#addresses.left, denied: 0, failed: 0 }, now);
  }

  #dialCurrent(round: Round, now: number): void {
    const { current } = this.#addresses;
    const surplus = this.#dials.surplus(current);
    if (surplus !== undefined) {
      this.#hangUp(surplus, CLOSE_CODE.late);
      failIn(surplus.round);
    }
    const latest = this.#dial(current, round, this.#deniedAt.get(current) ?? new Set(), now);
    this.#deniedAt.delete(current);
    this.#state = { name: "dialling", round, latest, nextAt: now + LINK.staggerMs };
  }

  #dial(origin: string, round: Round, denied: Dial["denied"], now: number): ConnectionId {
    this.#connections += 1;
    const connection = this.#connections;
    const lastsUntil = now + LINK.connectTimeoutMs;
    const stage = { name: "dialling" } as const;
    this.#dials.add({ connection, origin, round, denied, lastsUntil, deadline: lastsUntil, stage });
    this.#options.emit({ type: "dial", connection, origin });
    return connection;
  }

  #message(dial: Dial, message: Bytes, now: number): ConnectorEvent | undefined {
    const { stage } = dial;
    if (stage.name === "exchange") return this.#step(dial, stage.attempt, message, now);
    // A host that has not been answered yet has nothing more to say.
    if (stage.name === "called")
      return this.#broken(dial, undefined, new TunnelError("protocol-violation"), now);
    if (this.#dials.isExchanging) {
      dial.stage = { name: "called", challenge: message };
      return undefined;
    }
    return this.#answer(dial, message, now);
  }

  /** Begins the handshake with the likeliest secret that this address has not denied yet. */
  #answer(dial: Dial, challenge: Bytes, now: number): ConnectorEvent | undefined {
    const candidate = must(this.#candidates.next(dial.denied), "a secret that was not denied yet");
    const { link, confirm, rekey } = this.#options;
    const { connection } = dial;
    const { hostKey } = link;
    const options = { connection, candidate, room: this.#room, hostKey, claim: this.#claim, confirm, rekey };
    const attempt = new Attempt(this.#primitives, options);
    dial.stage = { name: "exchange", attempt };
    // The host need not keep sockets of ours that lead to the same place.
    for (const other of this.#dials.besides(dial)) {
      other.round.open -= 1;
      this.#hangUp(other, CLOSE_CODE.late);
    }
    return this.#step(dial, attempt, challenge, now);
  }

  #step(dial: Dial, attempt: Attempt, message: Bytes, now: number): ConnectorEvent | undefined {
    try {
      const { reply, proven, arrival } = attempt.receive(message, now);
      this.#goneSince = undefined;
      if (proven !== undefined) {
        this.#candidates.offer(proven.secret, attempt.candidate, proven.pairing);
        this.#options.onChange("secrets");
        this.#denials = 0;
      }
      const { connection } = dial;
      for (const answer of reply) this.#options.emit({ type: "send", connection, message: answer });
      const isHasty = this.#isMember && this.#stops < LINK.hastyHandshakes;
      dial.deadline = isHasty ? Math.min(dial.lastsUntil, now + LINK.stepTimeoutMs) : dial.lastsUntil;
      return arrival === undefined ? undefined : this.#arrived(dial, arrival);
    } catch (thrown) {
      const error = asTunnelError(thrown);
      if (error.code === "internal") throw thrown;
      return this.#broken(dial, attempt, error, now);
    }
  }

  #arrived(dial: Dial, arrival: Arrival): ConnectorEvent {
    this.announced(arrival.welcome.addresses);
    this.#keptForMs = arrival.welcome.keptForSec * 1_000;
    this.#addresses.succeeded(dial.origin);
    this.#options.onChange("addresses");
    this.#candidates.settle();
    this.#options.onChange("secrets");
    this.#dials.remove(dial);
    for (const other of this.#dials.all) this.#hangUp(other, CLOSE_CODE.late);
    this.#deniedAt.clear();
    this.#failures = 0;
    this.#stops = 0;
    this.#denials = 0;
    this.#isMember = true;
    this.#state = { name: "connected" };
    return { type: "arrived", ...arrival };
  }

  // --- failure and time ---

  /** The other end did something wrong: cut the connection; what follows depends on what it was. */
  #broken(
    dial: Dial,
    attempt: Attempt | undefined,
    error: TunnelError,
    now: number,
  ): ConnectorEvent | undefined {
    this.#hangUp(dial, CLOSE_CODE.violation);
    if (error.code === "invite-refused" && attempt !== undefined)
      return this.#refused(dial, attempt.candidate, error, now);
    // The host itself has said so, sealed.
    if (error.code === "stay-outdated") return { type: "gave-up", error };
    // Until WELCOME the host may not have heard of us. An altered one says that it has: then there may be a member's session.
    const maySeat = error.code === "integrity-failed" && attempt?.stage === "welcome";
    // For a member, what goes wrong in a later handshake may be somebody else answering in its host's place.
    if (!this.#isMember && !maySeat) return { type: "gave-up", error };
    return this.#failed(dial, error.code, now);
  }

  /** The next secret is for another connection (H8); an address has denied when all are. */
  #refused(dial: Dial, candidate: Candidate, error: TunnelError, now: number): ConnectorEvent | undefined {
    const { origin, round } = dial;
    const denied = new Set([...dial.denied, candidate]);
    if (this.#candidates.next(denied) !== undefined) {
      const connection = this.#dial(origin, round, denied, now);
      const state = this.#state;
      if (state.name === "dialling" && state.latest === dial.connection)
        this.#state = { ...state, latest: connection };
      return this.#goOn(now);
    }
    if (!this.#isMember) return { type: "gave-up", error };
    round.open -= 1;
    round.denied += 1;
    return this.#answered(round, "host-unreachable", now);
  }

  /** This address did not lead to the host; another one may. */
  #failed(
    dial: Dial,
    reason: ErrorCode,
    now: number,
    { isGone = false, isBusy = false }: { isGone?: boolean; isBusy?: boolean } = {},
  ): ConnectorEvent | undefined {
    this.#dials.remove(dial);
    this.#goneSince = isGone ? (this.#goneSince ?? now) : undefined;
    if (isBusy) {
      dial.round.open -= 1;
      this.#deniedAt.set(dial.origin, dial.denied);
    } else failIn(dial.round);
    return this.#answered(dial.round, reason, now);
  }

  /** One more address of the round is through with its answer. */
  #answered(round: Round, reason: ErrorCode, now: number): ConnectorEvent | undefined {
    this.#reason = reason;
    // Anybody on the path can deny, or spoil what the host then denies; only the same answer time and again counts.
    if (round.open === 0 && round.denied > 0 && round.failed === 0) this.#denials += 1;
    if (this.#denials < LINK.deniedRounds) return this.#goOn(now);
    // No member's session under any credential any more: the host has given it away, or is another process.
    return { type: "gave-up", error: new TunnelError("tunnel-gone") };
  }

  /** Does what is due unless a handshake is under way: answers another M1, dials the next address, begins the next round. */
  #goOn(now: number): ConnectorEvent | undefined {
    if (this.#dials.isExchanging) return undefined;
    const { called } = this.#dials;
    if (called !== undefined) return this.#answer(called.dial, called.challenge, now);
    const state = this.#state;
    if (state.name === "waiting" && now >= state.retryAt) this.#begin(now);
    if (state.name !== "dialling") return undefined;
    const isPending = this.#dials.at(state.latest) !== undefined;
    if (isPending && now < state.nextAt) return undefined;
    if (!this.#addresses.advance()) return this.#wait(now);
    this.#dialCurrent(state.round, now);
    return undefined;
  }

  #wait(now: number): ConnectorEvent | undefined {
    const isGone = now >= this.#goneAt;
    if (this.#isMember && (isGone || now - this.#lostAt >= LINK.giveUpMs)) {
      const gone = this.#keptForMs > 0 ? "host-gone" : "tunnel-gone";
      return { type: "gave-up", error: new TunnelError(isGone ? gone : "host-unreachable") };
    }
    const retryAt = now + backoffMs(this.#primitives, this.#failures);
    this.#state = { name: "waiting", retryAt, reason: this.#reason };
    this.#failures += 1;
    return undefined;
  }

  #tick(now: number): ConnectorEvent | undefined {
    for (let late = this.#dials.expired(now); late !== undefined; late = this.#dials.expired(now)) {
      const { name } = late.stage;
      this.#hangUp(late, CLOSE_CODE.late);
      if (name === "exchange") this.#stops += 1;
      const reason = name === "dialling" ? "host-unreachable" : "handshake-timeout";
      const end = this.#failed(late, reason, now);
      if (end !== undefined) return end;
    }
    return this.#goOn(now);
  }

  /** When the next address or the next round is due. */
  get #dueAt(): number {
    const state = this.#state;
    if (state.name === "waiting") return state.retryAt;
    return state.name === "dialling" ? state.nextAt : Number.POSITIVE_INFINITY;
  }

  #hangUp(dial: Dial, code: number): void {
    this.#dials.remove(dial);
    this.#options.emit({ type: "close", connection: dial.connection, code });
  }
}

function failIn(round: Round): void {
  round.open -= 1;
  round.failed += 1;
}
