import { TunnelError } from "../errors/tunnel-error.ts";
import type { InviteId } from "../protocol/base/ids.ts";
import type { PendingInvite } from "../protocol/host/invites.ts";
import { formatLink } from "../protocol/handshake/invite-link.ts";
import type { Room } from "../protocol/host/room.ts";
import type { Reissued } from "./notice.ts";

export interface Invite {
  readonly inviteId: InviteId;
  /** A secret: anybody who has it can join, once. */
  readonly joinLink: string;
  readonly expiresInMs: number;
}

/** Calls the room and carries out what comes of it. */
export type RunRoom = <Result>(call: (room: Room, now: number) => Result) => Result;

/** The links of a room: each leads to the address that was best when it was made, and is replaced when that is gone. */
export class IssuedInvites {
  readonly #run: RunRoom;
  /** The address in the link of every invite that may be pending. */
  readonly #addresses = new Map<InviteId, string>();

  constructor(run: RunRoom) {
    this.#run = run;
  }

  /** @throws {TunnelError} tunnel-closed, invite-limit, address-lost (there is no address now); all or none */
  issue(count: number, address: string | undefined): Invite[] {
    const invites: Invite[] = [];
    try {
      for (let made = 0; made < count; made += 1) {
        if (address === undefined) throw new TunnelError("address-lost");
        invites.push(this.#mint(address));
      }
    } catch (error) {
      for (const { inviteId } of invites) this.revoke(inviteId);
      throw error;
    }
    return invites;
  }

  revoke(inviteId: string): boolean {
    return this.#run((room, now) => room.revoke(inviteId, now));
  }

  pending(): PendingInvite[] {
    return this.#run((room, now) => room.pendingInvites(now));
  }

  /** Replaces each pending invite that leads to none of these addresses by a new one, with its full time. */
  reissue(addresses: readonly string[], now: number): Reissued[] {
    const [best] = addresses;
    if (best === undefined) return [];
    const pending = new Map(this.pending().map((invite) => [invite.inviteId, invite]));
    const reissued: Reissued[] = [];
    for (const [inviteId, address] of this.#addresses) {
      if (!pending.has(inviteId)) this.#addresses.delete(inviteId);
      else if (!addresses.includes(address)) {
        this.#addresses.delete(inviteId);
        this.revoke(inviteId);
        const { expiresInMs, ...invite } = this.#mint(best);
        reissued.push({ replaces: inviteId, ...invite, expiresAt: now + expiresInMs });
      }
    }
    return reissued;
  }

  #mint(origin: string): Invite {
    return this.#run((room, now) => {
      const { inviteId, key, expiresInMs } = room.mint(now);
      const { id, hostKey } = room;
      this.#addresses.set(inviteId, origin);
      return { inviteId, expiresInMs, joinLink: formatLink({ origin, room: id, key, hostKey }) };
    });
  }
}
