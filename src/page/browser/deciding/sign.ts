import { fromBase64url, toBase64url, type Bytes } from "../../../protocol/base/bytes.ts";
import { encodeUtf8 } from "./utf8.ts";
import { outcomeBytes, statementBytes, type Verdict } from "../../../protocol/sign-off/signed-bytes.ts";
import type { SignOffShown } from "../../model.ts";
import { unmarked } from "../../text/marks.ts";

/** A person's signature, as texts for a command. */
export interface Signed {
  readonly digest: string;
  readonly key: string;
  readonly signature: string;
}

const CHAIN_BYTES = 32;

// A copy in a buffer of its own, which is all that the browser takes.
const own = (bytes: Bytes): Uint8Array<ArrayBuffer> => Uint8Array.from(bytes);

async function sha256(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", own(bytes)));
}

/**
 * Signs exactly what is shown, with a key that is made here for it, cannot leave the browser, and is forgotten.
 * @returns why it cannot be signed here: `key`, a browser that makes no such keys; `other`, a server that would have something else signed
 */
export async function signHere(
  shown: SignOffShown,
  said: { readonly verdict: Verdict; readonly reason?: string },
): Promise<Signed | "key" | "other"> {
  const chain = fromBase64url(shown.chain, CHAIN_BYTES);
  if (chain === undefined) return "other";
  const outcomeHash = await sha256(encodeUtf8(unmarked(shown.outcome)));
  const digest = await sha256(outcomeBytes(shown.room, { seq: shown.seq, chain }, outcomeHash));
  if (toBase64url(digest) !== shown.digest) return "other";
  try {
    const { privateKey, publicKey } = await crypto.subtle.generateKey({ name: "Ed25519" }, false, [
      "sign",
      "verify",
    ]);
    const signature = await crypto.subtle.sign(
      "Ed25519",
      privateKey,
      own(statementBytes(digest, shown.self, said)),
    );
    const key = await crypto.subtle.exportKey("raw", publicKey);
    return {
      digest: shown.digest,
      key: toBase64url(new Uint8Array(key)),
      signature: toBase64url(new Uint8Array(signature)),
    };
  } catch {
    return "key";
  }
}
