import { digestsOf, sealTo } from "../../../src/protocol/room/sealed-message.ts";
import { concat, readU64be, u64be, type Bytes } from "../../../src/protocol/base/bytes.ts";
import type { ErrorCode } from "../../../src/errors/tunnel-error.ts";
import * as codec from "../../../src/protocol/room/frames.ts";
import type {
  ChatEvent,
  Confirm,
  Decoded,
  HostFrame,
  MemberFrame,
  MemberRecord,
  RoomEvent,
  SayFrame,
  View,
  Welcome,
  WithheldEvent,
} from "../../../src/protocol/room/frames.ts";
import { DENIED, acceptAuth, readAuth, writeChallenge } from "../../../src/protocol/handshake/handshake.ts";
import { roomIdFrom, type MemberId, type RoomId } from "../../../src/protocol/base/ids.ts";
import {
  inviteCredential,
  resumeCredential,
  resumeSecret,
  type Credential,
} from "../../../src/protocol/handshake/keys.ts";
import type { InviteLink } from "../../../src/protocol/handshake/invite-link.ts";
import type { ObserverRole } from "../../../src/protocol/handshake/role.ts";
import { Guest } from "../../../src/protocol/guest/guest.ts";
import { memberIdOf, RoomOrder, signedBytes } from "../../../src/protocol/room/order.ts";
import type { OutgoingMessage } from "../../../src/protocol/room/participant.ts";
import type { SigningKeyPair } from "../../../src/protocol/base/primitives.ts";
import { FRAME, RecordLayer, type Frame } from "../../../src/protocol/record/record.ts";
import type { Entry } from "../../../src/protocol/room/log.ts";
import { nodePrimitives } from "../../../src/runtime/primitives.ts";
import { encodeUtf8 } from "../../../src/protocol/base/utf8.ts";
import { provedRecord } from "../../support/proved.ts";

const NO_HASH = new Uint8Array(32);

type Said = Omit<SayFrame, "t" | "sig">;

/** A message under any signature, and the hash that the next one of the same sender would have to continue. */
export function signedAs(
  keys: SigningKeyPair,
  room: RoomId,
  fields: Partial<Said> & { view: View },
  content: string | Bytes,
): { event: ChatEvent; hash: Bytes } {
  const body = typeof content === "string" ? encodeUtf8(content) : content;
  const whole = { n: 1, prev: NO_HASH, ...fields };
  const from = memberIdOf(nodePrimitives, keys.publicKey);
  const bytes = signedBytes(room, from, whole, digestsOf(nodePrimitives, whole.seal, body));
  return {
    event: { kind: "chat", from, ...whole, sig: keys.sign(bytes) },
    hash: nodePrimitives.sha256(bytes),
  };
}

/** A message as those are told of it whom it is not for, or (wrongly) somebody whom `to` leaves out. */
export function asWithheld(event: ChatEvent, content: string | Bytes, to = event.to): WithheldEvent {
  const body = typeof content === "string" ? encodeUtf8(content) : content;
  const { seal, ...fields } = event;
  return { ...fields, kind: "withheld", to: to ?? [], digests: digestsOf(nodePrimitives, seal, body) };
}

/** A host that holds its own keys and keeps to no other rule: it tells each of its guests whatever it likes. */
export class HostileHost {
  readonly codec = codec;
  readonly dh = nodePrimitives.generateDhKeyPair();
  readonly signing = nodePrimitives.generateSigningKeyPair();
  /** The key that others seal to for the host. */
  readonly box = nodePrimitives.generateDhKeyPair();
  readonly roomBytes = nodePrimitives.random(16);
  readonly room = roomIdFrom(this.roomBytes);
  readonly self: MemberRecord;
  readonly genesis: View;
  now = 1_700_000_000_000;

  constructor() {
    const { publicKey: box } = this.box;
    this.self = provedRecord(this.room, this.signing, { name: "ana", hash: NO_HASH, box });
    this.genesis = RoomOrder.genesis(nodePrimitives, this.room, this.self).view;
  }

  /** A guest that has been welcomed and has seen its own arrival, in a room of its own as far as it can tell. */
  session(name: string, change: Partial<Welcome> = {}): Victim {
    const victim = new Victim(this, name);
    victim.welcome(change);
    victim.tell({ kind: "joined", member: victim.record });
    return victim;
  }

