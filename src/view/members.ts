import type { MemberId } from "../protocol/base/ids.ts";
import type { ObserverRole } from "../protocol/handshake/role.ts";
import type { Oversight } from "../protocol/room/oversight.ts";
import type { Presence } from "../protocol/room/participant.ts";
import type { WorkContext } from "../protocol/room/work-context.ts";
import { seconds } from "./time.ts";

/** Git shows commits this short, and that is long enough to look one up. */
const HEAD_CHARS = 12;
/** Clocks that differ by less are in order: nobody compares times to the second. */
const SKEW_SHOWN_MS = 60_000;

function skewView(skewMs: number | undefined): number | undefined {
  return skewMs === undefined || Math.abs(skewMs) <= SKEW_SHOWN_MS ? undefined : Math.round(skewMs / 1_000);
}

/** Where a member works, by its own words: no paths, no addresses, nothing proved. */
export interface WorkContextView {
  readonly repository: string | undefined;
  readonly branch: string | undefined;
  readonly head: string | undefined;
  readonly dirty: boolean | undefined;
  /** Name and version of its MCP client. */
  readonly client: string | undefined;
}

/** One participant. Names and work contexts are checked labels that a peer has chosen. */
export interface MemberView {
  readonly id: MemberId;
  readonly name: string;
  /** Another name of this room looks the same on this machine: its id tells them apart. */
  readonly lookAlike: true | undefined;
  readonly isHost: boolean;
  readonly isSelf: boolean;
  /** It only reads along; a member where undefined. */
  readonly role?: ObserverRole | undefined;
  readonly connected: boolean;
  readonly lastSeenSec: number;
  readonly readSeq: number;
  /** How far its clock is ahead of this side's, negative where it is behind; left out up to a minute, or where nothing is known. */
  readonly clockSkewSec: number | undefined;
  readonly workContext: WorkContextView | undefined;
  /** How its own person bounds its agent, as it says; undefined where nothing is known of it. */
  readonly oversight?: Oversight | undefined;
}

export function workContextView({ repository, client }: WorkContext): WorkContextView {
  return {
    repository: repository?.name,
    branch: repository?.branch,
    head: repository?.head?.slice(0, HEAD_CHARS),
    dirty: repository?.dirty,
    client: client && `${client.name} ${client.version}`,
  };
}

export function memberView(member: Presence): MemberView {
  const { id, name, lookAlike, isHost, isSelf, connected, lastSeenMs } = member;
  const { read, workContext, clockSkewMs, oversight, role } = member;
  return {
    id,
    name,
    lookAlike,
    isHost,
    isSelf,
    role,
    connected,
    lastSeenSec: seconds(lastSeenMs),
    readSeq: read,
    clockSkewSec: skewView(clockSkewMs),
    workContext: workContext && workContextView(workContext),
    oversight,
  };
}

/** The two sides of a pairing see the same code exactly when nobody sits between them. */
export interface SafetyCodeView {
  readonly name: string;
  readonly safetyCode: string;
}

export function safetyCodesView(members: readonly Presence[]): SafetyCodeView[] {
  return members.flatMap(({ name, safetyCode }) => (safetyCode === undefined ? [] : [{ name, safetyCode }]));
}

/** Whether two members say that they work on the same code. Nothing here is proved. */
interface SameCodeView {
  readonly repository: boolean;
  /** Undefined where one of them has no commit. */
  readonly head: boolean | undefined;
  readonly dirtyHere: boolean;
  readonly dirtyAtHost: boolean;
}

/** @returns undefined where one of them has told of no repository */
export function sameCodeView(
  own: WorkContext | undefined,
  host: WorkContext | undefined,
): SameCodeView | undefined {
  const [here, there] = [own?.repository, host?.repository];
  if (here === undefined || there === undefined) return undefined;
  const areKnown = here.head !== undefined && there.head !== undefined;
  return {
    repository: here.name === there.name,
    head: areKnown ? here.head === there.head : undefined,
    dirtyHere: here.dirty,
    dirtyAtHost: there.dirty,
  };
}
