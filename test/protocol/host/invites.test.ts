import { describe, expect, it } from "vitest";
import { toBase64url, toHex } from "../../../src/protocol/base/bytes.ts";
import { InviteLedger } from "../../../src/protocol/host/invites.ts";
import { inviteCredential } from "../../../src/protocol/handshake/keys.ts";
import { codeOf } from "../../support/thrown.ts";
import { endOf, guestDid, nodePrimitives, World, type Guest } from "../../support/wire.ts";

const LIFETIME = 10 * 60_000;
const HOLD = 30_000;
const ONE = new Uint8Array(16).fill(1);
const TWO = new Uint8Array(16).fill(2);

function minted() {
  const ledger = new InviteLedger(nodePrimitives, LIFETIME);
  return { ledger, ...ledger.mint(0) };
}

/** Drops what a guest sends from its n-th message on: the wire is up, but nothing crosses. */
const silentFrom = (index: number) => (message: Uint8Array, at: number) => (at < index ? [message] : []);

describe("invite ledger", () => {
  it("[I1] [K2] mints a fresh key each time and keeps what is derived from it, not the key", () => {
    const { ledger, inviteId, key } = minted();
    const other = ledger.mint(0);
    expect(key).toHaveLength(32);
    expect(toHex(other.key)).not.toBe(toHex(key));
    const credential = inviteCredential(nodePrimitives, key);
    expect(inviteId).toBe(toBase64url(credential.id));
    expect(ledger.live(inviteId, 0)?.credential).toEqual(credential);
  });

  it("[I2] [I3] holds a claimed invite for its claimant, who may come again", () => {
    const { ledger, inviteId } = minted();
    expect(ledger.claim(inviteId, ONE, 0)).toBe(true);
    expect(ledger.claim(inviteId, TWO, 0)).toBe(false);
    expect(ledger.claim(inviteId, ONE, 1)).toBe(true);
    expect(ledger.pending(0)).toMatchObject([{ claimed: true }]);
    expect(ledger.consume(inviteId, TWO, 1)).toBe(false);
    expect(ledger.consume(inviteId, ONE, 1)).toBe(true);
  });

  it("[I4] burns for good: no claim, credential or second use afterwards", () => {
    const { ledger, inviteId, key } = minted();
    const credential = ledger.live(inviteId, 0)?.credential;
    expect(ledger.consume(inviteId, ONE, 0)).toBe(false);
    ledger.claim(inviteId, ONE, 0);
    ledger.consume(inviteId, ONE, 0);
    expect(ledger.consume(inviteId, ONE, 0)).toBe(false);
    expect(ledger.claim(inviteId, ONE, 0)).toBe(false);
    expect(ledger.live(inviteId, 0)).toBeUndefined();
    expect(ledger.pending(0)).toEqual([]);
    expect(credential?.psk).toEqual(new Uint8Array(32));
    expect(credential?.mac).toEqual(new Uint8Array(32));
    expect(key).not.toEqual(new Uint8Array(32));
  });

  it("[I5] frees a claim when its connection is gone, or 30 seconds after it was last made", () => {
    const { ledger, inviteId } = minted();
    ledger.claim(inviteId, ONE, 0);
    ledger.release(inviteId, TWO);
    expect(ledger.claim(inviteId, TWO, 0)).toBe(false);
    ledger.release(inviteId, ONE);
    expect(ledger.claim(inviteId, TWO, 0)).toBe(true);
    expect(ledger.claim(inviteId, ONE, HOLD - 1)).toBe(false);
    expect(ledger.claim(inviteId, ONE, HOLD)).toBe(true);
    expect(ledger.consume(inviteId, TWO, HOLD)).toBe(false);
  });

  it("[I6] dies when its time is over, claimed or not", () => {
    for (const claimed of [false, true]) {
      const { ledger, inviteId } = minted();
      if (claimed) ledger.claim(inviteId, ONE, LIFETIME - 1);
      expect(ledger.pending(LIFETIME - 1)).toMatchObject([{ expiresInMs: 1, claimed }]);
      expect(ledger.pending(LIFETIME)).toEqual([]);
      expect(ledger.claim(inviteId, ONE, LIFETIME)).toBe(false);
      expect(ledger.consume(inviteId, ONE, LIFETIME)).toBe(false);
      expect(ledger.live(inviteId, 0)).toBeUndefined();
    }
  });

  it("[I7] can be revoked while it is pending, once", () => {
    for (const claimed of [false, true]) {
      const { ledger, inviteId } = minted();
      if (claimed) ledger.claim(inviteId, ONE, 0);
      expect(ledger.revoke(inviteId, 0)).toBe(true);
      expect(ledger.revoke(inviteId, 0)).toBe(false);
      expect(ledger.consume(inviteId, ONE, 0)).toBe(false);
      expect(ledger.claim(inviteId, ONE, 0)).toBe(false);
    }
  });
});

