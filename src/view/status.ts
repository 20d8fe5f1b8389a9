import { SESSION } from "../protocol/base/limits.ts";
import type { SessionEnd } from "../session/handle.ts";
import type { Batch } from "../session/inbox.ts";
import type { OpenTunnel } from "../session/sessions.ts";
import type { ToolCall } from "../mcp/tools/define-tool.ts";
import { memberView } from "./members.ts";
import type { Payload } from "../mcp/results/result.ts";
import { seconds } from "./time.ts";

/** How the state of a tunnel is shown to the model: the same words in every tool. */

export type TunnelStatus = "waiting_for_members" | "open" | "reconnecting" | "closed";

export function statusOf(tunnel: OpenTunnel): TunnelStatus {
  if (tunnel.end !== undefined) return "closed";
  if (tunnel.role === "member") return tunnel.link.name === "connected" ? "open" : "reconnecting";
  return tunnel.presence().length > 1 ? "open" : "waiting_for_members";
}

/** All of them, for who does not read them with a model. */
export function memberViews(tunnel: OpenTunnel): Payload[] {
  return tunnel.presence().map((member) => memberView(member));
}

const END_TEXTS: Readonly<Record<SessionEnd["cause"], string>> = {
  "closed-here": "this side has closed it",
  "closed-by-host": "the host has closed it",
  idle: "nobody did anything in it for too long",
  "host-stopped": "the host's session has ended",
  removed: "the host has removed this side from it",
  failed: "it failed",
};

/** What to do when somebody was waited for; nothing where what was found says it. */
export function nextStep(tunnel: OpenTunnel, found: number): string | undefined {
  switch (statusOf(tunnel)) {
    case "closed":
      return "The tunnel is over. Tell your human how it ended.";
    case "waiting_for_members":
      return "Nobody else is in the tunnel. Make sure your human has passed the invite on (tunnel_invite makes another one), then listen again.";
    case "reconnecting":
      return "The connection to the host is being restored by itself; what was said waits. Go on with other work and listen again later.";
    case "open":
      if (found > 0) return undefined;
      return "Nothing new. The other side may be working: go on with your own work and listen again later, not in a tight loop. With nothing else to do, run wake.command (tunnel_status) in the background, if you can, and end your turn.";
  }
}

/** Why a tunnel is over, or nothing while it is not. */
export function endView(tunnel: OpenTunnel): Payload {
  const { end } = tunnel;
  if (end === undefined) return {};
  const because = end.cause === "failed" ? `${END_TEXTS.failed}: ${end.error.message}` : END_TEXTS[end.cause];
  return { ended: { cause: end.cause === "failed" ? end.error.code : end.cause, because } };
}

/**
 * Waits until something unread is there and takes it. While it waits the client is told that it is alive; a cancelled
 * call takes nothing.
 */
export async function listen(
  tunnel: OpenTunnel,
  options: { timeoutMs: number; limit: number },
  call: ToolCall,
): Promise<Batch> {
  const started = call.clock.now();
  let cancel = (): void => undefined;
  const beat = (): void => {
    cancel = call.clock.after(SESSION.progressEveryMs, () => {
      call.progress(`waiting for messages, ${seconds(call.clock.now() - started)} s so far`);
      beat();
    });
  };
  beat();
  try {
    for (;;) {
      const leftMs = started + options.timeoutMs - call.clock.now();
      await tunnel.inbox.wait(leftMs, call.signal);
      call.signal.throwIfAborted();
      const batch = tunnel.inbox.take(call.id, options.limit);
      // Another call of this agent may have taken what woke this one: then it goes on waiting.
      const isOver = tunnel.end !== undefined || call.clock.now() >= started + options.timeoutMs;
      if (batch.entries.length > 0 || isOver) return batch;
    }
  } finally {
    cancel();
  }
}
