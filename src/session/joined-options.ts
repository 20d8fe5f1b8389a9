import type { LookupFunction } from "node:net";
import type { WorkContext } from "../protocol/room/work-context.ts";
import type { InviteLink } from "../protocol/handshake/invite-link.ts";
import type { Primitives } from "../protocol/base/primitives.ts";
import type { Clock } from "../runtime/clock.ts";
import type { TunnelId } from "./session.ts";

/** Everything that joining a tunnel needs, already checked. */
export interface JoinedOptions {
  readonly tunnelId: TunnelId;
  readonly link: InviteLink;
  readonly name: string;
  /** What the others are told of where this side works. */
  readonly workContext: WorkContext | undefined;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly lookup: LookupFunction;
  readonly signal: AbortSignal;
}
