import { equalBytes, toBase64url, type Bytes } from "../../protocol/base/bytes.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import { encodeUtf8 } from "../../protocol/base/utf8.ts";

/** 192 bits, so that no number of guesses matters; 32 characters of base64url, without padding. */
const SECRET_BYTES = 24;

/** Characters of a secret in base64url. */
export const SECRET_CHARS = (SECRET_BYTES * 4) / 3;

/** What a visitor shows to get in, with its hash: presented values are only ever compared as hashes. */
export interface Secret {
  readonly text: string;
  readonly hash: Bytes;
}

export function newSecret(primitives: Primitives): Secret {
  return secretOf(primitives, toBase64url(primitives.random(SECRET_BYTES)));
}

export function secretOf(primitives: Primitives, text: string): Secret {
  return { text, hash: hashOf(primitives, text) };
}

/** SHA-256 of a presented value: of equal length for all of them, and out of the hand of whoever presents it. */
export function hashOf(primitives: Primitives, text: string): Bytes {
  return primitives.sha256(encodeUtf8(text));
}

/** Whether one of the presented values is the secret. Takes the same time wherever they differ. */
export function isAmong(primitives: Primitives, presented: readonly string[], hash: Bytes): boolean {
  let found = false;
  for (const text of presented) if (equalBytes(hashOf(primitives, text), hash)) found = true;
  return found;
}
