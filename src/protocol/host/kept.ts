import * as z from "zod/mini";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { must } from "../../errors/must.ts";
import { fromBase64url, type Bytes } from "../base/bytes.ts";
import { bytesOf, counter, memberId, ordinal, roomId } from "../base/header.ts";
import { INVITE_ID_BYTES, inviteIdFrom, type InviteId, type MemberId, type RoomId } from "../base/ids.ts";
import { CHANGES_IN_STEP, decodeChange, encodeChange, type Keeper, type Steps } from "../keeping/keeper.ts";
import { decodeStanding, encodeStanding, standing, view } from "../keeping/standing.ts";
import { ROOM } from "../base/limits.ts";
import { isGoal, isName } from "../base/text.ts";
import { isOrigin } from "../handshake/invite-link.ts";
import type { Credential } from "../handshake/keys.ts";
import { OBSERVER_ROLES } from "../handshake/role.ts";
import { SCHEMAS } from "../room/frames.ts";
import type { LastMessage, OrderStanding } from "../room/order.ts";
import type { SpokenStanding } from "../room/participant.ts";
import type { SignerSecrets } from "../room/signer.ts";
import { workContextSchema, type WorkContext } from "../room/work-context.ts";
import type { LiveInvite } from "./invites.ts";
import type { MemberSession, Seat } from "./member-sessions.ts";

/** The changes of a host's room, as they are kept. The first is `begun`; the state is what comes of all of them in their order. */

const secret = bytesOf(32);
const credential = z.strictObject({ id: bytesOf(INVITE_ID_BYTES), psk: secret, mac: secret });

const roomChange = z.discriminatedUnion("t", [
  z.strictObject({
    t: z.literal("begun"),
    room: roomId,
    hostStatic: secret,
    secrets: z.strictObject({ signing: secret, box: secret }),
    goal: z.string().check(z.refine(isGoal)),
    hostName: z.string().check(z.refine(isName)),
    workContext: z.optional(workContextSchema),
    idleMs: ordinal.check(z.lte(ROOM.maxIdleMs)),
    inviteMs: ordinal,
    history: z.boolean(),
  }),
  z.strictObject({
    t: z.literal("invite"),
    credential,
    expiresAt: counter,
    seat: z.optional(z.strictObject({ role: z.enum(OBSERVER_ROLES), lifeMs: ordinal })),
  }),
  z.strictObject({ t: z.literal("revoked"), id: bytesOf(INVITE_ID_BYTES) }),
  /** What happened until a place, told by what came of it; with the frames for those who come later. */
  z.strictObject({
    t: z.literal("moved"),
    standing,
    /** The host's own last message. */
    said: z.optional(z.strictObject({ n: counter, hash: bytesOf(32) })),
  }),
  /** So many frames had gone to a member by then, all of which it has confirmed since, and had come from it. */
  z.strictObject({
    t: z.literal("counted"),
    member: memberId,
    sent: counter,
    received: counter,
    resumesUpTo: z.optional(counter),
  }),
  /** Somebody has come with an invite; the order has it next. */
  z.strictObject({
    t: z.literal("seat"),
    member: SCHEMAS.member,
    invite: bytesOf(INVITE_ID_BYTES),
    beginning: z.strictObject({ view, members: z.array(SCHEMAS.member) }),
    joinedAt: counter,
    /** That of an observer; a member's stay is not bounded. */
    expiresAt: z.optional(counter),
    safetyCode: z.string().check(z.maxLength(256)),
    credential,
  }),
  z.strictObject({ t: z.literal("resumed"), member: memberId, credential }),
  /** With a durable frame of a member, which the host acknowledges. */
  z.strictObject({ t: z.literal("got"), from: memberId, confirmed: counter }),
  /** The frame with this number has a place. */
  z.strictObject({ t: z.literal("placed"), from: memberId, frame: ordinal, ts: SCHEMAS.instant }),
  /** With an own message as it stands in the order and, where that is sealed, its text. */
  z.strictObject({ t: z.literal("said"), ts: SCHEMAS.instant }),
  /** With an event of the room itself. */
  z.strictObject({ t: z.literal("event"), ts: SCHEMAS.instant }),
  z.strictObject({ t: z.literal("confirmed"), member: memberId, number: counter }),
  z.strictObject({ t: z.literal("addresses"), origins: z.array(z.string().check(z.refine(isOrigin))) }),
]);

