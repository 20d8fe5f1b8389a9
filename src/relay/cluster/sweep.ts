import type { Engine } from "./engine.ts";
import { parseClaimEntry } from "./entries.ts";

/** Entries that are looked at in one go. */
const MAX_LOOKS = 10_000;

/**
 * Forgets rooms that have had no host for long: those that are away, and those of nodes that are no more. Every node does it now and
 * then; each removal takes away exactly what was looked at, so it does not matter how many do.
 * @param before entries that were written later stay; in ms
 * @throws {EngineAway}
 */
export async function sweep(engine: Engine, before: number): Promise<number> {
  let removed = 0;
  let from = 1;
  for (let looks = 0; looks < MAX_LOOKS; looks += 1) {
    const entry = await engine.claims.next("name.room", from);
    // Oldest first: all that follow are younger.
    if (entry === undefined || entry.writtenAt >= before) break;
    from = entry.revision + 1;
    const room = parseClaimEntry(entry.value);
    if (room === undefined) continue;
    const hasHost = room.node !== undefined && (await engine.nodes.get(room.node)) !== undefined;
    if (!hasHost && (await engine.claims.remove(entry.key, entry.revision))) removed += 1;
  }
  return removed;
}
