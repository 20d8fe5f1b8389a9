import assert from "node:assert/strict";
import type { MemberId } from "../../src/protocol/base/ids.ts";
import { ROOM } from "../../src/protocol/base/limits.ts";
import type { ChatEntry, Entry, SystemEntry } from "../../src/protocol/room/log.ts";
import type { Message, Participant } from "./participant.ts";

interface Place {
  /** What everybody who is told of it is told alike. */
  readonly same: string;
  readonly said: { readonly signer: Participant; readonly message: Message } | undefined;
}

interface Stay {
  readonly name: string;
  readonly joined: number;
  left: number;
}

/** Less than the least at which history stops being whole, whatever frames add to their texts. */
const HISTORY_CHARS = ROOM.maxHistoryBytes * 0.8;

function sameForAll(entry: Entry): string {
  // Texts are compared with what was said.
  return JSON.stringify({ ...entry, own: undefined, past: undefined, text: undefined });
}

/**
 * The order of the room as it becomes known: the host hears of everything but of what members say to each other alone, which
 * those concerned reveal when they are told. Every entry of everybody is held against it at once, and the holes at the end.
 */
export class Order {
  readonly #hasHistory: boolean;
  readonly #places = new Map<number, Place>();
  readonly #stays = new Map<MemberId, Stay>();
  /** Characters of everything that has a place. */
  chars = 0;
  /** Messages to some, and entries that were given as past. */
  addressed = 0;
  past = 0;

  constructor(hasHistory: boolean, host: MemberId, hostName: string) {
    this.#hasHistory = hasHistory;
    this.#stays.set(host, { name: hostName, joined: 0, left: Number.POSITIVE_INFINITY });
  }

  /** How the room calls, or called, somebody. */
  nameOf(id: MemberId): string | undefined {
    return this.#stays.get(id)?.name;
  }

  isPresent(id: MemberId): boolean {
    return this.#stays.get(id)?.left === Number.POSITIVE_INFINITY;
  }

  saidAt(seq: number): Place["said"] {
    return this.#places.get(seq)?.said;
  }

  // --- at every moment ---

  tell(listener: Participant, entry: Entry, everybody: readonly Participant[]): void {
    const { seq } = entry;
    const isHost = listener.guest === undefined;
    if (listener.first === undefined) this.#begins(listener, entry);
    assert.ok(seq > listener.last, `place ${seq} after place ${listener.last}`);
    listener.last = seq;
    const isArrival = entry.kind === "system" && entry.event === "joined" && entry.member === listener.id;
    if (isArrival) listener.hasArrived = true;
    assert.equal(entry.past === true, !listener.hasArrived, `place ${seq} of the past?`);
    if (entry.past === true) this.past += 1;
    assert.notEqual(entry.kind, "file");
    const said = entry.kind === "chat" ? heard(listener, entry, everybody) : undefined;
    const same = sameForAll(entry);
    const known = this.#places.get(seq);
    if (known !== undefined) return assert.equal(same, known.same, "not what others were told");
    assert.ok(isHost || said?.message.to !== undefined, "not what the host knows");
    this.#places.set(seq, { same, said });
    if (entry.kind === "system") return this.#happened(entry);
    if (said !== undefined && entry.kind === "chat") this.#said(entry, said.signer, said.message);
  }

  #begins(listener: Participant, entry: Entry): void {
    listener.first = entry.seq;
    const { guest } = listener;
    if (guest === undefined) return;
    if (this.#hasHistory)
      return assert.ok(entry.seq === 1 || this.chars > HISTORY_CHARS, "history from its beginning");
    const isArrival = entry.kind === "system" && entry.event === "joined";
    assert.ok(isArrival && entry.member === listener.id, "the first event is one's own arrival");
  }

  #happened(entry: SystemEntry): void {
    if (entry.event === "joined") {
      const { name, member, seq } = entry;
      for (const stay of this.#stays.values())
        assert.ok(stay.left < seq || stay.name !== name, "two members of one name");
      this.#stays.set(member, { name, joined: seq, left: Number.POSITIVE_INFINITY });
    } else if (entry.event === "left") {
      const stay = this.#stays.get(entry.member);
      assert.ok(stay !== undefined && this.isPresent(entry.member), "somebody left who is not here");
      stay.left = entry.seq;
    }
  }

