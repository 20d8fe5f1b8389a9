/**
 * A guest of its own: sections 4 to 8 of docs/PROTOCOL.md as far as a member needs them that talks, comes back and leaves.
 * It checks all that a member must, and gives up as it must; files, presence and time-outs it has none.
 */
import { answer } from "./admission.ts";
import { base64url, concat, isEqual, readU64, readUtf8, u64, utf8, type Bytes } from "./bytes.ts";
import {
  decodeConfirm,
  decodeHostFrame,
  decodeHostNote,
  decodeWelcome,
  encodeFrame,
  type Chat,
  type Member,
} from "./frames.ts";
import { inviteCredential, resumeCredential, resumeSecret, type Credential } from "./keys.ts";
import { parseLink, type Link } from "./link.ts";
import { digestsOf, idOf, memberBytes, Replica, signedBytes } from "./order.ts";
import { ed25519Public, ed25519Sign, random, sha256, x25519Public } from "./primitives.ts";
import { RecordReceiver, RecordSender, TYPE, type Frame } from "./records.ts";
import { demand, Refused } from "./refusal.ts";
import { safetyCode } from "./safety.ts";
import { openSealed, seal } from "./seals.ts";
import { Socket } from "./socket.ts";

const NO_HASH = new Uint8Array(32);
const DENIED = Uint8Array.of(0x04);
const LEFT = 1;
const NUMBERS_BYTES = 16;

type Confirm = ReturnType<typeof decodeConfirm>["header"];

/** Something that was said or happened, as this guest may show it. */
export interface Entry {
  seq: number;
  /** The text, or the name of the event; nothing of what is not for this guest. */
  text: string | undefined;
  from: string | undefined;
}

export interface GuestOptions {
  name: string;
  /** What to put into CONFIRM instead of what belongs there. */
  change?: (confirm: Confirm, one: { hash: Bytes; sign: (message: Bytes) => Bytes }) => Confirm;
}

interface Connection {
  socket: Socket;
  sender: RecordSender;
  receiver: RecordReceiver;
}

export class Guest {
  readonly entries: Entry[] = [];
  /** Why the host says that it is over. */
  closed: number | undefined;
  /** A fault of the host's. */
  refused: Refused | undefined;
  readonly #link: Link;
  readonly #room: string;
  readonly #name: string;
  readonly #seed = random(32);
  readonly #box = random(32);
  readonly #claim = random(16);
  #change: GuestOptions["change"];
  #credential: Credential;
  #connection: Connection | undefined;
  #replica: Replica | undefined;
  #safetyCode = "";
  /** Hash and proof of the first handshake (H13). */
  #first: { hash: Bytes; proof: Bytes } = { hash: NO_HASH, proof: NO_HASH };
  /** Numbers of the reliable channel (D1), and what the host has not confirmed. */
  #received = 0;
  #sent = 0;
  #outbox: { number: number; frame: Bytes }[] = [];
  /** Own messages: their count, the hash of the last one, and those that have no place. */
  #count = 0;
  #last: Bytes = NO_HASH;
  readonly #unplaced = new Map<number, { event: Chat; body: Bytes; text: string }>();
  #wake: () => void = () => {};

  private constructor(link: string, { name, change }: GuestOptions) {
    this.#link = parseLink(link);
    this.#room = base64url(this.#link.room);
    this.#name = name;
    this.#change = change;
    this.#credential = inviteCredential(this.#link.key);
  }

