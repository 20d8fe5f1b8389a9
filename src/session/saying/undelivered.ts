import type { Unplaced } from "../../protocol/guest/replica.ts";
import type { SpokenEntry } from "../../protocol/room/log.ts";

/** Messages of which the beginning is told; they are the first of a row without gaps, so its numbers tell the rest. */
const MAX_TOLD = 40;
const MAX_TOLD_CHARS = 200;
/** Places that are named one by one. */
const MAX_SEQS = 100;

/** An own message that the host has never confirmed. */
interface UndeliveredMessage {
  /** Counts this side's messages in the room, files included, from 1. */
  readonly ownNo: number;
  /** The beginning of it; `undefined` for an offer. */
  readonly text: string | undefined;
  /** The name of a file that was offered, or of a service. */
  readonly file: string | undefined;
  readonly service: string | undefined;
  /** Names of those it was for; `undefined` for everybody. */
  readonly to: readonly string[] | undefined;
}

/** What becomes of own messages when a member's stay is over: a row of them, the first ones with their beginnings. */
export interface Undelivered {
  readonly firstNo: number;
  readonly lastNo: number;
  readonly messages: readonly UndeliveredMessage[];
}

/** @returns undefined where everything has arrived */
export function undeliveredOf(unplaced: readonly Unplaced[]): Undelivered | undefined {
  const [first, last] = [unplaced[0], unplaced.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const messages = unplaced.slice(0, MAX_TOLD).map((said) => ({
    ownNo: said.n,
    text: said.kind === "chat" ? beginningOf(said.text) : undefined,
    file: said.kind === "file" ? said.offer.name : undefined,
    service: said.kind === "service" ? said.offer.name : undefined,
    to: said.to,
  }));
  return { firstNo: first.n, lastNo: last.n, messages };
}

/** The first `most` code points of a text. */
export function beginningOf(text: string, most = MAX_TOLD_CHARS): string {
  // Cut twice, so that nobody takes 64 KiB apart to see the first signs of it.
  const letters = Array.from(text.slice(0, 2 * most));
  if (letters.length <= most && text.length <= 2 * most) return text;
  return `${letters.slice(0, most - 1).join("")}…`;
}

/** What a member that is out of the room has never confirmed of the host's own messages. */
export interface Missed {
  /** The name of that member. */
  readonly member: string;
  /** It has everything up to this place, as far as it said so. */
  readonly afterSeq: number;
  readonly count: number;
  /** Places of the first of them. */
  readonly seqs: readonly number[];
}

/** @returns undefined where it has them all */
export function missedOf(member: string, afterSeq: number, said: Iterable<SpokenEntry>): Missed | undefined {
  const seqs: number[] = [];
  for (const { own, seq, to } of said)
    if (own && seq > afterSeq && to?.includes(member) !== false) seqs.push(seq);
  if (seqs.length === 0) return undefined;
  return { member, afterSeq, count: seqs.length, seqs: seqs.slice(0, MAX_SEQS) };
}
