import type { GuestEnd } from "../protocol/guest/guest-io.ts";
import type { SessionEnd } from "./handle.ts";

/** Why a member's stay is over, as its tunnel tells it. */
export function sessionEnd(end: GuestEnd): SessionEnd {
  switch (end.by) {
    case "host":
      return { cause: end.cause === "closed" ? "closed-by-host" : end.cause };
    case "removal":
      return { cause: "removed" };
    case "self":
      return { cause: "closed-here" };
    case "failure":
      return { cause: "failed", error: end.error };
  }
}
