import { SESSION } from "../../../protocol/base/limits.ts";
import { every, wait } from "../../../runtime/wait.ts";
import type { Exposures } from "../../../expose/exposures/exposures.ts";
import { exposureNoticeFields } from "../../results/expose/news.ts";
import { exposureView } from "../../../view/expose/exposures.ts";
import { seconds } from "../../../view/time.ts";
import type { ToolCall } from "../../calls/define-tool.ts";
import type { Payload } from "../../results/result.ts";

/** News of exposures beside what was said; no field where there is none. Each is told once. */
export function exposureNewsFields({ exposures, fence, clock }: ToolCall): Payload {
  const notices = exposures.loaded?.news.take() ?? [];
  return notices.length === 0
    ? {}
    : { exposureNews: notices.map((one) => exposureNoticeFields(one, { fence, now: clock.now() })) };
}

/** Waits for news where nothing is said, since there is no tunnel. */
export async function listenToExposures(
  exposures: Exposures,
  timeoutMs: number,
  call: ToolCall,
): Promise<Payload> {
  const { news } = exposures;
  const started = call.clock.now();
  const stopBeating = every(call.clock, SESSION.progressEveryMs, () =>
    call.progress(`waiting for visitors, ${seconds(call.clock.now() - started)} s so far`),
  );
  if (news.unread === 0)
    await wait(call.clock, timeoutMs, { signal: call.signal, until: (wake) => news.onNews(wake) });
  stopBeating();
  call.signal.throwIfAborted();
  const { running } = exposures;
  const told = exposureNewsFields(call);
  return {
    exposures: running.map((one) => exposureView(one, call.clock.now())),
    ...told,
    unread: 0,
    next: nextOf(running.length, told),
  };
}

function nextOf(running: number, told: Payload): string {
  if (running === 0) return "Nothing is exposed any more, and no tunnel is open. Tell your human.";
  return Object.keys(told).length > 0
    ? "Tell your human what matters of it. expose_requests shows each request whole."
    : "Nothing new. Go on with your own work and listen again later, not in a tight loop.";
}
