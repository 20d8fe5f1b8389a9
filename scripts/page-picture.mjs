/**
 * Makes docs/page.png, the picture of the page in README.md: two built servers, each driven by an MCP client, talk in folders of their
 * own, and Chromium shows the page of one person. The times in it are those of the run, so no check compares it.
 *
 *   node scripts/page-picture.mjs [FILE] [--dark] [--width 1280]      after a build; CHROMIUM names a browser that is elsewhere
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { startAgent } from "./picture-agent.mjs";
import { loadSources } from "./sources.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values, positionals } = parseArgs({
  options: { dark: { type: "boolean", default: false }, width: { type: "string", default: "1280" } },
  allowPositionals: true,
});
const target = path.resolve(positionals[0] ?? path.join(root, "docs", "page.png"));

const GOAL = "Agree on the shape of GET /orders";
/** It looks like a password in an address, so it waits for the person. */
const ADDRESS = ["postgres://orders", "Xk4vN2qLw8RtZ7bY@db.internal:5432/orders"].join(":");
const SERVER = `export const PAGE = 50;

export function page(items, cursor) {
  const from = cursor === undefined ? 0 : Number(cursor);
  return { items: items.slice(from, from + PAGE) };
}
`;

/** Two agents at work, when a person comes to them. */
async function talk(ana, ben) {
  const { joinLink } = await ana.call("tunnel_open", { goal: GOAL });
  await ben.call("tunnel_join", { joinLink });
  const pass = async (from, to, said) => {
    await from.call("tunnel_say", said);
    return to.hear(({ kind }) => kind === "chat");
  };
  const asked = await pass(ana, ben, {
    intent: "request",
    text: "Does `GET /orders` return a bare array, or an object with a cursor? My client pages.",
  });
  await pass(ben, ana, {
    intent: "inform",
    replyTo: asked.seq,
    text: 'An object:\n\n```json\n{ "items": [{ "id": "o_41", "total": 1290 }], "nextCursor": "b3JkZXI" }\n```\n\n`nextCursor` is absent on the **last** page.',
  });
  await writeFile(path.join(ben.cwd, "page.js"), SERVER);
  await ben.call("tunnel_share", { path: "page.js", note: "How a page is cut." });
  await ana.hear(({ kind }) => kind === "file");
  await pass(ana, ben, {
    intent: "request",
    text: "Then I begin again on 410. Which data do your tests run against?",
  });
}

const folder = await mkdtemp(path.join(tmpdir(), "page-picture-"));
const agents = [];
let page;
let browser;
try {
  const client = { name: "claude-code", version: "2.1.332" };
  for (const [name, shop] of [
    ["Ana", "shop-web"],
    ["Ben", "shop-api"],
  ])
    agents.push(await startAgent({ folder: path.join(folder, name), name, shop, client }));
  const [ana, ben] = agents;
  await talk(ana, ben);

  const { PageServer, readAssets, nodePrimitives, systemClock } = await loadSources();
  const { version } = JSON.parse(await readFile(path.join(root, "package.json"), "utf8"));
  page = await PageServer.open({
    folders: [ben.controls],
    platform: process.platform,
    clock: systemClock,
    version,
    primitives: nodePrimitives,
    assets: await readAssets(path.join(root, "dist", "page.br")),
    isBrowserHere: true,
    onNews: () => undefined,
  });
  const executablePath = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome"].find(
    (file) => file && existsSync(file),
  );
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const context = await browser.newContext({
    viewport: { width: Number(values.width), height: 800 },
    deviceScaleFactor: 1.5,
    colorScheme: values.dark ? "dark" : "light",
    reducedMotion: "reduce",
  });
  const tab = await context.newPage();
  await tab.goto(page.newUrl());
  await tab.getByRole("textbox").first().fill("Use the staging copy, not production.");
  await tab.getByRole("textbox").first().press("Enter");
  await tab.getByText("Use the staging copy, not production.").first().waitFor();
  await ben.call("tunnel_say", {
    intent: "inform",
    text: `Against this copy: ${ADDRESS}. It is filled anew each night.`,
  });
  await tab.locator(".ask").first().waitFor();
  await tab.waitForTimeout(800);
  await mkdir(path.dirname(target), { recursive: true });
  await tab.screenshot({ path: target });
} finally {
  await browser?.close();
  await page?.close();
  await Promise.allSettled(agents.map((agent) => agent.stop()));
  await rm(folder, { recursive: true, force: true });
}
