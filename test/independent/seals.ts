/** K8 of docs/PROTOCOL.md: a message to some, as one of them opens it. */
import { isEqual, lp, u64, type Bytes } from "./bytes.ts";
import { boxOpen, hkdf, sha256, x25519, x25519Public } from "./primitives.ts";
import { demand } from "./refusal.ts";

const NO_NONCE = new Uint8Array(24);

export interface Sealed {
  room: string;
  from: string;
  n: number;
  /** The private key of whoever opens it, and its place in `to`. */
  secret: Bytes;
  index: number;
  /** Of the seal: the ephemeral key, the commitment and the wraps. */
  key: Bytes;
  commitment: Bytes;
  wraps: readonly Bytes[];
  body: Bytes;
}

/** The text as bytes. @throws {Refused} `message-unreadable` */
export function openSealed({ room, from, n, secret, index, key, commitment, wraps, body }: Sealed): Bytes {
  const unreadable = "message-unreadable";
  const [shared, wrap] = [x25519(secret, key), wraps[index]];
  demand(shared !== undefined && wrap !== undefined, unreadable, "nothing for this recipient");
  const salt = lp(room, from, u64(n), key, x25519Public(secret));
  const content = boxOpen(hkdf(shared, salt, "tunnel-mcp/1 sealed-to", 32), NO_NONCE, wrap);
  demand(content !== undefined, unreadable, "a wrap of something else");
  const isOne = isEqual(sha256(lp("tunnel-mcp/1 content-key", content)), commitment);
  demand(isOne, unreadable, "another content key than the others have");
  const text = boxOpen(content, NO_NONCE, body);
  demand(text !== undefined, unreadable, "another text than was sealed");
  return text;
}
