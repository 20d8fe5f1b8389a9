import { ascii, concat, equalBytes, lengthPrefixed, type Bytes } from "../base/bytes.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { INVITE_ID_BYTES, ROOM_ID_BYTES } from "../base/ids.ts";
import type { Credential } from "./keys.ts";
import { PROTOCOL_VERSION } from "../base/limits.ts";
import { NoiseInitiator, NoiseResponder, type NoiseResult } from "./noise.ts";
import type { DhKeyPair, Primitives } from "../base/primitives.ts";

/** First byte of every WebSocket message (PROTOCOL §3). */
export const WIRE = {
  challenge: 0x01,
  auth: 0x02,
  accept: 0x03,
  denied: 0x04,
  control: 0x10,
  bulk: 0x11,
  openBulk: 0x12,
} as const;

export const CLAIM_BYTES = 16;
const NONCE_BYTES = 32;
const TAG_BYTES = 32;
const COMMIT_BYTES = 32;
const CHALLENGE_BYTES = 1 + 1 + ROOM_ID_BYTES + NONCE_BYTES;
const AUTH_PAYLOAD_BYTES = 1 + CLAIM_BYTES + COMMIT_BYTES;
const AUTH_BYTES = 1 + INVITE_ID_BYTES + TAG_BYTES + 32 + AUTH_PAYLOAD_BYTES + 16;
/** version, then 32 capability bits, all zero in this version (H9). */
const ACCEPT_PAYLOAD_BYTES = 1 + 4;

/** M1 (H1): sent as soon as a socket opens; costs the host no asymmetric work. */
export function writeChallenge(primitives: Primitives, room: Bytes): Bytes {
  return concat(Uint8Array.of(WIRE.challenge, PROTOCOL_VERSION), room, primitives.random(NONCE_BYTES));
}

/** The one answer to every failed attempt, whatever the cause (H6). */
export const DENIED: Bytes = Uint8Array.of(WIRE.denied);

function prologue(challenge: Bytes, id: Bytes): Bytes {
  return lengthPrefixed(ascii(`tunnel-mcp/${PROTOCOL_VERSION}`), challenge, id);
}

function authTag(primitives: Primitives, mac: Bytes, challenge: Bytes, id: Bytes, noise: Bytes): Bytes {
  return primitives.hmacSha256(mac, lengthPrefixed(ascii("auth"), challenge, id, noise));
}

/** Commits the guest to its share of the safety code before it knows the host's (H10). */
export function commitment(primitives: Primitives, share: Bytes): Bytes {
  return primitives.sha256(concat(ascii("sas-commit"), share));
}

/** M2 as it came: sizes checked, nothing proved yet. */
export interface AuthMessage {
  readonly id: Bytes;
  readonly tag: Bytes;
  readonly noise: Bytes;
}

export function readAuth(message: Bytes): AuthMessage | undefined {
  if (message.length !== AUTH_BYTES || message[0] !== WIRE.auth) return undefined;
  const tagAt = 1 + INVITE_ID_BYTES;
  return {
    id: message.slice(1, tagAt),
    tag: message.slice(tagAt, tagAt + TAG_BYTES),
    noise: message.slice(tagAt + TAG_BYTES),
  };
}

/** The cheap half of the proof (H4): two microseconds, done before any curve operation. */
export function verifyAuthTag(
  primitives: Primitives,
  challenge: Bytes,
  auth: AuthMessage,
  mac: Bytes,
): boolean {
  return equalBytes(authTag(primitives, mac, challenge, auth.id, auth.noise), auth.tag);
}

export interface AcceptedAuth {
  /** M3, to be sent. */
  readonly message: Bytes;
  /** 16 bytes chosen by the guest: lets the same guest, and nobody else, try again (I3). */
  readonly claim: Bytes;
  readonly commitment: Bytes;
  readonly result: NoiseResult;
}

