/** `Noise_NKpsk0_25519_ChaChaPoly_SHA256`, from revision 34 of the Noise framework. */
import { concat, EMPTY, utf8, type Bytes } from "./bytes.ts";
import { aeadOpen, aeadSeal, hmac, sha256, x25519, x25519Public } from "./primitives.ts";

const NAME = "Noise_NKpsk0_25519_ChaChaPoly_SHA256";
const KEY_BYTES = 32;

/** A message that cannot be read, or a key of low order (K5). The door decides what that means. */
export class NoiseFailure extends Error {}

/** Noise's HKDF, three outputs long. */
function hkdf3(chainingKey: Bytes, input: Bytes): [Bytes, Bytes, Bytes] {
  const temporary = hmac(chainingKey, input);
  const first = hmac(temporary, Uint8Array.of(1));
  const second = hmac(temporary, first, Uint8Array.of(2));
  return [first, second, hmac(temporary, second, Uint8Array.of(3))];
}

/** 4 zero bytes ‖ little-endian u64: the one number in the protocol that is not big-endian. */
export function noiseNonce(counter: number): Bytes {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setBigUint64(4, BigInt(counter), true);
  return nonce;
}

export interface Split {
  initiatorToResponder: Bytes;
  responderToInitiator: Bytes;
  /** The third output (K4). */
  exporter: Bytes;
  /** The public handshake hash. */
  hash: Bytes;
}

class Symmetric {
  #chainingKey: Bytes;
  #hash: Bytes;
  #key = EMPTY;
  #counter = 0;

  constructor(prologue: Bytes, responderStatic: Bytes) {
    this.#hash = sha256(utf8(NAME)); // longer than a hash, so it is hashed
    this.#chainingKey = this.#hash;
    this.mixHash(prologue);
    this.mixHash(responderStatic); // the pre-message of NK
  }

  mixHash(data: Bytes): void {
    this.#hash = sha256(this.#hash, data);
  }

  mixKey(input: Bytes): void {
    [this.#chainingKey, this.#key] = hkdf3(this.#chainingKey, input);
    this.#counter = 0;
  }

  mixPsk(psk: Bytes): void {
    const [chainingKey, hashed, key] = hkdf3(this.#chainingKey, psk);
    this.#chainingKey = chainingKey;
    this.mixHash(hashed);
    this.#key = key;
    this.#counter = 0;
  }

  /** With a psk the ephemeral key is mixed into the key as well. */
  mixEphemeral(key: Bytes): void {
    this.mixHash(key);
    this.mixKey(key);
  }

  mixShared(secret: Bytes, point: Bytes): void {
    const shared = x25519(secret, point);
    if (shared === undefined) throw new NoiseFailure("a key of low order");
    this.mixKey(shared);
  }

  seal(payload: Bytes): Bytes {
    const sealed = aeadSeal(this.#key, noiseNonce(this.#counter++), payload, this.#hash);
    this.mixHash(sealed);
    return sealed;
  }

  open(sealed: Bytes): Bytes {
    const payload = aeadOpen(this.#key, noiseNonce(this.#counter++), sealed, this.#hash);
    if (payload === undefined) throw new NoiseFailure("a payload that does not open");
    this.mixHash(sealed);
    return payload;
  }

  split(): Split {
    const [initiatorToResponder, responderToInitiator, exporter] = hkdf3(this.#chainingKey, EMPTY);
    return { initiatorToResponder, responderToInitiator, exporter, hash: this.#hash };
  }
}

/** Ephemeral key and payload of a handshake message. */
function parts(message: Bytes): { ephemeral: Bytes; sealed: Bytes } {
  if (message.length < KEY_BYTES) throw new NoiseFailure("a message without a key");
  return { ephemeral: message.subarray(0, KEY_BYTES), sealed: message.subarray(KEY_BYTES) };
}

export class Initiator {
  readonly #state: Symmetric;
  readonly #secrets: { psk: Bytes; ephemeral: Bytes; responder: Bytes };

  /** `ephemeral` is a private key, `responder` the responder's static public key. */
  constructor(prologue: Bytes, secrets: { psk: Bytes; ephemeral: Bytes; responder: Bytes }) {
    this.#state = new Symmetric(prologue, secrets.responder);
    this.#secrets = secrets;
  }

  /** psk, e, es. @throws {NoiseFailure} */
  write(payload: Bytes): Bytes {
    const { psk, ephemeral, responder } = this.#secrets;
    const key = x25519Public(ephemeral);
    this.#state.mixPsk(psk);
    this.#state.mixEphemeral(key);
    this.#state.mixShared(ephemeral, responder);
    return concat(key, this.#state.seal(payload));
  }

  /** e, ee. @throws {NoiseFailure} */
  read(message: Bytes): { payload: Bytes; split: Split } {
    const { ephemeral, sealed } = parts(message);
    this.#state.mixEphemeral(ephemeral);
    this.#state.mixShared(this.#secrets.ephemeral, ephemeral);
    return { payload: this.#state.open(sealed), split: this.#state.split() };
  }
}

export class Responder {
  readonly #state: Symmetric;
  readonly #secrets: { psk: Bytes; ephemeral: Bytes; static: Bytes };
  #initiator = EMPTY;

  /** `ephemeral` and `static` are private keys. */
  constructor(prologue: Bytes, secrets: { psk: Bytes; ephemeral: Bytes; static: Bytes }) {
    this.#state = new Symmetric(prologue, x25519Public(secrets.static));
    this.#secrets = secrets;
  }

  /** psk, e, es. @throws {NoiseFailure} */
  read(message: Bytes): Bytes {
    const { ephemeral, sealed } = parts(message);
    this.#initiator = ephemeral;
    this.#state.mixPsk(this.#secrets.psk);
    this.#state.mixEphemeral(ephemeral);
    this.#state.mixShared(this.#secrets.static, ephemeral);
    return this.#state.open(sealed);
  }

  /** e, ee. @throws {NoiseFailure} */
  write(payload: Bytes): { message: Bytes; split: Split } {
    const key = x25519Public(this.#secrets.ephemeral);
    this.#state.mixEphemeral(key);
    this.#state.mixShared(this.#secrets.ephemeral, this.#initiator);
    const message = concat(key, this.#state.seal(payload));
    return { message, split: this.#state.split() };
  }
}
