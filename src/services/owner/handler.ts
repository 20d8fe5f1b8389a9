import type { MemberId } from "../../protocol/base/ids.ts";
import type { CallLog } from "./call-log.ts";
import type { StreamSocket } from "../connection/stream-socket.ts";

/** Somebody who connects, as far as its owner knows. */
interface Visitor {
  readonly who: MemberId;
  /** Where its programs see the service; empty for TCP. */
  readonly origin: string;
}

/** One service of this machine, as connections from the room get to it: one for each offer. */
export interface Handler {
  /** Where it leads, for this side's person. */
  readonly target: string;
  /** The port of the service on this machine. */
  readonly port: number | undefined;
  readonly warnings: readonly string[];
  /** The calls of an MCP server. */
  readonly calls?: CallLog;
  /** Patterns of the tools of an MCP server that may be called; all of them when left out. */
  readonly tools?: readonly string[];
  /**
   * Makes ready for one connection, and gives what takes it over once it has begun.
   * @throws {TunnelError} service-silent where the service does not take it; service-invalid for an origin that is none
   */
  connect(visitor: Visitor): Promise<Ready>;
  /** Ends what was started. Connections are ended by their owner. */
  close(): Promise<void>;
}

export interface Ready {
  take(socket: StreamSocket): void;
  /** It is not taken after all. */
  drop(): void;
}
