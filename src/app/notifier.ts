import { environmentWithout } from "../children/environment.ts";
import { startDirect, type DirectChild } from "../children/direct-child.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Sessions } from "../session/sessions.ts";

/** What a person's own program is told: why, and of which tunnel. Never a name or a word of anybody. */
type NotifyKind = "ask" | "budget" | "stopped";

interface NotifierOptions {
  readonly sessions: Pick<Sessions, "overseer">;
  readonly clock: Clock;
  /** `TUNNEL_NOTIFY`: the program and its arguments, run without a shell. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** A peer that makes asks cannot make noise without end: one call for each kind and tunnel in this time. */
const QUIET_MS = 5_000;
/** A program that hangs does not stay. */
const RUN_MS = 10_000;

/**
 * Calls a person's own program when they are needed. Its failure changes nothing.
 * @returns ends it
 */
export function notifyPerson({ sessions, clock, command, env, cwd }: NotifierOptions): () => Promise<void> {
  const [file, ...args] = command;
  const last = new Map<string, number>();
  const running = new Set<DirectChild>();
  const started = (given: readonly string[]): DirectChild | undefined => {
    if (file === undefined) return undefined;
    try {
      return startDirect({
        file,
        args: given,
        env: environmentWithout(env, /^TUNNEL_/i),
        cwd,
        clock,
        stderr: { read: () => undefined, end: () => undefined },
        recordFolders: [],
      });
    } catch {
      // Most failures come later, by `exited`. Node throws for some, such as a batch file of Windows, which needs a shell.
      return undefined;
    }
  };
  const tell = (kind: NotifyKind, tunnelId: string): void => {
    const key = `${kind} ${tunnelId}`;
    const now = clock.now();
    if (now - (last.get(key) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return;
    last.set(key, now);
    const child = started([...args, kind, tunnelId]);
    if (child === undefined) return;
    running.add(child);
    const late = clock.after(RUN_MS, () => void child.stop());
    void child.exited.then(() => {
      late();
      return running.delete(child);
    });
  };
  const stop = sessions.overseer.asks.subscribe((event) => {
    if (event.type !== "asked") return;
    tell(event.ask.gates.includes("budget") ? "stopped" : "ask", event.ask.tunnelId);
  });
  const stopWarnings = sessions.overseer.onWarning((tunnelId) => tell("budget", tunnelId));
  const stopProposals = sessions.overseer.onProposal((tunnelId) => tell("ask", tunnelId));
  return async () => {
    stop();
    stopProposals();
    stopWarnings();
    await Promise.all(Array.from(running, (child) => child.stop()));
  };
}
