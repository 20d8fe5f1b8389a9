import { concat, u64be, type Bytes } from "../../src/protocol/base/bytes.ts";
import * as codec from "../../src/protocol/room/frames.ts";
import type { HostFrame, MemberFrame } from "../../src/protocol/room/frames.ts";
import { GuestHandshake } from "../../src/protocol/handshake/handshake.ts";
import {
  inviteCredential,
  resumeCredential,
  resumeSecret,
  type Credential,
} from "../../src/protocol/handshake/keys.ts";
import type { InviteLink } from "../../src/protocol/handshake/invite-link.ts";
import { SigningChain } from "../../src/protocol/room/order.ts";
import { FRAME, RecordLayer, type Frame } from "../../src/protocol/record/record.ts";
import type { DhKeyPair, Primitives, SigningKeyPair } from "../../src/protocol/base/primitives.ts";
import { nodePrimitives, type World } from "./wire.ts";
import { encodeUtf8 } from "../../src/protocol/base/utf8.ts";

/**
 * A member that holds a valid invite and keeps to no other rule: for what the host must bear from somebody it has let
 * in. Sends whatever frames it is told to.
 */
export class Impostor {
  readonly codec = codec;
  readonly keys: SigningKeyPair;
  readonly signer: SigningChain;
  readonly box: DhKeyPair;
  /** Where it dials from; another place each time when left out. */
  source: string | undefined;
  readonly #primitives: Primitives;
  readonly #world: World;
  readonly #link: InviteLink;
  #credential: Credential;
  #records: RecordLayer | undefined;
  #connection = 0;
  #send: (message: Bytes) => void = () => undefined;
  #read = 0;
  #number = 0;

  /** `primitives` are those of the world; `credential` may be one that was stolen. */
  constructor(
    world: World,
    link: InviteLink,
    primitives: Primitives = nodePrimitives,
    credential: Credential = inviteCredential(primitives, link.key),
  ) {
    this.#world = world;
    this.#link = link;
    this.#primitives = primitives;
    this.keys = primitives.generateSigningKeyPair();
    this.box = primitives.generateDhKeyPair();
    this.#credential = credential;
    this.signer = new SigningChain(primitives, this.keys, link.room);
  }

  get connection(): number {
    return this.#connection;
  }

  /** Goes through the handshake, with what it likes in CONFIRM for the handshake of this hash, and resumes when called again. */
  enter(told: Partial<codec.Confirm> | ((hash: Bytes) => Partial<codec.Confirm>) = {}): void {
    const { connection, send } = this.#world.stranger(this.source ?? `impostor ${this.#connection}`);
    this.#connection = connection;
    this.#send = send;
    this.#read = 0;
    const share = new GuestHandshake(this.#primitives, {
      room: new Uint8Array(Buffer.from(this.#link.room, "base64url")),
      hostKey: this.#link.hostKey,
      credential: this.#credential,
      claim: this.#primitives.random(16),
    });
    send(share.answer(this.#next()));
    const result = share.finish(this.#next());
    const secrets = { send: result.initiatorToResponder, receive: result.responderToInitiator };
    this.#credential = resumeCredential(this.#primitives, resumeSecret(this.#primitives, result.exporter));
    this.#records = new RecordLayer(this.#primitives, secrets, this.#world.now);
    const { publicKey: key } = this.keys;
    const { publicKey: box } = this.box;
    const proof = this.signer.prove(result.hash, box, this.#link.role);
    const honest = { share: share.share, name: "mallory", key, box, proof, received: 0 };
    const options = typeof told === "function" ? told(result.hash) : told;
    const payload = this.codec.encodeConfirm({ ...honest, ...options });
    this.put(FRAME.confirm, payload);
  }

  put(type: number, payload: Bytes): void {
    for (const message of this.#records?.seal({ type, payload }, this.#world.now) ?? []) this.#send(message);
  }

  /** A durable frame with the next number, or any other payload than a member would make. */
  data(payload: Bytes): void {
    this.#number += 1;
    this.put(FRAME.data, concat(u64be(this.#number), u64be(0), payload));
  }

  say(text: string, change: Partial<Extract<MemberFrame, { t: "say" }>> = {}, view = this.view()): void {
    const body = encodeUtf8(text);
    const { fields } = this.signer.sign({ body, view });
    this.data(this.codec.encodeMemberFrame({ t: "say", ...fields, ...change }, body));
  }

  /** The order that an honest member would name; only right after it has joined. */
  view(): { seq: number; chain: Bytes } {
    return { seq: 0, chain: new Uint8Array(32) };
  }

  /** The frames that have arrived on this connection, in order. */
  frames(): Frame[] {
    const frames: Frame[] = [];
    for (const message of this.#world.sentTo(this.#connection).slice(this.#read)) {
      this.#read += 1;
      const frame = message[0] === 0x10 ? this.#records?.open(message, this.#world.now) : undefined;
      if (frame !== undefined) frames.push(frame);
    }
    return frames;
  }

  hostFrames(): HostFrame[] {
    return this.frames().flatMap((frame) =>
      frame.type === FRAME.data ? [this.codec.decodeHostFrame(frame.payload.subarray(16)).frame] : [],
    );
  }

  #next(): Bytes {
    const message = this.#world.sentTo(this.#connection)[this.#read];
    if (message === undefined) throw new Error("the host did not answer");
    this.#read += 1;
    return message;
  }
}
