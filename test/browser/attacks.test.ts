import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openPage } from "../page/support.ts";
import { launch, scene, servePage, tab } from "./support.ts";

let browser: Browser;
let at: Awaited<ReturnType<typeof scene>>;
const servers: Server[] = [];

beforeAll(async () => {
  browser = await launch(["--host-resolver-rules=MAP evil.example 127.0.0.1"]);
});
afterAll(() => browser.close());
beforeEach(async () => {
  at = await scene(browser);
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await at.close();
});

const soon = { timeout: 5_000 };

/** A page of somebody else on this machine. */
async function neighbour(html: string, headers: Record<string, string> = {}, script = ""): Promise<string> {
  const server = createServer((request, response) => {
    const isScript = request.url === "/worker.js";
    response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html");
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.end(isScript ? script : html);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const ownUrl = (): string => {
  const { address, port } = at.served.page.place;
  return `http://${address}:${port}`;
};

describe("attacks on the page, in a browser", () => {
  it("P1: a name that leads here is refused", async () => {
    const page = await openPage(at.room.folder, { isBrowserHere: false });
    const tab = await at.context.newPage();
    const answer = await tab.goto(`http://evil.example:${page.page.place.port}/`);
    expect(answer?.status()).toBe(403);
    await page.page.close();
  });

  it("P2, P3, P4: another port of this machine reads nothing, posts nothing, and has no cookie to take", async () => {
    const victim = await tab(at.context, at.served);
    await victim.page.getByRole("heading", { level: 1, name: "Agree on the API" }).waitFor(soon);
    expect(await at.context.cookies()).toEqual([]);
    const other = await at.context.newPage();
    await other.goto(await neighbour("<p>mine</p>"));
    const results = await other.evaluate(async (url) => {
      const tries = [
        fetch(`${url}/`),
        fetch(`${url}/stream`, {
          method: "POST",
          body: "{}",
          headers: { "Content-Type": "text/plain" },
          mode: "no-cors",
        }).then((answer) => (answer.type === "opaque" ? "opaque" : "read")),
        fetch(`${url}/do`, {
          method: "POST",
          body: "{}",
          headers: { "Content-Type": "application/json", Authorization: "Bearer x" },
        }),
        fetch(`${url}/enter`, { method: "DELETE" }),
      ];
      const settled = await Promise.allSettled(tries);
      const socket = await new Promise((resolve) => {
        const opened = new WebSocket(url.replace("http", "ws") + "/stream");
        opened.addEventListener("open", () => resolve("open"));
        opened.addEventListener("error", () => resolve("error"));
      });
      return [...settled.map((one) => (one.status === "rejected" ? "refused" : one.value)), socket];
    }, ownUrl());
    expect(results).toEqual(["refused", "refused", "refused", "refused", "error"]);
    expect(at.room.host.oversight.isPaused).toBe(false);
  });

  it("P10: is framed by nobody, and a link does not steer it", async () => {
    const other = await at.context.newPage();
    await other.goto(
      await neighbour(`<iframe src="${ownUrl()}/"></iframe><a href="${ownUrl()}/?server=evil#x">go</a>`),
    );
    await other.waitForTimeout(500);
    const framed = other.frames().find((frame) => frame !== other.mainFrame());
    const text =
      (await framed
        ?.locator("body")
        .textContent()
        .catch(() => "")) ?? "";
    expect(text).not.toContain("tunnel");
    const [answer] = await Promise.all([
      other.waitForResponse((one) => one.url().startsWith(ownUrl())),
      other.click("a"),
    ]);
    expect(answer.status()).toBe(403);
  });

  it("P5: a worker that another program left on a port is not there at the page's own address", async () => {
    const served = await servePage(at.room, { isBrowserHere: false });
    const { port } = served.page.place;
    await served.page.close();
    // Somebody else had this port of 127.0.0.1 before, and left a worker that answers for it.
    const left = createServer((request, response) => {
      const isScript = request.url === "/worker.js";
      response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html");
      response.end(
        isScript ? "onfetch = (event) => event.respondWith(new Response('mine'));" : "<p>left</p>",
      );
    });
    await new Promise<void>((resolve) => left.listen(port, "127.0.0.1", resolve));
    const other = await at.context.newPage();
    await other.goto(`http://127.0.0.1:${port}/`);
    await other.evaluate(async () => {
      await navigator.serviceWorker.register("/worker.js");
      await navigator.serviceWorker.ready;
    });
    await new Promise((resolve) => left.close(resolve));
    const { page } = await tab(at.context, at.served);
    await page.getByRole("heading", { level: 1, name: "Agree on the API" }).waitFor(soon);
    expect(await page.evaluate(() => navigator.serviceWorker.controller)).toBeNull();
  });

  it.each([
    ["<img src=x onerror='window.hit=1'><script>window.hit=1</script>"],
    ["<svg onload='window.hit=1'></svg><iframe srcdoc='<script>parent.hit=1</script>'></iframe>"],
    ["[click](javascript:window.hit=1) ![i](http://127.0.0.1:9/x.png) <a href=//evil.example>x</a>"],
    ["```html\n<style>body{display:none}</style>\n```\n<style>body{display:none}</style>"],
  ])("P9: %s is text", async (text) => {
    const { page, problems } = await tab(at.context, at.served);
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await at.room.guest.say({ text });
    await page.locator(".msg").first().waitFor(soon);
    expect(await page.evaluate(() => (window as unknown as { hit?: number }).hit)).toBeUndefined();
    expect(await page.locator(".msg :is(img, script, svg, iframe, a, style)").count()).toBe(0);
    expect(asked.filter((url) => !url.startsWith(ownUrl()))).toEqual([]);
    expect(problems).toEqual([]);
  });

  it("P9: no text of a page can become HTML there: its policy makes none", async () => {
    const { page } = await tab(at.context, at.served);
    const thrown = await page.evaluate(() => {
      try {
        document.body.innerHTML = "<b>x</b>";
        return "set";
      } catch (error) {
        return error instanceof Error ? error.name : "?";
      }
    });
    expect(thrown).toBe("TypeError");
  });

  it("P11: a look-alike of this program stands as somebody's words", async () => {
    const { page } = await tab(at.context, at.served);
    await at.room.guest.say({ text: `ben has left${"\n".repeat(3_000)}\u202eAsk 7 · Send it` });
    await page.locator(".msg", { hasText: "empty lines]" }).waitFor(soon);
    expect(await page.locator(".sys", { hasText: "has left" }).count()).toBe(0);
    await page.locator(".msg mark", { hasText: "U+202E" }).waitFor(soon);
  });

  it("P7, P8: an address from the history shuts the page out", async () => {
    const url = at.served.page.newUrl();
    const { page } = await tab(at.context, at.served, url);
    await page.getByRole("heading", { level: 1, name: "Agree on the API" }).waitFor(soon);
    const thief = await tab(at.context, at.served, url);
    await thief.page.getByRole("heading", { name: "This address was used before" }).waitFor(soon);
    await page.getByRole("heading", { name: "This page has ended" }).waitFor(soon);
  });
});
