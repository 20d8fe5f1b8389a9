import type { MemberId } from "../../protocol/base/ids.ts";
import { decodeOffer } from "../../protocol/files/offer.ts";
import type { OutgoingMessage } from "../../protocol/room/participant.ts";
import type { Offering } from "../files/files.ts";
import type { KeptOrigin } from "../files/local-files.ts";
import type { Share } from "../files/sharing.ts";
import type { LocalFiles } from "../files/local-files.ts";
import type { HeldOffer, KeptOffer, KeptWords, SessionKeeping } from "./kept-session.ts";
import type { Held } from "../../oversight/lanes/held.ts";
import type { Form } from "./form.ts";

/** Offers and words that outlive a process: how they are kept, and how they are made again. */

/** The parts of a message that are more than its words. */
interface More {
  readonly file?: Offering | undefined;
  readonly service?: object | undefined;
  readonly form?: Form | undefined;
}

/**
 * Keeps a message that waits for a person, as what it is.
 * @returns its number there; undefined where a later process does without it
 */
export function keepHeld(
  keeping: SessionKeeping,
  outgoing: OutgoingMessage,
  { file, service, form, held }: More & { readonly held: Held },
): number | undefined {
  const askId = ownAskOf(held);
  const { what, to, ...words } = outgoing;
  if (file !== undefined) {
    const { origin, examined } = file.source;
    const { gates, reasons } = examined;
    const offer = { offer: outgoing.text, to, author: outgoing.author, gates, reasons, askId };
    const no = origin === undefined ? undefined : keeping.heldOffer({ ...offer, origin });
    return no ?? keeping.heldElse(askId);
  }
  // A service has its target in this process, and a signature is about what stood then.
  if (service !== undefined || form?.kind === "statement") return keeping.heldElse(askId);
  // A later process withdraws by itself what this one has offered.
  if (what !== undefined) return undefined;
  const kept: KeptWords = to === undefined ? words : { ...words, to: [...to] };
  return keeping.held(kept, { isProposal: form !== undefined, askId });
}

function ownAskOf({ why, askId }: Held): number | undefined {
  return why.reason === "gates" ? askId : undefined;
}

export function wordsAgain({ text, intent, author, replyTo, to }: KeptWords): OutgoingMessage {
  return {
    text,
    intent,
    author,
    ...(replyTo === undefined ? {} : { replyTo }),
    ...(to === undefined ? {} : { to }),
  };
}

/** An offer that has left. Its content is looked at when somebody asks for it. */
export function sharedAgain(
  kept: KeptOffer,
  localFiles: Pick<LocalFiles, "again"> | undefined,
  keeping: Pick<SessionKeeping, "madeBytes">,
): Share | undefined {
  const offer = decodeOffer(kept.offer);
  if (offer === undefined || localFiles === undefined) return undefined;
  const to: readonly MemberId[] | undefined = kept.to;
  return { offer, to, isOffered: true, source: localFiles.again(originOf(kept, keeping), offer) };
}

/** Of what was made in memory the bytes are read when they are needed. */
export function originOf(
  kept: KeptOffer & Partial<Pick<HeldOffer, "gates" | "reasons">>,
  keeping: Pick<SessionKeeping, "madeBytes">,
): KeptOrigin {
  const { origin, offer, gates = [], reasons = [] } = kept;
  if (origin.kind !== "made") return origin;
  return { ...origin, gates, reasons, bytes: () => keeping.madeBytes(offer) };
}
