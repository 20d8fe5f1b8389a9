import { sweepHere } from "../children/holding/sweep-here.ts";
import { startCaretaker } from "../children/holding/caretaker.ts";
import { hasCaretaker } from "../children/holding/care-record.ts";
import { relieve } from "../children/holding/relieve.ts";
import { processTable } from "../children/identity.ts";
import type { Config } from "../cli/settings.ts";
import { portHolder } from "../control/ports.ts";
import { createHttpsClient } from "../net/https.ts";
import { proxyAgents } from "../net/proxy.ts";
import { trustOf } from "../net/trust.ts";
import { createLookup } from "../net/resolve.ts";
import type { Clock } from "../runtime/clock.ts";
import { favourSpeed, restoreEngineDefaults } from "../runtime/engine-defaults.ts";
import { nodePrimitives as primitives } from "../runtime/primitives.ts";
import { machineFacts, privateFolders, stateFolders } from "../runtime/private-folders.ts";
import { providersFor } from "../tunnel/registry/registry.ts";
import { OutboundFilter } from "../oversight/filter/filter.ts";
import { compacted } from "../session/keeping/compaction.ts";
import { LocalFiles } from "../session/files/local-files.ts";
import { keptTunnels, type KeptLook } from "../session/resumable.ts";
import { Sessions, type Session } from "../session/sessions.ts";
import { nodeDisk } from "../session/stays/node-disk.ts";
import { Stays } from "../session/stays/stays.ts";

/** In the same bundle: the server opens both with the first tool call (scripts/build.mjs). */
export { openEndpoints, openFaces } from "./endpoint.ts";
export { notifyPerson } from "./notifier.ts";
export { sweepHere } from "../children/holding/sweep-here.ts";

/** Messages in a tunnel after which it is worth megabytes that they take less time. */
const BUSY_AFTER = 8;

interface StaysOptions {
  readonly config: Pick<Config, "keepMinutes">;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
}

function staysHere({ config, clock, env, home }: StaysOptions, onFailure: (tunnelId: string) => void): Stays {
  const facts = machineFacts();
  const { platform } = facts;
  const table = processTable(platform, env);
  const recordFolders = privateFolders(env, facts);
  return new Stays({
    disk: nodeDisk,
    folders: stateFolders(env, home, facts),
    platform,
    clock,
    table,
    primitives,
    holding: {
      care: (request) => startCaretaker({ ...request, env, clock, platform, table }),
      relieve: (stay) => relieve({ stay, recordFolders, isLocked: true, clock, platform, table }),
      isCaredFor: (stay) => hasCaretaker(stay, table, platform),
    },
    keepMs: config.keepMinutes * 60_000,
    compact: (changes, now) => compacted(primitives, changes, now),
    onFailure,
  });
}

/** Leaves nothing of the stays whose time is over. */
export function sweepStaysHere(options: StaysOptions): Promise<void> {
  return staysHere(options, () => undefined).sweep();
}

/** The tunnels of this user, of whatever folder, whose program has ended and that can be taken up. */
export function keptTunnelsHere(options: StaysOptions): KeptLook {
  const { clock } = options;
  return keptTunnels(
    staysHere(options, () => undefined),
    { primitives, clock },
  );
}

/**
 * Leaves nothing of the tunnels that are kept, and ends what was held for them.
 * @param only the one with this id; all where left out
 */
export function forgetStaysHere(
  options: StaysOptions,
  only?: string,
): Promise<{ forgotten: number; inUse: number }> {
  return staysHere(options, () => undefined).forget(only);
}

/** The sessions of this process on the real network. Heavy to load: imported on demand only. */
export function loadSessions(options: {
  config: Config;
  clock: Clock;
  env: Readonly<Record<string, string | undefined>>;
  /** The working directory and the user's home. */
  cwd: string;
  home: string;
  /** Whether tunnels outlive this process for a while; they end with it where left out. */
  keepsStays?: boolean;
}): Sessions {
  const { config, clock, env, cwd, home, keepsStays = false } = options;
  restoreEngineDefaults();
  const trust = trustOf(env, [config.relayCa]);
  const proxies = proxyAgents(env, trust);
  const client = createHttpsClient({ proxies, trust });
  // Whatever a killed server has left must not stay beside what is opened now.
  void sweepHere(env, clock);
  const scanner = new OutboundFilter(clock, new URL("scanning.cjs", import.meta.url));
  const stays = staysHere(options, (tunnelId) => sessions.notKept(tunnelId));
  void stays.sweep();
  const sessions: Sessions = new Sessions({
    config,
    stays: keepsStays ? stays : undefined,
    primitives,
    clock,
    lookup: createLookup({ doh: config.doh, client }),
    network: { proxies, trust },
    scanner,
    localFiles: new LocalFiles({ cwd, home, env, config, scanner }),
    providers: providersFor({ ...config, env, cwd, home, clock, client, network: { proxies, trust } }),
    portHolder: (port) => {
      const facts = machineFacts();
      const folders = privateFolders(env, facts);
      return portHolder(port, { folders, platform: facts.platform, pid: process.pid, clock });
    },
  });
  const unsubscribe = sessions.subscribe(({ type }) => {
    if (type !== "entry" || !sessions.all.some(isBusy)) return;
    unsubscribe();
    favourSpeed();
  });
  return sessions;
}

/** Files do not count: they gain nothing by it, and their limit is memory. */
function isBusy({ inbox }: Session): boolean {
  let messages = 0;
  for (const { kind } of inbox.said()) if (kind === "chat") messages += 1;
  return messages >= BUSY_AFTER;
}
