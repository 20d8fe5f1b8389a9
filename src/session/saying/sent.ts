import type { Held } from "../../oversight/lanes/held.ts";

/** How a message stands when `say` answers: never more than is known. */
export type Sent =
  | { readonly status: "sent"; readonly seq: number }
  | {
      readonly status: "queued";
      readonly seq: number | undefined;
      /** Of a member's message, which has no place yet: it counts that member's own ones from 1. */
      readonly ownNo?: number | undefined;
      readonly reason: string;
    }
  /** It may have arrived; nobody is left to say so, or to bring it. */
  | {
      readonly status: "unconfirmed";
      readonly seq: number | undefined;
      readonly ownNo?: number | undefined;
      readonly reason: string;
    };

/** The answer to a call that says something: how it stands, or that it waits for a person. */
export type Answer = Sent | Held;

/** Names a tool call, as the MCP client does. */
export type CallId = string | number;
