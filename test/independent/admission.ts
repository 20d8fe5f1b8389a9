/** Section 4.1 of docs/PROTOCOL.md: the messages M1 to M3, from both ends. */
import { concat, isEqual, lp, utf8, type Bytes } from "./bytes.ts";
import type { Credential } from "./keys.ts";
import { Initiator, NoiseFailure, Responder, type Split } from "./noise.ts";
import { hmac, sha256 } from "./primitives.ts";
import { demand, Refused } from "./refusal.ts";

const KIND = { challenge: 0x01, auth: 0x02, accept: 0x03, denied: 0x04 };
const VERSION = 1;
const ROOM_BYTES = 16;
const NONCE_BYTES = 32;
const ID_BYTES = 16;
const TAG_BYTES = 32;
const NOISE1_BYTES = 97;
const NOISE2_BYTES = 53;
const CLAIM_BYTES = 16;
const SHARE_BYTES = 32;
const CAPABILITY_BYTES = 4;

// --- the bytes of each message ---

/** @throws {Refused} as H12 says. */
function checkChallenge(m1: Bytes, room: Bytes): void {
  const isOne = m1.length === 2 + ROOM_BYTES + NONCE_BYTES && m1[0] === KIND.challenge;
  demand(isOne, "not-a-tunnel", "no CHALLENGE");
  demand(m1[1] === VERSION, "version-unsupported", "another version");
  demand(isEqual(m1.subarray(2, 2 + ROOM_BYTES), room), "protocol-violation", "another room");
}

interface Auth {
  id: Bytes;
  tag: Bytes;
  noise: Bytes;
}

const encodeAuth = ({ id, tag, noise }: Auth): Bytes => concat(Uint8Array.of(KIND.auth), id, tag, noise);

function decodeAuth(m2: Bytes): Auth {
  const noiseAt = 1 + ID_BYTES + TAG_BYTES;
  demand(m2.length === noiseAt + NOISE1_BYTES && m2[0] === KIND.auth, "denied", "no AUTH");
  return {
    id: m2.subarray(1, 1 + ID_BYTES),
    tag: m2.subarray(1 + ID_BYTES, noiseAt),
    noise: m2.subarray(noiseAt),
  };
}

const encodeAccept = (noise: Bytes): Bytes => concat(Uint8Array.of(KIND.accept), noise);

function decodeAccept(m3: Bytes): Bytes {
  demand(!isEqual(m3, Uint8Array.of(KIND.denied)), "denied", "the host says DENIED");
  const isOne = m3.length === 1 + NOISE2_BYTES && m3[0] === KIND.accept;
  demand(isOne, "host-not-authentic", "no ACCEPT");
  return m3.subarray(1);
}

// --- what both ends make of them ---

const prologue = (m1: Bytes, id: Bytes): Bytes => lp("tunnel-mcp/1", m1, id);
const tagOf = (mac: Bytes, m1: Bytes, id: Bytes, noise: Bytes): Bytes => hmac(mac, lp("auth", m1, id, noise));

/** The commitment of H10 to a guest's share of the safety code. */
export const commitmentTo = (share: Bytes): Bytes => sha256(utf8("sas-commit"), share);

/** Runs a step of Noise; a message that cannot be read is refused as `code`. */
function refusing<Result>(code: string, step: () => Result): Result {
  try {
    return step();
  } catch (error) {
    throw error instanceof NoiseFailure ? new Refused(code, error.message) : error;
  }
}

/** All a guest brings: what the link says, what it made for all its attempts, and what it makes for each. */
export interface GuestInput {
  room: Bytes;
  hostKey: Bytes;
  credential: Credential;
  claim: Bytes;
  share: Bytes;
  /** A private key. */
  ephemeral: Bytes;
}

export interface Answered {
  m2: Bytes;
  /** Reads M3. @throws {Refused} `denied`, `host-not-authentic` (H7), `version-unsupported` (H9) */
  finish: (m3: Bytes) => Split;
}

/** M1 to M2. @throws {Refused} as H12 says, and `host-not-authentic` for a host key of low order (K5). */
export function answer(guest: GuestInput, m1: Bytes): Answered {
  checkChallenge(m1, guest.room);
  const { credential, claim, share, ephemeral, hostKey: responder } = guest;
  const { id, psk, mac } = credential;
  const noise = new Initiator(prologue(m1, id), { psk, ephemeral, responder });
  const noise1 = refusing("host-not-authentic", () =>
    noise.write(concat(Uint8Array.of(VERSION), claim, commitmentTo(share))),
  );
  const finish = (m3: Bytes): Split => {
    const noise2 = decodeAccept(m3);
    const { payload, split } = refusing("host-not-authentic", () => noise.read(noise2));
    const isRight = payload.length === 1 + CAPABILITY_BYTES && payload[0] === VERSION;
    demand(isRight, "version-unsupported", "an ACCEPT of another version");
    return split; // the capabilities are ignored (H9)
  };
  return { m2: encodeAuth({ id, tag: tagOf(mac, m1, id, noise1), noise: noise1 }), finish };
}

export interface HostInput {
  credential: Credential;
  /** Private keys. */
  static: Bytes;
  ephemeral: Bytes;
}

export interface Accepted {
  m3: Bytes;
  claim: Bytes;
  commitment: Bytes;
  split: Split;
}

/** M2 to M3. @throws {Refused} `denied`, whatever the cause (H6). */
export function accept(host: HostInput, m1: Bytes, m2: Bytes): Accepted {
  const { id, tag, noise } = decodeAuth(m2);
  const { credential, ephemeral } = host;
  demand(isEqual(id, credential.id), "denied", "an id that nobody knows");
  demand(isEqual(tag, tagOf(credential.mac, m1, id, noise)), "denied", "a wrong tag"); // H4
  const responder = new Responder(prologue(m1, id), {
    psk: credential.psk,
    ephemeral,
    static: host.static,
  });
  const payload = refusing("denied", () => responder.read(noise));
  const isRight = payload.length === 1 + CLAIM_BYTES + SHARE_BYTES && payload[0] === VERSION;
  demand(isRight, "denied", "a payload of another version"); // H5
  const capabilities = new Uint8Array(CAPABILITY_BYTES);
  const { message, split } = refusing("denied", () =>
    responder.write(concat(Uint8Array.of(VERSION), capabilities)),
  );
  return {
    m3: encodeAccept(message),
    claim: payload.subarray(1, 1 + CLAIM_BYTES),
    commitment: payload.subarray(1 + CLAIM_BYTES),
    split,
  };
}
