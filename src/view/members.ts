import type { WorkContext } from "../protocol/room/work-context.ts";
import type { MemberId } from "../protocol/base/ids.ts";
import type { Presence } from "../protocol/room/participant.ts";
import type { OpenTunnel } from "../session/sessions.ts";
import { shownBytes, within } from "../mcp/results/bounds.ts";
import type { Payload } from "../mcp/results/result.ts";
import { seconds } from "./time.ts";

/** How members are shown to the model. Names and work contexts are checked labels, and what somebody says of itself. */

/** As people abbreviate commits, and long enough to be looked up. */
const HEAD_CHARS = 12;

/** What somebody told of where it works when it came: no paths, no addresses. */
export function workContextView({ repository: found, client }: WorkContext): Payload {
  return {
    repository: found?.name,
    branch: found?.branch,
    head: found?.head?.slice(0, HEAD_CHARS),
    dirty: found?.dirty,
    client: client && `${client.name} ${client.version}`,
  };
}

export function memberView(member: Presence): Payload & { readonly id: MemberId } {
  const { id, name, isHost, isSelf, connected, lastSeenMs, read, workContext } = member;
  return {
    id,
    name,
    isHost,
    isSelf,
    connected,
    lastSeenSec: seconds(lastSeenMs),
    readSeq: read,
    workContext: workContext && workContextView(workContext),
  };
}

/** A part of the room for the names of those who do not fit as a whole, so that they can still be spoken to. */
const NAMES_SHARE = 1 / 4;

/** Everybody, or this side, the host and as many others as fit; then names, then a number. */
export function membersView(tunnel: Pick<OpenTunnel, "presence">, maxBytes: number): Payload {
  const present = tunnel.presence();
  const views = present.map(memberView);
  if (shownBytes(views) <= maxBytes) return { members: views };
  const first = present.toSorted((one, other) => rank(one) - rank(other));
  const members = within(first.map(memberView), maxBytes * (1 - NAMES_SHARE));
  const shown = new Set(members.map(({ id }) => id));
  const left = first.filter(({ id }) => !shown.has(id)).map(({ name }) => name);
  const names = within(left, maxBytes * NAMES_SHARE);
  const missing = left.length - names.length;
  return { members, otherMembers: names, membersNotShown: missing > 0 ? missing : undefined };
}

function rank({ isSelf, isHost, connected }: Presence): number {
  if (isSelf) return 0;
  if (isHost) return 1;
  return connected ? 2 : 3;
}

/**
 * Whether two agents look at the same code, by what each side has told of itself when it came: nothing here is proved.
 * `undefined` where one of them has told nothing of a repository.
 */
export function sameCodeView(
  own: WorkContext | undefined,
  host: WorkContext | undefined,
): Payload | undefined {
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
