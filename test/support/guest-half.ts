import type { Bytes } from "../../src/protocol/base/bytes.ts";
import { GuestHandshake } from "../../src/protocol/handshake/handshake.ts";
import { inviteCredential } from "../../src/protocol/handshake/keys.ts";
import type { InviteLink } from "../../src/protocol/handshake/invite-link.ts";
import { nodePrimitives } from "./wire.ts";

export const roomBytes = (link: InviteLink): Bytes => new Uint8Array(Buffer.from(link.room, "base64url"));

/** A guest's half of a handshake without a member around it. */
export function guestHalf(link: InviteLink, claim = nodePrimitives.random(16)): GuestHandshake {
  return new GuestHandshake(nodePrimitives, {
    room: roomBytes(link),
    hostKey: link.hostKey,
    credential: inviteCredential(nodePrimitives, link.key),
    claim,
  });
}
