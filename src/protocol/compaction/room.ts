import type { Bytes } from "../base/bytes.ts";
import type { InviteId, MemberId } from "../base/ids.ts";
import type { Primitives } from "../base/primitives.ts";
import type { Steps } from "../keeping/keeper.ts";
import { keptRoom, type RoomHappening } from "../host/kept.ts";
import { Room } from "../host/room.ts";
import { decodeHostFrame } from "../room/frames.ts";
import { lastWithin, LOG_BOUNDS, trusting } from "./bounds.ts";

interface Change {
  readonly what: RoomHappening;
  readonly change: Bytes;
}

/**
 * Fewer changes that lead to the same room, but for what its log keeps no longer: what came of the earlier ones, and the later ones.
 * @throws {TunnelError} stay-unreadable
 */
export function* compactRoom(
  primitives: Primitives,
  changes: readonly Bytes[],
  now: number,
  bounds = LOG_BOUNDS,
): Steps<readonly Bytes[]> {
  const quick = trusting(primitives);
  const room = yield* Room.restoring(quick, { changes }, now);
  const [begun, ...rest] = changes;
  if (room.ended !== undefined || begun === undefined) return changes;
  const all = yield* read(changes);
  const places = placesOf(all);
  const sizes = places.map(({ bytes }) => bytes);
  const cut = places.at(-Math.max(lastWithin(sizes, bounds), room.lastNeeded) - 1);
  if (cut === undefined) return [begun, ...folded(all)];
  const before = all.slice(0, cut.index + 1);
  const earlier = yield* Room.restoring(quick, { changes: [begun, ...rest.slice(0, cut.index + 1)] }, now);
  const unplaced = unplacedOf(before);
  const base = earlier.base(new Set(unplaced.keys()), now);
  const fewer = [begun, ...base, ...unplaced.values(), ...rest.slice(cut.index + 1)];
  return [begun, ...folded(yield* read(fewer))];
}

/** All but the first. */
function* read([begun, ...rest]: readonly Bytes[]): Steps<Change[]> {
  const { happened } = yield* keptRoom(begun === undefined ? rest : [begun, ...rest]);
  return rest.flatMap((change, index): Change[] => {
    const what = happened[index];
    return what === undefined ? [] : [{ what, change }];
  });
}

/** The changes that give a place to something, with the bytes of what they place. */
function placesOf(all: readonly Change[]): { readonly index: number; readonly bytes: number }[] {
  const got = new Map<MemberId, number>();
  const places: { index: number; bytes: number }[] = [];
  for (const [index, { what, change }] of all.entries()) {
    if (what.t === "got") got.set(what.from, change.length);
    if (what.t === "said" || what.t === "event") places.push({ index, bytes: change.length });
    if (what.t === "placed") places.push({ index, bytes: got.get(what.from) ?? 0 });
  }
  return places;
}

/** The frames that were acknowledged and have no place, as the changes that say so. */
function unplacedOf(all: readonly Change[]): Map<MemberId, Bytes> {
  const unplaced = new Map<MemberId, Bytes>();
  for (const { what, change } of all) {
    if (what.t === "got") unplaced.set(what.from, change);
    if (what.t === "placed") unplaced.delete(what.from);
    if (what.t !== "event") continue;
    const { frame } = decodeHostFrame(what.payload);
    if (frame.t === "event" && frame.event.kind === "left") unplaced.delete(frame.event.id);
  }
  return unplaced;
}

/** Without the changes that later ones have made void, and without the secrets of invites that are used up. */
function folded(all: readonly Change[]): Bytes[] {
  const later = new Later();
  return all
    .toReversed()
    .flatMap(({ what, change }) => (later.isVoid(what) ? [] : [change]))
    .toReversed();
}

/** What stands behind a change, seen from the end. */
class Later {
  readonly #confirmed = new Set<MemberId>();
  readonly #resumed = new Set<MemberId>();
  readonly #ended = new Set<InviteId>();
  #areAddresses = false;

  isVoid(what: RoomHappening): boolean {
    switch (what.t) {
      case "confirmed":
        return isAgain(this.#confirmed, what.member);
      case "resumed":
        return isAgain(this.#resumed, what.member);
      case "addresses": {
        const isVoid = this.#areAddresses;
        this.#areAddresses = true;
        return isVoid;
      }
      case "seat":
        this.#ended.add(what.seat.invite);
        return false;
      case "revoked":
        this.#ended.add(what.inviteId);
        return false;
      case "invite":
        return this.#ended.has(what.inviteId);
      case "event":
        this.#event(what.payload);
        return false;
      default:
        return false;
    }
  }

  /** A return bounds what members may come back with until their next resume, so that one before it stays. */
  #event(payload: Bytes): void {
    const { frame } = decodeHostFrame(payload);
    if (frame.t === "event" && frame.event.kind === "returned") this.#resumed.clear();
  }
}

function isAgain<Item>(seen: Set<Item>, item: Item): boolean {
  const isSeen = seen.has(item);
  seen.add(item);
  return isSeen;
}