describe("invites over the wire", () => {
  it("[I2] of many who dial with one link at the same time, exactly one gets in", () => {
    for (const count of [2, 3, 8]) {
      const world = new World();
      const link = world.link();
      const guests = Array.from({ length: count }, (_, index) => {
        const guest = world.join(link, `guest ${index}`);
        guest.source = `s${index}`;
        return guest;
      });
      world.settle();
      const joined = guests.filter((guest) => guest.member.connection.name === "connected");
      expect(joined).toHaveLength(1);
      const others = guests.filter((guest) => guest !== joined[0]).map(endOf);
      expect(new Set(others)).toEqual(new Set(["invite-refused"]));
      expect(world.hostEntries).toHaveLength(1);
    }
  });

  it("[I3] [I5] a connection lost at any point before M4 does not burn the invite: the guest gets in by itself", () => {
    const losses: ((guest: Guest) => void)[] = [
      (guest) => (guest.tamperToGuest = () => []),
      (guest) => (guest.tamperToHost = () => []),
      (guest) => (guest.tamperToGuest = (message, at) => (at < 1 ? [message] : [])),
      (guest) => (guest.tamperToHost = silentFrom(1)),
    ];
    for (const lose of losses) {
      const world = new World();
      const guest = world.join(world.link());
      lose(guest);
      world.settle();
      expect(guestDid(guest, "joined")).toEqual([]);
      world.cut(guest);
      expect(world.room.pendingInvites(world.now)).toMatchObject([{ claimed: false }]);
      guest.tamperToHost = (message) => [message];
      guest.tamperToGuest = (message) => [message];
      world.advance(20_000);
      expect(guestDid(guest, "joined")).toHaveLength(1);
      expect(world.hostEntries).toHaveLength(1);
    }
  });

  it("[I5] an old connection of the same guest that ends late does not free the claim of its new one", () => {
    const world = new World();
    const guest = world.join(world.link());
    // ACCEPT is lost; only the guest notices that the connection is dead, and it comes again.
    guest.tamperToGuest = (message, at) => (at < 1 ? [message] : []);
    world.settle();
    const old = guest.connection ?? 0;
    world.loseGuestSide(guest);
    // The new CONFIRM is on its way when the host hears that the old socket closed.
    guest.tamperToGuest = (message) => [message];
    guest.tamperToHost = (message, at) => {
      if (at === 1) world.room.handle({ type: "closed", connection: old }, world.now);
      return [message];
    };
    world.advance(2_000);
    expect(endOf(guest)).toBeUndefined();
    expect(guest.member.connection.name).toBe("connected");
  });

  it("[I4] [K3] a link that was used opens nothing, while its guest comes back without it", () => {
    const world = new World();
    const link = world.link();
    const guest = world.join(link);
    world.settle();
    const thief = world.join(link, "thief");
    world.settle();
    expect(endOf(thief)).toBe("invite-refused");
    world.cut(guest);
    const again = world.join(link, "thief again");
    world.settle();
    expect(endOf(again)).toBe("invite-refused");
    world.advance(20_000);
    expect(guest.member.connection.name).toBe("connected");
  });

  it("[I6] [I7] expired and revoked links are refused over the wire", () => {
    const world = new World();
    const [old, revoked] = [world.link(), world.link()];
    world.room.revoke(world.room.pendingInvites(world.now)[1]?.inviteId ?? "", world.now);
    expect(world.room.revoke("nothing", world.now)).toBe(false);
    const second = world.join(revoked);
    world.settle();
    expect(endOf(second)).toBe("invite-refused");
    world.advance(LIFETIME);
    const first = world.join(old);
    world.settle();
    expect(endOf(first)).toBe("invite-refused");
  });

  it("[I8] seats and pending invites together never pass 64", () => {
    const world = new World();
    world.pair();
    for (let count = 0; count < 62; count += 1) world.link();
    expect(codeOf(() => world.link())).toBe("invite-limit");
    const [first] = world.room.pendingInvites(world.now);
    world.room.revoke(first?.inviteId ?? "", world.now);
    expect(codeOf(() => world.link())).toBeUndefined();
  });
});