/** The expensive half (H5): reads the guest's Noise message and answers with ours; `undefined` means denied. */
export function acceptAuth(
  primitives: Primitives,
  options: { challenge: Bytes; auth: AuthMessage; credential: Credential; hostStatic: DhKeyPair },
): AcceptedAuth | undefined {
  const { challenge, auth, credential, hostStatic } = options;
  const noise = new NoiseResponder(primitives, {
    prologue: prologue(challenge, auth.id),
    psk: credential.psk,
    static: hostStatic,
  });
  const payload = noise.readFirst(auth.noise);
  if (payload?.length !== AUTH_PAYLOAD_BYTES || payload[0] !== PROTOCOL_VERSION) return undefined;
  const accepted = noise.writeSecond(Uint8Array.of(PROTOCOL_VERSION, 0, 0, 0, 0));
  if (accepted === undefined) return undefined;
  return {
    message: concat(Uint8Array.of(WIRE.accept), accepted.message),
    claim: payload.slice(1, 1 + CLAIM_BYTES),
    commitment: payload.slice(1 + CLAIM_BYTES),
    result: accepted.result,
  };
}

/** One attempt of a guest: M1 in, M2 out, M3 in. Each method is called once; any error is final. */
export class GuestHandshake {
  readonly #primitives: Primitives;
  readonly #options: { room: Bytes; hostKey: Bytes; credential: Credential; claim: Bytes };
  readonly #share: Bytes;
  #noise: NoiseInitiator | undefined;

  constructor(
    primitives: Primitives,
    options: { room: Bytes; hostKey: Bytes; credential: Credential; claim: Bytes },
  ) {
    this.#primitives = primitives;
    this.#options = options;
    this.#share = primitives.random(32);
  }

  /** This guest's share of the safety code; revealed in CONFIRM. */
  get share(): Bytes {
    return this.#share;
  }

  /**
   * M1 → M2. The answer holds nothing that a fake host could use: an HMAC bound to its own challenge, and
   * ciphertext under a key it does not have (H3).
   * @throws {TunnelError} not-a-tunnel, version-unsupported, protocol-violation, host-not-authentic
   */
  answer(challenge: Bytes): Bytes {
    if (challenge.length !== CHALLENGE_BYTES || challenge[0] !== WIRE.challenge) {
      throw new TunnelError("not-a-tunnel", { detail: "no challenge came" });
    }
    if (challenge[1] !== PROTOCOL_VERSION) throw new TunnelError("version-unsupported");
    const { room, hostKey, credential, claim } = this.#options;
    if (!equalBytes(challenge.subarray(2, 2 + ROOM_ID_BYTES), room)) {
      throw new TunnelError("protocol-violation", { detail: "the challenge is for another room" });
    }
    this.#noise = new NoiseInitiator(this.#primitives, {
      prologue: prologue(challenge, credential.id),
      psk: credential.psk,
      responderStatic: hostKey,
    });
    const payload = concat(Uint8Array.of(PROTOCOL_VERSION), claim, commitment(this.#primitives, this.#share));
    const noise = this.#noise.writeFirst(payload);
    if (noise === undefined) throw new TunnelError("host-not-authentic");
    const tag = authTag(this.#primitives, credential.mac, challenge, credential.id, noise);
    return concat(Uint8Array.of(WIRE.auth), credential.id, tag, noise);
  }

  /**
   * M3 → traffic secrets. Success proves the host (H7).
   * @throws {TunnelError} invite-refused for a denial, host-not-authentic for anything that does not open
   */
  finish(accept: Bytes): NoiseResult {
    if (equalBytes(accept, DENIED)) throw new TunnelError("invite-refused");
    const read = accept[0] === WIRE.accept ? this.#noise?.readSecond(accept.subarray(1)) : undefined;
    if (read?.payload.length !== ACCEPT_PAYLOAD_BYTES) throw new TunnelError("host-not-authentic");
    if (read.payload[0] !== PROTOCOL_VERSION) throw new TunnelError("version-unsupported");
    return read.result;
  }
}
