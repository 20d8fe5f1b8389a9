import { ascii, type Bytes } from "../base/bytes.ts";
import { INVITE_ID_BYTES } from "../base/ids.ts";
import type { Primitives } from "../base/primitives.ts";

/** Every derivation is bound to this name and to a purpose of its own (K1): no output serves two ends. */
const CONTEXT = "tunnel-mcp/1 ";
const NO_SALT = new Uint8Array(0);

export function derive(primitives: Primitives, key: Bytes, label: string, length: number): Bytes {
  return primitives.hkdfSha256(key, NO_SALT, ascii(CONTEXT + label), length);
}

/** Proves the right to enter once: derived from an invite's key, or from the resume secret of a session. */
export interface Credential {
  /** 16 bytes, sent in clear: says which credential is meant, reveals nothing of it. */
  readonly id: Bytes;
  /** Pre-shared key of the Noise handshake, 32 bytes. */
  readonly psk: Bytes;
  /** Key of the HMAC over the challenge, 32 bytes. */
  readonly mac: Bytes;
}

function credential(primitives: Primitives, key: Bytes, prefix: "invite" | "resume"): Credential {
  return {
    id: derive(primitives, key, `${prefix}-id`, INVITE_ID_BYTES),
    psk: derive(primitives, key, `${prefix}-psk`, 32),
    mac: derive(primitives, key, `${prefix}-mac`, 32),
  };
}

/** From the 32-byte key in an invite link (K2). */
export function inviteCredential(primitives: Primitives, inviteKey: Bytes): Credential {
  return credential(primitives, inviteKey, "invite");
}

/** From the resume secret of the last session (K3). */
export function resumeCredential(primitives: Primitives, resumeSecret: Bytes): Credential {
  return credential(primitives, resumeSecret, "resume");
}

/** The key that wraps a message's content key for one recipient (K8); `binding` names both public keys. */
export function sealedToKey(primitives: Primitives, shared: Bytes, binding: Bytes): Bytes {
  return primitives.hkdfSha256(shared, binding, ascii(`${CONTEXT}sealed-to`), 32);
}

/** The secret that lets this member come back once, from the exporter of the handshake that it completed (K3). */
export function resumeSecret(primitives: Primitives, exporter: Bytes): Bytes {
  return derive(primitives, exporter, "resume", 32);
}

/** The secretbox key of one direction and epoch (K4). */
export function controlKey(primitives: Primitives, trafficSecret: Bytes): Bytes {
  return derive(primitives, trafficSecret, "control secretbox", 32);
}

/** The key of bulk messages of the same direction and epoch (K4). */
export function bulkKey(primitives: Primitives, trafficSecret: Bytes): Bytes {
  return derive(primitives, trafficSecret, "bulk chacha20poly1305", 32);
}

/** The key of one stream of a file (K9): `salt` is the sender's, fresh for each, so that no nonce is ever used twice. */
export function fileStreamKey(primitives: Primitives, fileKey: Bytes, salt: Bytes): Bytes {
  return primitives.hkdfSha256(fileKey, salt, ascii(`${CONTEXT}file stream`), 32);
}

/** The key with which whoever can read an offer of a service proves it (X3). */
export function serviceAskKey(primitives: Primitives, offerKey: Bytes): Bytes {
  return derive(primitives, offerKey, "service ask", 32);
}

/** The key of one direction of a connection to a service (K12): both ends add to `salt`, so that neither can make a nonce come twice. */
export function serviceStreamKey(
  primitives: Primitives,
  offerKey: Bytes,
  salt: Bytes,
  way: "to-owner" | "to-taker",
): Bytes {
  return primitives.hkdfSha256(offerKey, salt, ascii(`${CONTEXT}service ${way}`), 32);
}

/** The next epoch's traffic secret (K6): one-way, so an old epoch stays closed when a new one leaks. */
export function nextTrafficSecret(primitives: Primitives, trafficSecret: Bytes): Bytes {
  return derive(primitives, trafficSecret, "rekey", 32);
}
