import { expect } from "vitest";
import type { ErrorCode } from "../../../src/errors/tunnel-error.ts";
import type { MemberRecord } from "../../../src/protocol/room/frames.ts";
import { nodePrimitives } from "../../../src/runtime/primitives.ts";
import { provedRecord } from "../../support/proved.ts";
import { HostileHost, type Victim } from "./host.ts";

/** A hostile host and two guests that have been told the same so far. */
export function three(): { host: HostileHost; ben: Victim; cid: Victim } {
  const host = new HostileHost();
  const [ben, cid] = host.sessions("ben", "cid");
  if (ben === undefined || cid === undefined) throw new Error("nobody came");
  return { host, ben, cid };
}

/** The outcome of an attack: nothing of it in the log, the stay over, and the agent told why. */
export function expectCaught(victim: Victim, code: ErrorCode, log: readonly string[]): void {
  const { end, alarms, log: shown } = victim;
  expect({ end, alarms, log: shown }).toEqual({ end: code, alarms: [code], log });
}

/** Somebody with a key of its own, as a host may name it to others in its room. */
export function newcomer(
  { room }: Pick<HostileHost, "room">,
  name: string,
  keys = nodePrimitives.generateSigningKeyPair(),
): MemberRecord {
  return provedRecord(room, keys, { name, hash: nodePrimitives.random(32) });
}

export const SECRET = "between us";

/** Three guests of a hostile host; the first has said something that is for the second alone. */
export function whispered(recipients: readonly ("cid" | "dan")[] = ["cid"]) {
  const host = new HostileHost();
  const [ben, cid, dan] = host.sessions("ben", "cid", "dan");
  if (ben === undefined || cid === undefined || dan === undefined) throw new Error("nobody came");
  const ids = { cid: cid.id, dan: dan.id };
  const whisper = ben.whispers(SECRET, { to: recipients.map((name) => ids[name]) });
  return { host, ben, cid, dan, ...whisper };
}
