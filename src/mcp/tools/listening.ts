import { SESSION } from "../../protocol/base/limits.ts";
import { every } from "../../runtime/wait.ts";
import type { Batch } from "../../session/inbox.ts";
import type { Session } from "../../session/sessions.ts";
import { shownLabel } from "../../view/labels.ts";
import { endOf, statusOf, type EndView } from "../../view/status.ts";
import { seconds } from "../../view/time.ts";
import { HELD, HELD_IN, PAUSED } from "../results/held.ts";
import { packingOf, type Showing } from "../results/messages.ts";
import type { ToolCall } from "../calls/define-tool.ts";

/** How messages are shown in the result of a call. */
export function showingOf({ clock, fence, limit, sessions }: ToolCall): Showing {
  const { localFiles } = sessions;
  return { now: clock.now(), fence, limit, placeFor: (name) => localFiles.placeFor(plainName(name)) };
}

/** A name that reads like a sentence, without what makes it one: in a path there are no quotation marks around it. */
function plainName(name: string): string {
  return shownLabel(name) === name ? name : name.replace(/[^\p{L}\p{N}._-]+/gu, "-");
}

/** How a tunnel has ended; no field while it is open. */
export function endFields(tunnel: Session): { readonly ended?: EndView } {
  const ended = endOf(tunnel);
  return ended === undefined ? {} : { ended };
}

/** Whether this side's person has paused it; no field while they have not. */
export function pauseFields({ oversight }: Pick<Session, "oversight">): { readonly paused?: true } {
  return oversight.isPaused ? { paused: true } : {};
}

/**
 * The next step after a wait for others.
 * @param found how many messages came
 * @returns undefined where the messages themselves say it
 */
export function nextStep(tunnel: Session, found: number, call: Pick<ToolCall, "wake">): string | undefined {
  if (tunnel.end === undefined && tunnel.oversight.isPaused) return PAUSED;
  switch (statusOf(tunnel)) {
    case "closed":
      return endOf(tunnel)?.undelivered === undefined
        ? "The tunnel is over. Tell your human how it ended."
        : "The tunnel is over. Tell your human how it ended, and which of your messages never arrived (notice `undelivered`).";
    case "waiting_for_members":
      return "Nobody else is in the tunnel. Make sure your human has passed the invite on (tunnel_invite makes another one), then listen again.";
    case "reconnecting":
      return "The connection to the host is being restored by itself; what was said waits. Go on with other work and listen again later.";
    case "open":
      if (found > 0) return undefined;
      if (tunnel.oversight.heldOut > 0) return HELD;
      if (tunnel.oversight.heldIn > 0) return HELD_IN;
      return `Nothing new. The other side may be working: go on with your own work and listen again later, not in a tight loop. ${call.wake(tunnel.tunnelId).next}`;
  }
}

/**
 * Waits until there are unread messages, and takes them; or until there are messages after `sinceSeq`, read or not, and reads
 * them again. Meanwhile the client is told that the call is alive. A cancelled call takes nothing, and neither does one in a
 * pause: what had come before is kept as well.
 */
export async function listen(
  tunnel: Session,
  {
    timeoutMs,
    limit,
    sinceSeq,
    part,
  }: { timeoutMs: number; limit: number; sinceSeq?: number | undefined; part?: number | undefined },
  call: ToolCall,
): Promise<Batch> {
  const { inbox, oversight } = tunnel;
  const look = (): Batch => {
    if (oversight.isPaused) return { entries: [], unread: inbox.unread, more: false, gap: undefined };
    const packing = packingOf(showingOf(call));
    return sinceSeq === undefined
      ? inbox.take(call.id, limit, packing)
      : inbox.reread(sinceSeq, limit, packing, part);
  };
  const news = call.exposures.loaded?.news;
  const isExposureNews = (): boolean => (news?.unread ?? 0) > 0;
  const isThere = (): boolean => {
    if (isExposureNews()) return true;
    if (oversight.isPaused) return false;
    return sinceSeq === undefined ? inbox.unread > 0 : inbox.reread(sinceSeq, 1).entries.length > 0;
  };
  const started = call.clock.now();
  const stopBeating = every(call.clock, SESSION.progressEveryMs, () =>
    call.progress(`waiting for messages, ${seconds(call.clock.now() - started)} s so far`),
  );
  try {
    for (;;) {
      const leftMs = started + timeoutMs - call.clock.now();
      await inbox.wait(leftMs, call.signal, isThere, news && ((wake) => news.onNews(wake)));
      call.signal.throwIfAborted();
      const batch = look();
      // Another call of this agent may have taken the message that woke this one. Then it goes on waiting.
      const isOver = tunnel.end !== undefined || call.clock.now() >= started + timeoutMs;
      if (batch.entries.length > 0 || isOver || isExposureNews()) return batch;
    }
  } finally {
    stopBeating();
  }
}
