import { SESSION } from "../../protocol/base/limits.ts";
import { every, settled, wait } from "../../runtime/wait.ts";
import type { Invite } from "../../session/issued-invites.ts";
import type { Hosted, Opening } from "../../session/openings.ts";
import { inviteView } from "../../view/invites.ts";
import { selfView, statusOf } from "../../view/status.ts";
import { seconds } from "../../view/time.ts";
import { invitesWithin } from "../results/invites.ts";
import type { Payload } from "../results/result.ts";
import type { ToolCall } from "../calls/define-tool.ts";

/** The opening that a call means whose outcome has not been told: the named one, or the only tunnel there is. */
export function openingMeant({ sessions }: ToolCall, tunnelId: string | undefined): Opening | undefined {
  const found = sessions.openings.find(tunnelId);
  if (found?.state.name === "opened" && found.state.hosted.hosting.end !== undefined) {
    // Its links lead nowhere any more: what is to be told of it is told as of every tunnel that has ended.
    sessions.openings.forget(found);
    return undefined;
  }
  const others = sessions.open.filter((tunnel) => tunnel.tunnelId !== found?.tunnelId);
  return tunnelId === undefined && others.length > 0 ? undefined : found;
}

/** Waits until an opening is over or the time is up, and reports how it goes. */
export async function follow(opening: Opening, timeoutMs: number, call: ToolCall): Promise<void> {
  const { clock, signal } = call;
  const started = clock.now();
  const stopFollowing = opening.onProgress(({ message, fraction }) =>
    call.progress(message, fraction === undefined ? undefined : { done: fraction, total: 1 }),
  );
  const stopBeating = every(clock, SESSION.progressEveryMs, () =>
    call.progress(`opening the tunnel, ${seconds(clock.now() - started)} s so far`),
  );
  await wait(clock, timeoutMs, { signal, until: settled(opening.over) });
  stopBeating();
  stopFollowing();
}

const GOES_ON =
  "It takes longer than one call may, and goes on by itself. Call tunnel_listen with this tunnelId: it waits, and brings the invites, or why it failed. tunnel_close ends it. Do not open another one meanwhile.";

/**
 * How an opening stands; an outcome is told once.
 * @throws {TunnelError} why it failed
 */
export function openingFields(opening: Opening, call: ToolCall): Payload {
  const { state, tunnelId } = opening;
  if (state.name === "opening")
    return { tunnelId, status: "opening", progress: state.progress?.message, unread: 0, next: GOES_ON };
  call.sessions.openings.forget(opening);
  if (state.name === "failed") throw state.error;
  return openedFields(state.hosted, call);
}

/** Those of its invites that can still be used, with the time that is left, and new ones in place of the others. */
function usableInvites({ hosting, invites }: Hosted): Invite[] {
  const leftMs = new Map(hosting.pendingInvites().map((one) => [one.inviteId, one.expiresInMs]));
  const usable = invites.flatMap((invite) => {
    const expiresInMs = leftMs.get(invite.inviteId);
    return expiresInMs === undefined ? [] : [{ ...invite, expiresInMs }];
  });
  const missing = invites.length - usable.length;
  return missing === 0 ? usable : [...usable, ...hosting.invite(missing)];
}

function openedFields(hosted: Hosted, call: ToolCall): Payload {
  const { hosting } = hosted;
  const shown = invitesWithin(usableInvites(hosted).map(inviteView), call.limit);
  const [only] = shown.invites.length === 1 ? shown.invites : [];
  return {
    tunnelId: hosting.tunnelId,
    status: statusOf(hosting),
    goal: hosting.goal,
    self: selfView(hosting),
    transport: hosting.transport,
    history: hosting.history,
    ...(only === undefined
      ? {}
      : { joinLink: only.joinLink, invite: only.invite, joinLinkExpiresInSec: only.expiresInSec }),
    ...shown,
    unread: hosting.inbox.unread,
    idleEndsInSec: seconds(hosting.idleAt - call.clock.now()),
    next: "Give each `invite` to your human to pass on to one person over a private channel, then call tunnel_listen: it answers when somebody joins.",
  };
}
