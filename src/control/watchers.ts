import type { Clock } from "../runtime/clock.ts";

/**
 * How long a program that watches may be silent between two questions, in ms: it settles for 2 s before it prints a line,
 * and rests for 15 s after one (src/cli/wake/watch.ts).
 */
const BETWEEN_QUESTIONS_MS = 20_000;

interface Watch {
  /** Undefined: every tunnel of this server. */
  readonly tunnelId: string | undefined;
  /** Undefined while a question waits. */
  endedAt: number | undefined;
}

/** The programs that watch the tunnels of this server for as long as they run. */
export class Watchers {
  readonly #clock: Clock;
  #watches: readonly Watch[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Remembers a question of a watching program.
   * @param signal aborted when the program is gone, which then watches no more
   * @returns to be called when the question is answered
   */
  begin(tunnelId: string | undefined, signal: AbortSignal): () => void {
    const watch: Watch = { tunnelId, endedAt: undefined };
    this.#watches = [...this.#live(), watch];
    return () => {
      watch.endedAt = signal.aborted ? Number.NEGATIVE_INFINITY : this.#clock.now();
    };
  }

  /** Whether a program watches this tunnel. */
  has(tunnelId: string): boolean {
    return this.#live().some((watch) => watch.tunnelId === undefined || watch.tunnelId === tunnelId);
  }

  #live(): readonly Watch[] {
    const since = this.#clock.now() - BETWEEN_QUESTIONS_MS;
    return this.#watches.filter(({ endedAt }) => endedAt === undefined || endedAt >= since);
  }
}
