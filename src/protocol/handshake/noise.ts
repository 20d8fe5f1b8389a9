import { ascii, concat, wipe, type Bytes } from "../base/bytes.ts";
import type { DhKeyPair, Primitives } from "../base/primitives.ts";

/**
 * Noise_NKpsk0_25519_ChaChaPoly_SHA256, revision 34 of the Noise framework: the initiator knows the responder's
 * static key, both know a pre-shared key.
 *
 *     <- s
 *     ...
 *     -> psk, e, es
 *     <- e, ee
 */
const PROTOCOL_NAME = "Noise_NKpsk0_25519_ChaChaPoly_SHA256";
const EMPTY = new Uint8Array(0);

/** The secrets that both ends hold after the second message. */
export interface NoiseResult {
  /** Traffic secrets (§5.2 Split): the first protects initiator to responder. */
  readonly initiatorToResponder: Bytes;
  readonly responderToInitiator: Bytes;
  /** Third output of the same HKDF: secret input for exports, never derived from the public hash. */
  readonly exporter: Bytes;
  /** Handshake hash h: public, binds the whole transcript (§11.2). */
  readonly hash: Bytes;
}

/** §5.2 of the framework. Nonces are counters that restart with each key. */
class SymmetricState {
  readonly #primitives: Primitives;
  #hash: Bytes;
  #chainingKey: Bytes;
  #key: Bytes | undefined;
  #nonce = 0;

  constructor(primitives: Primitives, prologue: Bytes, responderStatic: Bytes) {
    this.#primitives = primitives;
    // The name is longer than a hash, so it is hashed (§5.2 InitializeSymmetric).
    this.#hash = primitives.sha256(ascii(PROTOCOL_NAME));
    this.#chainingKey = this.#hash;
    this.mixHash(prologue);
    this.mixHash(responderStatic);
  }

  mixHash(data: Bytes): void {
    this.#hash = this.#primitives.sha256(concat(this.#hash, data));
  }

  mixKey(input: Bytes): void {
    const [chainingKey, key] = this.#hkdf(input, 2);
    this.#rekey(chainingKey, key);
  }

  mixKeyAndHash(input: Bytes): void {
    const [chainingKey, hash, key] = this.#hkdf(input, 3);
    this.mixHash(hash);
    this.#rekey(chainingKey, key);
  }

  encryptAndHash(plaintext: Bytes): Bytes {
    const sealed = this.#primitives.chachaSeal(this.#currentKey(), this.#nextNonce(), plaintext, this.#hash);
    this.mixHash(sealed);
    return sealed;
  }

  decryptAndHash(sealed: Bytes): Bytes | undefined {
    const plaintext = this.#primitives.chachaOpen(this.#currentKey(), this.#nextNonce(), sealed, this.#hash);
    if (plaintext !== undefined) this.mixHash(sealed);
    return plaintext;
  }

  split(): NoiseResult {
    const [first, second, exporter] = this.#hkdf(EMPTY, 3);
    const hash = this.#hash;
    wipe(this.#chainingKey, this.#key);
    return { initiatorToResponder: first, responderToInitiator: second, exporter, hash };
  }

  /** §4.3: HKDF with the chaining key as salt; always three outputs long, the first two do not depend on it. */
  #hkdf(input: Bytes, outputs: 2 | 3): [Bytes, Bytes, Bytes] {
    const out = this.#primitives.hkdfSha256(input, this.#chainingKey, EMPTY, outputs * 32);
    return [out.slice(0, 32), out.slice(32, 64), out.slice(64, 96)];
  }

  #rekey(chainingKey: Bytes, key: Bytes): void {
    this.#chainingKey = chainingKey;
    this.#key = key;
    this.#nonce = 0;
  }

  #currentKey(): Bytes {
    // Every payload of this pattern follows a psk token, so a key exists before the first one.
    if (this.#key === undefined) throw new Error("invariant violation: payload before psk");
    return this.#key;
  }

  #nextNonce(): Bytes {
    const nonce = new Uint8Array(12);
    // §12.3: 32 zero bits, then the counter in little-endian; it never passes 1 here.
    nonce[4] = this.#nonce;
    this.#nonce += 1;
    return nonce;
  }
}

