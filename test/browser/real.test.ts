import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { Agent, closeAgents, pair } from "../support/agent.ts";
import { watched } from "./built.ts";
import { gitIn } from "./git.ts";
import { ask, launch } from "./support.ts";

/** Pictures of every state go here, where the variable names a folder. */
const PICTURES = process.env["PAGE_PICTURES"];

const connectedSchema = z.looseObject({
  host: z.string(),
  port: z.number(),
  header: z.object({ field: z.string(), value: z.string() }),
});

let browser: Browser;
const ends: (() => unknown)[] = [];
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
  await closeAgents();
});

const soon = { timeout: 15_000 };

async function service(): Promise<number> {
  const server: Server = createServer((request, response) => response.end(`at ${request.url ?? ""}`));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ends.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function picture(page: Page, name: string): Promise<void> {
  if (PICTURES === undefined) return;
  mkdirSync(PICTURES, { recursive: true });
  for (const colorScheme of ["light", "dark"] as const)
    for (const [width, height] of [
      [1_600, 1_000],
      [900, 1_000],
      [360, 740],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height });
      await page.waitForTimeout(120);
      const path = join(PICTURES, `${name}-${width}-${colorScheme}.png`);
      await page.screenshot({ path });
      const isCovered = (await page.locator("dialog").count()) > 0;
      for (const part of width === 360 && !isCovered ? ["Waiting", "Room", "Said"] : []) {
        const button = page.getByRole("group", { name: "What is shown" }).getByText(part);
        if (!(await button.isVisible())) continue;
        await button.click();
        await page.screenshot({ path: path.replace("-360", `-360-${part}`) });
      }
    }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1_440, height: 900 });
}

async function hear(agent: Agent, kind: string): Promise<{ readonly fileId?: string | undefined }> {
  const heard: string[] = [];
  for (;;) {
    const { messages = [] } = await agent.call("tunnel_listen", { timeoutMs: 10_000 });
    heard.push(...messages.map((one) => one.kind));
    const found = messages.find((one) => one.kind === kind);
    if (found !== undefined) return found;
    if (messages.length === 0) throw new Error(`no ${kind} came: ${JSON.stringify(heard)}`);
  }
}

