import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { Agent, BUNDLE, closeAgents, NODE, pair, sandbox, unfenced } from "../support/agent.ts";
import { linkOf } from "../support/hearing.ts";
import { watched } from "./built.ts";
import { ask, launch } from "./support.ts";

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
const GOAL = "Agree on GET /orders";
const OUTCOME = "GET /orders answers an object with `items` and `nextCursor`.";

/** The person of a page answers what waits. */
async function answer(page: Page, about: string, button: string): Promise<void> {
  await ask(page).filter({ hasText: about }).waitFor(soon);
  await page.waitForTimeout(700); // a yes that comes too early is not taken (H13)
  await ask(page).filter({ hasText: about }).getByRole("button", { name: button }).click(soon);
}

async function sign(page: Page): Promise<void> {
  const press = (name: string | RegExp) => page.locator(".sign").getByRole("button", { name }).click(soon);
  await press("Sign that it is done…");
  await press(/^Sign “/);
}

/** The built program of an observer. @returns what it has told so far */
function observe(link: string) {
  const box = sandbox({});
  const child = spawn(NODE, [BUNDLE, "observe", "--json"], {
    env: box.env,
    stdio: ["pipe", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  child.stdin.end(`${link}\n`);
  ends.push(async () => {
    child.kill("SIGKILL");
    await exited;
    box.remove();
  });
  return { told: () => out, exited };
}

describe("two servers, two agents, two people in two browsers, and an observer", () => {
  it("H28: H29: come from the first message to an end that both have signed, and the transcript proves it offline", async () => {
    const [ana, ben] = await Promise.all([Agent.start(), Agent.start()]);
    await pair(ana, ben, GOAL);
    const [anas, bens] = [await watched(browser, ana, ends), await watched(browser, ben, ends)];
    for (const { page } of [anas, bens])
      await page.getByRole("heading", { level: 1, name: GOAL }).waitFor(soon);

    // Somebody who reads along, once Ana's person has agreed.
    expect(await ana.call("tunnel_invite", { observer: true })).toMatchObject({ status: "held" });
    await answer(anas.page, "for an observer", "Make it");
    const observer = observe(linkOf(await ana.call("tunnel_invite", { observer: true })));
    for (const { page } of [anas, bens])
      await page.getByText("observer", { exact: true }).first().waitFor(soon);

    // The agents talk; Ben's person holds a message, edits it, and lets it go.
    await ana.call("tunnel_say", { text: "Does GET /orders answer an array?", intent: "request" });
    await bens.page.locator(".msg", { hasText: "answer an array" }).waitFor(soon);
    await bens.page.keyboard.press("h");
    await bens.page
      .getByText("Held on its way out")
      .first()
      .waitFor({ state: "hidden", ...soon });
    await expect
      .poll(async () => (await ben.call("tunnel_status"))["oversight"], soon)
      .toMatchObject({ gates: expect.arrayContaining(["hold-out"]) as unknown });
    const held = z.looseObject({ status: z.literal("held"), askId: z.number() });
    const { askId } = held.parse(
      await ben.call("tunnel_say", { text: "An object, I think.", intent: "inform" }),
    );
    await answer(bens.page, "An object, I think.", "Edit and send…");
    await ask(bens.page).getByRole("textbox").fill("An object with a cursor.");
    await ask(bens.page).getByRole("button", { name: "Send my words" }).click(soon);
    await anas.page.locator(".by-human", { hasText: "An object with a cursor." }).waitFor(soon);
    const decided = (await ben.call("tunnel_listen", { timeoutMs: 10_000 })).messages ?? [];
    expect(decided.find(({ event }) => event === "decided")).toMatchObject({ askId, outcome: "edited" });
    await bens.page.locator("#asks").focus();
    await bens.page.keyboard.press("h");

    // Ana's person speaks; Ben's agent hears whose words they are.
    await anas.page.getByLabel("Say something as yourself").fill("Then we are done.");
    await anas.page.keyboard.press("Enter");
    await bens.page.locator(".by-human", { hasText: "Then we are done." }).waitFor(soon);

    // The agent proposes; both people see the same words, and sign.
    expect(await ana.call("tunnel_propose_done", { outcome: OUTCOME })).toMatchObject({ status: "sent" });
    const words = await Promise.all(
      [anas, bens].map(({ page }) => page.locator(".sign .aloud b").textContent(soon)),
    );
    expect(words[0]).toMatch(/^[a-z]+ [a-z]+ [a-z]+$/);
    expect(words[1]).toBe(words[0]);
    await sign(anas.page);
    await bens.page.locator(".sign li.done", { hasText: "ana" }).waitFor(soon);
    await sign(bens.page);
    for (const { page } of [anas, bens])
      await page.getByText("Everybody has signed: it is done.").waitFor(soon);

    // The end, with a transcript that verifies without anybody.
    const closed = await ana.call("tunnel_close", { summary: "Settled." });
    const { tunnelId } = closed;
    await ana.call("tunnel_status", { tunnelId, saveTranscript: "story" });
    // A summary would come after what they have signed, so it is left out.
    expect(closed).toMatchObject({ signOff: { state: "signed" }, summarySent: false });
    for (const { page } of [anas, bens]) await page.getByText("This tunnel is over").waitFor(soon);
    expect(await observer.exited).toBe(0);
    const file = join(ana.folder, "story.transcript.json");
    const { status, stdout } = spawnSync(NODE, [BUNDLE, "verify", file], { encoding: "utf8" });
    expect(status).toBe(0);
    expect(stdout).toContain("The humans of all members have signed it");
    expect(stdout).toMatch(/"ana" \(signed, entry \d+, key made on a page\)/);
    expect(stdout).toMatch(/"ben" \(signed, entry \d+, key made on a page\)/);

    // The observer was told all of it from its arrival on, and nothing else.
    const told = observer.told();
    for (const text of ["answer an array", "An object with a cursor.", "Then we are done.", "nextCursor"])
      expect(told).toContain(text);
    expect(told).not.toContain("An object, I think.");
    const heard = ((await ben.call("tunnel_listen", { timeoutMs: 0 })).messages ?? []).map(({ text }) =>
      unfenced(text),
    );
    expect(heard.some((text) => text?.includes("Then we are done."))).toBe(true);
    expect([anas.problems, bens.problems]).toEqual([[], []]);
  }, 120_000);
});
