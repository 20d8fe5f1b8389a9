import type { Clock } from "../runtime/clock.ts";
import type { Readable } from "node:stream";
import type { ProcessIdentity } from "./identity.ts";
import type { OutputReader } from "./lines.ts";

/** How a child ended: `code` when it exited, `signal` when it was killed, `failure` when it never started. */
export interface Exit {
  readonly code?: number;
  readonly signal?: string;
  readonly failure?: Error;
}

/** An exit in words, for the detail of an error. */
export function exitDetail({ code, signal }: Exit): string {
  return code === undefined ? `ended by ${signal ?? "a signal"}` : `exit code ${code}`;
}

export interface Child {
  /** Settles when it has ended and all that it wrote has been read. Never rejects. */
  readonly exited: Promise<Exit>;
  /** Undefined while it runs. */
  exit(): Exit | undefined;
  /** Ends it, by force if need be; resolves when it is gone. Idempotent. */
  stop(): Promise<void>;
  /** How another process finds it; undefined while it cannot outlive this one. */
  handover?(): ChildHandover | undefined;
  /**
   * Lets go of it without ending it, since this process is about to end. Its guard ends it at once unless a caretaker holds it
   * (holding/caretaker.ts). `exited` may never settle afterwards.
   */
  leave?(): void;
}

/** A running child, as another process finds it. */
export interface ChildHandover {
  /** The private folder of its named pipes (guard-script.ts). */
  readonly folder: string;
  readonly guard: ProcessIdentity;
  readonly child: ProcessIdentity;
}

export interface ChildOptions {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly clock: Clock;
  readonly stderr: OutputReader;
  /** Undefined: its standard output is thrown away. */
  readonly stdout?: OutputReader;
  /** Its standard input, from when it runs; the end of this is the end of that. Undefined: there is nothing to read. */
  readonly stdin?: Readable;
  /** Whether its own children are ended with it: for a program that may only be a wrapper of another. */
  readonly withDescendants?: boolean;
  /** Private folders for the record of it, the preferred one first (records.ts). */
  readonly recordFolders: readonly string[];
  /**
   * Lets it outlive this process while the caretaker of the stay in the folder `stay` holds it. Its named pipes are then kept in
   * `folder`, a private one that is removed with the stay. Nothing outlives this process on Windows.
   */
  readonly held?: { readonly stay: string; readonly folder: string } | undefined;
}

/** Time that a child has to follow SIGTERM. A provider sets a grace period of its program below it. */
export const GRACE_MS = 2_000;
/** How long its output may stay open after it has ended. */
export const LAST_WORDS_MS = 500;
