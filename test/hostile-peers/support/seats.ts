import { readU64be, u64be, type Bytes } from "../../../src/protocol/base/bytes.ts";
import type { MemberId } from "../../../src/protocol/base/ids.ts";
import { FRAME } from "../../../src/protocol/record/record.ts";
import { decodeStreamFrame, type StreamFrame } from "../../../src/protocol/link/stream-frames.ts";
import { must } from "../../../src/errors/must.ts";
import type { View } from "../../../src/protocol/room/frames.ts";
import type { Primitives } from "../../../src/protocol/base/primitives.ts";
import { cheapPrimitives } from "../../simulation/primitives.ts";
import { fileRequest } from "../../support/file-words.ts";
import { Rogue } from "../../support/streaming.ts";
import { World, type Guest } from "../../support/wire.ts";

const STEP_MS = 10;
const FILE = new Uint8Array(16).fill(8);
const CHUNK_BYTES = 128 * 1024;
/** As much as an honest sender lets wait ahead of its words. */
const BULK_AHEAD_BYTES = 512 * 1024;
/** Frames that a hostile seat tries to send in one step. */
const EAGERNESS = 60;

/** The line of an honest member, each way. */
export interface Line {
  readonly bytesPerSec: number;
  readonly delayMs: number;
}

export const FAST: Line = { bytesPerSec: 125_000_000, delayMs: 5 };

/**
 * A seat that keeps to no rule but one: what the host does not read, it cannot send. Frames wait in a queue of its own while the host
 * pauses it, as they would in its socket.
 */
export class Seat {
  readonly rogue: Rogue;
  readonly world: World;
  /** STREAM frames that have come, oldest first; whoever needs them takes them out. */
  readonly heard: StreamFrame[] = [];
  /** Bytes of DATA that it takes in a second. */
  drainBytesPerSec = Number.POSITIVE_INFINITY;
  lastOpened = -1;
  /** How often it came back, and was not let in. */
  returns = 0;
  refusals = 0;
  readonly #queue: (() => void)[] = [];
  readonly #unread: Bytes[] = [];
  #readsAt = 0;
  #received = 0;
  #acknowledged = 0;
  #allowance = 0;
  #notes = 0;
  #isDeaf = false;
  readonly #view: View;

  /** `view` is one that it may name in all that it says. */
  constructor(world: World, primitives: Primitives, view: View) {
    this.world = world;
    this.rogue = new Rogue(world, world.link(), primitives);
    this.#view = view;
  }

  get id(): MemberId {
    return this.rogue.impostor.signer.id;
  }

  get connection(): number {
    return this.rogue.impostor.connection;
  }

  /** How much it would still like to send. */
  get backlog(): number {
    return this.#queue.length;
  }

  send(act: () => void): void {
    this.#queue.push(act);
  }

  stream(frame: StreamFrame): void {
    this.send(() => this.rogue.frame(frame));
  }

  /** Asks `who` for the file that it offered; gives the number of the stream. */
  open(who: MemberId, credit: number, change: Partial<StreamFrame & { t: "open" }> = {}): number {
    this.lastOpened += 2;
    const stream = this.lastOpened;
    this.stream({
      t: "open",
      stream,
      ...fileRequest({ file: FILE, owner: who, offset: 0, credit }),
      ...change,
    });
    return stream;
  }

  record(type: number, payload: Bytes = new Uint8Array(0)): void {
    this.send(() => this.rogue.impostor.put(type, payload));
  }

