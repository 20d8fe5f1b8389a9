import type { HttpsClient } from "../../net/https.ts";
import type { Clock } from "../../runtime/clock.ts";
import { declareProvider, SAFE_TRAITS } from "../provider.ts";

/** Settings and facts of the machine that Quick Tunnels depend on. */
export interface CloudflaredSettings {
  /** Path of a cloudflared program to use instead of the verified copy. */
  readonly cloudflaredPath: string | undefined;
  /** Whether names may be resolved by DNS-over-HTTPS. */
  readonly doh: boolean;
  readonly skipReachabilityCheck: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Through the proxy of the environment, where there is one. */
  readonly client: HttpsClient;
}

/** Quick Tunnels of Cloudflare, by their own program. */
export const cloudflared = declareProvider<CloudflaredSettings>({
  title: "a Cloudflare Quick Tunnel",
  advice: "reachable from anywhere (default)",
  dialsLoopbackOnly: true,
  // Cloudflare's edge sets it itself, whatever the visitor sends.
  sourceHeader: "cf-connecting-ip",
  canHaveSpare: true,
  keepsAddress: false,
  // Windows has no caretaker.
  canBeHeld: process.platform !== "win32",
  weigh: (error) => (error.code === "cloudflared-rate-limited" ? "refused" : SAFE_TRAITS.weigh(error)),
  staleCode: "cloudflared-edge-lost",
  async load({ cloudflaredPath: explicitPath, env, ...others }) {
    const { createCloudflaredOpener, proxyVariable } = await import("./cloudflared.ts");
    const { binaryEnvironment } = await import("./environment.ts");
    return createCloudflaredOpener({
      environment: binaryEnvironment(env),
      explicitPath,
      proxyVariable: proxyVariable(env),
      ...others,
    });
  },
});
