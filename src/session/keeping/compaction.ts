import type { Primitives } from "../../protocol/base/primitives.ts";
import type { Steps } from "../../protocol/keeping/keeper.ts";
import { LOG_BOUNDS } from "../../protocol/compaction/bounds.ts";
import { compactGuest } from "../../protocol/compaction/guest.ts";
import { compactRoom } from "../../protocol/compaction/room.ts";
import { fewestChanges, keptSession } from "./kept-session.ts";
import type { KeptChanges } from "../stays/stays.ts";

/** What is kept of a stay, in fewer changes. @throws {TunnelError} stay-unreadable */
export function* compacted(
  primitives: Primitives,
  { machine, session }: KeptChanges,
  now: number,
  bounds = LOG_BOUNDS,
): Steps<KeptChanges> {
  const kept = keptSession(session);
  const compact = kept.role === "host" ? compactRoom : compactGuest;
  return { machine: yield* compact(primitives, machine, now, bounds), session: fewestChanges(kept) };
}
