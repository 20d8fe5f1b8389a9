import { asTunnelError } from "../errors/tunnel-error.ts";
import type { Primitives } from "../protocol/base/primitives.ts";
import { Guest } from "../protocol/guest/guest.ts";
import { Room } from "../protocol/host/room.ts";
import type { Entry } from "../protocol/room/log.ts";
import type { Clock } from "../runtime/clock.ts";
import { Inbox } from "./inbox.ts";
import { keptSession } from "./keeping/kept-session.ts";
import type { TunnelId } from "./session.ts";
import type { KeptChanges, Stays } from "./stays/stays.ts";

/** A tunnel whose program has ended, and that can be taken up. */
export interface KeptTunnel {
  readonly tunnelId: TunnelId;
  /** The project folder to which it belongs. */
  readonly folder: string;
  readonly role: "host" | "member";
  readonly goal: string;
  /** Names of the others. */
  readonly members: readonly string[];
  readonly unread: number;
  /** Milliseconds since the epoch. */
  readonly keptUntil: number;
}

interface Here {
  readonly primitives: Primitives;
  readonly clock: Clock;
}

/** Looks for kept tunnels. `except`: ids of those that are known to go on. */
export type KeptLook = (except?: ReadonlySet<string>) => Promise<readonly KeptTunnel[]>;

/** The tunnels of all folders that can be taken up now. What was read once is not read again: a stay that is left does not change. */
export function keptTunnels(stays: Pick<Stays, "left">, { primitives, clock }: Here): KeptLook {
  // It is only shown: whoever takes a stay up checks all signatures.
  const here = { clock, primitives: { ...primitives, verifySignature: () => true } };
  let known = new Map<string, KeptTunnel | undefined>();
  return async (except) => {
    const now = clock.now();
    const found = (await stays.left(except)).map(({ tunnelId, keptForMs, read }) => {
      // Another process may have had it meanwhile, and has left it later.
      const key = `${tunnelId} ${Math.round((now + keptForMs) / 1_000)}`;
      const isKnown = known.has(key);
      const changes = isKnown ? undefined : read();
      const look = changes && keptTunnel({ tunnelId, changes, keptUntil: now + keptForMs }, here);
      return { key, kept: isKnown ? known.get(key) : look };
    });
    known = new Map(found.map(({ key, kept }) => [key, kept]));
    return found.flatMap(({ kept }) => kept ?? []);
  };
}

/** Undefined where nobody can come back. */
function keptTunnel(
  { tunnelId, changes, keptUntil }: { tunnelId: string; changes: KeptChanges; keptUntil: number },
  { primitives, clock }: Here,
): KeptTunnel | undefined {
  try {
    const kept = keptSession(changes.session);
    const recalled = kept.role === "host" ? roomOf : guestOf;
    const { machine, isOver, entries } = recalled(changes.machine, primitives, clock.now());
    if (isOver) return undefined;
    const inbox = new Inbox({ self: machine.self, clock, start: 0 });
    for (const entry of entries) inbox.append(entry);
    inbox.restore(kept);
    return {
      tunnelId,
      folder: kept.folder,
      role: kept.role,
      goal: machine instanceof Room ? machine.goal : (machine.membership?.goal ?? ""),
      members: machine.presence(clock.now()).flatMap(({ name, isSelf }) => (isSelf ? [] : [name])),
      unread: inbox.unread + kept.notices.size,
      keptUntil,
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

function roomOf(changes: KeptChanges["machine"], primitives: Primitives, now: number): Recalled {
  const room = Room.restore(primitives, { changes }, now);
  const entries = room
    .takeEffects()
    .flatMap((effect): Entry[] => (effect.type === "entry" ? [effect.entry] : []));
  return { machine: room, isOver: room.ended !== undefined, entries };
}

function guestOf(changes: KeptChanges["machine"], primitives: Primitives, now: number): Recalled {
  const guest = Guest.restore(primitives, { changes, floor: 0 }, now);
  const entries = guest
    .takeEffects()
    .flatMap((effect): Entry[] => (effect.type === "entry" ? [effect.entry] : []));
  return { machine: guest, isOver: guest.connection.name === "ended", entries };
}
