import type { ConnectionId } from "../base/ids.ts";
import type { Bytes } from "../base/bytes.ts";

/** WebSocket close codes of the application range: hints for people with a packet trace, never trusted. */
export const CLOSE_CODE = {
  normal: 1000,
  denied: 4001,
  late: 4002,
  replaced: 4003,
  violation: 4004,
  silent: 4005,
} as const;

/** Requests of either machine to its driver that concern a connection. */
export type WireEffect =
  /** `bulk`: part of a stream, which may wait for more urgent messages. */
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

/** Carries out a send at once. It must not call the machine. */
export type SendNow = (effect: Extract<WireEffect, { type: "send" }>) => void;
