import type { ProviderName } from "../tunnel/registry/registry.ts";

/** Everything a user can set, already parsed: `src/cli/env.ts` is the only place that reads the environment. */
export interface Config {
  readonly transport: ProviderName;
  /** IP address to listen on. Loopback unless the user says otherwise. */
  readonly bind: string;
  /** TCP port to listen on; 0 takes any free one. */
  readonly port: number;
  /** Origin (`wss://…` or `ws://…`, no path) that the user has put in front of the port; direct transport only. */
  readonly publicUrl: string | undefined;
  /** How this side is called in a room unless a tool call says otherwise. */
  readonly name: string | undefined;
  /** Path of a cloudflared program to use instead of the verified copy. */
  readonly cloudflaredPath: string | undefined;
  /** The program of the exec transport and its arguments. */
  readonly command: readonly string[] | undefined;
  /** Finds the public URL in what that program prints. */
  readonly commandUrl: RegExp | undefined;
  /** Whether names may be resolved by DNS-over-HTTPS. */
  readonly doh: boolean;
  /** Whether a spare Quick Tunnel is kept once somebody has joined. */
  readonly standby: boolean;
  readonly idleMinutes: number;
  readonly inviteMinutes: number;
  /** Hand out the link without waiting until its name resolves. */
  readonly skipReachabilityCheck: boolean;
  /** Whether the others are told of the repository and the client that this side works in. */
  readonly context: boolean;
  /** Nobody is there to confirm a tool call. */
  readonly unattended: boolean;
  /** Folders beside the working directory into which received files may be saved. */
  readonly saveRoots: readonly string[];
  /** Folders beside the working directory from which files may be shared. */
  readonly shareRoots: readonly string[];
  /** Single files that a human lets through although they look like a secret. */
  readonly shareAllow: readonly string[];
  /** Whether a client that takes channels may be woken by an event of this server. */
  readonly channel: boolean;
}
