import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ERRORS, TunnelError } from "../../src/errors/tunnel-error.ts";
import { readAssets } from "../../src/page/server/assets.ts";
import { openPage, terminal } from "../page/support.ts";
import { ask, launch, scene, tab } from "./support.ts";

let browser: Browser;
let at: Awaited<ReturnType<typeof scene>>;

beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());
beforeEach(async () => {
  at = await scene(browser);
});
afterEach(() => at.close());

const soon = { timeout: 5_000 };
const until = (what: string, test: () => boolean | Promise<boolean>) =>
  expect.poll(test, { message: what, timeout: 5_000 }).toBe(true);

async function open(): Promise<Page> {
  const { page, problems } = await tab(at.context, at.served);
  await page.getByRole("heading", { level: 1, name: "Agree on the API" }).waitFor(soon);
  expect(problems).toEqual([]);
  return page;
}

function arrived(): string[] {
  const { entries } = at.room.guest.inbox.take("look", 100);
  at.room.guest.inbox.settle();
  return entries.flatMap(({ entry }) => (entry.kind === "chat" ? [entry.text] : []));
}

describe("a person at the page", () => {
  it("sees who is there, what is said and what waits", async () => {
    await at.room.guest.say({ text: "Is it **an array**?\n\n```ts\nlet x = 1;\n```" });
    at.room.host.oversight.hold("out", { path: "watch" });
    await at.room.host.say({ text: "An object." });
    const page = await open();
    await page.locator(".msg strong", { hasText: "an array" }).waitFor(soon);
    await page.locator(".msg pre", { hasText: "let x = 1;" }).waitFor(soon);
    await page.getByText("Safety code").first().waitFor(soon);
    await ask(page).getByText("An object.").waitFor(soon);
    expect(await page.title()).toBe("(1) Agree on the API · tunnel-mcp");
    expect(await page.locator('link[rel="icon"]').getAttribute("href")).toBe("/icon-waiting.svg");
    expect(new URL(page.url()).hash).toBe("");
  });

  it("H13: lets a message go, and not by a press that came too early", async () => {
    const page = await open();
    at.room.host.oversight.hold("out", { path: "watch" });
    await at.room.host.say({ text: "An object." });
    const yes = ask(page).getByRole("button", { name: "Send it" });
    await yes.waitFor(soon);
    expect(await yes.isDisabled()).toBe(true);
    expect(await ask(page).getByRole("button", { name: "Refuse", exact: true }).isDisabled()).toBe(false);
    await yes.click(soon);
    await until("it has arrived", () => arrived().includes("An object."));
    await page.getByText("Nothing. Everything else flows").waitFor(soon);
  });

  it("H13, P10: takes no focus from who types, and no yes for what has just moved under the pointer", async () => {
    const page = await open();
    at.room.host.oversight.hold("in", { path: "watch" });
    await page.getByLabel("Say something as yourself").fill("half");
    for (const text of ["first", "second"]) await at.room.guest.say({ text });
    await expect.poll(() => ask(page).count()).toBe(2);
    await page.keyboard.type(" a line");
    expect(await page.getByLabel("Say something as yourself").inputValue()).toBe("half a line");
    await page.waitForTimeout(700);
    const yes = ask(page).last().getByRole("button", { name: "Tell my agent" });
    expect(await yes.isDisabled()).toBe(false);
    await ask(page).first().getByRole("button", { name: "Refuse", exact: true }).click(soon);
    await expect.poll(() => ask(page).count()).toBe(1);
    expect(await ask(page).getByRole("button", { name: "Tell my agent" }).isDisabled()).toBe(true);
    await ask(page).getByRole("button", { name: "Tell my agent" }).click(soon);
    await until("its agent is told", () => at.room.host.inbox.unread > 0);
  });

  it("edits the text itself, and not how it is shown", async () => {
    const page = await open();
    at.room.host.oversight.hold("out", { path: "watch" });
    const hidden = "An\u202eobject.";
    await at.room.host.say({ text: hidden });
    await ask(page).getByRole("button", { name: "Edit and send…" }).click(soon);
    expect(await page.getByLabel("Your words go instead").inputValue()).toBe(hidden);
  });

  it("calls a person who looks elsewhere, without a word of anybody", async () => {
    await at.context.grantPermissions(["notifications"]);
    await at.context.addInitScript(() => {
      const shown: unknown[] = [];
      class Fake extends EventTarget {
        static readonly permission = "granted";
        constructor(title: string, options: unknown) {
          super();
          shown.push([title, options]);
        }
      }
      Object.assign(window, { Notification: Fake, shown });
      Object.defineProperty(document, "hidden", { get: () => true });
    });
    const page = await open();
    at.room.host.oversight.hold("out", { path: "watch" });
    await at.room.host.say({ text: "An object." });
    await ask(page).waitFor(soon);
    const shown = await page.evaluate(() => (window as unknown as { shown: unknown[] }).shown);
    expect(shown).toEqual([
      ["tunnel-mcp", { body: "Something waits for you.", tag: "ask", icon: "/icon.svg" }],
    ]);
  });

  it("asks for a notification only when it is pressed", async () => {
    await at.context.addInitScript(() => {
      const asked: number[] = [];
      const Fake = { permission: "default", requestPermission: async () => (asked.push(1), "denied") };
      Object.assign(window, { Notification: Fake, asked });
    });
    const page = await open();
    const count = () => page.evaluate(() => (window as unknown as { asked: unknown[] }).asked.length);
    expect(await count()).toBe(0);
    await page.getByRole("button", { name: "Notify me when something waits" }).click(soon);
    await page.getByText("It never says what").waitFor({ state: "detached", ...soon });
    expect(await count()).toBe(1);
  });

  it("shows an alarm of a tunnel until it was read", async () => {
    const page = await open();
    const raise: unknown = Reflect.get(at.room.host, "alarm");
    if (typeof raise !== "function") throw new Error("there is no alarm");
    raise.call(at.room.host, new TunnelError("integrity-failed"), "ben");
    const shown = page.getByRole("alert").getByText(ERRORS["integrity-failed"].message);
    await shown.waitFor(soon);
    await page.reload();
    await shown.waitFor(soon);
    await page.getByRole("button", { name: "I have read it" }).click(soon);
    await shown.waitFor({ state: "detached", ...soon });
  });

  it("refuses with a reason that its agent is told", async () => {
    const page = await open();
    at.room.host.oversight.hold("out", { path: "watch" });
    await at.room.host.say({ text: "An object." });
    await ask(page).getByRole("button", { name: "Refuse, because…" }).click(soon);
    await page.getByLabel("Why not?").fill("not to Ben");
    await ask(page).getByRole("button", { name: "Refuse" }).click(soon);
    await until("the agent is told", () => {
      const { entries } = at.room.host.inbox.take("look", 100);
      return entries.some(
        ({ entry }) => entry.kind === "notice" && entry.notice === "decided" && entry.reason === "not to Ben",
      );
    });
    expect(arrived()).toEqual([]);
  });

  it("H15: sends its own words instead, as a human's", async () => {
    const page = await open();
    at.room.host.oversight.hold("out", { path: "watch" });
    await at.room.host.say({ text: "An object." });
    await ask(page).getByRole("button", { name: "Edit and send…" }).click(soon);
    await page.getByLabel("Your words go instead").fill("An object, with a cursor.");
    await ask(page).getByRole("button", { name: "Send my words" }).click(soon);
    await until("it has arrived", () => arrived().includes("An object, with a cursor."));
    await page.locator(".by-human", { hasText: "with a cursor" }).waitFor(soon);
  });

  it("H14: is shown the whole before it can say yes", async () => {
    const page = await open();
    at.room.host.oversight.hold("out", { path: "watch" });
    await at.room.host.say({ text: `fine${"\nline".repeat(60)}\nand the point\u202e` });
    const yes = ask(page).getByRole("button", { name: "Send it" });
    await ask(page).getByRole("button", { name: "Show all of it before you decide" }).waitFor(soon);
    await page.waitForTimeout(700);
    expect(await yes.isDisabled()).toBe(true);
    await ask(page).getByRole("button", { name: "Show all of it before you decide" }).click(soon);
    await ask(page).locator("mark", { hasText: "U+202E" }).waitFor(soon);
    expect(await yes.isDisabled()).toBe(false);
  });

  it("H26: speaks as a human, by Enter, which decides nothing", async () => {
    const page = await open();
    at.room.host.oversight.hold("in", { path: "watch" });
    await at.room.guest.say({ text: "a secret plan" });
    await ask(page).waitFor(soon);
    await page.getByLabel("Say something as yourself").fill("Please stop.");
    await page.keyboard.press("Enter");
    await until("it has arrived", () => arrived().includes("Please stop."));
    await until("the field is empty", async () => {
      return (await page.getByLabel("Say something as yourself").inputValue()) === "";
    });
    expect(await ask(page).count()).toBe(1);
  });

  it("H25: holds, pauses and ends by keys alone, and no key in a text field does", async () => {
    const page = await open();
    const { oversight } = at.room.host;
    await page.keyboard.press("s");
    await page.keyboard.type("hip hop end");
    expect(await page.getByLabel("Say something as yourself").inputValue()).toBe("hip hop end");
    expect(oversight.isPaused).toBe(false);
    await page.keyboard.press("Escape");
    await page.keyboard.press("h");
    await until("it holds", () => oversight.gates.includes("hold-out"));
    await page.getByRole("button", { name: "Holding out" }).waitFor(soon);
    await page.keyboard.press("i");
    await until("it holds both ways", () => oversight.gates.includes("hold-in"));
    await page.getByRole("button", { name: "Holding in" }).waitFor(soon);
    await page.keyboard.press("h");
    await until(
      "it still holds what comes",
      () => oversight.gates.includes("hold-in") && !oversight.gates.includes("hold-out"),
    );
    await page.keyboard.press("p");
    await until("it pauses", () => oversight.isPaused);
    await page.getByText("Paused", { exact: true }).waitFor(soon);
    await page.keyboard.press("e");
    await page.getByRole("dialog", { name: "End the tunnel for everybody?" }).waitFor(soon);
    await page.keyboard.press("Enter");
    expect(at.room.host.end).toBeUndefined();
    await page.keyboard.press("e");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await until("it is over", () => at.room.host.end !== undefined);
  });

  it("decides by keyboard alone, by a button that it has gone to", async () => {
    const page = await open();
    at.room.host.oversight.hold("out", { path: "watch" });
    await at.room.host.say({ text: "An object." });
    await ask(page).waitFor(soon);
    await page.waitForTimeout(700);
    for (const key of ["y", "a", "Enter", " "]) await page.keyboard.press(key);
    expect(await ask(page).count()).toBe(1);
    await page.keyboard.press("a");
    for (let n = 0; n < 6; n += 1) {
      if ((await page.evaluate(() => document.activeElement?.textContent)) === "Send it") break;
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await until("it has arrived", () => arrived().includes("An object."));
  });

  it("removes a member, and takes an invite back", async () => {
    at.room.host.invite(1);
    const page = await open();
    await page.getByRole("button", { name: /^Take back/ }).click(soon);
    await until("it is worth nothing", () => at.room.host.pendingInvites().length === 0);
    await page.getByRole("button", { name: "Remove… ben" }).click(soon);
    await page.getByRole("button", { name: "Remove ben", exact: true }).click(soon);
    await until("it is out", () => at.room.guest.end !== undefined);
  });

  it("reads what was decided so far", async () => {
    const page = await open();
    await page.keyboard.press("p");
    await page.getByRole("button", { name: "Look at the record" }).click(soon);
    await page.getByRole("dialog").getByText("the human paused it on the page").waitFor(soon);
  });

  it("H10: learns who was first, at two tabs and a terminal", async () => {
    const [one, other] = [await open(), await open()];
    const { client, events } = await terminal(at.room);
    await one.getByText("Another page was opened").waitFor(soon);
    at.room.host.oversight.hold("out", { path: "watch" });
    await at.room.host.say({ text: "An object." });
    for (const page of [one, other]) await ask(page).waitFor(soon);
    await until("the terminal is asked", () => events.some(({ t }) => t === "ask"));
    await one.waitForTimeout(700);
    const asked = events.find((event) => event.t === "ask");
    if (asked?.t !== "ask") throw new Error("nothing was asked");
    await Promise.allSettled([
      ask(one).getByRole("button", { name: "Send it" }).click(soon),
      ask(other).getByRole("button", { name: "Refuse", exact: true }).click(soon),
      client.ask({
        do: "decide",
        ask: asked.ask.ask,
        digest: asked.ask.digest,
        decision: { verdict: "approve" },
      }),
    ]);
    for (const page of [one, other]) await ask(page).waitFor({ state: "detached", ...soon });
    expect(at.room.host.oversight.audit.records.filter(({ kind }) => kind === "decided")).toHaveLength(1);
  });

  it("H12: is loaded anew in the middle, and has everything, with what was begun", async () => {
    const page = await open();
    at.room.host.oversight.hold("out", { path: "watch" });
    await at.room.host.say({ text: "An object." });
    await ask(page).waitFor(soon);
    await page.getByLabel("Say something as yourself").fill("half a sen");
    await page.reload();
    await ask(page).getByText("An object.").waitFor(soon);
    expect(await page.getByLabel("Say something as yourself").inputValue()).toBe("half a sen");
    await at.room.guest.say({ text: "after the reload" });
    await page.locator(".msg", { hasText: "after the reload" }).waitFor(soon);
  });

  it("sees its server go and come back, and the page's program go", async () => {
    const page = await open();
    await at.room.stop();
    await page.getByRole("heading", { name: "No tunnel is open" }).waitFor(soon);
    await at.room.start();
    await page.getByRole("heading", { level: 1, name: "Agree on the API" }).waitFor(soon);
    await at.served.page.close();
    await page.getByText("The program of this page does not answer").waitFor(soon);
  });

  it("sees a tunnel whose program has ended, and how to go on with it, and has no control for it", async () => {
    const { tunnelId } = at.room.host;
    const keptUntil = new Date(2027, 0, 15, 9, 5).getTime();
    const kept = [
      {
        tunnelId,
        folder: "/home/ana/shop",
        role: "host",
        goal: "Agree on the API",
        members: ["ben"],
        unread: 0,
        keptUntil,
      },
    ] as const;
    const served = await openPage(at.room.folder, {
      assets: await readAssets(fileURLToPath(new URL("../../dist/page.br", import.meta.url))),
      kept: (except) => Promise.resolve(except?.has(tunnelId) === true ? [] : kept),
    });
    const { page } = await tab(at.context, served);
    await page.getByLabel("Say something as yourself").waitFor(soon);
    await at.room.stop();
    await page.getByText("Kept until 09:05", { exact: true }).waitFor(soon);
    await page.getByText(`or you in a terminal: tunnel-mcp resume ${tunnelId}`).waitFor(soon);
    await page.getByText("What was said is shown again when the tunnel goes on.").waitFor(soon);
    expect(await page.getByRole("button", { name: "End" }).count()).toBe(0);
    expect(await page.getByLabel("Say something as yourself").count()).toBe(0);
    await at.room.start();
    await page.getByLabel("Say something as yourself").waitFor(soon);
    expect(await page.getByText("Kept until").count()).toBe(0);
    await served.page.close();
  });

  it("draws 500 of 5,000 entries, and earlier ones on demand", async () => {
    for (let n = 1; n <= 5_000; n += 1) {
      at.room.guest.say({ text: `message ${n}` }).catch(() => undefined);
      if (n % 100 === 0) await until("they have arrived", () => at.room.host.heardLog.end >= n);
    }
    const page = await open();
    await page.locator(".msg", { hasText: "message 5000" }).waitFor(soon);
    const before = await page.locator(".entries > li").count();
    expect(before).toBeLessThanOrEqual(502);
    await page.getByRole("button", { name: "Show earlier ones" }).click(soon);
    await until("there are more", async () => (await page.locator(".entries > li").count()) > before);
  }, 120_000);

  it("tells a person without an address what to do", async () => {
    const page = await at.context.newPage();
    const { address, port } = at.served.page.place;
    await page.goto(`http://${address}:${port}/`);
    await page.getByRole("heading", { name: "This page needs its address" }).waitFor(soon);
  });
});

describe("everybody", () => {
  const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

  it.each(["light", "dark"] as const)("can read it in %s (WCAG AA, axe)", async (colorScheme) => {
    await at.room.guest.say({ text: "Is it `an array`? [docs](https://example.com)" });
    at.room.host.oversight.hold("out", { path: "watch" });
    await at.room.host.say({ text: "An object." });
    const page = await open();
    await page.emulateMedia({ colorScheme });
    await ask(page).waitFor(soon);
    await page.waitForTimeout(700);
    // The page runs no foreign script: this one comes by the debugger, around its policy.
    await page.evaluate(axe);
    const violations = await page.evaluate(async () => {
      const { axe } = globalThis as unknown as {
        axe: {
          run: (
            options: object,
          ) => Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }>;
        };
      };
      const found = await axe.run({
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
      });
      return found.violations.map(
        ({ id, nodes }) =>
          `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(" | ")}`,
      );
    });
    expect(violations).toEqual([]);
  });

  it.each([360, 768, 900, 1_440, 1_600])(
    "sees all of it at %i px, without a page that scrolls sideways",
    async (width) => {
      await at.room.guest.say({ text: `a${"long".repeat(200)} word` });
      at.room.host.oversight.hold("out", { path: "watch" });
      await at.room.host.say({ text: `An${"object".repeat(60)}.` });
      const page = await open();
      await page.setViewportSize({ width, height: 800 });
      await ask(page).waitFor(soon);
      const isWide = await page.evaluate(
        () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
      );
      expect(isWide).toBe(false);
      for (const name of ["Hold out", "Pause", "End"])
        expect(
          await page
            .getByRole("button", { name: new RegExp(`^${name}|Holding out`) })
            .first()
            .isVisible(),
        ).toBe(true);
    },
  );
});