  /** Says something to some under its own name, as its first message unless told otherwise. */
  whispers(
    text: string,
    to: readonly Victim[],
    marks: Partial<Said> & { view: View },
  ): { event: ChatEvent; body: Bytes } {
    const { room, self, signing } = this;
    const context = { room, from: self.id, n: marks.n ?? 1 };
    const boxes = to.map(({ record }) => record.box);
    const { seal, body } = sealTo(nodePrimitives, context, boxes, encodeUtf8(text));
    const fields = { ...marks, to: to.map(({ id }) => id), seal };
    return { event: signedAs(signing, room, fields, body).event, body };
  }

  /** Guests that were all told the same: the others' arrivals as well. */
  sessions(...names: string[]): Victim[] {
    const victims: Victim[] = [];
    for (const name of names) {
      const [first] = victims;
      const order = first?.member.membership?.order;
      const told = order === undefined ? {} : { members: [...order.members], view: order.view };
      const victim = new Victim(this, name);
      victim.welcome(told);
      victims.push(victim);
      for (const one of victims) one.tell({ kind: "joined", member: victim.record });
    }
    return victims;
  }
}

/** An honest guest in the hands of {@link HostileHost}, and the host's end of its connection. */
export class Victim {
  readonly member: Guest;
  readonly entries: Entry[] = [];
  readonly alarms: ErrorCode[] = [];
  /** Its messages so far, as they reached the host. */
  readonly said: Decoded<MemberFrame>[] = [];
  /** Everything it has sent, and been sent, sealed or not. */
  readonly wire: { toHost: Bytes[]; toGuest: Bytes[] } = { toHost: [], toGuest: [] };
  readonly #host: HostileHost;
  readonly #name: string;
  readonly #credentials: Credential[];
  #records: RecordLayer | undefined;
  #confirm: Confirm | undefined;
  /** Of its last handshake. */
  #hash: Bytes = NO_HASH;
  #connection = 0;
  #number = 0;
  #received = 0;

  readonly #role: ObserverRole | undefined;

  constructor(host: HostileHost, name: string, role?: ObserverRole) {
    this.#host = host;
    this.#name = name;
    this.#role = role;
    const key = nodePrimitives.random(32);
    this.#credentials = [inviteCredential(nodePrimitives, key)];
    const link: InviteLink = {
      origin: "ws://127.0.0.1:1",
      room: host.room,
      key,
      hostKey: host.dh.publicKey,
      role,
    };
    this.member = new Guest(nodePrimitives, { link, name }, host.now);
    this.shake();
  }

  get id(): MemberId {
    return this.member.self;
  }

