import { LINK } from "../../src/protocol/base/limits.ts";
import { Chance, seededPrimitives } from "../support/random.ts";
import { Checks } from "./checks.ts";
import { honest } from "./crossing.ts";
import { checkHealed, isWhole } from "./healed.ts";
import { Members } from "./members.ts";
import { MINUTE, planOf, SECOND, type Plan } from "./plan.ts";
import { cheapPrimitives } from "./primitives.ts";
import type { Stage } from "./stage.ts";
import { Trouble } from "./trouble.ts";
import { ORIGIN, World } from "../support/wire.ts";

/** One room, from a seed: what its members do, and what goes wrong. */
export class Simulation {
  readonly plan: Plan;
  readonly world: World;
  readonly checks: Checks;
  readonly #chance: Chance;
  readonly #members: Members;
  readonly #trouble: Trouble;

  constructor(seed: number, isRecording = false) {
    const chance = new Chance(seed);
    const plan = planOf(seed, chance);
    const { isReal, isHostile, hasReaders, hasHistory, idleMs, latencyMs, jitterMs } = plan;
    const primitives = isReal ? seededPrimitives(`simulation ${seed}`) : cheapPrimitives(seed);
    const world = new World({ idleMs, history: hasHistory }, primitives);
    world.isRecording = isRecording;
    const circumstances = { isHostile, hasReaders, hasHistory, saidGone: false };
    const checks = new Checks(world, circumstances);
    checks.add(undefined);
    if (latencyMs > 0) world.latency = () => latencyMs + (jitterMs > 0 ? chance.below(jitterMs) : 0);
    const stage: Stage = { plan, chance, world, checks, circumstances, origins: [ORIGIN] };
    this.plan = plan;
    this.world = world;
    this.checks = checks;
    this.#chance = chance;
    this.#members = new Members(stage);
    this.#trouble = new Trouble(stage);
    this.#begin();
  }

  #begin(): void {
    for (let index = 0; index < this.plan.guests; index += 1) this.#members.join();
    this.world.advance(this.plan.latencyMs * 20);
    if (!this.plan.isHostile) return;
    for (const { guest } of this.checks.all) if (guest !== undefined) this.#trouble.tamper(guest);
  }

  step(): void {
    const chance = this.#chance;
    const somebody = chance.pick(this.checks.all);
    const { guest } = somebody;
    const roll = chance.next();
    if (this.plan.isAbrupt && chance.happens(0.1)) this.#members.stopAbruptly();
    else if (this.plan.isHeavy && chance.happens(0.1)) this.#members.flood();
    else if (roll < 0.42) this.#members.speak(somebody);
    else if (roll < 0.56) this.#members.read(somebody);
    else if (roll < 0.6) this.#members.comeOrGo(somebody);
    else if (roll < 0.61) this.#members.remove(somebody);
    else if (roll < 0.67) this.#trouble.sleep(somebody);
    else if (roll < 0.69 && this.plan.moves) this.#trouble.moveOver();
    else if (roll < 0.78 && this.plan.moves) this.#trouble.move();
    else if (guest !== undefined) this.#trouble.harm(somebody, guest);
    else if (chance.happens(0.3)) this.#trouble.visit();
    if (chance.happens(0.6)) this.world.settle();
    if (chance.happens(0.6)) this.#pass();
  }

  #pass(): void {
    const ms = this.#chance.pick([1, 60, 700, 700, 5 * SECOND, 5 * SECOND, 21 * SECOND, 70 * SECOND]);
    const isLong = this.#chance.happens(0.005);
    this.world.advance(isLong ? 32 * MINUTE : ms);
  }

  /** Everything works again, and in half of the cases nobody is told. */
  heal(): void {
    const { world } = this;
    const chance = this.#chance;
    for (const origin of world.origins.keys()) world.setOrigin(origin, "up");
    world.wake("host", chance.happens(0.5));
    const isTold = chance.happens(0.5);
    for (const participant of this.checks.all) {
      const { guest } = participant;
      if (guest === undefined) continue;
      // Whatever is under way is lost with the cut.
      if (isTold) participant.excuse();
      guest.offline = false;
      guest.tamperToGuest = honest;
      guest.tamperToHost = honest;
      world.wake(guest, chance.happens(0.5));
      if (isTold) world.cut(guest);
    }
    // What is about to break shows within that time: the next PING, and what was under way.
    world.advance(isTold ? SECOND : LINK.pingEveryMs + 5 * SECOND);
    world.advance(this.plan.latencyMs * 8);
    for (let waited = 0; waited < 6 && !isWhole(this.world, this.checks); waited += 1)
      world.advance(30 * SECOND);
  }
}

export function simulate(seed: number, isRecording = false): Simulation {
  const simulation = new Simulation(seed, isRecording);
  for (let step = 0; step < simulation.plan.steps; step += 1) simulation.step();
  simulation.heal();
  checkHealed(simulation.world, simulation.checks, simulation.plan);
  return simulation;
}
