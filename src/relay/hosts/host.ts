import { randomInt } from "node:crypto";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { every } from "../../runtime/wait.ts";
import { CLOSE, parseReason, REASONS, reasonText, type Reason } from "../../uplink/close-codes.ts";
import { UPLINK } from "../../uplink/limits.ts";
import { openStreams } from "../../uplink/line/http2.ts";
import type { Line } from "../../uplink/line/line.ts";
import type { Grant } from "../auth/authority.ts";
import { fits } from "../auth/patterns.ts";
import type { ClaimName } from "../claims/claims.ts";
import type { RelayContext } from "../context.ts";
import { BytePace } from "../limits/byte-pace.ts";
import { Counts } from "../limits/counts.ts";

/** A host that has proved its claim. */
export interface HostFacts extends ClaimName {
  readonly key: string;
  readonly epoch: number;
  /** The address from which it has registered. */
  readonly source: string;
  /** The relay as this host has dialled it, scheme and all: its own word. */
  readonly dialled: string;
  /** NAME.DOMAIN, of a service. */
  readonly host: string | undefined;
  readonly port: number | undefined;
  /** Kept for the next check of it. */
  readonly token: string | undefined;
}

/** The end of a host's line, as its relay tells it. */
export type HostEnd = Reason | "released" | "cut";

/** One registered host at this node, from its claim to the end of its line. */
export class Host {
  readonly facts: HostFacts;
  readonly since: number;
  /** Visitors at this moment. */
  readonly visits = new Counts();
  requests = 0;
  /** It could not fetch a guest by a connection of its own: a proxy on the way does not let it. */
  cannotFetch = false;
  bytesIn = 0;
  bytesOut = 0;
  readonly #context: RelayContext;
  readonly #line: Line;
  readonly #onEnd: (end: HostEnd) => void;
  readonly #stops: (() => void)[] = [];
  readonly #carried = new Set<() => void>();
  #grant: Grant;
  #pace: BytePace | undefined;
  #cancelRecheck: () => void = () => undefined;
  #session: ClientHttp2Session | undefined;
  #state: "registered" | "ready" | "leaving" | "over" = "registered";

