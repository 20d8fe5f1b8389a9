import type { Primitives } from "../protocol/base/primitives.ts";
import type { Clock } from "../runtime/clock.ts";
import { Emitter } from "../runtime/emitter.ts";
import { Asks } from "./asks/asks.ts";
import type { Budget, BudgetLimits } from "./bounds/budgets.ts";
import { standing, type ChosenGate, type Gate } from "./gates/gates.ts";

/** What the human has set before the start. */
export interface OversightSettings {
  /** `TUNNEL_GATES`: gates beside those that always stand. */
  readonly gates: readonly ChosenGate[];
  /** `TUNNEL_UNATTENDED`: nobody is there to answer, and some gates are open. */
  readonly unattended: boolean;
  /** `TUNNEL_BUDGETS`. */
  readonly budgets: BudgetLimits | "off";
}

/** The oversight of one server: one register of asks for all its tunnels and for every face (H10). */
export class Overseer {
  readonly asks: Asks;
  readonly settings: OversightSettings;
  readonly clock: Clock;
  readonly #warnings = new Emitter<{ readonly tunnelId: string; readonly budgets: readonly Budget[] }>();

  readonly #proposals = new Emitter<string>();

  constructor(options: {
    readonly settings: OversightSettings;
    readonly clock: Clock;
    readonly primitives: Primitives;
  }) {
    const { settings, clock, primitives } = options;
    this.settings = settings;
    this.clock = clock;
    this.asks = new Asks({ clock, primitives });
  }

  /** Four fifths of a budget of this tunnel are used. The returned function ends the subscription. */
  onWarning(listener: (tunnelId: string, budgets: readonly Budget[]) => void): () => void {
    return this.#warnings.subscribe(({ tunnelId, budgets }) => listener(tunnelId, budgets));
  }

  warn(tunnelId: string, budgets: readonly Budget[]): void {
    this.#warnings.emit({ tunnelId, budgets });
  }

  /** Something was proposed in this tunnel that its person can sign. The returned function ends the subscription. */
  onProposal(listener: (tunnelId: string) => void): () => void {
    return this.#proposals.subscribe(listener);
  }

  proposed(tunnelId: string): void {
    this.#proposals.emit(tunnelId);
  }

  /** Those of these gates that are not open to everything. */
  closed(gates: readonly Gate[]): readonly Gate[] {
    return standing(gates, { isUnattended: this.settings.unattended });
  }
}
