import assert from "node:assert/strict";
import type { MemberId } from "../../src/protocol/base/ids.ts";
import { LINK } from "../../src/protocol/base/limits.ts";
import type { Presence } from "../../src/protocol/room/participant.ts";
import type { Checks } from "./checks.ts";
import type { Participant } from "./participant.ts";
import { DAY, MINUTE, type Plan } from "./plan.ts";
import type { World } from "../support/wire.ts";

/** A socket is asked for and opens, M2 goes and DENIED comes. */
const DENIAL_CROSSINGS = 4;

/** Who is where at the end, and how it may be compared between two views of it. */
function views(presence: readonly Presence[]): string {
  return JSON.stringify(
    presence
      .map(({ id, name, isHost, connected, read }) => [id, name, isHost, connected, read])
      .toSorted((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1)),
  );
}

/** Everybody who has a seat has everything, and who has none knows why. */
export function checkHealed(world: World, checks: Checks, plan: Plan): void {
  const { room } = world;
  for (const participant of checks.all) checkGoodbye(world, checks, participant);
  checkSeatless(world, checks, plan);
  if (room.ended === undefined) {
    for (const participant of checks.all) checkPlaced(world, checks, participant);
    for (const participant of checks.all) participant.reader?.finish();
  }
  if (plan.idleMs < DAY || room.ended !== undefined) checkEnd(world, checks, plan);
  for (const participant of checks.all) {
    const { guest, mustHearUpTo, index } = participant;
    const lastSeq = guest?.member.lastSeq ?? room.lastSeq;
    checks.order.checkHeard(participant, guest?.entries ?? world.hostEntries, lastSeq);
    assert.ok(lastSeq >= mustHearUpTo, `guest ${index} heard up to ${lastSeq}, not ${mustHearUpTo}`);
  }
  checks.order.checkUntold(room.lastSeq, checks.all);
}

/** Whether everybody who can be is connected, has everything and sees the others as they are. */
export function isWhole(world: World, checks: Checks): boolean {
  const { room } = world;
  if (room.ended !== undefined) return true;
  const truth = views(room.presence(world.hostNow));
  return checks.all.every(({ guest }) => {
    if (guest === undefined || guest.member.connection.name === "ended") return true;
    const hasAll = guest.member.connection.name === "connected" && guest.member.unplaced === 0;
    const isSeen = views(guest.member.presence(world.nowOf(guest))) === truth;
    // A hole that nobody has noticed yet looks well from both ends.
    const isAlone = world.isWhole(guest) && world.connectionsOf(guest) === 1;
    return hasAll && isSeen && isAlone && guest.member.lastSeq === room.lastSeq;
  });
}

function checkPlaced(world: World, checks: Checks, participant: Participant): void {
  const { index, guest, said } = participant;
  const { room, hostNow } = world;
  const isPlaced = said.every(({ place }) => place !== undefined);
  if (guest === undefined) return assert.ok(isPlaced, "the host's own words");
  const { connection } = guest.member;
  if (connection.name === "ended") return;
  assert.equal(connection.name, "connected", `guest ${index} is ${connection.name}`);
  assert.equal(world.connectionsOf(guest), 1, `connections that guest ${index} has or had`);
  assert.equal(guest.member.unplaced, 0, `guest ${index} has something unplaced`);
  assert.ok(isPlaced, `all that guest ${index} said`);
  assert.equal(guest.member.lastSeq, room.lastSeq, `all that guest ${index} hears`);
  assert.ok(participant.hasArrived, `guest ${index} has arrived`);
  const presence = room.presence(hostNow);
  assert.equal(views(guest.member.presence(world.nowOf(guest))), views(presence), `who is here, to ${index}`);
  const session = presence.find(({ id }) => id === participant.id);
  assert.equal(session?.safetyCode, guest.member.membership?.safetyCode, `safety code of ${index}`);
  assert.equal(guest.member.membership?.name, checks.order.nameOf(participant.id), `name of ${index}`);
}

/**
 * Who has no seat any more learns it. With one secret every round of denials counts, however few of them the host's
 * door answers (A3). With several, a round may never get through all of them, and on a wire too slow for a denial before
 * the next address is tried no round may count: then it takes as long as one waits at all.
 */
function checkSeatless(world: World, checks: Checks, { latencyMs, jitterMs }: Plan): void {
  const isWaiting = (participant: Participant): boolean =>
    checks.lostSeat(participant) !== undefined && participant.guest?.member.connection.name !== "ended";
  const waiting = checks.all.filter(isWaiting);
  if (waiting.length === 0) return;
  world.advance(2 * MINUTE);
  // Where the room is over nobody denies: that is then found out as any end is.
  const isPrompt =
    world.room.ended === undefined && DENIAL_CROSSINGS * (latencyMs + jitterMs) < LINK.stepTimeoutMs;
  for (const participant of waiting.filter(({ secrets }) => isPrompt && secrets === 1))
    assert.ok(!isWaiting(participant), `guest ${participant.index} waits without a seat`);
  if (!waiting.some(isWaiting)) return;
  world.advance(LINK.giveUpMs + MINUTE);
  for (const participant of waiting)
    assert.ok(!isWaiting(participant), `guest ${participant.index} still waits without a seat`);
}

function isConnected({ guest }: Participant): boolean {
  return guest?.member.connection.name === "connected";
}

function checkGoodbye(world: World, checks: Checks, participant: Participant): void {
  const { index, guest, said } = participant;
  if (participant.mustHearRemoval && !participant.hasLeft) {
    const link = guest?.member.connection;
    const isTold = link?.name === "ended" && link.end.by === "removal";
    assert.ok(isTold, `guest ${index} was removed and is ${link?.name}`);
  }
  if (!participant.mustBeSeenLeaving) return;
  assert.equal(checks.lostSeat(participant), "left", `guest ${index} has left`);
  // What was for others alone is known only where one of them is left that has been told.
  const isHere = (id: MemberId): boolean =>
    id === world.room.self || checks.all.some((one) => one.id === id && isConnected(one));
  const isPlaced = said.every(({ place, to }) => place !== undefined || to?.some(isHere) === false);
  if (participant.mustBeHeard) assert.ok(isPlaced, `all that guest ${index} said before it left`);
}

/** A room in which nobody does anything any more ends, and everybody within reach learns of any end, and why. */
function checkEnd(world: World, checks: Checks, plan: Plan): void {
  if (world.room.ended === undefined) {
    world.advance(plan.idleMs + MINUTE);
    assert.equal(world.room.ended, "idle");
  }
  world.advance(MINUTE);
  for (const { index, guest, mustHearTheEnd } of checks.all) {
    if (guest === undefined || !mustHearTheEnd) continue;
    const { connection } = guest.member;
    assert.ok(
      connection.name === "ended" && connection.end.by === "host",
      `guest ${index} did not hear the end`,
    );
  }
  // Who was out of reach gives up, or learns that nothing is there.
  world.advance(40 * MINUTE);
  for (const { index, guest } of checks.all) {
    if (guest?.member.membership === undefined) continue;
    assert.equal(guest.member.connection.name, "ended", `guest ${index} waits for a room that is over`);
  }
}
