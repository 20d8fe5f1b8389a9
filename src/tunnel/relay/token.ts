import { readFile } from "node:fs/promises";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { UPLINK } from "../../uplink/limits.ts";
import type { RelaySettings } from "./settings.ts";

/**
 * The token of the settings, read anew: its file may have changed.
 * @throws {TunnelError} relay-token
 */
export async function tokenOf({
  relayToken,
  relayTokenFile,
}: Pick<RelaySettings, "relayToken" | "relayTokenFile">): Promise<string | undefined> {
  if (relayTokenFile === undefined) return relayToken;
  let text: string;
  try {
    text = await readFile(relayTokenFile, "utf8");
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new TunnelError("relay-token", { detail: "TUNNEL_RELAY_TOKEN_FILE cannot be read", cause: error });
  }
  const token = text.trim();
  if (token === "" || token.length > UPLINK.maxTokenChars || /\s/.test(token))
    throw new TunnelError("relay-token", { detail: "TUNNEL_RELAY_TOKEN_FILE holds no token" });
  return token;
}
