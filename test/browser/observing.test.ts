import type { Browser, BrowserContext, Page } from "playwright-core";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readAssets } from "../../src/page/server/assets.ts";
import { openPage } from "../page/support.ts";
import { watchedRoom } from "../page/observing.ts";
import { launch, tab } from "./support.ts";

let browser: Browser;
let room: Awaited<ReturnType<typeof watchedRoom>>;
let served: Awaited<ReturnType<typeof openPage>>;
let context: BrowserContext;

beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());
beforeEach(async () => {
  room = await watchedRoom();
  const assets = await readAssets(fileURLToPath(new URL("../../dist/page.br", import.meta.url)));
  served = await openPage("/nowhere", { assets, observed: room.observed });
  context = await browser.newContext();
});
afterEach(async () => {
  await context.close();
  await served.page.close();
  await room.close();
});

const soon = { timeout: 5_000 };

async function open(): Promise<Page> {
  const { page, problems } = await tab(context, served);
  await page.getByRole("heading", { level: 1, name: "Agree on the API" }).waitFor(soon);
  await page.getByText("You read along").first().waitFor(soon);
  expect(problems).toEqual([]);
  return page;
}

describe("an observer's page in a browser", () => {
  it("H29: shows who is there and what is said, and has no control that does anything", async () => {
    const page = await open();
    await room.guest.say({ text: "Is it **an array**?" });
    await page.locator(".msg strong", { hasText: "an array" }).waitFor(soon);
    await page.getByText("observer", { exact: true }).waitFor(soon);
    await page.getByText("Safety code").first().waitFor(soon);
    for (const selector of [".controls", "#asks", "form", "textarea", "#composer", ".small"])
      expect([selector, await page.locator(selector).count()]).toEqual([selector, 0]);
    const labels = await page.getByRole("button").evaluateAll((all) => all.map((one) => one.textContent));
    const harmless = ["?", "Said", "Room", "Show earlier ones"];
    expect(labels.filter((label) => !harmless.includes(label ?? ""))).toEqual([]);
  });

  it("H29: P15: no key does anything, and every POST to /do is refused, also from the page itself", async () => {
    const page = await open();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    for (const key of ["h", "i", "p", "e", "a", "s"]) await page.keyboard.press(key);
    expect(await page.locator("dialog[open]").count()).toBe(0);
    expect(asked).not.toContain("/do");
    const { tunnelId } = room.observer;
    const answer = await page.evaluate(
      async ([server, id]) => {
        const response = await fetch("/do", {
          method: "POST",
          headers: {
            "Content-Type": "application/json",
            Authorization: `Bearer ${sessionStorage.getItem("token") ?? ""}`,
          },
          body: JSON.stringify({ server, command: { do: "say", tunnelId: id, text: "me" } }),
        });
        return [response.status, await response.text()];
      },
      [String(process.pid), tunnelId] as const,
    );
    expect(answer).toEqual([403, '{"ok":false,"code":"observer-spoke"}']);
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor(soon);
    expect(await page.locator("dialog kbd").allTextContents()).toEqual(["L", "?"]);
  });

  it("H29: says when it is over, and keeps what was read", async () => {
    const page = await open();
    await room.host.say({ text: "seen" });
    await page.locator(".msg", { hasText: "seen" }).waitFor(soon);
    room.host.remove("cat");
    await page.getByText("This tunnel is over").waitFor(soon);
    await page.locator(".msg", { hasText: "seen" }).waitFor(soon);
  });

  it("has no violation that axe knows", async () => {
    const page = await open();
    await room.guest.say({ text: "hello" });
    await page.locator(".msg", { hasText: "hello" }).waitFor(soon);
    const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
    await page.evaluate(axe);
    const found = await page.evaluate("axe.run().then(({ violations }) => violations.map(({ id }) => id))");
    expect(found).toEqual([]);
  });
});
