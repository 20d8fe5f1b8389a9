import { flipBit, type Tamper } from "../support/wire.ts";
import type { Chance } from "../support/random.ts";

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const DAY = 24 * 60 * MINUTE;

/** What a seed simulates, decided once at its beginning. */
export interface Plan {
  /** The curves and ciphers themselves instead of the stand-ins. */
  readonly isReal: boolean;
  readonly isHostile: boolean;
  readonly guests: number;
  readonly steps: number;
  readonly idleMs: number;
  /** One way, in ms, and by how much more it may be. */
  readonly latencyMs: number;
  readonly jitterMs: number;
  readonly hasReaders: boolean;
  /** Whoever joins later is given what was said before. */
  readonly hasHistory: boolean;
  /** Some messages are for some members only. */
  readonly hasAddressed: boolean;
  /** The host may end the room in the middle. */
  readonly isEnded: boolean;
  /** Somebody leaves, is removed or ends the room while windows are full. */
  readonly isAbrupt: boolean;
  /** The host changes its addresses. */
  readonly moves: boolean;
  /** Long texts, so that outboxes fill up. */
  readonly isHeavy: boolean;
}

const REAL_EVERY = 20;

/** Guests and steps. Everybody is told of everything, so a step in a full room costs what a whole small room does. */
function sizeOf(isReal: boolean, chance: Chance): { guests: number; steps: number } {
  if (isReal) return { guests: chance.pick([1, 1, 2, 3]), steps: 9 };
  const roll = chance.next();
  if (roll < 0.005) return { guests: 24 + chance.below(40), steps: 4 };
  if (roll < 0.035) return { guests: 7 + chance.below(17), steps: 9 };
  return { guests: chance.pick([1, 1, 2, 2, 2, 3, 3, 4, 5]), steps: 12 };
}

export function planOf(seed: number, chance: Chance): Plan {
  const isReal = seed % REAL_EVERY === 0;
  const size = sizeOf(isReal, chance);
  const isSmall = size.guests < 7 && !isReal;
  const isHeavy = isSmall && chance.happens(0.004);
  const isAbrupt = isSmall && !isHeavy && chance.happens(0.03);
  const latencyMs = chance.pick([0, 0, 1, 20, 120, 900]);
  return {
    ...size,
    isReal,
    // What must be heard to the end is certain only where nobody spoils it.
    isHostile: !isAbrupt && chance.happens(0.4),
    idleMs: chance.happens(0.05) ? (2 + chance.below(8)) * MINUTE : DAY,
    latencyMs,
    jitterMs: chance.happens(0.5) ? latencyMs : 0,
    hasReaders: chance.happens(0.5),
    hasHistory: chance.happens(0.3),
    hasAddressed: chance.happens(0.6),
    isEnded: chance.happens(isHeavy ? 0.5 : 0.1),
    isAbrupt,
    moves: chance.happens(0.4),
    isHeavy,
  };
}

/** A party in the middle that loses, doubles, alters, delays and invents, each now and then. */
export function hostile(chance: Chance): Tamper {
  let held: Uint8Array | undefined;
  return (message) => {
    const release = held === undefined ? [] : [held];
    held = undefined;
    const roll = chance.next();
    if (roll < 0.03) return release;
    if (roll < 0.05) return [message, ...release, message];
    if (roll < 0.07) return [...release, flipBit(message, chance.below(message.length * 8))];
    if (roll < 0.09) {
      held = message;
      return release;
    }
    if (roll < 0.1) return [...release, message.slice(0, chance.below(message.length)), message];
    // What was held back arrives after what came later.
    return [message, ...release];
  };
}
