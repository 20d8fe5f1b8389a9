import { must } from "../../errors/must.ts";
import { openSealed, sealTo } from "./sealed-message.ts";
import type { Attestation, AuditLog, HumanKey } from "./audit-log.ts";
import { ascii, lengthPrefixed, type Bytes } from "../base/bytes.ts";
import type { ChatEvent, MemberRecord, SayFrame, View } from "./frames.ts";
import type { MemberId, RoomId } from "../base/ids.ts";
import { SigningChain, type LastMessage } from "./order.ts";
import type { OutgoingMessage } from "./participant.ts";
import type { DhKeyPair, Primitives, SigningKeyPair } from "../base/primitives.ts";
import { isText } from "../base/text.ts";
import { certificateBytes } from "../sign-off/signed-bytes.ts";
import { decodeUtf8, encodeUtf8 } from "../base/utf8.ts";
import type { ObserverRole } from "../handshake/role.ts";

/** A message of this participant, ready for the wire. */
export interface SignedMessage {
  readonly fields: Omit<SayFrame, "t">;
  /** The text, or what it is sealed to. */
  readonly body: Bytes;
  readonly hash: Bytes;
}

/** The private keys of a participant, 32 bytes each. */
export interface SignerSecrets {
  readonly signing: Bytes;
  readonly box: Bytes;
}

/** One participant's own keys: those it signs with, and those that others seal to. */
export class Signer {
  readonly #primitives: Primitives;
  readonly #room: RoomId;
  readonly #chain: SigningChain;
  readonly #box: DhKeyPair;
  readonly #keys: SigningKeyPair;

  /** @param secrets of a participant that comes back; fresh ones where left out */
  constructor(primitives: Primitives, room: RoomId, secrets?: SignerSecrets) {
    this.#primitives = primitives;
    this.#room = room;
    this.#keys =
      secrets === undefined
        ? primitives.generateSigningKeyPair()
        : primitives.importSigningKeyPair(secrets.signing);
    this.#chain = new SigningChain(primitives, this.#keys, room);
    this.#box =
      secrets === undefined ? primitives.generateDhKeyPair() : primitives.importDhKeyPair(secrets.box);
  }

  /** For a stay that is kept. */
  get secrets(): SignerSecrets {
    return { signing: this.#keys.exportSecret(), box: this.#box.exportSecret() };
  }

  /** Number of the message that is signed next. */
  get next(): number {
    return this.#chain.next;
  }

  /** The last message of an earlier process. */
  continueAfter(last: LastMessage): void {
    this.#chain.continueAfter(last);
  }

  /** Numbers up to this one may have been used by a process that left no trace of it. */
  skipTo(n: number): void {
    this.#chain.skipTo(n);
  }

  get id(): MemberId {
    return this.#chain.id;
  }

  /** Ed25519, to verify what it says. */
  get key(): Bytes {
    return this.#chain.publicKey;
  }

  /** X25519, to seal to it. */
  get box(): Bytes {
    return this.#box.publicKey;
  }

  /** The proof of both keys in the handshake that has this hash (H13), for a member or for an observer (Q1). */
  prove(hash: Bytes, role?: ObserverRole): Bytes {
    return this.#chain.prove(hash, this.box, role);
  }

  /** Signs a message and, where it is for some only, seals it; `roster` knows everybody in `to`. */
  sign({ text, to, ...marks }: OutgoingMessage, view: View, roster: readonly MemberRecord[]): SignedMessage {
    const plaintext = encodeUtf8(text);
    const memberOf = (id: MemberId) => roster.find((member) => member.id === id);
    const named = to?.map((id) => must(memberOf(id), "a recipient in the roster"));
    const { seal, body } =
      named === undefined
        ? { body: plaintext }
        : sealTo(
            this.#primitives,
            { room: this.#room, from: this.id, n: this.#chain.next },
            named.map(({ box }) => box),
            plaintext,
          );
    const addressed =
      named === undefined || seal === undefined ? {} : { to: named.map(({ id }) => id), seal };
    const { fields, hash } = this.#chain.sign({ ...marks, ...addressed, view, body });
    return { fields, body, hash };
  }

  /** This participant's proof of the room to others; it signs transcripts with the key of its messages (J2). */
  attestation(host: MemberId, log: AuditLog): Attestation {
    const attest = (transcript: Bytes): Bytes => this.#keys.sign(attestedBytes(transcript));
    const certify = (digest: Bytes, human: HumanKey): Bytes =>
      this.#keys.sign(certificateBytes(digest, this.id, human));
    return { room: this.#room, host, self: this.id, log, attest, certify };
  }

  /** The text of a message that is sealed to some; `undefined` when not to this participant, or not properly. */
  open({ from, n, to, seal }: ChatEvent, body: Bytes): string | undefined {
    if (to === undefined || seal === undefined) return undefined;
    const own = { keys: this.#box, index: to.indexOf(this.id) };
    const plaintext = openSealed(this.#primitives, { room: this.#room, from, n }, own, { seal, body });
    const text = plaintext === undefined ? undefined : decodeUtf8(plaintext);
    return text !== undefined && isText(text) ? text : undefined;
  }
}

/** The bytes under the signature of a transcript (J2). They have a label of their own, so it can never pass for one under a message. */
export function attestedBytes(transcript: Bytes): Bytes {
  return lengthPrefixed(ascii("tunnel-mcp/1 transcript"), transcript);
}