  /** Joins and has seen its own arrival. @throws {Refused} */
  static async join(link: string, options: GuestOptions): Promise<Guest> {
    const guest = new Guest(link, options);
    await guest.#connect();
    await guest.until(() => guest.#replica?.member(guest.id) !== undefined);
    return guest;
  }

  get id(): string {
    return idOf(this.#key);
  }

  get safetyCode(): string {
    return this.#safetyCode;
  }

  get members(): { id: string; name: string }[] {
    return (this.#replica?.members ?? []).map(({ id, name }) => ({ id, name }));
  }

  idNamed(name: string): string {
    return this.members.find((member) => member.name === name)?.id ?? "";
  }

  /** Says something to everybody, or sealed to some; gives its place. */
  async say(text: string, to?: readonly string[]): Promise<number> {
    const replica = this.#present();
    const n = this.#count + 1;
    const boxes = to?.map((id) => replica.member(id)?.box ?? NO_HASH);
    const context = { room: this.#room, from: this.id, n };
    const sealed = boxes === undefined ? undefined : seal(context, boxes, utf8(text));
    const body = sealed?.body ?? utf8(text);
    const unsigned = {
      kind: "chat" as const,
      from: this.id,
      n,
      prev: this.#last,
      view: replica.view,
      ...(sealed === undefined ? {} : { to: [...(to ?? [])], seal: sealed.seal }),
      sig: new Uint8Array(64),
    };
    const bytes = signedBytes(this.#room, unsigned, digestsOf(unsigned, body));
    const event: Chat = { ...unsigned, sig: ed25519Sign(this.#seed, bytes) };
    this.#count = n;
    this.#last = sha256(bytes);
    this.#unplaced.set(n, { event, body, text });
    const { kind: _, from: __, ...fields } = event;
    this.#sendData(encodeFrame({ header: { t: "say", ...fields }, body }));
    await this.until(() => !this.#unplaced.has(n));
    return this.entries.findLast(({ from }) => from === this.id)?.seq ?? 0;
  }

  /** Loses its connection, and says that afterwards: it goes out when the guest comes back. */
  cut(): void {
    this.#connection?.socket.cut();
    this.#connection = undefined;
  }

  /** Comes back by the last secret (K3). @throws {Refused} `denied` */
  async resume(change?: GuestOptions["change"]): Promise<void> {
    this.#change = change;
    await this.#connect();
  }

  leave(): void {
    const { socket, sender } = this.#connected();
    socket.send(sender.close(LEFT));
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.refused !== undefined) throw this.refused;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  get #key(): Bytes {
    return ed25519Public(this.#seed);
  }

  #present(): Replica {
    if (this.#replica === undefined) throw new Error("nobody has welcomed this guest");
    return this.#replica;
  }

  #connected(): Connection {
    if (this.#connection === undefined) throw new Error("not connected");
    return this.#connection;
  }

  // --- a connection, from M1 to WELCOME ---

  async #connect(): Promise<void> {
    const { origin, room, hostKey } = this.#link;
    const socket = await Socket.open(`${origin}/t/${this.#room}`);
    const [share, ephemeral] = [random(32), random(32)]; // H14
    const credential = this.#credential;
    const half = answer(
      { room, hostKey, credential, claim: this.#claim, share, ephemeral },
      await socket.next(),
    );
    socket.send(half.m2);
    const split = half.finish(await socket.next());
    const sender = new RecordSender(split.initiatorToResponder);
    const receiver = new RecordReceiver(split.responderToInitiator);

    const proof = ed25519Sign(
      this.#seed,
      memberBytes(this.#room, { ...this.#keys, hash: split.hash, ...this.#role }),
    );
    const honest = { share, name: this.#name, ...this.#keys, proof, received: this.#received };
    const sign = (message: Bytes): Bytes => ed25519Sign(this.#seed, message);
    const header = this.#change?.(honest, { hash: split.hash, sign }) ?? honest;
    socket.send(
      sender.seal({ type: TYPE.confirm, payload: encodeFrame({ header, body: new Uint8Array(0) }) }),
    );

    const answered = await socket.next();
    demand(!isEqual(answered, DENIED), "denied", "the host says DENIED");
    const frame = receiver.open(answered);
    demand(frame?.type === TYPE.welcome, "protocol-violation", "no WELCOME");
    this.#welcomed(decodeWelcome(frame.payload).header, { hash: split.hash, proof });
    if (this.#safetyCode === "") this.#safetyCode = safetyCode(split.hash, share);
    this.#credential = resumeCredential(resumeSecret(split.exporter));
    this.#connection = { socket, sender, receiver };
    for (const { number, frame: kept } of this.#outbox) this.#put(number, kept); // D5
    void this.#listen(this.#connection);
  }

  get #keys(): { key: Bytes; box: Bytes } {
    return { key: this.#key, box: x25519Public(this.#box) };
  }

  #welcomed(welcome: ReturnType<typeof decodeWelcome>["header"], first: { hash: Bytes; proof: Bytes }): void {
    demand(welcome.self === this.id, "protocol-violation", "a WELCOME for somebody else");
    demand(welcome.received <= this.#sent, "protocol-violation", "more than was ever sent"); // D2
    this.#outbox = this.#outbox.filter(({ number }) => number > welcome.received);
    if (this.#replica !== undefined) return;
    this.#replica = new Replica(this.#room, welcome.host, welcome.members, welcome.view);
    this.#first = first;
  }

  // --- what the host says ---

  async #listen({ socket, receiver }: Connection): Promise<void> {
    try {
      for (;;) {
        const frame = receiver.open(await socket.next());
        if (frame !== undefined) this.#take(frame);
        this.#wake();
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.code !== "closed") this.refused = error;
      this.#wake();
    }
  }

  #take({ type, payload }: Frame): void {
    // D11: the time in whole seconds.
    if (type === TYPE.ping) this.#send({ type: TYPE.pong, payload: u64(Math.floor(Date.now() / 1000)) });
    else if (type === TYPE.data) this.#data(payload);
    else if (type === TYPE.ack) this.#acknowledged(readU64(payload, 0));
    else if (type === TYPE.note) decodeHostNote(payload);
    else if (type === TYPE.close) this.closed = payload.at(-1);
    else {
      demand(type === TYPE.pong, "protocol-violation", "a frame that does not belong here"); // F5
      demand([0, 8].includes(payload.length), "protocol-violation", "a frame of the wrong size"); // F3
    }
  }

  #acknowledged(number: number | undefined): void {
    demand(number !== undefined && number <= this.#sent, "protocol-violation", "what was never sent"); // D2
    this.#outbox = this.#outbox.filter((one) => one.number > number);
  }

  #data(payload: Bytes): void {
    const number = readU64(payload, 0) ?? 0;
    this.#acknowledged(readU64(payload, 8));
    if (number <= this.#received) return; // D4
    demand(number === this.#received + 1, "protocol-violation", "a number skipped");
    this.#received = number;
    this.#happened(payload.subarray(NUMBERS_BYTES));
    this.#send({ type: TYPE.ack, payload: u64(number) });
  }

  #happened(payload: Bytes): void {
    const { header, body } = decodeHostFrame(payload);
    const { seq, ts } = header;
    if (header.t === "own") return this.#placed(seq, ts, header.n);
    const { event } = header;
    const isSaid = event.kind === "chat" || event.kind === "withheld";
    demand(!isSaid || event.from !== this.id, "order-broken", "words put into our mouth"); // O7
    if (event.kind === "withheld")
      demand(!event.to.includes(this.id), "order-broken", "a message for this member kept back"); // O10
    if (event.kind === "joined" && event.member.id === this.id) this.#checkOwn(event.member);
    this.#present().append(seq, ts, event, body);
    if (event.kind === "chat") this.entries.push({ seq, from: event.from, text: this.#read(event, body) });
    else if (event.kind === "withheld") this.entries.push({ seq, from: event.from, text: undefined });
    else this.entries.push({ seq, from: undefined, text: event.kind });
  }

  get #role(): Pick<Member, "role"> {
    const { role } = this.#link;
    return role === undefined ? {} : { role };
  }

  /** O7: others seal to these keys, and take them for proved in that handshake. */
  #checkOwn(told: Pick<Member, "key" | "box" | "hash" | "proof" | "role">): void {
    const own = { ...this.#keys, ...this.#first };
    const isOwn = (["key", "box", "hash", "proof"] as const).every((field) =>
      isEqual(told[field], own[field]),
    );
    demand(isOwn && told.role === this.#link.role, "order-broken", "another record than our own");
  }

  #placed(seq: number, ts: number, n: number): void {
    const said = this.#unplaced.get(n);
    const [next] = this.#unplaced.keys();
    demand(said !== undefined && n === next, "order-broken", "an own message out of its turn"); // O7
    this.#unplaced.delete(n);
    this.#present().append(seq, ts, said.event, said.body);
    this.entries.push({ seq, from: this.id, text: said.text });
  }

  #read({ from, n, to, seal: sealed }: Chat, body: Bytes): string | undefined {
    if (to === undefined || sealed === undefined) return readUtf8(body);
    const index = to.indexOf(this.id);
    return readUtf8(openSealed({ room: this.#room, from, n, secret: this.#box, index, ...sealed, body }));
  }

  // --- what goes out ---

  #sendData(frame: Bytes): void {
    this.#sent += 1;
    this.#outbox.push({ number: this.#sent, frame });
    if (this.#connection !== undefined) this.#put(this.#sent, frame);
  }

  #put(number: number, frame: Bytes): void {
    this.#send({ type: TYPE.data, payload: concat(u64(number), u64(this.#received), frame) });
  }

  #send(frame: Frame): void {
    const { socket, sender } = this.#connected();
    socket.send(sender.seal(frame));
  }
}