  say(text: string): void {
    this.send(() => this.rogue.impostor.say(text, {}, this.#view));
  }

  note(): void {
    this.#notes += 1;
    const read = this.#notes;
    this.send(() => {
      const { codec } = this.rogue.impostor;
      this.rogue.impostor.put(FRAME.note, codec.encodeMemberNote({ read, active: true }));
    });
  }

  /** Drops what it has and resumes, unless the host does not let it in; from then on it reads nothing. */
  comesBack(): void {
    const { world } = this;
    this.#isDeaf = true;
    world.isRecording = true;
    try {
      this.rogue.impostor.enter({ received: 0 });
      this.returns += 1;
    } catch {
      this.refusals += 1;
    }
    world.isRecording = false;
    world.hostEffects.length = 0;
  }

  paused(ms: number): void {
    this.#readsAt = Math.max(this.#readsAt, this.world.now + ms);
  }

  arrived(message: Bytes): void {
    if (!this.#isDeaf) this.#unread.push(message);
  }

  /** A step of time: sends what the host reads, and takes in what has come. */
  step(): void {
    this.#read();
    for (let sent = 0; sent < EAGERNESS && this.world.now >= this.#readsAt; sent += 1) {
      const act = this.#queue.shift();
      if (act === undefined) return;
      act();
      this.world.settle();
    }
  }

  #read(): void {
    this.#allowance = Math.min(
      this.#allowance + (this.drainBytesPerSec * STEP_MS) / 1_000,
      Math.max(CHUNK_BYTES, this.drainBytesPerSec / 10),
    );
    for (let message = this.#unread[0]; message !== undefined; message = this.#unread[0]) {
      if (message.length > this.#allowance) break;
      this.#allowance -= message.length;
      this.#unread.shift();
      this.#take(message);
    }
    if (this.#received === this.#acknowledged) return;
    this.#acknowledged = this.#received;
    const upTo = this.#received;
    this.send(() => this.rogue.impostor.put(FRAME.ack, u64be(upTo)));
  }

  #take(message: Bytes): void {
    // Chunks are counted, not looked at.
    if (message[0] !== 0x10) return this.#skip(message);
    const frame = this.rogue.records.open(message, this.world.now);
    if (frame?.type === FRAME.data) this.#received = readU64be(frame.payload, 0) ?? 0;
    if (frame?.type === FRAME.stream) this.heard.push(decodeStreamFrame(frame.payload));
    if (frame?.type === FRAME.ping) this.send(() => this.rogue.impostor.put(FRAME.pong, new Uint8Array(0)));
  }

  #skip(message: Bytes): void {
    if (message[0] === 0x11) this.rogue.records.openBulk(message);
    else this.rogue.records.openOpenBulk(message);
  }
}

/** How long what was said took to be heard, in ms. */
export interface Delays {
  readonly said: number;
  readonly delays: readonly number[];
}

export function p95(delays: readonly number[]): number {
  const sorted = delays.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.95))] ?? Number.NaN;
}

/** A room with honest members who talk and offer files, and with seats that may be hostile. Time is virtual. */
export class Neighbourhood {
  readonly world: World;
  readonly honest: Guest[] = [];
  readonly seats: Seat[] = [];
  readonly alarms: { readonly code: string; readonly member: string }[] = [];
  readonly #lines = new Map<Guest, Line>();
  readonly #busyUntil = new Map<Guest, { toHost: number; toGuest: number }>();
  /** Streams that an honest member serves. */
  readonly #serving = new Map<Guest, Set<number>>();
  readonly #saidAt = new Map<string, number>();
  readonly #delays = new Map<string, number[]>();
  #size = 0;
  #way: "toHost" | "toGuest" = "toHost";
  #said = 0;

  constructor(options: { honest: readonly Line[]; seats: number; seed?: number }) {
    // Only amounts and times count here.
    const primitives = cheapPrimitives(options.seed ?? 1);
    this.world = new World({ idleMs: 24 * 3_600_000 }, primitives);
    const { world } = this;
    for (const [at, line] of options.honest.entries()) {
      const guest = world.pair(`honest ${at}`);
      this.honest.push(guest);
      this.#lines.set(guest, line);
      this.#busyUntil.set(guest, { toHost: 0, toGuest: 0 });
      this.#serving.set(guest, new Set());
    }
    world.advance(1_000);
    for (let at = 0; at < options.seats; at += 1) {
      const { view } = must(this.honest[0]?.member.membership, "a member").order;
      this.seats.push(new Seat(world, primitives, view));
      world.advance(100);
    }
    world.advance(1_000);
    for (const { rogue } of this.seats) rogue.heard();
    world.isRecording = false;
    world.hostEffects.length = 0;
    world.observe = (guest, effect) => {
      if (effect.type === "send") {
        this.#size = effect.message.length;
        this.#way = guest === undefined ? "toGuest" : "toHost";
      }
      if (guest === undefined && "connection" in effect) {
        const seat = this.seats.find(({ connection }) => connection === effect.connection);
        if (effect.type === "send") seat?.arrived(effect.message);
        if (effect.type === "pause") seat?.paused(effect.ms);
      }
      if (effect.type === "alarm" && guest === undefined && "member" in effect)
        this.alarms.push({ code: effect.error.code, member: this.nameOf(effect.member) });
      if (effect.type === "entry" && effect.entry.kind === "chat") this.#heard(effect.entry.text);
      if (guest !== undefined && effect.type === "stream") this.#asked(guest, effect.event);
    };
    world.latency = (guest) => this.#takes(guest);
  }

