import type { WorkContext } from "../protocol/room/work-context.ts";
import type { Primitives } from "../protocol/base/primitives.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Provider, TunnelProgress } from "../tunnel/provider.ts";
import type { ProviderName } from "../tunnel/registry/registry.ts";
import type { TunnelId } from "./handle.ts";

/** Everything that opening a tunnel needs, already checked. */
export interface HostingOptions {
  readonly tunnelId: TunnelId;
  readonly goal: string;
  readonly name: string;
  /** What members are told of where this side works. */
  readonly workContext: WorkContext | undefined;
  readonly invites: number;
  /** Whether those who join later are given what was said before. */
  readonly history: boolean;
  readonly idleMs: number;
  readonly inviteMs: number;
  readonly bind: string;
  readonly port: number;
  readonly transport: ProviderName;
  readonly provider: Provider;
  /** Whether a spare address is kept once there are members. */
  readonly standby: boolean;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: TunnelProgress) => void;
}
