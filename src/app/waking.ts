import type { KeptSearch } from "../cli/wake/wake.ts";
import { machineFacts, stateFolders } from "../runtime/private-folders.ts";
import { keptForMs } from "../session/stays/places.ts";

/**
 * The commands that ask a running server. The build makes a small bundle of them (scripts/build.mjs): they run for hours
 * beside an agent and need nothing of the other commands.
 */
export { serverSearch, wake } from "../cli/wake/wake.ts";
export { wakeWatch } from "../cli/wake/watch.ts";

/** The search for what servers of this machine have left. */
export function keptSearch(env: Readonly<Record<string, string | undefined>>, home: string): KeptSearch {
  const facts = machineFacts();
  const folders = stateFolders(env, home, facts);
  return { keptForMs: (tunnelId, now) => keptForMs(folders, facts.platform, { tunnelId, now }) };
}
