import type { Clock } from "../../runtime/clock.ts";
import { SERVICE } from "../../protocol/base/limits.ts";
import type { StreamSocket } from "../connection/stream-socket.ts";
import { SERVICES_LIMITS } from "../limits.ts";

interface Waiting {
  readonly go: () => void;
  readonly giveUp: () => void;
  readonly cancelTimer: () => void;
}

/**
 * The places for connections that one tunnel of this side takes. Whoever finds none waits a while, in order; and streams are opened no
 * faster than a host reads them (PROTOCOL E1), since messages go the same way.
 */
export class Places {
  readonly #clock: Clock;
  readonly #taken = new Set<StreamSocket>();
  #waiting: Waiting[] = [];
  #opens: number = SERVICES_LIMITS.openBurst;
  #at: number;
  #cancelLook: (() => void) | undefined;

  readonly #isPaced: boolean;

  /** @param role a host opens its streams itself, and nobody has to read them first */
  constructor(clock: Clock, role: "host" | "member") {
    this.#clock = clock;
    this.#at = clock.now();
    this.#isPaced = role === "member";
  }

  get taken(): number {
    return this.#taken.size;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Calls `go` when there is a place for this socket, which keeps it until it is closed; `giveUp` where there is none in time. */
  ask(socket: StreamSocket, go: () => void, giveUp: () => void): void {
    if (this.#waiting.length >= SERVICES_LIMITS.maxQueued) return giveUp();
    const one: Waiting = {
      go: () => {
        one.cancelTimer();
        this.#taken.add(socket);
        socket.once("close", () => {
          this.#taken.delete(socket);
          this.#look();
        });
        go();
      },
      giveUp: () => {
        this.#drop(one);
        giveUp();
      },
      cancelTimer: this.#clock.after(SERVICES_LIMITS.queueMs, () => one.giveUp()),
    };
    socket.once("close", () => this.#drop(one));
    this.#waiting.push(one);
    this.#look();
  }

  end(): void {
    this.#cancelLook?.();
    for (const one of this.#waiting.slice()) one.giveUp();
  }

  #drop(one: Waiting): void {
    one.cancelTimer();
    this.#waiting = this.#waiting.filter((other) => other !== one);
  }

  #look(): void {
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    this.#earn();
    let begun = 0;
    while (
      this.#waiting.length > 0 &&
      begun < AT_A_TIME &&
      (!this.#isPaced || this.#opens >= 1) &&
      this.#hasPlace
    ) {
      this.#opens -= 1;
      begun += 1;
      this.#waiting.shift()?.go();
    }
    const isFull = begun < AT_A_TIME;
    if (this.#waiting.length > 0)
      this.#cancelLook = this.#clock.after(isFull ? LOOK_MS : SOON_MS, () => this.#look());
  }

  get #hasPlace(): boolean {
    if (this.#taken.size < SERVICE.maxTaken) return true;
    // One on which nobody reads anything makes room for one that waits.
    const latest = this.#clock.now() - SERVICES_LIMITS.stallMs;
    const stalled = [...this.#taken].find(({ stalledAt }) => stalledAt !== undefined && stalledAt <= latest);
    stalled?.resetWith("busy");
    if (stalled !== undefined) this.#taken.delete(stalled);
    return stalled !== undefined;
  }

  #earn(): void {
    const now = this.#clock.now();
    const earned = ((now - this.#at) / 1_000) * SERVICES_LIMITS.opensPerSecond;
    this.#opens = Math.min(SERVICES_LIMITS.openBurst, this.#opens + earned);
    this.#at = now;
  }
}

const LOOK_MS = 100;
/** Begun in one go: whatever else there is to do has its turn in between. */
const AT_A_TIME = 2;
const SOON_MS = 4;