const DH_BYTES = 32;

/** Guest side. Any `undefined` is final: the object must be dropped. */
export class NoiseInitiator {
  readonly #symmetric: SymmetricState;
  readonly #responderStatic: Bytes;
  readonly #psk: Bytes;
  readonly #ephemeral: DhKeyPair;

  constructor(
    primitives: Primitives,
    options: { prologue: Bytes; psk: Bytes; responderStatic: Bytes; ephemeral?: DhKeyPair },
  ) {
    this.#symmetric = new SymmetricState(primitives, options.prologue, options.responderStatic);
    this.#responderStatic = options.responderStatic;
    this.#psk = options.psk;
    this.#ephemeral = options.ephemeral ?? primitives.generateDhKeyPair();
  }

  /** `-> psk, e, es`; `undefined` when the responder's static key is of low order. */
  writeFirst(payload: Bytes): Bytes | undefined {
    const shared = this.#ephemeral.agree(this.#responderStatic);
    if (shared === undefined) return undefined;
    this.#symmetric.mixKeyAndHash(this.#psk);
    this.#symmetric.mixHash(this.#ephemeral.publicKey);
    this.#symmetric.mixKey(this.#ephemeral.publicKey);
    this.#symmetric.mixKey(shared);
    return concat(this.#ephemeral.publicKey, this.#symmetric.encryptAndHash(payload));
  }

  /** `<- e, ee`; success proves that the responder holds both the psk and the private static key. */
  readSecond(message: Bytes): { payload: Bytes; result: NoiseResult } | undefined {
    if (message.length < DH_BYTES) return undefined;
    const remote = message.slice(0, DH_BYTES);
    const shared = this.#ephemeral.agree(remote);
    if (shared === undefined) return undefined;
    this.#symmetric.mixHash(remote);
    this.#symmetric.mixKey(remote);
    this.#symmetric.mixKey(shared);
    const payload = this.#symmetric.decryptAndHash(message.subarray(DH_BYTES));
    return payload === undefined ? undefined : { payload, result: this.#symmetric.split() };
  }
}

/** Host side. Any `undefined` is final: the object must be dropped. */
export class NoiseResponder {
  readonly #symmetric: SymmetricState;
  readonly #static: DhKeyPair;
  readonly #psk: Bytes;
  readonly #ephemeral: DhKeyPair;
  #remote: Bytes | undefined;

  constructor(
    primitives: Primitives,
    options: { prologue: Bytes; psk: Bytes; static: DhKeyPair; ephemeral?: DhKeyPair },
  ) {
    this.#symmetric = new SymmetricState(primitives, options.prologue, options.static.publicKey);
    this.#static = options.static;
    this.#psk = options.psk;
    this.#ephemeral = options.ephemeral ?? primitives.generateDhKeyPair();
  }

  /** `-> psk, e, es` */
  readFirst(message: Bytes): Bytes | undefined {
    if (message.length < DH_BYTES) return undefined;
    const remote = message.slice(0, DH_BYTES);
    const shared = this.#static.agree(remote);
    if (shared === undefined) return undefined;
    this.#remote = remote;
    this.#symmetric.mixKeyAndHash(this.#psk);
    this.#symmetric.mixHash(remote);
    this.#symmetric.mixKey(remote);
    this.#symmetric.mixKey(shared);
    return this.#symmetric.decryptAndHash(message.subarray(DH_BYTES));
  }

  /** `<- e, ee` */
  writeSecond(payload: Bytes): { message: Bytes; result: NoiseResult } | undefined {
    const shared = this.#remote === undefined ? undefined : this.#ephemeral.agree(this.#remote);
    if (shared === undefined) return undefined;
    this.#symmetric.mixHash(this.#ephemeral.publicKey);
    this.#symmetric.mixKey(this.#ephemeral.publicKey);
    this.#symmetric.mixKey(shared);
    const sealed = this.#symmetric.encryptAndHash(payload);
    return { message: concat(this.#ephemeral.publicKey, sealed), result: this.#symmetric.split() };
  }
}
