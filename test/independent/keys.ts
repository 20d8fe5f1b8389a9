/** Section 13 of docs/PROTOCOL.md: what is derived from what. */
import { EMPTY, type Bytes } from "./bytes.ts";
import { hkdf } from "./primitives.ts";

/** `HKDF(key, label, n)` of section 13. */
export const derive = (key: Bytes, label: string, size: number): Bytes =>
  hkdf(key, EMPTY, `tunnel-mcp/1 ${label}`, size);

/** What opens the door once: only the id is sent (K2, K3). */
export interface Credential {
  id: Bytes;
  psk: Bytes;
  mac: Bytes;
}

const credential = (secret: Bytes, kind: "invite" | "resume"): Credential => ({
  id: derive(secret, `${kind}-id`, 16),
  psk: derive(secret, `${kind}-psk`, 32),
  mac: derive(secret, `${kind}-mac`, 32),
});

export const inviteCredential = (inviteKey: Bytes): Credential => credential(inviteKey, "invite");
export const resumeSecret = (exporter: Bytes): Bytes => derive(exporter, "resume", 32);
export const resumeCredential = (secret: Bytes): Credential => credential(secret, "resume");

export const recordKey = (traffic: Bytes): Bytes => derive(traffic, "control secretbox", 32);
export const bulkKey = (traffic: Bytes): Bytes => derive(traffic, "bulk chacha20poly1305", 32);
/** The traffic secret of the next epoch (K6). */
export const nextTraffic = (traffic: Bytes): Bytes => derive(traffic, "rekey", 32);
