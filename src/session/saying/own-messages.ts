import { hash } from "node:crypto";
import { offerIn, wordsOfOffer } from "../../protocol/room/offers.ts";
import type { OutgoingMessage } from "../../protocol/room/participant.ts";
import type { CallId } from "./sent.ts";
import { beginningOf } from "./undelivered.ts";

/** As many as a caller needs to see what became of the calls that were cut off. */
export const MAX_MESSAGES = 5;
const MAX_WORDS_CHARS = 60;
/** A call that was cut off is made again within this time, if at all. */
const AGAIN_MS = 10 * 60_000;

export const OWN_KINDS = ["chat", "file", "service", "withdrawal", "proposal", "statement"] as const;

/** A message of this side, and what became of it so far. */
export interface OwnMessage {
  /** Its place in the room, once that is known. */
  readonly seq: number | undefined;
  /** Of a member's message without a place: it counts that member's own ones from 1. */
  readonly ownNo: number | undefined;
  /** The beginning of a text, or the name of what was offered. */
  readonly firstWords: string;
  readonly kind: (typeof OWN_KINDS)[number];
  /** `queued`: nobody has confirmed it yet; `unconfirmed`: nobody will. */
  readonly state: "queued" | "sent" | "unconfirmed";
  /** Milliseconds since the epoch. */
  readonly saidAt: number;
}

interface Known extends OwnMessage {
  /** Names it among those that are not confirmed yet. */
  readonly key: number;
  /** The same for the very same message, and for no other. */
  readonly trace: string;
}

interface Kept extends Known {
  /** The call that said it, where a call of this process did. */
  readonly call: CallId | undefined;
  /** Nobody has the answer of that call. */
  readonly isCutOff: boolean;
}

/** One of them, as a later process of this side needs it. */
export interface KeptOwn extends Known {
  readonly isOfCall: boolean;
  /** Its call was answered. */
  readonly isAnswered: boolean;
}

/** Where these messages leave what a later process of this side has to know. */
export interface OwnKeeper {
  own(message: KeptOwn): void;
  ownAnswered(key: number): void;
  ownSent(key: number, seq: number): void;
  ownLost(key: number): void;
}

/** The last messages of this side, for a caller whose call was cut off before it was answered. */
export class OwnMessages {
  readonly #keep: OwnKeeper | undefined;
  #kept: readonly Kept[];

  /** @param kept those of an earlier process: a call of it that had no answer was cut off */
  constructor(keep?: OwnKeeper, kept: readonly KeptOwn[] = []) {
    this.#keep = keep;
    this.#kept = kept.map(({ isOfCall, isAnswered, ...known }) => {
      return { ...known, call: undefined, isCutOff: isOfCall && !isAnswered };
    });
  }

  /** The newest last. */
  get last(): readonly OwnMessage[] {
    return this.#kept;
  }

  add(said: OutgoingMessage, { call, ...at }: Pick<Kept, "key" | "seq" | "ownNo" | "saidAt" | "call">): void {
    const offer = said.what === undefined ? undefined : offerIn(said.text);
    const words = offer === undefined ? said.text : wordsOfOffer(offer);
    const firstWords = beginningOf(words.trimStart(), MAX_WORDS_CHARS).replace(/\s+/g, " ");
    const known: Known = {
      ...at,
      trace: traceOf(said),
      firstWords,
      kind: offer?.kind ?? "chat",
      state: "queued",
    };
    this.#kept = [...this.#kept, { ...known, call, isCutOff: false }].slice(-MAX_MESSAGES);
    this.#keep?.own({ ...known, isOfCall: call !== undefined, isAnswered: false });
  }

  /** The call that said it is being answered. */
  answered(key: number): void {
    const isOfCall = this.#kept.some((one) => one.key === key && one.call !== undefined && !one.isCutOff);
    if (isOfCall) this.#keep?.ownAnswered(key);
  }

  confirmed(key: number, seq: number): void {
    const known = this.#kept.find((one) => one.key === key);
    if (known !== undefined && known.state !== "sent") this.#keep?.ownSent(key, seq);
    this.#change((message) => (message.key === key ? { ...message, state: "sent", seq } : message));
  }

  /** Nobody is left to confirm it. */
  givenUp(key: number): void {
    if (this.#kept.some((one) => one.key === key && one.state === "queued")) this.#keep?.ownLost(key);
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
    const trace = traceOf(said);
    const found = this.#kept.find(
      (one) =>
        one.isCutOff && one.state !== "unconfirmed" && now - one.saidAt < AGAIN_MS && one.trace === trace,
    );
    if (found !== undefined) {
      this.#change((message) => (message === found ? { ...message, call, isCutOff: false } : message));
      this.#keep?.ownAnswered(found.key);
    }
    return found;
  }

  #change(change: (message: Kept) => Kept): void {
    this.#kept = this.#kept.map(change);
  }
}

function lost(message: Kept): Kept {
  return { ...message, state: "unconfirmed" };
}

function traceOf({ text, what, intent, replyTo, to }: OutgoingMessage): string {
  const members = to?.toSorted() ?? "everybody";
  return hash("sha256", JSON.stringify([text, what, intent, replyTo, members]), "base64url");
}
