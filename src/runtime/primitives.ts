import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hash,
  hkdfSync,
  randomBytes,
  sign,
  verify,
  type KeyObject,
} from "node:crypto";
import nacl from "tweetnacl";
import type { Bytes } from "../protocol/base/bytes.ts";
import type { DhKeyPair, Primitives, SigningKeyPair } from "../protocol/base/primitives.ts";

const TAG_LENGTH = 16;

/** DER prefixes that turn 32 raw bytes into the structure node:crypto imports (RFC 8410 §7). */
const X25519_PKCS8 = Buffer.from("302e020100300506032b656e04220420", "hex");
const ED25519_PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");
const SECRET_BYTES = 32;

function rawPublicKey(key: KeyObject): Bytes {
  const { x } = key.export({ format: "jwk" });
  if (x === undefined) throw new TypeError("a key without a raw form");
  return new Uint8Array(Buffer.from(x, "base64url"));
}

/** As a JWK (RFC 8037 §2), which is imported and exported many times faster than DER. */
function importPublicKey(crv: "Ed25519" | "X25519", raw: Bytes): KeyObject {
  const x = Buffer.from(raw).toString("base64url");
  return createPublicKey({ key: { kty: "OKP", crv, x }, format: "jwk" });
}

function rawPrivateKey(key: KeyObject): Bytes {
  const { d } = key.export({ format: "jwk" });
  if (d === undefined) throw new TypeError("a key without a raw form");
  return new Uint8Array(Buffer.from(d, "base64url"));
}

/** @throws {RangeError} */
function importPrivateKey(prefix: Buffer, secret: Bytes): KeyObject {
  if (secret.length !== SECRET_BYTES) throw new RangeError("a private key has 32 bytes");
  return createPrivateKey({ key: Buffer.concat([prefix, secret]), format: "der", type: "pkcs8" });
}

function dhKeyPair(privateKey: KeyObject, publicKey: Bytes): DhKeyPair {
  return {
    publicKey,
    exportSecret: () => rawPrivateKey(privateKey),
    agree(peerPublicKey) {
      if (peerPublicKey.length !== 32) return undefined;
      try {
        const shared = diffieHellman({ privateKey, publicKey: importPublicKey("X25519", peerPublicKey) });
        return shared.every((byte) => byte === 0) ? undefined : new Uint8Array(shared);
      } catch (error) {
        // OpenSSL refuses low-order points by throwing; to the protocol both refusals are the same (K5).
        if (error instanceof Error) return undefined;
        throw error;
      }
    },
  };
}

/** A key pair from 32 known bytes: one that was kept, or a published test vector. @throws {RangeError} for another length */
export function dhKeyPairFrom(privateBytes: Bytes): DhKeyPair {
  const key = importPrivateKey(X25519_PKCS8, privateBytes);
  return dhKeyPair(key, rawPublicKey(createPublicKey(key)));
}

function generateDhKeyPair(): DhKeyPair {
  const { privateKey, publicKey } = generateKeyPairSync("x25519");
  return dhKeyPair(privateKey, rawPublicKey(publicKey));
}

function signingKeyPair(privateKey: KeyObject, publicKey: Bytes): SigningKeyPair {
  return {
    publicKey,
    sign: (message) => new Uint8Array(sign(null, message, privateKey)),
    exportSecret: () => rawPrivateKey(privateKey),
  };
}

function generateSigningKeyPair(): SigningKeyPair {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return signingKeyPair(privateKey, rawPublicKey(publicKey));
}

/** A key pair from 32 known bytes. @throws {RangeError} for another length */
function signingKeyPairFrom(seed: Bytes): SigningKeyPair {
  const key = importPrivateKey(ED25519_PKCS8, seed);
  return signingKeyPair(key, rawPublicKey(createPublicKey(key)));
}

/** Importing a key costs as much as a verification, and a member's key is the same object for its whole stay. */
const importedKeys = new WeakMap<Bytes, KeyObject>();

function verifySignature(publicKey: Bytes, message: Bytes, signature: Bytes): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const key = importedKeys.get(publicKey) ?? importPublicKey("Ed25519", publicKey);
  importedKeys.set(publicKey, key);
  return verify(null, message, key, signature);
}

/** The same bytes, without the methods of Buffer that mean something else than those of Uint8Array. */
function plain(buffer: Buffer): Bytes {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

function chachaSealInto(
  out: Bytes,
  key: Bytes,
  nonce: Bytes,
  plaintext: readonly Bytes[],
  associated: Bytes,
): void {
  const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_LENGTH });
  cipher.setAAD(associated, { plaintextLength: out.length - TAG_LENGTH });
  let at = 0;
  for (const part of plaintext) {
    // A stream cipher keeps nothing back.
    const sealed = cipher.update(part);
    out.set(sealed, at);
    at += sealed.length;
  }
  cipher.final();
  out.set(cipher.getAuthTag(), at);
}

function chachaSeal(key: Bytes, nonce: Bytes, plaintext: Bytes, associated: Bytes): Bytes {
  const out = new Uint8Array(plaintext.length + TAG_LENGTH);
  chachaSealInto(out, key, nonce, [plaintext], associated);
  return out;
}

function chachaOpen(key: Bytes, nonce: Bytes, sealed: Bytes, associated: Bytes): Bytes | undefined {
  const length = sealed.length - TAG_LENGTH;
  if (length < 0) return undefined;
  const decipher = createDecipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_LENGTH });
  decipher.setAAD(associated, { plaintextLength: length });
  decipher.setAuthTag(sealed.subarray(length));
  const plaintext = decipher.update(sealed.subarray(0, length));
  try {
    decipher.final();
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
  return plain(plaintext);
}

/** The platform's primitives: node:crypto for curves, hashes and bulk; tweetnacl for secretbox. */
export const nodePrimitives: Primitives = {
  random: (length) => new Uint8Array(randomBytes(length)),
  sha256: (data) => new Uint8Array(hash("sha256", data, "buffer")),
  hmacSha256: (key, data) => new Uint8Array(createHmac("sha256", key).update(data).digest()),
  hkdfSha256: (inputKey, salt, info, length) =>
    new Uint8Array(hkdfSync("sha256", inputKey, salt, info, length)),
  generateDhKeyPair,
  generateSigningKeyPair,
  importDhKeyPair: dhKeyPairFrom,
  importSigningKeyPair: signingKeyPairFrom,
  verifySignature,
  chachaSeal,
  chachaSealInto,
  chachaOpen,
  secretboxSeal: (key, nonce, plaintext) => nacl.secretbox(plaintext, nonce, key),
  secretboxOpen: (key, nonce, sealed) => nacl.secretbox.open(sealed, nonce, key) ?? undefined,
};
