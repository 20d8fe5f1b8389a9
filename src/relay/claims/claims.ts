import type { ClaimKind } from "../../uplink/messages.ts";

/** The thing that is claimed: a room by its id, a service by its name, a TCP port by the name of its key. */
export interface ClaimName {
  readonly kind: ClaimKind;
  readonly name: string;
}

/** The holder of a name. */
export interface Claim extends ClaimName {
  /** The public key, base64url, whose proof alone can move the claim. */
  readonly key: string;
  /** Grows with every claim on the name; whatever carries a smaller one is over. */
  readonly epoch: number;
  /** The node that the host has registered at; undefined while the host is away. */
  readonly node: string | undefined;
  /** TCP: the port, which stays with its key. */
  readonly port: number | undefined;
}

export type ClaimOutcome =
  | { readonly kind: "claimed"; readonly epoch: number }
  /** Another key holds the name. */
  | { readonly kind: "taken" }
  /** The owner holds as many names as it may. */
  | { readonly kind: "used-up" }
  /** The names cannot be asked at the moment. */
  | { readonly kind: "unavailable" };

export type ClaimEvent =
  /** The claim has a new owner or a new node: whoever serves a smaller epoch stops. */
  | { readonly type: "claimed"; readonly claim: Claim }
  /** The host is away, and may come back. */
  | { readonly type: "away"; readonly claim: Claim }
  /** The register knows nothing of what its node holds: the host has to claim it anew. */
  | { readonly type: "lost"; readonly claim: ClaimName; readonly epoch: number }
  /** Given up on purpose. */
  | { readonly type: "released"; readonly claim: ClaimName; readonly epoch: number };

/** A word from one node to another, or to itself. */
export type NodeMessage =
  /** An operator has closed a tunnel, wherever its host is. */
  { readonly type: "close"; readonly claim: ClaimName; readonly epoch: number };

export interface NewClaim extends ClaimName {
  /** Proved already: the caller has checked the signature. */
  readonly key: string;
  readonly node: string;
  readonly port?: number | undefined;
  /** Whom a name is counted for. Left out for rooms and names made of their key, which are forgotten when they end. */
  readonly owner?: NameOwner | undefined;
}

/** Holds names: a service's name stays its key's for good, so somebody has to be counted for it. */
export interface NameOwner {
  /** The id of its token. */
  readonly id: string;
  /** Names that it may hold, those of services that are not there included. */
  readonly maxNames: number;
}

/**
 * The one register of who holds which name. A single node keeps it in memory; many nodes keep it in an engine, where an epoch is
 * the revision of the entry. All writes but `claim` are conditional on the epoch: clean-up of an old connection never touches
 * its successor.
 */
export interface Claims {
  /** Takes a free name, or one of the same key, whose former host is then told by an event: the newest proof wins. */
  claim(claim: NewClaim): Promise<ClaimOutcome>;
  /** After the register was away: whether the claim is still this one's. `claimed` carries the epoch that counts from now on. */
  renew(claim: NewClaim, epoch: number): Promise<ClaimOutcome>;
  /**
   * `away`: the host may come back, and its key keeps the name. `done`: over on purpose; a service's name stays its key's.
   * @returns whether the epoch was still the newest
   */
  release(name: ClaimName, epoch: number, how: "away" | "done"): Promise<boolean>;
  /**
   * Undefined for a name that nobody has claimed, or that was released. The node may have been found a while ago.
   * @throws {Error} nothing is known of the name, and the register is away
   */
  find(name: ClaimName): Promise<Claim | undefined>;
  /** The same as far as it is known at this moment. */
  findNow(name: ClaimName): Claim | undefined;
  /** The node that was found does not serve the name: the next look is a new one. */
  forget(name: ClaimName): void;
  /** Changes by any node, this one's included. The returned function ends it. */
  watch(listener: (event: ClaimEvent) => void): () => void;
  /** @returns whether the node was there to hear it */
  tell(node: string, message: NodeMessage): Promise<boolean>;
  onTold(listener: (message: NodeMessage) => void): () => void;
  /** `away`: no new claims, and only what is known already can be found. */
  readonly state: "ready" | "away";
  /** Whether what this node holds is its own beyond doubt: else another one may hold it by now, and it leads nobody to its hosts. */
  readonly isProven: boolean;
  close(): Promise<void>;
}

/** The name as one word, for maps and keys of an engine. */
export const claimId = ({ kind, name }: ClaimName): string => `${kind}.${name}`;
