/** The keys of one member: Ed25519 for its signature, X25519 for what is sealed to it (O2, K8). */
import { generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";
import { lp, type Bytes } from "../bytes.ts";
import { idOf } from "../order.ts";
import { x25519Public } from "../primitives.ts";

const RAW_KEY_BYTES = 32;

export class Identity {
  readonly id: string;
  readonly key: Bytes;
  readonly box: Bytes;
  readonly boxSecret: Bytes = Uint8Array.from(randomBytes(RAW_KEY_BYTES));
  readonly #secret: KeyObject;

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    this.#secret = privateKey;
    this.key = Uint8Array.from(publicKey.export({ format: "der", type: "spki" }).subarray(-RAW_KEY_BYTES));
    this.box = x25519Public(this.boxSecret);
    this.id = idOf(this.key);
  }

  sign(message: Bytes): Bytes {
    return Uint8Array.from(sign(null, message, this.#secret));
  }

  /** H13: the proof that this member owns its keys, for one handshake in one room. */
  proof(room: string, handshakeHash: Bytes): Bytes {
    return this.sign(lp("tunnel-mcp/1 member", room, handshakeHash, this.key, this.box));
  }
}
