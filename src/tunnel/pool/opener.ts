import { asTunnelError, type TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { Pace, shortened, type Hold } from "./pace.ts";
import type { LocalRelay, Provider, Tunnel } from "../provider.ts";

/** How much another tunnel is needed, least first. */
export const NEED = {
  none: 0,
  /** Ahead of a loss. */
  spare: 1,
  /** There are addresses, but none has led here for long. */
  working: 2,
  /** There is no address at all. */
  address: 3,
} as const;
export type Need = (typeof NEED)[keyof typeof NEED];

/** `attempts` have failed so far. `failed`: the failure cannot pass by itself, so there is no further attempt. */
export type OpenerState =
  | { readonly state: "idle" }
  | { readonly state: "opening"; readonly attempts: number }
  | {
      readonly state: "waiting";
      readonly error: TunnelError;
      readonly attempts: number;
      readonly retryInMs: number;
    }
  | { readonly state: "failed"; readonly error: TunnelError; readonly attempts: number };

export interface OpenerOptions {
  readonly provider: Provider;
  readonly relay: LocalRelay;
  readonly clock: Clock;
  /** At least 0 and below 1. */
  readonly random: () => number;
  readonly onOpened: (tunnel: Tunnel) => void;
  /** Nothing could be opened, and nothing will be before `retryInMs`. */
  readonly onWaiting: (error: TunnelError, retryInMs: number) => void;
}

/** One opening in flight. After its abort, a tunnel that still arrives is stopped at once. */
type Opening = AbortController;

type Pause =
  | {
      readonly kind: "retry";
      readonly error: TunnelError;
      readonly since: number;
      readonly at: number;
      readonly mayShorten: boolean;
      readonly cancel: () => void;
    }
  | { readonly kind: "given-up"; readonly error: TunnelError };

/** News that the network is back shortens a wait to so many ms from its beginning: a flapping one must not cause a flood. */
const NEWS_MS = 5_000;

/** Opens one tunnel after the other for as long as it is told that one is needed, and waits between failures. */
export class Opener {
  readonly #options: OpenerOptions;
  readonly #pace: Pace;
  readonly #unfinished = new Set<Promise<void>>();
  #need: Need = NEED.none;
  #isPressing = false;
  #opening: Opening | undefined;
  #pause: Pause | undefined;
  #isStopped = false;

  constructor(options: OpenerOptions) {
    this.#options = options;
    this.#pace = new Pace(options.random);
  }

  get state(): OpenerState {
    const attempts = this.#pace.failures;
    if (this.#opening !== undefined) return { state: "opening", attempts };
    if (this.#pause === undefined) return { state: "idle" };
    const { error } = this.#pause;
    if (this.#pause.kind === "given-up") return { state: "failed", error, attempts };
    const retryInMs = Math.max(0, this.#pause.at - this.#options.clock.now());
    return { state: "waiting", error, attempts, retryInMs };
  }

  /**
   * Takes the present need, and whether members are away who may be waiting. Call it whenever either may have changed; the same
   * again changes nothing.
   */
  need(need: Need, isPressing: boolean): void {
    if (this.#isStopped) return;
    const isMore = need > this.#need;
    this.#need = need;
    this.#isPressing = isPressing;
    if (need === NEED.none) return this.#rest();
    if (isMore && need > NEED.spare) this.#pace.startOver();
    if (this.#opening !== undefined) return;
    if (this.#pause !== undefined && !isMore) return this.#shorten();
    this.#unpause();
    const hold = this.#pace.hold(isPressing, this.#options.clock.now());
    if (hold === undefined) this.#start();
    else this.#wait(hold);
  }

  /** There is a sign that the network is back: a wait that only kept us from asking in vain is over. */
  hasten(): void {
    this.#pace.startOver();
    const pause = this.#pause;
    if (pause?.kind !== "retry" || !pause.mayShorten) return;
    const { clock } = this.#options;
    this.#waitAtMost(pause, Math.max(0, pause.since + NEWS_MS - clock.now()));
  }

  /** A tunnel is gone after it has been open for `livedMs`. */
  ended(livedMs: number, error: TunnelError): void {
    this.#pace.ended(livedMs, error, this.#options.clock.now());
  }

  /** Resolves when no opening is in flight and every tunnel that arrived late is stopped. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#rest();
    await Promise.all(this.#unfinished);
  }

  #rest(): void {
    this.#unpause();
    const opening = this.#opening;
    this.#opening = undefined;
    opening?.abort();
  }

  #unpause(): void {
    if (this.#pause?.kind === "retry") this.#pause.cancel();
    this.#pause = undefined;
  }

  #start(): void {
    const opening = new AbortController();
    this.#opening = opening;
    const finished = this.#open(opening).finally(() => this.#unfinished.delete(finished));
    this.#unfinished.add(finished);
  }

  /** Never rejects. */
  async #open(opening: Opening): Promise<void> {
    const { provider, relay, onOpened } = this.#options;
    let tunnel: Tunnel;
    try {
      tunnel = await provider.open({
        port: relay.port,
        proof: relay.proof,
        ...(relay.purpose === undefined ? {} : { purpose: relay.purpose }),
        stay: relay.stay,
        signal: opening.signal,
      });
    } catch (error) {
      if (this.#opening === opening) this.#failed(asTunnelError(error));
      return;
    }
    if (this.#opening !== opening) return stopQuietly(tunnel);
    this.#opening = undefined;
    this.#pace.succeeded();
    onOpened(tunnel);
  }

  #failed(error: TunnelError): void {
    this.#opening = undefined;
    const weight = this.#options.provider.weigh(error);
    const hold = this.#pace.failed(error, weight, this.#isPressing, this.#options.clock.now());
    if (weight === "lasting" && this.#need === NEED.spare) this.#pause = { kind: "given-up", error };
    else this.#wait(hold);
  }

  #wait(hold: Hold): void {
    this.#pauseFor(hold, this.#options.clock.now());
    this.#options.onWaiting(hold.error, hold.ms);
  }

  #pauseFor({ error, ms, mayShorten }: Hold, since: number): void {
    const { clock } = this.#options;
    const cancel = clock.after(ms, () => {
      this.#pause = undefined;
      this.#start();
    });
    this.#pause = { kind: "retry", error, since, at: clock.now() + ms, mayShorten, cancel };
  }

  /** A long wait began before the members were away. */
  #shorten(): void {
    const pause = this.#pause;
    if (pause?.kind !== "retry") return;
    const ms = pause.at - this.#options.clock.now();
    this.#waitAtMost(pause, shortened({ ms, mayShorten: pause.mayShorten }, this.#isPressing));
  }

  #waitAtMost(pause: Extract<Pause, { kind: "retry" }>, ms: number): void {
    if (this.#options.clock.now() + ms >= pause.at) return;
    pause.cancel();
    this.#pauseFor({ ...pause, ms }, pause.since);
  }
}

/** Drops the error of a tunnel that could not be ended: its process ends with this one at the latest. */
export async function stopQuietly(tunnel: Tunnel): Promise<void> {
  try {
    await tunnel.stop();
  } catch {
    return;
  }
}
