import { SESSION } from "../../protocol/base/limits.ts";
import { every } from "../../runtime/wait.ts";
import type { Batch } from "../../session/inbox.ts";
import type { Session } from "../../session/sessions.ts";
import { endOf, statusOf, type EndView } from "../../view/status.ts";
import { seconds } from "../../view/time.ts";
import type { ToolCall } from "./define-tool.ts";

/** How a tunnel has ended; no field while it is open. */
export function endFields(tunnel: Session): { readonly ended?: EndView } {
  const ended = endOf(tunnel);
  return ended === undefined ? {} : { ended };
}

/**
 * The next step after a wait for others.
 * @param found how many messages came
 * @returns undefined where the messages themselves say it
 */
export function nextStep(tunnel: Session, found: number, call: Pick<ToolCall, "wake">): string | undefined {
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
      return `Nothing new. The other side may be working: go on with your own work and listen again later, not in a tight loop. ${call.wake(tunnel.tunnelId).next}`;
  }
}

/**
 * Waits until there are unread messages, and takes them. Meanwhile the client is told that the call is alive. A cancelled
 * call takes nothing.
 */
export async function listen(
  tunnel: Session,
  options: { timeoutMs: number; limit: number },
  call: ToolCall,
): Promise<Batch> {
  const started = call.clock.now();
  const stopBeating = every(call.clock, SESSION.progressEveryMs, () =>
    call.progress(`waiting for messages, ${seconds(call.clock.now() - started)} s so far`),
  );
  try {
    for (;;) {
      const leftMs = started + options.timeoutMs - call.clock.now();
      await tunnel.inbox.wait(leftMs, call.signal);
      call.signal.throwIfAborted();
      const batch = tunnel.inbox.take(call.id, options.limit);
      // Another call of this agent may have taken the message that woke this one. Then it goes on waiting.
      const isOver = tunnel.end !== undefined || call.clock.now() >= started + options.timeoutMs;
      if (batch.entries.length > 0 || isOver) return batch;
    }
  } finally {
    stopBeating();
  }
}
