import type { ClaimKind } from "./messages.ts";

/** The claim that a signature is for. */
export interface ClaimToProve {
  /** Of the relay, for this connection alone. */
  readonly nonce: string;
  /** Host and port of the relay as the host dials it: a relay cannot pass the nonce of another one on. */
  readonly authority: string;
  readonly kind: ClaimKind;
  readonly name: string | undefined;
}

/** The text under the signature. No part can hold a line end, so no two claims have the same text. */
export function proofText({ nonce, authority, kind, name }: ClaimToProve): string {
  return ["tunnel-mcp relay claim 1", nonce, authority.toLowerCase(), kind, name ?? ""].join("\n");
}
