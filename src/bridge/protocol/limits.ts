const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const KIB = 1_024;

/** Bounds of a bridge. Sizes in bytes or, for text of a child, UTF-16 units; times in ms. */
export const BRIDGE_LIMITS = {
  /** The body of one POST. */
  requestBytes: 4 * 1_024 * KIB,
  /** One line of a child, and one answer of an HTTP server. */
  resultChars: 8 * 1_024 * KIB,
  /** A line that is too long is skipped up to here; one that goes on ends its child. */
  skippedChars: 64 * 1_024 * KIB,
  /** Levels of objects and lists in a message. */
  depth: 64,
  idChars: 256,
  methodChars: 128,
  /** Calls of one visitor that wait for their answers, and of all. */
  callsOfVisitor: 64,
  calls: 256,
  /** Bodies of all visitors, from their first byte until their call is over. */
  bodiesBytes: 64 * 1_024 * KIB,
  /** Answers of all visitors that are not read yet, in UTF-16 units. */
  unreadChars: 32 * 1_024 * KIB,
  /** The body of a request must be there. */
  bodyMs: 30 * SECOND,
  /** An answer that nobody reads. */
  stallMs: 60 * SECOND,
  /** A call without an answer: after this time without a sign of progress, and after all. */
  callIdleMs: 10 * MINUTE,
  callMs: 60 * MINUTE,
  /** A stream that is silent says so often that it lives. */
  keepAliveMs: 15 * SECOND,
  /** Between two notes of progress of one call. */
  progressEveryMs: 50,
  /** So much may wait to be read before notes of progress are left out. */
  progressBytes: 64 * KIB,
  progressChars: 500,
  /** A child must have answered its first request: it may have to be fetched first. */
  openMs: 60 * SECOND,
  /** After its input was closed. */
  goodbyeMs: 1 * SECOND,
  /** A child that nobody calls. */
  idleMs: 15 * MINUTE,
  /** A child is replaced after so long. */
  lifeMs: 12 * 60 * MINUTE,
  /** Children that one bridge may start in a time. */
  starts: 5,
  startsMs: MINUTE,
  /** Children at once, where each session has its own. */
  sessions: 64,
  /** Lines that nobody waits for, in a time: a child that says more has lost its way. */
  strayLines: 20_000,
  strayMs: 10 * SECOND,
  /** The last words of a child on its standard error. */
  lastWordsChars: 4 * KIB,
} as const;

export type BridgeLimits = { readonly [Name in keyof typeof BRIDGE_LIMITS]: number };
