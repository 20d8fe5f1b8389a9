import assert from "node:assert/strict";
import { LINK } from "../../src/protocol/base/limits.ts";
import { honest } from "./crossing.ts";
import type { Participant } from "./participant.ts";
import { hostile, MINUTE, SECOND } from "./plan.ts";
import { addOrigin, type Stage } from "./stage.ts";
import type { Guest, OriginState } from "../support/wire.ts";

/** A socket is asked for and opens; then M2 to M5. */
const ENTRY_CROSSINGS = 6;

/** What goes wrong, and what strangers do. */
export class Trouble {
  readonly #stage: Stage;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  sleep(participant: Participant): void {
    const { world, chance, checks } = this.#stage;
    const who = participant.guest ?? "host";
    participant.excuse();
    if (chance.happens(0.2)) {
      // A clock that is set, or one that stood still with its machine.
      const ms = chance.pick([SECOND, 20 * SECOND, 5 * MINUTE]);
      if (who === "host") world.hostSkew += ms;
      else who.skew += ms;
      // Everybody has been silent for so long, all of a sudden.
      if (who === "host") checks.excuseAll();
    } else if (who === "host" ? world.isHostAsleep : who.held !== undefined)
      world.wake(who, chance.happens(0.5));
    else {
      if (who === "host") checks.excuseAll();
      world.sleep(who);
    }
  }

  /** The host gets another address, tells it early or late, and loses one. */
  move(): void {
    const { world, chance, checks, circumstances, origins } = this.#stage;
    checks.excuseAll();
    const roll = chance.next();
    if (roll < 0.4 && origins.length < 4) addOrigin(this.#stage);
    else if (roll < 0.75) {
      const state = chance.pick<OriginState>(["dead", "dead", "hole", "gone", "up"]);
      if (state === "gone") circumstances.saidGone = true;
      world.setOrigin(chance.pick(origins), state);
    } else if (origins.length > 1) this.#stage.origins = origins.slice(0, -1);
    if (world.isHostAsleep || world.room.ended !== undefined || chance.happens(0.3)) return;
    world.room.setAddresses(this.#stage.origins, world.hostNow);
  }

  /** The address in use is lost after another one was announced: whoever heard that goes on there. */
  moveOver(): void {
    const { world, checks, plan, origins } = this.#stage;
    if (world.isHostAsleep || world.room.ended !== undefined || origins.length >= LINK.maxAddresses) return;
    world.settle();
    const isPrompt = ENTRY_CROSSINGS * (plan.latencyMs + plan.jitterMs) < LINK.stepTimeoutMs;
    const movers = checks.all.filter(
      (one) => isPrompt && one.guest?.offline === false && checks.isInTouch(one),
    );
    checks.excuseAll();
    addOrigin(this.#stage);
    world.room.setAddresses(this.#stage.origins, world.hostNow);
    world.advance(plan.latencyMs + plan.jitterMs + 1);
    for (const origin of origins) world.setOrigin(origin, "dead");
    // After some rounds every dead address is given its full time.
    const hindered = new Set<Guest>();
    for (let passed = 0; passed < 3 * MINUTE; passed += 5 * SECOND) {
      world.advance(5 * SECOND);
      for (const { guest } of movers) if (guest?.offline === true) hindered.add(guest);
    }
    for (const { guest, index, hasLeft } of movers) {
      // What was set going before may have taken it off the network meanwhile.
      if (guest === undefined || hindered.has(guest) || hasLeft || world.room.ended !== undefined) continue;
      assert.ok(
        guest.member.connection.name === "connected",
        `guest ${index} has not moved over: ${guest.member.connection.name}`,
      );
    }
  }

  harm(participant: Participant, guest: Guest): void {
    const { world, chance, plan } = this.#stage;
    const roll = chance.next();
    participant.excuse();
    if (plan.isHostile && roll < 0.4) this.tamper(guest);
    else if (roll < 0.55) world.cut(guest);
    else if (roll < 0.65) world.loseGuestSide(guest);
    else if (roll < 0.75) world.loseHostSide(guest);
    else if (roll < 0.88)
      world.blackHole(guest, chance.pick([["toHost"], ["toGuest"], ["toHost", "toGuest"]]));
    else guest.offline = !guest.offline;
  }

  tamper(guest: Guest): void {
    const { chance } = this.#stage;
    const tamper = chance.happens(0.6) ? hostile(chance) : honest;
    if (chance.happens(0.5)) guest.tamperToGuest = tamper;
    else guest.tamperToHost = tamper;
  }

  /** Strangers knock, and say nothing or nonsense. */
  visit(): void {
    const { world, chance } = this.#stage;
    const knocks = chance.pick([1, 3, 40]);
    for (let knock = 0; knock < knocks; knock += 1) {
      const stranger = world.stranger(`203.0.113.${chance.below(4)}`);
      if (chance.happens(0.5))
        stranger.send(new Uint8Array(chance.pick([0, 1, 146, 256, 2_000])).fill(chance.below(256)));
    }
  }
}
