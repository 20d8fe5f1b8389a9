import type { WorkContext } from "./work-context.ts";
import type { MemberRecord, SayFrame, SystemRoomEvent } from "./frames.ts";
import type { MemberId } from "../base/ids.ts";
import type { ObserverRole } from "../handshake/role.ts";
import { isObserver, type RoomOrder } from "./order.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { offerIn, OfferIds, type KnownOffer, type Offer } from "./offers.ts";
import type { Primitives } from "../base/primitives.ts";
import { SignOffs, type SignOff, type SignOffStanding } from "../sign-off/sign-offs.ts";
import type { ProposalEntry, SpokenEntry, StatementEntry, SystemEvent } from "./log.ts";
import type { Statement } from "../sign-off/statement.ts";
import type { Oversight } from "./oversight.ts";
import { lookAlikes } from "./look-alikes.ts";

/** A participant as any side may show it: measured, with its age. */
export interface Presence {
  readonly id: MemberId;
  readonly name: string;
  /** Its name looks like another one of this room: its id tells them apart. */
  readonly lookAlike?: true | undefined;
  readonly isHost: boolean;
  readonly isSelf: boolean;
  /** It only reads along (Q2). */
  readonly role?: ObserverRole | undefined;
  readonly connected: boolean;
  /** Its work context, as it told it when it joined. */
  readonly workContext: WorkContext | undefined;
  readonly lastSeenMs: number;
  readonly read: number;
  /** As this member told it last. */
  readonly oversight?: Oversight | undefined;
  readonly safetyCode: string | undefined;
  /** How far its clock is ahead of this side's, in ms, negative where it is behind; undefined where nothing is known. */
  readonly clockSkewMs?: number | undefined;
}

/** The measured part of a participant's presence. */
export type Measured = Pick<
  Presence,
  "connected" | "lastSeenMs" | "read" | "oversight" | "safetyCode" | "clockSkewMs"
>;

/** Everybody in the roster, as `measure` finds them. */
export function presenceOf(
  order: RoomOrder,
  { host, self }: { readonly host: MemberId; readonly self: MemberId },
  measure: (id: MemberId) => Measured,
): Presence[] {
  const alike = lookAlikes(order.members);
  return order.members.map(({ id, name, workContext, role }) => ({
    id,
    name,
    ...(role === undefined ? {} : { role }),
    ...(alike.has(id) ? { lookAlike: true } : {}),
    workContext,
    isHost: id === host,
    isSelf: id === self,
    ...measure(id),
  }));
}

/** A message that a participant wants to send: checked text and its marks. */
export interface OutgoingMessage {
  /** For a file: its encoded offer. */
  readonly text: string;
  readonly what?: SayFrame["what"];
  readonly intent?: SayFrame["intent"];
  /** Set by the faces of a person alone: no tool can (G11). */
  readonly author?: SayFrame["author"];
  readonly replyTo?: number;
  /** For these alone, at least one and not this participant itself; for everybody when left out. */
  readonly to?: readonly MemberId[];
}

/** A change of the room as the log keeps it; asked before the roster changes, so that who left still has a name. */
export function systemEvent(event: SystemRoomEvent, order: RoomOrder): SystemEvent {
  switch (event.kind) {
    case "joined":
      return {
        event: "joined",
        member: event.member.id,
        name: event.member.name,
        ...lookAlikeIn([...order.members, event.member], event.member.id),
        workContext: event.member.workContext,
        ...roleOf(event.member),
      };
    case "left":
      return {
        event: "left",
        member: event.id,
        name: order.member(event.id)?.name ?? "",
        ...lookAlikeIn(order.members, event.id),
        ...roleOf(order.member(event.id)),
        cause: event.cause,
      };
    case "idle-warning":
      return { event: "idle-warning", endsInMs: event.endsInMs };
    case "ended":
      return { event: "ended", cause: event.cause };
    case "returned":
      return {
        event: "returned",
        member: order.host,
        name: order.member(order.host)?.name ?? "",
        ...lookAlikeIn(order.members, order.host),
      };
  }
}

type Told = Pick<SayFrame, "what" | "intent" | "author" | "replyTo"> & {
  readonly to?: readonly MemberId[] | undefined;
  readonly from: MemberId;
  readonly own: boolean;
  readonly text: string;
};

/** Fields that all messages of the log have. */
type Placed = Omit<ProposalEntry, "kind" | "outcome" | "source" | "signOff">;

/** The part of what was said that later messages are judged by. */
export interface SpokenStanding {
  readonly offers: readonly KnownOffer[];
  readonly signOff: SignOffStanding | undefined;
}

/** The messages of one room as its log keeps them. */
export class SpokenEntries {
  readonly #offers = new OfferIds();
  readonly #signOffs: SignOffs;

  constructor(primitives: Primitives) {
    this.#signOffs = new SignOffs(primitives);
  }

  /** The proposal that stands. */
  get signOff(): SignOff | undefined {
    return this.#signOffs.current;
  }

