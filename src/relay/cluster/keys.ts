import { hash } from "node:crypto";
import type { ClaimName, NameOwner } from "../claims/claims.ts";

/** Dots part the words of a key, and stars stand for all of them in the engine: no name may bring its own. */
const WORD = /^[A-Za-z0-9_-]{1,128}$/;

/** The key of a name in the bucket of claims; undefined for what cannot be a name. */
export function keyOf({ kind, name }: ClaimName): string | undefined {
  return WORD.test(name) ? `name.${kind}.${name}` : undefined;
}

/** Below it lie the names that an owner has, whose entries only stand to be counted. */
export const namesOf = (owner: NameOwner["id"]): string =>
  `owner.${hash("sha256", `tunnel-mcp relay owner 1\n${owner}`, "hex").slice(0, OWNER_DIGITS)}`;

export const ownedKey = (owner: NameOwner["id"], { kind, name }: ClaimName): string =>
  `${namesOf(owner)}.${kind}.${name}`;

const OWNER_DIGITS = 32;

/** Words to every node, and to one of them. */
export const SUBJECTS = {
  claims: "tunnel-mcp.relay.claims",
  tallies: "tunnel-mcp.relay.tallies",
  node: (node: string): string => `tunnel-mcp.relay.node.${node}`,
} as const;
