import type { Bytes } from "../../../src/protocol/base/bytes.ts";
import type { DhKeyPair, Primitives } from "../../../src/protocol/base/primitives.ts";
import { nodePrimitives } from "../../../src/runtime/primitives.ts";

/** A view over the shoulder of both machines: every key that was derived, every curve operation. */
export interface Eyes {
  readonly primitives: Primitives;
  /** The buffers themselves, so that erasing them shows, and what they held. */
  readonly derived: { readonly label: string; readonly bytes: Bytes; readonly copy: Bytes }[];
  readonly dh: DhKeyPair[];
  /** Scalar multiplications of X25519, key generation included. */
  curve: number;
  signatures: number;
  hmacs: number;
}

const CONTEXT = "tunnel-mcp/1 ";

export function eyes(inner: Primitives = nodePrimitives): Eyes {
  const seen: Eyes = {
    primitives: {
      ...inner,
      hkdfSha256(key, salt, info, length) {
        const bytes = inner.hkdfSha256(key, salt, info, length);
        const label = Buffer.from(info).toString("latin1").replace(CONTEXT, "");
        seen.derived.push({ label, bytes, copy: bytes.slice() });
        return bytes;
      },
      hmacSha256(key, data) {
        seen.hmacs += 1;
        return inner.hmacSha256(key, data);
      },
      generateDhKeyPair() {
        seen.curve += 1;
        const keys = inner.generateDhKeyPair();
        const watched: DhKeyPair = {
          ...keys,
          agree(peer) {
            seen.curve += 1;
            return keys.agree(peer);
          },
        };
        seen.dh.push(watched);
        return watched;
      },
      verifySignature(key, message, signature) {
        seen.signatures += 1;
        return inner.verifySignature(key, message, signature);
      },
    },
    derived: [],
    dh: [],
    curve: 0,
    signatures: 0,
    hmacs: 0,
  };
  return seen;
}

/** The buffers of these purposes that are not all zeros. */
export function alive(seen: Eyes, ...labels: string[]): string[] {
  return seen.derived
    .filter(({ label, bytes }) => labels.includes(label) && bytes.some((byte) => byte !== 0))
    .map(({ label }) => label);
}
