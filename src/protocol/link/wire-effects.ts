import type { ConnectionId } from "../base/ids.ts";
import type { Bytes } from "../base/bytes.ts";

/** What either machine asks its driver to do with a connection. */
export type WireEffect =
  /** `bulk`: part of a file, which may wait for what is more urgent. */
  | {
      readonly type: "send";
      readonly connection: ConnectionId;
      readonly message: Bytes;
      readonly bulk?: boolean;
    }
  /** `linger`: what was sent last has not been confirmed, and is to arrive if it can. */
  | {
      readonly type: "close";
      readonly connection: ConnectionId;
      readonly code: number;
      readonly linger?: boolean;
    };
