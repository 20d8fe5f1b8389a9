import { connect, type Socket } from "node:net";
import { concat, readU64be, u64be, type Bytes } from "../../src/protocol/base/bytes.ts";
import * as codec from "../../src/protocol/room/frames.ts";
import type { View } from "../../src/protocol/room/frames.ts";
import { GuestHandshake } from "../../src/protocol/handshake/handshake.ts";
import { inviteCredential } from "../../src/protocol/handshake/keys.ts";
import { parseLink, type InviteLink } from "../../src/protocol/handshake/invite-link.ts";
import { SigningChain } from "../../src/protocol/room/order.ts";
import { FRAME, RecordLayer, type Frame } from "../../src/protocol/record/record.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { encodeUtf8 } from "../../src/protocol/base/utf8.ts";

export const OPCODE = { more: 0x0, text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa } as const;

/** A WebSocket frame of a client; the mask is zero, which changes nothing and is allowed. */
export function wsFrame(
  opcode: number,
  payload: Bytes = new Uint8Array(0),
  options: { isLast?: boolean; announced?: number } = {},
): Buffer {
  const { isLast = true, announced = payload.length } = options;
  const head = Buffer.alloc(14);
  head[0] = (isLast ? 0x80 : 0) | opcode;
  head[1] = 0x80 | 127;
  head.writeBigUInt64BE(BigInt(announced), 2);
  if (announced > 0xffff) return Buffer.concat([head, payload]);
  if (announced > 125) {
    head[1] = 0x80 | 126;
    head.writeUInt16BE(announced, 2);
    return Buffer.concat([head.subarray(0, 4), Buffer.alloc(4), payload]);
  }
  head[1] = 0x80 | announced;
  head.fill(0, 2, 6);
  return Buffer.concat([head.subarray(0, 6), payload]);
}

