import type { WorkContext } from "./work-context.ts";
import type { SayFrame, SystemRoomEvent } from "./frames.ts";
import type { MemberId } from "../base/ids.ts";
import type { RoomOrder } from "./order.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { decodeOffer } from "../files/offer.ts";
import type { SpokenEntry, SystemEvent } from "./log.ts";

/** A participant as any side may show it: measured, with its age. */
export interface Presence {
  readonly id: MemberId;
  readonly name: string;
  readonly isHost: boolean;
  readonly isSelf: boolean;
  readonly connected: boolean;
  /** Its work context, as it told it when it joined. */
  readonly workContext: WorkContext | undefined;
  readonly lastSeenMs: number;
  readonly read: number;
  readonly safetyCode: string | undefined;
}

/** The measured part of a participant's presence. */
export type Measured = Pick<Presence, "connected" | "lastSeenMs" | "read" | "safetyCode">;

/** Everybody in the roster, as `measure` finds them. */
export function presenceOf(
  order: RoomOrder,
  { host, self }: { readonly host: MemberId; readonly self: MemberId },
  measure: (id: MemberId) => Measured,
): Presence[] {
  return order.members.map(({ id, name, workContext }) => ({
    id,
    name,
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
        workContext: event.member.workContext,
      };
    case "left":
      return {
        event: "left",
        member: event.id,
        name: order.member(event.id)?.name ?? "",
        cause: event.cause,
      };
    case "idle-warning":
      return { event: "idle-warning", endsInMs: event.endsInMs };
    case "ended":
      return { event: "ended", cause: event.cause };
  }
}

/**
 * A message as the log keeps it; `undefined` for a malformed offer (B1).
 * `text` is the content, opened where it was sealed.
 */
export function spokenEntry(
  at: { readonly seq: number; readonly ts: number; readonly past?: true },
  said: Pick<SayFrame, "what" | "intent" | "replyTo"> & {
    readonly to?: readonly MemberId[] | undefined;
    readonly from: MemberId;
    readonly own: boolean;
    readonly text: string;
  },
  order: RoomOrder,
): SpokenEntry | undefined {
  const { what, intent, replyTo, from, own, text } = said;
  const fromName = order.member(from)?.name ?? "";
  const spoken = { ...at, from, fromName, own, intent, replyTo, to: recipientNames(said.to, order) };
  if (what === undefined) return { kind: "chat", ...spoken, text };
  const offer = decodeOffer(text);
  return offer === undefined ? undefined : { kind: "file", ...spoken, offer };
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
 * @throws {TunnelError} reply-unknown, member-unknown
 */
export function assertSayable({ replyTo, to }: OutgoingMessage, order: RoomOrder, self: MemberId): void {
  const isSeq = (seq: number): boolean => Number.isSafeInteger(seq) && seq >= 1 && seq <= order.view.seq;
  if (replyTo !== undefined && !isSeq(replyTo)) throw new TunnelError("reply-unknown");
  const isOther = (id: MemberId): boolean => id !== self && order.member(id) !== undefined;
  if (to?.every(isOther) === false) throw new TunnelError("member-unknown");
}
