import { isUnread, peekSchema, type TunnelPeek } from "../../control/actions.ts";
import { ask } from "../../control/ask.ts";
import { likelyServers } from "../../control/choose.ts";
import { readDescriptors, resolved, type Descriptor, type Identity } from "../../control/descriptor.ts";
import { machineFacts, privateFolders } from "../../runtime/private-folders.ts";
import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Environment } from "../io/environment.ts";
import type { Output } from "../io/output.ts";

/** The search for a running server: folders, and the owner by session and folder. */
export interface ServerSearch {
  readonly folders: readonly string[];
  readonly platform: string;
  readonly identity: Identity;
}

/** The search for what is left of a server that has ended. */
export interface KeptSearch {
  /** For how long a tunnel is kept whose server has ended, in ms; undefined where it is not. */
  readonly keptForMs: (tunnelId: string, now: number) => Promise<number | undefined>;
}

/** The search on this machine. */
export function serverSearch(env: Environment, identity: Identity): ServerSearch {
  const facts = machineFacts();
  return { folders: privateFolders(env, facts), platform: facts.platform, identity };
}

export interface WakeOptions extends ServerSearch, KeptSearch {
  readonly tunnelId: string | undefined;
  /** In ms; undefined: without limit. */
  readonly timeoutMs: number | undefined;
  readonly clock: Clock;
  readonly output: Output;
}

/** 0: there are unread messages. 3: the tunnel is over. 4: nothing came in time. 5: its server has ended, and it is kept. */
export type WakeCode = 0 | 3 | 4 | 5;

/** The longest question; it is repeated until the time is up. */
const ASK_MS = 60_000;

/**
 * Waits until there are unread messages, prints one line, and ends. It does not read: the messages stay unread, and their
 * senders are not told otherwise. It prints nothing that a peer has chosen.
 * @throws {TunnelError} no-server, server-ambiguous, tunnel-unknown, control-failed
 */
export async function wake(options: WakeOptions): Promise<WakeCode> {
  const { tunnelId, clock, output } = options;
  const until = clock.now() + (options.timeoutMs ?? Number.POSITIVE_INFINITY);
  const server = await serverOf(options, tunnelId).catch(async (thrown: unknown) => {
    if (tunnelId === undefined || (await keptLines([tunnelId], options)).length === 0) throw thrown;
    return undefined;
  });
  /** The tunnels that are waited for, as they were known last. */
  let ids = tunnelId === undefined && server !== undefined ? await tunnelsOf(server, undefined, clock) : [];
  for (;;) {
    if (server === undefined) return ended([tunnelId ?? ""], options);
    const timeoutMs = Math.max(0, Math.min(until - clock.now(), ASK_MS));
    const tunnels = await askWait(server, { tunnelId, timeoutMs }, options);
    const unread = tunnels?.filter(isUnread) ?? [];
    if (unread.length > 0) {
      output.out(`${unreadLine(unread)}\n`);
      return 0;
    }
    if (tunnels === undefined) return ended(tunnelId === undefined ? ids : [tunnelId], options);
    ids = tunnels.filter(({ status }) => status === "open").map(({ id }) => id);
    if (ids.length === 0) {
      output.out(`${overLine(tunnelId)}\n`);
      return 3;
    }
    if (clock.now() >= until) {
      output.out("Nothing came in the time given. What comes later waits to be read with tunnel_listen.\n");
      return 4;
    }
  }
}

/** The server has ended, and its tunnels with it unless they are kept. */
async function ended(ids: readonly string[], options: WakeOptions): Promise<3 | 5> {
  const kept = await keptLines(ids, options);
  options.output.out(`${kept.length === 0 ? overLine(options.tunnelId) : kept.join(" ")}\n`);
  return kept.length === 0 ? 3 : 5;
}

/** One sentence for each of these tunnels that is kept, with the next step. */
export async function keptLines(
  ids: readonly string[],
  { keptForMs, clock }: Pick<WakeOptions, "keptForMs" | "clock">,
): Promise<string[]> {
  const now = clock.now();
  const all = await Promise.all(ids.map(async (id) => ({ id, ms: await keptForMs(id, now) })));
  return all.flatMap(({ id, ms }) =>
    ms === undefined
      ? []
      : `The server of tunnel ${id} has ended, and the tunnel is kept for another ${Math.round(ms / 1_000)} s. Go on with tunnel_join and resume: ${id}.`,
  );
}

/** The line about tunnels with unread messages: ids, counts, and the next step. */
export function unreadLine(tunnels: readonly TunnelPeek[]): string {
  const counts = tunnels.map(({ id, unread }) => `${unread} in tunnel ${id}`).join(", ");
  return `Unread: ${counts}. Read with tunnel_listen.`;
}

export function overLine(tunnelId: string | undefined): string {
  const which = tunnelId === undefined ? "This tunnel" : `Tunnel ${tunnelId}`;
  return `${which} is over. tunnel_status tells how it ended.`;
}

/** Undefined when the server has ended meanwhile: its tunnels have ended with it. */
async function askWait(
  server: Descriptor,
  input: { tunnelId: string | undefined; timeoutMs: number },
  { clock, ...search }: WakeOptions,
): Promise<readonly TunnelPeek[] | undefined> {
  try {
    const takesMs = input.timeoutMs;
    return (await ask(server, { action: "wait", input, result: peekSchema, takesMs }, clock)).tunnels;
  } catch (thrown) {
    const left = await readDescriptors(search.folders, search.platform);
    if (left.some(({ token }) => token === server.token)) throw thrown;
    return undefined;
  }
}

/** The server that is meant. @throws {TunnelError} no-server, server-ambiguous, tunnel-unknown */
export async function serverOf(
  options: ServerSearch & { readonly clock: Clock },
  tunnelId: string | undefined,
  choose: typeof likelyServers = likelyServers,
): Promise<Descriptor> {
  const { folders, platform, clock } = options;
  const all = await readDescriptors(folders, platform);
  if (tunnelId !== undefined) {
    for (const server of all) if ((await tunnelsOf(server, tunnelId, clock)).length > 0) return server;
    throw new TunnelError(all.length === 0 ? "no-server" : "tunnel-unknown");
  }
  if (all.length === 0) throw new TunnelError("no-server");
  const likely = choose(all, await resolved(options.identity));
  const [only] = likely;
  if (only !== undefined && likely.length === 1) return only;
  // No server fits, or several do. The message names those that answer.
  const asked = await Promise.all(
    (only === undefined ? all : likely).map(async (server) => ({
      server,
      ids: await tunnelsOf(server, undefined, clock),
    })),
  );
  const answering = asked.filter(({ ids }) => ids.length > 0);
  const [one] = answering;
  if (only !== undefined && one !== undefined && answering.length === 1) return one.server;
  throw new TunnelError("server-ambiguous", { detail: answering.flatMap(({ ids }) => ids).join(", ") });
}

/** Ids of the open tunnels of a server, or only `tunnelId` if it has that; none for a server that does not answer. */
export async function tunnelsOf(
  server: Descriptor,
  tunnelId: string | undefined,
  clock: Clock,
): Promise<string[]> {
  try {
    const { tunnels } = await ask(server, { action: "peek", input: { tunnelId }, result: peekSchema }, clock);
    return tunnels.filter(({ status }) => tunnelId !== undefined || status === "open").map(({ id }) => id);
  } catch (thrown) {
    const { code } = asTunnelError(thrown);
    if (code === "tunnel-unknown" || code === "control-failed") return [];
    throw thrown;
  }
}