/** Splits what a server sends into its frames, which are never masked. */
class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  *read(chunk: Buffer): Generator<{ opcode: number; payload: Bytes }> {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const [first, second] = this.#rest;
      if (first === undefined || second === undefined) return;
      const extra = second === 127 ? 8 : second === 126 ? 2 : 0;
      if (this.#rest.length < 2 + extra) return;
      const long =
        extra === 8 ? Number(this.#rest.readBigUInt64BE(2)) : this.#rest.readUInt16BE(extra === 2 ? 2 : 0);
      const length = extra === 0 ? second : long;
      const end = 2 + extra + length;
      if (this.#rest.length < end) return;
      const payload = new Uint8Array(this.#rest.subarray(2 + extra, end));
      this.#rest = this.#rest.subarray(end);
      yield { opcode: first & 0x0f, payload };
    }
  }
}

/** The first lines of a WebSocket request. */
export function upgradeRequest(path: string, source?: string): string {
  const from = source === undefined ? "" : `Cf-Connecting-Ip: ${source}\r\n`;
  return (
    `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${from}` +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
  );
}

/** A WebSocket over a bare TCP socket: nothing is answered, limited or checked that the test does not want to be. */
export class RawSocket {
  readonly tcp: Socket;
  /** What has come, oldest first. */
  readonly messages: Bytes[] = [];
  pongs = 0;
  /** Of the answer to the request; 101 is a WebSocket. */
  status: number | undefined;
  isClosed = false;
  #onMessage: (message: Bytes) => void = (message) => void this.messages.push(message);
  #head = "";
  readonly #reader = new FrameReader();
  #waiting: (() => void)[] = [];

  constructor(port: number) {
    this.tcp = connect({ port, host: "127.0.0.1" });
    this.tcp.setNoDelay();
    this.tcp.on("error", () => this.tcp.destroy());
    this.tcp.on("close", () => {
      this.isClosed = true;
      this.#wake();
    });
    this.tcp.on("data", (chunk: Buffer) => {
      this.#received(chunk);
      this.#wake();
    });
  }

  /** A WebSocket on the path of a link; fails with the HTTP status if it is refused. */
  static async open(port: number, path: string, source?: string): Promise<RawSocket> {
    const socket = new RawSocket(port);
    socket.tcp.write(upgradeRequest(path, source));
    await socket.until(() => socket.status !== undefined);
    return socket;
  }

  /** Resolves when the condition holds after something has arrived, or when the connection is over. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.isClosed) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async next(): Promise<Bytes> {
    await this.until(() => this.messages.length > 0);
    const message = this.messages.shift();
    if (message === undefined) throw new Error("the host has hung up");
    return message;
  }

  send(message: Bytes): void {
    this.tcp.write(wsFrame(OPCODE.binary, message));
  }

  /** From now on messages go here. */
  handOver(onMessage: (message: Bytes) => void): void {
    this.#onMessage = onMessage;
    for (const message of this.messages.splice(0)) onMessage(message);
  }

  destroy(): void {
    this.tcp.destroy();
  }

  #received(chunk: Buffer): void {
    let body = chunk;
    if (this.status === undefined) {
      this.#head += chunk.toString("latin1");
      const end = this.#head.indexOf("\r\n\r\n");
      if (end === -1) return;
      this.status = Number(this.#head.slice(9, 12));
      body = Buffer.from(this.#head.slice(end + 4), "latin1");
    }
    if (this.status !== 101) return;
    for (const { opcode, payload } of this.#reader.read(body)) {
      if (opcode === OPCODE.binary) this.#onMessage(payload);
      if (opcode === OPCODE.pong) this.pongs += 1;
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** A member with a valid invite on a real socket that sends whatever it is told to, and reads only if it is told to. */
export class RawMember {
  readonly socket: RawSocket;
  /** What has been opened, oldest first. */
  readonly frames: Frame[] = [];
  /** Whether it confirms what arrives and answers pings, as a member must. */
  isAnswering = true;
  readonly #clock: Clock;
  readonly #records: RecordLayer;
  readonly #signer: SigningChain;
  #view: View | undefined;
  #number = 0;
  #received = 0;

  private constructor(socket: RawSocket, clock: Clock, records: RecordLayer, signer: SigningChain) {
    this.socket = socket;
    this.#clock = clock;
    this.#records = records;
    this.#signer = signer;
  }

  /** Goes through the door with a link, in good order. */
  static async enter(joinLink: string, clock: Clock, name = "mallory"): Promise<RawMember> {
    const link = parseLink(joinLink);
    const socket = await RawSocket.open(Number(new URL(link.origin).port), `/t/${link.room}`);
    const keys = nodePrimitives.generateSigningKeyPair();
    const box = nodePrimitives.generateDhKeyPair();
    const share = handshakeWith(link);
    socket.send(share.answer(await socket.next()));
    const result = share.finish(await socket.next());
    const secrets = { send: result.initiatorToResponder, receive: result.responderToInitiator };
    const records = new RecordLayer(nodePrimitives, secrets, clock.now());
    const signer = new SigningChain(nodePrimitives, keys, link.room);
    const member = new RawMember(socket, clock, records, signer);
    const confirm = {
      share: share.share,
      name,
      key: keys.publicKey,
      box: box.publicKey,
      proof: signer.prove(result.hash, box.publicKey),
      received: 0,
    };
    member.put(FRAME.confirm, codec.encodeConfirm(confirm));
    socket.handOver((message) => member.#message(message));
    await socket.until(() => member.#view !== undefined);
    return member;
  }

  /** The next record, as bytes on the wire. */
  sealed(type: number, payload: Bytes = new Uint8Array(0)): Buffer {
    const messages = this.#records.seal({ type, payload }, this.#clock.now());
    return Buffer.concat(messages.map((message) => wsFrame(OPCODE.binary, message)));
  }

  put(type: number, payload: Bytes = new Uint8Array(0)): void {
    this.socket.tcp.write(this.sealed(type, payload));
  }

  /** A message in good order, as bytes on the wire. */
  saying(text: string): Buffer {
    const view = this.#view ?? { seq: 0, chain: new Uint8Array(32) };
    const body = encodeUtf8(text);
    const { fields } = this.#signer.sign({ body, view });
    this.#number += 1;
    const payload = codec.encodeMemberFrame({ t: "say", ...fields }, body);
    return this.sealed(FRAME.data, concat(u64be(this.#number), u64be(this.#received), payload));
  }

  count(type: number): number {
    return this.frames.filter((frame) => frame.type === type).length;
  }

  #message(message: Bytes): void {
    const frame = this.#records.open(message, this.#clock.now());
    if (frame === undefined) return;
    this.frames.push(frame);
    if (frame.type === FRAME.welcome) this.#view = codec.decodeWelcome(frame.payload).view;
    if (frame.type === FRAME.data) this.#received = readU64be(frame.payload, 0) ?? 0;
    if (!this.isAnswering) return;
    if (frame.type === FRAME.data) this.put(FRAME.ack, u64be(this.#received));
    if (frame.type === FRAME.ping) this.put(FRAME.pong);
  }
}

function handshakeWith(link: InviteLink): GuestHandshake {
  return new GuestHandshake(nodePrimitives, {
    room: new Uint8Array(Buffer.from(link.room, "base64url")),
    hostKey: link.hostKey,
    credential: inviteCredential(nodePrimitives, link.key),
    claim: nodePrimitives.random(16),
  });
}
