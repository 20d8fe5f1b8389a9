import { equalBytes, wipe, type Bytes } from "../base/bytes.ts";
import { inviteIdFrom, type InviteId } from "../base/ids.ts";
import { inviteCredential, type Credential } from "../handshake/keys.ts";
import { ROOM } from "../base/limits.ts";
import type { Primitives } from "../base/primitives.ts";
import type { ObserverRole } from "../handshake/role.ts";

/** The seat of an observer: its role, and how long its stay may last, in ms (Q1, Q6). */
export interface ObserverSeat {
  readonly role: ObserverRole;
  readonly lifeMs: number;
}

/** An invite that can be used. */
export interface LiveInvite {
  readonly credential: Credential;
  readonly expiresAt: number;
  /** That of an observer; a member has none. */
  readonly seat: ObserverSeat | undefined;
}

/**
 * The life of an invite (PROTOCOL §4.3): minted → claimed → consumed, or ended by expiry or revocation. Only a live
 * one holds secrets; an ended one is a tombstone, so that its id is never mistaken for an unknown one locally.
 */
type InviteState =
  | ({ readonly name: "minted" } & LiveInvite)
  | ({
      readonly name: "claimed";
      readonly claim: Bytes;
      readonly until: number;
    } & LiveInvite)
  | { readonly name: "consumed" | "expired" | "revoked" };

export interface PendingInvite {
  readonly inviteId: InviteId;
  readonly expiresInMs: number;
  /** Somebody who holds the link is in the middle of joining. */
  readonly claimed: boolean;
  /** It makes an observer. */
  readonly seat: ObserverSeat | undefined;
}

export class InviteLedger {
  readonly #primitives: Primitives;
  readonly #lifetimeMs: number;
  readonly #states = new Map<InviteId, InviteState>();

  constructor(primitives: Primitives, lifetimeMs: number) {
    this.#primitives = primitives;
    this.#lifetimeMs = lifetimeMs;
  }

  /** A fresh invite; the key is returned once and not kept (I1). */
  mint(now: number, seat?: ObserverSeat): { inviteId: InviteId; key: Bytes; expiresInMs: number } {
    const key = this.#primitives.random(32);
    const credential = inviteCredential(this.#primitives, key);
    const inviteId = inviteIdFrom(credential.id);
    const expiresAt = now + this.#lifetimeMs;
    this.#states.set(inviteId, { name: "minted", credential, expiresAt, seat });
    return { inviteId, key, expiresInMs: this.#lifetimeMs };
  }

  /** A live invite of an earlier process. */
  restore(inviteId: InviteId, { credential, expiresAt, seat }: LiveInvite): void {
    this.#states.set(inviteId, { name: "minted", credential, expiresAt, seat });
  }

  /** A live invite with its secrets, before anything is known of the asker. */
  live(inviteId: InviteId, now: number): LiveInvite | undefined {
    const state = this.#current(inviteId, now);
    return state?.name === "minted" || state?.name === "claimed" ? state : undefined;
  }

  /** Takes the invite for one claim (I2): a second claimant is refused, the same one may come again (I3). */
  claim(inviteId: InviteId, claim: Bytes, now: number): boolean {
    const state = this.#current(inviteId, now);
    if (state?.name !== "minted" && state?.name !== "claimed") return false;
    if (state.name === "claimed" && !equalBytes(state.claim, claim)) return false;
    const { credential, expiresAt, seat } = state;
    const until = now + ROOM.claimHoldMs;
    this.#states.set(inviteId, { name: "claimed", credential, expiresAt, seat, claim, until });
    return true;
  }

  /** Burns the invite for good (I4); `false` when the claim no longer holds it. */
  consume(inviteId: InviteId, claim: Bytes, now: number): boolean {
    const state = this.#current(inviteId, now);
    if (state?.name !== "claimed" || !equalBytes(state.claim, claim)) return false;
    this.#end(inviteId, state.credential, "consumed");
    return true;
  }

  /** The connection of this claim is gone before CONFIRM: the invite is free again (I5). */
  release(inviteId: InviteId, claim: Bytes): void {
    const state = this.#states.get(inviteId);
    if (state?.name !== "claimed" || !equalBytes(state.claim, claim)) return;
    this.#states.set(inviteId, mintedAgain(state));
  }

  /** `false` when there is no pending invite with this id. */
  revoke(inviteId: InviteId, now: number): boolean {
    const state = this.#current(inviteId, now);
    if (state?.name !== "minted" && state?.name !== "claimed") return false;
    this.#end(inviteId, state.credential, "revoked");
    return true;
  }

  pending(now: number): PendingInvite[] {
    const pending: PendingInvite[] = [];
    for (const inviteId of this.#states.keys()) {
      const state = this.#current(inviteId, now);
      if (state?.name !== "minted" && state?.name !== "claimed") continue;
      const { expiresAt, seat } = state;
      pending.push({ inviteId, expiresInMs: expiresAt - now, claimed: state.name === "claimed", seat });
    }
    return pending;
  }

  wipe(): void {
    for (const [inviteId, state] of this.#states) {
      if (state.name === "minted" || state.name === "claimed")
        this.#end(inviteId, state.credential, "revoked");
    }
  }

  /** The state with the passage of time applied: an abandoned claim returns, an old invite dies (I5, I6). */
  #current(inviteId: InviteId, now: number): InviteState | undefined {
    const state = this.#states.get(inviteId);
    if (state?.name !== "minted" && state?.name !== "claimed") return state;
    if (now >= state.expiresAt) return this.#end(inviteId, state.credential, "expired");
    if (state.name === "minted" || now < state.until) return state;
    const minted = mintedAgain(state);
    this.#states.set(inviteId, minted);
    return minted;
  }

  #end(inviteId: InviteId, credential: Credential, name: "consumed" | "expired" | "revoked"): InviteState {
    wipe(credential.psk, credential.mac);
    const ended = { name } as const;
    this.#states.set(inviteId, ended);
    return ended;
  }
}

/** Without its claim. */
function mintedAgain({ credential, expiresAt, seat }: LiveInvite): { readonly name: "minted" } & LiveInvite {
  return { name: "minted", credential, expiresAt, seat };
}
