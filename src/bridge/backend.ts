import type { Era } from "./protocol/era.ts";
import { CODE, type ErrorObject, type Fields, type Outcome } from "./protocol/frames.ts";

/** A request that may reach the server: understood, of a method that is served, for a tool that is allowed. */
export interface Call {
  readonly era: Era;
  readonly method: string;
  readonly params: Fields;
  /** That the client names; undefined where it names none. */
  readonly session: string | undefined;
  /** Field lines of the request whose names begin with `mcp-`, in lower case: for a server that speaks HTTP. */
  readonly fields: Readonly<Record<string, string>>;
  /** Called with the numbers and words of a note of progress; undefined where the client wants none. */
  readonly onProgress: ((progress: Fields) => void) | undefined;
  /** Aborted when nobody waits any more, and the server is to know. */
  readonly signal: AbortSignal;
}

export interface Answered {
  readonly outcome: Outcome;
  /** A session that begins with this answer. */
  readonly session?: string | undefined;
}

/** An MCP server behind a bridge, whatever carries it. */
export interface Backend {
  /** @throws {BridgeRefusal} where there is no outcome of the server itself */
  call(call: Call): Promise<Answered>;
  /** A notification of a client. Resolves when the server has it, or will not have it. */
  notify(method: string, params: Fields, about: Pick<Call, "session" | "fields">): Promise<void>;
  /** A client is done with its session. @returns false where it is none */
  endSession(session: string): boolean;
  /** Ends what was started; resolves when nothing is left. Idempotent. */
  close(): Promise<void>;
}

/** There is no result: the bridge says why, or a server has refused with a status of its own. Its words go to whoever has called. */
export class BridgeRefusal extends Error {
  /** The status of the HTTP answer. */
  readonly status: number;
  readonly error: ErrorObject;

  /** @param about.error the server's own, in place of the message */
  constructor(
    message: string,
    about: { readonly status?: number; readonly code?: number; readonly error?: ErrorObject } = {},
  ) {
    const { status = 200, code = CODE.bridge, error = { code, message } } = about;
    super(message);
    this.name = "BridgeRefusal";
    this.status = status;
    this.error = error;
  }
}
