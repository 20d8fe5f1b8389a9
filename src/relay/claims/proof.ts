import { hash } from "node:crypto";
import { fromBase64url } from "../../protocol/base/bytes.ts";
import { nodePrimitives } from "../../runtime/primitives.ts";
import { proofText, type ClaimToProve } from "../../uplink/claim-proof.ts";
import { UPLINK } from "../../uplink/limits.ts";

/** Whether the owner of the key has signed this claim, for this connection. */
export function isProved(claim: ClaimToProve, key: string, signature: string): boolean {
  const [keyBytes, signed] = [
    fromBase64url(key, UPLINK.keyBytes),
    fromBase64url(signature, UPLINK.signatureBytes),
  ];
  if (keyBytes === undefined || signed === undefined) return false;
  try {
    return nodePrimitives.verifySignature(keyBytes, Buffer.from(proofText(claim)), signed);
  } catch (error) {
    // Bytes that are no point of the curve.
    if (error instanceof Error) return false;
    throw error;
  }
}

/** The name of a key: no two keys have the same one, and nobody can choose it. */
export function nameOfKey(key: string): string {
  return `k${hash("sha256", `tunnel-mcp relay name 1\n${key}`, "hex").slice(0, NAME_DIGITS)}`;
}

const NAME_DIGITS = 20;
/** Names of this form belong to their keys. */
export const isNameOfKey = (name: string): boolean => /^k[0-9a-f]{20}$/.test(name);
/** Whether a name is the one made of this key: then no other key is ever given it. */
export const isOfKey = (name: string, key: string): boolean => name === nameOfKey(key);
