/** The primitives of section 1, from node:crypto; of secretbox, which Node does not have, from tweetnacl. */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  randomBytes,
  sign,
} from "node:crypto";
import nacl from "tweetnacl";
import { concat, fromHex, utf8, type Bytes } from "./bytes.ts";

/** What precedes the 32 bytes of a key in DER (RFC 8410). */
const DER = {
  x25519Private: fromHex("302e020100300506032b656e04220420"),
  x25519Public: fromHex("302a300506032b656e032100"),
  ed25519Private: fromHex("302e020100300506032b657004220420"),
};
const TAG_BYTES = 16;

export const sha256 = (...parts: readonly Bytes[]): Bytes =>
  Uint8Array.from(
    createHash("sha256")
      .update(concat(...parts))
      .digest(),
  );

export const hmac = (key: Bytes, ...parts: readonly Bytes[]): Bytes =>
  Uint8Array.from(
    createHmac("sha256", key)
      .update(concat(...parts))
      .digest(),
  );

/** HKDF-SHA-256 (RFC 5869) with `info` as it stands. */
export const hkdf = (key: Bytes, salt: Bytes, info: string, size: number): Bytes =>
  new Uint8Array(hkdfSync("sha256", key, salt, utf8(info), size));

const imported = (prefix: Bytes, bytes: Bytes) =>
  createPrivateKey({ key: Buffer.from(concat(prefix, bytes)), format: "der", type: "pkcs8" });
const privateKey = (bytes: Bytes) => imported(DER.x25519Private, bytes);
const exported = (secret: ReturnType<typeof privateKey>): Bytes =>
  Uint8Array.from(createPublicKey(secret).export({ format: "der", type: "spki" }).subarray(-32));
const publicKey = (bytes: Bytes) =>
  createPublicKey({ key: Buffer.from(concat(DER.x25519Public, bytes)), format: "der", type: "spki" });

/** The public key to an X25519 private key. */
export const x25519Public = (secret: Bytes): Bytes => exported(privateKey(secret));

/** The public key to the seed of an Ed25519 key, and signatures by it. */
export const ed25519Public = (seed: Bytes): Bytes => exported(imported(DER.ed25519Private, seed));
export const ed25519Sign = (seed: Bytes, message: Bytes): Bytes =>
  Uint8Array.from(sign(null, message, imported(DER.ed25519Private, seed)));

export const random = (size: number): Bytes => Uint8Array.from(randomBytes(size));

/** Undefined for a result of 32 zero bytes (K5), which OpenSSL refuses to give. */
export function x25519(secret: Bytes, point: Bytes): Bytes | undefined {
  const keys = { privateKey: privateKey(secret), publicKey: publicKey(point) };
  try {
    return Uint8Array.from(diffieHellman(keys));
  } catch {
    return undefined;
  }
}

/** ChaCha20-Poly1305 (RFC 8439): ciphertext ‖ tag. */
export function aeadSeal(key: Bytes, nonce: Bytes, plain: Bytes, associated: Bytes): Bytes {
  const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associated, { plaintextLength: plain.length });
  return concat(cipher.update(plain), cipher.final(), cipher.getAuthTag());
}

/** Undefined for what does not open. */
export function aeadOpen(key: Bytes, nonce: Bytes, sealed: Bytes, associated: Bytes): Bytes | undefined {
  if (sealed.length < TAG_BYTES) return undefined;
  const cipher = createDecipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_BYTES });
  const text = sealed.subarray(0, -TAG_BYTES);
  cipher.setAAD(associated, { plaintextLength: text.length });
  cipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    return concat(cipher.update(text), cipher.final());
  } catch {
    return undefined;
  }
}

/** NaCl secretbox: tag ‖ ciphertext. */
export const boxSeal = (key: Bytes, nonce: Bytes, plain: Bytes): Bytes => nacl.secretbox(plain, nonce, key);
/** Undefined for what does not open. */
export const boxOpen = (key: Bytes, nonce: Bytes, sealed: Bytes): Bytes | undefined =>
  nacl.secretbox.open(sealed, nonce, key) ?? undefined;
