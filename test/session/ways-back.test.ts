import { expect, it } from "vitest";
import type { InviteId } from "../../src/protocol/base/ids.ts";
import type { MemberWays } from "../../src/protocol/host/presence-board.ts";
import type { Room } from "../../src/protocol/host/room.ts";
import type { IssuedInvites, RunRoom } from "../../src/session/issued-invites.ts";
import { WaysBack } from "../../src/session/ways-back.ts";
import { memberIdFromText } from "./support.ts";

const [A, B, C] = ["wss://a.example", "wss://b.example", "wss://c.example"] as const;

interface Someone {
  readonly name: string;
  invite?: string;
  known?: readonly string[];
  told?: readonly string[];
  connected?: boolean;
}

/** The ways back of a room that has these members; `links` were handed out and lead to these addresses. */
function waysBackOf(members: Someone[], links: Record<string, string> = {}) {
  const revoked: string[] = [];
  let made = 0;
  const room = {
    ways: (): MemberWays[] =>
      members.map(({ name, invite = `of ${name}`, known = [], told = [] }) => ({
        id: memberIdFromText(name),
        invite: invite as InviteId,
        known,
        told,
      })),
    presence: () =>
      members.map(({ name, connected = false }) => ({ id: memberIdFromText(name), name, connected })),
  } as unknown as Room;
  const run: RunRoom = (call) => call(room, 0);
  const invites = {
    addressOf: (invite: InviteId) => links[invite],
    addresses: () => [],
    forMember(address: string) {
      made += 1;
      return { joinLink: `link ${made} to ${address}`, inviteId: `made ${made}` };
    },
    revoke: (invite: string) => revoked.push(invite) > 0,
  } as unknown as IssuedInvites;
  return { ways: new WaysBack(run, invites), revoked };
}

it("a member that knows nothing but its link is led by the address in that", () => {
  const { ways } = waysBackOf([{ name: "ben" }], { "of ben": A });
  expect(ways.absent()).toEqual([[A]]);
  expect(ways.guide({ working: [B], silent: [A] }, 0)).toEqual([]);
  expect(ways.cutOff({ working: [B], silent: [A] })).toEqual([{ name: "ben", needsLink: false }]);
  expect(ways.cutOff({ working: [B], silent: [] })).toEqual([{ name: "ben", needsLink: true }]);
  expect(ways.guide({ working: [B], silent: [] }, 0)).toEqual([
    { memberName: "ben", joinLink: `link 1 to ${B}`, inviteId: "made 1" },
  ]);
  expect(ways.absent()).toEqual([[A, B]]);
  expect(ways.cutOff({ working: [B], silent: [] })).toEqual([]);
});

it("no link is made while there is no address to lead to, and one only for each need", () => {
  const { ways, revoked } = waysBackOf([{ name: "ben", known: [A] }]);
  expect(ways.guide({ working: [], silent: [B] }, 0)).toEqual([]);
  expect(ways.guide({ working: [B], silent: [] }, 0)).toHaveLength(1);
  expect(ways.guide({ working: [B], silent: [] }, 60_000)).toEqual([]);
  expect(ways.guide({ working: [C], silent: [B] }, 61_000)).toEqual([]);
  expect(revoked).toEqual([]);
  expect(ways.guide({ working: [C], silent: [] }, 60_000)).toMatchObject([{ joinLink: `link 2 to ${C}` }]);
  expect(revoked).toEqual(["made 1"]);
});

it("a member that may have heard of an address that works is waited for for twenty seconds", () => {
  const { ways } = waysBackOf([{ name: "ben", known: [A], told: [A, B] }]);
  expect(ways.absent()).toEqual([[A, A, B]]);
  for (const now of [0, 19_000]) expect(ways.guide({ working: [B, C], silent: [] }, now)).toEqual([]);
  expect(ways.guide({ working: [B, C], silent: [] }, 20_000)).toHaveLength(1);
});

it("a member that knows a silent address is waited for for a minute in which another one works, an outage not counted", () => {
  const { ways } = waysBackOf([{ name: "ben", known: [A] }]);
  expect(ways.guide({ working: [], silent: [A] }, 0)).toEqual([]);
  for (const now of [600_000, 650_000]) expect(ways.guide({ working: [C], silent: [A] }, now)).toEqual([]);
  expect(ways.guide({ working: [], silent: [A, C] }, 655_000)).toEqual([]);
  for (const now of [700_000, 759_000]) expect(ways.guide({ working: [C], silent: [A] }, now)).toEqual([]);
  expect(ways.guide({ working: [C], silent: [A] }, 760_000)).toMatchObject([{ joinLink: `link 1 to ${C}` }]);
});

it("a member that is connected and may not have heard the latest could be cut off with what it knew before", () => {
  const ben: Someone = { name: "ben", known: [A], told: [B], connected: true };
  const { ways } = waysBackOf([ben]);
  expect([ways.absent(), ways.isKnown(B), ways.isAnybodyAway]).toEqual([[[A, B]], false, false]);
  expect(ways.cutOff({ working: [C], silent: [] })).toEqual([]);
  expect(ways.guide({ working: [C], silent: [] }, 0)).toEqual([]);
  ben.known = [B];
  ben.told = [];
  expect([ways.absent(), ways.isKnown(B)]).toEqual([[], true]);
});

it("the invite of a link is void when the member is back, or is none any more", () => {
  const members: Someone[] = [
    { name: "ben", known: [A] },
    { name: "eva", known: [A] },
  ];
  const { ways, revoked } = waysBackOf(members);
  expect(ways.guide({ working: [B], silent: [] }, 0)).toHaveLength(2);
  Object.assign(members[0] ?? {}, { connected: true, known: [B] });
  members.pop();
  expect(ways.guide({ working: [B], silent: [] }, 1_000)).toEqual([]);
  expect(revoked).toEqual(["made 1", "made 2"]);
});

it("a member whose human has joined anew by its link gets no other: nobody is left to come back", () => {
  const members: Someone[] = [{ name: "ben", known: [A] }];
  const { ways } = waysBackOf(members);
  expect(ways.guide({ working: [B], silent: [] }, 0)).toHaveLength(1);
  members.push({ name: "ben (2)", invite: "made 1", known: [B], connected: true });
  for (const working of [[B], [C], [A]]) expect(ways.guide({ working, silent: [] }, 1_000)).toEqual([]);
  expect(ways.cutOff({ working: [C], silent: [] })).toEqual([]);
  expect(ways.isAnybodyAway).toBe(false);
});
