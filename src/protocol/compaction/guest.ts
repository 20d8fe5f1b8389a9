import type { Bytes } from "../base/bytes.ts";
import type { Primitives } from "../base/primitives.ts";
import { Guest } from "../guest/guest.ts";
import { frameIn, GUEST_CHANGE, keptGuest, kindOfChange } from "../guest/kept.ts";
import type { Steps } from "../keeping/keeper.ts";
import { decodeHostFrame } from "../room/frames.ts";
import { lastWithin, LOG_BOUNDS, trusting } from "./bounds.ts";

interface Change {
  readonly kind: ReturnType<typeof kindOfChange>;
  readonly change: Bytes;
}

/**
 * Fewer changes that lead to the same stay, but for what its log keeps no longer: what came of the earlier ones, and the later ones.
 * @throws {TunnelError} stay-unreadable
 */
export function* compactGuest(
  primitives: Primitives,
  changes: readonly Bytes[],
  now: number,
  bounds = LOG_BOUNDS,
): Steps<readonly Bytes[]> {
  const quick = trusting(primitives);
  const restored = (some: readonly Bytes[]): Steps<Guest> =>
    Guest.restoring(quick, { changes: some, floor: 0 }, now);
  if ((yield* restored(changes)).connection.name === "ended") return changes;
  const all = changes.map((change): Change => ({ kind: kindOfChange(change), change }));
  const { resumesUpTo } = yield* keptGuest(changes);
  const ways = (["begun", "addresses", "secrets"] as const).flatMap(
    (kind) => all.findLast((one) => one.kind === kind)?.change ?? [],
  );
  const frames = all.filter(({ kind }) => kind === "moved" || kind === "heard" || kind === "said");
  const end = resumesUpTo === undefined ? [] : [GUEST_CHANGE.returned(resumesUpTo)];
  const whole = [...ways, ...frames.map(({ change }) => change), ...end];
  const heard = heardIn(frames);
  const sizes = heard.map(({ bytes }) => bytes);
  const cut = heard.at(-lastWithin(sizes, bounds) - 1);
  if (cut === undefined) return whole;
  const before = frames.slice(0, cut.index + 1);
  const earlier = yield* restored([...ways, ...before.map(({ change }) => change)]);
  const { base, unplaced } = earlier;
  if (base === undefined) return whole;
  const said = before.filter(({ kind }) => kind === "said");
  const waiting = said.slice(said.length - unplaced);
  const after = [...waiting, ...frames.slice(cut.index + 1)];
  return [...ways, base, ...after.map(({ change }) => change), ...end];
}

/** The frames of the host, one for each place, with the bytes of what they place. */
function heardIn(frames: readonly Change[]): { readonly index: number; readonly bytes: number }[] {
  const said: number[] = [];
  return frames.flatMap(({ kind, change }, index) => {
    if (kind === "said") said.push(change.length);
    if (kind !== "heard") return [];
    const isOwn = decodeHostFrame(frameIn(change)).frame.t === "own";
    return [{ index, bytes: change.length + (isOwn ? (said.shift() ?? 0) : 0) }];
  });
}
