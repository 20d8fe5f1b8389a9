import { concat, lengthPrefixed, type Bytes } from "./bytes.ts";
import { sealedToKey } from "./keys.ts";
import type { Seal } from "./frames.ts";
import type { DhKeyPair, Primitives } from "./primitives.ts";

/**
 * Messages for some members only (PROTOCOL §8.3): sealed by the sender to each of them, so that the host passes on what
 * it cannot read. Every message has a content key of its own, wrapped for each recipient.
 */

/** Each key here seals one thing once, so the nonce may be fixed. */
const NONCE = new Uint8Array(24);

function wrapKey(primitives: Primitives, shared: Bytes, ephemeral: Bytes, recipient: Bytes): Bytes {
  return sealedToKey(primitives, shared, lengthPrefixed(ephemeral, recipient));
}

/** `boxes` are the recipients' X25519 keys, in the order of `to`. */
export function sealTo(
  primitives: Primitives,
  boxes: readonly Bytes[],
  plaintext: Bytes,
): { seal: Seal; body: Bytes } {
  const content = primitives.random(32);
  const ephemeral = primitives.generateDhKeyPair();
  const { publicKey: key } = ephemeral;
  const wraps = boxes.map((box) => {
    // An all-zero result is only had with a key that is none (K5); its owner opens nothing, and nobody else does.
    const shared = ephemeral.agree(box) ?? primitives.random(32);
    return primitives.secretboxSeal(wrapKey(primitives, shared, key, box), NONCE, content);
  });
  return { seal: { key, wraps }, body: primitives.secretboxSeal(content, NONCE, plaintext) };
}

/** What was sealed to `own`, the recipient at place `index` of `to`; `undefined` when it does not open. */
export function openSealed(
  primitives: Primitives,
  own: DhKeyPair,
  index: number,
  { seal, body }: { seal: Seal; body: Bytes },
): Bytes | undefined {
  const wrapped = seal.wraps[index];
  const shared = own.agree(seal.key);
  if (wrapped === undefined || shared === undefined) return undefined;
  const key = wrapKey(primitives, shared, seal.key, own.publicKey);
  const content = primitives.secretboxOpen(key, NONCE, wrapped);
  return content === undefined ? undefined : primitives.secretboxOpen(content, NONCE, body);
}

/** The seal as a signature covers it (O3); nothing for a message to everybody. */
export function sealBytes(seal: Seal | undefined): Bytes {
  return seal === undefined ? new Uint8Array(0) : concat(seal.key, ...seal.wraps);
}