describe("the page over two built servers", () => {
  it("teaches the first step, and shows a tunnel as soon as there is one", async () => {
    const ana = await Agent.start();
    const { page, problems } = await watched(browser, ana, ends);
    await page.getByRole("heading", { name: "No tunnel is open" }).waitFor(soon);
    await picture(page, "empty");
    await ana.call("tunnel_open", { goal: "Pair on the checkout flow", name: "ana" });
    await page.getByRole("heading", { level: 1, name: "Pair on the checkout flow" }).waitFor(soon);
    await page.getByText("Nobody has joined yet").waitFor({ state: "detached", ...soon });
    await page.getByText("works once").waitFor(soon);
    expect(problems).toEqual([]);
  });

  it("H7, H14, H21: shows two agents at work, with everything that is open and everything that waits", async () => {
    // Nothing is offered from a folder that holds a home.
    const home = mkdtempSync(join(tmpdir(), "page-home-"));
    ends.push(() => rmSync(home, { recursive: true, force: true }));
    const person = { TUNNEL_BUDGETS: "messages=24", HOME: home };
    const claude = { name: "claude-code", version: "2.1.332" };
    const [ana, ben] = await Promise.all([
      Agent.start(person, "legacy", claude),
      Agent.start({ TUNNEL_UNATTENDED: "1", HOME: home }, "legacy", { name: "codex", version: "0.98.0" }),
    ]);
    const repository = gitIn(ana.folder);
    await pair(ana, ben, "Pair on the checkout flow");
    const { page, problems } = await watched(browser, ana, ends);
    await page.getByRole("heading", { level: 1, name: "Pair on the checkout flow" }).waitFor(soon);

    await ben.call("tunnel_say", {
      intent: "request",
      text: "Does `GET /orders` return a bare array, or an object with a cursor? My client pages and I see only the **first 50**.",
    });
    await ana.call("tunnel_say", {
      intent: "inform",
      text: 'An object. The cursor is opaque and expires after ten minutes:\n\n```json\n{ "items": [], "nextCursor": "b3JkZXI6NTA" }\n```\n\n- send it back as `?cursor=`\n- a missing one means the first page',
    });
    await ana.call("tunnel_say", { text: "I change the server now and send you a patch." });
    await page
      .getByLabel("Say something as yourself")
      .fill("Please keep the cursor format, the mobile app depends on it.");
    await page.keyboard.press("Enter");
    await page.locator(".by-human", { hasText: "mobile app" }).waitFor(soon);

    // A file and a patch, which can be looked into.
    writeFileSync(join(ana.folder, "orders.json"), '{ "items": [{ "id": 7 }], "nextCursor": "c2" }\n');
    await ana.call("tunnel_share", { path: "orders.json", note: "What `GET /orders` answers." });
    repository.change();
    await ana.call("tunnel_share", { patch: true });
    await page.getByRole("button", { name: /^Look into .*\.patch/ }).click(soon);
    await page.getByRole("dialog").locator(".add", { hasText: "nextCursor" }).waitFor(soon);
    await picture(page, "patch");
    await page.getByRole("dialog").getByLabel("as it was written").check();
    expect(await page.getByRole("dialog").locator(".raw").textContent()).toMatch(/^diff --git/m);
    await page.getByRole("button", { name: "Close" }).click();
    writeFileSync(join(ben.folder, "client.ts"), "export const page = 50;\n");
    await ben.call("tunnel_share", { path: "client.ts" });
    const { fileId } = await hear(ana, "file");
    await page.getByRole("button", { name: "Look into client.ts" }).click(soon);
    await page.getByRole("dialog").getByText("is not on this machine").waitFor(soon);
    await page.getByRole("button", { name: "Close" }).click();
    await ana.call("tunnel_receive", { fileId, savePath: "client.ts" });
    await page.getByRole("button", { name: "Look into client.ts" }).click(soon);
    await page.getByRole("dialog").getByText("export const page").waitFor(soon);
    await page.getByRole("button", { name: "Close" }).click();

    // A service that Ana's person lets go, and a public address, with their traffic.
    const port = await service();
    await ana.call("tunnel_share", {
      service: { target: port, kind: "http", name: "orders API", readOnly: true },
    });
    await ask(page).getByText("wants to offer orders API").waitFor(soon);
    await page.waitForTimeout(700);
    await ask(page).getByRole("button", { name: "Offer it" }).click(soon);
    const { serviceId } = z.looseObject({ serviceId: z.string() }).parse(await hear(ben, "service"));
    // Asked for while the person has not decided, it says so; afterwards it is there.
    const early = ben.call("tunnel_connect", { serviceId });
    await ask(page).getByText("ben wants to connect to orders API").waitFor(soon);
    await page.waitForTimeout(700);
    await ask(page).getByRole("button", { name: "Let them" }).click(soon);
    await early;
    const { host, port: at, header } = connectedSchema.parse(await ben.call("tunnel_connect", { serviceId }));
    const answer = await fetch(`http://${host}:${at}/orders`, { headers: { [header.field]: header.value } });
    expect(await answer.text()).toBe("at /orders");
    await page.locator(".thing", { hasText: "orders API" }).getByText("ben").first().waitFor(soon);

    const shown = z
      .looseObject({ publicUrl: z.string() })
      .parse(await ana.call("expose_start", { target: port, name: "storefront" }));
    expect((await fetch(`${shown.publicUrl}/cart`)).status).toBe(401);
    const exposed = page.locator(".thing", { hasText: "storefront" });
    await exposed.getByText("GET /cart 401, kept out").waitFor(soon);
    await exposed.getByText(shown.publicUrl).waitFor(soon);
    await picture(page, "lively");

    // Asks of several kinds: a secret, a file by its name, and a held message.
    await ana.call("tunnel_say", {
      text: `Use this to reproduce it against staging:\nSTRIPE_KEY=${["sk", "live", "51HabcdEFGHijklMNOPqrstUVWX0123456789"].join("_")}\ncurl -s $STAGING/orders?limit=50`,
    });
    await ask(page).getByText("Looks like a secret", { exact: true }).waitFor(soon);
    expect(await page.content()).not.toContain("51HabcdEFGH");
    writeFileSync(join(ana.folder, ".env"), "DATABASE=postgres://localhost/shop\n");
    await ana.call("tunnel_share", { path: ".env" });
    await ask(page).getByText("A file that usually holds secrets", { exact: true }).waitFor(soon);
    await picture(page, "asks");
    await ask(page).getByRole("button", { name: "Look into it" }).click(soon);
    await page.getByRole("dialog").getByText("DATABASE=").waitFor(soon);
    await page.getByRole("button", { name: "Close" }).click();
    await ask(page)
      .filter({ hasText: ".env" })
      .getByRole("button", { name: "Refuse", exact: true })
      .click(soon);
    await ask(page).getByRole("button", { name: "Send without it" }).click(soon);
    await expect
      .poll(
        async () =>
          (await ben.call("tunnel_listen", { timeoutMs: 3_000 })).messages
            ?.map(({ text }) => text)
            .join("\n"),
        {
          timeout: 15_000,
        },
      )
      .toMatch(/STRIPE_KEY=sk_l\[secret\]/);
    await page.getByText("Nothing. Everything else flows").waitFor(soon);
    expect(problems).toEqual([]);

    // The budget is used up, and only this person lets them go on.
    for (let n = 0; n < 24; n += 1)
      await ben
        .call("tunnel_say", { text: `Step ${n}: checked case ${n * 7} of the paging table, ${n * 13} rows.` })
        .catch(() => undefined);
    await page.getByText("Four fifths are used").first().waitFor(soon);
    await ana.result("tunnel_say", { text: "One more question about the cursor." });
    await page.getByText("Stopped", { exact: true }).waitFor(soon);
    await picture(page, "budget");
    await page.getByRole("button", { name: "Let them go on" }).first().click(soon);
    await page.getByText(/^Open, 2 here/).waitFor(soon);

    // H7: nothing that an agent is told leads to the page.
    for (const agent of [ana, ben]) {
      const told = JSON.stringify(await agent.call("tunnel_status"));
      expect(told).not.toMatch(/127\.\d+\.\d+\.\d+:286\d\d/);
    }

    // Everything that is open is closed from here.
    await page.getByRole("button", { name: "Stop storefront" }).click(soon);
    await exposed.waitFor({ state: "detached", ...soon });
    await page.getByRole("button", { name: "Withdraw orders API" }).click(soon);
    await page.locator(".thing", { hasText: "orders API" }).waitFor({ state: "detached", ...soon });
    await page.getByRole("button", { name: "End", exact: false }).last().click(soon);
    await page.getByRole("button", { name: "End the tunnel for everybody" }).click(soon);
    await page.getByText("This tunnel is over").waitFor(soon);
    await picture(page, "over");
  }, 180_000);
});
