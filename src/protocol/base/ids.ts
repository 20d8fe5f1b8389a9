import { fromBase64url, toBase64url, type Bytes } from "./bytes.ts";

declare const brand: unique symbol;
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/** 16 random bytes, base64url: names a room in the URL path; not a secret. */
export type RoomId = Branded<string, "RoomId">;
/** First 8 bytes of SHA-256 of a member's Ed25519 public key, base64url (O2). */
export type MemberId = Branded<string, "MemberId">;
/** 16 bytes derived from an invite's key, base64url (K2). */
export type InviteId = Branded<string, "InviteId">;

export const ROOM_ID_BYTES = 16;
export const MEMBER_ID_BYTES = 8;
export const INVITE_ID_BYTES = 16;

export function roomIdFrom(bytes: Bytes): RoomId {
  return toBase64url(bytes) as RoomId;
}

export function parseRoomId(text: string): RoomId | undefined {
  return fromBase64url(text, ROOM_ID_BYTES) === undefined ? undefined : (text as RoomId);
}

export function memberIdFrom(bytes: Bytes): MemberId {
  return toBase64url(bytes) as MemberId;
}

export function parseMemberId(text: string): MemberId | undefined {
  return fromBase64url(text, MEMBER_ID_BYTES) === undefined ? undefined : (text as MemberId);
}

export function inviteIdFrom(bytes: Bytes): InviteId {
  return toBase64url(bytes) as InviteId;
}

/** Bytes of the id of an offer: a file or a service. */
export const OFFER_ID_BYTES = 16;

/** Names a connection for as long as it lives; chosen by the driver, never reused. */
export type ConnectionId = number;
