import type { Chance } from "../support/random.ts";
import type { Checks, Circumstances } from "./checks.ts";
import type { Plan } from "./plan.ts";
import type { World } from "../support/wire.ts";

/** What the steps of one simulated room share. */
export interface Stage {
  readonly plan: Plan;
  readonly chance: Chance;
  readonly world: World;
  readonly checks: Checks;
  readonly circumstances: Circumstances;
  /** The host's addresses, best first. */
  origins: string[];
}

/** The host has one more address; nobody is told. */
export function addOrigin(stage: Stage): void {
  const { world, chance, origins } = stage;
  const origin = `ws://127.0.0.1:${world.origins.size + 1}`;
  world.origins.set(origin, "up");
  stage.origins = chance.happens(0.5) ? [origin, ...origins] : [...origins, origin];
}