  #said(entry: ChatEntry, signer: Participant, message: Message): void {
    const { seq, fromName, to } = entry;
    const stay = this.#stays.get(signer.id);
    assert.ok(
      stay !== undefined && stay.joined < seq && seq < stay.left,
      "words of somebody who is not here",
    );
    assert.equal(fromName, stay.name, "under another's name");
    const names = message.to?.map((id) => {
      const one = this.#stays.get(id);
      return one === undefined || one.left < seq ? id : one.name;
    });
    assert.deepEqual(to, names, "to whom");
    place(signer, message, seq);
    this.chars += message.text.length;
    if (to !== undefined) this.addressed += 1;
  }

  // --- at the end ---

  /** Of every place in its part of the room this one has what is for it, and nothing else. */
  checkHeard(listener: Participant, entries: readonly Entry[], upTo: number): void {
    let at = 0;
    for (let seq = listener.first ?? Number.POSITIVE_INFINITY; seq <= upTo; seq += 1) {
      const isHere = entries[at]?.seq === seq;
      if (isHere) at += 1;
      const known = this.#places.get(seq);
      if (known === undefined) continue;
      const { said } = known;
      const isFor = said === undefined || listener.isMeant(said.signer, said.message);
      assert.equal(isHere, isFor, `place ${seq}, for ${listener.index}?`);
    }
    assert.equal(at, entries.length, `places that ${listener.index} knows`);
  }

  /** A place of which nobody was told is that of words between people who are gone. */
  checkUntold(lastSeq: number, everybody: readonly Participant[]): void {
    let untold = 0;
    for (let seq = 1; seq <= lastSeq; seq += 1) if (!this.#places.has(seq)) untold += 1;
    if (untold === 0) return;
    const isGone = (id: MemberId): boolean => {
      const one = everybody.find((participant) => participant.id === id);
      return one?.guest?.member.connection.name === "ended";
    };
    const lost = everybody
      .filter(({ id }) => isGone(id))
      .flatMap(({ said }) => said)
      .filter((message) => message.place === undefined && message.to?.every(isGone) === true);
    assert.ok(untold <= lost.length, `${untold} places of which nobody was told`);
  }
}

/** Exactly once, in the order of its speaker, word for word, and nothing left out but what is not for this one. */
function heard(
  listener: Participant,
  entry: ChatEntry,
  everybody: readonly Participant[],
): NonNullable<Place["said"]> {
  const [, index, number] = /^([0-9]+):([0-9]+)/.exec(entry.text) ?? [];
  const signer = everybody[Number(index)];
  const message = signer?.said[Number(number)];
  assert.ok(signer !== undefined && message !== undefined, "words of nobody");
  assert.equal(entry.from, signer.id, "another's words");
  assert.equal(entry.own, signer === listener, "own words?");
  assert.ok(entry.text === message.text, "other words");
  assert.ok(listener.isMeant(signer, message), `${listener.index} hears what is not for it`);
  const next = listener.heard.get(signer) ?? 0;
  assert.ok(Number(number) >= next, `message ${number} of ${signer.index} after ${next}`);
  for (const missed of signer.said.slice(next, Number(number))) {
    const isBefore = missed.place !== undefined && missed.place < (listener.first ?? 0);
    const isOther = isBefore || !listener.isMeant(signer, missed);
    assert.ok(isOther, `${listener.index} has not heard all that ${signer.index} said`);
  }
  listener.heard.set(signer, Number(number) + 1);
  return { signer, message };
}

/** Its messages have places in the order in which it said them. */
function place({ said, index }: Participant, message: Message, seq: number): void {
  assert.equal(message.place, undefined, `two places for a message of ${index}`);
  message.place = seq;
  const at = said.indexOf(message);
  const before = said.findLast((one, where) => where < at && one.place !== undefined)?.place ?? 0;
  const after = said.find((one, where) => where > at && one.place !== undefined)?.place ?? seq + 1;
  assert.ok(before < seq && seq < after, `messages of ${index} in another order`);
}
