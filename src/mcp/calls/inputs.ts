import * as z from "zod";
import { id } from "../../arguments/strings.ts";
import { SESSION } from "../../protocol/base/limits.ts";

export const tunnelId = id().optional().describe("If several.");

export const memberName = z.string().optional().describe("Your name there. Default: the user name.");

interface Bounded {
  readonly value: number;
  /** The bound, where more was asked for: the result says what was done instead. */
  readonly cutTo: number | undefined;
}

/** A number that may be asked for and is bounded here. */
export function bounded(asked: number, most: number): Bounded {
  return { value: Math.min(asked, most), cutTo: asked > most ? most : undefined };
}

/** A wait of a call, in ms: no longer than clients let calls take. */
export function boundedWait(askedMs: number): Bounded {
  return bounded(askedMs, SESSION.listenMaxMs);
}
