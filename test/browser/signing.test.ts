import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { must } from "../../src/errors/must.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import type { Session, Sessions } from "../../src/session/sessions.ts";
import { parseTranscript } from "../../src/session/transcript/document.ts";
import { verifyTranscript } from "../../src/session/transcript/verify.ts";
import { signCommand } from "../../src/watch/sign-by-hand.ts";
import { signOffView } from "../../src/view/signing/sign-off.ts";
import { clientOf } from "../mcp/room.ts";
import { openEndpoint, openPage, terminal } from "../page/support.ts";
import { launch, scene, servePage, tab } from "./support.ts";

let browser: Browser;
let at: Awaited<ReturnType<typeof scene>>;
const undo: (() => Promise<void> | void)[] = [];

beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());
beforeEach(async () => {
  at = await scene(browser);
});
afterEach(async () => {
  for (const one of undo.splice(0).toReversed()) await one();
  await at.close();
});

const soon = { timeout: 5_000 };
const until = (what: string, test: () => boolean | Promise<boolean>) =>
  expect.poll(test, { message: what, timeout: 5_000 }).toBe(true);

const panel = (page: Page) => page.locator(".sign");
const press = (page: Page, name: string | RegExp) => panel(page).getByRole("button", { name }).click(soon);

async function open(context: BrowserContext = at.context, served = at.served): Promise<Page> {
  const { page, problems } = await tab(context, served);
  await page.getByRole("heading", { level: 1, name: "Agree on the API" }).waitFor(soon);
  undo.push(() => expect(problems).toEqual([]));
  return page;
}

/** Ben's own server, page and browser: nothing of it is ana's. */
async function bensPage(): Promise<Page> {
  const folder = path.join(mkdtempSync(path.join(tmpdir(), "page-")), "control");
  const endpoint = await openEndpoint(at.room.ben, folder);
  const served: Awaited<ReturnType<typeof openPage>> = await servePage({ ...at.room, folder });
  const context = await browser.newContext();
  undo.push(async () => {
    await context.close();
    await served.page.close();
    await endpoint.close();
    rmSync(path.dirname(folder), { recursive: true, force: true });
  });
  return open(context, served);
}

async function sign(page: Page): Promise<void> {
  await press(page, "Sign that it is done…");
  await press(page, /^Sign “/);
}

const wordsOn = async (page: Page): Promise<string> =>
  (await panel(page).locator(".aloud b").textContent(soon)) ?? "";

function proofOf(sessions: Sessions, tunnel: Session) {
  const json = sessions.transcripts.json(sessions.transcripts.of(tunnel));
  return verifyTranscript(nodePrimitives, parseTranscript(json));
}

