import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { z } from "zod";
import { privateFolders } from "../../src/runtime/private-folders.ts";
import type { Agent } from "../support/agent.ts";
import { serveAt, tab } from "./support.ts";

const { version } = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(fileURLToPath(new URL("../../package.json", import.meta.url)), "utf8")));

/**
 * A page in a browser of its own, over the built server of an agent.
 * @param ends what the test does at its end
 */
export async function watched(
  browser: Browser,
  { box }: Agent,
  ends: (() => unknown)[],
): Promise<{ readonly page: Page; readonly problems: readonly string[] }> {
  const facts = {
    platform: process.platform,
    tempDirectory: box.env["TMPDIR"] ?? "",
    user: process.getuid?.(),
  };
  const served = await serveAt(privateFolders(box.env, facts).slice(0, 1), { version });
  const context = await browser.newContext({ viewport: { width: 1_440, height: 900 } });
  ends.push(async () => {
    await context.close();
    await served.page.close();
  });
  return tab(context, served);
}
