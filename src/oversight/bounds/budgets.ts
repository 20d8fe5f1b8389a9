/**
 * What the agents of a tunnel may use before a person has to say that they may go on (H24). Each side counts for itself and stops
 * its own agent; both sides see both counts.
 */
export const BUDGETS = {
  /** Messages of agents in the room, whoever said them: a triangle of agents is seen as a pair is. */
  messages: { limit: 3_000, unit: "messages" },
  /** Bytes of text and files that this side's agent has sent. */
  bytes: { limit: 16 * 1024 ** 3, unit: "bytes" },
  /** Files that this side's agent has offered. */
  files: { limit: 500, unit: "files" },
  /** Minutes since the first message, or since a person last let them go on. */
  minutes: { limit: 24 * 60, unit: "minutes" },
} as const satisfies Readonly<Record<string, { readonly limit: number; readonly unit: string }>>;

export type Budget = keyof typeof BUDGETS;
export type BudgetLimits = Readonly<Record<Budget, number>>;

const NAMES: readonly Budget[] = ["messages", "bytes", "files", "minutes"];

/** Both people are warned from this share on. */
const WARN_AT = 0.8;

export const DEFAULT_LIMITS: BudgetLimits = {
  messages: BUDGETS.messages.limit,
  bytes: BUDGETS.bytes.limit,
  files: BUDGETS.files.limit,
  minutes: BUDGETS.minutes.limit,
};

interface Gauge {
  readonly used: number;
  readonly limit: number;
}
export type Gauges = Readonly<Record<Budget, Gauge>>;

/** Counts of one tunnel; `since`: when the first of it was said, in ms since the epoch. */
export interface Used {
  readonly used: { readonly messages: number; readonly bytes: number; readonly files: number };
  readonly since?: number | undefined;
}

/** The counts of one tunnel. */
export class Budgets {
  readonly #limits: BudgetLimits;
  #used = { messages: 0, bytes: 0, files: 0 };
  #since: number | undefined;
  #warned = new Set<Budget>();

  constructor(limits: BudgetLimits) {
    this.#limits = limits;
  }

  get counted(): Used {
    return { used: { ...this.#used }, since: this.#since };
  }

  /** As an earlier process of this side left them. */
  restore({ used, since }: Used): void {
    this.#used = { ...used };
    this.#since = since;
  }

  /** An agent of the room has said something; `own` where it is this side's. */
  count(said: {
    readonly at: number;
    readonly isOwn: boolean;
    readonly bytes: number;
    readonly isFile: boolean;
  }): void {
    this.#since ??= said.at;
    this.#used.messages += 1;
    if (!said.isOwn) return;
    this.#used.bytes += said.bytes;
    if (said.isFile) this.#used.files += 1;
  }

  gauges(now: number): Gauges {
    const minutes = this.#since === undefined ? 0 : Math.max(0, Math.floor((now - this.#since) / 60_000));
    const used = { ...this.#used, minutes };
    const gauge = (name: Budget): Gauge => ({ used: used[name], limit: this.#limits[name] });
    return {
      messages: gauge("messages"),
      bytes: gauge("bytes"),
      files: gauge("files"),
      minutes: gauge("minutes"),
    };
  }

  /** The first budget that is used up. */
  spent(now: number): Budget | undefined {
    const gauges = this.gauges(now);
    return NAMES.find((name) => gauges[name].used >= gauges[name].limit);
  }

  /** Budgets that have passed four fifths since this was last asked: each is named once. */
  warnings(now: number): readonly Budget[] {
    const gauges = this.gauges(now);
    const passed = NAMES.filter(
      (name) => !this.#warned.has(name) && gauges[name].used >= gauges[name].limit * WARN_AT,
    );
    for (const name of passed) this.#warned.add(name);
    return passed;
  }

  /** A person has let them go on: everything is counted from here. */
  renew(now: number): void {
    this.#used = { messages: 0, bytes: 0, files: 0 };
    this.#since = this.#since === undefined ? undefined : now;
    this.#warned = new Set();
  }
}
