/** O10 and K8: a text for some members alone. */
import { randomBytes } from "node:crypto";
import { isEqual, lp, readUtf8, u64, utf8, type Bytes } from "../bytes.ts";
import type { Chat } from "../frames.ts";
import { boxOpen, boxSeal, hkdf, sha256, x25519, x25519Public } from "../primitives.ts";
import { demand } from "../refusal.ts";

/** Each of these keys seals once. */
const NONCE = new Uint8Array(24);

export interface Place {
  room: string;
  from: string;
  n: number;
}

type Seal = NonNullable<Chat["seal"]>;

function wrapKey({ room, from, n }: Place, shared: Bytes, ephemeral: Bytes, box: Bytes): Bytes {
  return hkdf(shared, lp(room, from, u64(n), ephemeral, box), "tunnel-mcp/1 sealed-to", 32);
}

const commitmentTo = (contentKey: Bytes): Bytes => sha256(lp("tunnel-mcp/1 content-key", contentKey));

/** `boxes` are the recipients' X25519 keys, in the order of `to`. */
export function sealText(place: Place, boxes: readonly Bytes[], text: string): { seal: Seal; body: Bytes } {
  const secret = Uint8Array.from(randomBytes(32));
  const key = x25519Public(secret);
  const contentKey = Uint8Array.from(randomBytes(32));
  const wraps = boxes.map((box) => {
    const shared = x25519(secret, box);
    demand(shared !== undefined, "order-broken", "a box of low order");
    return boxSeal(wrapKey(place, shared, key, box), NONCE, contentKey);
  });
  const seal = { key, commitment: commitmentTo(contentKey), wraps };
  return { seal, body: boxSeal(contentKey, NONCE, utf8(text)) };
}

/** Undefined for what does not open, or opens to another key than the one committed to. */
export function openText(
  place: Place,
  own: { box: Bytes; boxSecret: Bytes; at: number },
  { seal, body }: { seal: Seal; body: Bytes },
): string | undefined {
  const shared = x25519(own.boxSecret, seal.key);
  const wrap = seal.wraps[own.at];
  if (shared === undefined || wrap === undefined) return undefined;
  const contentKey = boxOpen(wrapKey(place, shared, seal.key, own.box), NONCE, wrap);
  if (contentKey === undefined || !isEqual(commitmentTo(contentKey), seal.commitment)) return undefined;
  const text = boxOpen(contentKey, NONCE, body);
  return text === undefined ? undefined : readUtf8(text);
}
