/** One failure, in words for an agent and for a person. It holds no secret: texts are the same for everybody. */
export interface ErrorEntry {
  /** The failure, lower case, without a full stop; names no tool, so that both readers understand it. */
  readonly message: string;
  /** The next step for an agent, which calls tools and can ask its human, but sets no environment variable. */
  readonly next: string;
  /** The next step for a person, who types commands and keys; left out where it is the same. */
  readonly nextForPerson?: string;
  /**
   * The steps where it befell the address of an open tunnel, which gets another one by itself; left out where the others
   * are true there as well.
   */
  readonly whileOpen?: StepsWhileOpen;
  /** True where the same call may succeed later without anything being changed. */
  readonly retryable: boolean;
}

export interface StepsWhileOpen {
  readonly next: string;
  readonly nextForPerson: string;
}

/** Another try may be enough. */
export const TRIED_AGAIN: StepsWhileOpen = {
  next: "Wait: a new address is tried again and again by itself, and nothing said is lost. tunnel_status shows the next attempt.",
  nextForPerson: "Wait: a new address is tried again and again by itself, and nothing said is lost.",
};

/** Somebody has to change something first. */
export const MENDED_FIRST: StepsWhileOpen = {
  next: "Tell your human what happened. A new address is tried again by itself, and comes once that is mended. If it cannot be mended, open another tunnel with tunnel_open.",
  nextForPerson:
    "Mend what is named: a new address is tried again by itself. If you cannot mend it, open another tunnel.",
};

/** Entries by code. A code is stable: it is never renamed, and never used for anything else. */
export type ErrorArea = Readonly<Record<string, ErrorEntry>>;
