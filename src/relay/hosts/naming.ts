import type { Reason } from "../../uplink/close-codes.ts";
import type { Register } from "../../uplink/messages.ts";
import type { Grant } from "../auth/authority.ts";
import { filled, fits, isLabel, isReserved } from "../auth/patterns.ts";
import { isNameOfKey, nameOfKey } from "../claims/proof.ts";

export interface NamingRules {
  /** Whether the relay remembers whose a name is; without that a restart would give it to whoever comes first. */
  readonly keepsNames: boolean;
}

export type Named =
  | { readonly kind: "named"; readonly name: string; readonly isSubstitute: boolean }
  | { readonly kind: "refused"; readonly reason: Reason };

const refused = (reason: Reason): Named => ({ kind: "refused", reason });
const named = (name: string, isSubstitute = false): Named => ({ kind: "named", name, isSubstitute });

/** A room's id, as PROTOCOL makes it: 16 random bytes in base64url. */
const ROOM_ID = /^[A-Za-z0-9_-]{22}$/;

/** The name that this registration gets. */
export function nameFor({ kind, name, key }: Register, grant: Grant, rules: NamingRules): Named {
  if (kind === "room")
    return name !== undefined && ROOM_ID.test(name) ? named(name) : refused("name-invalid");
  if (kind === "tcp") return named(nameOfKey(key));
  return serviceName(name, key, grant, rules);
}

/**
 * A name that was asked for, where the token allows it; else the only one that it allows; else one made of the key. Without a
 * memory the relay gives only names that prove themselves: a key's own, and one that the tokens' file gives to one token.
 */
function serviceName(asked: string | undefined, key: string, grant: Grant, rules: NamingRules): Named {
  const own = nameOfKey(key);
  const exact = grant.names.filter((pattern) => !pattern.includes("*"));
  const open = grant.names.filter((pattern) => pattern.includes("*"));
  if (asked === undefined) {
    const [only] = exact;
    if (grant.names.length === 1 && only !== undefined) return named(only);
    const pattern = grant.names.includes("*") ? "*" : open.length === 1 ? open[0] : undefined;
    return pattern === undefined ? refused("name-needed") : named(filled(pattern, own));
  }
  if (!isLabel(asked)) return refused("name-invalid");
  // An exact name in the operator's own file is the operator's will.
  if (exact.includes(asked)) return named(asked);
  if (isReserved(asked)) return refused("name-reserved");
  const pattern = open.find((one) => fits(asked, one));
  if (pattern === undefined) return refused("name-not-allowed");
  const ofKey = filled(pattern, own);
  if (asked === ofKey) return named(ofKey);
  if (isNameOfKey(asked)) return refused("name-reserved");
  return rules.keepsNames ? named(asked) : named(ofKey, true);
}
