import { TunnelError } from "../errors/tunnel-error.ts";
import { formatLink, KEY_BYTES } from "../protocol/handshake/invite-link.ts";
import type { Bytes } from "../protocol/base/bytes.ts";
import type { InviteId } from "../protocol/base/ids.ts";
import type { ObserverSeat, PendingInvite } from "../protocol/host/invites.ts";
import type { Room } from "../protocol/host/room.ts";
import type { KeptSession, SessionKeeping } from "./keeping/kept-session.ts";
import type { Reissued } from "./notice.ts";

export interface Invite {
  readonly inviteId: InviteId;
  /** A secret: anybody who has it can join, once. */
  readonly joinLink: string;
  readonly expiresInMs: number;
  /** It makes an observer; a member where left out. */
  readonly seat?: ObserverSeat | undefined;
}

/** Calls the room and carries out what comes of it. */
export type RunRoom = <Result>(call: (room: Room, now: number) => Result) => Result;

/** The links of a room: each leads to the address that was best when it was made, and is replaced when that is gone. */
export class IssuedInvites {
  readonly #run: RunRoom;
  readonly #random: (bytes: number) => Bytes;
  /** The address in the link of every invite that is pending, or by which a member came. */
  readonly #addresses = new Map<InviteId, string>();
  /** Made for members that are away, and not to be replaced with the others. */
  readonly #forMembers = new Set<InviteId>();

  readonly #keep: Pick<SessionKeeping, "invite">;

  constructor(
    run: RunRoom,
    {
      random,
      keep,
      kept = [],
    }: {
      random: (bytes: number) => Bytes;
      keep: Pick<SessionKeeping, "invite">;
      kept?: KeptSession["invites"] | undefined;
    },
  ) {
    this.#run = run;
    this.#random = random;
    this.#keep = keep;
    for (const { id, address, isForMember } of kept) {
      this.#addresses.set(id, address);
      if (isForMember) this.#forMembers.add(id);
    }
  }

  /**
   * @param seat of observers; the invites make members where left out
   * @throws {TunnelError} tunnel-closed, invite-limit, observer-limit, no-history, address-lost (there is no address now); all or none
   */
  issue(count: number, address: string | undefined, seat?: ObserverSeat): Invite[] {
    const invites: Invite[] = [];
    try {
      for (let made = 0; made < count; made += 1) {
        if (address === undefined) throw new TunnelError("address-lost");
        invites.push(this.#mint(address, seat));
      }
    } catch (error) {
      for (const { inviteId } of invites) this.revoke(inviteId);
      throw error;
    }
    return invites;
  }

  /** The address in the link of an invite; undefined for one that is long over. */
  addressOf(inviteId: InviteId): string | undefined {
    return this.#addresses.get(inviteId);
  }

  /** The addresses in the links that nobody has used. */
  addresses(): string[] {
    return this.pending().flatMap(({ inviteId }) => this.#addresses.get(inviteId) ?? []);
  }

  /**
   * A link for a member that is to come back. It holds an invite, for a member whose process has given up; in a full room, where
   * there is none to be had, a key that opens nothing.
   */
  forMember(address: string): { joinLink: string; inviteId: InviteId | undefined } {
    try {
      const { inviteId, joinLink } = this.#mint(address, undefined, true);
      this.#forMembers.add(inviteId);
      return { joinLink, inviteId };
    } catch (error) {
      if (!(error instanceof TunnelError) || error.code !== "invite-limit") throw error;
      return { joinLink: this.#link(address, this.#random(KEY_BYTES)), inviteId: undefined };
    }
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
    const seats = new Map(this.pending().map(({ inviteId, seat }) => [inviteId, seat]));
    const pending = new Set(seats.keys());
    this.#forgetAllBut(pending);
    const reissued: Reissued[] = [];
    for (const [inviteId, address] of this.#addresses) {
      if (pending.has(inviteId) && !this.#forMembers.has(inviteId) && !addresses.includes(address)) {
        this.#addresses.delete(inviteId);
        this.revoke(inviteId);
        const { expiresInMs, ...invite } = this.#mint(best, seats.get(inviteId));
        reissued.push({ replaces: inviteId, ...invite, expiresAt: now + expiresInMs });
      }
    }
    return reissued;
  }

  #mint(origin: string, seat?: ObserverSeat, isForMember = false): Invite {
    const { inviteId, key, expiresInMs } = this.#run((room, now) => room.mint(now, seat));
    this.#addresses.set(inviteId, origin);
    this.#keep.invite(inviteId, origin, isForMember);
    return { inviteId, expiresInMs, joinLink: this.#link(origin, key, seat), seat };
  }

  #link(origin: string, key: Bytes, seat?: ObserverSeat): string {
    return this.#run(({ id, hostKey }) => formatLink({ origin, room: id, key, hostKey, role: seat?.role }));
  }

  #forgetAllBut(pending: ReadonlySet<InviteId>): void {
    const used = new Set(this.#run((room, now) => room.ways(now)).map(({ invite }) => invite));
    for (const inviteId of this.#addresses.keys()) {
      if (pending.has(inviteId) || used.has(inviteId)) continue;
      this.#addresses.delete(inviteId);
      this.#forMembers.delete(inviteId);
    }
  }
}
