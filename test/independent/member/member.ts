/** A member of a room, from docs/PROTOCOL.md alone: joins by a link, talks, listens, comes back after a cut, and leaves. */
import { concat, base64url, EMPTY, readU64, readUtf8, u64, utf8, type Bytes } from "../bytes.ts";
import {
  decodeHostFrame,
  decodeHostNote,
  decodeWelcome,
  encodeFrame,
  type Chat,
  type RoomEvent,
} from "../frames.ts";
import { inviteCredential, resumeCredential, resumeSecret, type Credential } from "../keys.ts";
import { parseLink, type Link } from "../link.ts";
import { Replica, signedBytes } from "../order.ts";
import { sha256 } from "../primitives.ts";
import { TYPE } from "../records.ts";
import { demand } from "../refusal.ts";
import { safetyCode } from "../safety.ts";
import { openSealed } from "../seals.ts";
import { Connection } from "./connection.ts";
import { Identity } from "./identity.ts";
import { sealText } from "./seal.ts";

const DATA = 0x10;
const ACK = 0x11;
const PING = 0x12;
const PONG = 0x13;
/** CLOSE because this member left (section 5). */
const LEFT = 1;

export interface Heard {
  seq: number;
  event: RoomEvent;
  /** The text of a message that this member may read. */
  text: string | undefined;
}

/** A message of this member's own, until the host has given it a place. */
interface Said {
  message: Chat;
  body: Bytes;
}

export class Member {
  readonly self: Identity;
  readonly #link: Link;
  readonly #name: string;
  #connection: Connection;
  #credential: Credential;
  #replica: Replica | undefined;
  #safetyCode = "";
  #goal = "";
  /** Numbers of the durable frames received and sent (D1). */
  #received = 0;
  #sent = 0;
  /** Durable frames that the host has not acknowledged (D5). */
  #kept: { number: number; frame: Bytes }[] = [];
  readonly #said = new Map<number, Said>();
  #last: { n: number; hash: Bytes } = { n: 0, hash: new Uint8Array(32) };
  #ended: string | undefined;

  private constructor(link: Link, name: string, connection: Connection, self: Identity) {
    this.self = self;
    this.#link = link;
    this.#name = name;
    this.#connection = connection;
    this.#credential = resumeCredential(resumeSecret(connection.split.exporter));
  }

  /** @param self keys of another stay, where a test wants them @throws {Refused} */
  static async join(text: string, name: string, self = new Identity()): Promise<Member> {
    const link = parseLink(text);
    const connection = await Connection.open(link, inviteCredential(link.key));
    const member = new Member(link, name, connection, self);
    await member.#enter();
    return member;
  }

  get goal(): string {
    return this.#goal;
  }

  get safetyCode(): string {
    return this.#safetyCode;
  }

  /** Why the stay is over: the cause of `ended`, or "closed". */
  get ended(): string | undefined {
    return this.#ended;
  }

  get view(): { seq: number; chain: Bytes } {
    return this.#order.view;
  }

  names(): string[] {
    return this.#order.members.map(({ name }) => name);
  }