  get standing(): SpokenStanding {
    return { offers: this.#offers.known, signOff: this.#signOffs.current?.standing };
  }

  /** Goes on from what an earlier process has heard. */
  standAt({ offers, signOff }: SpokenStanding): void {
    this.#offers.restore(offers);
    if (signOff !== undefined) this.#signOffs.restore(signOff);
  }

  /** This participant says it: nobody else can have the id of its offer from now on. */
  saying({ what, text }: OutgoingMessage): void {
    if (what !== undefined) this.#offers.read(text, undefined);
  }

  /** A message has got its place that this participant cannot read, or is not shown. */
  unread(): void {
    this.#signOffs.said();
  }

  /**
   * The entry of the last message of the order, or of an own one that has no place yet (`seq` 0). `undefined` for an offer that is
   * malformed, or has the id of another one (B1), and for a withdrawal of another one's (X2).
   * `text` is the content, opened where it was sealed.
   */
  of(
    at: { readonly seq: number; readonly ts: number; readonly past?: true },
    said: Told,
    order: RoomOrder,
  ): SpokenEntry | undefined {
    const { what, intent, author, replyTo, from, own, text } = said;
    const fromName = order.member(from)?.name ?? "";
    const to = recipientNames(said.to, order);
    const spoken = {
      ...at,
      from,
      fromName,
      ...lookAlikeIn(order.members, from),
      own,
      intent,
      author,
      replyTo,
      to,
    };
    const isPlaced = at.seq > 0;
    const offer = what === undefined ? undefined : this.#offer(said);
    if (offer?.kind === "proposal") return this.#proposal(spoken, { ...offer, text }, order);
    if (offer?.kind === "statement") return this.#statement(spoken, { ...offer, text });
    if (isPlaced) this.#signOffs.said();
    if (what === undefined) return { kind: "chat", ...spoken, text };
    return offer === undefined ? undefined : { ...spoken, ...offer };
  }

  #offer({ own, from, to, text }: Told): Offer | undefined {
    const offer = this.#offers.read(text, own ? undefined : from) ?? (own ? offerIn(text) : undefined);
    // All are asked, and all see who has signed.
    const isForAll = offer?.kind === "proposal" || offer?.kind === "statement";
    return isForAll && to !== undefined ? undefined : offer;
  }

  #proposal(
    spoken: Placed,
    { outcome, text: source }: { readonly outcome: string; readonly text: string },
    { room, view, members }: RoomOrder,
  ): ProposalEntry {
    const { seq, from, ts } = spoken;
    const proposed = { room, from, view, ts, outcome, members };
    const signOff = seq === 0 ? undefined : this.#signOffs.proposed(proposed);
    return { ...spoken, kind: "proposal", outcome, source, signOff };
  }

  #statement(
    spoken: Placed,
    { statement, text: source }: { readonly statement: Statement; readonly text: string },
  ): StatementEntry {
    const { seq, from } = spoken;
    const standing = seq === 0 ? "late" : this.#signOffs.stated(seq, from, statement);
    const missing = (this.signOff?.missing ?? []).map(({ name }) => name);
    return { ...spoken, kind: "statement", statement, source, standing, missing };
  }
}

/** The fault of a content of which this entry was made; undefined where it has none (B1, Z5). */
export function faultOf(entry: SpokenEntry | undefined): "offer-unreadable" | "sign-off-unsound" | undefined {
  if (entry === undefined) return "offer-unreadable";
  return entry.kind === "statement" && entry.standing === "unsound" ? "sign-off-unsound" : undefined;
}

function roleOf(member: MemberRecord | undefined): Pick<MemberRecord, "role"> {
  return member?.role === undefined ? {} : { role: member.role };
}

function lookAlikeIn(roster: readonly MemberRecord[], id: MemberId): { readonly lookAlike?: true } {
  return lookAlikes(roster).has(id) ? { lookAlike: true } : {};
}

/** The names of those a message was for, as the log keeps them; `undefined` for everybody. */
function recipientNames(
  to: readonly MemberId[] | undefined,
  order: RoomOrder,
): readonly string[] | undefined {
  return to?.map((id) => order.member(id)?.name ?? id);
}

/**
 * Whether a message of this participant answers one that exists, and is for others who are there.
 * @throws {TunnelError} reply-unknown, member-unknown, observer-addressed
 */
export function assertSayable({ replyTo, to }: OutgoingMessage, order: RoomOrder, self: MemberId): void {
  const isSeq = (seq: number): boolean => Number.isSafeInteger(seq) && seq >= 1 && seq <= order.view.seq;
  if (replyTo !== undefined && !isSeq(replyTo)) throw new TunnelError("reply-unknown");
  const isOther = (id: MemberId): boolean => id !== self && order.member(id) !== undefined;
  if (to?.every(isOther) === false) throw new TunnelError("member-unknown");
  if (to?.some((id) => isObserver(order.member(id))) === true) throw new TunnelError("observer-addressed");
}
