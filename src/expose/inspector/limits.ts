const KIB = 1024;
const SECOND = 1_000;

/** Bounds of what is taken down of passing requests. */
export interface InspectorLimits {
  /** Kept of one body. */
  readonly bodyBytes: number;
  /** Kept of the field lines of one head, and of the trailers of one message. */
  readonly headBytes: number;
  /** Interim responses of one exchange whose status is kept. */
  readonly interim: number;
  /** Exchanges of one exposure. The oldest go first. */
  readonly requests: number;
  /** Those that the gate refused: who only knocks must not push out what came in. */
  readonly refused: number;
}

export const INSPECTOR: InspectorLimits = {
  bodyBytes: 64 * KIB,
  headBytes: 64 * KIB,
  interim: 8,
  requests: 500,
  refused: 100,
};

/** Kept by all exposures of this process together. */
export const INSPECTED_BYTES = 16 * KIB ** 2;

/** Memory that an exchange and one field line take besides their characters, about. */
export const OVERHEAD = { exchange: KIB, field: 64 } as const;

/** Lists of requests. */
export const LISTED = { defaultCount: 50, maxCount: 500, maxPathChars: 1_024 } as const;

/** What is made of a body in order to show it. */
export const CONTENT = {
  /** Bytes after a `Content-Encoding` is undone: 64 KiB can hold 64 MiB. */
  decodedBytes: KIB ** 2,
  /** Encodings put on one another. */
  codings: 3,
} as const;

export interface ReplayLimits {
  /** From the first byte sent to the last one received. */
  readonly timeMs: number;
  /** Read of a response; it is cut there. */
  readonly responseBytes: number;
}

export const REPLAY: ReplayLimits = { timeMs: 30 * SECOND, responseBytes: 16 * KIB ** 2 };

/** What a replay may be given. */
export const REPLAY_INPUT = {
  pathChars: 16 * KIB,
  fields: 200,
  fieldChars: 32 * KIB,
  bodyBytes: KIB ** 2,
} as const;

/** How much of a difference is told. */
export const DIFFERENCE = {
  /** Longer texts are compared by their hashes alone. */
  comparedChars: 256 * KIB,
  jsonDepth: 64,
  jsonChanges: 100,
  /** Of one value before and after. */
  valueChars: 200,
  lines: 200,
  lineChars: 500,
  /** Lines around a change. */
  contextLines: 3,
  /** Lines to take out and put in, beyond which two texts have nothing to do with each other. */
  edits: 2_000,
  /** Spent on comparing lines. */
  timeMs: 500,
} as const;
