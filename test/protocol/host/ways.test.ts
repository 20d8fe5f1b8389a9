import { expect, it } from "vitest";
import { LINK } from "../../../src/protocol/base/limits.ts";
import type { MemberSessions } from "../../../src/protocol/host/member-sessions.ts";
import { PresenceBoard, type MemberWays } from "../../../src/protocol/host/presence-board.ts";
import type { RoomOrder } from "../../../src/protocol/room/order.ts";
import { memberIdFromText } from "../../session/support.ts";
import { World, type Guest } from "../../support/wire.ts";

const MINUTE = 60_000;
const SECOND = "ws://127.0.0.1:2";
const THIRD = "ws://127.0.0.1:3";

function paired(): { world: World; guest: Guest } {
  const world = new World({ idleMs: 24 * 60 * MINUTE });
  return { world, guest: world.pair() };
}

function waysOf({ room, now }: World): Pick<MemberWays, "known" | "told"> {
  const [ways] = room.ways(now);
  return { known: ways?.known ?? [], told: ways?.told ?? [] };
}

it("[U1] an address counts as heard when the member has answered the PING behind it, not before", () => {
  const { world } = paired();
  expect(waysOf(world)).toEqual({ known: [], told: [] });
  world.latency = () => 1_000;
  world.room.setAddresses([SECOND], world.now);
  world.advance(1_900);
  expect(waysOf(world)).toEqual({ known: [], told: [SECOND] });
  world.advance(200);
  expect(waysOf(world)).toEqual({ known: [SECOND], told: [] });
});

it("[U1] an answer to an earlier question says nothing of a later list", () => {
  const { world } = paired();
  world.latency = () => 1_000;
  world.room.setAddresses([SECOND], world.now);
  world.advance(1_500);
  world.room.setAddresses([SECOND, THIRD], world.now);
  world.advance(700);
  expect(waysOf(world)).toEqual({ known: [], told: [SECOND, THIRD] });
  world.advance(1_400);
  expect(waysOf(world)).toEqual({ known: [SECOND, THIRD], told: [] });
});

it("[U1] what was told as the connection broke may have been heard or not; the next WELCOME settles it", () => {
  const { world, guest } = paired();
  guest.offline = true;
  world.room.setAddresses([SECOND], world.now);
  world.cut(guest);
  world.advance(5_000);
  expect(waysOf(world)).toEqual({ known: [], told: [SECOND] });
  world.room.setAddresses([THIRD], world.now);
  world.advance(5_000);
  // It was away, and was told nothing.
  expect(waysOf(world)).toEqual({ known: [], told: [SECOND] });
  guest.offline = false;
  world.advance(MINUTE);
  expect(waysOf(world)).toEqual({ known: [THIRD], told: [] });
});

it("[U1] a member knows the invite by which it came, and an empty list changes nothing", () => {
  const { world } = paired();
  world.room.setAddresses([SECOND], world.now);
  world.advance(LINK.ackDelayMs);
  world.room.setAddresses([], world.now);
  world.advance(LINK.ackDelayMs);
  expect(waysOf(world)).toEqual({ known: [SECOND], told: [] });
  const pending = world.room.mint(world.now);
  expect(world.room.ways(world.now)[0]?.invite).not.toBe(pending.inviteId);
});

it("[U1] a member that stays connected and never answers counts as having heard after 35 s: nobody waits for it for ever", () => {
  const link = { isConnected: true, answered: 0, ask: () => 1, note: () => undefined };
  const session = { member: { id: "m" }, invite: "i", link };
  const board = new PresenceBoard({
    self: memberIdFromText("host"),
    order: { members: [] } as unknown as RoomOrder,
    sessions: { all: [session], members: [session] } as unknown as MemberSessions,
    emit: () => undefined,
  });
  board.setAddresses([SECOND], 0);
  expect(board.ways(34_999)).toMatchObject([{ known: [], told: [SECOND] }]);
  link.isConnected = false;
  expect(board.ways(60_000)).toMatchObject([{ known: [], told: [SECOND] }]);
  link.isConnected = true;
  expect(board.ways(60_000)).toMatchObject([{ known: [SECOND], told: [] }]);
});
