import type { Bytes } from "../../src/protocol/base/bytes.ts";
import type { GuestEffect } from "../../src/protocol/guest/guest-io.ts";
import type { Guest as GuestMachine } from "../../src/protocol/guest/guest.ts";
import type { Entry } from "../../src/protocol/room/log.ts";

/** Sits on the path of one connection: gets each message and says what arrives instead. */
export type Tamper = (message: Bytes, index: number) => readonly Bytes[];
export const honest: Tamper = (message) => [message];

export interface Guest {
  readonly member: GuestMachine;
  readonly entries: Entry[];
  readonly effects: GuestEffect[];
  tamperToHost: Tamper;
  tamperToGuest: Tamper;
  /** Refuse to connect while set. */
  offline: boolean;
  /** The address the host sees. */
  source: string;
  /** Every message that crossed, as the party in the middle saw it. */
  readonly wire: { toHost: Bytes[]; toGuest: Bytes[] };
  connection: number | undefined;
  /** How far its clock is ahead. */
  skew: number;
  /** What arrives while it sleeps; `undefined` when it is awake. */
  held: (() => void)[] | undefined;
  /** When its machine wants to be woken, by the world's clock. */
  wakesAt: number;
}

export type Way = "toHost" | "toGuest";

interface Direction {
  /** Messages that passed so far; the tamperer's index. */
  passed: number;
  /** When the last one arrives: none overtakes another. */
  dueAt: number;
  /** What goes in does not come out. */
  isHole: boolean;
}

/** A connection between a guest and the host, as each end believes in it. */
export interface Crossing {
  readonly guest: Guest;
  readonly connection: number;
  readonly memberConnection: number;
  readonly origin: string;
  guestUp: boolean;
  hostUp: boolean;
  /** Until then the host reads nothing of it. */
  readsAt: number;
  /** What has arrived at the host and was not read yet; the end of a connection comes behind the rest, as TCP has it. */
  readonly unread: (Bytes | "end")[];
  readonly toHost: Direction;
  readonly toGuest: Direction;
}

export function crossingBetween(
  ends: Pick<Crossing, "guest" | "connection" | "memberConnection" | "origin">,
): Crossing {
  const direction = (): Direction => ({ passed: 0, dueAt: 0, isHole: false });
  return {
    ...ends,
    guestUp: true,
    hostUp: true,
    readsAt: 0,
    unread: [],
    toHost: direction(),
    toGuest: direction(),
  };
}

/** From now on nothing comes out of this connection, and nobody is told. */
export function fallInto(crossing: Crossing, ways: readonly Way[] = ["toHost", "toGuest"]): void {
  for (const way of ways) crossing[way].isHole = true;
}

/** The texts of a participant's log, in order. */
export function texts(entries: readonly Entry[]): string[] {
  return entries.flatMap((entry) => (entry.kind === "chat" ? [entry.text] : []));
}

/** What an effect list of a guest holds of one kind. */
export function guestDid<Type extends GuestEffect["type"]>(
  guest: Guest,
  type: Type,
): Extract<GuestEffect, { type: Type }>[] {
  return guest.effects.filter(
    (effect): effect is Extract<GuestEffect, { type: Type }> => effect.type === type,
  );
}

/** Why a guest's stay is over: the code of its failure, or who ended it. */
export function endOf(guest: Guest): string | undefined {
  const { connection } = guest.member;
  if (connection.name !== "ended") return undefined;
  return connection.end.by === "failure" ? connection.end.error.code : connection.end.by;
}

/** The same bytes with one bit turned over; bit 0 is the highest of the first byte. */
export function flipBit(message: Bytes, bit: number): Bytes {
  const copy = message.slice();
  const at = bit >> 3;
  copy[at] = (copy[at] ?? 0) ^ (0x80 >> (bit & 7));
  return copy;
}
