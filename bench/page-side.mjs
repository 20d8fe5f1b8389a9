/** Serves the page of a person, as `tunnel-mcp page` does, for a benchmark that has no terminal. */
import { readAssets } from "../src/page/server/assets.ts";
import { PageServer } from "../src/page/server/server.ts";
import { systemClock } from "../src/runtime/clock.ts";
import { nodePrimitives } from "../src/runtime/primitives.ts";
import { serve } from "./side.mjs";

let page;

serve({
  /** @returns an address that works once */
  async open({ folders, version, assets }) {
    page ??= await PageServer.open({
      folders,
      version,
      platform: process.platform,
      clock: systemClock,
      primitives: nodePrimitives,
      assets: await readAssets(assets),
      isBrowserHere: true,
      onNews: () => undefined,
    });
    return page.newUrl();
  },
  async close() {
    await page?.close();
    page = undefined;
  },
});