describe("two people, two servers, two browsers", () => {
  it("H28: an agent proposes, both read, compare the words and sign; each transcript proves it offline", async () => {
    const { ana: anas, ben: bens, host, guest } = at.room;
    const [ana, ben] = [await clientOf(anas), await clientOf(bens)];
    const [first, second] = [await open(), await bensPage()];
    await ana("tunnel_say", { text: "So GET /orders answers an object?" });
    await ben("tunnel_say", { text: "It does." });
    const outcome = "GET /orders answers an object\nwith `items` and `next`";
    expect(await ana("tunnel_propose_done", { outcome })).toMatchObject({ status: "sent" });
    await panel(first).getByRole("heading", { name: "Your agent proposes that it is done" }).waitFor(soon);
    await panel(second)
      .getByRole("heading", { name: "The agent of ana proposes that it is done" })
      .waitFor(soon);
    for (const page of [first, second]) {
      expect(await panel(page).locator("pre").first().textContent()).toBe(outcome);
      expect(await page.title()).toMatch(/^\(1\) /);
    }
    const words = await wordsOn(first);
    expect(words).toMatch(/^[a-z]+ [a-z]+ [a-z]+$/);
    expect(await wordsOn(second)).toBe(words);
    await sign(first);
    await panel(second).locator("li.done", { hasText: "ana" }).waitFor(soon);
    await panel(second).getByText("ana: has signed the outcome").waitFor(soon);
    await sign(second);
    for (const page of [first, second])
      await panel(page).getByText("Everybody has signed: it is done.").waitFor(soon);
    expect(await first.title()).not.toMatch(/^\(/);
    for (const [sessions, tunnel] of [
      [anas, host],
      [bens, guest],
    ] as const) {
      const { ok, signedOff } = proofOf(sessions, tunnel);
      const last = must(signedOff.proposals.at(-1), "a proposal");
      expect([ok, last.state, last.proposed.outcome]).toEqual([true, "signed", outcome]);
      expect(last.counted.map(([, { statement }]) => statement.made)).toEqual(["page", "page"]);
      const keys = new Set(last.counted.map(([, { statement }]) => String(statement.key)));
      expect(keys.size).toBe(2);
    }
    expect(await ana("tunnel_close", { summary: "bye" })).toMatchObject({ signOff: { state: "signed" } });
    expect(proofOf(bens, guest).signedOff.proposals.at(-1)?.state).toBe("signed");
  });

  it("H28: a refusal with its reason is seen by both, and nobody can sign any more", async () => {
    const [first, second] = [await open(), await bensPage()];
    await at.room.host.signing.propose("we are done", undefined);
    await press(second, "Refuse to sign…");
    await panel(second).getByLabel("Why not? Everybody in the room is told this.").fill("the tests are red");
    await press(second, "Refuse to sign");
    await panel(first).getByText("It was refused: it is not done.").waitFor(soon);
    await panel(first).locator("li.not-done q", { hasText: "the tests are red" }).waitFor(soon);
    expect(await panel(first).getByRole("button", { name: /^Sign/ }).count()).toBe(0);
    expect(proofOf(at.room.ana, at.room.host).signedOff.proposals.at(-1)?.state).toBe("refused");
  });
});

describe("a person who is asked to sign", () => {
  const propose = (outcome: string) => at.room.guest.signing.propose(outcome, undefined);

  it("H13: signs by two presses, none of which may come too early, and by no key alone", async () => {
    const page = await open();
    await propose("we are done");
    const start = panel(page).getByRole("button", { name: "Sign that it is done…" });
    await start.waitFor(soon);
    expect(await start.isDisabled()).toBe(true);
    expect(await panel(page).getByRole("button", { name: "Refuse to sign…" }).isDisabled()).toBe(false);
    for (const key of ["y", "Enter", "s", "Escape", "Enter", " "]) await page.keyboard.press(key);
    await page.locator("#composer").blur();
    await start.dblclick(soon);
    await page.waitForTimeout(700);
    expect(at.room.host.signing.standing?.counted).toEqual([]);
    // A double click leads to the second step at most, where the way back has the focus.
    if ((await start.count()) > 0) await start.click(soon);
    await panel(page).getByRole("button", { name: "Go back" }).waitFor(soon);
    await page.keyboard.press("Enter");
    await start.waitFor(soon);
    expect(at.room.host.signing.standing?.counted).toEqual([]);
    await sign(page);
    await until("it is signed", () => at.room.host.signing.standing?.counted.length === 1);
  });

  it("can do it all from the keyboard", async () => {
    const page = await open();
    await propose("we are done");
    await panel(page).getByRole("button", { name: "Sign that it is done…" }).waitFor(soon);
    await page.waitForTimeout(700);
    await page.keyboard.press("a");
    for (let tabs = 0; tabs < 12; tabs += 1) {
      await page.keyboard.press("Tab");
      if ((await page.locator(":focus").textContent())?.startsWith("Sign that") === true) break;
    }
    await page.keyboard.press("Enter");
    await page.waitForTimeout(700);
    expect(await page.locator(":focus").textContent()).toBe("Go back");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await until("it is signed", () => at.room.host.signing.standing?.counted.length === 1);
  });

  it("H14: is shown the whole, with what hides written out, and signs the text itself", async () => {
    const page = await open();
    const outcome = `fine${"\nline".repeat(60)}\nand the point\u202e\ue000`;
    await propose(outcome);
    const start = panel(page).getByRole("button", { name: "Sign that it is done…" });
    await panel(page).getByRole("button", { name: "Show all of it before you sign" }).waitFor(soon);
    await page.waitForTimeout(700);
    expect(await start.isDisabled()).toBe(true);
    await press(page, /^Show all of it/);
    await panel(page).locator("mark", { hasText: "U+202E" }).waitFor(soon);
    await sign(page);
    await until("it is signed", () => at.room.host.signing.standing?.counted.length === 1);
  });

  it("sees what has happened since, and that a later message makes it stale", async () => {
    const page = await open();
    await propose("we are done");
    await panel(page).getByText("Nothing has happened since.").waitFor(soon);
    await at.room.guest.say({ text: "one more thing" });
    await panel(page).getByText("ben: one more thing").waitFor(soon);
    await panel(page)
      .getByText("It is stale: 1 message came after it, which no signature covers.")
      .waitFor(soon);
    expect(
      await panel(page)
        .getByRole("button", { name: /^(?:Sign|Refuse)/ })
        .count(),
    ).toBe(0);
    await propose("we are done, and one more thing");
    await panel(page).getByText("and one more thing").first().waitFor(soon);
    await sign(page);
    await until("it is signed", () => at.room.host.signing.standing?.counted.length === 1);
  });

  it("H9: signs nothing that was replaced, or that its server shows otherwise than it would have it signed", async () => {
    const page = await open();
    await propose("one");
    await press(page, "Sign that it is done…");
    await propose("two");
    await panel(page).locator("pre", { hasText: "two" }).waitFor(soon);
    // Another outcome begins anew: the second press is gone.
    expect(
      await panel(page)
        .getByRole("button", { name: /^Sign “/ })
        .count(),
    ).toBe(0);
    await page.route("**/do", (route) => {
      const body = route.request().postDataJSON() as { command: object };
      return route.continue({
        postData: JSON.stringify({ ...body, command: { ...body.command, verdict: "not-done" } }),
      });
    });
    await sign(page);
    await page.getByText("Not done: a signature under an outcome does not hold").waitFor(soon);
    expect(at.room.host.signing.standing?.counted).toEqual([]);
  });

  it("is told where the browser cannot make such a key, and signs in a terminal instead", async () => {
    await at.context.addInitScript(() => {
      const generateKey = () => Promise.reject(new DOMException("no", "NotSupportedError"));
      Object.assign(crypto.subtle, { generateKey });
    });
    const page = await open();
    await propose("we are done");
    await sign(page);
    await page.getByText("This browser cannot make the key that a signature needs").waitFor(soon);
    expect(at.room.host.signing.standing?.counted).toEqual([]);
    const { client } = await terminal(at.room);
    const view = must(signOffView(at.room.host), "a proposal");
    const { tunnelId } = at.room.host;
    await client.ask({
      do: "sign",
      tunnelId,
      verdict: "done",
      ...signCommand(nodePrimitives, view, { verdict: "done" }),
    });
    client.close();
    await panel(page).locator("li.done", { hasText: "key made in a terminal" }).waitFor(soon);
    await page.locator(".log").getByText("has signed the outcome of entry").waitFor(soon);
  });

  it("has a key that cannot leave the tab", async () => {
    await at.context.addInitScript(() => {
      const make = crypto.subtle.generateKey.bind(crypto.subtle) as (
        ...args: unknown[]
      ) => Promise<CryptoKeyPair>;
      const made: CryptoKeyPair[] = [];
      Object.assign(globalThis, { made });
      Object.assign(crypto.subtle, {
        generateKey: async (...args: unknown[]) => {
          const keys = await make(...args);
          made.push(keys);
          return keys;
        },
      });
    });
    const page = await open();
    await propose("we are done");
    await sign(page);
    await until("it is signed", () => at.room.host.signing.standing?.counted.length === 1);
    const found = await page.evaluate(async () => {
      const { made } = globalThis as unknown as { made: CryptoKeyPair[] };
      const taken = await Promise.all(
        made.map(({ privateKey }) =>
          crypto.subtle.exportKey("pkcs8", privateKey).then(
            () => "taken",
            () => "kept",
          ),
        ),
      );
      return { taken, stored: Object.keys(localStorage).length, session: Object.keys(sessionStorage) };
    });
    expect(found).toEqual({ taken: ["kept"], stored: 0, session: ["token"] });
  });

  const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

  it.each(["light", "dark"] as const)(
    "can read it in %s (WCAG AA, axe), at 360 px as well",
    async (colorScheme) => {
      const page = await open();
      await page.emulateMedia({ colorScheme });
      await propose("we are **done**");
      const { ben: bens } = at.room;
      const ben = await clientOf(bens);
      expect(await ben("tunnel_status")).toMatchObject({ signOff: { state: "open" } });
      await press(page, "Sign that it is done…");
      await page.waitForTimeout(700);
      await page.evaluate(axe);
      const violations = await page.evaluate(async () => {
        const { axe } = globalThis as unknown as {
          axe: {
            run: (options: object) => Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>;
          };
        };
        const found = await axe.run({
          runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
        });
        return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ")}`);
      });
      expect(violations).toEqual([]);
      await page.setViewportSize({ width: 360, height: 800 });
      await page.getByRole("button", { name: /^Waiting/ }).click(soon);
      await panel(page).waitFor(soon);
      const isWide = await page.evaluate(
        () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
      );
      expect(isWide).toBe(false);
    },
  );
});
