import { SOURCE_FIELD } from "../../uplink/limits.ts";
import { declareProvider } from "../provider.ts";
import type { RelaySettings } from "./settings.ts";

/** A relay of the user's own, or of their organisation. */
export const relay = declareProvider<RelaySettings>({
  title: "a relay of your own",
  advice: "the relay in TUNNEL_RELAY",
  dialsLoopbackOnly: true,
  // The relay writes it anew for every visitor, and drops what came.
  sourceHeader: SOURCE_FIELD,
  // A room has one place at a relay. Its line comes back by itself.
  canHaveSpare: false,
  keepsAddress: true,
  givesNames: true,
  carriesTcp: true,
  async load(settings) {
    const { createRelayOpener } = await import("./opener.ts");
    return createRelayOpener(settings);
  },
});
