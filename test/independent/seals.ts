/** K8 of docs/PROTOCOL.md: a message to some, as one of them opens it. */
import { isEqual, lp, u64, type Bytes } from "./bytes.ts";
import { boxOpen, boxSeal, hkdf, random, sha256, x25519, x25519Public } from "./primitives.ts";
import { demand } from "./refusal.ts";

const NO_NONCE = new Uint8Array(24);

/** Whose message it is, and which. */
interface Context {
  room: string;
  from: string;
  n: number;
}

export interface Sealed extends Context {
  /** The private key of whoever opens it, and its place in `to`. */
  secret: Bytes;
  index: number;
  /** Of the seal: the ephemeral key, the commitment and the wraps. */
  key: Bytes;
  commitment: Bytes;
  wraps: readonly Bytes[];
  body: Bytes;
}

const wrapKey = ({ room, from, n }: Context, shared: Bytes, key: Bytes, box: Bytes): Bytes =>
  hkdf(shared, lp(room, from, u64(n), key, box), "tunnel-mcp/1 sealed-to", 32);

const commitmentTo = (content: Bytes): Bytes => sha256(lp("tunnel-mcp/1 content-key", content));

/** A text for those whose boxes these are, in the order of `to`. @throws {Refused} `protocol-violation` for a weak box */
export function seal(context: Context, boxes: readonly Bytes[], text: Bytes) {
  const [content, secret] = [random(32), random(32)];
  const key = x25519Public(secret);
  const wraps = boxes.map((box) => {
    const shared = x25519(secret, box);
    demand(shared !== undefined, "protocol-violation", "a box that agrees with nobody");
    return boxSeal(wrapKey(context, shared, key, box), NO_NONCE, content);
  });
  const body = boxSeal(content, NO_NONCE, text);
  return { seal: { key, commitment: commitmentTo(content), wraps }, body };
}

/** The text as bytes. @throws {Refused} `message-unreadable` */
export function openSealed({ secret, index, key, commitment, wraps, body, ...context }: Sealed): Bytes {
  const unreadable = "message-unreadable";
  const [shared, wrap] = [x25519(secret, key), wraps[index]];
  demand(shared !== undefined && wrap !== undefined, unreadable, "nothing for this recipient");
  const content = boxOpen(wrapKey(context, shared, key, x25519Public(secret)), NO_NONCE, wrap);
  demand(content !== undefined, unreadable, "a wrap of something else");
  demand(isEqual(commitmentTo(content), commitment), unreadable, "another content key than the others have");
  const text = boxOpen(content, NO_NONCE, body);
  demand(text !== undefined, unreadable, "another text than was sealed");
  return text;
}