  get record(): MemberRecord {
    const { key = NO_HASH, box = NO_HASH, proof = NO_HASH } = this.#confirm ?? {};
    const role = this.#role === undefined ? {} : { role: this.#role };
    return { id: this.id, name: this.#name, key, box, hash: this.#hash, proof, ...role };
  }

  get view(): View {
    return this.member.membership?.order.view ?? this.#host.genesis;
  }

  /** Why its stay is over. */
  get end(): ErrorCode | "host" | "removal" | "self" | undefined {
    const { connection } = this.member;
    if (connection.name !== "ended") return undefined;
    return connection.end.by === "failure" ? connection.end.error.code : connection.end.by;
  }

  /** Texts and events in its log, for comparison. */
  get log(): string[] {
    return this.entries.map((entry) =>
      "event" in entry
        ? entry.event
        : entry.kind === "chat"
          ? entry.text
          : "offer" in entry
            ? entry.offer.name
            : entry.kind,
    );
  }

  /** M1 to M4 of a connection it has dialled. */
  shake(): void {
    const { dh: hostStatic, roomBytes, now } = this.#host;
    this.#records = undefined;
    this.#confirm = undefined;
    this.pump();
    this.member.handle({ type: "opened", connection: this.#connection }, now);
    const challenge = writeChallenge(nodePrimitives, roomBytes);
    const auth = readAuth(this.give(challenge));
    const credential = this.#credentials.find((one) => Buffer.compare(one.id, auth?.id ?? NO_HASH) === 0);
    if (auth === undefined || credential === undefined) throw new Error("the guest did not authenticate");
    const accepted = acceptAuth(nodePrimitives, { challenge, auth, credential, hostStatic });
    if (accepted === undefined) throw new Error("the guest's proof is wrong");
    const confirmation = this.give(accepted.message);
    const { responderToInitiator: send, initiatorToResponder: receive, exporter, hash } = accepted.result;
    this.#hash = hash;
    this.#records = new RecordLayer(nodePrimitives, { send, receive }, now);
    this.#credentials.push(resumeCredential(nodePrimitives, resumeSecret(nodePrimitives, exporter)));
    const frame = this.#records.open(confirmation, now);
    this.#confirm = this.#host.codec.decodeConfirm(frame?.payload ?? NO_HASH);
  }

  /** M1 of a connection it has dialled, and DENIED for its answer. */
  deny(): void {
    this.#records = undefined;
    this.pump();
    this.member.handle({ type: "opened", connection: this.#connection }, this.#host.now);
    this.give(writeChallenge(nodePrimitives, this.#host.roomBytes));
    this.give(DENIED);
  }

  welcome(change: Partial<Welcome> = {}): void {
    const { self, genesis: view, codec } = this.#host;
    const payload = codec.encodeWelcome({
      goal: "align the API",
      self: this.id,
      name: this.#name,
      host: self.id,
      members: [self],
      received: this.#received,
      view,
      addresses: ["ws://127.0.0.1:1"],
      idleMs: 1_800_000,
      history: false,
      keptForSec: 0,
      ...change,
    });
    this.put(FRAME.welcome, payload);
  }

  /** The next thing that happens in the room, as this guest is told. */
  tell(event: RoomEvent, content: string | Bytes = "", place: { seq?: number; ts?: number } = {}): void {
    const { seq = this.view.seq + 1, ts = this.#host.now } = place;
    this.frame({ t: "event", seq, ts, event }, content);
  }

  /** Confirms a message of its own. */
  place(n: number, seq = this.view.seq + 1): void {
    this.frame({ t: "own", seq, ts: this.#host.now, n });
  }

  frame(frame: HostFrame, content: string | Bytes = ""): void {
    const body = typeof content === "string" ? encodeUtf8(content) : content;
    this.data(this.#host.codec.encodeHostFrame(frame, body));
  }

  /** A durable frame with the next number and any content. */
  data(payload: Bytes): void {
    this.#number += 1;
    this.put(FRAME.data, concat(u64be(this.#number), u64be(this.#received), payload));
  }

  put(type: number, payload: Bytes): void {
    for (const message of this.seal({ type, payload })) this.give(message);
  }

  seal(frame: Frame): Bytes[] {
    return this.#records?.seal(frame, this.#host.now) ?? [];
  }

  /** Hands it a WebSocket message and gives its first answer. */
  give(message: Bytes): Bytes {
    this.wire.toGuest.push(message);
    const before = this.wire.toHost.length;
    this.member.handle({ type: "message", connection: this.#connection, message }, this.#host.now);
    this.pump();
    return this.wire.toHost[before] ?? new Uint8Array(0);
  }

  /** The connection is lost; the guest dials again after its backoff. */
  cut(): void {
    this.member.handle({ type: "closed", connection: this.#connection }, this.#host.now);
    this.pump();
    this.#host.now += 20_000;
    this.member.handle({ type: "tick" }, this.#host.now);
  }

  /** Says something and gives it as the event that an honest host would make of it. */
  speaks(text: string, marks: Omit<OutgoingMessage, "text"> = {}): ChatEvent {
    return this.whispers(text, marks).event;
  }

  /** The same, with the body that goes with it and what is told where it is withheld. */
  whispers(
    text: string,
    marks: Omit<OutgoingMessage, "text">,
  ): { event: ChatEvent; body: Bytes; withheld: WithheldEvent } {
    this.member.say({ text, ...marks }, this.#host.now);
    this.pump();
    const last = this.said.at(-1);
    if (last?.frame.t !== "say") throw new Error("nothing was said");
    const { frame, body } = last;
    const event = asEvent(this.id, frame);
    return { event, body, withheld: asWithheld(event, body) };
  }

  pump(): void {
    for (const effect of this.member.takeEffects()) {
      if (effect.type === "dial") this.#connection = effect.connection;
      if (effect.type === "entry") this.entries.push(effect.entry);
      if (effect.type === "alarm") this.alarms.push(effect.error.code);
      if (effect.type === "send") this.#hear(effect.message);
    }
  }

  #hear(message: Bytes): void {
    this.wire.toHost.push(message);
    if (this.#confirm === undefined) return;
    const frame = this.#records?.open(message, this.#host.now);
    if (frame?.type !== FRAME.data) return;
    this.#received = readU64be(frame.payload, 0) ?? 0;
    this.said.push(this.#host.codec.decodeMemberFrame(frame.payload.subarray(16)));
  }
}

function asEvent(from: MemberId, say: SayFrame): ChatEvent {
  const { t: _, ...fields } = say;
  return { kind: "chat", from, ...fields };
}
