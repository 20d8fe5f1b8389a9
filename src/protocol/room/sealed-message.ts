import { ascii, concat, equalBytes, lengthPrefixed, u64be, wipe, type Bytes } from "../base/bytes.ts";
import { sealedToKey } from "../handshake/keys.ts";
import type { Digests, Seal } from "./frames.ts";
import type { MemberId, RoomId } from "../base/ids.ts";
import type { DhKeyPair, Primitives } from "../base/primitives.ts";

/**
 * Messages for some members only (PROTOCOL §8.3): sealed by the sender to each of them, so that the host passes on what
 * it cannot read. Every message has a content key of its own, wrapped for each recipient.
 */

/** Each key here seals one thing once, so the nonce may be fixed. */
const NONCE = new Uint8Array(24);

/** Whose message it is (K8): in another one, or under another name, the same seal does not open. */
export interface SealContext {
  readonly room: RoomId;
  readonly from: MemberId;
  readonly n: number;
}

function wrapKey(
  primitives: Primitives,
  shared: Bytes,
  { room, from, n }: SealContext,
  keys: { ephemeral: Bytes; recipient: Bytes },
): Bytes {
  const binding = lengthPrefixed(ascii(room), ascii(from), u64be(n), keys.ephemeral, keys.recipient);
  return sealedToKey(primitives, shared, binding);
}

/** A secretbox can be made to open under two keys; two recipients must not be shown two texts. */
function commitmentTo(primitives: Primitives, content: Bytes): Bytes {
  return primitives.sha256(lengthPrefixed(ascii("tunnel-mcp/1 content-key"), content));
}

/** `boxes` are the recipients' X25519 keys, in the order of `to`. */
export function sealTo(
  primitives: Primitives,
  context: SealContext,
  boxes: readonly Bytes[],
  plaintext: Bytes,
): { seal: Seal; body: Bytes } {
  const content = primitives.random(32);
  const pair = primitives.generateDhKeyPair();
  const { publicKey: ephemeral } = pair;
  const wraps = boxes.map((recipient) => {
    // An all-zero result is only had with a key that is none (K5); its owner opens nothing, and nobody else does.
    const shared = pair.agree(recipient) ?? primitives.random(32);
    const key = wrapKey(primitives, shared, context, { ephemeral, recipient });
    const wrap = primitives.secretboxSeal(key, NONCE, content);
    wipe(shared, key);
    return wrap;
  });
  const seal = { key: ephemeral, commitment: commitmentTo(primitives, content), wraps };
  const body = primitives.secretboxSeal(content, NONCE, plaintext);
  wipe(content);
  return { seal, body };
}

/** Opens a message that is sealed to `own`, the recipient at `index` of `to`; `undefined` when it does not open. */
export function openSealed(
  primitives: Primitives,
  context: SealContext,
  own: { readonly keys: DhKeyPair; readonly index: number },
  { seal, body }: { seal: Seal; body: Bytes },
): Bytes | undefined {
  const wrapped = seal.wraps[own.index];
  const shared = own.keys.agree(seal.key);
  if (wrapped === undefined || shared === undefined) return undefined;
  const key = wrapKey(primitives, shared, context, { ephemeral: seal.key, recipient: own.keys.publicKey });
  const content = primitives.secretboxOpen(key, NONCE, wrapped);
  wipe(shared, key);
  if (content === undefined) return undefined;
  const isCommitted = equalBytes(commitmentTo(primitives, content), seal.commitment);
  const plaintext = isCommitted ? primitives.secretboxOpen(content, NONCE, body) : undefined;
  wipe(content);
  return plaintext;
}

/** The hashes by which a signature covers a message's content (O3): members to whom it is not shown can check them. */
export function digestsOf(primitives: Primitives, seal: Seal | undefined, body: Bytes): Digests {
  const sealed = seal === undefined ? NOTHING : concat(seal.key, seal.commitment, ...seal.wraps);
  return { seal: primitives.sha256(sealed), body: primitives.sha256(body) };
}

const NOTHING = new Uint8Array(0);
