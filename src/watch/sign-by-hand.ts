import { TunnelError } from "../errors/tunnel-error.ts";
import { equalBytes, fromBase64url, toBase64url, type Bytes } from "../protocol/base/bytes.ts";
import type { Primitives } from "../protocol/base/primitives.ts";
import { encodeUtf8 } from "../protocol/base/utf8.ts";
import { outcomeBytes, statementBytes, type Verdict } from "../protocol/sign-off/signed-bytes.ts";
import type { SignOffView } from "../view/signing/sign-off.ts";

/** The signature of a person at a terminal. */
export interface HandSigned {
  readonly digest: Bytes;
  readonly key: Bytes;
  readonly signature: Bytes;
}

/**
 * Signs what a person was shown, with a key that is made for it and is not kept. The digest is made anew from what was shown, so
 * that nobody signs what they have not seen (H9).
 * @throws {TunnelError} sign-off-unsound
 */
export function signByHand(
  primitives: Primitives,
  view: Pick<SignOffView, "room" | "seq" | "chain" | "outcome" | "digest" | "self">,
  said: { readonly verdict: Verdict; readonly reason?: string | undefined },
): HandSigned {
  const chain = fromBase64url(view.chain, 32);
  if (chain === undefined) throw new TunnelError("sign-off-unsound");
  const outcomeHash = primitives.sha256(encodeUtf8(view.outcome));
  const digest = primitives.sha256(outcomeBytes(view.room, { seq: view.seq, chain }, outcomeHash));
  const told = fromBase64url(view.digest, 32);
  if (told === undefined || !equalBytes(told, digest)) throw new TunnelError("sign-off-unsound");
  const keys = primitives.generateSigningKeyPair();
  const signature = keys.sign(statementBytes(digest, view.self, said));
  return { digest, key: keys.publicKey, signature };
}

/** The same as texts, for a command of a face. */
export function signCommand(
  primitives: Primitives,
  view: Parameters<typeof signByHand>[1],
  said: { readonly verdict: Verdict; readonly reason?: string | undefined },
): { readonly digest: string; readonly key: string; readonly signature: string } {
  const { digest, key, signature } = signByHand(primitives, view, said);
  return { digest: toBase64url(digest), key: toBase64url(key), signature: toBase64url(signature) };
}
