/** O10 and K8: a text sealed to some members alone. */
import { randomBytes } from "node:crypto";
import { lp, u64, utf8, type Bytes } from "../bytes.ts";
import type { Chat } from "../frames.ts";
import { boxSeal, hkdf, sha256, x25519, x25519Public } from "../primitives.ts";
import { demand } from "../refusal.ts";

/** Each of these keys seals once. */
const NONCE = new Uint8Array(24);
const KEY_BYTES = 32;

export interface Place {
  room: string;
  from: string;
  n: number;
}

/** `boxes` are the recipients' X25519 keys, in the order of `to`. */
export function sealText(
  { room, from, n }: Place,
  boxes: readonly Bytes[],
  text: string,
): { seal: NonNullable<Chat["seal"]>; body: Bytes } {
  const secret = Uint8Array.from(randomBytes(KEY_BYTES));
  const key = x25519Public(secret);
  const content = Uint8Array.from(randomBytes(KEY_BYTES));
  const wraps = boxes.map((box) => {
    const shared = x25519(secret, box);
    demand(shared !== undefined, "order-broken", "a box of low order");
    const salt = lp(room, from, u64(n), key, box);
    return boxSeal(hkdf(shared, salt, "tunnel-mcp/1 sealed-to", KEY_BYTES), NONCE, content);
  });
  const commitment = sha256(lp("tunnel-mcp/1 content-key", content));
  return { seal: { key, commitment, wraps }, body: boxSeal(content, NONCE, utf8(text)) };
}
