import type { MemberId } from "../base/ids.ts";
import { foldedName, RESERVED_NAME } from "../base/names.ts";
import type { MemberRecord } from "./frames.ts";

/** A roster is replaced when it changes, so what was found for it holds as long as it is there. */
const known = new WeakMap<readonly MemberRecord[], ReadonlySet<MemberId>>();

/**
 * The members whose names this platform takes for one of another member, or for this program's own. An honest host lets none of
 * these in (G1). Other platforms may see it differently, so it is shown, and ends nothing (T5).
 */
export function lookAlikes(roster: readonly MemberRecord[]): ReadonlySet<MemberId> {
  const found = known.get(roster) ?? findLookAlikes(roster);
  known.set(roster, found);
  return found;
}

function findLookAlikes(roster: readonly MemberRecord[]): ReadonlySet<MemberId> {
  const holders = new Map<string, MemberId[]>();
  for (const { id, name } of roster) {
    const folded = foldedName(name);
    holders.set(folded, [...(holders.get(folded) ?? []), id]);
  }
  const shared = [...holders].filter(([folded, ids]) => ids.length > 1 || folded === RESERVED_NAME);
  return new Set(shared.flatMap(([, ids]) => ids));
}