  nameOf(id: string | undefined): string {
    return this.world.room.presence(this.world.now).find((one) => one.id === id)?.name ?? "";
  }

  names(): string[] {
    return this.world.room.presence(this.world.now).map(({ name }) => name);
  }

  /** Of those who are connected. */
  connected(): string[] {
    const all = this.world.room.presence(this.world.now);
    return all.filter(({ connected }) => connected).map(({ name }) => name);
  }

  /** Says something that is timed until each of the others has heard it. */
  say(who: Guest | "host", bytes = 200): boolean {
    this.#said += 1;
    const text = `#${who === "host" ? "host" : this.honest.indexOf(who)} ${this.#said} `.padEnd(bytes, ".");
    this.#saidAt.set(text, this.world.now);
    try {
      if (who === "host") this.world.room.say({ text }, this.world.now);
      else who.member.say({ text }, this.world.now);
      return true;
    } catch {
      return false;
    }
  }

  /** The delays of what one of them has said since this was last called; all of them where none is named. */
  delays(who?: Guest | "host"): number[] {
    const speakers =
      who === undefined
        ? [...this.#delays.keys()]
        : [who === "host" ? "host" : `${this.honest.indexOf(who)}`];
    return speakers.flatMap((speaker) => this.#delays.get(speaker)?.splice(0) ?? []);
  }

  /** Lets time pass; `each` is called at every step. */
  run(ms: number, each: (elapsed: number) => void = () => undefined): void {
    for (let elapsed = 0; elapsed < ms; elapsed += STEP_MS) {
      each(elapsed);
      for (const seat of this.seats) seat.step();
      for (const guest of this.honest) this.#serve(guest);
      this.world.advance(STEP_MS);
    }
  }

  /** Everybody who is honest says something twice a second, in turn. */
  readonly talk = (elapsed: number): void => {
    const speakers = [...this.honest, "host"] as const;
    const every = Math.max(STEP_MS, Math.floor(500 / speakers.length / STEP_MS) * STEP_MS);
    const speaker = speakers[(elapsed / every) % speakers.length];
    if (elapsed % every === 0 && speaker !== undefined) this.say(speaker);
  };

  #heard(text: string): void {
    const at = this.#saidAt.get(text);
    const speaker = /^#(\w+)/.exec(text)?.[1];
    if (at === undefined || speaker === undefined) return;
    const known = this.#delays.get(speaker) ?? [];
    this.#delays.set(speaker, known);
    // A speaker's own entry is no delivery, unless it is placed late: that it is told so is part of it.
    known.push(this.world.now - at);
  }

  #takes(guest: Guest): number {
    const line = this.#lines.get(guest);
    const busy = this.#busyUntil.get(guest);
    if (line === undefined || busy === undefined) return 0;
    const starts = Math.max(this.world.now, busy[this.#way]);
    busy[this.#way] = starts + (this.#size * 1_000) / line.bytesPerSec;
    const takes = Math.ceil(busy[this.#way] - this.world.now + line.delayMs);
    this.#size = 0;
    return takes;
  }

  #asked(guest: Guest, event: { readonly t: string; readonly stream: number }): void {
    const serving = this.#serving.get(guest);
    if (event.t === "open") {
      serving?.add(event.stream);
      guest.member.stream(
        { t: "accept", stream: event.stream, credit: 0, response: new Uint8Array(32) },
        this.world.now,
      );
    }
    if (event.t === "reset") serving?.delete(event.stream);
  }

  /** Chunks as far as credit goes, and no more of them ahead of what it says than an honest sender lets wait. */
  #serve(guest: Guest): void {
    const line = this.#lines.get(guest);
    const busy = this.#busyUntil.get(guest);
    if (line === undefined || busy === undefined) return;
    for (const stream of this.#serving.get(guest) ?? []) {
      let ahead = ((busy.toHost - this.world.now) * line.bytesPerSec) / 1_000;
      while (ahead < BULK_AHEAD_BYTES) {
        const bytes = new Uint8Array(CHUNK_BYTES - 21);
        if (!guest.member.sendChunk({ stream, bytes, isSealed: true }, this.world.now)) break;
        ahead += CHUNK_BYTES;
      }
    }
  }
}