/** Everything with which a room began. */
export interface RoomBegun {
  readonly room: RoomId;
  readonly hostStatic: Bytes;
  readonly secrets: SignerSecrets;
  readonly goal: string;
  readonly hostName: string;
  readonly workContext?: WorkContext | undefined;
  readonly idleMs: number;
  readonly inviteMs: number;
  readonly history: boolean;
}

/** The state of a room at a place, where it does not begin with the room. */
interface RoomMoved {
  readonly order: OrderStanding;
  readonly spoken: SpokenStanding;
  readonly said: LastMessage | undefined;
}

interface Counted {
  readonly sent: number;
  readonly received: number;
  readonly resumesUpTo?: number | undefined;
}

/** What happened in it since. */
export type RoomHappening =
  | { readonly t: "invite"; readonly inviteId: InviteId; readonly live: LiveInvite }
  | { readonly t: "revoked"; readonly inviteId: InviteId }
  | ({ readonly t: "moved"; readonly past: readonly Bytes[] } & RoomMoved)
  | ({ readonly t: "counted"; readonly member: MemberId } & Counted)
  | { readonly t: "seat"; readonly seat: Seat }
  | { readonly t: "resumed"; readonly member: MemberId; readonly credential: Credential }
  | { readonly t: "got"; readonly from: MemberId; readonly confirmed: number; readonly payload: Bytes }
  | { readonly t: "placed"; readonly from: MemberId; readonly frame: number; readonly ts: number }
  | { readonly t: "said"; readonly ts: number; readonly payload: Bytes; readonly text: Bytes | undefined }
  | { readonly t: "event"; readonly ts: number; readonly payload: Bytes }
  | { readonly t: "confirmed"; readonly member: MemberId; readonly number: number }
  | { readonly t: "addresses"; readonly origins: readonly string[] };

/** So many frames of a member may be confirmed before that is kept: what is lost of it is sent again, and dropped there. */
const CONFIRMED_EVERY = 64;

/** Keeps the changes of a room, each before anything that follows from it leaves the machine; nothing without a keeper. */
export class RoomKeeping {
  readonly #keeper: Keeper | undefined;
  /** What happens again is kept already. */
  isMuted = false;

  constructor(keeper: Keeper | undefined) {
    this.#keeper = keeper;
  }

  /** A place in the order is about to be given. */
  reserve(counter: "said" | "placed", number: number): void {
    if (!this.isMuted) this.#keeper?.reserve(counter, number);
  }

  begun(begun: RoomBegun): void {
    this.#keep("synced", { t: "begun", ...begun });
  }

  invite({ credential: of, expiresAt, seat }: LiveInvite): void {
    this.#keep("synced", { t: "invite", credential: of, expiresAt, seat });
  }

  revoked(invite: InviteId): void {
    this.#keep("written", { t: "revoked", id: bytesIn(invite) });
  }

