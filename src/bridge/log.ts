/** How a call ended, for its owner's person. */
export type CallEnd =
  | "answered"
  /** The server has answered with an error. */
  | "error"
  /** It was not passed on: no such method, or a tool that is not allowed. */
  | "refused"
  /** The answer has something in it that does not leave. */
  | "withheld"
  /** The server has not answered. */
  | "failed"
  | "cancelled";

/** One call of an MCP server of this machine. It holds no arguments and no results. */
export interface CallRecord {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The caller, as the bridge was told. */
  readonly who: string;
  /** One that is served, or words of ours for any other. */
  readonly method: string;
  /** The tool, prompt or resource; a label of the caller's, cut. */
  readonly name: string | undefined;
  readonly end: CallEnd;
  readonly ms: number;
  /** The length of the answer, in UTF-16 units. */
  readonly chars: number;
}
