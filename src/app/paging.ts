import path from "node:path";
import type { Clock } from "../runtime/clock.ts";
import { machineFacts, privateFolders } from "../runtime/private-folders.ts";
import { nodePrimitives } from "../runtime/primitives.ts";
import type { Sessions } from "../session/sessions.ts";
import { PAGE_FILE, readAssets } from "../page/server/assets.ts";
import { browserOf, openBrowser, surroundings } from "../page/server/opening.ts";
import { PageServer } from "../page/server/server.ts";

interface PagingOptions {
  readonly sessions: Pick<Sessions, "onNews">;
  /** Whether a page of this user shows this server already. */
  readonly hasPage: () => boolean;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** The path of the running program. */
  readonly bundle: string;
}

/** Time in which a page that is open elsewhere finds this server. */
const FOUND_MS = 2_500;

/**
 * Opens the page with the first tunnel, where the person has asked for that by a setting (`TUNNEL_PAGE=open`) and their browser is on
 * this machine. The agent is told nothing of it: the address goes to the browser alone. A failure changes nothing.
 * @returns ends the page
 */
export function pageWithFirstTunnel(options: PagingOptions): () => Promise<void> {
  const { sessions, hasPage, clock, env } = options;
  const { open, at } = browserOf(surroundings(env, process.platform));
  if (open === undefined) return () => Promise.resolve();
  let opening: Promise<PageServer | undefined> | undefined;
  let cancel = (): void => undefined;
  const stop = sessions.onNews(() => {
    stop();
    cancel = clock.after(FOUND_MS, () => {
      if (hasPage()) return;
      opening = serve(options, at === "here").catch(() => undefined);
      void opening.then((page) => page && openBrowser(open, page.newUrl(), env).catch(() => false));
    });
  });
  return async () => {
    stop();
    cancel();
    await (await opening)?.close();
  };
}

async function serve(
  { clock, env, version, bundle }: PagingOptions,
  isBrowserHere: boolean,
): Promise<PageServer> {
  const facts = machineFacts();
  return PageServer.open({
    folders: privateFolders(env, facts),
    platform: facts.platform,
    clock,
    version,
    primitives: nodePrimitives,
    assets: await readAssets(path.join(path.dirname(bundle), PAGE_FILE)),
    isBrowserHere,
    onNews: () => undefined,
  });
}