  /** Gives the host a message, for all or for the members of these names. Its place comes by {@link hear}. */
  say(text: string, to: readonly string[] = []): void {
    const n = this.#last.n + 1;
    const { id } = this.self;
    const named = to.map((name) => this.#order.members.find((one) => one.name === name));
    const recipients = named.filter((one) => one !== undefined);
    demand(recipients.length === to.length, "member-unknown", "nobody by that name");
    const place = { room: this.#room, from: id, n };
    const boxes = recipients.map(({ box }) => box);
    const sealed = to.length === 0 ? { body: utf8(text) } : sealText(place, boxes, text);
    const { body, ...seal } = sealed;
    const addressed = to.length === 0 ? {} : { to: recipients.map((one) => one.id), ...seal };
    const fields = { n, prev: this.#last.hash, view: this.#order.view, ...addressed };
    const unsigned: Chat = { kind: "chat", from: id, ...fields, sig: EMPTY };
    const digests = { seal: sha256(sealBytes(unsigned)), body: sha256(body) };
    const signed = signedBytes(this.#room, unsigned, digests);
    const sig = this.self.sign(signed);
    this.#last = { n, hash: sha256(signed) };
    this.#said.set(n, { message: { ...unsigned, sig }, body });
    this.#sendDurable(encodeFrame({ header: { t: "say", ...fields, sig }, body }));
  }

  /** The next event of the room; undefined when the connection, or the stay, is over. */
  async hear(): Promise<Heard | undefined> {
    for (;;) {
      const frame = await this.#connection.next();
      if (frame === undefined) return undefined;
      if (frame.type === DATA) {
        const heard = this.#data(frame.payload);
        if (heard !== undefined) return heard;
      }
      if (frame.type === PING) this.#connection.send({ type: PONG, payload: EMPTY });
      if (frame.type === ACK) this.#acknowledged(readU64(frame.payload, 0));
      if (frame.type === TYPE.note) decodeHostNote(frame.payload);
      if (frame.type === TYPE.close) this.#ended ??= "closed";
    }
  }

  cut(): void {
    this.#connection.cut();
  }

  /** Comes back with the secret of the last handshake (K3), and sends again what the host has not got (D5). */
  async resume(): Promise<void> {
    this.#connection = await Connection.open(this.#link, this.#credential);
    this.#credential = resumeCredential(resumeSecret(this.#connection.split.exporter));
    await this.#enter();
    for (const { number, frame } of this.#kept) this.#send(number, frame);
  }

  leave(): void {
    this.#connection.close(LEFT);
  }

  get #room(): string {
    return base64url(this.#link.room);
  }

  get #order(): Replica {
    demand(this.#replica !== undefined, "protocol-violation", "no WELCOME yet");
    return this.#replica;
  }

  /** M4 and M5 (H11). */
  async #enter(): Promise<void> {
    const { split, share } = this.#connection;
    const { key, box } = this.self;
    const proof = this.self.proof(this.#room, split.hash);
    const header = { share, name: this.#name, key, box, proof, received: this.#received };
    this.#connection.send({ type: TYPE.confirm, payload: encodeFrame({ header, body: EMPTY }) });
    const frame = await this.#connection.next();
    demand(frame?.type === TYPE.welcome, "invite-refused", "no WELCOME");
    const { header: welcome } = decodeWelcome(frame.payload);
    this.#acknowledged(welcome.received);
    if (this.#replica !== undefined) return;
    this.#goal = welcome.goal;
    this.#safetyCode = safetyCode(split.hash, share);
    this.#replica = new Replica(this.#room, welcome.host, welcome.members, welcome.view);
  }

  #data(payload: Bytes): Heard | undefined {
    const number = readU64(payload, 0);
    demand(number === this.#received + 1, "protocol-violation", "not the next frame"); // D4
    this.#received = number;
    this.#acknowledged(readU64(payload, 8));
    this.#connection.send({ type: ACK, payload: u64(number) });
    const { header, body } = decodeHostFrame(payload.subarray(16));
    if (header.t === "event") return this.#event(header.seq, header.ts, header.event, body);
    const said = this.#said.get(header.n);
    demand(said !== undefined, "order-broken", "a place for what was not said"); // O7
    this.#said.delete(header.n);
    return this.#event(header.seq, header.ts, said.message, said.body);
  }

  #event(seq: number, ts: number, event: RoomEvent, body: Bytes): Heard {
    this.#order.append(seq, ts, event, body);
    if (event.kind === "ended") this.#ended = event.cause;
    return { seq, event, text: this.#textOf(event, body) };
  }

  #textOf(event: RoomEvent, body: Bytes): string | undefined {
    if (event.kind !== "chat") return undefined;
    const { to, seal, from, n } = event;
    if (to === undefined || seal === undefined) return readUtf8(body);
    const index = to.indexOf(this.self.id);
    if (index < 0) return undefined; // this member's own words for others
    const place = { room: this.#room, from, n, secret: this.self.boxSecret, index };
    return readUtf8(openSealed({ ...place, ...seal, body }));
  }

  #sendDurable(frame: Bytes): void {
    this.#sent += 1;
    this.#kept.push({ number: this.#sent, frame });
    this.#send(this.#sent, frame);
  }

  #send(number: number, frame: Bytes): void {
    const payload = concat(u64(number), u64(this.#received), frame);
    this.#connection.send({ type: DATA, payload });
  }

  /** D2 */
  #acknowledged(number: number | undefined): void {
    demand(
      number !== undefined && number <= this.#sent,
      "protocol-violation",
      "acknowledges what was not sent",
    );
    this.#kept = this.#kept.filter((one) => one.number > number);
  }
}

function sealBytes({ seal }: Chat): Bytes {
  return seal === undefined ? EMPTY : concat(seal.key, seal.commitment, ...seal.wraps);
}
