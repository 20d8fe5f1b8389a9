import { offerIn, wordsOfOffer, type Offer } from "../../protocol/room/offers.ts";
import type { OutgoingMessage } from "../../protocol/room/participant.ts";
import type { CallId } from "./sent.ts";
import { beginningOf } from "./undelivered.ts";

/** As many as a caller needs to see what became of the calls that were cut off. */
const MAX_MESSAGES = 5;
const MAX_WORDS_CHARS = 60;
/** A call that was cut off is made again within this time, if at all. */
const AGAIN_MS = 10 * 60_000;

/** A message of this side, and what became of it so far. */
export interface OwnMessage {
  /** Its place in the room, once that is known. */
  readonly seq: number | undefined;
  /** Of a member's message without a place: it counts that member's own ones from 1. */
  readonly ownNo: number | undefined;
  /** The beginning of a text, or the name of what was offered. */
  readonly firstWords: string;
  readonly kind: "chat" | Offer["kind"];
  /** `queued`: nobody has confirmed it yet; `unconfirmed`: nobody will. */
  readonly state: "queued" | "sent" | "unconfirmed";
  /** Milliseconds since the epoch. */
  readonly saidAt: number;
}

interface Kept extends OwnMessage {
  /** Names it among those that are not confirmed yet. */
  readonly key: number;
  readonly said: OutgoingMessage;
  /** The call that said it, where a call did. */
  readonly call: CallId | undefined;
  /** Nobody has the answer of that call. */
  readonly isCutOff: boolean;
}

/** The last messages of this side, for a caller whose call was cut off before it was answered. */
export class OwnMessages {
  #kept: readonly Kept[] = [];

  /** The newest last. */
  get last(): readonly OwnMessage[] {
    return this.#kept;
  }

  add(said: OutgoingMessage, at: Pick<Kept, "key" | "seq" | "ownNo" | "saidAt" | "call">): void {
    const offer = said.what === undefined ? undefined : offerIn(said.text);
    const words = offer === undefined ? said.text : wordsOfOffer(offer);
    const firstWords = beginningOf(words.trimStart(), MAX_WORDS_CHARS).replace(/\s+/g, " ");
    const message: Kept = {
      ...at,
      said,
      firstWords,
      kind: offer?.kind ?? "chat",
      state: "queued",
      isCutOff: false,
    };
    this.#kept = [...this.#kept, message].slice(-MAX_MESSAGES);
  }

  confirmed(key: number, seq: number): void {
    this.#change((message) => (message.key === key ? { ...message, state: "sent", seq } : message));
  }

  /** Nobody is left to confirm it. */
  givenUp(key: number): void {
    this.#change((message) => (message.key === key && message.state === "queued" ? lost(message) : message));
  }

  /** The tunnel is over: nobody confirms anything any more. */
  end(): void {
    this.#change((message) => (message.state === "queued" ? lost(message) : message));
  }

  /** Nobody has the answer of this call. */
  cancelled(call: CallId): void {
    this.#change((message) => (message.call === call ? { ...message, isCutOff: true } : message));
  }

  /**
   * The very same message, said by a call that was cut off a while ago and is now made again.
   * @returns undefined where there is none, or where nobody will confirm it
   */
  takeUp(
    said: OutgoingMessage,
    call: CallId,
    now: number,
  ): (OwnMessage & { readonly key: number; readonly call: CallId | undefined }) | undefined {
    const found = this.#kept.find(
      (one) =>
        one.isCutOff && one.state !== "unconfirmed" && now - one.saidAt < AGAIN_MS && isSame(one.said, said),
    );
    if (found !== undefined)
      this.#change((message) => (message === found ? { ...message, call, isCutOff: false } : message));
    return found;
  }

  #change(change: (message: Kept) => Kept): void {
    this.#kept = this.#kept.map(change);
  }
}

function lost(message: Kept): Kept {
  return { ...message, state: "unconfirmed" };
}

function isSame(one: OutgoingMessage, other: OutgoingMessage): boolean {
  const members = ({ to }: OutgoingMessage): string => [...(to ?? ["everybody"])].toSorted().join(" ");
  return (
    one.text === other.text &&
    one.what === other.what &&
    one.intent === other.intent &&
    one.replyTo === other.replyTo &&
    members(one) === members(other)
  );
}
