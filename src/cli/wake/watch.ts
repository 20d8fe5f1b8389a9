import { isNews, peekSchema, type Peek } from "../../control/actions.ts";
import { ask } from "../../control/ask.ts";
import { ownServers } from "../../control/choose.ts";
import { readDescriptors, resolved, type Descriptor } from "../../control/descriptor.ts";
import { asTunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import { wait } from "../../runtime/wait.ts";
import type { Output } from "../io/output.ts";
import { keptLines, overLine, tunnelsOf, unreadLine, type KeptSearch, type ServerSearch } from "./wake.ts";

export interface WatchOptions extends ServerSearch, KeptSearch {
  readonly tunnelId: string | undefined;
  readonly clock: Clock;
  readonly output: Output;
  /** Ends the watch; nothing else does. */
  readonly signal: AbortSignal;
}

/** Arrived entries by tunnel at the last line about it. */
type Seen = Readonly<Record<string, number>>;

/** Between two searches for servers: each reads a folder of a few files. */
const LOOK_MS = 2_000;
/** A busy agent may be about to listen: the messages it takes meanwhile are no news. */
const SETTLE_MS = 2_000;
/** A talkative peer must not make a line each second: every line may start a turn of the agent. */
const GAP_MS = 15_000;
const ASK_MS = 60_000;

/**
 * Prints a line whenever a message is still unread a moment after it came, and nothing otherwise. It is for clients that
 * show their agent the output of a background program. Servers come and go; it stays.
 */
export async function wakeWatch(options: WatchOptions): Promise<void> {
  const { clock, output, signal } = options;
  /** The counts told for each server, by its token; they outlive a time without contact. */
  const told = new Map<string, Seen>();
  const watched = new Set<string>();
  // Timers of the clock keep no process alive, and between two searches there is nothing else.
  const alive = setInterval(() => undefined, LOOK_MS);
  try {
    while (!signal.aborted) {
      for (const server of await serversOf(options)) {
        const { token } = server;
        if (watched.has(token)) continue;
        watched.add(token);
        void watchServer(server, options, told)
          .catch((thrown: unknown) => output.err(`tunnel-mcp: ${asTunnelError(thrown).message}\n`))
          .finally(() => watched.delete(token));
      }
      await wait(clock, LOOK_MS, { signal });
    }
  } finally {
    clearInterval(alive);
  }
}

async function serversOf({ folders, platform, identity, tunnelId, clock }: WatchOptions) {
  const all = await readDescriptors(folders, platform);
  if (tunnelId === undefined) return ownServers(all, await resolved(identity));
  const having = await Promise.all(all.map((server) => tunnelsOf(server, tunnelId, clock)));
  return all.filter((_, index) => having[index]?.length === 1);
}

/** Watches until the server has ended or does not answer. If it still exists, the next search finds it again. */
async function watchServer(server: Descriptor, options: WatchOptions, told: Map<string, Seen>) {
  const { clock, output, signal, tunnelId } = options;
  const { token } = server;
  let ids = await tunnelsOf(server, tunnelId, clock);
  while (!signal.aborted) {
    const seen = told.get(token) ?? {};
    const input = { tunnelId, seen, timeoutMs: ASK_MS };
    const waited = await look(server, { action: "wait", input, takesMs: ASK_MS }, clock);
    if (waited === undefined) return tellKept(server, ids, options);
    await wait(clock, SETTLE_MS, { signal });
    const now = await look(server, { action: "peek", input: { tunnelId } }, clock);
    if (signal.aborted) return;
    if (now === undefined) return tellKept(server, ids, options);
    ids = now.tunnels.filter(({ status }) => status === "open").map(({ id }) => id);
    told.set(token, Object.fromEntries(now.tunnels.map(({ id, arrived }) => [id, arrived])));
    const lines = newsLines(now, seen);
    if (lines.length === 0) continue;
    output.out(`${lines.join(" ")}\n`);
    await wait(clock, GAP_MS, { signal });
  }
}

/** The server does not answer any more. Where it has ended, its agent can go on with what is kept. */
async function tellKept(server: Descriptor, ids: readonly string[], options: WatchOptions): Promise<void> {
  const left = await readDescriptors(options.folders, options.platform);
  if (options.signal.aborted || left.some(({ token }) => token === server.token)) return;
  const lines = await keptLines(ids, options);
  if (lines.length > 0) options.output.out(`${lines.join(" ")}\n`);
}

/** Undefined when the server, or the tunnel, is gone. */
async function look(
  server: Descriptor,
  question: { action: "wait" | "peek"; input: Readonly<Record<string, unknown>>; takesMs?: number },
  clock: Clock,
): Promise<Peek | undefined> {
  try {
    return await ask(server, { ...question, result: peekSchema }, clock);
  } catch (thrown) {
    const { code } = asTunnelError(thrown);
    if (code === "control-failed" || code === "tunnel-unknown") return undefined;
    throw thrown;
  }
}

/** The lines to print: at most one sentence for each tunnel. */
function newsLines({ tunnels }: Peek, seen: Seen): string[] {
  const news = tunnels.filter((tunnel) => isNews(tunnel, seen));
  const unread = news.filter((tunnel) => tunnel.unread > 0);
  const over = news.filter((tunnel) => tunnel.unread === 0);
  return [...(unread.length === 0 ? [] : [unreadLine(unread)]), ...over.map(({ id }) => overLine(id))];
}
