import type { ProviderName } from "../tunnel/registry/registry.ts";

/** The settings that sessions work with. Where they come from, and what holds without them, is not for this layer to know. */
export interface Config {
  readonly transport: ProviderName;
  /** IP address to listen on. */
  readonly bind: string;
  /** TCP port to listen on; 0 takes any free one. */
  readonly port: number;
  /** Origin (`wss://…` or `ws://…`, no path) that the user has put in front of the port; direct transport only. */
  readonly publicUrl: string | undefined;
  /** How this side is called in a room unless a tool call says otherwise. */
  readonly name: string | undefined;
  /** Path of a cloudflared program to use instead of the verified copy. */
  readonly cloudflaredPath: string | undefined;
  /** The program that opens the tunnel, and its arguments; exec transport only. */
  readonly command: readonly string[] | undefined;
  /** Finds the address in what that program prints; undefined for the first https URL. */
  readonly commandUrl: RegExp | undefined;
  /** Whether names may be resolved by DNS-over-HTTPS. */
  readonly doh: boolean;
  /** Whether a spare tunnel is kept once somebody has joined. */
  readonly standby: boolean;
  readonly idleMinutes: number;
  readonly inviteMinutes: number;
  /** Hand out the link without waiting until its name resolves. */
  readonly skipReachabilityCheck: boolean;
  /** Whether the others are told of the repository and the client that this side works in. */
  readonly context: boolean;
  /** Folders beside the working directory into which received files may be saved. */
  readonly saveRoots: readonly string[];
  /** Folders beside the working directory from which files may be shared. */
  readonly shareRoots: readonly string[];
  /** Single files that a human lets through although they look like a secret. */
  readonly shareAllow: readonly string[];
}
