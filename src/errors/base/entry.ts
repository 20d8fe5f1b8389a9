/** One failure, in words for an agent and for a person. It holds no secret: texts are the same for everybody. */
export interface ErrorEntry {
  /** The failure, lower case, without a full stop; names no tool, so that both readers understand it. */
  readonly message: string;
  /** The next step for an agent, which calls tools and can ask its human, but sets no environment variable. */
  readonly next: string;
  /** The next step for a person, who types commands and keys; left out where it is the same. */
  readonly nextForPerson?: string;
  /** True where the same call may succeed later without anything being changed. */
  readonly retryable: boolean;
}

/** Entries by code. A code is stable: it is never renamed, and never used for anything else. */
export type ErrorArea = Readonly<Record<string, ErrorEntry>>;
