import { fileURLToPath } from "node:url";
import { chromium as engine, type Browser, type BrowserContext, type Page } from "playwright-core";
import { readAssets } from "../../src/page/server/assets.ts";
import { openPage, openRoom, type Room } from "../page/support.ts";
import { chromium } from "./installed.ts";

export async function launch(args: readonly string[] = []): Promise<Browser> {
  const executablePath = chromium();
  if (executablePath === undefined) throw new Error("there is no Chromium");
  // A container has no room for its sandbox, and the tests visit loopback alone.
  return engine.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage", ...args] });
}

export type Served = Awaited<ReturnType<typeof openPage>>;

export async function serveAt(
  folders: readonly string[],
  over: Parameters<typeof openPage>[1] = {},
): Promise<Served> {
  const assets = await readAssets(fileURLToPath(new URL("../../dist/page.br", import.meta.url)));
  return openPage("", { assets, folders, ...over });
}

export const servePage = (room: Room, over: Parameters<typeof openPage>[1] = {}): Promise<Served> =>
  serveAt([room.folder], over);

/** A tab that has come in by an address of its own, and everything that went wrong in it. */
export async function tab(context: BrowserContext, served: Pick<Served, "page">, url = served.page.newUrl()) {
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  await page.goto(url);
  return { page, problems };
}

/** A room with a page in a browser. */
export async function scene(browser: Browser, goal?: string) {
  const room = await openRoom(goal);
  const served = await servePage(room);
  const context = await browser.newContext();
  return {
    room,
    served,
    context,
    async close() {
      await context.close();
      await served.page.close();
      await room.close();
    },
  };
}

export const ask = (page: Page) => page.locator(".ask");
