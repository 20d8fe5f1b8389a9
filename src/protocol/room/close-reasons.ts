import { END_CAUSES, type EndCause } from "./frames.ts";

/** Why a connection was ended on purpose; one byte inside an authenticated CLOSE (PROTOCOL §5). */
export const CLOSE = {
  done: 0,
  left: 1,
  closed: 2,
  removed: 3,
  replaced: 4,
  idle: 5,
  hostStopped: 6,
  /** In place of WELCOME: the host's person is asked first (I9). */
  asked: 7,
  /** In place of WELCOME: the host and this member do not remember the same, so there is nothing to go on from (D5). */
  outdated: 8,
} as const;

/** The reason byte of a CLOSE at a room's end. */
export const CLOSE_OF: Readonly<Record<EndCause, number>> = {
  closed: CLOSE.closed,
  idle: CLOSE.idle,
  "host-stopped": CLOSE.hostStopped,
};

/** The cause of a room's end by the reason of CLOSE, for a member that the event itself did not reach. */
export const CAUSE_OF: ReadonlyMap<number, EndCause> = new Map(
  END_CAUSES.map((cause) => [CLOSE_OF[cause], cause] as const),
);
