import type { Bytes } from "./bytes.ts";

/** A private key as an opaque handle, so that it is not a string anybody can log. It leaves the adapter for a kept stay alone. */
export interface DhKeyPair {
  /** X25519 public key, 32 bytes (RFC 7748). */
  readonly publicKey: Bytes;
  /** X25519 with the peer's public key; `undefined` for an all-zero result (RFC 7748 §6.1, rule K5). */
  agree(peerPublicKey: Bytes): Bytes | undefined;
  /** The private key, 32 bytes, for a stay that is kept. */
  exportSecret(): Bytes;
}

export interface SigningKeyPair {
  /** Ed25519 public key, 32 bytes (RFC 8032). */
  readonly publicKey: Bytes;
  /** 64-byte signature. */
  sign(message: Bytes): Bytes;
  /** The private key, 32 bytes (the seed of RFC 8032 §5.1.5), for a stay that is kept. */
  exportSecret(): Bytes;
}

/**
 * The part of a platform that the core needs: standard primitives and randomness, nothing of its own making.
 * Implemented by `src/runtime/primitives.ts`; tests use it with seeded randomness.
 */
export interface Primitives {
  random(length: number): Bytes;
  sha256(data: Bytes): Bytes;
  hmacSha256(key: Bytes, data: Bytes): Bytes;
  /** HKDF-SHA-256 (RFC 5869). */
  hkdfSha256(inputKey: Bytes, salt: Bytes, info: Bytes, length: number): Bytes;
  generateDhKeyPair(): DhKeyPair;
  generateSigningKeyPair(): SigningKeyPair;
  /** Pairs that were kept; 32 bytes each. @throws {RangeError} for another length */
  importDhKeyPair(secret: Bytes): DhKeyPair;
  importSigningKeyPair(secret: Bytes): SigningKeyPair;
  /** Ed25519 as strict as K10 says, under a key that K10 lets in; `false` for anything else. */
  verifySignature(publicKey: Bytes, message: Bytes, signature: Bytes): boolean;
  /** ChaCha20-Poly1305 (RFC 8439), 12-byte nonce; the tag is appended. */
  chachaSeal(key: Bytes, nonce: Bytes, plaintext: Bytes, associated: Bytes): Bytes;
  /** The same of several parts, written into `out`, which is as long as they and the tag. */
  chachaSealInto(out: Bytes, key: Bytes, nonce: Bytes, plaintext: readonly Bytes[], associated: Bytes): void;
  chachaOpen(key: Bytes, nonce: Bytes, sealed: Bytes, associated: Bytes): Bytes | undefined;
  /** NaCl secretbox (XSalsa20-Poly1305), 24-byte nonce; the tag comes first. */
  secretboxSeal(key: Bytes, nonce: Bytes, plaintext: Bytes): Bytes;
  secretboxOpen(key: Bytes, nonce: Bytes, sealed: Bytes): Bytes | undefined;
}
