import type { Bytes } from "../base/bytes.ts";
import type { ConnectionId } from "../base/ids.ts";
import { LINK } from "../base/limits.ts";
import type { Attempt } from "./attempt.ts";
import type { Candidate } from "./candidates.ts";

/** How the addresses of one round have answered; the verdict is there when none is open any more. */
export interface Round {
  open: number;
  denied: number;
  failed: number;
}

type Stage =
  | { readonly name: "dialling" | "open" }
  /** The host's M1 is here. It is answered when no other exchange is under way. */
  | { readonly name: "called"; readonly challenge: Bytes }
  | { readonly name: "exchange"; readonly attempt: Attempt };

/** A connection on its way to the host. */
export interface Dial {
  readonly connection: ConnectionId;
  readonly origin: string;
  readonly round: Round;
  /** Secrets that this address has denied in this round. */
  readonly denied: ReadonlySet<Candidate>;
  /** When it is over in any case, in ms since the epoch … */
  readonly lastsUntil: number;
  /** … and when the next step of it must have come. */
  deadline: number;
  stage: Stage;
}

/** The connections on their way to the host at one time: many are dialled, and at most one is in its exchange. */
export class Dials {
  readonly #dials = new Map<ConnectionId, Dial>();

  get all(): readonly Dial[] {
    return [...this.#dials.values()];
  }

  /** Whether an exchange is under way: until it is over nobody else is dialled or answered. */
  get isExchanging(): boolean {
    return this.all.some(({ stage }) => stage.name === "exchange");
  }

  /** The first one whose M1 has not been answered. */
  get called(): { readonly dial: Dial; readonly challenge: Bytes } | undefined {
    for (const dial of this.#dials.values())
      if (dial.stage.name === "called") return { dial, challenge: dial.stage.challenge };
    return undefined;
  }

  /** When the first of them is over, in ms since the epoch. */
  get deadline(): number | undefined {
    return this.#dials.size === 0 ? undefined : Math.min(...this.all.map(({ deadline }) => deadline));
  }

  at(connection: ConnectionId | undefined): Dial | undefined {
    return connection === undefined ? undefined : this.#dials.get(connection);
  }

  add(dial: Dial): void {
    this.#dials.set(dial.connection, dial);
  }

  remove(dial: Dial): void {
    this.#dials.delete(dial.connection);
  }

  /** All others that lead where this one does. */
  besides({ connection, origin }: Dial): readonly Dial[] {
    return this.all.filter((other) => other.origin === origin && other.connection !== connection);
  }

  /** The oldest one to this address, where there are as many as there may be. */
  surplus(origin: string): Dial | undefined {
    const same = this.all.filter((dial) => dial.origin === origin);
    return same.length < LINK.dialsPerAddress ? undefined : same[0];
  }

  expired(now: number): Dial | undefined {
    return this.all.find(({ deadline }) => now >= deadline);
  }
}
