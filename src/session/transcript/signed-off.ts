import type { MemberId } from "../../protocol/base/ids.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import { offerIn } from "../../protocol/room/offers.ts";
import type { RoomOrder } from "../../protocol/room/order.ts";
import { SignOffs, type SignOff } from "../../protocol/sign-off/sign-offs.ts";
import type { MemberRecord } from "../../protocol/room/frames.ts";
import type { MessageEntry, UnsignedTranscript } from "./document.ts";

/** The proposals of a document, each with the statements that hold. */
export interface SignedOff {
  /** Oldest first. */
  readonly proposals: readonly SignOff[];
  /** Statements that do not hold, so that they count for nothing (Z5). */
  readonly unsound: readonly { readonly seq: number; readonly member: MemberId }[];
}

/** Where an entry stands: the order and the roster with it. */
type Standing = Pick<RoomOrder, "view" | "members">;

/**
 * The proposals of a document of this side's own, whose places and texts need no check. That of a stranger is what
 * `verifyTranscript` finds.
 */
export function signedOffIn(primitives: Primitives, document: UnsignedTranscript): SignedOff {
  const replay = new SigningReplay(primitives, document.room);
  let members: readonly MemberRecord[] = document.start.members;
  for (const entry of document.entries) {
    const { seq, chain } = entry;
    if (entry.kind === "message") {
      const isWhole = entry.text !== undefined && entry.redacted !== true;
      replay.message(entry, isWhole, { view: { seq, chain }, members });
    } else if (entry.event.kind === "joined") members = [...members, entry.event.member];
    else if (entry.event.kind === "left") {
      const { id: gone } = entry.event;
      members = members.filter(({ id }) => id !== gone);
    }
  }
  return replay.found;
}

/** For a tunnel that was to end with all signatures, and has not. */
export const NOT_SIGNED =
  "It was to end with the signatures of the humans of all members, and they are not all there.";

const PLACES = { page: "on a page", terminal: "in a terminal" } as const;

/** Says in a few sentences how a proposal stands, and who has signed it. @param name of a member, as it may be shown */
export function signedOffText(signOff: SignOff, name: (id: MemberId) => string): string {
  const { proposed, words, counted } = signOff;
  const said = counted.map(([id, { seq, statement }]) => {
    const what = statement.verdict === "done" ? "signed" : "refused";
    return `${name(id)} (${what}, entry ${seq}, key made ${PLACES[statement.made]})`;
  });
  return [
    `Entry ${proposed.view.seq}, proposed by ${name(proposed.from)}, with the words ${words}.`,
    ...(said.length === 0 ? [] : [`Humans who have answered: ${said.join(", ")}.`]),
    stateText(signOff, name),
  ].join(" ");
}

function stateText(signOff: SignOff, name: (id: MemberId) => string): string {
  const { state, missing, signedAt, messagesSince } = signOff;
  const unsigned = missing.map(({ id }) => name(id)).join(", ");
  switch (state) {
    case "signed":
      return "The humans of all members have signed it: it is done.";
    case "open":
      return `Unsigned: ${unsigned}.`;
    case "refused":
      return `It is not done: it was refused. Unsigned: ${unsigned}.`;
    case "replaced":
      return "A later proposal has replaced it.";
    case "stale": {
      const count = messagesSince === 1 ? "1 later message" : `${messagesSince} later messages`;
      const before = signedAt === undefined ? `Unsigned: ${unsigned}` : `All had signed at entry ${signedAt}`;
      return `${before}. It is stale: ${count}, which no signature covers.`;
    }
  }
}

/** Follows the proposals of a document entry by entry, as a member would (J7). */
export class SigningReplay {
  readonly #room: RoomOrder["room"];
  readonly #signOffs: SignOffs;
  readonly #proposals: SignOff[] = [];
  readonly #unsound: { seq: number; member: MemberId }[] = [];

  constructor(primitives: Primitives, room: RoomOrder["room"]) {
    this.#room = room;
    this.#signOffs = new SignOffs(primitives);
  }

  get found(): SignedOff {
    return { proposals: this.#proposals, unsound: this.#unsound };
  }

  /** @param isProved whether the text is what its sender signed @param order with this entry in it */
  message({ seq, ts, signed, text }: MessageEntry, isProved: boolean, { view, members }: Standing): void {
    const { from, what, to } = signed;
    const isReadable = isProved && what === "file" && to === undefined;
    const content = isReadable && text !== undefined ? offerIn(text) : undefined;
    switch (content?.kind) {
      case "proposal": {
        const { outcome } = content;
        this.#proposals.push(this.#signOffs.proposed({ room: this.#room, from, view, ts, outcome, members }));
        return;
      }
      case "statement":
        if (this.#signOffs.stated(seq, from, content.statement) === "unsound")
          this.#unsound.push({ seq, member: from });
        return;
      default:
        this.#signOffs.said();
    }
  }
}