  seat({ member, invite, beginning, joinedAt, expiresAt, safetyCode, credential: of }: Seat): void {
    this.#keep("synced", {
      t: "seat",
      member,
      invite: bytesIn(invite),
      beginning: { view: beginning.view, members: [...beginning.members] },
      joinedAt,
      ...(Number.isFinite(expiresAt) && { expiresAt }),
      safetyCode,
      credential: of,
    });
  }

  resumed({ member, credential: of }: MemberSession): void {
    this.#keep("synced", { t: "resumed", member: member.id, credential: of });
  }

  got({ member, link }: MemberSession, payload: Bytes): void {
    this.#keep("written", { t: "got", from: member.id, confirmed: link.confirmed }, payload);
  }

  placed({ member, link }: MemberSession, ts: number): void {
    this.#keep("written", { t: "placed", from: member.id, frame: link.received, ts });
  }

  said(ts: number, payload: Bytes, sealedText: Bytes | undefined): void {
    this.#keep("written", { t: "said", ts }, payload, ...(sealedText === undefined ? [] : [sealedText]));
  }

  event(ts: number, payload: Bytes, how: "written" | "synced"): void {
    this.#keep(how, { t: "event", ts }, payload);
  }

  /** A member may have confirmed something. */
  confirmed(session: MemberSession): void {
    const { confirmed: number } = session.link;
    if (number - session.keptConfirmed < CONFIRMED_EVERY) return;
    session.keptConfirmed = number;
    this.#keep("written", { t: "confirmed", member: session.member.id, number });
  }

  addresses(origins: readonly string[]): void {
    this.#keep("written", { t: "addresses", origins: [...origins] });
  }

  #keep(how: "written" | "synced", header: z.infer<typeof roomChange>, ...bodies: readonly Bytes[]): void {
    if (!this.isMuted) this.#keeper?.keep(encodeChange(header, ...bodies), how);
  }
}

/** @throws {TunnelError} stay-unreadable */
export function* keptRoom(changes: readonly Bytes[]): Steps<{ begun: RoomBegun; happened: RoomHappening[] }> {
  let begun: RoomBegun | undefined;
  const happened: RoomHappening[] = [];
  for (const [index, change] of changes.entries()) {
    if (index % CHANGES_IN_STEP === 0) yield;
    const { header, bodies } = decodeChange(roomChange, change);
    const [payload = NOTHING, text] = bodies;
    switch (header.t) {
      case "begun":
        begun = header;
        break;
      case "invite": {
        const { t, credential: of, expiresAt, seat } = header;
        happened.push({ t, inviteId: inviteIdFrom(of.id), live: { credential: of, expiresAt, seat } });
        break;
      }
      case "revoked":
        happened.push({ t: "revoked", inviteId: inviteIdFrom(header.id) });
        break;
      case "seat": {
        const { t, invite, expiresAt = Number.POSITIVE_INFINITY, ...rest } = header;
        happened.push({ t, seat: { ...rest, expiresAt, invite: inviteIdFrom(invite) } });
        break;
      }
      case "moved": {
        if (begun === undefined) throw new TunnelError("stay-unreadable");
        const { t, standing: at, said } = header;
        happened.push({ t, said, past: bodies, ...decodeStanding(at, begun.room) });
        break;
      }
      case "got":
      case "event":
        happened.push({ ...header, payload });
        break;
      case "said":
        happened.push({ ...header, payload, text });
        break;
      default:
        happened.push(header);
    }
  }
  if (begun === undefined) throw new TunnelError("stay-unreadable");
  return { begun, happened };
}

/** The first of the changes that say what a room is now, when they are written anew. */
export const ROOM_BASE = {
  moved: (
    order: OrderStanding,
    spoken: SpokenStanding,
    said: LastMessage | undefined,
    past: readonly Bytes[],
  ): Bytes => encodeRoomChange({ t: "moved", standing: encodeStanding(order, spoken), said }, ...past),
  counted: (member: MemberId, { sent, received, resumesUpTo }: Counted): Bytes =>
    encodeRoomChange({ t: "counted", member, sent, received, resumesUpTo }),
} as const;

function encodeRoomChange(header: z.infer<typeof roomChange>, ...bodies: readonly Bytes[]): Bytes {
  return encodeChange(header, ...bodies);
}

const NOTHING = new Uint8Array(0);

function bytesIn(invite: InviteId): Bytes {
  return must(fromBase64url(invite, INVITE_ID_BYTES), "the bytes of an invite's id");
}