  constructor(
    context: RelayContext,
    line: Line,
    facts: HostFacts,
    grant: Grant,
    onEnd: (end: HostEnd) => void,
  ) {
    this.#context = context;
    this.#line = line;
    this.facts = facts;
    this.#grant = grant;
    this.#onEnd = onEnd;
    this.since = context.clock.now();
    this.#stops.push(
      every(context.clock, UPLINK.pingMs, () => this.#beat()),
      context.authority.onChange(() => void this.#recheck()),
    );
    this.#scheduleRecheck();
  }

  get grant(): Grant {
    return this.#grant;
  }

  /** Whether visitors may be sent to it. One that was told to leave serves those that it has. */
  get isReady(): boolean {
    return this.#state === "ready" && this.#session?.destroyed !== true && this.#session?.closed !== true;
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  /** Visitors at once, at most. */
  get maxInFlight(): number {
    return this.#grant.limits.inFlight ?? this.#context.limits.inFlight;
  }

  /** It has said that it can take visitors. */
  becomeReady(): void {
    if (this.#state !== "registered") return;
    this.#state = "ready";
    // A room's guests mostly come by connections of their own. What the host sends first waits in the stream until one does not.
    if (this.facts.kind === "room") void this.#line.stream;
    else this.#session = this.#openSession();
  }

  /** Tells it of a guest, which it fetches by a connection of its own. */
  offerGuest(ticket: string): void {
    this.#line.send({ type: "guest", ticket });
  }

  /** A connection to what is behind it, over its line; undefined where that is gone. */
  openStream(): ClientHttp2Stream | undefined {
    if (!this.isReady) return undefined;
    const session = (this.#session ??= this.#openSession());
    const stream = session.request(
      { ":method": "CONNECT", ":authority": this.facts.kind },
      { endStream: false },
    );
    stream.on("error", () => stream.destroy());
    return stream;
  }

  /** Of all its visitors together; undefined where it has no limit. */
  get throttle(): BytePace | undefined {
    const { clock, limits } = this.#context;
    const perSecond = this.#grant.limits.bytesPerSecond ?? limits.bytesPerSecond;
    if (perSecond === 0) return undefined;
    if (this.#pace?.perSecond !== perSecond) this.#pace = new BytePace(perSecond, () => clock.now());
    return this.#pace;
  }

  /** A visitor is here, and is cut when the host is closed for good. @returns it has gone */
  carry(cut: () => void): () => void {
    this.#carried.add(cut);
    return () => void this.#carried.delete(cut);
  }

  /** A visitor has come and gone. */
  count(bytesIn: number, bytesOut: number): void {
    this.requests += 1;
    this.bytesIn += bytesIn;
    this.bytesOut += bytesOut;
  }

  /** The relay ends: it comes back after a while of its own, so that not all come at once. What is under way goes on. */
  leave(afterMs: number): void {
    if (this.#state === "over" || this.#state === "leaving") return;
    this.#state = "leaving";
    this.#line.send({
      type: "going-away",
      afterMs: Math.round(afterMs / 2) + randomInt(Math.max(1, Math.round(afterMs / 2))),
    });
  }

  /** Whether it may still be here; it is closed where it may not. */
  recheck(): void {
    void this.#recheck();
  }

  /** @param text of the authority, for the host's person */
  close(reason: Reason, waitMs?: number, text?: string): void {
    this.#line.close(REASONS[reason], reasonText(reason, waitMs, text));
    this.#ended(reason);
    // A host that does not answer the close frame does not keep its line.
    this.#context.clock.after(CLOSING_MS, () => this.#line.terminate());
  }

  /** Its line is closed, by whomever. */
  closed(code: number, reason: string): void {
    const told = parseReason(reason);
    if (code === CLOSE.released) this.#ended("released");
    else this.#ended(told?.reason ?? "cut");
  }

  #openSession(): ClientHttp2Session {
    return openStreams(this.#line, () => this.#ended("cut"));
  }

  #ended(end: HostEnd): void {
    if (this.#state === "over") return;
    this.#state = "over";
    for (const stop of this.#stops) stop();
    this.#cancelRecheck();
    this.#session?.destroy();
    // Those who are here stay where the host comes back, or another line of it is there already.
    if (isForGood(end)) for (const cut of this.#carried) cut();
    this.#onEnd(end);
  }

  #beat(): void {
    if (this.#line.silentMs > UPLINK.silentMs) this.#line.terminate();
    else this.#line.ping();
  }

  #scheduleRecheck(): void {
    const { recheckAt } = this.#grant;
    if (recheckAt === undefined) return this.#cancelRecheck();
    this.#recheckIn(recheckAt - this.#context.clock.now());
  }

  /** In place of whatever was planned: one plan at a time, however often the tokens change. */
  #recheckIn(ms: number): void {
    this.#cancelRecheck();
    this.#cancelRecheck = this.#context.clock.after(Math.max(MIN_RECHECK_MS, ms), () => void this.#recheck());
  }

  async #recheck(): Promise<void> {
    const { authority, clock, isBlocked } = this.#context;
    const { kind, name, token } = this.facts;
    const verdict = await authority.check(token, { kind, name: kind === "http" ? name : undefined });
    if (this.isOver) return;
    if (verdict.kind === "refused") return this.close(verdict.reason, undefined, verdict.text);
    if (verdict.kind === "unavailable") {
      // It was let in once; nobody is thrown out because the authority is away, until its word lapses.
      const leftMs = (this.#grant.lapsesAt ?? Number.POSITIVE_INFINITY) - clock.now();
      if (leftMs <= 0) return this.close("auth-unavailable", AWAY_MS);
      return this.#recheckIn(Math.min(RECHECK_AGAIN_MS, leftMs));
    }
    if (!verdict.grant.kinds.has(kind)) return this.close("kind-not-allowed");
    if (kind === "http" && !verdict.grant.names.some((pattern) => fits(name, pattern)))
      return this.close("name-not-allowed");
    if (isBlocked(name) || isBlocked(verdict.grant.tokenId)) return this.close("blocked");
    this.#grant = verdict.grant;
    this.#scheduleRecheck();
  }
}

/** Whether the host is not to come back as it is. */
function isForGood(end: HostEnd): boolean {
  return (
    end !== "cut" && end !== "released" && (REASONS[end] === CLOSE.refused || REASONS[end] === CLOSE.never)
  );
}

const CLOSING_MS = 2_000;
const MIN_RECHECK_MS = 1_000;
const RECHECK_AGAIN_MS = 30_000;
/** A host that is closed because nobody can be asked comes back after this, in ms. */
const AWAY_MS = 5_000;
