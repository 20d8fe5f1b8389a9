import type { ClaimKind } from "../../uplink/messages.ts";
import type { Authority } from "./authority.ts";

/**
 * Everybody may have rooms, which are sealed and serve no page. Services need a token, whatever address the relay listens on: a
 * proxy in front makes loopback public.
 * @param allowsHttp a demo on this machine
 */
export function openAuthority(allowsHttp: boolean): Authority {
  const kinds: ReadonlySet<ClaimKind> = new Set<ClaimKind>(allowsHttp ? ["room", "http"] : ["room"]);
  return {
    isOpen: true,
    check: async (_token, { kind }) =>
      kinds.has(kind)
        ? {
            kind: "granted",
            grant: { tokenId: "open", kinds, names: ["*"], limits: {}, recheckAt: undefined },
          }
        : { kind: "refused", reason: "token-missing" },
    onChange: () => () => undefined,
  };
}
