import type { InviteId, MemberId } from "../protocol/base/ids.ts";
import type { MemberWays } from "../protocol/host/presence-board.ts";
import type { IssuedInvites, RunRoom } from "./issued-invites.ts";
import type { WayBack } from "./notices/notice.ts";

/** How long a member is waited for that may come back by itself, while an address leads here and yet it does not come; in ms. */
const PATIENCE = {
  /** One of which it may have heard, since its connection broke just then: a member that has heard is back within seconds. */
  told: 20_000,
  /** All that it may dial are silent: these tunnels get through a moment after each other, or something is wrong with its own. */
  silent: 60_000,
} as const;

/** The addresses of a host: `working` lead here now, best first; `silent` may do so again. */
export interface Addresses {
  readonly working: readonly string[];
  readonly silent: readonly string[];
}

/** A member that cannot reach the host now: it comes back by itself when a silent address works again, or only with a new link. */
export interface CutOff {
  readonly name: string;
  readonly needsLink: boolean;
}

interface Link {
  readonly address: string;
  /** Undefined where the room had no seat for an invite: the link leads back, and lets nobody in. */
  readonly inviteId: InviteId | undefined;
}

/** A member, with all that it may dial when it has to. */
interface Traveller {
  readonly id: MemberId;
  readonly name: string;
  /** `replaced`: its human has joined anew by the link that was made for it, so nobody is left to come back. */
  readonly state: "here" | "away" | "replaced";
  /** What it knows for certain, the address in its newest link included. */
  readonly known: readonly string[];
  /** What it may have heard of as well. */
  readonly told: readonly string[];
}

/** By which addresses each member can find its way back; and a link for one that has none left. */
export class WaysBack {
  readonly #run: RunRoom;
  readonly #invites: IssuedInvites;
  /** Made here, for members that are still away. */
  readonly #links = new Map<MemberId, Link>();
  /** Since when a member may be on its way by an address of which it may have heard. */
  readonly #doubts = new Map<MemberId, number>();

  constructor(run: RunRoom, invites: IssuedInvites) {
    this.#run = run;
    this.#invites = invites;
  }

  /** Everybody who is not here and may come, as the addresses that each may dial: members, and links that nobody has used. */
  absent(): (readonly string[])[] {
    const links = this.#invites.addresses().map((address) => [address]);
    // A connected member that may not have heard the latest could be cut off with what it knew before.
    const members = this.#travellers()
      .filter(({ state, told }) => state === "away" || (state === "here" && told.length > 0))
      .map(({ known, told }) => [...known, ...told]);
    return [...links, ...members];
  }

  /** Whether an address is known to every member that is connected. */
  isKnown(address: string): boolean {
    return this.#travellers().every(({ state, known }) => state !== "here" || known.includes(address));
  }

  get isAnybodyAway(): boolean {
    return this.#travellers().some(({ state }) => state === "away");
  }

  /** The members that are away and cannot come now. */
  cutOff({ working, silent }: Addresses): CutOff[] {
    return this.#travellers().flatMap(({ name, state, known, told }) => {
      const all = [...known, ...told];
      if (state !== "away" || all.some((address) => working.includes(address))) return [];
      return [{ name, needsLink: !all.some((address) => silent.includes(address)) }];
    });
  }

  /**
   * New links for the members that cannot come back without one, where there is an address to lead them to. The invite of a link that
   * is not needed any more is void.
   */
  guide(addresses: Addresses, now: number): WayBack[] {
    const travellers = this.#travellers();
    const absent = new Set(travellers.filter(({ state }) => state !== "here").map(({ id }) => id));
    for (const id of this.#links.keys()) if (!absent.has(id)) this.#withdraw(id);
    for (const id of this.#doubts.keys()) if (!absent.has(id)) this.#doubts.delete(id);
    const [best] = addresses.working;
    if (best === undefined) {
      // In an outage nobody is late.
      this.#doubts.clear();
      return [];
    }
    return travellers
      .filter((member) => member.state === "away" && this.#isLost(member, addresses, now))
      .map(({ id, name }) => {
        this.#withdraw(id);
        const { joinLink, inviteId } = this.#invites.forMember(best);
        this.#links.set(id, { address: best, inviteId });
        return { memberName: name, joinLink, inviteId };
      });
  }

  #isLost({ id, known, told }: Traveller, { working, silent }: Addresses, now: number): boolean {
    const works = (address: string): boolean => working.includes(address);
    const mayWork = (address: string): boolean => works(address) || silent.includes(address);
    const isLost = ![...known, ...told].some(mayWork);
    if (isLost || known.some(works)) {
      this.#doubts.delete(id);
      return isLost;
    }
    const since = this.#doubts.get(id) ?? now;
    this.#doubts.set(id, since);
    return now - since >= (told.some(works) ? PATIENCE.told : PATIENCE.silent);
  }

  #withdraw(id: MemberId): void {
    const inviteId = this.#links.get(id)?.inviteId;
    if (inviteId !== undefined) this.#invites.revoke(inviteId);
    this.#links.delete(id);
  }

  #travellers(): Traveller[] {
    const { ways, presence } = this.#run((room, now) => ({
      ways: room.ways(now),
      presence: room.presence(now),
    }));
    const joined = new Set(ways.map(({ invite }) => invite));
    return ways.map((way): Traveller => {
      const { id, told } = way;
      const link = this.#links.get(id);
      const isReplaced = link?.inviteId !== undefined && joined.has(link.inviteId);
      const { name = "", connected = false } = presence.find((one) => one.id === id) ?? {};
      const known = [...this.#known(way), ...(link === undefined ? [] : [link.address])];
      return { id, name, state: connected ? "here" : isReplaced ? "replaced" : "away", known, told };
    });
  }

  #known({ known, invite }: MemberWays): readonly string[] {
    if (known.length > 0) return known;
    const first = this.#invites.addressOf(invite);
    return first === undefined ? [] : [first];
  }
}
