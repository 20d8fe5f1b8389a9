/** One value of a bucket. */
export interface Entry {
  readonly key: string;
  readonly value: string;
  /** The number of the write that made it: grows with every write to the bucket, whatever its key. */
  readonly revision: number;
  /** When it was written, by the engine's clock, in ms. */
  readonly writtenAt: number;
}

/**
 * Keys with values, replicated: a write is acknowledged once a majority has it, and takes place only where the newest revision of
 * its key is the expected one.
 */
export interface Bucket {
  /** @throws {EngineAway} */
  get(key: string): Promise<Entry | undefined>;
  /**
   * @param expected the revision that is replaced; 0: the key must not be there
   * @returns the new revision; undefined where the expected one is not the newest
   * @throws {EngineAway} nobody knows whether it was written, and it may be written later still
   */
  put(key: string, value: string, expected: number): Promise<number | undefined>;
  /**
   * Takes away that revision alone.
   * @returns whether it was there
   * @throws {EngineAway} like `put`
   */
  remove(key: string, revision: number): Promise<boolean>;
  /**
   * Keys that begin with the words of the prefix, which ends before a dot; without one, all.
   * @throws {EngineAway}
   */
  keys(prefix?: string): Promise<readonly string[]>;
  /**
   * The oldest entry below the prefix from a revision on.
   * @throws {EngineAway}
   */
  next(prefix: string, from: number): Promise<Entry | undefined>;
}

/** The engine that the nodes of a cluster have in common: two buckets, and words that reach whoever listens at that moment. */
export interface Engine {
  readonly claims: Bucket;
  /** Entries vanish by themselves a while after their last write. */
  readonly nodes: Bucket;
  readonly isConnected: boolean;
  /** Called when the connection is lost, and when it is there again. */
  onConnection(listener: (isConnected: boolean) => void): () => void;
  /** Heard by every node that is connected now, once at most. */
  publish(subject: string, text: string): void;
  /** `reply` answers one that has asked. */
  subscribe(subject: string, listener: (text: string, reply: (text: string) => void) => void): () => void;
  /** @returns undefined where nobody has answered in time */
  ask(subject: string, text: string, withinMs: number): Promise<string | undefined>;
  close(): Promise<void>;
}

/** The engine did not answer in time. */
export class EngineAway extends Error {
  override readonly name = "EngineAway";

  constructor(cause?: unknown) {
    super("the cluster's engine does not answer", { cause });
  }
}

/** @returns the result, or undefined where the engine is away */
export async function unlessAway<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof EngineAway) return undefined;
    throw error;
  }
}
