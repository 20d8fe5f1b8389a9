import { asTunnelError } from "../errors/tunnel-error.ts";
import type { Primitives } from "../protocol/base/primitives.ts";
import { Guest } from "../protocol/guest/guest.ts";
import { Room } from "../protocol/host/room.ts";
import type { Entry } from "../protocol/room/log.ts";
import type { Clock } from "../runtime/clock.ts";
import { Inbox } from "./inbox.ts";
import { keptSession } from "./keeping/kept-session.ts";
import type { TunnelId } from "./session.ts";
import type { Resumable } from "./stays/stays.ts";

/** A stay to which an agent can come back, as far as it has to know to choose it. */
export interface ResumableStay {
  readonly tunnelId: TunnelId;
  readonly role: "host" | "member";
  readonly goal: string;
  /** Names of the others. */
  readonly members: readonly string[];
  readonly unread: number;
  readonly keptForSec: number;
}

/** A stay that was left; undefined for one of another project folder, and where nobody can come back. */
export function resumableStay(
  { tunnelId, changes, keptForMs }: Resumable,
  { folder, primitives, clock }: { folder: string; primitives: Primitives; clock: Clock },
): ResumableStay | undefined {
  try {
    const kept = keptSession(changes.session);
    if (kept.folder !== folder) return undefined;
    const { machine, isOver, entries } = (kept.role === "host" ? roomOf : guestOf)(
      changes.machine,
      primitives,
      clock.now(),
    );
    if (isOver) return undefined;
    const inbox = new Inbox({ self: machine.self, clock, start: 0 });
    for (const entry of entries) inbox.append(entry);
    inbox.restore(kept);
    return {
      tunnelId,
      role: kept.role,
      goal: machine instanceof Room ? machine.goal : (machine.membership?.goal ?? ""),
      members: machine.presence(clock.now()).flatMap(({ name, isSelf }) => (isSelf ? [] : [name])),
      unread: inbox.unread + kept.notices.size,
      keptForSec: Math.round(keptForMs / 1_000),
    };
  } catch (thrown) {
    const error = asTunnelError(thrown);
    if (error.code === "internal") throw thrown;
    return undefined;
  }
}

interface Recalled {
  readonly machine: Room | Guest;
  readonly isOver: boolean;
  readonly entries: readonly Entry[];
}

function roomOf(changes: Resumable["changes"]["machine"], primitives: Primitives, now: number): Recalled {
  const room = Room.restore(primitives, { changes, floors: { said: 0, placed: 0 } }, now);
  const entries = room
    .takeEffects()
    .flatMap((effect): Entry[] => (effect.type === "entry" ? [effect.entry] : []));
  return { machine: room, isOver: room.ended !== undefined, entries };
}

function guestOf(changes: Resumable["changes"]["machine"], primitives: Primitives, now: number): Recalled {
  const guest = Guest.restore(primitives, { changes, floor: 0 }, now);
  const entries = guest
    .takeEffects()
    .flatMap((effect): Entry[] => (effect.type === "entry" ? [effect.entry] : []));
  return { machine: guest, isOver: guest.connection.name === "ended", entries };
}
