import type { WorkContext } from "./work-context.ts";
import type { SayFrame, SystemRoomEvent } from "./frames.ts";
import type { MemberId } from "../base/ids.ts";
import type { RoomOrder } from "./order.ts";
import { decodeOffer } from "../files/offer.ts";
import type { SpokenEntry, SystemEvent } from "./log.ts";

/** What the machines of host and guest share: how a participant is shown, what it says, how a connection ends. */

/** WebSocket close codes of the application range; hints for people with a packet trace, never trusted. */
export const CLOSE_CODE = {
  normal: 1000,
  denied: 4001,
  late: 4002,
  replaced: 4003,
  violation: 4004,
  silent: 4005,
} as const;

/** A participant as any side may show it: measured, with its age. */
export interface Presence {
  readonly id: MemberId;
  readonly name: string;
  readonly isHost: boolean;
  readonly isSelf: boolean;
  readonly connected: boolean;
  /** What it told of where it works when it came. */
  readonly workContext: WorkContext | undefined;
  readonly lastSeenMs: number;
  readonly read: number;
  readonly safetyCode: string | undefined;
}

/** What a participant says: checked text and its marks. */
export interface OutgoingMessage {
  /** Of a file, its encoded offer. */
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
 * What somebody said as the log keeps it; `undefined` for an offer that is none (B1).
 * `text` is the content, opened where it was sealed.
 */
export function spokenEntry(
  place: { readonly seq: number; readonly ts: number; readonly past?: true },
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
  const spoken = { ...place, from, fromName, own, intent, replyTo, to: recipientNames(said.to, order) };
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

/** Whether a message can be answered by this number: a place in the order that exists. */
export function isPlace(seq: number, lastSeq: number): boolean {
  return Number.isSafeInteger(seq) && seq >= 1 && seq <= lastSeq;
}
